"""What can be asked of words that have a vector each: neighbours, analogies, likeness, the odd one out."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from reprlib import repr as shortened
from typing import Any, TypeAlias

import numpy as np

from parw2v.arraytypes import AnyArray, FloatArray, IndexArray
from parw2v.errors import QueryError, SettingsError, VocabularyError
from parw2v.neighbours import at_length_one, largest, nearest, normalise, three_cos_mul
from parw2v.spelling import close_spellings
from parw2v.terminal import printable

METHODS = ("3cosadd", "3cosmul")

_CHUNK = 4096  # queries brought to length 1 at a time, in float64

Term: TypeAlias = str | AnyArray | tuple[str | AnyArray, float]
"""A word or a vector (D,), or either with a weight."""

Terms: TypeAlias = Term | Iterable[Term]

Found: TypeAlias = list[tuple[str, float]]
"""Words with their scores, best first."""


class Queries(ABC):
    """Gives its methods to a class that has words and vectors.

    Such a class has the three properties below, all in the same order. The vectors at length 1 are computed when they
    are first needed; a class whose vectors change calls `forget_units`.
    """

    _units: FloatArray | None = None

    @property
    @abstractmethod
    def words(self) -> Sequence[str]:
        """V words, most frequent first."""

    @property
    @abstractmethod
    def index(self) -> Mapping[str, int]:
        """Position of each word in `words`."""

    @property
    @abstractmethod
    def vectors(self) -> FloatArray:
        """(V, D) float32."""

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index

    def __getitem__(self, word: str | Iterable[str]) -> FloatArray:
        """(D,) float32: the vector of a word, not a copy; of a list of n words, a copy (n, D)."""
        vectors: FloatArray = self.vectors[self._id(word) if isinstance(word, str) else self._ids(word)]
        return vectors

    @property
    def unit_vectors(self) -> FloatArray:
        """(V, D) float32: the word vectors at length 1 (a zero vector stays zero), computed once."""
        if self._units is None:
            self._units = normalise(self.vectors)
        return self._units

    def forget_units(self) -> None:
        """Drop what was computed from the vectors, after they have changed."""
        self._units = None

    # ------------------------------------------------------------------------------------------ neighbours

    def most_similar(
        self,
        positive: Terms = (),
        negative: Terms | int = (),
        top_n: int = 10,
        restrict_vocab: int | None = None,
    ) -> Found:
        """The words nearest by cosine to a word, or to a sum of words and vectors; nearest first.

        ``most_similar("king")``, ``most_similar(["king", "woman"], ["man"])``, ``most_similar([("king", 2.0), vector])``.

        Parameters
        ----------
        positive, negative : a word, a vector (D,), a (word or vector, weight) pair, or a list of these
            Unit vectors of words, and vectors as they are, are added up, times 1 if `positive`, -1 if `negative`. A weight
            takes the place of 1 or -1: it is not negated. The words given are not among the answers.
        top_n : int
            A whole number as second argument is `top_n` too: ``most_similar("king", 5)``.
        restrict_vocab : int, optional
            Search only so many of the most frequent words.

        Raises
        ------
        VocabularyError
            A word is not in the vocabulary; the message names the nearest spellings.
        QueryError
            There is nothing to look for, or a vector has another length or is not finite.
        """
        if isinstance(negative, Integral):
            negative, top_n = (), int(negative)
        top_n, limit = self._limits(top_n, restrict_vocab)
        terms = [self._term(term, 1.0) for term in _listed(positive)]
        terms += [self._term(term, -1.0) for term in _listed(negative)]
        if not terms:
            raise QueryError("the query is empty; give a word or a vector")
        weights = np.array([weight for _, weight, _ in terms])
        with np.errstate(over="ignore", invalid="ignore"):
            query = weights @ np.stack([vector for vector, _, _ in terms])
        own = {row for _, _, row in terms if row is not None}
        return self._nearest(query[None], [(0, row) for row in own], top_n, limit)[0]

    def most_similar_many(
        self, queries: Iterable[str] | AnyArray, top_n: int = 10, restrict_vocab: int | None = None
    ) -> list[Found]:
        """`most_similar` for each of many words, or of the rows of a matrix (M, D), at once: far faster than a loop.

        The work is a matrix product in blocks, so memory does not grow with M, but for the answers.

        Raises
        ------
        VocabularyError, QueryError
            As `most_similar` does.
        """
        top_n, limit = self._limits(top_n, restrict_vocab)
        matrix, own = None, np.zeros(0, np.intp)
        if isinstance(queries, np.ndarray) and queries.dtype.kind in "fiu":
            matrix = queries
            if matrix.ndim != 2 or matrix.shape[1] != self.vectors.shape[1]:
                raise QueryError(f"a matrix of shape {matrix.shape} was given; it must be (M, {self.vectors.shape[1]})")
        else:
            own = self._ids(queries)
        found: list[Found] = []
        for start in range(0, len(own if matrix is None else matrix), _CHUNK):
            ids = own[start : start + _CHUNK]
            part = self.unit_vectors[ids] if matrix is None else matrix[start : start + _CHUNK]
            found += self._nearest(part, list(enumerate(ids.tolist())), top_n, limit)
        return found

    def analogy(
        self,
        a: str,
        b: str,
        c: str,
        top_n: int = 1,
        method: str = "3cosadd",
        restrict_vocab: int | None = None,
    ) -> Found:
        """Answer a - b + c, as in ``analogy("king", "man", "woman")``: queen.

        Parameters
        ----------
        method : {"3cosadd", "3cosmul"}
            Equation 3 of [1]_, the words nearest to the sum of unit vectors, or equation 4, which multiplies likenesses so
            that no single one decides. Either way without the three given.

        References
        ----------
        .. [1] Levy and Goldberg 2014, Linguistic Regularities in Sparse and Explicit Word Representations.
        """
        if method not in METHODS:
            raise SettingsError(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
        if method == "3cosadd":
            return self.most_similar([a, c], [b], top_n, restrict_vocab)
        top_n, limit = self._limits(top_n, restrict_vocab)
        ids = self._ids([a, b, c])
        units = self.unit_vectors
        scores = three_cos_mul(units[:limit], units[ids[[0, 2]]], units[ids[[1]]])
        scores[ids[ids < limit]] = -np.inf
        rows, values = largest(scores[None], min(top_n, limit))
        return self._named(rows[0], values[0])

    # ------------------------------------------------------------------------------------------ words compared

    def similarity(self, a: str, b: str) -> float:
        """Cosine of the angle between two words' vectors."""
        return float(self.unit_vectors[self._id(a)] @ self.unit_vectors[self._id(b)])

    def centrality(self, words: Iterable[str]) -> Found:
        """Each word's cosine to the mean of all (of their unit vectors), most central first.

        Raises
        ------
        QueryError
            Fewer than three words: of two, either could be the odd one.
        """
        ids = self._ids(words)
        if len(ids) < 3:
            raise QueryError(f"{len(ids)} words were given to compare; give three or more")
        units = self.unit_vectors[ids]
        cosines = units @ at_length_one(units.mean(axis=0, dtype=np.float64)[None])[0]
        return [(self.words[ids[i]], float(cosines[i])) for i in np.argsort(-cosines, kind="stable")]

    def doesnt_match(self, words: Iterable[str]) -> str:
        """The word that is furthest from the mean of all, as in ``doesnt_match(["cat", "dog", "france"])``: france."""
        return self.centrality(words)[-1][0]

    # ------------------------------------------------------------------------------------------ parts

    def _nearest(self, queries: AnyArray, without: list[tuple[int, int]], top_n: int, limit: int) -> list[Found]:
        """Answers for the rows of `queries` (M, D), of any length each, among the first `limit` words."""
        units = at_length_one(queries)
        if not np.isfinite(units).all():
            raise QueryError("a query's vector is not finite; look at the vectors and weights given")
        pairs = np.array([pair for pair in without if pair[1] < limit], np.intp).reshape(-1, 2)
        found = nearest(self.unit_vectors[:limit], units, top_n, pairs)
        return [self._named(rows, scores) for rows, scores in zip(*found, strict=True)]

    def _named(self, rows: IndexArray, scores: FloatArray) -> Found:
        answers = zip(rows.tolist(), scores.tolist(), strict=True)
        return [(self.words[row], score) for row, score in answers if score != -np.inf]

    def _limits(self, top_n: int, restrict_vocab: int | None) -> tuple[int, int]:
        """Answers wanted, and words to be searched."""
        top_n, limit = check_limits(top_n, restrict_vocab)
        return top_n, len(self.words) if limit is None else min(limit, len(self.words))

    def _term(self, term: Any, weight: float) -> tuple[AnyArray, float, int | None]:
        """The vector (D,) of a term, its weight, and its row if it is a word."""
        if isinstance(term, tuple | list) and len(term) == 2 and isinstance(term[1], Real):
            term, weight = term[0], float(term[1])
        if isinstance(term, np.ndarray) and term.dtype.kind in "fiu":
            if term.shape != self.vectors.shape[1:]:
                raise QueryError(f"a vector of shape {term.shape} was given; it must be {self.vectors.shape[1:]}")
            return term, weight, None
        if not isinstance(term, str):
            raise QueryError(f"{shortened(term)} is no word, no vector, and no pair of either with a weight")
        row = self._id(term)
        return self.unit_vectors[row], weight, row

    def _id(self, word: str) -> int:
        if not isinstance(word, str):
            raise QueryError(f"{shortened(word)} is no word; give a string")
        try:
            return self.index[word]
        except KeyError:
            close = close_spellings(word, self.words, self.index)
            hint = f"; did you mean {', '.join(map(printable, close))}?" if close else ""
            raise VocabularyError(f"{word!r} is not in the vocabulary{hint}") from None

    def _ids(self, words: Iterable[str]) -> IndexArray:
        if isinstance(words, str):
            raise QueryError(f"{shortened(words)} is one word; give a list of words")
        return np.array([self._id(word) for word in _listed(words)], np.intp)


def check_limits(top_n: int, restrict_vocab: int | None) -> tuple[int, int | None]:
    """Raise SettingsError unless both are whole numbers of 1 or more; returns them as plain integers."""
    try:
        top_n = operator.index(top_n)
        restrict_vocab = None if restrict_vocab is None else operator.index(restrict_vocab)
    except TypeError as error:
        raise SettingsError(f"top_n and restrict_vocab must be whole numbers ({error})") from error
    if top_n < 1:
        raise SettingsError(f"top_n is {top_n}; it must be at least 1")
    if restrict_vocab is not None and restrict_vocab < 1:
        raise SettingsError(f"restrict_vocab is {restrict_vocab}; it must be at least 1")
    return top_n, restrict_vocab


def _listed(given: Any) -> list[Any]:
    """A list of what may be one word, one vector, one pair with a weight, or several of these."""
    if isinstance(given, str) or (isinstance(given, np.ndarray) and given.dtype.kind in "fiu" and given.ndim < 2):
        return [given]
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Real):
        return [given]
    try:
        return list(given)
    except TypeError:
        raise QueryError(f"{shortened(given)} is no word, no vector, and no list of them") from None
