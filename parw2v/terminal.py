"""Text for a terminal: no word harms it, and columns align whatever the words are."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO


def printable(word: str) -> str:
    """Return `word` with everything a terminal might act on, or not show, written as a backslash escape."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in word) or "''"


def columns(text: str) -> int:
    """Columns that `text` takes on a terminal: two for a wide character, none for a mark that stands on another."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.category(c) in ("Mn", "Me") for c in text)


def aligned(rows: Sequence[tuple[str, str]], right: bool = False) -> Iterator[str]:
    """Yield a line for each pair, indented, the first made printable and padded.

    Parameters
    ----------
    rows : sequence of (name, value)
    right : bool
        Values end in the same column, as numbers should.
    """
    names = [printable(name) for name, _ in rows]
    name_width = max(map(columns, names), default=0)
    value_width = max((len(value) for _, value in rows), default=0) if right else 0
    for name, (_, value) in zip(names, rows, strict=True):
        yield f"  {name}{' ' * (name_width - columns(name))}  {value:>{value_width}}"


def print_lines(lines: Iterable[str], stream: TextIO) -> None:
    """Write lines with a backslash escape for what the stream's encoding lacks, so that no word can stop it."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    for line in lines:
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()
