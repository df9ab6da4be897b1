"""What commands that read texts have in common: flags, names, and a bar while they read."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from parw2v.sources import text_files

DEFAULT_MIN_COUNT = 5


class OneOrMore(argparse.Action):
    """One value as it stands, several as a list: so a log says what was typed."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        assert values is not None
        setattr(namespace, self.dest, values[0] if len(values) == 1 else list(values))


def add_reading_flags(group: argparse._ActionsContainer) -> None:
    """How a text is read."""
    group.add_argument("--raw", action="store_true", help="take words as they stand between spaces instead of cleaning")
    group.add_argument("--max_tokens", type=int, metavar="N", help="read only the first N words")
    group.add_argument("--data_dir", type=Path, default=Path("data"), metavar="DIR", help="where data sets are kept")


def corpus_names(arguments: argparse.Namespace) -> list[str]:
    """What `OneOrMore` stored under ``--corpus``, as a list."""
    return [arguments.corpus] if isinstance(arguments.corpus, str) else arguments.corpus


def named_texts(names: Sequence[str], scratch: Path, arguments: argparse.Namespace) -> list[str]:
    """The files of a text: those of ``text8`` (downloaded) and ``sample`` (written to `scratch`), those named, in order."""
    return text_files([_named(name, scratch, arguments) for name in names])


def _named(name: str, scratch: Path, arguments: argparse.Namespace) -> str | Path:
    if name == "text8":
        from parw2v.datasets import fetch_text8

        return fetch_text8(arguments.data_dir, quiet=arguments.quiet)
    if name == "sample":
        from parw2v.sample import sample_text

        sample = scratch / "sample.txt"
        sample.write_text(sample_text(), encoding="utf-8")
        return sample
    return name


@contextlib.contextmanager
def reading_bar(*, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many words have been read; yields who is to be told."""
    if quiet or not sys.stderr.isatty():
        yield lambda words: None
        return
    from tqdm import tqdm

    with tqdm(unit=" words", unit_scale=True, desc="reading", leave=False) as bar:

        def advance(words: int) -> None:
            bar.update(words - bar.n)

        yield advance
