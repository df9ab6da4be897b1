"""Word vectors and the words they belong to: what a training run makes and what people use afterwards."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from parw2v.arraytypes import AnyArray, CountArray, FloatArray
from parw2v.config import OBJECTIVES
from parw2v.errors import ModelError, SettingsError, VocabularyError
from parw2v.files import atomic_write
from parw2v.neighbours import normalise as normalise
from parw2v.npz import read_npz, write_npz
from parw2v.queries import Queries
from parw2v.vocabulary import Vocabulary

_FORMAT = "parw2v model 1"

INITIAL_REACH = 0.4
"""Numbers of W_in start within so much of zero, times 1/sqrt(D): all vectors are 0.23 long, whatever D. At D = 100 that is
eight times as long as in word2vec.c, where growing takes a good part of a short run (measured in benchmarks/README.md)."""

_DEEPEST = 8
"""Tables and lists within each other in the settings of a run; it takes three."""


class Word2Vec(Queries):
    """Input and output vectors for the words of a vocabulary; `Queries` has what can be asked of them.

    Parameters
    ----------
    vocab : Vocabulary
    embed_dim : int
        D, dimensions of a vector.
    n_negatives : int
        K, noise words for each positive pair.
    objective : {"skipgram", "cbow"}
    seed : int
        Of W_in at the start, uniform within `INITIAL_REACH` / sqrt(D); W_out starts at zero, as in word2vec.c.

    Attributes
    ----------
    W_in, W_out : (V, D) float32
        Input vectors, which are the word vectors, and output vectors. After changing `W_in` by hand, call
        `forget_units`.
    settings : dict
        How the model was trained; empty before.
    """

    def __init__(
        self,
        vocab: Vocabulary,
        embed_dim: int = 100,
        n_negatives: int = 5,
        objective: str = "skipgram",
        seed: int = 42,
    ) -> None:
        embed_dim, n_negatives = check_shape(embed_dim, n_negatives, objective)
        if len(vocab) < 2:
            raise VocabularyError(f"the vocabulary has {len(vocab)} words; build it from a text first")
        self.vocab = vocab
        self.n_negatives = n_negatives
        self.objective = objective
        self.settings: dict[str, Any] = {}
        rng = np.random.default_rng(seed)
        self.W_in: FloatArray = rng.random((len(vocab), embed_dim), dtype=np.float32)
        self.W_in -= np.float32(0.5)
        self.W_in *= np.float32(2 * INITIAL_REACH / math.sqrt(embed_dim))
        self.W_out: FloatArray = np.zeros((len(vocab), embed_dim), np.float32)

    @property
    def embed_dim(self) -> int:
        """D."""
        return int(self.W_in.shape[1])

    @property
    def is_new(self) -> bool:
        """Whether the vectors are those of a model that has neither been trained nor taken over any."""
        reach = INITIAL_REACH / math.sqrt(self.embed_dim)
        return not self.W_out.any() and float(max(self.W_in.max(), -self.W_in.min())) <= 1.001 * reach

    def __repr__(self) -> str:
        return f"Word2Vec({len(self.vocab):,} words x {self.embed_dim}, {self.objective})"

    @classmethod
    def from_vectors(
        cls, words: Sequence[str], vectors: FloatArray, counts: Sequence[int] | CountArray | None = None
    ) -> Word2Vec:
        """A model of word vectors from elsewhere: `W_out` is zero, as in a model not trained yet.

        Parameters
        ----------
        words : (V,) list of str
            Most frequent first; all different.
        vectors : (V, D) float32
            Becomes `W_in`; not copied unless `counts` asks for another order.
        counts : (V,) whole numbers, optional
            Occurrences. Where they do not descend, words and vectors are put in their order. Without them each word
            counts 1, and the order is believed.

        Raises
        ------
        ModelError
            The lists contradict each other.
        """
        known = counts is not None
        try:
            numbers = np.ones(len(words), np.int64) if counts is None else np.asarray(counts)
            if numbers.dtype.kind not in "iu" or (numbers.size and int(numbers.max()) >= 1 << 62):
                raise ValueError("counts are not whole numbers below 2^62")
            numbers = numbers.astype(np.int64)
            if vectors.dtype != np.float32 or vectors.ndim != 2 or not len(vectors) == len(words) == len(numbers):
                raise ValueError(f"vectors are {vectors.dtype} {vectors.shape} for {len(words)} words")
            if len(words) < 2:
                raise ValueError("a model needs two words or more")
            if np.any(np.diff(numbers) > 0):
                order = np.argsort(-numbers, kind="stable")
                words, vectors, numbers = [words[i] for i in order.tolist()], vectors[order], numbers[order]
            vocab = Vocabulary.from_lists(words, numbers.tolist())
            check_shape(vectors.shape[1], 1, OBJECTIVES[0])
        except (ValueError, TypeError) as error:
            raise ModelError(f"no model can be made of these vectors ({error})") from error
        model = cls.__new__(cls)
        model.vocab, model.n_negatives, model.objective = vocab, 5, OBJECTIVES[0]
        model.settings = {"vectors_only": True, "counts_known": known}
        model.W_in, model.W_out = vectors, np.zeros(vectors.shape, np.float32)
        return model

    @property
    def counts_known(self) -> bool:
        """Whether the vocabulary's counts are those of a text, and not made up for vectors from elsewhere."""
        return bool(self.settings.get("counts_known", True))

    @property
    def words(self) -> list[str]:
        """The vocabulary's words, most frequent first."""
        return self.vocab.words

    @property
    def index(self) -> dict[str, int]:
        """Position of each word in `words`."""
        return self.vocab.index

    @property
    def vectors(self) -> FloatArray:
        """`W_in`, which is what queries are about."""
        return self.W_in

    def with_vectors(self, W_in: FloatArray, W_out: FloatArray) -> Word2Vec:
        """The same model with other vectors, each (V, D) float32; nothing is copied."""
        model = copy(self)
        model.W_in, model.W_out = W_in, W_out
        model.forget_units()
        return model

    # ------------------------------------------------------------------------------------------ files

    def save(self, path: str | Path) -> Path:
        """Write the model as ``path.npz``, atomically; returns the path written.

        The file holds ``W_in`` and ``W_out`` (V x D float32), ``words`` (V, unicode), ``counts`` (V, int64) and
        ``settings`` (a JSON text). No pickle: ``numpy.load`` reads it as it is.
        """
        path = npz_path(path)
        return atomic_write(path, lambda file: write_npz(file, self.to_arrays()))

    def to_arrays(self) -> dict[str, AnyArray]:
        """What `save` writes, by name."""
        record = {
            "format": _FORMAT,
            "objective": self.objective,
            "n_negatives": self.n_negatives,
            "min_count": self.vocab.min_count,
            "training": self.settings,
        }
        return {
            "W_in": self.W_in,
            "W_out": self.W_out,
            "words": np.array(self.vocab.words),
            "counts": self.vocab.counts,
            "settings": np.array(json.dumps(record)),
        }

    @classmethod
    def load(cls, path: str | Path) -> Word2Vec:
        """Read a model that `save` wrote, or a checkpoint; the ``.npz`` may be left out.

        Raises
        ------
        ModelError
            The file is missing, damaged, or holds something else.
        """
        return cls.from_arrays(read_npz(npz_path(path)), npz_path(path))

    @classmethod
    def from_arrays(cls, arrays: dict[str, AnyArray], path: Path) -> Word2Vec:
        """Restore a model from `to_arrays`; `path` names the file in errors."""
        try:
            record = json.loads(str(arrays["settings"][()]))
            if record["format"] != _FORMAT:
                raise ValueError(f"format {record['format']!r}")
            W_in, W_out = arrays["W_in"], arrays["W_out"]
            words = arrays["words"]
            if words.dtype.kind != "U" or words.ndim != 1 or len(words) < 2:
                raise ValueError("words are not a list of two strings or more")
            vocab = Vocabulary.from_lists(words.tolist(), arrays["counts"].tolist(), int(record["min_count"]))
            if W_in.dtype != np.float32 or W_in.ndim != 2 or len(W_in) != len(vocab):
                raise ValueError(f"W_in is {W_in.dtype} {W_in.shape} for {len(vocab)} words")
            if W_out.dtype != np.float32 or W_out.shape != W_in.shape:
                raise ValueError(f"W_out is {W_out.dtype} {W_out.shape}, W_in {W_in.shape}")
            if not (np.isfinite(W_in).all() and np.isfinite(W_out).all()):
                raise ValueError("a vector is not finite")
            if not isinstance(record["training"], dict) or not _is_plain(record["training"], _DEEPEST):
                raise ValueError("settings are not a table of plain values")
            model = cls.__new__(cls)
            model.vocab = vocab
            model.W_in, model.W_out = W_in, W_out
            model.objective = record["objective"]
            model.n_negatives = check_shape(W_in.shape[1], record["n_negatives"], model.objective)[1]
            model.settings = record["training"]
        except (VocabularyError, KeyError, ValueError, TypeError, IndexError, RecursionError, OverflowError) as error:
            raise ModelError(f"{path}: is not a model saved by parw2v ({error}); use another copy") from error
        return model


def _is_plain(value: Any, depth: int) -> bool:
    """Whether JSON's value is one that all who show or write it can take: not nested deeper, its numbers finite."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_plain(part, depth - 1) for part in parts)
    return not isinstance(value, float) or math.isfinite(value)


def check_shape(embed_dim: int, n_negatives: int, objective: str) -> tuple[int, int]:
    """Raise SettingsError unless a model can be made this way; returns the two numbers as plain integers."""
    try:
        embed_dim, n_negatives = operator.index(embed_dim), operator.index(n_negatives)
    except TypeError as error:
        raise SettingsError(f"embed_dim (--dim) and n_negatives (--neg) must be whole numbers ({error})") from error
    if not 1 <= embed_dim <= 10_000:
        raise SettingsError(f"embed_dim (--dim) is {embed_dim}; it must be from 1 to 10000")
    if not 1 <= n_negatives <= 1000:
        raise SettingsError(f"n_negatives (--neg) is {n_negatives}; it must be from 1 to 1000")
    if objective not in OBJECTIVES:
        raise SettingsError(f"objective (--model) is {objective!r}; it must be one of {', '.join(OBJECTIVES)}")
    return embed_dim, n_negatives


def npz_path(path: str | Path) -> Path:
    """The path with ``.npz`` added unless it is there."""
    path = Path(path)
    return path if path.suffix == ".npz" else path.parent / (path.name + ".npz")
