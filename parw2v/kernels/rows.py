"""Gathering rows of a matrix, and adding to rows that may repeat.

``W[rows] += G`` loses updates where a row occurs twice, and ``np.add.at`` is 40 times too slow. The product of a sparse
matrix with one entry in each column adds column by column into its result, which is what is wanted, without a copy; SciPy
has it under a private name, so it is tried once at import and replaced by a public equivalent if it is gone or differs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy import sparse

from parw2v.arraytypes import FloatArray, IndexArray

_LINE = 16
"""Numbers in a cache line of 64 bytes."""

AddRows: TypeAlias = Callable[[FloatArray, IndexArray, FloatArray, FloatArray], None]


def gather(W: FloatArray, rows: IndexArray, out: FloatArray) -> None:
    """``out[i] = W[rows[i]]`` for (V, D), (n,), (n, D). 'clip' spares ``take`` a buffered second pass."""
    W.take(rows, axis=0, out=out, mode="clip")


def aligned_zeros(n: int, first: int = 0) -> FloatArray:
    """(n,) float32 whose number `first` starts a cache line: arithmetic of arrays is twice as fast where all of them do."""
    memory = np.zeros(n + _LINE - 1, np.float32)
    start = -(memory.ctypes.data // memory.itemsize + first) % _LINE
    return memory[start : start + n]


def blocks_of(rows: FloatArray, n: int, height: int, apart: int) -> FloatArray:
    """(n, height, D): blocks of `height` rows each, `apart` rows from one to the next, which may overlap; a view."""
    row, number = rows.strides
    assert (n - 1) * apart + height <= len(rows)
    return np.lib.stride_tricks.as_strided(rows, (n, height, rows.shape[1]), (apart * row, row, number))


def twins_of(rows: FloatArray, n: int, height: int, apart: int, period: int) -> FloatArray:
    """(n, 2, height, D): blocks two by two, `apart` rows between twins, `period` from one pair to the next; a view."""
    row, number = rows.strides
    assert (n - 1) * period + apart + height <= len(rows)
    return np.lib.stride_tricks.as_strided(
        rows, (n, 2, height, rows.shape[1]), (period * row, apart * row, row, number)
    )


def add_rows_public(W: FloatArray, rows: IndexArray, scale: FloatArray, G: FloatArray) -> None:
    """`add_rows` in public terms, at about five times the cost."""
    unique, place = np.unique(rows, return_inverse=True)
    n = len(rows)
    sums = sparse.csr_array((scale, (place, np.arange(n))), shape=(len(unique), n)) @ G
    W[unique] += sums


def _private_add_rows() -> AddRows | None:
    """The in-place product behind scipy.sparse, if this SciPy has it and it does what it is used for."""
    try:
        from scipy.sparse._sparsetools import csc_matvecs

        def add(W: FloatArray, rows: IndexArray, scale: FloatArray, G: FloatArray) -> None:
            n = len(rows)
            csc_matvecs(len(W), n, W.shape[1], _ONE_EACH[: n + 1], rows, scale, G.reshape(-1), W.reshape(-1))

        rng = np.random.default_rng(0)
        W = rng.random((5, 3), dtype=np.float32)
        rows = np.array([4, 1, 4, 4, 0], np.intp)
        scale = rng.random(5, dtype=np.float32)
        G = rng.random((5, 3), dtype=np.float32)
        expected = W.copy()
        np.add.at(expected, rows, scale[:, None] * G)
        add(W, rows, scale, G)
        return add if np.allclose(W, expected, rtol=1e-6) else None
    except Exception:  # whatever a changed private function does, training goes on without it
        return None


_ONE_EACH = np.arange((1 << 20) + 1)
"""Column pointers of a sparse matrix with one entry a column."""

add_rows: AddRows = _private_add_rows() or add_rows_public
"""``W[rows[i]] += scale[i] * G[i]`` for every i, in order, repeated rows included.

(V, D), (n,) intp, (n,) float32, (n, D) float32; W is changed in place, G may be. Other processes may be adding to the
same rows: each row is read, added to and written in one short loop, so a lost update costs one row's step at worst.
"""
