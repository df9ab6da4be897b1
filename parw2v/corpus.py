"""The encoded corpus: word ids on disk, cut into blocks.

A corpus is one run of int32 word ids. The last word of each sentence is stored as ``~id`` (negative), so one array holds
the sentence ends too. On disk it is that array and nothing else, in the machine's byte order.

It is trained block by block. A *chunk* is a run of whole sentences; a *block* is a number of chunks drawn without
replacement from all over the corpus, in an order of its own for each epoch. Mixing chunks keeps a text that is sorted by
topic or by date from being learnt in that order. The block is the unit of work, of randomness and of resuming.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parw2v.arraytypes import CountArray, TokenArray
from parw2v.errors import CorpusError
from parw2v.files import process_lives
from parw2v.text import MAX_SENTENCE_WORDS, SENTENCE_END, read_tokens
from parw2v.vocabulary import MAX_WORD_CHARACTERS, Vocabulary

MAX_BLOCK_WORDS = 1 << 18
"""Raw words in a block of a large corpus: about a tenth of a second of training for one worker."""

MIN_BLOCK_WORDS = 1 << 13
CHUNKS_IN_A_BLOCK = 32
BLOCKS_IN_AN_EPOCH = 32
"""A small corpus is cut into about this many blocks, so that the workers finish an epoch together."""

_STRETCH_WORDS = 1 << 20


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
            self._fingerprint = hashlib.sha256(self._map().data).hexdigest()
        return self._fingerprint

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
            return np.memmap(self.path, np.int32, "r", shape=(self.n_words,))
        except (OSError, ValueError) as error:
            raise CorpusError(
                f"{self.path}: the encoded corpus changed or vanished while it was used ({error})"
            ) from error

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
    source: str | Path,
    directory: Path,
    *,
    min_count: int = 5,
    raw: bool = False,
    max_tokens: int | None = None,
    progress: Callable[[int], None] = lambda words: None,
) -> tuple[Vocabulary, Corpus]:
    """Read a text once and leave it encoded on disk; memory holds its distinct words and one piece of it.

    Words get provisional ids at first sight, which go to disk while they are counted; once the vocabulary is known the
    provisional ids are replaced piece by piece.

    Parameters
    ----------
    source, raw, max_tokens
        See `parw2v.text.read_tokens`.
    directory : Path
        Where the encoded corpus goes (``corpus.i32``, 4 bytes a word; twice that while this runs).
    min_count : int
        See `Vocabulary`.
    progress : callable
        Told the number of words read, now and then.

    Raises
    ------
    CorpusError, VocabularyError
        The text cannot be read, or leaves nothing to train on; or the disk is full.
    """
    provisional = directory / "provisional.i32"
    unfinished = directory / "unfinished.i32"
    final = directory / "corpus.i32"
    try:
        words, counts = _intern(read_tokens(source, raw=raw, max_tokens=max_tokens), provisional, progress)
        if not words:
            raise CorpusError(f"{source}: holds no words; give a text in UTF-8" + ("" if raw else ", or try --raw"))
        vocabulary = Vocabulary(min_count)
        new_ids = vocabulary.assign([word.decode() for word in words], counts)
        # Provisional id 0 is the sentence end.
        fingerprint = _remap(provisional, unfinished, np.concatenate([np.array([-2], np.int32), new_ids]))
        unfinished.replace(final)
    except OSError as error:
        raise CorpusError(f"{directory}: the encoded corpus cannot be written ({error.strerror or error})") from error
    finally:
        for path in (provisional, unfinished):
            with suppress(OSError):
                path.unlink()
    return vocabulary, Corpus(path=final, fingerprint=fingerprint)


class _ProvisionalIds(dict[bytes, int]):
    """Numbers words at first sight; those too long for a vocabulary share one number and are not stored."""

    _TOO_LONG = b"x" * (4 * MAX_WORD_CHARACTERS + 1)  # characters of 4 bytes at most: as good as any of them

    def __missing__(self, word: bytes) -> int:
        return self.setdefault(word if len(word) < len(self._TOO_LONG) else self._TOO_LONG, len(self))


def _intern(
    pieces: Iterable[list[bytes]], path: Path, progress: Callable[[int], None]
) -> tuple[list[bytes], CountArray]:
    """Write provisional ids (0 after each sentence, the words from 1 on); returns the words and their counts."""
    index = _ProvisionalIds({SENTENCE_END: 0})
    counts = np.zeros(1, np.int64)
    open_words = 0  # of a sentence that goes on into the next stretch
    n_words = 0
    with path.open("wb") as file:
        for stretch in _stretches(np.fromiter(map(index.__getitem__, t), np.int32, len(t)) for t in pieces):
            new_counts = np.bincount(stretch, minlength=len(index))
            new_counts[: len(counts)] += counts
            counts = new_counts
            n_words += int(np.count_nonzero(stretch))
            progress(n_words)
            stretch, open_words = _cut_long(stretch, open_words)
            stretch.tofile(file)
        np.zeros(1, np.int32).tofile(file)
    return list(index)[1:], counts[1:]


def _stretches(pieces: Iterable[TokenArray]) -> Iterator[TokenArray]:
    """Join small pieces until they are worth a pass over the counts of all words."""
    waiting: list[TokenArray] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(map(len, waiting)) >= _STRETCH_WORDS:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def _cut_long(ids: TokenArray, open_words: int) -> tuple[TokenArray, int]:
    """Insert a sentence end (0) after each `MAX_SENTENCE_WORDS` words without one.

    `open_words` words of the first sentence came before these; returned is the same number for what comes after.
    """
    if not len(ids):
        return ids, open_words
    position = np.arange(len(ids))
    last_end = np.maximum.accumulate(np.where(ids == 0, position, -1 - open_words))
    words_so_far = position - last_end
    full = np.flatnonzero((words_so_far > 0) & (words_so_far % MAX_SENTENCE_WORDS == 0))
    return np.insert(ids, full + 1, 0), int(words_so_far[-1]) % MAX_SENTENCE_WORDS


def _remap(provisional: Path, final: Path, new_ids: TokenArray) -> str:
    """Replace provisional ids by final ones, drop the rest and mark sentence ends; returns the SHA-256 of the result."""
    digest = hashlib.sha256()
    tail = np.zeros(0, np.int32)
    with provisional.open("rb") as source, final.open("wb") as sink:
        while len(piece := np.fromfile(source, np.int32, _STRETCH_WORDS)):
            piece = np.concatenate([tail, piece])
            whole = int(np.flatnonzero(piece == 0)[-1]) + 1 if (piece == 0).any() else 0
            tail = piece[whole:]
            ids = new_ids[piece[:whole]]
            ids = ids[ids != -1]
            ends = ids == -2
            ids[:-1][ends[1:]] ^= -1  # ~id; a sentence left empty marks its neighbour's end marker, dropped next
            ids = ids[~ends]
            sink.write(ids.data)
            digest.update(ids.data)
    return digest.hexdigest()


class ScratchDirectory:
    """A directory beside the output for what a run needs only while it lasts.

    Its name carries the owner's process number, so the next run removes what a killed one left behind.
    """

    def __init__(self, parent: Path) -> None:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            for left in parent.glob(".parw2v-*-*"):
                owner = left.name.split("-")[1]
                if owner.isdecimal() and not process_lives(int(owner)):
                    shutil.rmtree(left, ignore_errors=True)
            self.path = Path(tempfile.mkdtemp(prefix=f".parw2v-{os.getpid()}-", dir=parent))
        except OSError as error:
            raise CorpusError(
                f"{parent}: cannot be written ({error.strerror or error}); choose another --out"
            ) from error

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *exc: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


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
