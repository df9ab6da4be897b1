"""Reading a text into word ids on disk, by this process alone or by several.

::

    count     each reader: its share of the text --> numbers of its own for the words, in a file of its own
              here: the readers' words and counts put together, of which the caller makes a vocabulary
    encode    each reader: its file --> word ids, at their place in the corpus file

A share is a range of a file's bytes, or ranges of several files that follow each other. Memory holds the distinct words and
a stretch of the text. What comes of a text does not depend on the number of readers: ranges end at white space, and a
sentence that goes on in the next share is marked as one sentence when all are done.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from parw2v.arraytypes import CountArray, TokenArray
from parw2v.errors import CorpusError, Parw2vError
from parw2v.pool import Death, Pool, Ready, Result, Task
from parw2v.sources import Part, shares, title
from parw2v.spool import LINE_END, Spool, stretches
from parw2v.text import normalised, pieces, words_wanted
from parw2v.wordtable import ChunkArray, WordTable

RANGE_BYTES = 1 << 24
"""A reader takes as long to start as to read about 10 MB, so there is at most one for this much text."""

MAX_READERS = 8
"""Each holds the distinct words of its range, and one process puts them together."""

_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 25),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 29),
}
"""Of readers that are processes: no threads, and the memory of one piece is kept for the next (see `parw2v.blas`)."""


class Reading:
    """A text being read. A context manager: there may be processes to end, and there are files to remove.

    Parameters
    ----------
    files : list of str
        Read in order, as one text; see `parw2v.sources.text_files`.
    directory : Path, optional
        Takes the readers' files, 4 bytes a word. Without one, a text can be counted only.
    raw, max_tokens
        See `parw2v.text.read_tokens`.
    readers : int
        How many processes may read. A text that is short, read in part only, or one compressed file is read by this one.
    """

    def __init__(
        self,
        files: Sequence[str],
        directory: Path | None,
        *,
        raw: bool = False,
        max_tokens: int | None = None,
        readers: int = 1,
    ) -> None:
        words_wanted(max_tokens)
        self._title = title(files)
        self._shares = shares(files, min(readers, MAX_READERS) if max_tokens is None else 1, RANGE_BYTES)
        n = len(self._shares)
        self._files = [directory and directory / f"provisional-{i}.i32" for i in range(n)]
        setup = ReaderSetup(raw, max_tokens)
        self._pool = Pool("parw2v.reading:prepare", n, setup, _ENVIRONMENT | os.environ, n) if n > 1 else _Here(setup)

    def __enter__(self) -> Reading:
        self._pool.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._pool.__exit__(*exc)
        for file in filter(None, self._files):
            with contextlib.suppress(OSError):
                file.unlink()

    def count(self, progress: Callable[[int], None] = lambda words: None) -> tuple[WordTable, CountArray]:
        """Read the text; returns its words, and how often each occurs by its number.

        Parameters
        ----------
        progress : callable
            Told the number of words read, now and then.

        Raises
        ------
        CorpusError
            The text cannot be read, or a reader died.
        OSError
            A file of numbers cannot be written.
        """
        self._ask([("begin", share, file) for share, file in zip(self._shares, self._files, strict=True)])
        words = [0] * len(self._shares)
        reading = set(range(len(words)))
        for reader in reading:
            self._pool.submit(reader, ("read_on",))
        while reading:
            for result in self._results():
                words[result.worker], more = result.value
                progress(sum(words))
                if more:
                    self._pool.submit(result.worker, ("read_on",))
                else:
                    reading.remove(result.worker)
        self._counted: list[Counted] = self._ask([("counted",)] * len(words))
        table = WordTable()
        self._numbers = [table.take_over(counted.before, counted.chunks) for counted in self._counted]
        counts = np.zeros(len(table), np.int64)
        for numbers, counted in zip(self._numbers, self._counted, strict=True):
            counts[numbers] += counted.counts  # no number occurs twice in `numbers`
        return table, counts

    def encode(self, new_ids: TokenArray, path: Path) -> None:
        """Write the text to a file as `parw2v.corpus` describes it.

        Parameters
        ----------
        new_ids : (n,) int32
            The id of each word by its number, -1 for those to be left out.
        path : Path
            Made anew.

        Raises
        ------
        CorpusError, OSError
            As `count`.
        """
        path.write_bytes(b"")
        tasks: list[Task] = []
        starts = [0]
        open_words = 0
        for numbers, counted in zip(self._numbers, self._counted, strict=True):
            ids = new_ids[numbers]
            tasks.append(("encode", ids, open_words, path, starts[-1]))
            starts.append(starts[-1] + int(counted.counts[ids >= 0].sum()))
            open_words = counted.open_words + (0 if counted.holds_line_end else open_words)
        ends_before = self._ask(tasks)
        _end_sentences(path, [start for start, ends in zip(starts, [*ends_before, True], strict=True) if ends])

    def _ask(self, tasks: Sequence[Task]) -> list[Any]:
        """Give each reader one task; returns what they answer."""
        for reader, task in enumerate(tasks):
            self._pool.submit(reader, task)
        answers: dict[int, Any] = {}
        while len(answers) < len(tasks):
            answers |= {result.worker: result.value for result in self._results()}
        return [answers[reader] for reader in range(len(tasks))]

    def _results(self) -> Iterator[Result]:
        for event in self._pool.wait(1.0):
            match event:
                case Death():
                    raise CorpusError(
                        f"{self._title}: was not read: its reader (pid {event.pid}) {event.cause}; run again"
                    )
                case Result(value=Exception() as error):
                    raise error
                case Result():
                    yield event


class _Here:
    """Does what a pool does, but in this process."""

    def __init__(self, setup: ReaderSetup) -> None:
        self._do = prepare(setup)
        self._results: list[Ready | Result | Death] = []

    def __enter__(self) -> _Here:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def submit(self, worker: int, task: Task) -> None:
        self._results.append(Result(worker, task, self._do(task)))

    def wait(self, timeout: float) -> list[Ready | Result | Death]:
        results, self._results = self._results, []
        return results


def _end_sentences(path: Path, positions: Iterable[int]) -> None:
    """Mark the words before these positions as the last of their sentences, if they are not marked yet."""
    with path.open("r+b") as file:
        for position in positions:
            if position > 0:
                file.seek(4 * (position - 1))
                last = np.frombuffer(file.read(4), np.int32)
                file.seek(4 * (position - 1))
                file.write(np.minimum(last, ~last).data)


# ------------------------------------------------------------------------------------------------ one reader


@dataclass(frozen=True)
class ReaderSetup:
    """What all readers of a text are told."""

    raw: bool
    max_tokens: int | None


class Counted(NamedTuple):
    """What a reader found in its share."""

    before: TokenArray
    chunks: ChunkArray
    """Its words (see `WordTable.links`)."""
    counts: CountArray
    """By number."""
    open_words: int
    """Words after the last line end, or all if there is none."""
    holds_line_end: bool


def prepare(setup: ReaderSetup) -> Callable[[Task], Any]:
    """A reader, as the function that does its tasks: the name of a method and what it is given.

    What may well go wrong is returned, for whoever asked to raise it.
    """
    reader = Reader(setup)

    def do(task: Task) -> Any:
        name, *arguments = task
        try:
            return getattr(reader, name)(*arguments)
        except (Parw2vError, OSError, MemoryError) as error:
            return error

    return do


class Reader:
    """One share of a text, from bytes to ids."""

    def __init__(self, setup: ReaderSetup) -> None:
        self.setup = setup
        self.table = WordTable()
        self.table.number(b"\n")

    def begin(self, share: Sequence[Part], path: Path | None) -> None:
        """Take on a share of the text and the file for its numbers."""
        self.spool = Spool(path)
        self.stretches = stretches(self._numbered(share))

    def _numbered(self, share: Sequence[Part]) -> Iterator[TokenArray]:
        left = words_wanted(self.setup.max_tokens)
        for part in share:
            for piece in pieces(part.file, part.start, part.stop):
                text = normalised(piece, raw=self.setup.raw)
                numbers = self.table.number(text.replace(b"\n", b" \n "))
                words = numbers != LINE_END
                n_words = int(np.count_nonzero(words))
                if n_words >= left:
                    yield numbers[: np.flatnonzero(words)[left - 1] + 1]
                    return
                left -= n_words
                yield numbers
            if part.ends_sentence:
                yield np.array([LINE_END], np.int32)

    def read_on(self) -> tuple[int, bool]:
        """Read the next stretch; returns the number of words so far, and whether there may be more."""
        stretch = next(self.stretches, None)
        if stretch is not None:
            self.spool.add(stretch)
        return self.spool.n_words, stretch is not None

    def counted(self) -> Counted:
        """What was found in the whole share."""
        before, chunks = self.table.links()
        counts = np.zeros(len(before), np.int64)
        counts[: len(self.spool.counts)] = self.spool.counts
        return Counted(before, chunks, counts, self.spool.open_words, self.spool.holds_line_end)

    def encode(self, new_ids: TokenArray, open_words: int, path: Path, start: int) -> bool:
        """See `Spool.encode`."""
        return self.spool.encode(new_ids, open_words, path, start)
