"""A transformer for scikit-learn: documents in, one vector for each of them out.

Named after the library it is for; imports are absolute, so ``import sklearn`` anywhere in the package is scikit-learn.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from parw2v.arraytypes import FloatArray, TokenArray
from parw2v.config import TrainSettings
from parw2v.documents import Documents, Tokenizer
from parw2v.errors import DocumentError, SettingsError
from parw2v.model import Word2Vec
from parw2v.trainer import Trainer
from parw2v.vocabulary import Vocabulary

WEIGHTINGS = ("mean", "idf", "sif")


class Word2VecTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The weighted mean of the vectors of a document's words.

    `fit` trains word vectors on the documents, or takes trained ones (`vectors`), and learns the weights. A document
    is a string, whose words are found as in ``parw2v train`` (each line a sentence), or a list of words. Words without
    a vector are passed over; a document that has no others becomes zeros.

    Parameters
    ----------
    weighting : {"mean", "idf", "sif"}
        "mean" counts every word alike. "idf" weights a word with ln((1 + n) / (1 + df)) + 1, where df of the n
        documents given to `fit` have it (scikit-learn's smoothed idf). "sif" is the smooth inverse frequency of [1]_,
        algorithm 1: the sum of a / (a + p(w)) times the vector over the number of words, minus its projection on the
        first singular vector of the documents given to `fit`. p(w) is the word's share in the text that the vectors
        were trained on.
    sif_a : float
        a of "sif".
    vectors : Word2Vec, path of a saved one, or None
        Trained vectors; nothing is trained then, and the parameters below except `tokenizer` have no effect. A path
        is read in `fit` and keeps the copies that scikit-learn makes of a transformer small.
    dim, window, negatives, epochs, min_count, model, lr, sample
        Training, with the defaults of ``parw2v train`` but for `epochs`: documents that fit in memory are few words, of
        which five epochs learn next to nothing (measured in README.md). `model` is "skipgram" or "cbow".
    workers : int or None
        Processes that train; None takes all cores. With one, the default, the same documents give the same vectors.
    random_state : int, RandomState or None
        An int is the seed of ``parw2v train``; a RandomState draws one at each `fit`; with None each `fit` differs.
    tokenizer : callable, optional
        Gives the words of a string, for instance ``str.split``; a function that pickle can find, if the transformer
        has to be pickled.
    verbose : bool
        Show progress on standard error.

    Attributes
    ----------
    model_ : Word2Vec
        The word vectors, for ``model_.most_similar``, ``model_.save`` or the `vectors` of another transformer.
    weights_ : (V,) float32
        The weight of each word, in the order of ``model_.vocab.words``.
    component_ : (D,) float32
        The direction removed; only after `fit` with "sif".

    Notes
    -----
    As with scikit-learn's own vectorisers there is no ``n_features_in_``: documents have no features. The output has
    D, named ``word2vectransformer0`` and so on.

    References
    ----------
    .. [1] Arora, Liang and Ma 2017, A Simple but Tough-to-Beat Baseline for Sentence Embeddings, ICLR.
    """

    def __init__(
        self,
        weighting: str = "mean",
        *,
        sif_a: float = 1e-3,
        vectors: Word2Vec | str | Path | None = None,
        dim: int = 100,
        window: int = 5,
        negatives: int = 5,
        epochs: int = 20,
        min_count: int = 5,
        model: str = "skipgram",
        lr: float | None = None,
        sample: float = 1e-3,
        workers: int | None = 1,
        random_state: int | np.random.RandomState | None = 42,
        tokenizer: Tokenizer | None = None,
        verbose: bool = False,
    ) -> None:
        self.weighting = weighting
        self.sif_a = sif_a
        self.vectors = vectors
        self.dim = dim
        self.window = window
        self.negatives = negatives
        self.epochs = epochs
        self.min_count = min_count
        self.model = model
        self.lr = lr
        self.sample = sample
        self.workers = workers
        self.random_state = random_state
        self.tokenizer = tokenizer
        self.verbose = verbose

    def fit(self, X: Iterable[Any], y: object = None) -> Word2VecTransformer:
        """Train or take over word vectors and learn the weights; returns self.

        Parameters
        ----------
        X : iterable of documents
            Looked at once.
        y
            Ignored.

        Raises
        ------
        DocumentError, SettingsError
            The documents, or a parameter, cannot be used. Both are also a ValueError.
        Parw2vError
            Whatever else training or reading vectors may raise.
        """
        self._fit(X)
        return self

    def fit_transform(self, X: Iterable[Any], y: object = None) -> FloatArray:
        """`fit`, then `transform` of the same documents: (n, D) float32."""
        return self._fit(X)

    def transform(self, X: Iterable[Any]) -> FloatArray:
        """The vectors of documents: (n, D) float32.

        Raises
        ------
        NotFittedError
            `fit` comes first.
        DocumentError
            A document is neither a string nor a list of words.
        """
        check_is_fitted(self)
        documents = Documents.read(X, self.tokenizer)
        ids = _ids(documents, self.model_.vocab)
        return self._without_component(self._means(documents.bags(ids, len(self.model_))))

    @property
    def _n_features_out(self) -> int:
        dim: int = self.model_.embed_dim
        return dim

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        tags.non_deterministic = self.vectors is None and self.workers != 1
        return tags

    # ------------------------------------------------------------------------------------------ learning

    def _fit(self, X: Iterable[Any]) -> FloatArray:
        """Learn everything; returns the vectors of the documents."""
        if self.weighting not in WEIGHTINGS:
            raise SettingsError(f"weighting is {self.weighting!r}; it must be one of {', '.join(WEIGHTINGS)}")
        if self.weighting == "sif":
            _check_positive("sif_a", self.sif_a)
        documents = Documents.read(X, self.tokenizer)
        if not len(documents):
            raise DocumentError("there are no documents; give at least one")
        model, ids = self._model(documents)
        bags = documents.bags(ids, len(model))
        self.model_ = model.with_vectors(model.W_in, model.W_out)  # the caller may train the other one further
        self.weights_ = self._weights(bags, model.vocab)
        vectors = self._means(bags)
        if self.weighting == "sif":
            self.component_ = first_component(vectors)
        elif hasattr(self, "component_"):
            del self.component_  # of an earlier fit
        return self._without_component(vectors)

    def _model(self, documents: Documents) -> tuple[Word2Vec, TokenArray]:
        """The word vectors, and the row of each of the documents' words, -1 for none."""
        if self.vectors is None:
            vocab = Vocabulary(self.min_count)
            ids = vocab.assign(documents.words, documents.counts)
            seed = _seed(self.random_state)
            settings = TrainSettings(
                epochs=self.epochs,
                lr=self.lr,
                window=self.window,
                sample=self.sample,
                seed=seed,
                workers=self.workers,
            )
            model = Word2Vec(vocab, self.dim, self.negatives, self.model, seed)
            Trainer(model, vocab, documents.corpus(ids), settings=settings).train(quiet=not self.verbose)
            return model, ids
        if isinstance(self.vectors, str | Path):
            model = Word2Vec.load(self.vectors)
        elif isinstance(self.vectors, Word2Vec):
            model = self.vectors
        else:
            raise SettingsError(
                f"vectors is a {type(self.vectors).__name__}; give a Word2Vec or the path of a saved one"
            )
        return model, _ids(documents, model.vocab)

    def _weights(self, bags: Any, vocab: Vocabulary) -> FloatArray:
        """(V,) float32."""
        weights: FloatArray = np.ones(len(vocab), np.float32)
        if self.weighting == "idf":
            have_it = np.bincount(bags.indices, minlength=len(vocab))
            weights[:] = np.log((1 + bags.shape[0]) / (1 + have_it)) + 1
        elif self.weighting == "sif":
            weights[:] = self.sif_a / (self.sif_a + vocab.counts / vocab.total)
        return weights

    # ------------------------------------------------------------------------------------------ averaging

    def _means(self, bags: Any) -> FloatArray:
        """(n, D) float32 from (n, V) counts, which are changed."""
        words = bags.sum(axis=1)
        bags.data *= self.weights_[bags.indices]
        if self.weighting == "idf":
            words = bags.sum(axis=1)
        sums = bags @ self.model_.W_in
        means: FloatArray = np.divide(sums, words[:, None], out=np.zeros_like(sums), where=words[:, None] > 0)
        return means

    def _without_component(self, vectors: FloatArray) -> FloatArray:
        if self.weighting != "sif":
            return vectors
        return vectors - np.outer(vectors @ self.component_, self.component_)


def first_component(vectors: FloatArray) -> FloatArray:
    """(D,) float32: the first right singular vector of (n, D) vectors, its largest entry positive; zeros if all are.

    By way of the D x D products, which are small however many vectors there are.
    """
    products = (vectors.T @ vectors).astype(np.float64)
    if not products.any():
        return np.zeros(vectors.shape[1], np.float32)
    component = np.linalg.eigh(products)[1][:, -1]
    component *= np.sign(component[np.abs(component).argmax()])
    return component.astype(np.float32)


def _ids(documents: Documents, vocab: Vocabulary) -> TokenArray:
    return np.array([vocab.index.get(word, -1) for word in documents.words], np.int32)


def _seed(random_state: Any) -> int:
    """A whole number from what scikit-learn takes as a source of randomness."""
    if random_state is None:
        return int(np.random.default_rng().integers(1 << 31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(1 << 31))
    try:
        return operator.index(random_state)
    except TypeError:
        raise SettingsError(f"random_state is {random_state!r}; give a whole number, a RandomState or None") from None


def _check_positive(name: str, value: Any) -> None:
    try:
        fine = math.isfinite(value) and value > 0
    except TypeError:
        fine = False
    if not fine:
        raise SettingsError(f"{name} is {value!r}; it must be a number above 0")
