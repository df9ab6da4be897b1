"""Reports for people: a progress bar on a terminal, a line now and then elsewhere. All of it goes to standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO

from tqdm import tqdm

from parw2v.progress import (
    CheckpointFailed,
    EpochEnd,
    Finished,
    NodeJoined,
    Progress,
    Report,
    Started,
    Stopped,
    WorkerReplaced,
)

_LINE_SECONDS = 10
"""Between two progress lines where there is no terminal."""


def show_progress(reports: Iterable[Report], *, quiet: bool = False, file: TextIO | None = None) -> Iterator[Report]:
    """Pass reports on unchanged, showing them on the way.

    Parameters
    ----------
    reports : iterable of Report
    quiet : bool
        Show nothing but that a checkpoint could not be written.
    file : text stream, optional
        Standard error unless given.
    """
    stream = file or sys.stderr
    if quiet:
        for report in reports:
            if isinstance(report, CheckpointFailed):
                print(sentence(report), file=stream, flush=True)
            yield report
        return
    display = _Bar(stream) if stream.isatty() else _Lines(stream)
    try:
        for report in reports:
            display.show(report)
            yield report
    finally:
        display.close()


def plural(number: int, noun: str) -> str:
    """``1 worker``, ``2 workers``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def sentence(report: Report) -> str | None:
    """What a report that is not about progress says, in one line; None for those that say nothing."""
    match report:
        case Started():
            memory = f"{report.memory / 2**20:,.0f} MB of memory"
            hands = plural(report.n_workers, "worker")
            where = f"{hands} on {plural(report.n_nodes, 'node')}, here" if report.n_nodes else hands
            text = f"training {report.total_words:,} words with {where} in about {memory}"
            return text + (f", from word {report.done_words:,} on" if report.done_words else "")
        case EpochEnd():
            return f"epoch {report.epoch + 1}/{report.epochs}: loss {report.loss:.4f}"
        case WorkerReplaced(pid=0):
            return f"node {report.cause}; its blocks are trained again"
        case NodeJoined():
            return f"node {report.name} joined with {plural(report.n_workers, 'worker')}"
        case WorkerReplaced():
            return f"worker {report.worker} (pid {report.pid}) {report.cause}; replaced, its block is trained again"
        case CheckpointFailed():
            return f"parw2v: warning: {report.reason}; training goes on without this checkpoint"
        case Stopped():
            where = f"; continue with --resume ({report.checkpoint_dir})" if report.checkpoint_dir else ""
            return f"stopped after {report.done_words:,} words{where}"
        case Finished():
            were = "was" if report.restarts == 1 else "were"
            return (
                f"trained {report.raw_words - report.words_before:,} words in {duration(report.train_seconds)}: "
                f"{report.words_per_second:,.0f} words/s, loss {report.loss:.4f}, {report.peak_memory / 2**20:,.0f} MB"
            ) + (f"; {plural(report.restarts, 'worker')} died and {were} replaced" if report.restarts else "")
        case _:
            return None


def duration(seconds: float) -> str:
    """``4.2 s``, ``3:05``, ``2:00:15``; ``?`` where it is not known."""
    if not seconds < 1e8:
        return "?"
    if seconds < 59.95:  # which would read 60.0
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _figures(report: Progress) -> str:
    loss = "" if report.loss is None else f"loss {report.loss:.3f}, "
    return f"{report.words_per_second / 1e6:.2f} M words/s, {loss}lr {report.lr:.4f}"


class _Lines:
    """For logs and pipes."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.last = time.monotonic()

    def show(self, report: Report) -> None:
        if isinstance(report, Progress) and time.monotonic() - self.last >= _LINE_SECONDS:
            self.last = time.monotonic()
            share = report.done_words / report.total_words
            print(f"{share:4.0%}  {_figures(report)}, {duration(report.seconds_left)} left", file=self.file, flush=True)
        elif text := sentence(report):
            print(text, file=self.file, flush=True)

    def close(self) -> None:
        pass


class _Bar:
    """For terminals and notebooks."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.bar = tqdm(
            total=1, file=file, leave=False, dynamic_ncols=True, bar_format="{percentage:3.0f}% {bar} {desc}"
        )

    def show(self, report: Report) -> None:
        if isinstance(report, Progress):
            self.bar.total, self.bar.n = report.total_words, report.done_words
            self.bar.set_description_str(f"{_figures(report)}, {duration(report.seconds_left)} left")
        elif text := sentence(report):
            self.bar.clear()
            print(text, file=self.file, flush=True)
            self.bar.refresh()

    def close(self) -> None:
        self.bar.close()
