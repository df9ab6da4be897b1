"""Skip-gram with negative sampling: one step on a batch of runs.

For centre word i with contexts j at distances |j - i| <= R, and K noise words for each pair,

    loss_i = sum_j w_ij [ -log s(x_i . y_j) - K E_n log s(-x_i . y_n) ],      s(x) = 1 / (1 + exp(-x))

which is equation 4 of [1]_, negated. word2vec draws the reach of each window uniformly from 1..R; with probability
(R + 1 - |j - i|) / R the draw takes in j. Weighting by it (`Layout.window_weights`) rather than drawing is the same in
expectation, with less noise in the gradient (measured in benchmarks/README.md). The expectation over noise words n is taken
over N words, weighted K / N for each pair: the same in expectation as K draws for each pair, and a dense product.

Per block of B centre words, with X (B, D) the centres and Y (C, D) the stretch of outputs around it, C = B + 2R + N
(the last R words of the block before, N/2 noise words, the block's own words, N/2 noise words, the first R words of the
block behind):

    P = X Y^T                    scores
    G = a * s(-sign(a) P)        a_ij = w_ij for contexts, -K c_i / N for noise, with c_i = sum_j w_ij
    X += lr G Y,  Y += lr G^T X  both from the old values

A row of Y is in the stretches of two or three blocks. G^T X for it is one product all the same: where the scores of all
blocks lie in memory, the column of a row of Y and the centres of its blocks are a matrix too (`_Scores`).

References
----------
.. [1] Mikolov et al. 2013, Distributed Representations of Words and Phrases and their Compositionality.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from parw2v.arraytypes import FloatArray
from parw2v.batching import Batch
from parw2v.kernels.losses import descend, logistic_loss
from parw2v.kernels.noise import noise_words
from parw2v.kernels.rows import add_rows, aligned_zeros, blocks_of, gather
from parw2v.windows import RUN_BLOCKS, Layout


class SkipGram:
    """The update of one batch and the buffers it reuses; a step allocates next to nothing.

    Parameters
    ----------
    W : (2V, D) float32
        Row 2v is word v's in W_in, row 2v + 1 in W_out. Changed in place, possibly by other processes at the same time.
    layout : Layout
    negatives : int
        K.
    n_noise : int
        N, even.
    """

    predicts_contexts = True
    safe_step = 7.2
    """Pairs of a word, noise included, times the learning rate, that may be computed from one copy of its rows; damping
    keeps more from doing more (docs/many-cores.md)."""

    n_noise = 14
    """The least N (`enough_noise`), that of the usual rate, K and R. Fewer cost accuracy, more cost speed
    (benchmarks/README.md)."""

    safe_pull = 1 / 16
    """Weight of a centre word's pairs with one noise word, times the learning rate: with more SimLex falls
    (benchmarks/README.md)."""

    safe_push = 2.5
    """Weight of all pairs of a noise word, times the learning rate, that may be computed from one copy of its row: a quarter
    of what diverges (benchmarks/README.md)."""

    def __init__(self, W: FloatArray, *, layout: Layout, negatives: int, n_noise: int) -> None:
        self.W, self.layout, self.negatives = W, layout, negatives
        self.n_noise = N = n_noise
        D, B, R = W.shape[1], layout.block, layout.radius
        n, n_blocks, half = layout.n_centres, layout.n_blocks, N // 2
        period = B + half
        n_outputs = n_blocks * period + half
        # More rows at either end, which stay zero: the stretches of the first and the last block reach beyond the batch. X
        # and Y lie apart, for NumPy copies what shares memory with a result.
        padded_X = np.zeros((B + n + B, D), np.float32)
        padded_Y = np.zeros((R + n_outputs + R, D), np.float32)
        self.X, self.Y = padded_X[B : B + n], padded_Y[R : R + n_outputs]
        self.X_blocks = blocks_of(self.X, n_blocks, B, B)
        self.X_around_blocks = blocks_of(padded_X[B - R :], n_blocks, B + 2 * R, B)
        self.X_around_noise = blocks_of(padded_X, n_blocks + 1, 2 * B, B)
        self.Y_stretches = blocks_of(padded_Y, n_blocks, B + 2 * R + N, period)
        self.Y_transposed = self.Y_stretches.transpose(0, 2, 1)
        self.dX = np.empty((n, D), np.float32)
        self.dX_blocks = blocks_of(self.dX, n_blocks, B, B)
        # dY takes the place of Y, which is not needed any more by then.
        self.dY_noise = blocks_of(self.Y, n_blocks + 1, half, period)
        self.dY_blocks = blocks_of(self.Y[half:], n_blocks, B, period)
        self.scores = _Scores(layout, N)
        # Weights a_ij in the places of their scores.
        window = layout.window_weights()
        weights = _Scores(layout, N)
        run = layout.stretches(window, -negatives / N * window.sum(axis=2, keepdims=True), N)
        weights.stretches[...] = np.tile(run, (layout.runs, 1, 1))
        self.halves: FloatArray = weights.used * np.float32(0.5)
        self.levels, self.slopes = aligned_zeros(len(self.halves)), aligned_zeros(len(self.halves))
        # Of the blocks whose loss is measured; some runs are enough.
        self.weights = weights.stretches[: RUN_BLOCKS * max(layout.runs // 4, 1)]

    @classmethod
    def enough_noise(cls, layout: Layout, negatives: int, lr: float) -> int:
        """N: as many as keep what one noise word pulls and is pushed, in one use, safe at this rate."""
        per_centre = (layout.radius + 1) * negatives
        needed = lr * per_centre * max(1 / cls.safe_pull, 2 * layout.block / cls.safe_push)
        return noise_words(needed, cls.n_noise)

    def safe_occurrences(self, lr: float) -> float:
        """Occurrences of a word, of (R + 1) (K + 1) pairs each, beyond which damping sets in; at least 1."""
        return max(self.safe_step / ((self.layout.radius + 1) * (self.negatives + 1) * lr), 1.0)

    def noise_groups(self, lr: float) -> int:
        """How many times a batch draws N noise words, two stretches: none is used more often than is safe, if it can be.

        A use is 2B centre words of about R + 1 pairs each.
        """
        layout = self.layout
        push = lr * 2 * layout.block * (layout.radius + 1) * self.negatives / self.n_noise
        uses = max(int(round(self.safe_push / push, 6)), 1) if push else 1
        return -(-(layout.n_blocks + 1) // (2 * uses))

    def set_rate(self, lr: float) -> None:
        """Set the learning rate of the steps to come; folding it into the weights spares a pass in each step."""
        np.multiply(self.halves, np.float32(lr), out=self.levels)
        np.negative(np.abs(self.levels, out=self.slopes), out=self.slopes)

    def step(self, batch: Batch, measure: bool = False) -> tuple[float, float]:
        """Train one batch.

        Returns
        -------
        loss : float
            Sum over the measured part of the batch of the loss before the step, in nats; 0 unless `measure`.
        pairs : float
            Positive pairs it is a sum over, by weight; 0 unless `measure`.
        """
        scores, n = self.scores, len(self.X)
        inputs, outputs = batch.rows[:n], batch.rows[n:]
        gather(self.W, inputs, self.X)
        gather(self.W, outputs, self.Y)
        np.matmul(self.X_blocks, self.Y_transposed, out=scores.stretches)
        measured = self._loss(batch) if measure else (0.0, 0.0)
        descend(scores.used, self.levels, self.slopes)
        if len(batch.cut):
            scores.stretches[batch.cut] *= batch.left
        np.matmul(scores.stretches, self.Y_stretches, out=self.dX_blocks)
        # Lock-free (Hogwild): other workers may write these rows between our reading and adding. Steps are small and rows
        # many, so the loss of one now and then does no harm (Niu et al. 2011).
        add_rows(self.W, inputs, batch.scale[:n], self.dX)  # at once, while they are in the cache
        np.matmul(scores.of_blocks, self.X_around_blocks, out=self.dY_blocks)
        np.matmul(scores.of_noise, self.X_around_noise, out=self.dY_noise)
        add_rows(self.W, outputs, batch.scale[n:], self.Y)
        return measured

    def _loss(self, batch: Batch) -> tuple[float, float]:
        weights = self.weights.copy()
        cut, scores = batch.cut[batch.cut < len(weights)], self.scores.stretches[: len(weights)]
        weights[cut] *= batch.left[: len(cut)]
        pairs = float(np.maximum(weights, 0).sum())
        return logistic_loss(scores, weights), pairs


class _Scores:
    """Memory for the scores of a batch, in which those of a centre and those of an output are matrices both.

    The score of centre i (i from -B, for blocks before and behind) and the output at place c is at ``i * pitch + c``. The
    rows of one block are `pitch` numbers apart, the next block's begin ``B * pitch + period`` further on; what a row does
    not use stays zero, so a matrix of some outputs and all centres around them reads zeros where the two have no score.

    Attributes
    ----------
    used : (n,) float32
        All of it that is ever written, in one piece.
    stretches : (n_blocks, B, C)
        By block of centres.
    of_blocks : (n_blocks, B, B + 2R)
        By block of outputs: G^T for the block's own words, with the centres of the block and R on both sides.
    of_noise : (n_blocks + 1, N/2, 2B)
        By noise stretch: G^T for its words, with the centres of the blocks before and behind.
    """

    def __init__(self, layout: Layout, n_noise: int) -> None:
        B, R, n_blocks, half = layout.block, layout.radius, layout.n_blocks, n_noise // 2
        columns, period = B + 2 * R + n_noise, B + half
        pitch = columns + B - R
        step = B * pitch + period
        memory = aligned_zeros((n_blocks + 2) * step + columns, first=B * pitch)

        def view(start: int, shape: tuple[int, int, int], row: int, column: int) -> FloatArray:
            return as_strided(memory[start:], shape, [4 * step, 4 * row, 4 * column])

        self.used = memory[B * pitch : B * pitch + (n_blocks - 1) * step + (B - 1) * pitch + columns]
        self.stretches = view(B * pitch, (n_blocks, B, columns), pitch, 1)
        self.of_blocks = view((B - R) * pitch + R + half, (n_blocks, B, B + 2 * R), 1, pitch)
        self.of_noise = view(R, (n_blocks + 1, half, 2 * B), 1, pitch)
