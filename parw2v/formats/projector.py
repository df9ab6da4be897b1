"""The two files that the TensorFlow embedding projector loads.

``vectors.tsv`` has a vector a line, tabs between its numbers; ``metadata.tsv`` a word a line, and no heading, because
there is one column only. The projector cuts at tabs and line ends and drops what it takes for an empty line, so whatever
is not printable, is a space of any kind, or is a backslash stands there as a backslash escape.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from parw2v.formats.streams import write_stream
from parw2v.model import Word2Vec

BLOCK_NUMBERS = 1 << 18


def write_projector(directory: Path, model: Word2Vec) -> list[Path]:
    """Write both files into a directory, which is made if need be; returns their paths."""
    rows = max(1, BLOCK_NUMBERS // model.embed_dim)
    metadata = "".join(f"{_escaped(word)}\n" for word in model.vocab.words).encode()

    def write(file: BinaryIO) -> None:
        for first in range(0, len(model), rows):
            texts = model.W_in[first : first + rows].astype("S").tolist()
            file.write(b"".join(b"%b\n" % b"\t".join(row) for row in texts))

    return [
        write_stream(directory / "vectors.tsv", write),
        write_stream(directory / "metadata.tsv", lambda file: file.write(metadata)),
    ]


def _escaped(word: str) -> str:
    if word.isalnum():
        return word
    return "".join(c if c.isprintable() and c not in " \\" else _escape(c) for c in word) or "''"


def _escape(character: str) -> str:
    return "\\x20" if character == " " else ascii(character)[1:-1]
