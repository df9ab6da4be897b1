"""The words a model knows: counting, pruning, order, and a JSON file of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from parw2v.arraytypes import CountArray, TokenArray
from parw2v.errors import VocabularyError
from parw2v.files import atomic_write
from parw2v.sentences import files_in, is_files, no_word, sentences_of
from parw2v.sources import Source
from parw2v.text import MAX_WORD_CHARACTERS

if TYPE_CHECKING:
    from parw2v.corpus import Corpus


class Vocabulary:
    """Words in order of frequency, most frequent first; ties stand in code-point order.

    Parameters
    ----------
    min_count : int
        Words that occur less often are left out.

    Attributes
    ----------
    words : list of str
    counts : (V,) int64
        Occurrences of each word in the text it was built from.
    index : dict of str to int
        Position of each word in `words`.
    """

    def __init__(self, min_count: int = 5) -> None:
        if min_count < 1:
            raise VocabularyError(f"min_count is {min_count}; it must be at least 1")
        self.min_count = min_count
        self.words: list[str] = []
        self.counts: CountArray = np.zeros(0, np.int64)
        self.index: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index

    def __repr__(self) -> str:
        return f"Vocabulary({len(self):,} words, min_count={self.min_count})"

    @property
    def total(self) -> int:
        """Occurrences of all words together: the raw words of one epoch over that text."""
        return int(self.counts.sum())

    def build(self, tokens: Source | Iterable[Any]) -> Vocabulary:
        """Count words and keep the frequent ones; returns self.

        Parameters
        ----------
        tokens : iterable of sentences, of texts or of words; or files
            Lists of words, `Tokens`, a flat list of words, strings that are texts (see `parw2v.sentences`); or a file, a
            pattern, or a list of paths (see `parw2v.sources`).

        Raises
        ------
        CorpusError
            It is nothing of the kind, or cannot be read.
        VocabularyError
            Fewer than two words are left: nothing can be learnt from one.
        """
        if is_files(tokens):
            from parw2v.corpus import count_text

            counted = count_text(files_in(tokens), min_count=self.min_count)
            self.words, self.counts, self.index = counted.words, counted.counts, counted.index
            return self
        counter: Counter[str] = Counter()
        for sentence in sentences_of(tokens):
            try:
                counter.update(sentence)
            except TypeError:  # a word that cannot be counted
                raise no_word(next(w for w in sentence if not isinstance(w, str)), "a word") from None
        if wrong := [word for word in counter if not isinstance(word, str)]:
            raise no_word(wrong[0], "a word")
        self.assign(list(counter), np.fromiter(counter.values(), np.int64, len(counter)))
        return self

    def assign(self, words: Sequence[str], counts: CountArray, n_distinct: int | None = None) -> TokenArray:
        """Take over distinct words with their counts, pruned and sorted; returns where each one went.

        Parameters
        ----------
        words : (n,) list of str
        counts : (n,) int64
        n_distinct : int, optional
            Distinct words in the text, where the rare ones among them are not given.

        Returns
        -------
        (len(words),) int32
            The new id of each given word, -1 where it was left out.
        """
        frequent = np.flatnonzero(counts >= self.min_count).tolist()
        kept = [i for i in frequent if 0 < len(words[i]) <= MAX_WORD_CHARACTERS and "\0" not in words[i]]
        kept.sort(key=words.__getitem__)
        kept = np.array(kept, np.intp)[np.argsort(-counts[kept], kind="stable")].tolist()
        if len(kept) < 2:
            raise VocabularyError(
                f"only {len(kept)} of {n_distinct or len(words):,} distinct words occur at least {self.min_count} times; "
                "training needs two or more: lower --min_count or give more text"
            )
        self.words = [words[i] for i in kept]
        self.counts = np.asarray(counts, np.int64)[kept]
        self.index = {word: i for i, word in enumerate(self.words)}
        new_ids = np.full(len(words), -1, np.int32)
        new_ids[kept] = np.arange(len(kept), dtype=np.int32)
        return new_ids

    def encode(self, tokens: Iterable[Any]) -> Corpus:
        """Turn sentences, texts or words into a `Corpus` of ids; words that are not in the vocabulary are dropped.

        For files, and for what does not fit in memory, see `parw2v.encoding.encode_sentences`.
        """
        from parw2v.corpus import Corpus

        return Corpus.from_sentences(sentences_of(tokens), self.index)

    def pruned(self, min_count: int | None = None, max_size: int | None = None) -> Vocabulary:
        """A vocabulary of the frequent words of this one.

        Parameters
        ----------
        min_count : int, optional
            Leave out words that occur less often.
        max_size : int, optional
            Keep so many at most, the most frequent ones.

        Raises
        ------
        VocabularyError
            `min_count` is less than that of this vocabulary, which has left those words out already; or fewer than two
            words are left.
        """
        smaller = Vocabulary(self.min_count if min_count is None else min_count)
        if smaller.min_count < self.min_count:
            raise VocabularyError(
                f"min_count is {min_count}, but the words below {self.min_count} were left out when this vocabulary was "
                "made; count the text again"
            )
        if max_size is not None and max_size < 2:
            raise VocabularyError(f"max_size is {max_size}; it must be at least 2")
        n = int(np.count_nonzero(self.counts >= smaller.min_count))
        n = n if max_size is None else min(n, max_size)
        if n < 2:
            raise VocabularyError(
                f"only {n} of {len(self):,} words occur at least {smaller.min_count} times; training needs two or more"
            )
        return Vocabulary.from_lists(self.words[:n], self.counts[:n].tolist(), smaller.min_count)

    def fingerprint(self) -> str:
        """SHA-256 over words and counts: two vocabularies train the same way only if it is equal."""
        digest = hashlib.sha256("\n".join(self.words).encode("utf-8", "surrogatepass"))
        digest.update(self.counts.astype("<i8").tobytes())
        return digest.hexdigest()

    def save(self, path: str | Path) -> Path:
        """Write the vocabulary as JSON, atomically; returns the path."""
        text = self.to_json()
        return atomic_write(Path(path), lambda file: file.write(text))

    def to_json(self) -> bytes:
        """What `save` writes."""
        record = {
            "format": "parw2v vocabulary 1",
            "min_count": self.min_count,
            "words": self.words,
            "counts": self.counts.tolist(),
        }
        return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")

    @classmethod
    def load(cls, path: str | Path) -> Vocabulary:
        """Read what `save` wrote.

        Raises
        ------
        VocabularyError
            The file is missing, no vocabulary, or inconsistent.
        """
        try:
            return cls.from_json(Path(path).read_bytes())
        except OSError as error:
            raise VocabularyError(f"{path}: cannot be read ({error.strerror})") from error
        except VocabularyError as error:
            raise VocabularyError(f"{path}: {error}") from error

    @classmethod
    def from_json(cls, text: bytes) -> Vocabulary:
        """Restore what `to_json` made; VocabularyError if it is something else, or inconsistent."""
        try:
            record = json.loads(text)
            if record["format"] != "parw2v vocabulary 1":
                raise ValueError(f"format {record['format']!r}")
            words = record["words"]
            if not isinstance(words, list):
                raise ValueError("words are not a list")
            vocabulary = cls.from_lists(words, record["counts"], int(record["min_count"]))
            if words and not 0 < len(min(words, key=len)) <= len(max(words, key=len)) <= MAX_WORD_CHARACTERS:
                raise ValueError(f"a word is empty, or has more than {MAX_WORD_CHARACTERS} characters")
            return vocabulary
        except (VocabularyError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
            raise VocabularyError(f"is not a vocabulary saved by parw2v ({error})") from error

    @classmethod
    def from_lists(cls, words: Sequence[str], counts: Sequence[int], min_count: int = 1) -> Vocabulary:
        """Restore a vocabulary in the order given; ValueError where the lists contradict each other."""
        numbers = np.asarray(counts)
        if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
            raise ValueError("counts are not a list of whole numbers")
        vocabulary = cls(min_count)
        vocabulary.words = list(words)
        vocabulary.counts = numbers.astype(np.int64)
        vocabulary.index = {word: i for i, word in enumerate(vocabulary.words)}
        if not all(isinstance(word, str) for word in vocabulary.words):
            raise ValueError("a word is not a string")
        if any("\0" in word for word in vocabulary.words):
            raise ValueError("a word holds a NUL")  # which a model's array of words would lose
        if not len(vocabulary.words) == len(vocabulary.index) == len(vocabulary.counts):
            raise ValueError("words repeat, or their number differs from that of the counts")
        if len(vocabulary.counts) and (vocabulary.counts.min() < 1 or np.any(np.diff(vocabulary.counts) > 0)):
            raise ValueError("counts are not positive and descending")
        if sum(vocabulary.counts.tolist()) >= 1 << 63:
            raise ValueError("counts add up to 2^63 or more")
        return vocabulary
