"""Documents in memory as numbers: what a model is trained on, and what is averaged to a vector for each of them."""

from __future__ import annotations

import reprlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from parw2v.arraytypes import CountArray, TokenArray
from parw2v.corpus import Corpus
from parw2v.errors import DocumentError
from parw2v.text import MAX_SENTENCE_WORDS, Tokens, normalised

Tokenizer: TypeAlias = Callable[[str], Iterable[str]]
"""Finds the words of a text."""


class _Numbers(dict[str, int]):
    """Numbers words in order of first sight; only there is a word's type looked at, once for each distinct word."""

    def __missing__(self, word: str) -> int:
        if not isinstance(word, str):
            raise TypeError(f"{word!r} is not a string")
        self[word] = number = len(self)
        return number


@dataclass(frozen=True)
class Documents:
    """Documents whose words are numbered, in order of first sight.

    Attributes
    ----------
    words : list of str
        Each distinct word once.
    numbers : (n,) int32
        The position in `words` of every word, document after document.
    sentence_lengths : (s,) int64
        Words in each sentence.
    lengths : (d,) int64
        Words in each document.
    """

    words: list[str]
    numbers: TokenArray
    sentence_lengths: CountArray
    lengths: CountArray

    @classmethod
    def read(cls, documents: Iterable[Any], tokenizer: Tokenizer | None = None) -> Documents:
        """Find the words of documents and number them; each document is looked at once.

        Parameters
        ----------
        documents : iterable of str, of lists of words, or of lists of sentences
            The two kinds may stand side by side. In a string a line is a sentence.
        tokenizer : callable, optional
            Gives the words of a string, as one sentence; parw2v's own rule (see `parw2v.text`) where there is none.

        Raises
        ------
        DocumentError
            A document is something else, or the whole is a single string or a table.
        """
        if isinstance(documents, str | bytes):
            raise DocumentError(f"the documents are one text, {reprlib.repr(documents)}; give a list of texts")
        shape = getattr(documents, "shape", (0,))
        if len(shape) != 1 or hasattr(documents, "nnz"):
            raise DocumentError(
                f"the documents are a {type(documents).__name__} of shape {shape}; give a flat sequence of texts, "
                "such as one column of a table, and nothing sparse"
            )
        seen = _Numbers()
        numbers, sentence_lengths, lengths = array("i"), array("q"), array("q")
        for i, document in enumerate(documents):
            before = len(numbers)
            words = _words(document, tokenizer) if isinstance(document, str) else document
            try:
                for sentence in _sentences(words):
                    numbers.extend(map(seen.__getitem__, sentence))
                    sentence_lengths.append(len(sentence))
            except TypeError as error:
                what = reprlib.repr(document)
                raise DocumentError(f"document {i} is {what}; give a string or a list of words ({error})") from error
            lengths.append(len(numbers) - before)
        return cls(
            [str(word) for word in seen],
            np.array(numbers, np.int32),
            np.array(sentence_lengths, np.int64),
            np.array(lengths, np.int64),
        )

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def counts(self) -> CountArray:
        """(len(words),) int64: occurrences of each word."""
        return np.bincount(self.numbers, minlength=len(self.words)).astype(np.int64)

    def corpus(self, ids: TokenArray) -> Corpus:
        """What a model is trained on; `ids` has the id of each of `words`, -1 for those left out."""
        encoded = ids[self.numbers]
        sentence = np.repeat(np.arange(len(self.sentence_lengths)), self.sentence_lengths)
        known = encoded >= 0
        encoded, sentence = encoded[known], sentence[known]
        last = np.flatnonzero(np.diff(sentence, append=-1))
        encoded[last] = ~encoded[last]
        return Corpus(encoded)

    def bags(self, ids: TokenArray, n_words: int) -> Any:
        """(d, n_words) float32, a sparse CSR array: how often each document has each word; `ids` as in `corpus`."""
        from scipy.sparse import csr_array

        encoded = ids[self.numbers]
        known = encoded >= 0
        document = np.repeat(np.arange(len(self)), self.lengths)[known]
        ends = np.cumsum(np.bincount(document, minlength=len(self)))
        ones = np.ones(len(document), np.float32)
        bags = csr_array((ones, encoded[known], np.concatenate([[0], ends])), shape=(len(self), n_words))
        bags.sum_duplicates()
        return bags


def _sentences(document: Iterable[Any]) -> Iterator[list[str]]:
    """Of words or of sentences, none longer than `MAX_SENTENCE_WORDS`; every word is one, whatever it holds."""
    if isinstance(document, Tokens):
        start = 0
        for length in [*document.sentence_lengths, len(document) - sum(document.sentence_lengths)]:
            yield from _cut(list.__getitem__(document, slice(start, start + length)))
            start += length
        return
    text: list[str] = []
    for item in document:
        if isinstance(item, str):
            text.append(item)
        else:
            yield from _cut(list(item))
    yield from _cut(text)


def _cut(sentence: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(sentence), MAX_SENTENCE_WORDS):
        yield sentence[start : start + MAX_SENTENCE_WORDS]


def _words(text: str, tokenizer: Tokenizer | None) -> Iterable[str] | Iterable[list[str]]:
    if tokenizer is not None:
        return tokenizer(text)
    # A lone surrogate is no character of UTF-8: it becomes U+FFFD, as it would in a file, and separates words.
    lines = normalised(text.encode("utf-8", "surrogatepass"), raw=False).decode().split("\n")
    return [line.split() for line in lines]
