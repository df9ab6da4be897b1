"""The encoded corpus: word ids on disk, cut into blocks.

A corpus is one run of int32 word ids. The last word of each sentence is stored as ``~id`` (negative), so one array holds
the sentence ends too. On disk it is that array and nothing else, in the machine's byte order.

It is trained block by block. A *chunk* is a run of whole sentences; a *block* is a number of chunks drawn without
replacement from all over the corpus, in an order of its own for each epoch. Mixing chunks keeps a text that is sorted by
topic or by date from being learnt in that order. The block is the unit of work, of randomness and of resuming.
"""

from __future__ import annotations

import errno
import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parw2v.arraytypes import CountArray, TokenArray
from parw2v.config import available_cores
from parw2v.errors import CorpusError
from parw2v.reading import Reading
from parw2v.scratch import ScratchDirectory
from parw2v.sources import Source, text_files, title
from parw2v.text import MAX_SENTENCE_WORDS
from parw2v.vocabulary import Vocabulary
from parw2v.wordtable import WordTable

MAX_BLOCK_WORDS = 1 << 18
"""Raw words in a block of a large corpus: about a tenth of a second of training for one worker."""

MIN_BLOCK_WORDS = 1 << 13
CHUNKS_IN_A_BLOCK = 32
BLOCKS_IN_AN_EPOCH = 32
"""A small corpus is cut into about this many blocks, so that the workers finish an epoch together."""

_SEPARATED = re.compile("[ \n\0]")
"""What no word of a text holds; one that was given by hand may."""

_STRETCH_WORDS = 1 << 20
"""Words of a corpus that are given other ids at a time."""


@dataclass(frozen=True)
class BlockPlan:
    """How a corpus is cut; depends on the corpus and the seed alone, never on the number of workers.

    Attributes
    ----------
    n_words : int
        Raw words in the corpus.
    seed : int
        Orders the chunks of each epoch.
    """

    n_words: int
    seed: int

    @property
    def chunk_words(self) -> int:
        """Raw words in a chunk, give or take a sentence."""
        block = min(max(self.n_words // BLOCKS_IN_AN_EPOCH, MIN_BLOCK_WORDS), MAX_BLOCK_WORDS)
        return block // CHUNKS_IN_A_BLOCK

    @property
    def n_chunks(self) -> int:
        return -(-self.n_words // self.chunk_words)

    @property
    def n_blocks(self) -> int:
        """Blocks in one epoch."""
        return -(-self.n_chunks // CHUNKS_IN_A_BLOCK)

    def chunks(self, epoch: int, block: int) -> list[int]:
        """The numbers of the chunks that make up one block; over an epoch each chunk occurs once."""
        order = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(epoch,))).permutation(self.n_chunks)
        # Every n_blocks-th, so that no block of the epoch is a short remainder.
        return [int(chunk) for chunk in order[block :: self.n_blocks]]


class Corpus:
    """Word ids in an array or in a file that is mapped when needed.

    Parameters
    ----------
    ids : (n,) int32, optional
        The whole corpus in memory.
    path : Path, optional
        A file of the same; exactly one of the two is given.
    fingerprint : str, optional
        SHA-256 of the ids, where it is known already.
    """

    def __init__(
        self, ids: TokenArray | None = None, *, path: Path | None = None, fingerprint: str | None = None
    ) -> None:
        if (ids is None) == (path is None):
            raise CorpusError("a corpus is made of either ids or a path")
        self._ids = None if ids is None else np.ascontiguousarray(ids, np.int32)
        self.path = path
        self._fingerprint = fingerprint
        if self._ids is not None:
            self.n_words = len(self._ids)
        else:
            assert path is not None
            self.n_words = _file_size(path) // 4
        if self.n_words and self._map()[-1] >= 0:
            raise CorpusError("the last word of an encoded corpus must end a sentence (be stored as ~id)")

    def __len__(self) -> int:
        return self.n_words

    @property
    def ids(self) -> TokenArray:
        """(n,) int32: the words' ids without the sentence marks, as a copy in memory."""
        ids = self._map()
        return np.where(ids < 0, ~ids, ids)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the encoded ids."""
        if self._fingerprint is None:
            self._fingerprint = self._sha256()
        return self._fingerprint

    def _sha256(self) -> str:
        if self.path is None:
            return hashlib.sha256(self._map().data).hexdigest()
        try:
            with self.path.open("rb") as file:  # not mapped: pages that are mapped count as memory in use
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise CorpusError(f"{self.path}: the encoded corpus cannot be read ({error.strerror or error})") from error

    @classmethod
    def from_sentences(cls, sentences: Iterable[list[str]], index: dict[str, int]) -> Corpus:
        """Encode sentences of words, leaving out those that `index` does not hold."""
        parts: list[int] = []
        for sentence in sentences:
            ids = [index[word] for word in sentence if word in index]
            if ids:
                ids[-1] = ~ids[-1]
                parts.extend(ids)
        return cls(np.array(parts, np.int32))

    def check_ids(self, n_words: int) -> None:
        """Raise CorpusError unless each id is that of one of `n_words` words, and sentences are as long as they may be."""
        last = -1  # where a sentence ended
        for start in range(0, len(self), _STRETCH_WORDS):
            ids = self._map()[start : start + _STRETCH_WORDS]
            highest = max(int(ids.max()), ~int(ids.min()))
            if highest >= n_words:
                raise CorpusError(f"the encoded corpus has word {highest:,}, its vocabulary {n_words:,} words")
            ends = np.concatenate([[last], start + np.flatnonzero(ids < 0)])
            last = int(ends[-1])
            if max(np.diff(ends).max(initial=0), start + len(ids) - 1 - last) > MAX_SENTENCE_WORDS:
                raise CorpusError(f"the encoded corpus has a sentence of more than {MAX_SENTENCE_WORDS:,} words")

    def sentences(self) -> Iterator[TokenArray]:
        """Yield the ids of each sentence."""
        ids = self._map()
        start = 0
        for end in (np.flatnonzero(ids < 0) + 1).tolist():
            sentence = ids[start:end].copy()
            sentence[-1] = ~sentence[-1]
            yield sentence
            start = end

    def read_block(self, plan: BlockPlan, epoch: int, block: int) -> TokenArray:
        """Copy one block into memory: (n,) int32 with sentence ends as ``~id``.

        The file is mapped anew for each block, so the pages read do not add up in the process's memory.
        """
        ids = self._map()
        size = plan.chunk_words
        runs = [
            ids[self._sentence_start(ids, chunk * size) : self._sentence_start(ids, (chunk + 1) * size)]
            for chunk in plan.chunks(epoch, block)
        ]
        return np.concatenate(runs)

    @staticmethod
    def _sentence_start(ids: TokenArray, position: int) -> int:
        """The first position from `position` on where a sentence starts."""
        if position <= 0 or position >= len(ids):
            return min(max(position, 0), len(ids))
        for start in range(position - 1, len(ids), MAX_SENTENCE_WORDS):
            ends = np.flatnonzero(ids[start : start + MAX_SENTENCE_WORDS] < 0)
            if len(ends):
                return start + int(ends[0]) + 1
        return len(ids)

    def _map(self) -> TokenArray:
        if self._ids is not None:
            return self._ids
        assert self.path is not None
        if self.n_words == 0:
            return np.zeros(0, np.int32)
        try:
            # As a plain array: slices of a memmap cost 5 us each.
            return np.memmap(self.path, np.int32, "r", shape=(self.n_words,)).view(np.ndarray)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno == errno.ENOMEM:
                raise MemoryError(f"{self.path}: no memory to map it") from error
            raise CorpusError(
                f"{self.path}: the encoded corpus changed or vanished while it was used ({error})"
            ) from error

    def renumbered(self, new_ids: TokenArray, path: Path | None = None) -> Corpus:
        """The same text with other ids, a stretch of it in memory at a time if it goes to a file.

        Parameters
        ----------
        new_ids : (V,) int32
            The new id of each id; -1 leaves the word out.
        path : Path, optional
            Where the new corpus goes; it stays in memory if not given.

        Raises
        ------
        CorpusError
            The file cannot be written.
        """
        if path is None:
            return Corpus(np.concatenate([np.zeros(0, np.int32), *self._renumbered(new_ids)]))
        try:
            with path.open("wb") as file:
                for stretch in self._renumbered(new_ids):
                    file.write(stretch.data)
        except OSError as error:
            raise CorpusError(f"{path}: cannot be written ({error.strerror or error})") from error
        return Corpus(path=path)

    def _renumbered(self, new_ids: TokenArray) -> Iterator[TokenArray]:
        start = 0
        while start < len(self):
            ids = self._map()
            stop = self._sentence_start(ids, start + _STRETCH_WORDS)
            ends = ids[start:stop] < 0
            new = np.take(new_ids, np.where(ends, ~ids[start:stop], ids[start:stop]))
            kept = np.flatnonzero(new >= 0)
            sentence: CountArray = (
                np.cumsum(ends)[kept] - ends[kept]
            )  # the last word belongs to the sentence that it ends
            new = new[kept]
            last = np.append(sentence[1:] != sentence[:-1], [True])[: len(new)]
            yield np.where(last, ~new, new)
            start = stop

    def save(self, path: Path) -> Corpus:
        """Write the ids to a file; returns the corpus that maps it."""
        if self.path is not None and path.exists() and path.samefile(self.path):
            return self  # opening it to write would take away what is mapped
        try:
            self._map().tofile(path)
        except OSError as error:
            raise CorpusError(f"{path}: cannot be written ({error.strerror or error})") from error
        return Corpus(path=path, fingerprint=self._fingerprint)


def encode_text(
    source: Source,
    directory: Path,
    *,
    min_count: int = 5,
    raw: bool = False,
    max_tokens: int | None = None,
    vocabulary: Vocabulary | None = None,
    progress: Callable[[int], None] = lambda words: None,
    readers: int | None = None,
    name: str | None = None,
) -> tuple[Vocabulary, Corpus]:
    """Read a text once and leave it encoded on disk; memory holds its distinct words and a stretch of it.

    Words get numbers at first sight, which go to disk while they are counted; once the vocabulary is known the numbers are
    replaced by ids, stretch by stretch. The result does not depend on `readers`.

    Parameters
    ----------
    source : str, Path, or list of them
        See `parw2v.sources.text_files`; for what is in memory already see `parw2v.encoding.encode_sentences`.
    directory : Path
        Where the encoded corpus goes (``corpus.i32``, 4 bytes a word; twice that while this runs).
    min_count : int
        See `Vocabulary`; without effect where a vocabulary is given.
    raw, max_tokens
        See `parw2v.text.read_tokens`.
    vocabulary : Vocabulary, optional
        Used as it is, instead of one made of the text; other words are left out.
    progress : callable
        Told the number of words read, now and then.
    readers : int, optional
        Processes that may read (see `parw2v.reading`); all cores unless told.
    name : str, optional
        What errors call the text; its files unless told.

    Raises
    ------
    CorpusError, VocabularyError
        The text cannot be read, or leaves nothing to train on; or the disk is full.
    """
    files = text_files(source)
    name = name or title(files)
    unfinished = directory / "unfinished.i32"
    final = directory / "corpus.i32"
    wanted = Vocabulary(min_count) if vocabulary is None else vocabulary
    n_readers = available_cores() if readers is None else readers
    try:
        with Reading(files, directory, raw=raw, max_tokens=max_tokens, readers=n_readers) as reading:
            words, counts = _counted(reading, name, raw, progress)
            if vocabulary is None:
                new_ids = _assign(wanted, words, counts)
            else:
                new_ids = _ids_in(vocabulary, words)
                if not counts[new_ids[: len(counts)] >= 0].any():
                    raise CorpusError(f"{name}: holds no word of the vocabulary; give one of such texts")
            reading.encode(new_ids, unfinished)
            unfinished.replace(final)
    except OSError as error:
        raise CorpusError(f"{directory}: the encoded corpus cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):
            unfinished.unlink()
    return wanted, Corpus(path=final)


def count_text(
    source: Source,
    *,
    min_count: int = 5,
    raw: bool = False,
    max_tokens: int | None = None,
    progress: Callable[[int], None] = lambda words: None,
    readers: int | None = None,
) -> Vocabulary:
    """The vocabulary that `encode_text` makes of a text; nothing is written."""
    files = text_files(source)
    vocabulary = Vocabulary(min_count)
    n_readers = available_cores() if readers is None else readers
    with Reading(files, None, raw=raw, max_tokens=max_tokens, readers=n_readers) as reading:
        _assign(vocabulary, *_counted(reading, title(files), raw, progress))
    return vocabulary


def _counted(reading: Reading, name: str, raw: bool, progress: Callable[[int], None]) -> tuple[WordTable, CountArray]:
    words, counts = reading.count(progress)
    if not counts.any():
        raise CorpusError(f"{name}: holds no words; give a text in UTF-8" + ("" if raw else ", or try --raw"))
    return words, counts


def _assign(vocabulary: Vocabulary, words: WordTable, counts: CountArray) -> TokenArray:
    """Fill a vocabulary; returns the id of each word by its number in the table, -1 where it was left out."""
    frequent = np.flatnonzero(counts >= vocabulary.min_count)
    new_ids = np.full(len(counts), -1, np.int32)
    n_distinct = int(np.count_nonzero(counts))
    new_ids[frequent] = vocabulary.assign(words.words(frequent), counts[frequent], n_distinct)
    return new_ids


def _ids_in(vocabulary: Vocabulary, words: WordTable) -> TokenArray:
    """The id of each word of a table by its number, -1 where the vocabulary has it not; the table takes in the others."""
    possible = [i for i, word in enumerate(vocabulary.words) if word and not _SEPARATED.search(word)]
    text = " ".join(vocabulary.words[i] for i in possible)
    numbers = words.number(text.encode("utf-8", "surrogatepass"))
    new_ids = np.full(len(words), -1, np.int32)
    new_ids[numbers] = possible
    new_ids[0] = -1  # words too long for the table
    return new_ids


@contextmanager
def on_disk(corpus: Corpus) -> Iterator[Corpus]:
    """The corpus in a file that other processes can map; one that is in memory is written to a temporary directory."""
    if corpus.path is not None:
        yield corpus
        return
    with ScratchDirectory(Path(tempfile.gettempdir())) as directory:
        yield corpus.save(directory / "corpus.i32")


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise CorpusError(f"{path}: the encoded corpus cannot be read ({error.strerror or error})") from error
