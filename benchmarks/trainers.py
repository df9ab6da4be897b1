"""A training by parw2v, gensim or fastText as a command of its own: its speed, its whole time, its memory, its vectors.

Raw words a second are words of the vocabulary, before subsampling and in all epochs, by seconds of training: after reading
the text and starting workers, before saving. The whole time is that of the command, from start to exit.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import Run, values
from texts import Text

from parw2v.arraytypes import FloatArray
from parw2v.evaluation import (
    builtin_analogies,
    evaluate_analogies,
    evaluate_similarity,
    read_analogies,
    read_similarity,
)
from parw2v.model import normalise

HERE = Path(__file__).parent
LEARNING_RATE = {"skipgram": 0.025, "cbow": 0.05}
DIVERGED_NORM = 100
"""A vector longer than this was not learnt: trained ones are of length 1 to 10."""


@dataclass(frozen=True)
class Job:
    """One training to be done; `cache` is for parw2v alone: "cold" encodes the text anew, "warm" finds it encoded."""

    trainer: str
    model: str = "skipgram"
    workers: int = 1
    epochs: int = 1
    seed: int = 1
    dim: int = 100
    window: int = 5
    neg: int = 5
    sample: float = 1e-3
    min_count: int = 5
    lr: float | None = None
    cache: str = "cold"

    @property
    def settings(self) -> dict[str, Any]:
        """With the objective's own learning rate where none is given, the same for every trainer."""
        return asdict(self) | {"lr": LEARNING_RATE[self.model] if self.lr is None else self.lr}


class Trainers:
    """Runs jobs on one text.

    Parameters
    ----------
    text : Text
    scratch : Path
        Where models, logs and caches go.
    judge : Judge
    peer_python : str, optional
        An interpreter that has gensim, fastText or both.

    Attributes
    ----------
    environment : dict
        Of the commands.
    more_flags : list of str
        For parw2v.
    """

    def __init__(self, text: Text, scratch: Path, judge: Judge, peer_python: str | None = None) -> None:
        self.text, self.scratch, self.judge, self.peer_python = text, scratch, judge, peer_python
        self.environment = dict(os.environ)
        self.more_flags: list[str] = []

    def run(self, job: Job, sample_memory: bool = True) -> Run:
        """Do one job and judge the vectors; returns its settings and figures.

        A parw2v run that diverges is a result as any other; whatever else fails ends the benchmark.
        """
        command, out, log = self._command(job, "model")
        (watched,) = watch([command], self.environment, sample_memory)
        run = self._figures(job, watched, log) | {"wall_seconds": round(watched.seconds, 3)}
        if watched.peak_memory:
            run["peak_memory_mb"] = round(watched.peak_memory / 2**20, 1)
        return run if run["diverged"] else run | self.judge.scores(self._exported(job, out))

    def side_by_side(self, job: Job, copies: int) -> Run:
        """As many independent runs at the same time: what the cores give without any sharing."""
        started = [self._command(job, f"side{i}") for i in range(copies)]
        ended = watch([command for command, _, _ in started], self.environment, sample_memory=False)
        runs = [self._figures(job, watched, log) for watched, (_, _, log) in zip(ended, started, strict=True)]
        speeds = values(runs, "words_per_second")
        return runs[0] | {"copies": copies, "words_per_second": sum(speeds), "each": speeds}

    def _figures(self, job: Job, watched: Watched, log: Path) -> Run:
        """A run's settings and what its trainer says of it."""
        run: Run = job.settings | {"diverged": False}
        if watched.status:
            if job.trainer == "parw2v" and "diverged" in watched.output:
                return run | {"diverged": True}
            raise SystemExit(f"{' '.join(watched.command)} failed:\n{watched.output[-2000:]}")
        if job.trainer == "parw2v":
            figures = last_record(log.read_text())
            run |= {key: figures[key] for key in ("raw_words", "kept_words", "train_seconds", "loss")}
            run["reported_memory_mb"] = figures["peak_memory_mb"]
        elif job.trainer == "gensim":
            run |= json.loads(watched.output.splitlines()[-1])
        else:
            run |= fasttext_figures(watched.output, self.text, job)
        run["words_per_second"] = round(run["raw_words"] / run["train_seconds"], 1)
        run["train_seconds"] = round(run["train_seconds"], 3)
        return run

    def _command(self, job: Job, name: str) -> tuple[list[str], Path, Path]:
        settings, log = job.settings, self.scratch / f"{name}.log"
        if job.trainer == "parw2v":
            out = self.scratch / f"{name}.npz"
            command = [sys.executable, "-m", "parw2v", "train", "--corpus", str(self.text.whole), "--raw", "--quiet"]
            command += ["--sample_rule", "word2vec", "--out", str(out), "--log_json", str(log)]
            command += ["--no_cache"] if job.cache == "cold" else ["--cache_dir", str(self.scratch / "cache")]
            for flag in ("model", "workers", "epochs", "seed", "dim", "window", "neg", "sample", "min_count", "lr"):
                command += [f"--{flag}", str(settings[flag])]
            command += self.more_flags
            return command, out, log
        out = self.scratch / f"{name}.{job.trainer}"
        given = self.text.whole if job.trainer == "fasttext" else self.text.lines
        script = [str(self.peer_python), str(HERE / f"{job.trainer}_run.py"), "train"]
        return [*script, str(given), str(out), json.dumps(settings)], out, log

    def _exported(self, job: Job, out: Path) -> Path:
        """The vectors as an .npz file, made after the clock has stopped."""
        if job.trainer == "parw2v":
            return out
        path = out.with_name(f"{out.name}.npz")
        script = [str(self.peer_python), str(HERE / f"{job.trainer}_run.py"), "export"]
        subprocess.run([*script, str(out), str(path)], check=True, stdout=subprocess.DEVNULL)
        return path


def last_record(log: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(log.splitlines()[-1])
    if record.get("event") != "done":
        raise ValueError(f"a log that does not end with a finished run: {record}")
    return record


def fasttext_figures(output: str, text: Text, job: Job) -> Run:
    """What fastText's output says of a training.

    Its last progress line has the words of its vocabulary that each thread has trained a second, by a clock that starts
    after reading and setting up. It counts line ends as words and trains until it has seen as many words of its vocabulary
    as `epochs` times all words of the text, rare ones included: that many are counted, without the line ends.
    """
    own = re.findall(r"100\.0%\s+words/sec/thread:\s*(\d+)", output)
    if not own:
        raise ValueError(f"fastText's output does not tell its speed: {output[-500:]!r}")
    seconds = (text.words + text.line_ends) * job.epochs / (int(own[-1]) * job.workers)
    return {"raw_words": text.words * job.epochs, "train_seconds": seconds}


# ------------------------------------------------------------------------------------------------ watching a command


@dataclass(frozen=True)
class Watched:
    """A command that has ended: what it wrote and what it took."""

    command: Sequence[str]
    status: int
    seconds: float
    peak_memory: int
    output: str


def watch(
    commands: Sequence[Sequence[str]], environment: dict[str, str] | None = None, sample_memory: bool = True
) -> list[Watched]:
    """Run commands at the same time, to their ends; standard output and error of each come together.

    Memory is that of all of them. None is left running, whatever happens.
    """
    start = time.perf_counter()
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for command in commands
    ]
    memory = MemorySampler([process.pid for process in processes]) if sample_memory else None
    ended = []
    try:
        for process in processes:
            output, _ = process.communicate()
            ended.append((process, time.perf_counter() - start, output.decode(errors="replace")))
    except BaseException:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        raise
    finally:
        peak = memory.stop() if memory else 0
    return [Watched(process.args, process.returncode, seconds, peak, output) for process, seconds, output in ended]


class MemorySampler:
    """The most memory that processes and their descendants held together, pages that they share counted once (Linux).

    A look takes 1 to 2 ms for each process, so the time between two grows with the time that they have run, and is at least
    a hundred looks long.
    """

    SHORTEST, LONGEST, SHARE, LOOKS = 0.05, 0.5, 0.02, 100

    def __init__(self, pids: Sequence[int]) -> None:
        self.pids, self.peak = pids, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._sample)
        self.thread.start()

    def _sample(self) -> None:
        start = time.monotonic()
        while True:
            looked = time.monotonic()
            self.peak = max(self.peak, memory_of(self.pids))
            now = time.monotonic()
            pause = min(max(self.SHARE * (now - start), self.SHORTEST), self.LONGEST)
            if self.ended.wait(max(pause, self.LOOKS * (now - looked))):
                return

    def stop(self) -> int:
        """Bytes at the peak; 0 where the system does not tell."""
        self.ended.set()
        self.thread.join()
        return self.peak


def memory_of(pids: Sequence[int]) -> int:
    """Bytes that processes and all their descendants hold, each page divided by the number of processes that hold it.

    A child that is about to start a program still runs in its parent's memory (vfork), at the same addresses, which other
    programs do not have: it counts once.
    """
    total, waiting = 0, [(pid, b"") for pid in pids]
    for pid, addresses_of_parent in waiting:  # grows as it is walked
        try:
            addresses, *lines = Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines()
            if addresses != addresses_of_parent:
                total += next(int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:"))
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [(int(child), addresses) for child in (task / "children").read_text().split()]
        except (OSError, ValueError):  # it has ended meanwhile
            continue
    return total


# ------------------------------------------------------------------------------------------------ judging vectors


class Judge:
    """Scores vectors by analogy questions and human judgements of similarity."""

    def __init__(self, analogies: Path | None, similarity: Sequence[Path] = ()) -> None:
        self.analogies = read_analogies(analogies) if analogies else builtin_analogies()
        self.similarity = {path.stem: read_similarity(path) for path in similarity}
        self.names = {"analogies": analogies.name if analogies else "built-in", "similarity": list(self.similarity)}

    def scores(self, path: str | Path) -> Run:
        """Of the vectors in an .npz file; None where no question could be asked."""
        with np.load(path, allow_pickle=False) as arrays:
            W, words = arrays["W_in"], arrays["words"].tolist()
            norms = [longest_row(arrays[name]) for name in ("W_in", "W_out") if name in arrays]
        longest = max(norms)
        if not np.isfinite(longest):
            return {"diverged": True}
        units = normalise(W)
        report = evaluate_analogies(units, words, self.analogies)
        found: Run = {f"analogies_{part.name}": part.accuracy for part in report.sums}
        index = {word: i for i, word in enumerate(words)}
        for name, pairs in self.similarity.items():
            found[name] = evaluate_similarity(units, index, name, pairs).spearman
        found |= {"longest": round(longest, 3), "diverged": longest > DIVERGED_NORM}
        return found


def longest_row(W: FloatArray) -> float:
    return float(np.sqrt(np.einsum("vd,vd->v", W, W, dtype=np.float64).max()))
