"""``--log_json``: what a run says, as a JSON line for each record."""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path
from typing import IO, Any

from parw2v.errors import Parw2vError
from parw2v.progress import (
    CheckpointFailed,
    CheckpointSaved,
    EpochEnd,
    Logged,
    NodeJoined,
    Report,
    Stopped,
    WorkerReplaced,
)


class RunLog:
    """Writes the lines, each flushed as it is written; does nothing without ``--log_json``."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.file: IO[str] | None = None
        if arguments.log_json:
            path: Path = arguments.log_json
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                # A file name that is not UTF-8 becomes \udcXX, which is how JSON writes it too.
                self.file = path.open("a" if arguments.resume else "w", encoding="utf-8", errors="backslashreplace")
            except OSError as error:
                raise Parw2vError(f"{path}: cannot be written ({error.strerror}); check --log_json") from error

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.file:
            with contextlib.suppress(OSError):  # every line has been flushed, or its failure reported
                self.file.close()

    def write(self, event: str, **record: Any) -> None:
        if self.file:
            try:
                print(json.dumps({"event": event, **record}, ensure_ascii=False), file=self.file, flush=True)
            except OSError as error:
                raise Parw2vError(
                    f"{self.file.name}: cannot be written ({error.strerror}); check --log_json"
                ) from error

    def record(self, report: Report) -> None:
        """Write what is worth keeping of a report."""
        match report:
            case Logged(point, steps, speed):
                self.write("progress", **point._asdict(), steps=steps, words_per_second=round(speed, 1))
            case EpochEnd():
                self.write("epoch", epoch=report.epoch, loss=report.loss)
            case CheckpointSaved():
                self.write("checkpoint", path=str(report.path), words=report.done_words)
            case CheckpointFailed():
                self.write("checkpoint_failed", reason=report.reason, words=report.done_words)
            case WorkerReplaced():
                self.write("worker_replaced", worker=report.worker, pid=report.pid, cause=report.cause)
            case NodeJoined():
                self.write("node_joined", name=report.name, workers=report.n_workers)
            case Stopped():
                self.write("stopped", words=report.done_words)
            case _:
                pass
