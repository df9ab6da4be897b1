"""How many noise words centre words share."""

from __future__ import annotations

import math

MOST_NOISE = 2048
"""With more, buffers no longer fit in any cache; only rates that diverge anyway, or windows of 100 and many noise words for
each pair, would ask for it."""

NODE_NOISE = 0.66
"""Share of a node's rate for which it needs noise words: the mean of several nodes averages noise too (measured in
benchmarks/README.md)."""


def noise_rate(lr: float, boost: float) -> float:
    """The learning rate by which noise words are counted out, where a node of a cluster trains at `boost` times `lr`."""
    return lr * max(NODE_NOISE * boost, 1.0)


def noise_words(needed: float, least: int) -> int:
    """N, even; rounding keeps 24.000000000000004 from becoming 26."""
    return min(max(2 * math.ceil(round(needed / 2, 6)), least), MOST_NOISE)
