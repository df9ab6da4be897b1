"""Which neighbours are in a centre word's window, as a table to be looked up instead of computed."""

from __future__ import annotations

import numpy as np

from parw2v.arraytypes import FloatArray
from parw2v.batching import SEGMENT


def window_masks(radius: int) -> FloatArray:
    """1 where neighbour m of centre b is in its window, for every pair of reaches.

    Row ``(left * (R + 1) + right) * B + b`` belongs to the b-th centre of a segment with `left` context words before it
    and `right` after it; it sits at neighbour ``b + R`` itself and is no context of its own.

    Returns
    -------
    ((R + 1)^2 * B, M) float32
    """
    offset = np.arange(SEGMENT + 2 * radius) - radius - np.arange(SEGMENT)[:, None]
    left, right = (side[:, None, None] for side in np.divmod(np.arange((radius + 1) ** 2), radius + 1))
    mask = (offset >= -left) & (offset <= right) & (offset != 0)
    table: FloatArray = mask.reshape(-1, SEGMENT + 2 * radius).astype(np.float32)
    return table


def half_signs(segments: int, positives: int, noise: int) -> FloatArray:
    """(S, B, positives + noise) float32: +1/2 for the first columns, -1/2 for the noise."""
    signs = np.full((segments, SEGMENT, positives + noise), 0.5, np.float32)
    signs[:, :, positives:] = -0.5
    return signs
