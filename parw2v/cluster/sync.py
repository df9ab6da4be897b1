"""What nodes tell one another of their rows, and how it becomes one.

Every node has both matrices. Between two rounds each changes its own; in a round each tells its changes since the last
one, they are combined, and every node puts the combination in the place of its own. Rows are sorted by frequency, so the
first ones change most: they go in every round, ranges of twice as many rows every second, fourth, ... round [1]_.

References
----------
.. [1] Ji et al. 2016, Parallelizing Word2Vec in Shared and Distributed Memory, section 3.2 (arXiv:1604.04661).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from parw2v.arraytypes import FloatArray

HOT_SHARE = 16
"""One word in so many goes in every round, all of them in every so-many-th."""


MOST_HOT = 16_384
"""But so many words at most: with millions of words the rest is rare, and rounds would take long."""


def words_due(number: int, n_words: int) -> int:
    """The first so many words, the most frequent, whose rows go in round `number`, counted from 1.

    Twice as many in every second round, four times in every fourth; with up to 262,144 words all of them in every 16th.
    """
    hot = min(-(-n_words // HOT_SHARE), MOST_HOT)
    return min(hot * (number & -number), n_words)


class OutOfStepError(Exception):
    """A node is to take in a round that is not the next it waits for."""


class Mirror:
    """One node's part in the rounds.

    Parameters
    ----------
    W : (2V, D) float32
        Both matrices, a word's rows one after the other. Workers write to it at any time, without locks; a number that
        one of them writes while it is being corrected here may lose the correction, as any update may.
    """

    def __init__(self, W: FloatArray) -> None:
        self.W = W
        self.mark = W.copy()
        """(2V, D) float32: what all nodes have agreed on, and what this one has told since."""
        self._told: deque[tuple[int, FloatArray]] = deque()

    def changes(self, number: int, n_words: int) -> FloatArray:
        """(2 n_words, D) float32: what the first rows have changed by since they were last told; told with this.

        Told in round `number`.
        """
        rows = slice(2 * n_words)
        now = self.W[rows].copy()
        told = now - self.mark[rows]
        self.mark[rows] = now
        self._told.append((number, told))
        return told

    def take_in(self, number: int, combined: FloatArray) -> None:
        """Put what all nodes' changes of round `number` came to in the place of this node's own.

        Raises
        ------
        OutOfStepError
            This node waits for another round; nothing was changed.
        """
        if not self._told or self._told[0][0] != number:
            raise OutOfStepError
        correction = combined - self._told.popleft()[1]
        self.W[: len(correction)] += correction
        self.mark[: len(correction)] += correction

    def forget_told(self) -> None:
        """Keep what was told as agreed; what it comes to will not be taken in."""
        self._told.clear()

    def reset(self, state: FloatArray) -> None:
        """Start anew from what another node's `mark` was, (2V, D) float32."""
        self.W[...] = state
        self.mark[...] = state
        self._told.clear()


def summed(changes: Sequence[FloatArray]) -> FloatArray:
    """The sum of all nodes' changes, as if one node had made them all; frequent rows overshoot."""
    total: FloatArray = np.sum(changes, axis=0)
    return total


def averaged(changes: Sequence[FloatArray]) -> FloatArray:
    """The mean over the nodes that changed a row at all."""
    touched = np.sum([np.any(change, axis=1) for change in changes], axis=0)
    mean: FloatArray = (summed(changes) / np.maximum(touched, 1)[:, None]).astype(np.float32)
    return mean


def agreeing(changes: Sequence[FloatArray]) -> FloatArray:
    """Between sum and mean, row by row, by how much the nodes agree.

    The sum s of changes d_i is scaled by min(1, sum |d_i|^2 / |s|^2). Nodes that all found the same change of a frequent
    row have found it once, and the mean is left; changes that have nothing to do with one another add up. (AdaSum [1]_
    does the like for two nodes at a time.)

    References
    ----------
    .. [1] Maleki et al. 2020, Scaling Distributed Training with Adaptive Summation (arXiv:2006.02924).
    """
    total = summed(changes)
    apart = sum(np.einsum("rd,rd->r", change, change) for change in changes)
    together = np.einsum("rd,rd->r", total, total)
    scale = np.minimum(apart / np.maximum(together, np.float32(1e-30)), 1)
    total *= np.asarray(scale, np.float32)[:, None]
    return total


COMBINERS: dict[str, Callable[[Sequence[FloatArray]], FloatArray]] = {
    "sum": summed,
    "mean": averaged,
    "agreeing": agreeing,
}
"""How changes of several nodes to the same rows, (R, D) float32 each, become one."""
