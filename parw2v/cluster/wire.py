"""What nodes tell one another, as it travels: the upper half of each number.

A change keeps its sign, its exponent and 7 bits of its fraction (bfloat16), so each number is right to 1/256 of itself:
nothing beside the noise of what a round of training finds, and half the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from parw2v.arraytypes import FloatArray

Packed: TypeAlias = npt.NDArray[np.uint16]

BYTES_A_NUMBER = 2

_ROWS_AT_ONCE = 256
"""What is computed for so many rows stays in the cache, in memory that is used again: new memory comes page by page, and
with all rows of both matrices costs ten times what is computed (measured in benchmarks/README.md)."""


def packed(changes: FloatArray) -> Packed:
    """float32 as it travels: of the same shape, each number rounded to the nearest that can."""
    bits = changes.view(np.uint32) + np.uint32(0x8000)
    bits >>= np.uint32(16)
    return bits.astype(np.uint16)


def unpacked(halves: Packed) -> FloatArray:
    """The numbers again, float32."""
    bits = halves.astype(np.uint32)
    bits <<= np.uint32(16)
    return bits.view(np.float32)


def stretches(n_rows: int) -> Iterator[slice]:
    """Rows 0 to `n_rows`, some at a time."""
    for start in range(0, n_rows, _ROWS_AT_ONCE):
        yield slice(start, min(start + _ROWS_AT_ONCE, n_rows))
