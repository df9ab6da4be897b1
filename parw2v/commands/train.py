"""``parw2v train``."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import glob
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from parw2v.arguments import EXIT_INTERRUPTED, setting_flags, train_settings
from parw2v.cache import CorpusCache, corpus_key, default_directory
from parw2v.checkpoint import remove_checkpoints
from parw2v.cluster.settings import Cluster
from parw2v.commands.configfile import save_config
from parw2v.commands.evaluator import Evaluator
from parw2v.commands.runlog import RunLog
from parw2v.commands.start import SHAPE, base_model, finished_model, rate_line, started_model
from parw2v.commands.texts import (
    DEFAULT_MIN_COUNT,
    OneOrMore,
    add_reading_flags,
    corpus_names,
    named_texts,
    reading_bar,
)
from parw2v.config import OBJECTIVES, TrainSettings
from parw2v.console import duration, show_progress
from parw2v.corpus import Corpus, encode_text
from parw2v.crew import check_memory
from parw2v.errors import Parw2vError, SettingsError
from parw2v.files import exclusive
from parw2v.memory import own_peak_memory
from parw2v.model import Word2Vec, check_shape, npz_path
from parw2v.progress import Finished
from parw2v.scratch import ScratchDirectory
from parw2v.trainer import Trainer
from parw2v.vocabulary import Vocabulary

EXAMPLES = """\
parw2v train --corpus sample --min_count 2 --epochs 10 --evaluate --plot
parw2v train --corpus text8 --out results/text8 --evaluate
parw2v train --corpus mytext.txt.gz --model cbow --dim 200 --workers 8
parw2v train --corpus intro.txt 'news/*.gz' --vocab words.json
zcat *.gz | parw2v train --corpus - --out results/mine"""


def add_train_flags(parser: argparse.ArgumentParser) -> None:
    """In groups: data, model, training, output."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="take flags from a TOML file; the command line wins"
    )
    data = parser.add_argument_group("data")
    data.add_argument(
        "--corpus",
        metavar="TEXT",
        required=True,
        nargs="+",
        action=OneOrMore,
        help="sample (built in), text8 (downloaded once), text files (.gz, .bz2 and .xz too) or quoted patterns such as "
        "'dir/*.gz', read in order, or - for standard input",
    )
    add_reading_flags(data)
    data.add_argument(
        "--vocab", type=Path, metavar="FILE", help="take words and counts from this vocabulary instead of counting"
    )
    data.add_argument(
        "--cache_dir",
        type=Path,
        metavar="DIR",
        help="where encoded texts are kept for later runs, up to 4 GB (default: ~/.cache/parw2v, "
        "or parw2v in $XDG_CACHE_HOME)",
    )
    data.add_argument("--no_cache", action="store_true", help="read the text anew and keep nothing")

    model = parser.add_argument_group("model")
    model.add_argument("--model", choices=OBJECTIVES, default=SHAPE["model"], help="training objective")
    model.add_argument("--dim", type=int, default=SHAPE["dim"], metavar="D", help="dimensions of a vector")
    model.add_argument(
        "--neg", type=int, default=SHAPE["neg"], metavar="K", help="negative samples for each positive pair"
    )
    setting_flags(model, "window")
    model.add_argument(
        "--min_count",
        type=int,
        metavar="N",
        help="leave out words that occur less often (default: 5, or what --vocab was made with)",
    )

    training = parser.add_argument_group("training")
    training.add_argument(
        "--init", type=Path, metavar="MODEL", help="start from the vectors of a saved model, word by word"
    )
    training.add_argument(
        "--update",
        type=Path,
        metavar="MODEL",
        help="train a saved model further on this text, with its new words; --model, --dim and --neg are the model's own",
    )
    names = ("epochs", "lr", "lr_min", "batch_size", "sample", "sample_rule", "seed", "workers")
    setting_flags(training, *names, "max_restarts", "hang_timeout")

    cluster = parser.add_argument_group("cluster")
    cluster.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="train on the machines of this Ray cluster, auto for the one this machine belongs to; --workers are those of "
        "each machine",
    )
    cluster.add_argument(
        "--nodes", type=int, metavar="N", help="machines to use, and to wait for (default: all, and those that join)"
    )
    cluster.add_argument(
        "--sync_words",
        type=int,
        metavar="N",
        help="words that all of them train between two rounds of telling one another; more of them cost accuracy, fewer "
        "cost speed (default: two million, of more than two machines a million by their number, or what makes 400 rounds)",
    )

    output = parser.add_argument_group("output")
    output.add_argument(
        "--out", type=Path, default=Path("results/model"), metavar="PATH", help="where the model goes, as PATH.npz"
    )
    output.add_argument(
        "--evaluate", action="store_true", help="evaluate after each epoch and report on the model at the end"
    )
    output.add_argument(
        "--plot", action="store_true", help="draw the loss curve and a map of the words beside the model"
    )
    output.add_argument(
        "--analogies",
        metavar="FILE",
        help="questions in the questions-words format, or questions-words itself, instead of the built-in",
    )
    output.add_argument(
        "--similarity",
        nargs="+",
        default=[],
        metavar="FILE",
        help="word pairs with human similarity scores, or wordsim353, simlex999",
    )
    setting_flags(output, "log_every", "checkpoint_every")
    output.add_argument(
        "--resume",
        action="store_true",
        help="continue a run that was stopped, from its last checkpoint, or one that has finished, to more --epochs",
    )
    output.add_argument("--log_json", type=Path, metavar="FILE", help="write a JSON line for each record")
    output.add_argument("--quiet", action="store_true", help="show nothing but errors and what --evaluate reports")


def run_train(arguments: argparse.Namespace) -> int:
    """Read, count, train, save, report."""
    settings = train_settings(arguments)
    base = base_model(arguments)
    check_shape(arguments.dim, arguments.neg, arguments.model)
    cluster = _cluster(arguments)
    out = npz_path(arguments.out)
    if out.is_dir():
        raise Parw2vError(f"{out}: is a directory; choose another --out")
    lock = out.with_name(f".{out.name}.lock")
    with (
        exclusive(lock, str(out)),
        ScratchDirectory(out.parent) as scratch,
        RunLog(arguments) as log,
        _cache(arguments) as cache,
    ):
        started = time.perf_counter()
        checkpoints = out.with_name(f"{out.stem}-checkpoints")
        _remove_unfinished(out, checkpoints)
        evaluator = Evaluator(arguments)
        resume = finished_model(arguments, out, checkpoints) or arguments.resume
        vocab, corpus = _encode(arguments, settings.n_workers, scratch, cache)
        if not arguments.update:  # whose model is there already
            check_memory(len(vocab), arguments.dim, settings.n_workers)
        model, corpus, line = started_model(arguments, base, vocab, corpus, scratch)
        vocab, base = model.vocab, None
        if line:
            _say(arguments, line)
        trainer = Trainer(
            model, vocab, corpus, settings=settings, checkpoint_dir=checkpoints, resume=resume, cluster=cluster
        )
        _say_start(arguments, trainer)
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
        path = _saved(model, out)
        if not save_config(settings_file := out.with_suffix(".toml"), all_settings):
            _say(arguments, f"settings are not written: {settings_file} is not a run's")
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
            blocks=finished.blocks,
            blocks_again=finished.blocks_again,
            restarts=finished.restarts,
            peak_memory_mb=round(max(finished.peak_memory, own_peak_memory()) / 2**20, 1),
            model=str(path),
            settings=all_settings,
            **found,
        )
        _say_where(arguments, path, found)
    return 0


def _cluster(arguments: argparse.Namespace) -> Cluster | None:
    """Where ``--ray`` says to train; found out first whether Ray is there."""
    if arguments.ray is None:
        for flag in ("nodes", "sync_words"):
            if getattr(arguments, flag) is not None:
                raise SettingsError(f"--{flag} is for a cluster; give its address with --ray")
        return None
    from parw2v.cluster.access import imported_ray

    imported_ray()
    return Cluster(arguments.ray, arguments.nodes, arguments.sync_words)


def _saved(model: Word2Vec, out: Path) -> Path:
    """Save the model; where it cannot be written, hours of work are not thrown away: it goes to the temporary directory."""
    try:
        return model.save(out)
    except Parw2vError as error:
        directory = Path(tempfile.mkdtemp(prefix="parw2v-model-"))
        try:
            path = model.save(directory / out.name)
        except Parw2vError:
            directory.rmdir()
            raise error from None
        raise Parw2vError(f"{error}; the trained model is in {path} instead, move it from there") from error


def _remove_unfinished(out: Path, checkpoints: Path) -> None:
    """Remove what a run left that was killed while it wrote; whoever calls holds the lock, so none is writing."""
    for left in (*out.parent.glob(f".{glob.escape(out.name)}.*.tmp"), *checkpoints.glob(".*.npz.*.tmp")):
        left.unlink(missing_ok=True)


def _cache(arguments: argparse.Namespace) -> contextlib.AbstractContextManager[CorpusCache | None]:
    """The cache of encoded corpora, if there is to be one."""
    directory = arguments.cache_dir or default_directory()
    if directory is None or arguments.no_cache or not {"sample", "-"}.isdisjoint(corpus_names(arguments)):
        return contextlib.nullcontext()
    return CorpusCache(directory, lambda text: _say(arguments, f"parw2v: warning: {text}"))


def _encode(
    arguments: argparse.Namespace, readers: int, scratch: Path, cache: CorpusCache | None
) -> tuple[Vocabulary, Corpus]:
    """Find the text, and take its encoded form from the cache or read it and leave it encoded in `scratch`."""
    vocabulary = _given_vocabulary(arguments)
    files = named_texts(corpus_names(arguments), scratch, arguments)
    started = time.perf_counter()
    least = 1 if arguments.update else arguments.min_count  # rare words of the text may be words of the model
    how: dict[str, Any] = {"min_count": least, "raw": arguments.raw, "max_tokens": arguments.max_tokens}
    how["vocabulary"] = vocabulary
    key = corpus_key(files, **how) if cache else None
    if cache and key and (found := cache.find(key)):
        vocab, corpus = found
        _say(arguments, f"{len(corpus):,} words of {len(vocab):,} kinds, read earlier ({cache.directory})")
        return found
    with reading_bar(quiet=arguments.quiet) as advance:
        vocab, corpus = encode_text(files, scratch, **how, progress=advance, readers=readers)
    took = duration(time.perf_counter() - started)
    _say(arguments, f"read {len(corpus):,} words of {len(vocab):,} kinds in {took}")
    if cache and key:
        cache.keep(key, vocab, corpus)
    return vocab, corpus


def _given_vocabulary(arguments: argparse.Namespace) -> Vocabulary | None:
    """The vocabulary of ``--vocab``, pruned if ``--min_count`` asks for it; decides what the latter is."""
    if arguments.vocab is None:
        arguments.min_count = DEFAULT_MIN_COUNT if arguments.min_count is None else arguments.min_count
        return None
    vocabulary = Vocabulary.load(arguments.vocab)
    if arguments.min_count is not None:
        vocabulary = vocabulary.pruned(arguments.min_count)
    arguments.min_count = vocabulary.min_count
    return vocabulary


def _settings_record(arguments: argparse.Namespace, settings: TrainSettings, trainer: Trainer) -> dict[str, Any]:
    """Everything the run was told or decided, by flag name."""
    given = {name: value for name, value in vars(arguments).items() if name != "command"}
    decided = {"lr": trainer.lr, "workers": settings.n_workers}
    return json.loads(json.dumps(given | dataclasses.asdict(settings) | decided, default=str))  # type: ignore[no-any-return]


def _say(arguments: argparse.Namespace, text: str) -> None:
    if not arguments.quiet:
        print(text, file=sys.stderr, flush=True)


def _say_start(arguments: argparse.Namespace, trainer: Trainer) -> None:
    """What is not plain about where training starts and at which learning rate."""
    for warning in trainer.warnings:
        print(f"parw2v: warning: {warning}", file=sys.stderr)
    if arguments.resume and not trainer.state.next_task:
        _say(arguments, f"no checkpoint in {trainer.checkpoint_dir}: starting from the beginning")
    if line := rate_line(arguments, trainer):
        _say(arguments, line)


def _say_where(arguments: argparse.Namespace, path: Path, found: dict[str, Any]) -> None:
    _say(arguments, f"vectors: {path}")
    for picture in found.get("pictures", []):
        _say(arguments, f"picture: {picture}")


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
