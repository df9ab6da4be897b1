"""Vectors in the formats of other programs.

A format is a row of `FORMATS`: the suffixes it goes by, what reads it and what writes it. Readers return `table.Vectors`,
however many words a file holds and however it is packed; writers take a model.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from parw2v.errors import ModelError, SettingsError
from parw2v.formats.fvocab import read_counts, write_counts
from parw2v.formats.projector import write_projector
from parw2v.formats.table import UNICODE_ERRORS, Vectors
from parw2v.formats.tensors import read_safetensors, write_safetensors
from parw2v.formats.word2vec_binary import read_binary, write_binary
from parw2v.formats.word2vec_text import read_text, write_text
from parw2v.model import Word2Vec
from parw2v.text import compression


class Format(NamedTuple):
    """One format."""

    suffixes: tuple[str, ...]
    packs: bool
    """Whether files of it may be compressed."""
    read: Callable[[Path, str, int], Vectors] | None
    """Takes the path, what to do about bad UTF-8, and how many words are wanted."""
    write: Callable[[Path, Word2Vec], list[Path]]


FORMATS = {
    "word2vec-text": Format((".txt", ".vec"), True, read_text, write_text),
    "word2vec-binary": Format((".bin",), True, read_binary, write_binary),
    "projector": Format((), False, None, write_projector),
    "safetensors": Format((".safetensors",), False, read_safetensors, write_safetensors),
}

READABLE = tuple(name for name, kind in FORMATS.items() if kind.read)


def load_vectors(path: str | Path) -> Word2Vec:
    """Load a model from any file that has one: vectors of other programs by their suffix, else a model of parw2v.

    Raises
    ------
    ModelError
        The file is missing, damaged, or holds something else.
    """
    return Word2Vec.load(path) if format_of(path) is None else import_vectors(path)


def import_vectors(
    path: str | Path,
    *,
    format: str | None = None,
    unicode_errors: str = "strict",
    limit: int | None = None,
    fvocab: str | Path | None = None,
) -> Word2Vec:
    """Read vectors of another program as a model, whose `W_out` is zero.

    Words of more than 100 characters are left out; ``settings["left_out"]`` tells how many were.

    Parameters
    ----------
    path : path
        May end in ``.gz``, ``.bz2`` or ``.xz``.
    format : str, optional
        One of `READABLE`; by suffix unless given. ``word2vec-text`` also reads fastText's ``.vec`` and GloVe's files.
    unicode_errors : {"strict", "replace", "ignore"}
        What to do about words that are not UTF-8, as in ``bytes.decode``. Of words that become alike the first is kept.
    limit : int, optional
        Read only the first so many words.
    fvocab : path, optional
        Counts, a word and its count a line. Without them each word counts 1.

    Raises
    ------
    ModelError
        A file is missing, damaged, or holds something else; the message names the line or the offset.
    SettingsError
        An option is out of its range, or no format goes by the suffix.
    """
    path = Path(path)
    if unicode_errors not in UNICODE_ERRORS:
        raise SettingsError(f"unicode_errors is {unicode_errors!r}; it must be one of {', '.join(UNICODE_ERRORS)}")
    if limit is not None and limit < 2:
        raise SettingsError(f"limit is {limit}; a model needs two words or more")
    name, kind = _format(path, format)
    if not kind.read:
        raise SettingsError(f"{name} is written only; formats that can be read are {', '.join(READABLE)}")
    found = kind.read(path, unicode_errors, sys.maxsize if limit is None else limit)
    counts = read_counts(Path(fvocab), found.words, unicode_errors) if fvocab else found.counts
    try:
        model = Word2Vec.from_vectors(found.words, found.vectors, counts)
    except ModelError as error:
        raise ModelError(f"{path}: {error}; use another copy") from error
    model.settings |= {"format": name, "left_out": found.left_out}
    return model


def export_vectors(
    model: Word2Vec, path: str | Path, *, format: str | None = None, fvocab: str | Path | None = None
) -> list[Path]:
    """Write the word vectors of a model for another program, atomically; returns the paths written.

    Parameters
    ----------
    path : path
        A directory for ``projector``; else a file, compressed if it ends in ``.gz``, ``.bz2`` or ``.xz``.
    format : str, optional
        One of `FORMATS`; by suffix unless given.
    fvocab : path, optional
        Write the counts there, a word and its count a line.

    Raises
    ------
    ModelError
        A word cannot stand in the format, or counts are asked for that nobody knows.
    SettingsError
        No format goes by the suffix.
    """
    path = Path(path)
    kind = _format(path, format)[1]
    if fvocab and not model.counts_known:
        raise ModelError(
            f"{fvocab}: the counts of these words are not known; leave --fvocab out, or import with it first"
        )
    written = kind.write(path, model)
    return [*written, write_counts(Path(fvocab), model.vocab)] if fvocab else written


def format_of(path: str | Path) -> str | None:
    """The name of the format that a path's suffix tells, if it does."""
    path = Path(path)
    packed = compression(path)
    suffix = path.with_suffix("").suffix.lower() if packed else path.suffix.lower()
    return next((n for n, kind in FORMATS.items() if suffix in kind.suffixes and (kind.packs or not packed)), None)


def _format(path: Path, name: str | None) -> tuple[str, Format]:
    if name is None:
        name = format_of(path)
    if name is None:
        known = ", ".join(f"{suffix} ({n})" for n, kind in FORMATS.items() for suffix in kind.suffixes)
        raise SettingsError(f"{path}: its suffix tells no format; give --format, or one of {known}")
    if name not in FORMATS:
        raise SettingsError(f"format is {name!r}; it must be one of {', '.join(FORMATS)}")
    if compression(path) and not FORMATS[name].packs:
        raise SettingsError(f"{path}: {name} is not written or read compressed; leave {compression(path)} out")
    return name, FORMATS[name]
