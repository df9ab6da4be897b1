"""The symmetric form of a trained model: the same scores from word vectors that suit comparing words better.

All that training sees of W_in and W_out are scores x . y, so what it finds is their product alone: for any invertible A the
rows x A and y A^-T give the same scores, the same loss, and other cosines. Skip-gram with negative sampling factorises a
matrix M = W_in W_out^T of shifted mutual information [1]_; of its factors the symmetric ones, U S^(1/2) and V S^(1/2) for
M = U S V^T, are better at similarity than those with all of S on one side [2]_. word2vec, one pair after the other, ends
close to them, for small vectors grow alike on both sides. Noise words that many centre words share do not: what they do at
once makes W_out longer, most of all along what all of its rows have in common. Here A is chosen so that

    A^T W_in^T W_in A  =  A^-1 W_out^T W_out A^-T,

which the symmetric factors have, turned by some rotation. The symmetric A that does it is unique: A^2 is the geometric mean
of W_out^T W_out and the inverse of W_in^T W_in, two D x D matrices. What it does to accuracy is in benchmarks/README.md.

References
----------
.. [1] Levy and Goldberg 2014, Neural Word Embedding as Implicit Matrix Factorization.
.. [2] Levy, Goldberg and Dagan 2015, Improving Distributional Similarity with Lessons Learned from Word Embeddings,
   section 3.3.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from parw2v.arraytypes import FloatArray

_ROWS = 1 << 16
"""Rows that are worked on at a time: no second copy of a matrix is needed."""

_LEAST = 1e-5
"""Directions in which a matrix has less than this share of its mean are taken to have so much: a vocabulary may be smaller
than D."""

_Square: TypeAlias = NDArray[np.float64]


def balance(W_in: FloatArray, W_out: FloatArray) -> None:
    """Bring both matrices into their symmetric form, in place; scores stay as they are, but for rounding.

    Matrices that have learnt nothing (one of them is zero) or hold what is not finite are left alone.

    Parameters
    ----------
    W_in, W_out : (V, D) float32
    """
    inputs, outputs = _gram(W_in), _gram(W_out)
    if not (np.isfinite(inputs).all() and np.isfinite(outputs).all() and inputs.any() and outputs.any()):
        return
    inputs, outputs = _full(inputs), _full(outputs)
    root, inverse = _power(inputs, 0.5), _power(inputs, -0.5)
    squared = inverse @ _power(root @ outputs @ root, 0.5) @ inverse
    _turn(W_in, _power(squared, 0.5))
    _turn(W_out, _power(squared, -0.5))


def _gram(W: FloatArray) -> _Square:
    """W^T W."""
    total = np.zeros((W.shape[1], W.shape[1]))
    for start in range(0, len(W), _ROWS):
        rows = W[start : start + _ROWS]
        with np.errstate(all="ignore"):  # of a run that diverged
            total += rows.T @ rows
    return total


def _full(gram: _Square) -> _Square:
    """With no direction all but empty."""
    values, vectors = np.linalg.eigh(gram)
    return _compose(np.maximum(values, _LEAST * values.mean()), vectors)


def _power(symmetric: _Square, exponent: float) -> _Square:
    """Of a symmetric, positive definite matrix."""
    values, vectors = np.linalg.eigh((symmetric + symmetric.T) / 2)
    return _compose(values**exponent, vectors)


def _compose(values: NDArray[np.float64], vectors: _Square) -> _Square:
    """The symmetric matrix with these eigenvalues and eigenvectors."""
    product: _Square = vectors * values @ vectors.T
    return product


def _turn(W: FloatArray, A: _Square) -> None:
    """W A, in place."""
    single = A.astype(np.float32)
    for start in range(0, len(W), _ROWS):
        W[start : start + _ROWS] = W[start : start + _ROWS] @ single
