"""Workers and coordinators that are killed, hang, are stopped and go on: real processes, killed for real.

Each test is a short version of itself unless pytest is called with ``--faults`` (``make test-faults``).
"""
# ruff: noqa: B023  # what a condition looks at is waited for at once

import contextlib
import dataclasses
import json
import math
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import time

import matrix
import numpy as np
import pytest
from conftest import ROOT, runs, segments_of, tracker_of, until, workers_of
from test_checkpoint import IDENTITY, state_at
from test_commands import ENDLESS, QUICK, WORKERS_GONE, fails, records, stop

from parw2v import Word2Vec
from parw2v.checkpoint import load_checkpoint, save_checkpoint
from parw2v.commands import main
from parw2v.config import TrainSettings
from parw2v.corpus import BlockPlan
from parw2v.evaluation import builtin_analogies, evaluate_analogies
from parw2v.trainer import _WITHOUT_EFFECT
from parw2v.vocabulary import Vocabulary

FIVE_SECONDS = 5
LONG = 600
"""Seconds for a run of the whole matrix to end on a busy machine."""


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.jsonl"


def passes(process, seconds):
    """Let so much time pass, in which the process must not end."""
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(seconds)


def meanwhile(process, condition):
    """Wait for something to happen while a process runs; fails with what it said if it ends instead."""

    def happened():
        ended = process.poll() is not None
        if value := condition():
            return value
        assert not ended, f"ended with {process.returncode}: {process.communicate()}"
        return None

    return until(happened)


def last(path, event, key):
    """A value of the newest record of one kind, 0 where there is none; without reading all of a long log."""
    content = path.read_bytes() if path.exists() else b""
    content = content[: content.rfind(b"\n") + 1]
    place = content.rfind(f'{{"event": "{event}"'.encode())
    return json.loads(content[place:].split(b"\n", 1)[0])[key] if place >= 0 else 0


def checkpoints(directory):
    return sorted((directory / "model-checkpoints").glob("0*.npz"))


def words_done(path):
    """Of the run that a log belongs to, so far."""
    return last(path, "progress", "words")


def saved_words(path):
    """Of the newest checkpoint that a log tells of."""
    return last(path, "checkpoint", "words")


def end_of(path):
    """What must be the same whatever happened: the number of words says that each block counts once, that of the words
    kept, which differs from block to block, that they were the right ones."""
    [end] = records(path, "done")
    return {name: end[name] for name in ("raw_words", "kept_words")}


def matrices(path):
    with np.load(path) as arrays:
        return arrays["W_in"].tobytes(), arrays["W_out"].tobytes()


# ---------------------------------------------------------------------------------------------- workers die

MIDDLING = ("--corpus", "sample", "--min_count", "2", "--dim", "50", "--workers", "2", "--quiet")
"""With a rate so low that the analogies are not all right in the end: then the accuracy can show what was lost."""


def accuracy(path):
    model = Word2Vec.load(path)
    return evaluate_analogies(model.unit_vectors, model.vocab.words, builtin_analogies()).accuracy


def middling_run(python, name, seed, *flags, kills=()):
    """Train; kill a worker whenever a share of `kills` of the words has been trained. Returns log, accuracy, killed."""
    path = python.directory / f"{name}.jsonl"
    given = (*MIDDLING, *flags, "--seed", seed, "--out", name, "--log_json", path, "--log_every", "30")
    rng, killed = random.Random(seed), []
    process = python.start_cli(*given, "--max_restarts", len(kills))
    for share in kills:
        meanwhile(process, lambda: words_done(path) >= share * total_words(path, given))
        passes(process, rng.uniform(0, 0.05))
        victims = meanwhile(
            process, lambda: [pid for pid in workers_of(process.pid) if runs(pid) and pid not in killed]
        )
        killed.append(rng.choice(victims))
        os.kill(killed[-1], signal.SIGKILL)
    out, err = process.communicate(timeout=LONG)
    assert (process.returncode, out, err) == (0, "", "")
    return path, accuracy(python.directory / f"{name}.npz"), killed


def total_words(path, flags):
    return (last(path, "start", "corpus_words") or math.inf) * flags[flags.index("--epochs") + 1]


def test_killed_workers_cost_nothing(python, times, record_property):
    kills, seeds = times(3, 50), 5 if times(0, 1) else 1
    record_property("tried", kills)
    flags = ("--epochs", 10 + kills, "--lr", 0.1 / (10 + kills))
    whole = [middling_run(python, f"whole{seed}", seed, *flags) for seed in range(1, seeds + 1)]
    rng = random.Random(0)
    moments = sorted(rng.uniform(0.01, 0.97) for _ in range(kills))
    path, found, killed = middling_run(python, "killed", 1, *flags, kills=moments)

    assert len(set(killed)) == kills
    replaced = records(path, "worker_replaced")
    assert sorted(record["pid"] for record in replaced) == sorted(killed)
    assert all("signal 9 (SIGKILL" in record["cause"] for record in replaced)
    assert end_of(path) == end_of(whole[0][0])
    [end] = records(path, "done")
    corpus_words, epochs = records(path, "start")[0]["corpus_words"], flags[1]
    assert end["restarts"] == kills
    assert end["blocks"] == BlockPlan(corpus_words, 1).n_blocks * epochs
    assert 0 < end["blocks_again"] <= 2 * kills
    others = [share for _, share, _ in whole]
    record_property("accuracy", [found, *others])
    spread = 3 * max(statistics.stdev(others), 0.005) if seeds > 1 else 0.05
    assert 0.3 < statistics.mean(others) < 0.97  # else it could not show anything
    assert abs(found - statistics.mean(others)) < spread


def test_workers_killed_while_they_start(python, small_text, log, times):
    """Before they are ready, or before they have even become Python."""
    kills = times(2, 20)
    flags = ("--corpus", small_text, "--epochs", "2", *QUICK, "--workers", "2", "--quiet", "--log_json", log)
    rng, killed = random.Random(4), []
    process = python.start_cli(*flags, "--max_restarts", kills)
    while len(killed) < kills:
        victims = meanwhile(
            process, lambda: [pid for pid in workers_of(process.pid) if runs(pid) and pid not in killed]
        )
        passes(process, rng.uniform(0, 0.02))
        killed.append(victims[0])
        os.kill(victims[0], signal.SIGKILL)
    done = python.finish(process)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {record["pid"] for record in records(log, "worker_replaced")} == set(killed)
    assert records(log)[-1]["raw_words"] == records(log, "start")[0]["corpus_words"] * 2


def test_past_max_restarts_a_run_stops_in_time_and_can_go_on(python, tmp_path, small_text, log, times):
    rounds = times(1, 10)
    flags = ("--corpus", small_text, *ENDLESS, *QUICK, "--workers", "2", "--checkpoint_every", "0.05", "--quiet")
    rng, words = random.Random(3), 0
    for i in range(rounds):
        limit = rng.randint(0, 3)
        process = python.start_cli(*flags, "--max_restarts", limit, "--log_json", log, *["--resume"] * bool(i))
        meanwhile(process, lambda: saved_words(log) > words)
        before, killed = len(records(log, "worker_replaced")), []
        for n in range(limit + 1):
            meanwhile(process, lambda: len(records(log, "worker_replaced")) == before + n)
            victims = meanwhile(
                process, lambda: [pid for pid in workers_of(process.pid) if runs(pid) and pid not in killed]
            )
            killed.append(rng.choice(victims))
            os.kill(killed[-1], signal.SIGKILL)
        out, err = process.communicate(timeout=FIVE_SECONDS)
        assert (process.returncode, out, err.count("\n")) == (2, "", 1), err
        assert err.startswith("parw2v: error: worker ")
        assert f"(pid {killed[-1]}) was killed by signal 9 (SIGKILL, perhaps for lack of memory)" in err
        assert f"{limit + 1} deaths are more than the {limit}" in err
        assert "The last checkpoint is kept: --resume goes on from results/model-checkpoints" in err
        words = saved_words(log)
        assert Word2Vec.load(checkpoints(tmp_path / "results")[-1]).embed_dim == 8
    process = python.start_cli(*flags[:-1], "--log_json", log, "--resume")
    lines = [process.stderr.readline() for _ in range(3)]
    meanwhile(process, lambda: saved_words(log) > words)
    stop(python, process)
    assert "passed over" not in "".join(lines)


def test_workers_that_hang_are_replaced(python, small_text, log, times):
    """Stopped by SIGSTOP, which no process can catch; in the middle of a block, and while they start."""
    hangs, seconds = times(1, 10), 3
    flags = ("--corpus", small_text, *ENDLESS, *QUICK, "--workers", "2", "--hang_timeout", seconds, "--quiet")
    process = python.start_cli(*flags, "--max_restarts", hangs, "--log_json", log)
    rng, hung = random.Random(6), []
    for i in range(hangs):
        if i % 3 != 1:  # else while the replacement starts
            done = words_done(log)
            meanwhile(process, lambda: words_done(log) > done)
        victims = meanwhile(process, lambda: [pid for pid in workers_of(process.pid) if runs(pid) and pid not in hung])
        hung.append(victims[-1] if i % 3 == 1 else rng.choice(victims))
        os.kill(hung[-1], signal.SIGSTOP)
        stopped = time.monotonic()
        meanwhile(process, lambda: len(records(log, "worker_replaced")) > i)
        assert time.monotonic() - stopped < seconds + FIVE_SECONDS
        until(lambda: not runs(hung[-1]))
    replaced = records(log, "worker_replaced")
    assert [record["pid"] for record in replaced] == hung
    assert all(f"hung, without a sign of life for {seconds} s" in record["cause"] for record in replaced)
    done = words_done(log)
    meanwhile(process, lambda: words_done(log) > done)
    assert "stopping" in stop(python, process).stderr


# ---------------------------------------------------------------------------------------------- the coordinator dies


@pytest.mark.parametrize("workers", [1, 2])
def test_a_chain_of_killed_coordinators(python, tmp_path, small_text, log, times, workers):
    """Each run goes on where the one before was killed: while it started, trained, or wrote a checkpoint."""
    kills = times(3 if workers == 1 else 1, 50)
    flags = ("--corpus", small_text, "--epochs", max(50 * kills, 400), *QUICK, "--workers", workers, "--quiet")
    whole = tmp_path / "whole.jsonl"
    process = python.start_cli(*flags, "--out", "whole", "--log_json", whole)
    assert process.communicate(timeout=LONG) == ("", "")

    flags = (*flags, "--log_json", log, "--checkpoint_every", "0.05", "--resume")
    directory = tmp_path / "results"
    rng, words, moments = random.Random(workers), 0, {"starting": 0, "training": 0, "writing": 0}
    for i in range(kills):
        process = python.start_cli(*flags)
        moment = list(moments)[i % 3]
        if moment == "starting":
            passes(process, rng.uniform(0.2, 1.5))
        else:
            meanwhile(process, lambda: saved_words(log) > words)
            passes(process, rng.uniform(0, 0.3))
        if moment == "writing":
            meanwhile(process, lambda: list(directory.glob("model-checkpoints/*.tmp")))
        assert process.poll() is None
        living = workers_of(process.pid)
        process.kill()
        killed = time.monotonic()
        out, err = process.communicate(timeout=FIVE_SECONDS)
        assert out == ""
        assert not err or "resource_tracker: There appear to be" in err  # Python's own, having cleaned up
        until(lambda: not any(map(runs, living)), max(killed + WORKERS_GONE - time.monotonic(), 0.01))
        until(lambda: not segments_of([process.pid]), FIVE_SECONDS)
        moments[moment] += 1
        if checkpoints(directory):
            Word2Vec.load(checkpoints(directory)[-1])
        words = max(words, saved_words(log))
    assert kills < 3 or min(moments.values()) > 0
    process = python.start_cli(*flags)
    assert process.communicate(timeout=LONG) == ("", "")
    assert process.returncode == 0
    assert end_of(log) == end_of(whole)
    assert sorted(path.name for path in directory.iterdir()) == ["model.npz", "model.toml"]
    assert len(records(log, "checkpoint")) > kills // 2
    if workers == 1:
        assert matrices(directory / "model.npz") == matrices(tmp_path / "whole.npz")


def test_the_next_run_sweeps_after_a_killed_group(python, tmp_path, small_text, log, times):
    """Coordinator, workers and Python's own tracker of segments, all at once, at any moment."""
    rounds = times(1, 10)
    rng, swept = random.Random(8), 0
    flags = ("--corpus", small_text, *QUICK, "--workers", "2", "--checkpoint_every", "0.05")
    for _ in range(rounds):
        log.unlink(missing_ok=True)
        process = python.start_cli(*flags, *ENDLESS, "--log_json", log, "--resume")
        if rounds == 1 or rng.random() < 0.7:
            meanwhile(process, lambda: saved_words(log) > 0)
        passes(process, rng.uniform(0, 0.3))
        with contextlib.suppress(StopIteration):  # too early to have one
            os.kill(tracker_of(process.pid), signal.SIGKILL)
        workers = workers_of(process.pid)
        for pid in (process.pid, *workers):
            os.kill(pid, signal.SIGKILL)
        python.finish(process)
        until(lambda: not any(map(runs, workers)), WORKERS_GONE)
        swept += len(segments_of([process.pid]))
        other = python.cli(*flags, "--epochs", "1", "--out", "results/other", "--quiet")
        assert (other.returncode, other.stderr) == (0, "")
        assert not segments_of([process.pid])
        assert not list((tmp_path / "results").glob(".parw2v-*"))
    assert swept
    assert python.cli(*flags, "--epochs", "1").returncode == 0
    left = sorted(path.name for path in (tmp_path / "results").rglob("*"))
    assert left == ["model.npz", "model.toml", "other.npz", "other.toml"]


# ---------------------------------------------------------------------------------------------- checkpoints

STEPS = [
    ("parw2v.checkpoint.write_npz", "-checkpoints", 3, "half"),
    *(("os.fsync", "-checkpoints", n, when) for n in (5, 6) for when in ("before", "after")),
    *(("os.replace", "-checkpoints", 3, when) for when in ("before", "after")),
    *(("os.unlink", "-checkpoints/0", 1, when) for when in ("before", "after")),
]
"""Of the third checkpoint: writing, syncing the file, renaming it, syncing the directory, removing the oldest."""


def test_a_kill_at_each_step_of_a_checkpoint(python, tmp_path, small_text, times):
    steps = random.Random(1).sample(STEPS, times(2, len(STEPS)))
    flags = ("--corpus", small_text, "--epochs", "5", *QUICK, "--checkpoint_every", "0", "--quiet")
    assert python.cli(*flags, "--out", "whole").returncode == 0
    for step in steps:
        assert python.run("-c", matrix.FAULTY, *step, *flags).returncode == -signal.SIGKILL, step
        found = checkpoints(tmp_path / "results")
        assert 2 <= len(found) <= 3, step
        for path in found:  # the old one and the one before it, or the new one as well: all of them whole
            Word2Vec.load(path)
        done = python.cli(*flags, "--resume")
        assert (done.returncode, done.stderr) == (0, ""), step
        assert matrices(tmp_path / "results/model.npz") == matrices(tmp_path / "whole.npz"), step
        assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["model.npz", "model.toml"], step
        shutil.rmtree(tmp_path / "results")


def test_a_checkpoint_damaged_anywhere_is_passed_over(tmp_path, times):
    """A bit flipped at each byte, and cut at each length: never taken for whole, unless it holds the same all the same."""
    model = Word2Vec(Vocabulary.from_lists(["a", "b", "c"], [3, 2, 1]), 4)
    save_checkpoint(tmp_path, model, state_at(1))
    newest = save_checkpoint(tmp_path, model, state_at(2))
    content = newest.read_bytes()
    rng = random.Random(2)
    places = range(len(content)) if times(0, 1) else sorted(rng.sample(range(len(content)), 200))
    damaged = [content[:i] + bytes([content[i] ^ 1 << rng.randrange(8)]) + content[i + 1 :] for i in places]
    damaged += [content[:i] for i in places[:: 5 if len(places) > 200 else 10]]
    harmless = 0
    for text in damaged:
        newest.write_bytes(text)
        found, state, warnings = load_checkpoint(tmp_path, IDENTITY)
        if warnings:
            assert state == state_at(1)
            assert newest.name in warnings[0]
        else:  # a byte that means nothing, such as a date
            harmless += 1
            assert state == state_at(2)
            assert found.W_in.tobytes() == model.W_in.tobytes()
    times(len(damaged), len(damaged))
    assert harmless < len(damaged) / 5


# ---------------------------------------------------------------------------------------------- resume

OTHER = {"batch_size": "150", "lr": "0.0123", "sample_rule": "word2vec", "model": "cbow"}
"""Values for flags of which half as much again is none."""


@pytest.fixture
def cut_run(tmp_path, monkeypatch, small_text, python):
    """Flags of a run that was stopped in its middle."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "cut.jsonl"
    flags = ["--corpus", str(small_text), "--epochs", "100000", *QUICK, "--checkpoint_every", "0.05"]
    process = python.start_cli(*flags, "--log_json", path)
    meanwhile(process, lambda: saved_words(path) > 0)
    stop(python, process)
    return flags


def test_a_resume_with_any_setting_changed_is_refused(tmp_path, capfd, cut_run, times):
    fields = {field.name: field.default for field in dataclasses.fields(TrainSettings)}
    fields |= {"dim": 8, "neg": 5, "model": "skipgram", "min_count": 2}
    named = sorted(fields.keys() - {*_WITHOUT_EFFECT})
    times(len(named), len(named))
    assert len(named) > 10
    before = [path.read_bytes() for path in checkpoints(tmp_path / "results")]
    for name in named:
        value = OTHER.get(name) or str(type(fields[name])(fields[name] * 1.5 if name != "epochs" else 3))
        capfd.readouterr()
        status = main([*cut_run, "--resume", "--quiet", f"--{name}", value])
        line = fails(subprocess.CompletedProcess(name, status, *capfd.readouterr()), "was trained with")
        assert re.search(rf"was trained with {name} \S+, this run has {re.escape(value)};", line), line
    assert [path.read_bytes() for path in checkpoints(tmp_path / "results")] == before


def test_a_resume_with_another_text_or_vocabulary_is_refused(tmp_path, small_text, capfd, cut_run, times):
    text = small_text.read_text()
    first, second, rest = text.split(" ", 2)
    words = Vocabulary(2).build(text.split())
    Vocabulary.from_lists(words.words, [*(words.counts[:-1] + 1), words.counts[-1]], 2).save(tmp_path / "other.json")
    cases = {
        "a line more": (text + "king queen\n", [], "this run has"),
        "two words exchanged": (f"{second} {first} {rest}", [], "with corpus "),
        "other counts": (text, ["--vocab", "other.json"], "with vocabulary "),
    }
    times(len(cases), len(cases))
    for name, (content, flags, named) in cases.items():
        small_text.write_text(content)
        capfd.readouterr()
        status = main([*cut_run, *flags, "--resume", "--quiet"])
        fails(subprocess.CompletedProcess(name, status, *capfd.readouterr()), named, "was trained with")
    assert checkpoints(tmp_path / "results")


CUTS = {
    "SIGINT": (signal.SIGINT, ()),
    "SIGTERM": (signal.SIGTERM, ()),
    "SIGKILL": (signal.SIGKILL, ("--checkpoint_every", "0.05")),
    "SIGINT, checkpoints by time": (signal.SIGINT, ("--checkpoint_every", "0.02")),
}
VARIANTS = [
    (objective, rule, cut) for objective in ("skipgram", "cbow") for rule in ("paper", "word2vec") for cut in CUTS
]


def test_a_run_cut_anyhow_gives_the_same_bits(python, tmp_path, small_text, log, times):
    variants = random.Random(3).sample(VARIANTS, times(1, len(VARIANTS)))
    rng, epochs, whole = random.Random(4), 120, tmp_path / "whole.jsonl"
    for objective, rule, cut in variants:
        number, extra = CUTS[cut]
        flags = ("--corpus", small_text, "--epochs", epochs, "--model", objective, "--sample_rule", rule, *QUICK)
        for name in ("whole.jsonl", "log.jsonl", "cut.npz", "cut.toml"):
            (tmp_path / name).unlink(missing_ok=True)
        assert python.cli(*flags, "--out", "whole", "--log_json", whole, "--log_every", "1").returncode == 0
        flags = (*flags, "--out", "cut", "--log_json", log, "--log_every", "1", "--resume")
        share = 0.0
        for _ in range(2 if len(variants) > 1 else 1):
            share = rng.uniform(share, 0.85)
            process = python.start_cli(*flags, *extra)
            meanwhile(process, lambda: words_done(log) > share * total_words(log, flags))
            process.send_signal(number)
            assert python.finish(process).returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
        done = python.cli(*flags)
        assert done.returncode == 0, done.stderr
        assert "from word" in done.stderr
        assert matrices(tmp_path / "cut.npz") == matrices(tmp_path / "whole.npz"), (objective, rule, cut)
        assert end_of(log) == end_of(whole)
        if number != signal.SIGKILL:  # else the log holds what was trained twice
            history = [
                [(r["words"], r["loss"], r["lr"], r["epoch"]) for r in records(path, "progress")]
                for path in (log, whole)
            ]
            assert history[0] == history[1]


@pytest.mark.parametrize("workers", [2, 4])
def test_several_workers_train_each_block_once_across_stops(python, tmp_path, small_text, log, times, workers):
    stops = times(1, 10)
    flags = ("--corpus", small_text, "--epochs", 40 * stops, *QUICK, "--quiet")
    whole = tmp_path / "whole.jsonl"
    process = python.start_cli(*flags, "--out", "whole", "--log_json", whole, "--workers", 1)
    assert process.communicate(timeout=LONG) == ("", "")
    flags, rng, words = (*flags, "--workers", workers, "--log_json", log, "--resume"), random.Random(workers), 0
    for _ in range(stops):
        process = python.start_cli(*flags)
        meanwhile(process, lambda: words_done(log) > words)
        passes(process, rng.uniform(0, 0.1))
        stop(python, process, rng.choice([signal.SIGINT, signal.SIGTERM]))
        assert records(log, "stopped")[-1]["words"] >= words
        words = records(log, "stopped")[-1]["words"]
    done = python.cli(*flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert end_of(log) == end_of(whole)


# ---------------------------------------------------------------------------------------------- signals

PHASES = {
    "reading": "parw2v.commands.train.encode_text",
    "starting": "parw2v.pool:Pool.free",
    "training": "parw2v.coordinator:Coordinator._hand_out",
    "checkpointing": "parw2v.coordinator.save_checkpoint",
    "saving": "parw2v.model:Word2Vec.save",
    "evaluating": "parw2v.report.evaluate_analogies",
    "plotting": "parw2v.plots.plot_tsne",
}
"""A function that runs in each."""

STOPPING = "stopping after a checkpoint; once more to stop at once"
MAY_BE_SAID = (STOPPING, r"stopped after [\d,]+ words; continue with --resume \(results/model-checkpoints\)")
MAY_BE_LEFT = {"model.npz", "model.toml", "model-checkpoints", "loss_curve.png", "tsne.png"}


def check_stopped(python, tmp_path, process, small_text, flags):
    """How a run may end that was stopped: 130 or, if it was done by then, 0; nothing said but what is documented, nothing
    left but what a resume needs, and a resume that works."""
    done = python.finish(process)
    if done.returncode in (-signal.SIGINT, -signal.SIGTERM):  # before the command began, or after it had ended
        assert done.stderr in ("", "parw2v: interrupted\n")
    else:
        assert done.returncode in (130, 0), (done.returncode, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line]
    if done.returncode != 0 and lines[-1:] == ["parw2v: interrupted"]:
        lines.pop()
    assert all(any(re.fullmatch(said, line) for said in MAY_BE_SAID) for line in lines), done.stderr
    left = {path.name for path in (tmp_path / "results").iterdir()} if (tmp_path / "results").exists() else set()
    assert left <= MAY_BE_LEFT
    if done.returncode == 0:
        assert "model.npz" in left
    again = python.cli(*flags, "--resume")
    if again.returncode:
        fails(again, "has had its 3 epochs")
    else:
        assert again.stderr == ""
    assert Word2Vec.load(tmp_path / "results/model").embed_dim == 8
    shutil.rmtree(tmp_path / "results")
    return done


def test_a_signal_in_each_phase(python, tmp_path, small_text, times):
    cases = [(phase, n, count) for phase in PHASES for n in (signal.SIGINT, signal.SIGTERM) for count in (1, 2)]
    cases = random.Random(5).sample(cases, times(2, len(cases)))
    flags = ("--corpus", small_text, "--epochs", "3", *QUICK, "--quiet", "--checkpoint_every", "0", "--no_cache")
    for phase, number, count in cases:
        ask = ("--evaluate",) if phase == "evaluating" else ("--plot",) if phase == "plotting" else ()
        process = python.start("-c", matrix.FAULTY, PHASES[phase], "", 2 if phase == "training" else 1, "wait",
                               *flags, *ask, process_group=0)  # fmt: skip
        meanwhile(process, lambda: (tmp_path / "there").exists())
        process.send_signal(number)
        if count == 2:
            if phase in ("starting", "training", "checkpointing"):
                until(lambda: STOPPING in process.stderr.readline())
            process.send_signal(number)
        (tmp_path / "go").touch()
        done = check_stopped(python, tmp_path, process, small_text, flags)
        assert done.returncode == 130, (phase, number, count)
        assert done.stdout == "" or phase in ("evaluating", "plotting")
        for name in ("there", "go"):
            (tmp_path / name).unlink(missing_ok=True)


def test_signals_at_random_moments(python, tmp_path, small_text, times):
    """From before Python has started to after the run has ended, once or twice; whatever they meet."""
    tries, rng = times(2, 60), random.Random(7)
    flags = ("--corpus", small_text, "--epochs", "3", *QUICK, "--workers", "2", "--quiet")
    started = time.monotonic()
    assert python.cli(*flags).returncode == 0
    seconds = time.monotonic() - started
    shutil.rmtree(tmp_path / "results")
    found = []
    for _ in range(tries):
        ask = ("--evaluate",) if rng.random() < 0.5 else ()
        process = python.start_cli(*flags, *ask, "--epochs", "3", "--no_cache")
        for delay in [rng.uniform(0, 1.2 * seconds)] + [rng.uniform(0, 0.1)] * rng.randint(0, 1):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(delay)
            process.send_signal(rng.choice([signal.SIGINT, signal.SIGTERM]))
        found.append(check_stopped(python, tmp_path, process, small_text, flags).returncode)
    assert tries < 10 or 130 in found


# ---------------------------------------------------------------------------------------------- the matrix itself


def test_every_row_names_tests_that_are_there_and_stands_on_the_page():
    page = (ROOT / "docs/faults.md").read_text()
    for row, tests in matrix.ROWS.items():
        assert f"\n| {row} | " in page
        assert f"`{tests[0]}`" in page
        for test in tests:
            file, name = test.split("::")
            assert matrix.functions(file) if name == "*" else name in matrix.functions(file), test
    for file in ("test_faults.py", "test_shortages.py"):
        named = {test.split("::")[1] for tests in matrix.ROWS.values() for test in tests if test.startswith(file)}
        assert matrix.functions(file) - named <= {"test_every_row_names_tests_that_are_there_and_stands_on_the_page"}
