"""Pairs of neighbouring words in an encoded text: what one worker does to its share of it.

::

    sort    its part of the text --> the pairs in it, sorted stretch by stretch, in a file of its own
    count   some range of pairs: that range of every worker's stretches, sorted together --> how often each pair occurs
    join    its part --> the same with some pairs made one word, in a new file
    write   its part --> text

A pair of words ``a b`` is one integer, its key: ``a * V + b``. Sorting the keys on disk counts any number of pairs exactly
in the memory of one stretch, where a dictionary would hold them all, or leave out the rare ones now and then. A part is
made of whole sentences, so no worker needs to know its neighbour's.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from parw2v.arraytypes import CountArray, TokenArray
from parw2v.errors import CorpusError, Parw2vError
from parw2v.pool import Task
from parw2v.text import compression

KeyArray: TypeAlias = npt.NDArray[np.int64]
"""Pairs of words, each as one integer."""

STRETCH_WORDS = 1 << 21
"""Pairs are sorted this many at a time: about 60 MB, most of it keys."""

WRITE_WORDS = 1 << 17
"""Text is written this much at a time: each word of it is an object meanwhile."""

HOLDS_DELIMITER, BEGINS_DELIMITED, ENDS_DELIMITED = np.uint8(1), np.uint8(2), np.uint8(4)
"""Marks of words. A word has the first if the delimiter is in it, and the others if it is what stands before or after the
delimiter of such a word."""

_ODD = np.uint64(0x9E3779B97F4A7C15)


class Part(NamedTuple):
    """A run of whole sentences in a file of ids (see `parw2v.corpus`)."""

    path: Path
    start: int
    stop: int
    """In words."""


class Slice(NamedTuple):
    """A run of sorted keys in a file of them."""

    path: Path
    start: int
    stop: int
    """In keys."""


class Counted(NamedTuple):
    """Pairs that occur."""

    n_distinct: int
    keys: KeyArray
    """(n,) those asked for, in ascending order."""
    counts: CountArray
    """(n,)"""


def prepare(setup: None) -> Callable[[Task], Any]:
    """A worker, as the function that does its tasks: the name of a function below and what it is given.

    What may well go wrong is returned, for whoever asked to raise it.
    """
    tasks: dict[str, Callable[..., Any]] = {"sort": sort, "count": count, "join": join, "write": write}

    def do(task: Task) -> Any:
        name, *arguments = task
        try:
            return tasks[name](*arguments)
        except (Parw2vError, OSError, MemoryError) as error:
            return error

    return do


def sort(part: Part, n_words: int, cuts: KeyArray, path: Path) -> list[list[Slice]]:
    """Write the keys of all pairs in a part into a file, sorted within stretches.

    Parameters
    ----------
    n_words : int
        V, one more than the highest word id.
    cuts : (m,) int64
        Keys that cut all keys into m + 1 ranges, in ascending order.
    path : Path
        Made anew; 8 bytes a pair.

    Returns
    -------
    list of list of Slice
        For each stretch, where each range of it is.
    """
    slices: list[list[Slice]] = []
    written = 0
    with path.open("wb") as file:
        for ids in _stretches(part, STRETCH_WORDS):
            keys = _keys(ids, n_words)
            keys.sort()
            bounds = [int(i) for i in np.searchsorted(keys, [0, *cuts, np.iinfo(np.int64).max])]
            file.write(keys[bounds[0] :].data)
            shift = written - bounds[0]
            slices.append([Slice(path, shift + i, shift + j) for i, j in pairwise(bounds)])
            written += len(keys) - bounds[0]
    return slices


def count(slices: Sequence[Slice], n_words: int, min_count: int, marks_path: Path | None) -> Counted:
    """Count the pairs of one range.

    Parameters
    ----------
    slices : list of Slice
        That range in all stretches.
    n_words : int
        V.
    min_count : int
        Pairs that occur less often are counted, but not told.
    marks_path : Path, optional
        Marks of words, (V,) uint8: pairs that may be `ambiguous` are told, however rare.
    """
    runs = [
        np.fromfile(run.path, np.int64, run.stop - run.start, offset=8 * run.start)
        for run in slices
        if run.stop > run.start
    ]
    keys = np.concatenate(runs) if runs else np.zeros(0, np.int64)
    del runs
    keys.sort()
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    counts = np.diff(first, append=len(keys)).astype(np.int64)
    keys = keys[first]
    told = counts >= min_count
    if marks_path is not None:
        told |= ambiguous(keys, n_words, np.fromfile(marks_path, np.uint8))
    return Counted(len(keys), keys[told], counts[told])


def ambiguous(keys: KeyArray, n_words: int, marks: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which pairs might be the same string as another pair or a word, once they are joined.

    Two pairs can be so only if the delimiter is in a word of either: ``a_b c`` and ``a b_c``. A pair and a word can if the
    word is ``a_b``.
    """
    before, after = np.divmod(keys, n_words)
    first, second = marks.take(before), marks.take(after)
    found: npt.NDArray[np.bool_] = ((first | second) & HOLDS_DELIMITER) != 0
    found |= ((first & BEGINS_DELIMITED) != 0) & ((second & ENDS_DELIMITED) != 0)
    return found


def join(part: Part, n_words: int, keys: KeyArray, joined: TokenArray, n_after: int, path: Path) -> CountArray:
    """Write a part in which pairs are made one word, from left to right in each sentence.

    Parameters
    ----------
    n_words : int
        V.
    keys : (n,) int64
        The pairs, in ascending order.
    joined : (n,) int32
        The id of each joined.
    n_after : int
        One more than the highest id in use now.
    path : Path
        Made anew.

    Returns
    -------
    (n_after,) int64
        How often each word occurs in what was written.
    """
    counts = np.zeros(n_after, np.int64)
    find = _finder(keys)
    with path.open("wb") as file:
        for ids in _stretches(part, STRETCH_WORDS):
            places, which = find(_keys(ids, n_words))
            # Of pairs that overlap, a run of neighbouring places, the first is joined, then the third, and so on.
            starts = np.flatnonzero(np.diff(places, prepend=-2) != 1)
            run_lengths = np.diff(starts, append=len(places))
            taken = (places - np.repeat(places[starts], run_lengths)) % 2 == 0
            places, which = places[taken], which[taken]
            new = joined[which]
            ids[places] = np.where(ids[places + 1] < 0, ~new, new)
            kept = np.ones(len(ids), bool)
            kept[places + 1] = False
            ids = ids[kept]
            file.write(ids.data)
            counts += np.bincount(_unmarked(ids), minlength=n_after)
    return counts


def write(part: Part, words_path: Path, path: Path) -> None:
    """Write a part as text: a sentence a line, words with a space between them; packed if the file's name says so.

    Parameters
    ----------
    words_path : Path
        Words by id, each with a NUL after it, in UTF-8.
    path : Path
        Made anew. Packed files of all parts, one after the other, are a packed file.
    """
    words = words_path.read_bytes().split(b"\0")
    words[-1] = b"\n"  # what comes after the last NUL
    with _packed(path) as file:
        for ids in _stretches(part, WRITE_WORDS):
            spread = np.insert(_unmarked(ids), np.flatnonzero(ids < 0) + 1, len(words) - 1)
            text = b" ".join(map(words.__getitem__, spread.tolist()))
            file.write(text.replace(b" \n ", b"\n")[:-2])
            file.write(b"\n")


def _packed(path: Path) -> BinaryIO:
    match compression(path):
        case ".gz":
            return cast(BinaryIO, gzip.GzipFile(path, "wb", compresslevel=6, mtime=0))
        case ".bz2":
            return cast(BinaryIO, bz2.BZ2File(path, "wb"))
        case ".xz":
            return cast(BinaryIO, lzma.LZMAFile(path, "wb"))
    return path.open("wb")


def _stretches(part: Part, n_words: int) -> Iterator[TokenArray]:
    """The ids of a part, whole sentences of about so many words at a time."""
    left = part.stop - part.start
    tail = np.zeros(0, np.int32)
    with part.path.open("rb") as file:
        file.seek(4 * part.start)
        while left:
            fresh = np.fromfile(file, np.int32, min(left, n_words))
            if not len(fresh):
                raise CorpusError(f"{part.path}: became shorter while it was read; run again")
            left -= len(fresh)
            ids = np.concatenate([tail, fresh])
            ends = np.flatnonzero(fresh < 0)
            whole = len(tail) + int(ends[-1]) + 1 if len(ends) else 0
            tail = ids[whole:].copy()
            if whole:
                yield ids[:whole]


def _unmarked(ids: TokenArray) -> TokenArray:
    """Ids without the marks of sentence ends."""
    return ids ^ (ids >> 31)


def _keys(ids: TokenArray, n_words: int) -> KeyArray:
    """The key of each word and the next, -1 where a sentence ends between them."""
    words = _unmarked(ids)
    keys: KeyArray = words[:-1].astype(np.int64)
    keys *= n_words
    keys += words[1:]
    keys[ids[:-1] < 0] = -1
    return keys


def _finder(keys: KeyArray) -> Callable[[KeyArray], tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Looks for the places of these keys, given in ascending order, in an array; tells which key is at each place.

    A small table by hash first rules out most of the array: a binary search for all of it needs five times as long.
    """
    bits = min(max((32 * len(keys)).bit_length(), 16), 24)

    def slots(some: KeyArray) -> npt.NDArray[np.intp]:
        hashed: npt.NDArray[np.intp] = ((some.view(np.uint64) * _ODD) >> np.uint64(64 - bits)).view(np.intp)
        return hashed

    table = np.zeros(1 << bits, bool)
    table[slots(keys)] = True

    def find(some: KeyArray) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        places = np.flatnonzero(table.take(slots(some)))
        if not len(keys):
            return places[:0], places[:0]
        which = np.searchsorted(keys, some[places])
        which[which == len(keys)] = 0
        right = keys[which] == some[places]
        return places[right], which[right]

    return find
