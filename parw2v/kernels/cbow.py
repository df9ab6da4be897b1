"""Continuous bag of words with negative sampling: one step on a batch of runs.

Centre word i is predicted from the mean h_i of its c_i context vectors:

    h_i    = 1/c_i sum_j x_j
    loss_i = -log s(h_i . t_i) - K E_n log s(-h_i . y_n)

with t_i the centre word's own row of W_out and the expectation over the N noise words that a group of centre words shares.
As in word2vec.c, each context word gets the whole of -d loss / d h_i rather than 1/c_i of it, which is the gradient's step
c_i times as long for W_in: after one epoch of 17 M words 14.5 % of analogies were right that way, against 7.9 % with the
plain gradient. All centre words of a batch take the reach of their windows from one draw, so that j is a context of i where
i is one of j, and the masks A (1 inside a window) are symmetric.

With X the words of a block and R more on both sides, T the targets and Z the noise:

    H = A X / c,                p = rows of H . T,            Q = H Z^T           scores
    g = s(-p)                   F = -K / N * s(Q)
    dH = g T + F Z
    X += lr A dH,               T += lr g H,                  Z += lr F^T H       all from the old values

References
----------
Mikolov et al. 2013, Efficient Estimation of Word Representations in Vector Space, section 3.1.
"""

from __future__ import annotations

import numpy as np

from parw2v.arraytypes import FloatArray
from parw2v.batching import Batch
from parw2v.kernels.losses import descend, logistic_loss
from parw2v.kernels.noise import noise_words
from parw2v.kernels.rows import add_rows, aligned_zeros, blocks_of, gather
from parw2v.windows import Layout, sums_and_means


class CBOW:
    """The update of one batch and the buffers it reuses; parameters as for `SkipGram`."""

    predicts_contexts = False
    safe_step = 4.8
    """See `SkipGram.safe_step`; a word has 1 + K pairs here, whatever its window."""

    n_noise = 8
    """The least N (`enough_noise`). A group of centre words, which shares noise, is every S-th word of the batch:
    words of all its runs."""

    safe_pull = 1 / 48
    """Weight of a centre word's pair with one noise word, times the learning rate (benchmarks/README.md). Six times that,
    N = 8 with K = 20, diverged."""

    def __init__(self, W: FloatArray, *, layout: Layout, negatives: int, n_noise: int) -> None:
        self.W, self.layout, self.negatives = W, layout, negatives
        self.n_noise = N = n_noise
        D, B, R = W.shape[1], layout.block, layout.radius
        n, n_blocks, runs = layout.n_centres, layout.n_blocks, layout.runs
        # A and A / c of every block, for each reach. Only the neighbours within it take part in a product: B + 2 * reach.
        self.within = [slice(R - reach, R + B + reach) for reach in range(R + 1)]
        of_run = [layout.window_masks(reach)[:, :, self.within[reach]] for reach in range(R + 1)]
        self.masks = [
            np.tile(sums_and_means(masks, masks.sum(axis=2, keepdims=True)), (runs, 1, 1, 1)) for masks in of_run
        ]
        # R rows more at the ends, which stay zero: the windows of the first and the last block reach beyond the batch.
        padded = np.zeros((R + n + runs * N + n, D), np.float32)
        self.gathered = padded[R:]
        self.X_around = [blocks_of(padded[R - r :], n_blocks, B + 2 * r, B) for r in range(R + 1)]
        self.Z = self.gathered[n : n + runs * N].reshape(runs, N, D)
        self.T = self.gathered[n + runs * N :]
        self.H = np.empty((n, D), np.float32)
        padded_dH = np.zeros((R + n + R, D), np.float32)
        self.dH = padded_dH[R : R + n]
        self.dH_around = [blocks_of(padded_dH[R - r :], n_blocks, B + 2 * r, B) for r in range(R + 1)]
        self.scores = aligned_zeros(n + n * N)
        self.p, self.Q = self.scores[:n], self.scores[n:].reshape(n, N)
        self.halves = np.full_like(self.scores, -negatives / N / 2)  # of the weights: 1, and -K / N for noise
        self.halves[:n] = 0.5
        self.levels, self.slopes = aligned_zeros(len(self.halves)), aligned_zeros(len(self.halves))
        self.steps = np.empty((n + runs * N, D), np.float32)
        self.n_inputs, self.each = len(self.steps), np.arange(n)
        self.weights = np.full(1 + N, -negatives / N, np.float32)  # of a centre word's pairs
        self.weights[0] = 1
        self.measured = layout.length * max(runs // 4, 1)  # centre words whose loss is measured: some runs are enough
        # The same buffers under other shapes.
        self.H_blocks = blocks_of(self.H, n_blocks, B, B)
        self.dX_blocks = blocks_of(self.steps, n_blocks, B, B)
        self.dZ = self.steps[n:].reshape(runs, N, D)
        self.H_groups, self.Q_groups, self.dH_groups = (
            buffer.reshape(-1, runs, buffer.shape[1]).transpose(1, 0, 2) for buffer in (self.H, self.Q, self.dH)
        )
        self.Z_transposed, self.Q_transposed = self.Z.transpose(0, 2, 1), self.Q_groups.transpose(0, 2, 1)

    @classmethod
    def enough_noise(cls, layout: Layout, negatives: int, lr: float) -> int:
        """N: as many as keep what one noise word pulls safe at this rate."""
        return noise_words(lr * negatives / cls.safe_pull, cls.n_noise)

    def safe_occurrences(self, lr: float) -> float:
        """See `SkipGram.safe_occurrences`."""
        return max(self.safe_step / ((self.negatives + 1) * lr), 1.0)

    def noise_groups(self, lr: float) -> int:
        """See `SkipGram.noise_groups`."""
        return self.layout.runs

    def set_rate(self, lr: float) -> None:
        """See `SkipGram.set_rate`."""
        np.multiply(self.halves, np.float32(lr), out=self.levels)
        np.negative(np.abs(self.levels, out=self.slopes), out=self.slopes)

    def step(self, batch: Batch, measure: bool = False) -> tuple[float, float]:
        """Train one batch; returns as `SkipGram.step`, the loss being a sum over centre words with a context."""
        p, reach, cut = self.p, batch.reach, batch.cut
        masks = self.masks[reach]
        sums, means = masks[:, 0], masks[:, 1]
        if len(cut):
            whole = masks[cut]
            masks[cut] = batch.left[..., self.within[reach]]
        gather(self.W, batch.rows, self.gathered)
        np.matmul(means, self.X_around[reach], out=self.H_blocks)
        np.vecdot(self.H, self.T, out=p)
        np.matmul(self.H_groups, self.Z_transposed, out=self.Q_groups)
        measured = self._loss(batch) if measure else (0.0, 0.0)
        descend(self.scores, self.levels, self.slopes)
        np.matmul(self.Q_groups, self.Z, out=self.dH_groups)
        add_rows(self.dH, self.each, p, self.T)
        np.matmul(self.Q_transposed, self.H_groups, out=self.dZ)
        np.matmul(sums, self.dH_around[reach], out=self.dX_blocks)
        # Lock-free, see SkipGram.step. The step of a target is a multiple of h, so no array of such steps is made.
        inputs, targets = batch.rows[: self.n_inputs], batch.rows[self.n_inputs :]
        add_rows(self.W, inputs, batch.scale[: self.n_inputs], self.steps)
        add_rows(self.W, targets, batch.scale[self.n_inputs :] * p, self.H)
        if len(cut):
            masks[cut] = whole
        return measured

    def _loss(self, batch: Batch) -> tuple[float, float]:
        """Of the first runs of the batch."""
        has_context = np.ones((self.layout.n_blocks, self.layout.block), np.float32)
        has_context[batch.cut] = batch.contexts[:, :, 0] > 0
        weights = has_context.reshape(-1, 1)[: self.measured]
        scores = np.concatenate([self.p[: self.measured, None], self.Q[: self.measured]], axis=1)
        return logistic_loss(scores, weights * self.weights), float(weights.sum())
