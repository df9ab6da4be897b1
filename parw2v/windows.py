"""Runs of text and the windows of their words: how a batch is cut, and which words are contexts of which.

A batch is made of *runs*: L consecutive kept words each. Runs come from all over the text, windows do not reach out of them.
A run is cut into *blocks* of B centre words; since R <= B, the windows of a block lie in it and its two neighbours::

    run        [ block 0 | block 1 | block 2 | block 3 | block 4 | block 5 ]
    block 1            .. [ B centre words ] ..                        and R words on both sides: B + 2R neighbours

Blocks 0 and 1, 2 and 3, and so on are *twins*: skip-gram compares both with the same noise words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parw2v.arraytypes import FloatArray, IndexArray

BLOCK = 8
"""B, where R is not larger. Larger blocks waste more of the products on pairs outside any window, smaller ones leave the
products too small (benchmarks/README.md)."""

RUN_BLOCKS = 6
"""Blocks in a run, an even number. Longer runs lose fewer pairs at their ends, shorter ones bring more different texts into
a batch."""


@dataclass(frozen=True)
class Layout:
    """How the centre words of a batch lie: S runs one after the other.

    Attributes
    ----------
    radius : int
        R.
    runs : int
        S.
    """

    radius: int
    runs: int

    @classmethod
    def of_batch(cls, radius: int, batch_size: int) -> Layout:
        """As many runs as hold at least `batch_size` centre words."""
        return cls(radius, -(-batch_size // cls(radius, 1).length))

    @property
    def block(self) -> int:
        """B."""
        return max(BLOCK, self.radius)

    @property
    def length(self) -> int:
        """L, words in a run."""
        return RUN_BLOCKS * self.block

    @property
    def n_blocks(self) -> int:
        """Blocks in a batch."""
        return self.runs * RUN_BLOCKS

    @property
    def n_twins(self) -> int:
        """Blocks in a batch, two by two."""
        return self.n_blocks // 2

    @property
    def n_centres(self) -> int:
        """Centre words in a batch, S L."""
        return self.runs * self.length

    @property
    def n_neighbours(self) -> int:
        """Words that a block's windows may reach, B + 2R."""
        return self.block + 2 * self.radius

    def window_masks(self, reach: int) -> FloatArray:
        """1 where a neighbour is in the window of a centre word and in its run, else 0.

        Parameters
        ----------
        reach : int
            How far the windows reach, at most R.

        Returns
        -------
        (RUN_BLOCKS, B, B + 2R) float32
            The blocks of a run. Centre b sits at neighbour ``b + R`` and is no context of its own.
        """
        distance = self._distances()
        return ((distance > 0) & (distance <= reach)).astype(np.float32)

    def window_weights(self) -> FloatArray:
        """How much each pair counts on average over word2vec's draws, (RUN_BLOCKS, B, B + 2R) float32.

        word2vec draws the reach of each window from 1..R, which takes in a word at distance d with probability
        (R + 1 - d) / R. Of all pairs at distance d in a text that is cut into runs anywhere, (L - d) / L lie in one run;
        the weight of those makes up for the others, so that the expectation is that of a text which is not cut.
        """
        d, R, L = self._distances(), self.radius, self.length
        weights: FloatArray = (self.window_masks(R) * ((R + 1 - d) / R * L / (L - d))).astype(np.float32)
        return weights

    def stretches(self, contexts: FloatArray, noise: FloatArray, n_noise: int, blocks: IndexArray) -> FloatArray:
        """What belongs to contexts and to noise in the order of skip-gram's outputs.

        Parameters
        ----------
        contexts : (k, B, B + 2R) float32
        noise : (k, B, 1) float32
            The same for all N noise words.
        n_noise : int
            N.
        blocks : (k,) intp
            The blocks' numbers: noise stands behind one with an even number, before one with an odd number.

        Returns
        -------
        (k, B, C) float32
            C = B + 2R + N: R words of the block before, the block and its noise, R words of the block behind.
        """
        stretches = np.empty((*contexts.shape[:2], self.n_neighbours + n_noise), np.float32)
        for odd, start in enumerate((self.radius + self.block, self.radius)):
            some, end = blocks % 2 == odd, start + n_noise
            stretches[some, :, :start], stretches[some, :, end:] = np.split(contexts[some], [start], axis=2)
            stretches[some, :, start:end] = noise[some]
        return stretches

    def _distances(self) -> IndexArray:
        """Of a centre word and its neighbours, (RUN_BLOCKS, B, B + 2R); 0 for those outside of the run."""
        centre = np.arange(self.length).reshape(RUN_BLOCKS, self.block, 1)
        neighbour = (np.arange(RUN_BLOCKS) * self.block - self.radius)[:, None, None] + np.arange(self.n_neighbours)
        inside = (neighbour >= 0) & (neighbour < self.length)
        return np.where(inside, np.abs(centre - neighbour), 0)


def sums_and_means(masks: FloatArray, contexts: FloatArray) -> FloatArray:
    """A and A / c, what takes the sum over each window and what takes the mean.

    Parameters
    ----------
    masks : (k, B, M) float32
        A.
    contexts : (k, B, 1) float32
        c, the sum of A over each window; a window without a context stays empty.

    Returns
    -------
    (k, 2, B, M) float32
    """
    n, block, neighbours = masks.shape
    both = np.empty((n, 2, block, neighbours), np.float32)
    both[:, 0] = masks
    np.divide(masks, np.maximum(contexts, 1), out=both[:, 1])
    return both
