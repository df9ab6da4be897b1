"""What each command does, and the one place where errors become exit statuses."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import glob
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from parw2v.arguments import parse, train_settings
from parw2v.arraytypes import FloatArray
from parw2v.cache import CorpusCache, corpus_key, default_directory
from parw2v.checkpoint import remove_checkpoints
from parw2v.config import TrainSettings
from parw2v.console import duration, show_progress
from parw2v.corpus import Corpus, ScratchDirectory, encode_text
from parw2v.errors import Parw2vError
from parw2v.files import exclusive
from parw2v.memory import own_peak_memory
from parw2v.model import Word2Vec, check_shape, normalise, npz_path
from parw2v.progress import CheckpointSaved, EpochEnd, Finished, Logged, Report, Stopped, WorkerReplaced
from parw2v.trainer import Trainer
from parw2v.vocabulary import Vocabulary

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status: 0, 2 for an error, 130 when interrupted."""
    _replace_closed_streams()
    arguments = parse(list(sys.argv[1:] if argv is None else argv))
    try:
        with _terminable():
            return train(arguments)
    except Parw2vError as error:
        print(f"parw2v: error: {error}", file=sys.stderr)
        return EXIT_ERROR
    except MemoryError:
        print("parw2v: error: memory ran out; lower --dim or raise --min_count", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("parw2v: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # whoever read our output has gone, and knows
            where = f"{error.filename}: " if error.filename else ""
            print(f"parw2v: error: {where}{error.strerror or error}", file=sys.stderr)
        _give_up_on_output()
        return EXIT_ERROR


def _replace_closed_streams() -> None:
    """Started without standard streams (``2>&-``), read and write nothing rather than the next file to be opened."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # for as long as the process lives


def _give_up_on_output() -> None:
    """If standard output takes no more, keep Python from trying again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def train(arguments: argparse.Namespace) -> int:
    """``parw2v train``: read, count, train, save, report."""
    settings = train_settings(arguments)
    check_shape(arguments.dim, arguments.neg, arguments.model)
    out = npz_path(arguments.out)
    if out.is_dir():
        raise Parw2vError(f"{out}: is a directory; choose another --out")
    lock = out.with_name(f".{out.name}.lock")
    with (
        exclusive(lock, str(out)),
        ScratchDirectory(out.parent) as scratch,
        _RunLog(arguments) as log,
        _cache(arguments) as cache,
    ):
        started = time.perf_counter()
        checkpoints = out.with_name(f"{out.stem}-checkpoints")
        _remove_unfinished(out, checkpoints)
        evaluator = _Evaluator(arguments)
        vocab, corpus = _encode(arguments, settings.n_workers, scratch, cache)
        model = Word2Vec(vocab, arguments.dim, arguments.neg, arguments.model, seed=settings.seed)
        trainer = Trainer(model, vocab, corpus, settings=settings, checkpoint_dir=checkpoints, resume=arguments.resume)
        _say_resume(arguments, trainer)
        all_settings = _settings_record(arguments, settings, trainer)
        log.write("start", settings=all_settings, vocabulary=len(vocab), corpus_words=len(corpus))

        finished = None
        with _stop_on_signal(trainer), evaluator, contextlib.closing(trainer.reports()) as reports:
            for report in show_progress(reports, quiet=arguments.quiet):
                log.record(report)
                if isinstance(report, Finished):
                    finished = report
                    prep_seconds = time.perf_counter() - started - report.stretch_seconds
                evaluator.consider(report, vocab)
                for text, record in evaluator.results(wait=finished is not None):
                    log.write("evaluation", **record)
                    _say(arguments, text)
        if finished is None:
            return EXIT_INTERRUPTED
        path = model.save(out)
        remove_checkpoints(checkpoints)
        found = evaluator.full_report(model, trainer, out.parent)
        log.write(
            "done",
            raw_words=finished.raw_words,
            kept_words=finished.kept_words,
            prep_seconds=round(prep_seconds, 3),
            train_seconds=round(finished.train_seconds, 3),
            words_per_second=round(finished.words_per_second, 1),
            loss=round(finished.loss, 6),
            peak_memory_mb=round(max(finished.peak_memory, own_peak_memory()) / 2**20, 1),
            model=str(path),
            settings=all_settings,
            **found,
        )
        _say_where(arguments, path, found)
    return 0


def _remove_unfinished(out: Path, checkpoints: Path) -> None:
    """Remove what a run left that was killed while it wrote; whoever calls holds the lock, so none is writing."""
    for left in (*out.parent.glob(f".{glob.escape(out.name)}.*.tmp"), *checkpoints.glob(".*.npz.*.tmp")):
        left.unlink(missing_ok=True)


def _cache(arguments: argparse.Namespace) -> contextlib.AbstractContextManager[CorpusCache | None]:
    """The cache of encoded corpora, if there is to be one."""
    directory = arguments.cache_dir or default_directory()
    if directory is None or arguments.no_cache or arguments.corpus in ("sample", "-"):
        return contextlib.nullcontext()
    return CorpusCache(directory, lambda text: _say(arguments, f"parw2v: warning: {text}"))


def _encode(
    arguments: argparse.Namespace, readers: int, scratch: Path, cache: CorpusCache | None
) -> tuple[Vocabulary, Corpus]:
    """Find the text, and take its encoded form from the cache or read it and leave it encoded in `scratch`."""
    source: str | Path = arguments.corpus
    if source == "text8":
        from parw2v.datasets import fetch_text8

        source = fetch_text8(arguments.data_dir, quiet=arguments.quiet)
    elif source == "sample":
        from parw2v.sample import sample_text

        source = scratch / "sample.txt"
        source.write_text(sample_text(), encoding="utf-8")
    started = time.perf_counter()
    how: dict[str, Any] = {"min_count": arguments.min_count, "raw": arguments.raw, "max_tokens": arguments.max_tokens}
    key = corpus_key(source, **how) if cache else None
    if cache and key and (found := cache.find(key)):
        vocab, corpus = found
        _say(arguments, f"{len(corpus):,} words of {len(vocab):,} kinds, read earlier ({cache.directory})")
        return found
    with _reading_bar(arguments) as advance:
        vocab, corpus = encode_text(source, scratch, **how, progress=advance, readers=readers)
    took = duration(time.perf_counter() - started)
    _say(arguments, f"read {len(corpus):,} words of {len(vocab):,} kinds in {took}")
    if cache and key:
        cache.keep(key, vocab, corpus)
    return vocab, corpus


@contextlib.contextmanager
def _reading_bar(arguments: argparse.Namespace) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many words have been read; yields who is to be told."""
    if arguments.quiet or not sys.stderr.isatty():
        yield lambda words: None
        return
    from tqdm import tqdm

    with tqdm(unit=" words", unit_scale=True, desc="reading", leave=False) as bar:

        def advance(words: int) -> None:
            bar.update(words - bar.n)

        yield advance


def _settings_record(arguments: argparse.Namespace, settings: TrainSettings, trainer: Trainer) -> dict[str, Any]:
    """Everything the run was told or decided, by flag name."""
    given = {name: value for name, value in vars(arguments).items() if name != "command"}
    decided = {"lr": trainer.lr, "workers": settings.n_workers}
    return json.loads(json.dumps(given | dataclasses.asdict(settings) | decided, default=str))  # type: ignore[no-any-return]


def _say(arguments: argparse.Namespace, text: str) -> None:
    if not arguments.quiet:
        print(text, file=sys.stderr, flush=True)


def _say_resume(arguments: argparse.Namespace, trainer: Trainer) -> None:
    for warning in trainer.warnings:
        print(f"parw2v: warning: {warning}", file=sys.stderr)
    if arguments.resume and not trainer.state.next_task:
        _say(arguments, f"no checkpoint in {trainer.checkpoint_dir}: starting from the beginning")


def _say_where(arguments: argparse.Namespace, path: Path, found: dict[str, Any]) -> None:
    _say(arguments, f"vectors: {path}")
    for picture in found.get("pictures", []):
        _say(arguments, f"picture: {picture}")


# ---------------------------------------------------------------------------------------------- consumers of reports


class _RunLog:
    """``--log_json``: a JSON line for each record, flushed as it is written."""

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

    def __enter__(self) -> _RunLog:
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
            case WorkerReplaced():
                self.write("worker_replaced", worker=report.worker, pid=report.pid, cause=report.cause)
            case Stopped():
                self.write("stopped", words=report.done_words)
            case _:
                pass


class _Evaluator:
    """``--evaluate``: scores a copy of the vectors after each epoch, in a thread, while training goes on.

    The question files are read first of all, so that a mistake in one shows before hours of training.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.pending: list[tuple[EpochEnd, Future[tuple[str, dict[str, Any]]]]] = []
        self.thread = ThreadPoolExecutor(1)
        self.sections: list[Any] = []
        self.pairs: list[tuple[str, Any]] = []
        if self.active:
            from parw2v.evaluation import builtin_analogies, read_analogies, read_similarity

            given = arguments.analogies
            self.sections = read_analogies(given) if given else builtin_analogies()
            self.pairs = [(path.name, read_similarity(path)) for path in arguments.similarity]

    @property
    def active(self) -> bool:
        """Whether anything is to be evaluated; question files alone ask for it too."""
        return bool(self.arguments.evaluate or self.arguments.analogies or self.arguments.similarity)

    def __enter__(self) -> _Evaluator:
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
            similarity=self.arguments.similarity,
        )
        return report.to_dict()


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt, as Ctrl-C does: what is open is closed, what is temporary removed."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _stop_on_signal(trainer: Trainer) -> Iterator[None]:
    """Ctrl-C or SIGTERM once: finish the blocks in flight, write a checkpoint, exit 130. Twice: stop at once."""
    asked = False

    def handle(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            for other in before:  # cleaning up takes two seconds at most; a third would interrupt that
                signal.signal(other, signal.SIG_IGN)
            raise KeyboardInterrupt
        asked = True
        trainer.request_stop()
        with contextlib.suppress(OSError):  # not print: the signal may have come in the middle of one
            os.write(2, b"\nstopping after a checkpoint; once more to stop at once\n")

    before: dict[int, Callable[..., Any] | int | None] = {}
    try:
        for number in map(int, (signal.SIGINT, signal.SIGTERM)):
            before[number] = signal.signal(number, handle)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
