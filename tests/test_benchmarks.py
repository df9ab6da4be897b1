"""The benchmarks: what they compute by themselves, and that each runs from its command to its files."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import common  # noqa: E402
import endurance  # noqa: E402
import nodes  # noqa: E402
import peers  # noqa: E402
import quality  # noqa: E402
import roofline  # noqa: E402
import scaling  # noqa: E402
import texts  # noqa: E402
import trainers  # noqa: E402

from parw2v.blas import blas_path  # noqa: E402
from parw2v.cluster.settings import SYNC_WORDS_OF_TWO  # noqa: E402

RECORD = {
    "commit": "0123abc",
    "command": "python benchmarks/x.py",
    "date": "2026-01-01 00:00 UTC",
    "machine": {"cpu": "A processor", "cores": 2},
    "versions": {"numpy": "2.0", "blas": "OpenBLAS 0.3 Haswell", "gensim": "4.4.0"},
}


# ------------------------------------------------------------------------------------------------ tables, statistics


def test_table_is_aligned_markdown_with_figures_to_the_right():
    text = common.table(["name", "M words/s"], [["gensim", "0.25"], ["a | b"[:1], "-"]])
    assert text.splitlines() == [
        "| name   | M words/s |",
        "|--------|----------:|",
        "| gensim |      0.25 |",
        "| a      |         - |",
    ]


def test_table_without_rows_has_a_heading():
    assert common.table(["a", "b"], []).splitlines() == ["| a   | b   |", "|-----|-----|"]


def test_figures_that_are_missing_are_dashes():
    assert [common.millions(None), common.figure(None), common.percent(None)] == ["-"] * 3
    assert [common.millions(2.5e6), common.figure(1 / 3), common.percent(0.375)] == ["2.500", "0.33", "37.5"]


def test_counted():
    assert [common.counted(n, "epoch") for n in (1, 5)] == ["1 epoch", "5 epochs"]


def test_ratio_of_medians():
    runs = [{"x": 1.0}, {"x": 9.0}, {"x": 2.0}, {}]
    assert common.ratio(common.median(runs, "x"), 4) == 0.5
    assert common.ratio(common.median(runs, "y"), 4) is None
    assert common.ratio(1.0, None) is None
    assert common.ratio(1.0, 0.0) is None
    assert common.mean(runs, "x") == 4


def test_group_keeps_the_order_of_first_occurrence():
    runs = [{"a": 2, "b": 0}, {"a": 1, "b": 0}, {"a": 2, "b": 1}]
    assert common.group(runs, "a") == {(2,): [runs[0], runs[2]], (1,): [runs[1]]}


# ------------------------------------------------------------------------------------------------ provenance


def test_provenance_names_what_a_figure_depends_on():
    found = common.provenance()
    assert set(found) == {"commit", "command", "date", "machine", "versions"}
    assert found["machine"]["cores"] >= 1
    assert found["versions"]["numpy"] == np.__version__
    assert set(found["versions"]) == {"parw2v", "python", "numpy", "scipy", "blas"}


def test_command_line_tells_nothing_of_the_machine(tmp_path):
    argv = [str(common.ROOT / "benchmarks" / "peers.py"), "--corpus", str(tmp_path / "text8"), "--rounds", "3"]
    assert common.command_line(argv) == "python benchmarks/peers.py --corpus text8 --rounds 3"


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_commit_says_when_programs_differ_from_it(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "a.py").write_text("1\n")
    git("add", ".")
    git("commit", "-m", "first")
    clean = common.commit(tmp_path)
    assert len(clean) >= 7
    (tmp_path / "results.json").write_text("{}\n")
    assert common.commit(tmp_path) == clean  # what a benchmark wrote
    (tmp_path / "a.py").write_text("2\n")
    assert common.commit(tmp_path) == f"{clean}-dirty"
    git("checkout", "a.py")
    (tmp_path / "new.py").write_text("3\n")
    assert common.commit(tmp_path) == f"{clean}-dirty"


def test_commit_outside_git_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert common.commit(tmp_path) == "unknown"


# ------------------------------------------------------------------------------------------------ results


def results(tmp_path, **flags):
    arguments = argparse.Namespace(results=tmp_path, quick=False, more=flags.pop("more", False))
    return common.Results("some", arguments, {"dim": 100, **flags}, lambda record: f"{len(record['runs'])} runs")


def test_results_are_written_after_every_run(tmp_path):
    first = results(tmp_path)
    first.add({"seed": 1, "speed": 2.0})
    record = json.loads((tmp_path / "some.json").read_text())
    assert record["runs"] == [{"seed": 1, "speed": 2.0}]
    assert record["settings"] == {"dim": 100}
    assert (tmp_path / "some.md").read_text().startswith("1 runs\n")
    assert record["versions"]["numpy"] in (tmp_path / "some.md").read_text()


def test_more_goes_on_where_a_run_was_cut_short(tmp_path):
    results(tmp_path).add({"seed": 1})
    again = results(tmp_path, more=True)
    assert again.has(seed=1)
    assert not again.has(seed=2)
    assert not results(tmp_path).has(seed=1)


def test_more_refuses_runs_of_other_settings(tmp_path):
    results(tmp_path).add({"seed": 1})
    with pytest.raises(SystemExit, match="another settings"):
        results(tmp_path, more=True, window=10)


# ------------------------------------------------------------------------------------------------ texts


def test_write_lines_cuts_long_lines_and_drops_empty_ones(tmp_path):
    source, path = tmp_path / "source", tmp_path / "lines"
    source.write_text("Two  Words\n\n" + "w " * 2500 + "\nend.")
    words, longest = texts.write_lines(source, path)
    lines = [len(line.split()) for line in path.read_text().splitlines()]
    assert lines == [2, 1000, 1000, 500, 1]
    assert (words, longest) == (2503, 2500)
    assert path.read_text().split() == source.read_text().split()


def test_write_lines_takes_the_first_words(tmp_path):
    source, path = tmp_path / "source", tmp_path / "lines"
    source.write_text("a b c\nd e f\n")
    assert texts.write_lines(source, path, max_tokens=4) == (4, 3)
    assert path.read_text() == "a b c\nd\n"


def flags(corpus=None, max_tokens=None):
    return argparse.Namespace(corpus=corpus and str(corpus), max_tokens=max_tokens)


def test_text_of_short_lines_is_given_as_it_is(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("a b\nc d\n")
    (tmp_path / "scratch").mkdir()
    text = texts.text_of(flags(path), tmp_path / "scratch")
    assert text.whole == text.lines == path
    assert (text.words, text.line_ends, text.name) == (4, 2, "text.txt")


def test_text_of_one_long_line_has_a_copy_in_lines(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("a " * 1001)
    (tmp_path / "scratch").mkdir()
    text = texts.text_of(flags(path), tmp_path / "scratch")
    assert text.whole == path
    assert text.lines.read_text().count("\n") == 2
    assert (text.words, text.line_ends) == (1001, 0)


def test_text_of_the_sample_says_that_it_is_no_measure(tmp_path):
    text = texts.text_of(flags("sample", 1000), tmp_path)
    assert "too small to measure" in text.note
    assert text.words == 1000
    assert text.whole == text.lines


def test_text_of_a_missing_file(tmp_path):
    with pytest.raises(SystemExit, match="no such file"):
        texts.text_of(flags(tmp_path / "none"), tmp_path)


# ------------------------------------------------------------------------------------------------ trainers

FASTTEXT_SAYS = (
    "\rRead 0M words\nNumber of words:  3301\nNumber of labels: 0\n"
    "\rProgress:  50.0% words/sec/thread:   99999 lr:  0.012500 avg.loss:  2.9 ETA:   0h 0m 1s"
    "\rProgress: 100.0% words/sec/thread:   50000 lr:  0.000000 avg.loss:  2.5 ETA:   0h 0m 0s\n"
)


def test_fasttext_figures_leave_line_ends_out():
    text = texts.Text("a", Path("a"), Path("a"), words=900_000, line_ends=100_000)
    found = trainers.fasttext_figures(FASTTEXT_SAYS, text, trainers.Job("fasttext", workers=2, epochs=3))
    assert found == {"raw_words": 2_700_000, "train_seconds": 30.0}


def test_fasttext_figures_of_a_run_that_failed():
    with pytest.raises(ValueError, match="does not tell its speed"):
        trainers.fasttext_figures(
            "terminate called", texts.Text("a", Path("a"), Path("a"), 1), trainers.Job("fasttext")
        )


def test_every_trainer_gets_the_learning_rate_of_the_objective():
    rates = {(t, m): trainers.Job(t, m).settings["lr"] for t in ("parw2v", "gensim") for m in ("skipgram", "cbow")}
    assert set(rates.values()) == {0.025, 0.05}
    assert trainers.Job("gensim", "cbow", lr=0.1).settings["lr"] == 0.1


def test_a_log_that_does_not_end_with_a_finished_run():
    assert trainers.last_record('{"event": "start"}\n{"event": "done", "loss": 1}\n')["loss"] == 1
    with pytest.raises(ValueError, match="finished"):
        trainers.last_record('{"event": "start"}\n')


def test_watch_tells_status_and_output():
    commands = [[sys.executable, "-c", f"import sys; print({i}, file=sys.stderr); sys.exit({i})"] for i in (0, 3)]
    ended = trainers.watch(commands)
    assert [(one.status, one.output) for one in ended] == [(0, "0\n"), (3, "3\n")]
    assert all(one.seconds > 0 for one in ended)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux")
def test_memory_of_a_process_and_its_child():
    child = "held = bytearray(50_000_000); print('held', flush=True); input()"
    parent = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); held = bytearray(30_000_000); print('held', flush=True); input()\n"
        "child.communicate(b'\\n')"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    peak = trainers.MemorySampler([process.pid]).stop()
    process.communicate(b"\n")
    assert 80e6 < peak < 160e6


def test_judge_flags_vectors_that_diverged(tmp_path):
    words = np.array(["king", "queen", "man", "woman"])
    judge = trainers.Judge(None)
    W = np.eye(4, 3, dtype=np.float32)
    for scale, diverged in ((1, False), (101, True), (np.nan, True)):
        np.savez(tmp_path / "v.npz", W_in=scale * W, W_out=W, words=words)
        assert judge.scores(tmp_path / "v.npz")["diverged"] is diverged


# ------------------------------------------------------------------------------------------------ the grid


def test_a_word_of_the_grid():
    assert quality.parsed_word("dim=50,200") == [{"dim": 50}, {"dim": 200}]
    assert quality.parsed_word("dim=300+lr=0.05,0.1") == [{"dim": 300, "lr": 0.05}, {"dim": 300, "lr": 0.1}]


@pytest.mark.parametrize("word", ["speed=3", "dim", "dim=", "dim=big", "dim=50+"])
def test_a_word_that_is_none(word):
    with pytest.raises(argparse.ArgumentTypeError):
        quality.parsed_word(word)


def test_variants_that_come_to_the_same_occur_once():
    grid = [quality.parsed_word("dim=50,100"), quality.parsed_word("lr=0.025,0.05+dim=50")]
    jobs = quality.variants(trainers.Job("parw2v"), grid)
    assert list(jobs) == ["default", "dim 50", "lr 0.05, dim 50"]
    assert jobs["lr 0.05, dim 50"].settings["lr"] == 0.05


# ------------------------------------------------------------------------------------------------ the roofline


def test_contexts_in_sentences_of_any_length():
    lengths, window = np.array([0, 1, 2, 7, 30]), 5

    def expected(n):
        reach = range(1, window + 1)
        return sum(min(r, i) + min(r, n - 1 - i) for i in range(n) for r in reach) / window

    np.testing.assert_allclose(roofline.contexts_in(lengths, window), [expected(n) for n in lengths.tolist()])


def test_useful_operations_of_a_kept_word():
    job = trainers.Job("parw2v", dim=10, neg=4)
    assert roofline.useful_flops(job, 6.0) == 6 * 10 * 5 * 6
    assert roofline.useful_flops(trainers.Job("parw2v", "cbow", dim=10, neg=4), 6.0) == 6 * 10 * 5 + 2 * 10 * 6


@pytest.mark.parametrize(
    ("file", "function", "source", "part"),
    [
        ("kernels/any.py", "step", "np.matmul(X, self.Y, out=P)  # scores", "product: np.matmul(X, Y, out=P)"),
        ("kernels/rows.py", "gather", "np.take(W, rows, axis=0, out=out)", "gather: copy rows of W"),
        ("kernels/rows.py", "add", "csc_matvecs(len(W), n)", "scatter: add to rows of W"),
        ("kernels/losses.py", "descend", "np.tanh(scores, out=scores)", "elementwise: from scores to errors"),
        ("kernels/losses.py", "logistic_loss", "loss = np.log1p(x)", "loss, measured now and then"),
        ("kernels/any.py", "_loss", "w[cut] *= masks", "loss, measured now and then"),
        ("kernels/any.py", "step", "P[cut] *= masks", "elementwise: from scores to errors"),
        ("kernels/any.py", "step", "return loss, pairs", "Python between NumPy's calls"),
        ("worker.py", "train", "loss, count = kernel.step(*batch)", "Python between NumPy's calls"),
        ("batching.py", "make_batches", "np.take(table, draws)", "block preparation: draw, cut, index"),
        ("kernels/rows.py", "<module>", "import numpy as np", None),
        ("", "", "", "waiting for a block"),
    ],
)
def test_part_of_a_line(file, function, source, part):
    assert roofline.part_of(Path("parw2v") / file, function, source) == part


# ------------------------------------------------------------------------------------------------ reports and pictures


def peers_record():
    runs = []
    for trainer, speed, seconds in (("gensim", 0.5e6, 8.0), ("parw2v", 2e6, 4.0)):
        for seed in (1, 2, 3):
            run = trainers.Job(trainer, seed=seed).settings | {
                "words_per_second": speed * seed,
                "wall_seconds": seconds,
            }
            runs.append(run | {"peak_memory_mb": 100.0, "analogies_total": 0.1 * seed, "ws": 0.5, "diverged": False})
    settings = {
        "text": {"name": "a text", "words": 1000},
        "given": "All read the same file.",
        "questions": {"analogies": "built-in", "similarity": ["ws"]},
    }
    return RECORD | {"settings": settings, "runs": runs}


def cells(report, start):
    row = next(line for line in report.splitlines() if line.startswith(start))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_peers_are_compared_by_medians():
    speed, whole, memory, accuracy = peers.report(peers_record()).split("## ")[1:]
    assert cells(speed, "| skip-gram")[3:] == ["4.000", "1.000", "4.00"]
    assert cells(whole, "| skip-gram")[3:] == ["4.00", "8.00", "2.00"]
    assert cells(memory, "| skip-gram")[3:] == ["100", "100", "1.00"]
    assert cells(accuracy, "| skip-gram")[3:6] == ["parw2v", "20.0", "10.0 - 30.0"]


def test_a_report_can_be_made_of_the_first_run_alone():
    record = peers_record()
    record["runs"] = record["runs"][:1]
    assert "gensim" in peers.report(record)


def test_scaling_report_has_the_share_of_what_the_cores_give():
    job = trainers.Job("parw2v").settings
    runs = [
        job | {"kind": "together", "words_per_second": 2e6, "analogies_total": 0.3},
        job | {"kind": "together", "workers": 2, "words_per_second": 3e6, "analogies_total": 0.2},
        job | {"kind": "apart", "copies": 2, "words_per_second": 3.75e6},
    ]
    settings = {"text": {"name": "a text", "words": 1000}, "questions": {"analogies": "built-in", "similarity": []}}
    report = scaling.report(RECORD | {"settings": settings, "runs": runs})
    assert cells(report, "| skip-gram |      1 |       2")[3:8] == ["3.000", "1.50", "3.750", "0.80", "20.0"]


def nodes_record():
    job = trainers.Job("parw2v").settings | {"vocabulary": 6400, "raw_words": 1_000_000, "checkpoints": 1}
    runs = [
        job | {"nodes": 0, "workers": 2, "words_per_second": 4e6, "analogies_total": 0.3, "sent_bytes": 10},
        job | {"nodes": 1, "workers": 2, "words_per_second": 3.8e6, "analogies_total": 0.31, "sent_bytes": 14e6},
        job | {"nodes": 2, "words_per_second": 3.4e6, "analogies_total": 0.3, "sent_bytes": 40e6},
        job | {"nodes": 2, "words_per_second": 3.6e6, "analogies_total": 0.32, "sent_bytes": 42e6, "seed": 2},
    ]
    runs[-1]["mid_run_words_per_second"] = 3.7e6
    settings = {"text": {"name": "a text", "words": 1000}, "questions": {"analogies": "built-in", "similarity": []}}
    return RECORD | {"settings": settings | {"dim": 100, "ray": "2.60.0"}, "runs": runs}


def test_nodes_report_has_both_ratios_and_what_was_sent():
    report = nodes.report(nodes_record())
    assert cells(report, "| skip-gram |      1 | no Ray, 2 workers")[3:] == [
        "4.000",
        "-",
        "1.00",
        "1.05",
        "30.0",
        "-",
        "-",
    ]
    two = cells(report, "| skip-gram |      1 | Ray, 2 nodes of 1 worker")
    assert two[3:9] == ["3.500", "3.700", "0.85", "0.89", "31.0 ± 1.4", "41.0"]


def test_speeds_of_nodes_are_compared_within_a_round():
    def runs(*speeds):
        return [{"seed": seed, "words_per_second": speed} for seed, speed in speeds]

    whole = runs((1, 4.0), (2, 5.0), (1, 2.0))
    assert nodes.paired_ratio(runs((1, 3.0), (2, 4.0), (1, 1.8)), whole) == 0.8  # of 0.75, 0.8 and 0.9
    assert nodes.paired_ratio(runs((1, 3.0), (3, 9.0)), whole) == 0.75
    assert nodes.paired_ratio(runs((3, 9.0)), whole) is None


def test_speed_in_mid_run_is_without_the_first_epochs_and_the_last():
    log, seconds = [{"event": "start"}], 0
    for epoch, took in enumerate([9, 5, 4, 2, 7], start=1):
        seconds += took
        log += [
            {"event": "progress", "words": 60 * epoch, "words_per_second": 60 * epoch / seconds},
            {"event": "epoch"},
        ]
    assert nodes.mid_run_speed(log) == pytest.approx(120 / 6)
    assert nodes.mid_run_speed(log[:7]) is None


def test_nodes_send_what_arithmetic_says():
    """6,400 words: one round tells a mean of all; start, checkpoint and end send both matrices once each."""
    run = nodes_record()["runs"][2] | {"raw_words": SYNC_WORDS_OF_TWO}
    matrices = 2 * 6400 * 100 * 4
    assert nodes.expected_bytes(run | {"nodes": 1}, 100) == 3 * matrices
    told = nodes.mean_told_bytes(6400, 100, 2) + 2 * matrices / 2  # in 16 bits a number
    assert nodes.expected_bytes(run, 100) == pytest.approx(2 * told + 4 * matrices)


def test_pictures_of_nodes(tmp_path):
    import figures

    record = nodes_record()
    path = figures.save(figures.draw_nodes(record), record, tmp_path / "nodes.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_pictures_of_peers(tmp_path):
    import figures

    record = peers_record()
    path = figures.save(figures.draw_peers(record), record, tmp_path / "peers.png")
    assert path.read_bytes().startswith(b"\x89PNG")


# ------------------------------------------------------------------------------------------------ from command to files


def test_endurance_has_tenths_and_a_slope():
    samples = [{"seconds": 36.0 * i, "x": 5.0 + i} for i in range(100)]
    found = endurance.summary(samples, "x")
    assert (found["start"], found["middle"], found["end"]) == (9.5, 54.5, 99.5)
    assert found["slope"] == pytest.approx(100)
    assert endurance.summary(samples[:2], "x")["end"] == 5.5


def test_endurance_overlooks_a_moment():
    samples = [{"seconds": float(i), "x": 18.0 + (i in (0, 19))} for i in range(20)]
    found = endurance.summary(samples, "x")
    assert found["start"] == found["middle"] == found["end"] == 18


def test_endurance_sees_a_slow_leak():
    samples = [{"seconds": float(i), "x": 18.0 + i // 10} for i in range(20)]
    found = endurance.summary(samples, "x")
    assert found["end"] > found["start"]


def test_endurance_counts_what_stays_open(tmp_path):
    before = endurance.open_files(os.getpid())
    with (tmp_path / "log.jsonl").open("w"), tempfile.NamedTemporaryFile(dir=tmp_path, suffix=".tmp"):
        found = endurance.open_files(os.getpid())
    assert sorted(found) == sorted([*before, str(tmp_path / "log.jsonl")])


@pytest.mark.slow
@pytest.mark.usefixtures("one_code_path")
def test_endurance_runs(python, tmp_path, small_text):
    flags = ("--corpus", small_text, "--min_count", "2", "--dim", "8", "--results", tmp_path, "--workers", "1")
    times = ("--minutes", "0.15", "--every", "2.5", "--settle", "0", "--sample_every", "0.2", "--slack", "1")
    done = python.run(BENCHMARKS / "endurance.py", *flags, *times)
    assert done.returncode == 0, done.stderr
    [run] = json.loads((tmp_path / "endurance.json").read_text())["runs"]
    assert run["kills"] == run["replaced"] > 0
    assert (run["exit"], run["left"], run["grown"]) == (130, [], [])
    assert (tmp_path / "endurance.png").stat().st_size > 10_000


@pytest.fixture
def one_code_path(monkeypatch):
    """Spares every training the search for OpenBLAS' fastest code path."""
    if path := blas_path():
        monkeypatch.setenv("OPENBLAS_CORETYPE", path)


def run_benchmark(python, tmp_path, script, *flags):
    done = python.run(BENCHMARKS / script, "--quick", "--results", tmp_path / "out", *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("one_code_path")
def test_scaling_runs(python, tmp_path, small_text):
    said = run_benchmark(
        python, tmp_path, "scaling.py", "--corpus", small_text, "--models", "skipgram", "--workers", 1, 2
    )
    record = json.loads((tmp_path / "out" / "scaling.json").read_text())
    assert [(run["kind"], run.get("copies")) for run in record["runs"]] == [
        ("together", None),
        ("together", None),
        ("apart", 2),
    ]
    assert all(run["words_per_second"] > 0 for run in record["runs"])
    assert (tmp_path / "out" / "scaling.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out" / "scaling.md").read_text().strip() in said


def test_nodes_runs(tmp_path, small_text):
    pytest.importorskip("ray")
    flags = ["--corpus", small_text, "--quick", "--results", tmp_path / "out"]
    command = [sys.executable, Path(nodes.__file__), *flags]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, check=True)
    record = json.loads((tmp_path / "out" / "nodes.json").read_text())
    assert [(run["nodes"], run["workers"]) for run in record["runs"]][-1] == (2, 1)
    assert all(run["words_per_second"] > 0 for run in record["runs"])
    assert record["runs"][-1]["sent_bytes"] > 0
    assert (tmp_path / "out" / "nodes.png").exists()
    assert "Ray, 2 nodes of 1 worker" in done.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("one_code_path")
def test_quality_runs_and_flags_divergence(python, tmp_path, small_text):
    flags = ["--corpus", small_text, "--models", "skipgram", "--workers", 1, "--grid", "lr=5000"]
    said = run_benchmark(python, tmp_path, "quality.py", *flags)
    record = json.loads((tmp_path / "out" / "quality.json").read_text())
    assert [(run["setting"], run["diverged"]) for run in record["runs"]] == [("default", False), ("lr 5000", True)]
    assert "lr 5000, seed 1, parw2v: DIVERGED" in said
    assert (tmp_path / "out" / "quality.png").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("one_code_path")
def test_roofline_runs(python, tmp_path, small_text):
    run_benchmark(python, tmp_path, "roofline.py", "--corpus", small_text, "--models", "skipgram")
    record = json.loads((tmp_path / "out" / "roofline.json").read_text())
    kinds = {run["kind"]: run for run in record["runs"]}
    assert set(kinds) == {"peak", "plain", "timed", "counted"}
    assert {part.split(":")[0] for part in kinds["timed"]["parts"]} >= {"gather", "scatter", "product", "elementwise"}
    assert kinds["counted"]["product_flops"] > kinds["plain"]["useful_flops"]
    assert (tmp_path / "out" / "roofline.png").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("one_code_path")
def test_parts_run(python, tmp_path):
    storage = f"--benchmark-storage={tmp_path / 'storage'}"
    run_benchmark(python, tmp_path, "bench_parts.py", "-k", "step or gather", storage)
    record = json.loads((tmp_path / "out" / "parts.json").read_text())
    parts = ["gather 1500 rows", "step of 336 words[skipgram]", "step of 336 words[cbow]"]
    assert [run["part"] for run in record["runs"]] == parts
    assert len(list((tmp_path / "storage").rglob("*.json"))) == 1


@pytest.mark.slow
def test_ask_runs(python, tmp_path):
    run_benchmark(python, tmp_path, "ask.py")
    [run] = json.loads((tmp_path / "out" / "ask.json").read_text())["runs"]
    assert set(run) == {"many", "one", "unknown"}
    assert "500 at once" in (tmp_path / "out" / "ask.md").read_text()


def test_peers_without_any(python, tmp_path):
    done = python.run(BENCHMARKS / "peers.py", "--peer_python", sys.executable, "--peers")
    assert done.returncode == 1
    assert "nobody to compare with" in done.stderr
