"""A text on disk in which pairs of words are counted and made one word, pass by pass.

The text is an encoded corpus, in as many parts as there are workers; the work on them is in `parw2v.pairs`. Two things are
the same here if they read the same once they are joined, as in word2phrase and gensim: where ``new_york`` is a word, the
pair ``new york`` and the word are counted together. Such pairs are found by a hash and then compared as strings.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from parw2v.arraytypes import CountArray, TokenArray
from parw2v.corpus import Corpus
from parw2v.errors import CorpusError
from parw2v.files import atomic_write
from parw2v.pairs import (
    BEGINS_DELIMITED,
    ENDS_DELIMITED,
    HOLDS_DELIMITER,
    Counted,
    KeyArray,
    Part,
    Slice,
    ambiguous,
    prepare,
)
from parw2v.pool import Death, Pool, Result, Task
from parw2v.text import MAX_SENTENCE_WORDS
from parw2v.vocabulary import Vocabulary

RANGE_PAIRS = 1 << 21
"""Pairs are counted about this many at a time."""

WORKER_WORDS = 1 << 20
"""A worker takes as long to start as to do this many words, so there is at most one for as many."""

_MULTIPLIER = 0xD1342543DE82EF95
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}


class Pairs(NamedTuple):
    """What is to be known about the pairs of a text to score them. Counts are those of strings."""

    first: TokenArray
    """(n,) int32, the first words of those that occur often enough."""
    second: TokenArray
    """(n,) int32"""
    counts: CountArray
    """(n,) of the pairs"""
    first_counts: CountArray
    """(n,) of their first words"""
    second_counts: CountArray
    n_kinds: int
    """Distinct words and pairs, together."""
    n_words: int
    """Words of the text."""


class PhraseText:
    """A text in ids, and the strings they stand for. A context manager: there are processes to end.

    Parameters
    ----------
    corpus : Corpus
        On disk, of all words of the vocabulary.
    vocabulary : Vocabulary
        Taken over: its words are the text's from now on.
    directory : Path
        Takes 8 bytes a word while pairs are counted, and up to 4 more for each pass.
    delimiter : str
        One character, put between words that are joined.
    workers : int
        How many processes may work. What comes of a text does not depend on it.
    """

    def __init__(self, corpus: Corpus, vocabulary: Vocabulary, directory: Path, delimiter: str, workers: int) -> None:
        self.words = vocabulary.words
        self.delimiter = delimiter
        self._index = vocabulary.index
        self._counts = vocabulary.counts
        self._directory = directory
        n = max(min(workers, len(corpus) // WORKER_WORDS), 1)
        self._parts = _parts(corpus, n)
        self._crew = _Crew(n)
        self._pass = 0

    def __enter__(self) -> PhraseText:
        self._crew.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._crew.__exit__(*exc)

    def count(self, min_count: int) -> Pairs:
        """Count words and pairs; pairs that occur less than `min_count` times are not returned.

        Raises
        ------
        CorpusError
            The disk is full, or a worker died.
        """
        n_words, total = len(self.words), int(self._counts.sum())
        cuts = _cuts(self._counts, -(-total // RANGE_PAIRS))
        files = [self._directory / f"pairs-{i}.i64" for i in range(len(self._parts))]
        sort_tasks = [("sort", part, n_words, cuts, file) for part, file in zip(self._parts, files, strict=True)]
        stretches: list[list[Slice]] = [stretch for found in self._crew.do(sort_tasks) for stretch in found]
        marks = self._marks()
        marks_path = None if marks is None else self._directory / "marks.u8"
        if marks is not None and marks_path is not None:
            with _one_line():
                marks.tofile(marks_path)
        ranges = [[stretch[i] for stretch in stretches] for i in range(len(cuts) + 1)]
        counted: list[Counted] = self._crew.do([("count", slices, n_words, min_count, marks_path) for slices in ranges])
        for file in files:
            file.unlink()
        keys = np.concatenate([some.keys for some in counted])
        pair_counts = np.concatenate([some.counts for some in counted])
        n_kinds = int(np.count_nonzero(self._counts)) + sum(some.n_distinct for some in counted)
        word_counts = self._counts
        if marks is not None:
            pair_counts, word_counts, n_same = self._by_string(keys, pair_counts, marks)
            n_kinds -= n_same
            keys, pair_counts = keys[pair_counts >= min_count], pair_counts[pair_counts >= min_count]
        first, second = (half.astype(np.int32) for half in np.divmod(keys, n_words))
        return Pairs(first, second, pair_counts, word_counts[first], word_counts[second], n_kinds, total)

    def join(self, first: TokenArray, second: TokenArray) -> None:
        """Make these pairs one word each, from left to right in each sentence.

        Raises
        ------
        CorpusError
            As `count`.
        """
        n_words = len(self.words)
        joined = np.zeros(len(first), np.int32)
        for i, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
            phrase = f"{self.words[a]}{self.delimiter}{self.words[b]}"
            joined[i] = self._index.setdefault(phrase, len(self.words))
            if joined[i] == len(self.words):
                self.words.append(phrase)
        keys = first.astype(np.int64) * n_words + second
        order = np.argsort(keys)
        self._pass += 1
        files = [self._directory / f"joined-{self._pass}-{i}.i32" for i in range(len(self._parts))]
        counts = self._crew.do(
            [
                ("join", part, n_words, keys[order], joined[order], len(self.words), file)
                for part, file in zip(self._parts, files, strict=True)
            ]
        )
        self._counts = np.sum(counts, axis=0, dtype=np.int64)
        for part in self._parts:
            if part.path.parent == self._directory and part.path.name.startswith("joined-"):
                part.path.unlink()
        self._parts = [Part(file, 0, file.stat().st_size // 4) for file in files]

    def write(self, out: Path | BinaryIO) -> None:
        """Write the text, a sentence a line: into a stream, or into a file, packed if its name ends so.

        Raises
        ------
        CorpusError
            As `count`.
        Parw2vError
            The file cannot be written.
        """
        words = self._directory / "words"
        with _one_line(), words.open("wb") as file_of_words:
            file_of_words.writelines(word.encode("utf-8", "surrogatepass") + b"\0" for word in self.words)
        suffix = out.suffix if isinstance(out, Path) else ""
        files = [self._directory / f"text-{i}{suffix}" for i in range(len(self._parts))]
        self._crew.do([("write", part, words, file) for part, file in zip(self._parts, files, strict=True)])

        def concatenate(sink: BinaryIO) -> None:
            for file in files:
                with file.open("rb") as source:
                    shutil.copyfileobj(source, sink, 1 << 20)
                file.unlink()

        if isinstance(out, Path):
            atomic_write(out, concatenate)
        else:
            concatenate(out)

    # ------------------------------------------------------------------------------------------ strings that are equal

    def _marks(self) -> npt.NDArray[np.uint8] | None:
        """Marks of words for `parw2v.pairs.ambiguous`; None if the delimiter is in no word."""
        delimited = [i for i in np.flatnonzero(self._counts).tolist() if self.delimiter in self.words[i]]
        if not delimited:
            return None
        marks = np.zeros(len(self.words), np.uint8)
        marks[delimited] = HOLDS_DELIMITER
        for word in map(self.words.__getitem__, delimited):
            before, _, after = word.partition(self.delimiter)
            if before in self._index and after in self._index:  # with more delimiters in it, `after` is marked already
                marks[self._index[before]] |= BEGINS_DELIMITED
                marks[self._index[after]] |= ENDS_DELIMITED
        return marks

    def _by_string(
        self, keys: KeyArray, counts: CountArray, marks: npt.NDArray[np.uint8]
    ) -> tuple[CountArray, CountArray, int]:
        """Counts of the strings that pairs and words are; and how many of them are the same as another."""
        words = np.flatnonzero(((marks & HOLDS_DELIMITER) != 0) & (self._counts > 0))
        pairs = np.flatnonzero(ambiguous(keys, len(self.words), marks))
        first, second = np.divmod(keys[pairs], len(self.words))
        hashes, powers = self._hashes()
        found = np.concatenate([hashes[words], hashes[first] * powers[second] + hashes[second]])
        order = np.argsort(found, kind="stable")
        equal = np.flatnonzero(np.diff(found[order]) == 0)
        members = np.unique(np.concatenate([equal, equal + 1]))
        by_string: dict[str, list[int]] = defaultdict(list)
        for member in order[members].tolist():
            if member < len(words):
                string = self.words[words[member]]
            else:
                i = member - len(words)
                string = f"{self.words[first[i]]}{self.delimiter}{self.words[second[i]]}"
            by_string[string].append(member)
        pair_counts, word_counts = counts.copy(), self._counts.copy()
        both = np.concatenate([self._counts[words], counts[pairs]])
        n_same = 0
        for group in by_string.values():
            total = both[group].sum()
            n_same += len(group) - 1
            for member in group:
                if member < len(words):
                    word_counts[words[member]] = total
                else:
                    pair_counts[pairs[member - len(words)]] = total
        return pair_counts, word_counts, n_same

    def _hashes(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        """A hash of each word, and what that of a word before it is multiplied by: equal strings have equal hashes.

        The hash of a word is a polynomial of those of its parts between delimiters.
        """
        mask = (1 << 64) - 1
        hashes = np.fromiter((hash(word) & mask for word in self.words), np.uint64, len(self.words))
        powers = np.full(len(self.words), _MULTIPLIER, np.uint64)
        for i, word in enumerate(self.words):
            if self.delimiter in word:
                value, power = 0, 1
                for part in word.split(self.delimiter):
                    value = (value * _MULTIPLIER + hash(part)) & mask
                    power = power * _MULTIPLIER & mask
                hashes[i], powers[i] = value, power
        return hashes, powers


def _parts(corpus: Corpus, n: int) -> list[Part]:
    """Cut a corpus into about equal parts of whole sentences."""
    assert corpus.path is not None
    bounds = {0, len(corpus)}
    for i in range(1, n):
        near = len(corpus) * i // n
        ends = np.flatnonzero(np.fromfile(corpus.path, np.int32, MAX_SENTENCE_WORDS, offset=4 * near) < 0)
        bounds.add(near + int(ends[0]) + 1)
    return [Part(corpus.path, start, stop) for start, stop in pairwise(sorted(bounds))]


def _cuts(counts: CountArray, n_ranges: int) -> KeyArray:
    """Keys that cut all pairs into about equal ranges, were any word as likely after one word as after another.

    Parameters
    ----------
    counts : (V,) int64
        Of words.
    """
    sums = np.cumsum(counts)
    total = int(sums[-1])
    targets = total * np.arange(1, n_ranges) / n_ranges
    first = np.searchsorted(sums, targets, "right")
    share = (targets - (sums[first] - counts[first])) / counts[first]
    second = np.minimum(np.searchsorted(sums, share * total, "right"), len(counts) - 1)
    return np.unique(first.astype(np.int64) * len(counts) + second)


class _Crew:
    """Does tasks in processes, or in this one if there is one worker."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: AbstractContextManager[Pool | None] = (
            Pool("parw2v.pairs:prepare", workers, None, _ENVIRONMENT | os.environ, workers)
            if workers > 1
            else nullcontext()
        )
        self._here: Callable[[Task], Any] = prepare(None)

    def __enter__(self) -> _Crew:
        self._started = self._pool.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._pool.__exit__(*exc)  # type: ignore[arg-type]

    def do(self, tasks: Sequence[Task]) -> list[Any]:
        """Do tasks; returns what comes of each, in their order."""
        answers: dict[int, Any] = {}
        with _one_line():
            if self._started is None:
                return [_raised(self._here(task)) for task in tasks]
            given = [list(range(worker, len(tasks), self._workers)) for worker in range(self._workers)]
            for worker, numbers in enumerate(given):
                for number in numbers:
                    self._started.submit(worker, tasks[number])
            while len(answers) < len(tasks):
                for event in self._started.wait(1.0):
                    if isinstance(event, Death):
                        raise CorpusError(f"a worker (pid {event.pid}) {event.cause}; run again with fewer --workers")
                    if isinstance(event, Result):
                        answers[given[event.worker].pop(0)] = _raised(event.value)
        return [answers[number] for number in range(len(tasks))]


def _raised(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


@contextmanager
def _one_line() -> Iterator[None]:
    """Say in one line what is wrong with a file of the text."""
    try:
        yield
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise CorpusError(
            f"{where}{error.strerror or error}; the phrases were not finished, make room first"
        ) from error
