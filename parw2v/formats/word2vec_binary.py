r"""word2vec's binary format.

::

    V D\n                          two whole numbers in ASCII
    word, space, D x float32       V times; little-endian, nothing after it

word2vec.c puts a line feed after each vector, gensim does not; both are read (line feeds before a word are dropped, as
gensim does). What is written is what gensim writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from parw2v.errors import ModelError
from parw2v.formats.streams import reading, write_stream
from parw2v.formats.table import Table, Vectors, check_promise, sizes, spelled
from parw2v.model import Word2Vec
from parw2v.text import is_plain

BLOCK_BYTES = 1 << 19
"""Read at a time: a block and what is made of it stay in the processor's cache."""
MAX_WORD_BYTES = 4096
"""Without a space in so many bytes, what is read is no word."""

_FASTTEXT = (793712314).to_bytes(4, "little")
"""What fastText's own models, which are also called ``.bin``, start with."""


def read_binary(path: Path, unicode_errors: str, wanted: int) -> Vectors:
    """Read the first `wanted` words, a block at a time; memory is that of the vectors and little more.

    Raises
    ------
    ModelError
        The file is not in this format, cut short, longer than its header says, or holds what no model can hold.
    """
    with reading(path) as stream:
        header = stream.readline(100)
        if header.startswith(_FASTTEXT):
            raise ModelError(f"{path}: is a model of fastText; its .vec file can be read")
        found = sizes(header)
        if not found:
            raise ModelError(
                f"{path}: line 1: 'V D', the numbers of words and dimensions, should stand there, not {header[:40]!r}; "
                "give the right --format"
            )
        n_words, dimension = found
        wanted = min(n_words, wanted)
        if plain := is_plain(path):
            check_promise(path, wanted, dimension, len(header) + wanted * (4 * dimension + 2))
        table = Table(path, dimension, wanted if plain else None, unicode_errors)
        rest, offset = _read_records(path, stream, table, wanted, dimension, len(header))
        if wanted == n_words and (rest := rest + stream.read(2)) not in (b"", b"\n"):
            raise ModelError(
                f"{path}: offset {offset}: something stands after the last of {n_words:,} words; "
                "correct the header or use another copy"
            )
        return table.finish()


def _read_records(
    path: Path, stream: BinaryIO, table: Table, left: int, dimension: int, offset: int
) -> tuple[bytes, int]:
    """Read `left` records into a table; returns what was read beyond them, and its place in the file."""
    width = 4 * dimension
    data = b""
    while left:
        block = stream.read(BLOCK_BYTES)
        data = data + block if data else block
        starts, ends = _spaces(data, width, left)
        if starts:
            words = [data[start:end].lstrip(b"\n") for start, end in zip(starts, ends, strict=True)]
            joined = b"".join([data[end + 1 : end + 1 + width] for end in ends])
            vectors = np.frombuffer(joined, "<f4").reshape(-1, dimension)
            base = offset
            table.add(words, vectors, lambda i: f"offset {base + starts[i]}")  # noqa: B023  # called before the next
            used = ends[-1] + 1 + width
            left -= len(starts)
            data, offset = data[used:], offset + used
        if left and b" " not in data[: MAX_WORD_BYTES + 1] and len(data) > MAX_WORD_BYTES:
            raise ModelError(f"{path}: offset {offset}: no word stands there; it is damaged or in another --format")
        if left and not block:
            raise ModelError(f"{path}: offset {offset + len(data)}: ends {left:,} words too early; use another copy")
    return data, offset


def _spaces(data: bytes, width: int, most: int) -> tuple[list[int], list[int]]:
    """Where the whole records in `data` start, and where the space after each word is."""
    starts: list[int] = []
    ends: list[int] = []
    find, start, last = data.find, 0, max(len(data) - width, 0)
    for _ in range(most):
        end = find(b" ", start, last)
        if end < 0 or end - start > MAX_WORD_BYTES:
            break
        starts.append(start)
        ends.append(end)
        start = end + 1 + width
    return starts, ends


def write_binary(path: Path, model: Word2Vec) -> list[Path]:
    """Write the word vectors of a model; returns the path in a list."""
    words = spelled(path, model.vocab.words)
    width = 4 * model.embed_dim
    rows = max(1, BLOCK_BYTES // width)

    def write(file: BinaryIO) -> None:
        file.write(b"%d %d\n" % model.W_in.shape)
        for first in range(0, len(words), rows):
            block = model.W_in[first : first + rows].astype("<f4").tobytes()
            parts = [
                part
                for i, word in enumerate(words[first : first + rows])
                for part in (word, b" ", block[i * width : (i + 1) * width])
            ]
            file.write(b"".join(parts))

    return [write_stream(path, write)]
