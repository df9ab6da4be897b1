"""The command line as a user has it: what is printed where, what is left on disk, and what a signal does."""

import gzip
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib

import numpy as np
import pytest
from conftest import ROOT, children, runs, segments_of, tracker_of, until, workers_of

from parw2v import Word2Vec
from parw2v.commands import main
from parw2v.version import __version__

QUICK = ("--min_count", "2", "--dim", "8", "--workers", "1")
ENDLESS = ("--epochs", "100000")

WORKERS_GONE = 2
"""Seconds after the death of the coordinator."""


def strict_json(line):
    """RFC 8259: no NaN, no Infinity."""
    return json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def records(path, event=None):
    """Whole lines of a log, of one kind if that is asked for."""
    if not path.exists():
        return []
    lines = [strict_json(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [record for record in lines if event in (None, record["event"])]


def questions(path):
    path.write_text(": some\nking queen man woman\nking queen he she\n")
    return path


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.jsonl"


# ---------------------------------------------------------------------------------------------- a plain run


@pytest.mark.parametrize(
    "start",
    [
        [str(ROOT / "cli.py"), "train"],
        [str(ROOT / "cli.py")],
        ["-m", "parw2v", "train"],
        ["-m", "parw2v"],
    ],
    ids=["cli.py train", "cli.py", "-m parw2v train", "-m parw2v"],
)
def test_each_way_to_start(python, tmp_path, small_text, start):
    done = python.run(*start, "--corpus", small_text, "--epochs=1", *QUICK)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "vectors: results/model.npz" in done.stderr
    assert Word2Vec.load(tmp_path / "results" / "model").embed_dim == 8
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["model.npz", "model.toml"]


def test_version_and_help(python):
    assert python.cli("--version").stdout == f"parw2v {__version__}\n"
    assert "--max_restarts" in python.cli("--help", "train").stdout + python.cli("train", "--help").stdout
    assert python.cli().returncode == 0


def test_the_classic_form(python, log):
    done = python.cli("--corpus", "sample", "--epochs", "3", "--dim", "20", "--evaluate", "--log_json", log)
    assert done.returncode == 0, done.stderr
    assert "Analogies" in done.stdout
    assert "Nearest neighbours" in done.stdout
    for part in ("Analogies", "Nearest"):
        assert part not in done.stderr
    assert "epoch 3/3: loss" in done.stderr
    assert "epoch" not in done.stdout
    evaluations = records(log, "evaluation")
    assert [record["epoch"] for record in evaluations] == [0, 1]  # the third is the report's
    assert all(0 <= record["analogies"] <= 1 for record in evaluations)
    assert "NaN" not in log.read_text()


def test_the_log_tells_all_of_a_run(python, tmp_path, small_text, log):
    flags = ("--corpus", small_text, "--epochs", "3", "--out", "there/m", "--log-json", log, "--checkpoint_every", "0")
    done = python.cli(*flags, *QUICK)
    assert done.returncode == 0, done.stderr
    events = [record["event"] for record in records(log)]
    assert events[0] == "start"
    assert events[-1] == "done"
    assert set(events) == {"start", "progress", "epoch", "checkpoint", "done"}
    end = records(log)[-1]
    [start] = records(log, "start")
    assert end["raw_words"] == start["corpus_words"] * 3
    assert 0 < end["kept_words"] < end["raw_words"]
    assert 0 < end["prep_seconds"] < 60
    assert end["train_seconds"] > 0
    assert end["words_per_second"] == pytest.approx(end["raw_words"] / end["train_seconds"], rel=0.02)
    assert end["peak_memory_mb"] > 10
    assert end["model"] == "there/m.npz"
    settings = end["settings"]
    assert settings == start["settings"]
    assert settings["corpus"] == str(small_text)
    assert (settings["epochs"], settings["dim"], settings["workers"], settings["lr"]) == (3, 8, 1, 0.025)
    assert [record["epoch"] for record in records(log, "epoch")] == [0, 1, 2]
    points = records(log, "progress")
    assert [point["words"] for point in points] == sorted({point["words"] for point in points})
    assert points[-1]["words"] == end["raw_words"]
    assert points[-1]["loss"] == pytest.approx(end["loss"], abs=1e-5)
    assert points[0]["loss"] == pytest.approx(6 * math.log(2), rel=0.05)
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["m.npz", "m.toml"]


def test_the_same_seed_gives_the_same_file(python, tmp_path, small_text):
    for out in ("a", "b", "c"):
        seed = ("--seed", "7") if out == "c" else ()
        python.cli("--corpus", small_text, "--epochs", "1", "--out", out, *QUICK, *seed)
    a, b, c = ((tmp_path / f"{out}.npz").read_bytes() for out in "abc")
    assert a == b
    assert a != c


def test_quiet_prints_nothing(python, small_text):
    done = python.cli("--corpus", small_text, "--epochs", "1", "--quiet", *QUICK)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_quiet_prints_the_report_that_was_asked_for(python, small_text):
    done = python.cli("--corpus", small_text, "--epochs", "2", "--quiet", "--evaluate", *QUICK)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Analogies" in done.stdout


def test_compressed_text_and_standard_input_are_the_same_text(python, tmp_path, small_text):
    packed = tmp_path / "small.txt.gz"
    packed.write_bytes(gzip.compress(small_text.read_bytes()))
    flags = ("--epochs", "1", "--quiet", *QUICK)
    for out, corpus, text in (("a", small_text, None), ("b", packed, None), ("c", "-", small_text.read_text())):
        done = python.cli("--corpus", corpus, "--out", out, *flags, input=text)
        assert done.returncode == 0, done.stderr
    a, b, c = ((tmp_path / f"{out}.npz").read_bytes() for out in "abc")
    assert a == b == c


def test_several_files_and_patterns_are_one_text(python, tmp_path, small_text, log):
    lines = small_text.read_bytes().splitlines(keepends=True)
    parts = tmp_path / "parts"
    parts.mkdir()
    for i, start in enumerate(range(0, 3000, 1000)):
        part = b"".join(lines[start : start + 1000]).rstrip(b"\n")  # a file ends a sentence
        (parts / f"{i}.gz").write_bytes(gzip.compress(part)) if i % 2 else (parts / f"{i}.txt").write_bytes(part)
    flags = ("--epochs", "1", "--quiet", *QUICK)
    for out, corpus in (("a", [small_text]), ("b", [parts / "0.txt", parts / "[12].*"]), ("c", [parts / "*"])):
        done = python.cli("--corpus", *corpus, "--out", out, "--log_json", log, *flags)
        assert done.returncode == 0, done.stderr
        said = records(log, "start")[0]["settings"]["corpus"]
        assert said == (list(map(str, corpus)) if len(corpus) > 1 else str(corpus[0]))
    a, b, c = ((tmp_path / f"{out}.npz").read_bytes() for out in "abc")
    assert a == b == c


def test_max_tokens_reads_so_many_words(python, small_text, log):
    done = python.cli("--corpus", small_text, "--max-tokens", "5000", "--min_count=1", "--dim=4", "--log_json", log)
    assert done.returncode == 0
    assert records(log, "start")[0]["corpus_words"] == 5000
    assert "read 5,000 words" in done.stderr


def test_question_files_are_used(python, tmp_path, small_text, log):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("king\tqueen\t9\nking\tman\t5\nman\twoman\t8\nking\the\t1\nqueen\tshe\t2\n")
    given = ("--analogies", questions(tmp_path / "q.txt"), "--similarity", pairs)
    done = python.cli("--corpus", small_text, "--epochs", "2", "--log_json", log, *given, *QUICK)
    assert done.returncode == 0, done.stderr
    assert "some" in done.stdout
    assert "pairs" in done.stdout
    [evaluation] = records(log, "evaluation")
    assert evaluation["analogies"] is not None
    assert list(evaluation["similarity"]) == ["pairs.tsv"]
    assert records(log)[-1]["analogies"]


@pytest.mark.slow
def test_plot_draws_beside_the_model(python, tmp_path, small_text):
    done = python.cli("--corpus", small_text, "--epochs", "1", "--out", "pics/m", "--plot", *QUICK)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "pics").iterdir()) == [
        "loss_curve.png",
        "m.npz",
        "m.toml",
        "tsne.png",
    ]
    assert "picture: pics/tsne.png" in done.stderr


def test_output_that_nobody_reads_is_no_traceback(python, small_text):
    process = python.start_cli("--corpus", small_text, "--epochs", "1", "--evaluate", "--quiet", *QUICK)
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) in (2, -signal.SIGPIPE)
    assert error == ""


@pytest.mark.parametrize(("closed", "status"), [("<&-", 0), (">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0)])
def test_closed_streams_are_no_traceback(tmp_path, small_text, closed, status):
    command = [sys.executable, "-m", "parw2v", "--corpus", str(small_text), "--epochs", "1", "--evaluate", *QUICK]
    done = subprocess.run(["sh", "-c", f'"$0" "$@" {closed}', *command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert Word2Vec.load(tmp_path / "results" / "model")
    assert ("Analogies" in done.stdout) == (" >&-" not in f" {closed}")


def test_standard_input_that_is_closed_holds_no_words(tmp_path):
    command = [sys.executable, "-m", "parw2v", "--corpus", "-", "--quiet"]
    fails(
        subprocess.run(["sh", "-c", '"$0" "$@" <&-', *command], cwd=tmp_path, capture_output=True, text=True),
        "no words",
    )


def test_a_limit_on_memory_is_one_line(tmp_path):
    """A gigabyte may be used, and each of the two matrices would take one."""
    (tmp_path / "many.txt").write_text("".join(f"word{i}\n" for i in range(50_000)))
    flags = ["--corpus", "many.txt", "--min_count", "1", "--dim", "5000", "--quiet"]
    command = ["sh", "-c", 'ulimit -v 1000000 && exec "$0" "$@"', sys.executable, "-m", "parw2v", *flags]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    fails(
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment), "memory", "lower --dim"
    )


def test_an_odd_file_name_can_be_logged(python, tmp_path, small_text, log):
    odd = os.fsencode(tmp_path) + b"/\xff\xc3\xa4.txt"
    shutil.copy(small_text, odd)
    done = python.cli("--corpus", os.fsdecode(odd), "--epochs", "1", "--log_json", log, *QUICK)
    assert done.returncode == 0, done.stderr
    assert records(log)[-1]["settings"]["corpus"] == os.fsdecode(odd)


# ---------------------------------------------------------------------------------------------- settings from a file


def test_a_run_can_be_repeated_from_the_settings_it_leaves(python, tmp_path, small_text):
    odd = tmp_path / 'o\'d "d" \\ \n.txt'
    small_text.rename(odd)
    (tmp_path / "mine.toml").write_text('min-count = 2\ndim = 8\nworkers = 1\nepochs = 9\nmodel = "cbow"\n')
    done = python.cli("--config", "mine.toml", "--corpus", odd, "--epochs", "1", "--out", "o/a", "--window=3")
    assert done.returncode == 0, done.stderr
    first = (tmp_path / "o" / "a.npz").read_bytes()
    settings = tomllib.loads((tmp_path / "o" / "a.toml").read_text())
    assert (settings["corpus"], settings["epochs"], settings["lr"], settings["window"]) == (str(odd), 1, 0.05, 3)
    assert not {"config", "resume", "command"} & settings.keys()
    done = python.cli("--config", "o/a.toml", "--out", "o/b")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o" / "b.npz").read_bytes() == first
    (tmp_path / "o" / "a.npz").unlink()
    assert python.cli("train", "--config=o/a.toml", "--quiet").returncode == 0
    assert (tmp_path / "o" / "a.npz").read_bytes() == first


def test_somebodys_own_file_is_not_written_over(python, tmp_path, small_text):
    (tmp_path / "m.toml").write_text("min-count = 2\ndim = 8\nworkers = 1\nepochs = 1\n")
    done = python.cli("--config", "m.toml", "--corpus", small_text, "--out", "m")
    assert done.returncode == 0, done.stderr
    assert "settings are not written: m.toml is not a run's" in done.stderr
    assert (tmp_path / "m.toml").read_text().startswith("min-count")


# ---------------------------------------------------------------------------------------------- further training


@pytest.fixture
def trained(tmp_path, monkeypatch, small_text):
    """Flags of a run of one epoch whose model is old.npz."""
    monkeypatch.chdir(tmp_path)
    assert main(["--corpus", str(small_text), "--epochs", "1", "--out", "old", "--quiet", *QUICK]) == 0
    return ["--corpus", str(small_text), *QUICK]


def test_init_starts_from_the_vectors_of_another_vocabulary(tmp_path, capfd, trained):
    flags = [*trained, "--min_count", "9", "--epochs", "1", "--lr", "1e-30", "--lr_min", "0"]
    assert main([*flags, "--init", "old.npz", "--out", "new"]) == 0
    err = capfd.readouterr().err
    old, new = Word2Vec.load("old"), Word2Vec.load("new")
    assert 2 < len(new) < len(old)
    assert f"{len(new):,} of {len(new):,} words start from old.npz" in err
    assert "the learning rate falls from 1e-30 to 0" in err
    assert all(np.allclose(new[word], old[word], atol=1e-25) for word in new.vocab.words)


def test_update_takes_in_a_new_text(tmp_path, capfd, trained):
    (tmp_path / "new.txt").write_text("the neoking met a queen\n" * 20 + "someone rare came\n")
    flags = ["--update", "old", "--corpus", "new.txt", "--epochs", "2", "--workers", "1", "--out", "new"]
    assert main([*flags, "--min-count", "2"]) == 0
    err = capfd.readouterr().err
    old, new = Word2Vec.load("old"), Word2Vec.load("new")
    added = set(new.vocab.words) - set(old.vocab.words)
    assert added >= {"neoking"}
    assert "rare" in old or "rare" not in new
    assert set(old.vocab.words) <= set(new.vocab.words)
    assert new.embed_dim == 8
    assert f"{len(old):,} words start from old (skipgram, 8 dimensions, 5 negatives), {len(added):,} are new" in err
    assert "the learning rate falls from 0.025 to 0.0001" in err
    counts = {word: int(old.vocab.counts[i]) for word, i in old.vocab.index.items()}
    assert int(new.vocab.counts[new.vocab.index["queen"]]) == counts["queen"] + 20
    assert not np.array_equal(new["queen"], old["queen"])
    settings = tomllib.loads((tmp_path / "new.toml").read_text())
    assert (settings["dim"], settings["update"]) == (8, "old")
    first = (tmp_path / "new.npz").read_bytes()
    assert main(["--config", "new.toml", "--quiet"]) == 0
    assert (tmp_path / "new.npz").read_bytes() == first


def test_a_finished_run_goes_on_to_more_epochs(tmp_path, capfd, trained):
    flags = [*trained, "--out", "m", "--lr", "0.01", "--lr_min", "0.01", "--log_json", "log"]
    assert main([*flags, "--epochs", "3", "--out", "long", "--quiet"]) == 0
    assert main([*flags, "--epochs", "1", "--quiet"]) == 0
    capfd.readouterr()
    assert main([*flags, "--epochs", "3", "--resume"]) == 0
    err = capfd.readouterr().err
    assert "3 epochs instead of 1: the learning rate goes on at 0.01, as if it had been 3 from the start" in err
    assert "no checkpoint" not in err
    assert "epoch 2/3" in err
    m, long = Word2Vec.load("m"), Word2Vec.load("long")  # the first epoch's result was brought into its symmetric form
    assert m.settings == long.settings
    assert not np.array_equal(m.W_in, long.W_in)
    np.testing.assert_allclose(m.W_in @ m.W_out.T, long.W_in @ long.W_out.T, atol=0.1)
    end = records(tmp_path / "log", "done")[-1]
    assert end["words_per_second"] == pytest.approx(end["raw_words"] * 2 / 3 / end["train_seconds"], rel=0.02)
    assert not (tmp_path / "m-checkpoints").exists()


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--init", "missing"], "missing.npz: there is no such file"),
        (["--init", "old", "--dim", "9"], "old: has 8 dimensions, --dim is 9; give --dim 8"),
        (["--init", "old", "--update", "old"], "--init and --update contradict"),
        (["--update", "old", "--dim", "9"], "--dim is 9, but old has 8"),
        (["--update", "old", "--model", "cbow"], "--model is cbow, but old has skipgram"),
        (["--update", "small.txt"], "small.txt"),
        (["--resume", "--out", "old"], "has had its 1 epochs; give more --epochs"),
        (["--resume", "--out", "old", "--epochs", "3", "--seed", "8"], "seed 42, this run has 8"),
        (["--resume", "--out", "old", "--epochs", "3", "--min_count", "3"], "min_count 2, this run has 3"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_further_training_that_cannot_be_is_one_line(tmp_path, capfd, trained, flags, named):
    before = (tmp_path / "old.npz").read_bytes()
    capfd.readouterr()
    epochs = [] if "--epochs" in flags else ["--epochs", "1"]
    out = [] if "--out" in flags else ["--out", "new"]
    status = main([*trained, *epochs, *out, "--quiet", *flags])
    fails(subprocess.CompletedProcess(flags, status, *capfd.readouterr()), named)
    assert (tmp_path / "old.npz").read_bytes() == before
    assert not (tmp_path / "new.npz").exists()


# ---------------------------------------------------------------------------------------------- mistakes


def fails(done, *named, lines=1):
    """Exit 2 with one line on standard error and nothing on standard output."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == lines, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("parw2v: error: ")
    for text in named:
        assert text in last
    return last


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--corpus", "missing.txt"], "missing.txt: cannot be read (No such file"),
        (["--corpus", "."], "is a directory"),
        (["--corpus", "rare.txt", "miss*.txt"], "miss*.txt: no file matches this pattern"),
        (["--corpus", "rare.txt", "missing.txt"], "missing.txt: cannot be read (No such file"),
        (["--corpus", "rare.txt", "one.txt", "empty.txt", "--vocab", "missing"], "missing: cannot be read"),
        (["--corpus", "empty.txt", "empty.txt"], "empty.txt and 1 more: holds no words"),
        (["--corpus", "empty.txt"], "holds no words"),
        (["--corpus", "empty.txt.gz"], "empty.txt.gz"),
        (["--corpus", "plain.gz"], "plain.gz"),
        (["--corpus", "rare.txt"], "only 0 of 3 distinct words occur at least 5 times"),
        (["--corpus", "one.txt"], "only 1 of 1 distinct words"),
        (["--corpus", "sample", "--dim", "0"], "--dim"),
        (["--corpus", "sample", "--dim", "1000000"], "--dim"),
        (["--corpus", "sample", "--neg", "0"], "--neg"),
        (["--corpus", "sample", "--lr", "-1"], "lr is -1"),
        (["--corpus", "sample", "--lr", "nan"], "lr is nan"),
        (["--corpus", "sample", "--lr", "0"], "lr is 0"),
        (["--corpus", "sample", "--workers", "0"], "workers is 0"),
        (["--corpus", "sample", "--batch_size", "0"], "batch_size is 0"),
        (["--corpus", "sample", "--epochs", "0"], "epochs is 0"),
        (["--corpus", "sample", "--min_count", "0"], "min_count is 0"),
        (["--corpus", "sample", "--max_tokens", "-5"], "max_tokens is -5"),
        (["--corpus", "sample", "--max_tokens", "0"], "max_tokens is 0"),
        (["--corpus", "sample", "--out", "empty.txt/model"], "empty.txt"),
        (["--corpus", "sample", "--out", "/proc/nowhere/model"], "/proc/nowhere"),
        (["--corpus", "sample", "--out", "folder"], "folder.npz: is a directory"),
        (["--corpus", "sample", "--log_json", "empty.txt/log"], "check --log_json"),
        (["--corpus", "sample", "--log_json", "/dev/full"], "/dev/full"),
        (["--corpus", "sample", "--analogies", "missing.txt"], "missing.txt"),
        (["--corpus", "sample", "--similarity", "missing.txt"], "missing.txt"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, capfd, flags, named):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").touch()
    (tmp_path / "empty.txt.gz").touch()
    (tmp_path / "plain.gz").write_text("no gzip here\n")
    (tmp_path / "rare.txt").write_text("a b c\n")
    (tmp_path / "one.txt").write_text("word " * 100)
    (tmp_path / "folder.npz").mkdir()
    before = sorted(path.name for path in tmp_path.rglob("*"))
    out = [] if "--out" in flags else ["--out", "model"]
    status = main([*flags, *out, "--quiet"])
    fails(subprocess.CompletedProcess(flags, status, *capfd.readouterr()), named)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_mistake_in_a_flag_exits_like_the_others(python):
    fails(python.cli("--corpus", "sample", "--dim", "many"), "--dim")
    fails(python.cli("--corpus", "sample", "--dim", "0"), "--dim")


def test_a_full_standard_output_is_one_line(python, small_text):
    with open("/dev/full", "w") as full:
        process = python.start_cli("--corpus", small_text, "--epochs=1", "--evaluate", "--quiet", *QUICK, stdout=full)
        done = python.finish(process)
    assert done.returncode == 2
    assert done.stderr.startswith("parw2v: error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("objective", ["skipgram", "cbow"])
def test_an_absurd_rate_ends_in_one_line_and_spares_an_older_model(python, tmp_path, small_text, objective):
    (tmp_path / "model.npz").write_bytes(b"precious")
    flags = ("--corpus", small_text, "--lr", "1000", "--model", objective, "--out", "model", "--quiet", *QUICK)
    fails(python.cli(*flags), "training diverged", "lower --lr, which is 1000")
    assert (tmp_path / "model.npz").read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.npz", "small.txt"]


def test_a_second_run_with_the_same_out_is_refused(python, tmp_path, small_text, log):
    process = python.start_cli("--corpus", small_text, "--log_json", log, *ENDLESS, *QUICK)
    until(lambda: records(log, "epoch"))
    fails(python.cli("--corpus", small_text, "--log_json", tmp_path / "other", *QUICK), "another run is writing")
    assert not (tmp_path / "other").exists()
    other = python.cli("--corpus", small_text, "--out", "results/other", "--epochs=1", "--quiet", *QUICK)
    assert other.returncode == 0  # and the sweep left the first run's things alone
    assert runs(process.pid)
    process.send_signal(signal.SIGINT)
    assert python.finish(process).returncode == 130


def test_a_small_shm_is_one_line_before_training(python, tmp_path, small_text):
    mount = "mount -t tmpfs -o size=2m tmpfs /dev/shm"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("no mount namespace here")
    command = ["-m", "parw2v", "--corpus", str(small_text), "--dim", "500", "--min_count", "2", "--quiet"]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{mount} && exec "$0" "$@"', sys.executable, *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    fails(done, "MB of shared memory, 2 MB are free", "--shm-size")
    assert not (tmp_path / "results" / "model.npz").exists()


# ---------------------------------------------------------------------------------------------- stop and resume


def stop(python, process, number=signal.SIGINT):
    process.send_signal(number)
    done = python.finish(process)
    assert done.returncode == 130, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize(("objective", "number"), [("skipgram", signal.SIGINT), ("cbow", signal.SIGTERM)])
def test_a_run_cut_by_a_signal_gives_the_same_bits(python, tmp_path, small_text, log, objective, number):
    flags = ("--corpus", small_text, "--epochs", "60", "--model", objective, "--log_every", "1", *QUICK)
    whole_log = tmp_path / "whole.jsonl"
    assert python.cli(*flags, "--out", "whole", "--log_json", whole_log).returncode == 0
    process = python.start_cli(*flags, "--out", "cut", "--log_json", log)
    until(lambda: len(records(log, "progress")) > 10)
    done = stop(python, process, number)
    assert "stopping after a checkpoint" in done.stderr
    assert re.search(r"stopped after [\d,]+ words; continue with --resume \(cut-checkpoints\)", done.stderr)
    assert not (tmp_path / "cut.npz").exists()
    [stopped] = records(log, "stopped")
    saved = records(log, "checkpoint")
    assert saved[-1]["words"] == stopped["words"] == records(log, "progress")[-1]["words"]
    assert Word2Vec.load(tmp_path / saved[-1]["path"]).objective == objective

    done = python.cli(*flags, "--out", "cut", "--log_json", log, "--resume")
    assert done.returncode == 0, done.stderr
    assert f"from word {stopped['words']:,} on" in done.stderr
    assert not (tmp_path / "cut-checkpoints").exists()
    whole, cut = (np.load(tmp_path / f"{name}.npz") for name in ("whole", "cut"))
    assert np.array_equal(whole["W_in"], cut["W_in"])
    assert np.array_equal(whole["W_out"], cut["W_out"])

    def history(path):
        return [(r["words"], r["loss"], r["lr"], r["epoch"]) for r in records(path, "progress")]

    assert history(log) == history(whole_log)
    totals = [
        {k: r[k] for k in ("raw_words", "kept_words", "loss")} for r in (*records(log, "done"), records(whole_log)[-1])
    ]
    assert totals[0] == totals[1]


def test_two_workers_account_for_every_word_after_a_stop(python, small_text, log):
    flags = ("--corpus", small_text, "--epochs", "60", *QUICK, "--workers", "2", "--log_json", log)
    process = python.start_cli(*flags)
    until(lambda: len(records(log, "epoch")) > 1)
    stop(python, process)
    assert python.cli(*flags, "--resume").returncode == 0
    start, end = records(log, "start")[0], records(log)[-1]
    assert end["raw_words"] == start["corpus_words"] * 60


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_stops_at_once(python, tmp_path, small_text, log, first):
    """The workers are stopped, so the first signal's checkpoint would never come."""
    process = python.start_cli("--corpus", small_text, "--log_json", log, *ENDLESS, *QUICK, "--workers", "2")
    until(lambda: records(log, "epoch"))
    for pid in workers_of(process.pid):
        os.kill(pid, signal.SIGSTOP)
    process.send_signal(first)
    until(lambda: "stopping after a checkpoint" in process.stderr.readline())
    assert runs(process.pid)
    for _ in range(3):  # impatient
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=5)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "parw2v: interrupted"
    assert "Traceback" not in err
    assert not (tmp_path / "results" / "model.npz").exists()


def test_two_signals_in_a_row_leave_nothing_either(python, small_text, log):
    process = python.start_cli("--corpus", small_text, "--log_json", log, *ENDLESS, *QUICK, "--workers", "2")
    until(lambda: records(log, "epoch"))
    process.send_signal(signal.SIGINT)
    stop(python, process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_reading_leaves_nothing(python, tmp_path, number):
    process = python.start_cli("--corpus", "-", stdin=subprocess.PIPE)
    until(lambda: list(tmp_path.glob("results/.parw2v-*/provisional-0.i32")))
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (130, "", "parw2v: interrupted\n")
    assert list((tmp_path / "results").iterdir()) == []


def test_resume_without_a_checkpoint_starts_and_says_so(python, small_text):
    done = python.cli("--corpus", small_text, "--epochs", "1", "--resume", *QUICK)
    assert done.returncode == 0
    assert "no checkpoint in results/model-checkpoints: starting from the beginning" in done.stderr


@pytest.fixture
def stopped(python, small_text, log):
    """Flags of a run that was stopped after some words."""
    flags = ("--corpus", small_text, *ENDLESS, *QUICK, "--checkpoint_every", "0.05", "--log_json", log)
    process = python.start_cli(*flags)
    until(lambda: len(records(log, "checkpoint")) > 2)
    stop(python, process)
    return flags


def test_resume_with_other_settings_names_the_difference(python, tmp_path, stopped):
    fails(python.cli(*stopped, "--resume", "--quiet", "--seed", "8"), "seed 42, this run has 8")
    fails(python.cli(*stopped, "--resume", "--quiet", "--dim", "9"), "dim 8, this run has 9")
    fails(python.cli(*stopped, "--resume", "--quiet", "--min_count", "3"), "was trained with", "another --out")
    with (tmp_path / "small.txt").open("a") as text:
        text.write("and one more line of it\n")
    fails(python.cli(*stopped, "--resume", "--quiet"), "corpus")
    assert list((tmp_path / "results" / "model-checkpoints").iterdir())


def test_resume_with_damaged_checkpoints(python, tmp_path, stopped, log):
    older, newest = sorted((tmp_path / "results" / "model-checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-1000])
    words = records(log, "checkpoint")[-2]["words"]
    process = python.start_cli(*stopped, "--resume")
    lines = [process.stderr.readline() for _ in range(3)]
    stop(python, process)
    assert any(
        line.startswith(f"parw2v: warning: checkpoint passed over: {newest.relative_to(tmp_path)}") for line in lines
    )
    assert any(f"from word {words:,} on" in line for line in lines)
    for path in (tmp_path / "results" / "model-checkpoints").iterdir():
        path.write_bytes(b"rubbish")
    fails(python.cli(*stopped, "--resume", "--quiet"), "no checkpoint is whole", "remove the directory")
    assert older.parent.exists()


# ---------------------------------------------------------------------------------------------- violent ends


def test_killed_workers_are_replaced(python, small_text, log):
    process = python.start_cli("--corpus", small_text, "--epochs", "40", *QUICK, "--workers", "2", "--log_json", log)
    until(lambda: records(log, "progress"))
    victim = workers_of(process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    done = python.finish(process)
    assert done.returncode == 0, done.stderr
    [replaced] = records(log, "worker_replaced")
    assert (replaced["pid"], "SIGKILL" in replaced["cause"]) == (victim, True)
    assert f"(pid {victim}) was killed by signal 9" in done.stderr
    assert records(log)[-1]["raw_words"] == records(log, "start")[0]["corpus_words"] * 40


def test_too_many_deaths_are_one_line(python, small_text, log):
    flags = ("--corpus", small_text, *ENDLESS, *QUICK, "--max_restarts", "0", "--quiet", "--log_json", log)
    process = python.start_cli(*flags)
    until(lambda: records(log, "epoch"))
    [victim] = workers_of(process.pid)
    os.kill(victim, signal.SIGKILL)
    out, err = process.communicate(timeout=5)
    assert (process.returncode, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("parw2v: error: worker 0")
    assert f"pid {victim}" in err
    assert "signal 9" in err


def test_a_killed_coordinator_takes_its_workers_and_segments_along(python, tmp_path, small_text, log):
    flags = ("--corpus", small_text, *ENDLESS, *QUICK, "--workers", "2", "--log_json", log)
    process = python.start_cli(*flags)
    until(lambda: len(records(log, "checkpoint")) > 2)
    workers, segments = workers_of(process.pid), segments_of([process.pid])
    assert len(workers) == 2
    assert segments
    process.kill()
    until(lambda: not any(map(runs, workers)), WORKERS_GONE)
    until(lambda: not segments_of([process.pid]), 5)
    done = python.finish(process)
    assert "Traceback" not in done.stderr
    written = records(log, "checkpoint")[-1]["words"]

    again = python.start_cli(*flags, "--resume")
    lines = [again.stderr.readline() for _ in range(2)]
    until(lambda: records(log, "checkpoint")[-1]["words"] > written)
    stop(python, again)
    [words] = re.findall(r"from word ([\d,]+) on", "".join(lines))
    assert int(words.replace(",", "")) >= written
    assert not list((tmp_path / "results").glob(".parw2v-*"))


def test_the_next_run_sweeps_what_a_killed_group_left(python, tmp_path, small_text, log):
    flags = ("--corpus", small_text, *QUICK, "--workers", "2")
    process = python.start_cli(*flags, *ENDLESS, "--log_json", log)
    until(lambda: records(log, "epoch"))
    workers = workers_of(process.pid)
    tracker = tracker_of(process.pid)
    for pid in (tracker, process.pid, *workers):
        os.kill(pid, signal.SIGKILL)
    python.finish(process)
    until(lambda: not any(map(runs, [tracker, *workers])))
    assert segments_of([process.pid])
    assert list((tmp_path / "results").glob(f".parw2v-{process.pid}-*"))
    done = python.cli(*flags, "--epochs", "1")
    assert done.returncode == 0, done.stderr
    assert not segments_of([process.pid])
    left = sorted(path.name for path in (tmp_path / "results").iterdir() if path.is_file())
    assert left == ["model.npz", "model.toml"]


def test_files_half_written_by_a_killed_run_are_removed(python, tmp_path, small_text):
    for name in (".m[1].npz.abc.tmp", "m[1]-checkpoints/.000000004.npz.abc.tmp", ".other.npz.abc.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert python.cli("--corpus", small_text, "--epochs", "1", "--out", "m[1]", *QUICK).returncode == 0
    (tmp_path / ".other.npz.abc.tmp").unlink()  # not this run's to remove
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m[1].npz", "m[1].toml", "small.txt"]


def test_a_terminal_that_goes_away_stops_the_run(python, small_text, log):
    """A hang-up ends the coordinator; its workers, in groups of their own, must go too."""
    process = python.start_cli("--corpus", small_text, *ENDLESS, *QUICK, "--workers", "2", "--log_json", log)
    until(lambda: records(log, "epoch"))
    workers = workers_of(process.pid)
    process.send_signal(signal.SIGHUP)
    python.finish(process)
    until(lambda: not any(map(runs, workers)), WORKERS_GONE)
    until(lambda: not segments_of([process.pid]), 5)
    shutil.rmtree(log.parent / "results")  # the scratch directory is swept by the next run there
    assert not children(process.pid)
