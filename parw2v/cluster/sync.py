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
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from parw2v.arraytypes import FloatArray
from parw2v.cluster.wire import Packed, packed, stretches, unpacked

HOT_SHARE, HOT_SHARE_OF_TWO = 32, 64
"""One word in so many goes in every round, all of them in every so-many-th. Two nodes, each at twice the rate, stay closer
to each other than more nodes at up to four times the rate (measured in benchmarks/README.md)."""

MOST_HOT = 16_384
"""But so many words at most: with millions of words the rest is rare, and rounds would take long."""

TRAIN_ON = 2
"""So many nodes train on while their changes travel; more wait, for each then knows too little of the others."""

SAFE_RATE = {"skipgram": 0.1, "cbow": 0.2}
"""Rates up to which nodes train at so many times the rate as they are many: half of what a single machine bears, or less
(measured in benchmarks/README.md)."""


def words_due(number: int, n_words: int, n_nodes: int) -> int:
    """The first so many words, the most frequent, whose rows go in round `number`, counted from 1.

    Twice as many in every second round, four times in every fourth, all of them in every 64th round of two nodes and every
    32nd of more; later with more words than `MOST_HOT` is such a share of.
    """
    hot = min(-(-n_words // (HOT_SHARE if n_nodes > 2 else HOT_SHARE_OF_TWO)), MOST_HOT)
    return min(hot * (number & -number), n_words)


class OutOfStepError(Exception):
    """A node is to take in a round that is not the next it waits for."""


class Mirror:
    """One node's part in the rounds.

    A node trains at `boost` times the rate of a single machine (see `boost`), so its changes are too long by that factor,
    until they have been told: then they count as they will in the mean, and what the others told is added when it comes.

    Parameters
    ----------
    W : (2V, D) float32
        Both matrices, a word's rows one after the other. Workers write to it at any time, without locks; a number that
        one of them writes while it is being corrected here may lose the correction, as any update may.
    """

    def __init__(self, W: FloatArray) -> None:
        self.W = W
        self.mark = W.copy()
        """(2V, D) float32: what all nodes have agreed on, and this node's part of what it has told since."""
        self.boost = 1.0
        self._told: deque[_Told] = deque()

    def set_boost(self, boost: float) -> None:
        """Train at another rate from now on; changes that were not told are made as long as they would be with it."""
        if boost != self.boost:
            share = np.float32(1 - boost / self.boost)
            for rows in stretches(len(self.W)):
                self.W[rows] -= (self.W[rows] - self.mark[rows]) * share
            self.boost = boost

    def changes(self, number: int, n_words: int, n_nodes: int) -> Packed:
        """(2 n_words, D), packed: what the first rows have changed by since they were last told; told with this.

        Told in round `number`, to `n_nodes` nodes with this one. What packing takes away is let go here as well.
        """
        told = np.empty((2 * n_words, self.W.shape[1]), np.uint16)
        share = np.float32(1 / n_nodes)
        for rows in stretches(len(told)):
            left = self.W[rows] - self.mark[rows]
            told[rows] = packed(left)
            own = unpacked(told[rows])
            own *= share
            self.mark[rows] += own
            left -= own
            self.W[rows] -= left
        self._told.append(_Told(number, told, share))
        return told

    def take_in(self, number: int, combined: Sequence[Packed]) -> None:
        """Put what all nodes' changes of round `number` came to in the place of this node's own.

        Parameters
        ----------
        number : int
        combined : sequence of (R, D), packed
            Range by range.

        Raises
        ------
        OutOfStepError
            This node waits for another round; nothing was changed.
        """
        here, start = self._waited_for(number), 0
        for part in combined:
            for rows in stretches(len(part)):
                self._replace(here, start + rows.start, unpacked(part[rows]))
            start += len(part)

    def take_in_whole(self, number: int, changes: Sequence[Packed]) -> None:
        """`take_in` of each node's changes as it told them, its own among them, which are combined here."""
        here = self._waited_for(number)
        for rows in stretches(len(here.told)):
            self._replace(here, rows.start, combined([unpacked(change[rows]) for change in changes], self.boost))

    def forget_told(self) -> None:
        """Keep what was told as a single machine would have; what it comes to with others' will not be taken in."""
        while self._told:
            here = self._told.popleft()
            missing = np.float32(1 / self.boost) - here.share
            for rows in stretches(len(here.told)):
                self._correct(rows.start, unpacked(here.told[rows]) * missing)

    def vectors(self, into: FloatArray | None = None) -> FloatArray:
        """(2V, D) float32: both matrices, what was not told yet as long as a single machine would have it.

        A copy, in the memory of `into` if given.
        """
        vectors = np.empty_like(self.W) if into is None else into
        share = np.float32(1 - 1 / self.boost)
        for rows in stretches(len(vectors)):
            vectors[rows] = self.W[rows] - (self.W[rows] - self.mark[rows]) * share
        return vectors

    def reset(self, state: FloatArray) -> None:
        """Start anew from what another node's `mark` was, (2V, D) float32."""
        self.W[...] = state
        self.mark[...] = state
        self._told.clear()

    def _waited_for(self, number: int) -> _Told:
        if not self._told or self._told[0].number != number:
            raise OutOfStepError
        return self._told.popleft()

    def _replace(self, here: _Told, start: int, change: FloatArray) -> None:
        """Put a change of some rows in the place of this node's part of what it told of them."""
        change -= unpacked(here.told[start : start + len(change)]) * here.share
        self._correct(start, change)

    def _correct(self, start: int, correction: FloatArray) -> None:
        rows = slice(start, start + len(correction))
        self.W[rows] += correction
        self.mark[rows] += correction


class _Told(NamedTuple):
    """What this node told in a round, and its part in what that will come to, as far as it can know: a share of it."""

    number: int
    told: Packed
    share: np.float32


def boost(n_nodes: int, lr: float, objective: str) -> float:
    """What nodes multiply the learning rate by: their number, as far as the rate stays safe.

    The mean of N nodes, each at N times the rate, moves rare rows as far as one machine that trains all the text: their
    changes add up. Frequent rows cannot overshoot, for the mean is between what nodes found, and its noise is that of the
    single rate. (Goyal et al. 2017 [1]_ have the same for large batches.)

    References
    ----------
    .. [1] Goyal et al. 2017, Accurate, Large Minibatch SGD (arXiv:1706.02677).
    """
    return min(float(n_nodes), max(SAFE_RATE[objective] / lr, 1.0)) if lr else 1.0


def combine(changes: Sequence[Packed], boost: float) -> Packed:
    """`combined` of changes as they travel, as it travels."""
    total = np.empty_like(changes[0])
    for rows in stretches(len(total)):
        total[rows] = packed(combined([unpacked(change[rows]) for change in changes], boost))
    return total


def combined(changes: Sequence[FloatArray], boost: float) -> FloatArray:
    """What nodes' changes of the same rows, (R, D) float32 each, come to.

    The sum s of N changes d_i is scaled by sum |d_i|^2 / |s|^2, but at least by 1 / N and at most by 1 / boost. With a boost
    of N that is the mean. With less, nodes that all found the same change of a frequent row have found it once, and the mean
    is left; changes that have nothing to do with one another add up. (AdaSum [1]_ does the like for two nodes at a time.)

    References
    ----------
    .. [1] Maleki et al. 2020, Scaling Distributed Training with Adaptive Summation (arXiv:2006.02924).
    """
    total = changes[0].copy()
    for change in changes[1:]:
        total += change
    least, most = 1 / len(changes), 1 / boost
    if least >= most:
        total *= np.float32(most)
        return total
    apart = sum(np.einsum("rd,rd->r", change, change) for change in changes)
    together = np.einsum("rd,rd->r", total, total)
    scale = np.clip(apart / np.maximum(together, np.float32(1e-30)), least, most)
    total *= np.asarray(scale, np.float32)[:, None]
    return total
