"""Words between a text and its corpus: as numbers in a file, counted, until the vocabulary is known and they become ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from parw2v.arraytypes import CountArray, TokenArray
from parw2v.text import MAX_SENTENCE_WORDS

STRETCH_WORDS = 1 << 20
"""Words are counted, and go to disk and back, this many at a time."""

LINE_END = 1
"""The number of what ends a sentence: readers take the line feed for a word, and see it first of all."""


class Spool:
    """The numbers of a run of text.

    Parameters
    ----------
    path : Path, optional
        Made anew. Without one the words are counted only.

    Attributes
    ----------
    counts : (n,) int64
        Occurrences by number; those of the line end are not counted.
    n_words : int
        Words so far.
    open_words : int
        Words after the last line end, or all if there is none.
    holds_line_end : bool
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.counts: CountArray = np.zeros(0, np.int64)
        self.n_words = 0
        self.open_words = 0
        self.holds_line_end = False
        if path:
            path.write_bytes(b"")

    def add(self, stretch: TokenArray) -> None:
        """Take in a run of numbers, with `LINE_END` where a sentence ends; OSError if there is no room for them."""
        counts = np.bincount(stretch, minlength=max(len(self.counts), LINE_END + 1))
        counts[: len(self.counts)] += self.counts
        counts[LINE_END] = 0
        self.counts = counts
        line_ends = np.flatnonzero(stretch == LINE_END)
        self.n_words += len(stretch) - len(line_ends)
        if len(line_ends):
            self.open_words = len(stretch) - 1 - int(line_ends[-1])
            self.holds_line_end = True
        else:
            self.open_words += len(stretch)
        if self.path:
            with self.path.open("ab") as file:
                file.write(stretch.data)

    def encode(self, new_ids: TokenArray, open_words: int, path: Path, start: int) -> bool:
        """Write the ids of all words into a file.

        Parameters
        ----------
        new_ids : (n,) int32
            By number, -1 for those to be left out.
        open_words : int
            Words of text before the first in the line that it stands in.
        path : Path
        start : int
            Word of the file where the ids go.

        Returns
        -------
        bool
            Whether a sentence ends before the first of them, though only what was spooled here shows it.
        """
        assert self.path is not None
        ends_before = False
        last = np.zeros(0, np.int32)  # the last id so far: what comes next may tell that it ends a sentence
        with self.path.open("rb") as source, path.open("r+b") as sink:
            sink.seek(4 * start)
            while len(numbers := np.fromfile(source, np.int32, STRETCH_WORDS)):
                ids, ends_last, open_words = _encoded(numbers, new_ids, open_words)
                if ends_last:
                    ends_before |= not len(last)
                    last = np.minimum(last, ~last)
                if len(ids):
                    sink.write(last.data)
                    sink.write(ids[:-1].data)
                    last = ids[-1:]
            sink.write(last.data)
        return ends_before


def stretches(pieces: Iterable[TokenArray]) -> Iterator[TokenArray]:
    """Join small pieces until they are worth a pass over the counts of all words."""
    waiting: list[TokenArray] = []
    n_waiting = 0
    for piece in pieces:
        waiting.append(piece)
        n_waiting += len(piece)
        if n_waiting >= STRETCH_WORDS:
            yield np.concatenate(waiting)
            waiting, n_waiting = [], 0
    if waiting:
        yield np.concatenate(waiting)


def _encoded(numbers: TokenArray, new_ids: TokenArray, open_words: int) -> tuple[TokenArray, bool, int]:
    """Turn the numbers of a stretch into ids, cutting lines after each `MAX_SENTENCE_WORDS` words of text.

    Parameters
    ----------
    numbers : (n,) int32
    new_ids : (V,) int32
        See `Spool.encode`.
    open_words : int
        Words before the stretch in the line that it starts in.

    Returns
    -------
    ids : (m,) int32
        With the last word of each sentence as ``~id``.
    ends_before : bool
        Whether a sentence ends before the first of `ids`.
    open_words : int
        For the next stretch.
    """
    line_ends = np.flatnonzero(numbers == LINE_END)
    starts = np.concatenate([[-(open_words % MAX_SENTENCE_WORDS)], line_ends + 1])  # of lines; before the stretch, too
    stops = np.append(line_ends, len(numbers))
    long = np.flatnonzero(stops - starts >= MAX_SENTENCE_WORDS)
    cuts = [np.arange(starts[i] + MAX_SENTENCE_WORDS, stops[i] + 1, MAX_SENTENCE_WORDS) for i in long]

    ids = new_ids.take(numbers.astype(np.intp))
    kept = np.flatnonzero(ids >= 0)
    ids = ids.take(kept)
    last = np.searchsorted(kept, np.concatenate([line_ends, *cuts])) - 1
    ends_before = bool((last < 0).any())
    last = last[last >= 0]
    ids[last] = ~ids[last]  # a word may be the last of several sentences, all but one of them left empty
    return ids, ends_before, len(numbers) - int(starts[-1])
