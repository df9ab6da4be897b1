"""Counts of words beside their vectors, as word2vec.c writes them with ``-save-vocab``: a word and its count a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from parw2v.arraytypes import CountArray
from parw2v.errors import ModelError
from parw2v.formats.streams import reading, write_stream
from parw2v.formats.table import spelled
from parw2v.vocabulary import Vocabulary

LONGEST_LINE = 1 << 16


def read_counts(path: Path, words: Sequence[str], unicode_errors: str) -> CountArray:
    """(V,) int64: the counts of some words, each at least 1; words of the file that are not among them are passed over.

    word2vec.c counts ``</s>`` as 0 in a text without line ends, where a vocabulary here starts at 1.

    Raises
    ------
    ModelError
        A line is something else, a word stands twice (under ``strict``; else the first counts), or one is missing.
    """
    counts: dict[str, int] = {}
    with reading(path) as stream:
        number = 0
        while line := stream.readline(LONGEST_LINE):
            number += 1
            raw, _, count = line.rstrip().rpartition(b" ")
            if not (raw and count.isdigit() and len(count) <= 18):
                shown = repr(line[:60].decode("utf-8", "replace"))
                raise ModelError(
                    f"{path}: line {number}: a word and a count should stand there, not {shown}; correct it"
                )
            try:
                word = raw.decode("utf-8", unicode_errors)
            except UnicodeDecodeError as error:
                what = f"the word {raw[:40]!r} is not UTF-8; give --unicode_errors replace or ignore"
                raise ModelError(f"{path}: line {number}: {what}") from error
            if word in counts and unicode_errors == "strict":
                raise ModelError(f"{path}: line {number}: the word {word[:40]!r} stands there a second time; remove it")
            counts.setdefault(word, max(int(count), 1))
    missing = next((word for word in words if word not in counts), None)
    if missing is not None:
        raise ModelError(f"{path}: has no count of {missing[:40]!r}; give the file that was written with the vectors")
    return np.array([counts[word] for word in words], np.int64)


def write_counts(path: Path, vocab: Vocabulary) -> Path:
    """Write the counts of a vocabulary."""
    words = spelled(path, vocab.words)
    lines = [b"%b %d\n" % (word, count) for word, count in zip(words, vocab.counts.tolist(), strict=True)]
    return write_stream(path, lambda file: file.write(b"".join(lines)))
