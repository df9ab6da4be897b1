"""Skip-gram with negative sampling: one step on a batch of runs.

For centre word i with contexts j at distances |j - i| <= R, and K noise words for each pair,

    loss_i = sum_j w_ij [ -log s(x_i . y_j) - K E_n log s(-x_i . y_n) ],      s(x) = 1 / (1 + exp(-x))

which is equation 4 of [1]_, negated. word2vec draws the reach of each window uniformly from 1..R; with probability
(R + 1 - |j - i|) / R the draw takes in j. Weighting by it (`Layout.window_weights`) rather than drawing is the same in
expectation, with less noise in the gradient (measured in benchmarks/README.md). The expectation over noise words n is taken
over N words, weighted K / N for each pair: the same in expectation as K draws for each pair, and a dense product.

Two blocks of B centre words, twins, share N noise words, which stand between them. Per block, with X (B, D) the centres
and Y (C, D) the stretch of outputs around it, C = B + 2R + N (the last R words of the block before, the block's own words,
the first R words of the block behind, and between the block and its twin the noise):

    P = X Y^T                    scores
    G = a * s(-sign(a) P)        a_ij = w_ij for contexts, -K c_i / N for noise, with c_i = sum_j w_ij
    X += lr G Y,  Y += lr G^T X  both from the old values

A row of Y is in the stretches of up to three blocks. G^T X for it is one product all the same: where the scores of all
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
from parw2v.kernels.rows import add_rows, aligned_zeros, blocks_of, gather, twins_of
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
        N.
    """

    predicts_contexts = True
    safe_step = 7.2
    """Pairs of a word, noise included, times the learning rate, that may be computed from one copy of its rows; damping
    keeps more from doing more (docs/many-cores.md)."""

    n_noise = 12
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
        n, n_twins, period = layout.n_centres, layout.n_twins, 2 * B + N
        # R rows more at either end, which stay zero: what is around the first and the last block reaches beyond the batch.
        # X and Y lie apart, for NumPy copies what shares memory with a result.
        padded_X = np.zeros((R + n + R, D), np.float32)
        padded_Y = np.zeros((R + n_twins * period + R, D), np.float32)
        self.X, self.Y = padded_X[R : R + n], padded_Y[R : R + n_twins * period]
        self.X_blocks = twins_of(self.X, n_twins, B, B, 2 * B)
        self.X_around_blocks = twins_of(padded_X, n_twins, B + 2 * R, B, 2 * B)
        self.X_around_noise = blocks_of(self.X, n_twins, 2 * B, 2 * B)
        self.Y_stretches = twins_of(padded_Y, n_twins, B + 2 * R + N, B, period)
        self.Y_transposed = self.Y_stretches.transpose(0, 1, 3, 2)
        self.dX = np.empty((n, D), np.float32)
        self.dX_blocks = twins_of(self.dX, n_twins, B, B, 2 * B)
        # dY takes the place of Y, which is not needed any more by then.
        self.dY_noise = blocks_of(self.Y[B:], n_twins, N, period)
        self.dY_blocks = twins_of(self.Y, n_twins, B, B + N, period)
        self.scores = _Scores(layout, N)
        # Weights a_ij in the places of their scores.
        window = layout.window_weights()
        weights = _Scores(layout, N)
        noise = -negatives / N * window.sum(axis=2, keepdims=True)
        run = layout.stretches(window, noise, N, np.arange(RUN_BLOCKS))
        weights.stretches[...] = np.tile(run, (layout.runs, 1, 1)).reshape(weights.stretches.shape)
        self.halves: FloatArray = weights.used * np.float32(0.5)
        self.levels, self.slopes = aligned_zeros(len(self.halves)), aligned_zeros(len(self.halves))
        # Of the blocks whose loss is measured; some runs are enough.
        self.weights = weights.stretches[: RUN_BLOCKS // 2 * max(layout.runs // 4, 1)]

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
        """How many times a batch draws N noise words: none is used more often than is safe, if it can be.

        A use is 2B centre words of about R + 1 pairs each.
        """
        layout = self.layout
        push = lr * 2 * layout.block * (layout.radius + 1) * self.negatives / self.n_noise
        uses = max(int(round(self.safe_push / push, 6)), 1) if push else 1
        return -(-layout.n_twins // uses)

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
            scores.stretches[np.divmod(batch.cut, 2)] *= batch.left
        np.matmul(scores.stretches, self.Y_stretches, out=self.dX_blocks)
        # Lock-free (Hogwild): other workers may write these rows between our reading and adding. Steps are small and rows
        # many, so the loss of one now and then does no harm (Niu et al. 2011).
        add_rows(self.W, inputs, batch.scale[:n], self.dX)  # at once, while they are in the cache
        np.matmul(scores.of_blocks, self.X_around_blocks, out=self.dY_blocks)
        np.matmul(scores.of_noise, self.X_around_noise, out=self.dY_noise)
        add_rows(self.W, outputs, batch.scale[n:], self.Y)
        return measured

    def _loss(self, batch: Batch) -> tuple[float, float]:
        weights, scores = self.weights, self.scores.stretches[: len(self.weights)]
        if len(cut := batch.cut[batch.cut < 2 * len(weights)]):
            weights = weights.copy()
            weights[np.divmod(cut, 2)] *= batch.left[: len(cut)]
        return logistic_loss(scores, weights), float(np.maximum(weights, 0).sum())


class _Scores:
    """Memory for the scores of a batch, in which those of a centre and those of an output are matrices both.

    The score of centre i (i from -R, for blocks before and behind) and the output at place c is at ``i * pitch + c`` from
    some number on: the rows of one block are `pitch` numbers apart. What a row does not use stays zero, so a matrix of some
    outputs and all centres around them reads zeros where the two have no score.

    Attributes
    ----------
    used : (n,) float32
        All of it that is ever written, in one piece.
    stretches : (n_twins, 2, B, C)
        By block of centres, two by two.
    of_blocks : (n_twins, 2, B, B + 2R)
        By block of outputs: G^T for the block's own words, with the centres of the block and R on both sides.
    of_noise : (n_twins, N, 2B)
        G^T for the noise between twins, with the centres of both.
    """

    def __init__(self, layout: Layout, n_noise: int) -> None:
        B, R, n_twins = layout.block, layout.radius, layout.n_twins
        columns, period = B + 2 * R + n_noise, 2 * B + n_noise
        pitch = columns + B - R
        step, start = 2 * B * pitch + period, R * pitch
        used = (n_twins - 1) * step + (2 * B - 1) * pitch + B + columns
        memory = aligned_zeros(start + used + R * pitch, first=start)

        def view(start: int, shape: tuple[int, ...], *strides: int) -> FloatArray:
            return as_strided(memory[start:], shape, [4 * stride for stride in strides])

        self.used = memory[start : start + used]
        self.stretches = view(start, (n_twins, 2, B, columns), step, B * pitch + B, pitch, 1)
        self.of_blocks = view(R, (n_twins, 2, B, B + 2 * R), step, B * pitch + B + n_noise, 1, pitch)
        self.of_noise = view(start + R + B, (n_twins, n_noise, 2 * B), step, 1, pitch)
