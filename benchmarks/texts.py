"""The text that a benchmark trains on, as it is and in lines that every trainer can read."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from common import ROOT

from parw2v.text import SENTENCE_END, read_tokens

LINE_WORDS = 1000
"""parw2v cuts longer lines there, fastText at 1,024, gensim at 10,000."""

TEXT8 = ROOT / "data" / "text8"


@dataclass(frozen=True)
class Text:
    """A text in two files, which may be the same.

    Attributes
    ----------
    name : str
        For the record.
    whole : Path
        As it is, cut to ``--max_tokens``. Words are what stands between white space.
    lines : Path
        The same words in lines of at most `LINE_WORDS`; `whole` itself if it has no longer ones.
    words : int
    line_ends : int
        In `whole`.
    note : str
        What has to be known of it to read the figures; may be empty.
    """

    name: str
    whole: Path
    lines: Path
    words: int
    line_ends: int = 0
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        """For the record."""
        return {"name": self.name, "words": self.words, "bytes": self.whole.stat().st_size} | (
            {"note": self.note} if self.note else {}
        )


def text_of(arguments: argparse.Namespace, scratch: Path, *, sample_copies: int = 8) -> Text:
    """The text that the flags ask for; copies of it are made in `scratch`."""
    note = ""
    source = Path(arguments.corpus or (TEXT8 if TEXT8.exists() else "sample"))
    if str(source) == "sample":
        from parw2v.sample import sample_text

        source = scratch / "sample.txt"
        source.write_text(sample_text() * sample_copies, encoding="utf-8")
        name = f"the built-in sample, {sample_copies} times over"
        note = (
            "The built-in sample is too small to measure speed or accuracy on: its few words fit in the processor's "
            "cache and all are frequent. Give a text of tens of millions of words: CORPUS=FILE."
        )
    else:
        name = source.name
        if not source.is_file():
            raise SystemExit(f"{source}: no such file; give a text as CORPUS=FILE")
    if arguments.max_tokens:
        name = f"the start of {name}"
    lines = scratch / "lines.txt"
    words, longest = write_lines(source, lines, arguments.max_tokens or None)
    if arguments.max_tokens or source.suffix in (".gz", ".bz2", ".xz"):
        source = lines  # what the peers cannot read as it is, none is given
    elif longest <= LINE_WORDS:
        lines.unlink()
        lines = source
    return Text(name, source.resolve(), lines.resolve(), words, count_lines(source), note)


def count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def write_lines(source: Path, path: Path, max_tokens: int | None = None) -> tuple[int, int]:
    """Write a text in lines of at most `LINE_WORDS` words; returns its words and those of its longest line."""
    line: list[bytes] = []
    n_words = longest = length = 0
    with path.open("wb") as file:

        def end_line() -> None:
            nonlocal line, n_words
            if line:
                file.write(b" ".join(line) + b"\n")
                n_words += len(line)
                line = []

        for tokens in read_tokens(source, raw=True, max_tokens=max_tokens):
            for token in tokens:
                if token == SENTENCE_END:
                    end_line()
                    length = 0
                    continue
                line.append(token)
                length += 1
                longest = max(longest, length)
                if len(line) == LINE_WORDS:
                    end_line()
        end_line()
    return n_words, longest
