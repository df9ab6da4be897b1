"""Which neighbours are in the windows of a segment's centre words."""

from __future__ import annotations

import numpy as np

from parw2v.arraytypes import FloatArray, IndexArray

SEGMENT = 20
"""B, centre words in a segment. Larger wastes more of the products on pairs outside any window, smaller gathers more
context rows for each centre word and leaves the products too small (benchmarks/README.md)."""


def window_masks(left: IndexArray, right: IndexArray, radius: int) -> FloatArray:
    """1 where neighbour m of centre b is in its window, else 0.

    Parameters
    ----------
    left, right : (..., B) intp
        How far the window of each centre word reaches to either side, at most R; broadcast against each other and B.
    radius : int
        R. Centre b sits at neighbour ``b + R`` and is no context of its own.

    Returns
    -------
    (..., B, M) float32
    """
    # Each side is looked up, not computed: short sentences need this for every segment.
    offset = np.arange(SEGMENT + 2 * radius) - radius - np.arange(SEGMENT)[:, None]  # (B, M)
    reach = np.arange(radius + 1)[:, None, None]
    before = ((offset < 0) & (-offset <= reach)).astype(np.float32).reshape(-1, SEGMENT + 2 * radius)
    after = ((offset > 0) & (offset <= reach)).astype(np.float32).reshape(-1, SEGMENT + 2 * radius)
    b = np.arange(SEGMENT)
    masks: FloatArray = np.take(before, left * SEGMENT + b, axis=0)
    masks += np.take(after, right * SEGMENT + b, axis=0)
    return masks


def whole_windows(radius: int) -> FloatArray:
    """(R + 1, B, M) float32: the masks of a segment whose windows all reach 0, 1, ... R words, uncut."""
    reach = np.arange(radius + 1)[:, None]
    return window_masks(reach, reach, radius)
