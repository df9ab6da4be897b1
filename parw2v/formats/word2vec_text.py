r"""word2vec's text format, which fastText's ``.vec`` is too, and GloVe's, which is the same without the first line.

::

    V D\n                          two whole numbers
    word x1 x2 ... xD\n            V times, in UTF-8; one space between

Numbers are written as the shortest text that gives the same float32 again. It is what gensim writes.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from parw2v.arraytypes import FloatArray
from parw2v.errors import ModelError
from parw2v.formats.streams import reading, write_stream
from parw2v.formats.table import MAX_DIMENSION, Table, Vectors, check_promise, sizes, spelled
from parw2v.model import Word2Vec
from parw2v.text import is_plain

LONGEST_LINE = 1 << 20
"""Bytes: a line of 10,000 dimensions takes a quarter of it."""

BLOCK_NUMBERS = 1 << 18
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_text(path: Path, unicode_errors: str, wanted: int) -> Vectors:
    """Read the first `wanted` words.

    Raises
    ------
    ModelError
        A line is something else, there are fewer or more than the first one says, or one holds what no model can hold.
    """
    with reading(path) as stream, warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # so some versions of NumPy say that a text is no number
        lines = _lines(path, stream)
        first = next(lines, (1, b""))[1].removeprefix(_BYTE_ORDER_MARK)
        promised = rows = None
        if header := sizes(first):
            promised, dimension = header
            if is_plain(path):
                rows = min(promised, wanted)
                check_promise(path, rows, dimension, rows * (2 * dimension + 2))
        else:
            dimension = first.count(b" ")
            if not 1 <= dimension <= MAX_DIMENSION:
                raise ModelError(
                    f"{path}: line 1: 'V D', or a word and its vector, should stand there, not {_shown(first)}; "
                    "give the right --format"
                )
            lines = itertools.chain([(1, first)], lines)
        table = Table(path, dimension, rows, unicode_errors)
        _read_rows(path, lines, table, dimension, wanted, promised)
        return table.finish()


def _lines(path: Path, stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the lines with their numbers, without white space at their ends; empty ones may stand at the end only."""
    for number in itertools.count(1):
        line = stream.readline(LONGEST_LINE)
        if len(line) == LONGEST_LINE:
            raise ModelError(f"{path}: line {number}: has {LONGEST_LINE:,} bytes or more; give the right --format")
        if not line:
            return
        if not (stripped := line.rstrip()):
            while more := stream.read(LONGEST_LINE):  # a small packed file may hold millions of empty lines
                if more.strip():
                    raise ModelError(
                        f"{path}: line {number}: is empty, with more after it; remove it or use another copy"
                    )
            return
        yield number, stripped


def _read_rows(
    path: Path,
    lines: Iterator[tuple[int, bytes]],
    table: Table,
    dimension: int,
    wanted: int,
    promised: int | None,
) -> None:
    """Read up to `wanted` lines of a word and its vector each into a table."""
    block = np.empty((max(1, BLOCK_NUMBERS // dimension), dimension), np.float32)
    words: list[bytes] = []
    count = number = 0

    def add() -> None:
        start = number - len(words) + 1
        table.add(words, block[: len(words)], lambda i: f"line {start + i}")
        words.clear()

    for number, line in lines:
        if count == promised:
            raise ModelError(
                f"{path}: line {number}: line 1 promises {promised:,} words and here is one more; correct it"
            )
        word, _, rest = line.partition(b" ")
        vector = _numbers(rest, dimension)
        if vector is None:
            raise ModelError(
                f"{path}: line {number}: a word without a space in it and {dimension:,} numbers should stand there, "
                f"not {_shown(line)}; correct it, or give the right --format"
            )
        block[len(words)] = vector
        words.append(word)
        count += 1
        if len(words) == len(block):
            add()
        if count == wanted and count != promised:
            break
    add()
    if promised is not None and count < min(promised, wanted):
        raise ModelError(f"{path}: line {number}: is the last, {promised - count:,} words too early; use another copy")


def _numbers(text: bytes, dimension: int) -> FloatArray | None:
    """(D,) float32, or None if something else stands there."""
    if text.count(b" ") != dimension - 1:  # counted here: NumPy takes 1.5.2 for two numbers, or did
        return None
    try:
        numbers = np.fromstring(text, np.float32, sep=" ")
    except (ValueError, DeprecationWarning):
        return None
    return numbers if len(numbers) == dimension else None


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("utf-8", "replace"))


def write_text(path: Path, model: Word2Vec) -> list[Path]:
    """Write the word vectors of a model; returns the path in a list."""
    words = spelled(path, model.vocab.words)
    rows = max(1, BLOCK_NUMBERS // model.embed_dim)

    def write(file: BinaryIO) -> None:
        file.write(b"%d %d\n" % model.W_in.shape)
        for first in range(0, len(words), rows):
            texts = model.W_in[first : first + rows].astype("S").tolist()
            lines = [b"%b %b\n" % (word, b" ".join(row)) for word, row in zip(words[first:], texts, strict=False)]
            file.write(b"".join(lines))

    return [write_stream(path, write)]
