"""What a text is made of: files, patterns for their names, standard input; and how it is shared out among readers."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeAlias

from parw2v.errors import CorpusError
from parw2v.text import cuts, is_plain

Source: TypeAlias = str | Path | Sequence[str | Path]
"""A file, a pattern, ``-`` for standard input, or a list of these: they are read in order as one text."""

UNPACKED = 3
"""Bytes of text in a byte of a compressed file, about: only decides which reader gets it."""


def text_files(source: Source) -> list[str]:
    """The files of a text, in the order in which they are read.

    Parameters
    ----------
    source : str, Path, or list of them
        A name that is that of a file stands for that file, whatever characters are in it. Another with ``*``, ``?`` or
        ``[`` is a pattern (``**`` for folders at any depth) and stands for the files that match, sorted by name.

    Raises
    ------
    CorpusError
        A file is missing, a directory, or standard input for the second time; a pattern matches no file; the list is
        empty.
    """
    given = [str(name) for name in ([source] if isinstance(source, str | Path) else source)]
    files = [file for name in given for file in _files_of(name)]
    if not files:
        raise CorpusError("the list of files is empty; give at least one")
    if files.count("-") > 1:
        raise CorpusError("-: standard input can be read only once; give it once")
    return files


def _files_of(name: str) -> list[str]:
    if name == "-":
        return [name]
    if glob.has_magic(name) and not os.path.lexists(name):
        matches = sorted(match for match in glob.iglob(name, recursive=True) if not os.path.isdir(match))
        if not matches:
            raise CorpusError(f"{shown(name)}: no file matches this pattern; check --corpus")
        return [match if match != "-" else "./-" for match in matches]
    try:
        os.stat(name)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise CorpusError(f"{shown(name)}: cannot be read ({why}); check --corpus") from error
    if os.path.isdir(name):
        raise CorpusError(
            f"{shown(name)}: is a directory; give its files, by a pattern: '{os.path.join(name, '*.txt')}'"
        )
    return [name]


def title(files: Sequence[str]) -> str:
    """How errors call a text: ``a.txt``, ``a.txt and 3 more``."""
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1:,} more"


def shown(name: str) -> str:
    """A name in one line that is not too long: what was meant as a file's may be a whole text."""
    line = " ".join(name.split())
    return line if len(line) <= 200 else line[:200] + "..."


class Part(NamedTuple):
    """What one reader reads in one go."""

    file: str
    start: int
    stop: int | None
    """Bytes of the file; None for its end."""
    ends_sentence: bool
    """Whether it ends a file that another follows, and so a sentence."""


def shares(files: Sequence[str], n_readers: int, range_bytes: int) -> list[list[Part]]:
    """Share a text out among readers: neighbouring parts to each, about as many bytes.

    Parameters
    ----------
    files : list of str
    n_readers : int
        As many shares as this, but no more than one for each `range_bytes`. Compressed files are not divided, and what
        is no file on disk (a pipe, standard input) only this process can read: then there is one share.

    Raises
    ------
    CorpusError
        See `parw2v.text.read_tokens`.
    """
    whole = [[Part(file, 0, None, i < len(files)) for i, file in enumerate(files, 1)]]
    if n_readers < 2 or not all(file != "-" and os.path.isfile(file) for file in files):
        return whole
    parts: list[Part] = []
    sizes: list[int] = []
    for i, file in enumerate(files, 1):
        if is_plain(file):
            ends = cuts(file, n_readers, range_bytes)
            parts += [Part(file, *bounds, ends_sentence=False) for bounds in pairwise(ends)]
            parts[-1] = parts[-1]._replace(ends_sentence=i < len(files))
            sizes += [stop - start for start, stop in pairwise(ends)]
        else:
            parts.append(Part(file, 0, None, i < len(files)))
            sizes.append(UNPACKED * os.path.getsize(file))
    total = sum(sizes)
    n_shares = min(n_readers, total // range_bytes, len(parts))
    if n_shares < 2:
        return whole
    if len(files) == 1:
        return [[part] for part in parts]
    found: list[list[Part]] = [[] for _ in range(n_shares)]
    before = 0
    for part, size in zip(parts, sizes, strict=True):
        middle = before + size // 2
        found[min(middle * n_shares // total, n_shares - 1)].append(part)
        before += size
    return [share for share in found if share]
