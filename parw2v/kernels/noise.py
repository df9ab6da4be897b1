"""How many noise words centre words share."""

from __future__ import annotations

import math

MOST_NOISE = 2048
"""With more, buffers no longer fit in any cache; only rates that diverge anyway, or windows of 100 and many noise words for
each pair, would ask for it."""


def noise_words(needed: float, least: int) -> int:
    """N, even; rounding keeps 24.000000000000004 from becoming 26."""
    return min(max(2 * math.ceil(round(needed / 2, 6)), least), MOST_NOISE)
