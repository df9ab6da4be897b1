"""``--evaluate``: how good the vectors are, after each epoch and at the end."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from parw2v.arraytypes import FloatArray
from parw2v.model import Word2Vec, normalise
from parw2v.progress import EpochEnd, Report
from parw2v.trainer import Trainer
from parw2v.vocabulary import Vocabulary


class Evaluator:
    """Scores a copy of the vectors after each epoch, in a thread, while training goes on.

    The question files are read first of all, so that a mistake in one shows before hours of training.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.pending: list[tuple[EpochEnd, Future[tuple[str, dict[str, Any]]]]] = []
        self.thread = ThreadPoolExecutor(1)
        self.sections: list[Any] = []
        self.pairs: list[tuple[str, Any]] = []
        self.similarity: list[Path] = []
        if self.active:
            from parw2v.catalogue import named_or_file
            from parw2v.evaluation import builtin_analogies, read_analogies, read_similarity

            def found(given: str, kind: str) -> Path:
                return named_or_file(given, kind, arguments.data_dir, quiet=arguments.quiet)

            given = arguments.analogies
            self.sections = builtin_analogies() if given is None else read_analogies(found(given, "analogies"))
            self.similarity = [found(path, "similarity") for path in arguments.similarity]
            self.pairs = [(path.name, read_similarity(path)) for path in self.similarity]

    @property
    def active(self) -> bool:
        """Whether anything is to be evaluated; question files alone ask for it too."""
        return bool(self.arguments.evaluate or self.arguments.analogies is not None or self.arguments.similarity)

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *exc: object) -> None:
        self.thread.shutdown(cancel_futures=True)

    def consider(self, report: Report, vocab: Vocabulary) -> None:
        """Start an evaluation at the end of an epoch, unless the full report is about to follow."""
        if self.active and isinstance(report, EpochEnd) and report.epoch + 1 < report.epochs:
            future = self.thread.submit(self._evaluate, report.copy_vectors(), vocab)
            self.pending.append((report, future))

    def results(self, wait: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
        """The evaluations that are ready, or all if there is to be a `wait`: a line for people and a record."""
        while self.pending and (wait or self.pending[0][1].done()):
            end, future = self.pending.pop(0)
            text, record = future.result()
            yield f"  after epoch {end.epoch + 1}: {text}", {"epoch": end.epoch, **record}

    def _evaluate(self, vectors: FloatArray, vocab: Vocabulary) -> tuple[str, dict[str, Any]]:
        from threadpoolctl import threadpool_limits

        from parw2v.evaluation import evaluate_analogies, evaluate_similarity

        with threadpool_limits(1):  # the other cores are training
            units = normalise(vectors)
            analogies = evaluate_analogies(units, vocab.words, self.sections)
            similarity = [evaluate_similarity(units, vocab.index, name, pairs) for name, pairs in self.pairs]
        accuracy = analogies.accuracy
        texts = [] if accuracy is None else [f"analogies {accuracy:.1%}"]
        texts += [f"{report.name} {report.spearman:.3f}" for report in similarity if report.spearman is not None]
        record = {"analogies": accuracy, "similarity": {report.name: report.spearman for report in similarity}}
        return ", ".join(texts) or "no question has all its words in the vocabulary", record

    def full_report(self, model: Word2Vec, trainer: Trainer, out_dir: Path) -> dict[str, Any]:
        """``--evaluate`` and ``--plot`` at the end: print the report, draw the pictures."""
        if not (self.active or self.arguments.plot):
            return {}
        from parw2v.report import full_report

        report = full_report(
            model,
            plot=self.arguments.plot,
            loss_history=trainer.loss_history,
            out_dir=out_dir,
            analogies=self.sections or None,
            similarity=self.similarity,
        )
        return report.to_dict()
