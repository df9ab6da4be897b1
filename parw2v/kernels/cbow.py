"""Continuous bag of words with negative sampling: one step on a batch of segments.

Centre word i is predicted from the mean h_i of its c_i context vectors:

    h_i    = 1/c_i sum_j x_j
    loss_i = -log s(h_i . t_i) - K E_n log s(-h_i . y_n)

with t_i the centre word's own row of W_out and the expectation over the N noise words that a group of centre words shares.
As in word2vec.c, each context word gets the whole of -d loss / d h_i rather than 1/c_i of it, which is the gradient's step
c_i times as long for W_in: after one epoch of 17 M words 14.5 % of analogies were right that way, against 7.9 % with the
plain gradient. All centre words of a batch take the reach of their windows from one draw.

With X the contexts, A the window masks (1 inside), T the targets and Z the noise:

    H = A X / c,                p = rows of H . T,            Q = H Z^T           scores
    g = s(-p)                   F = -K / N * s(Q)
    dH = g T + F Z
    X += lr A^T dH,             T += lr g H,                  Z += lr F^T H       all from the old values

References
----------
Mikolov et al. 2013, Efficient Estimation of Word Representations in Vector Space, section 3.1.
"""

from __future__ import annotations

import numpy as np

from parw2v.arraytypes import FloatArray
from parw2v.batching import Batch
from parw2v.kernels.losses import descend, logistic_loss
from parw2v.kernels.rows import add_rows, gather
from parw2v.windows import SEGMENT, whole_windows

_HALF = np.float32(0.5)


class CBOW:
    """The update of one batch and the buffers it reuses; parameters as for `SkipGram`."""

    centres_are_inputs = False
    step_in, step_out = 0.8, 0.8
    """Occurrences of a row of W_in and of W_out, times the learning rate, that may be computed from one copy of it; damping
    keeps more from doing more. See SkipGram (docs/many-cores.md)."""

    n_noise = 16
    """N."""

    group_columns = 5
    """Centre words of each segment in one group, which shares noise: with S segments, 5 S centre words."""

    def __init__(self, W_in: FloatArray, W_out: FloatArray, *, radius: int, negatives: int, segments: int) -> None:
        self.W_in, self.W_out, self.negatives = W_in, W_out, negatives
        S, B, M, N, D = segments, SEGMENT, SEGMENT + 2 * radius, self.n_noise, W_in.shape[1]
        self.n_groups = n_groups = B // self.group_columns
        self.masks = whole_windows(radius)  # (R + 1, B, M): A for each reach
        self.means = self.masks / np.maximum(self.masks.sum(axis=2, keepdims=True), 1)
        self.window = self.masks[radius]
        self.set_rate(0.0)
        self.X = np.empty((M, S, D), np.float32)
        self.H = np.empty((B, S, D), np.float32)
        self.dH = np.empty_like(self.H)
        self.n = B * S
        self.each = np.arange(self.n)
        self.p = np.empty((B, S, 1), np.float32)
        self.Q = np.empty((B, S, N), np.float32)
        self.Y_rows = np.empty((B * S + n_groups * N, D), np.float32)
        self.T, self.Z = self.Y_rows[: B * S].reshape(B, S, D), self.Y_rows[B * S :].reshape(n_groups, N, D)
        self.measured = max(S // 2, 1)  # segments of a batch whose loss is measured: half of them are enough
        # The same buffers under other shapes, as in SkipGram.
        self.X_rows, self.H_rows, self.dH_rows, self.T_rows, self.Z_rows = (
            buffer.reshape(-1, D) for buffer in (self.X, self.H, self.dH, self.T, self.Z)
        )
        self.p_rows = self.p.reshape(-1)
        self.X_wide, self.H_wide, self.dH_wide = (b.reshape(len(b), -1) for b in (self.X, self.H, self.dH))
        self.X_segments, self.H_segments, self.dH_segments = (b.transpose(1, 0, 2) for b in (self.X, self.H, self.dH))
        self.H_groups, self.Q_groups, self.dH_groups = (
            buffer.reshape(n_groups, -1, buffer.shape[2]) for buffer in (self.H, self.Q, self.dH)
        )
        self.Z_transposed, self.Q_transposed = self.Z.transpose(0, 2, 1), self.Q_groups.transpose(0, 2, 1)

    def set_rate(self, lr: float) -> None:
        """See `SkipGram.set_rate`."""
        self.half_rate = np.float32(lr / 2)
        self.noise_weight = np.float32(-self.negatives / self.n_noise) * self.half_rate

    def step(self, batch: Batch, measure: bool = False) -> tuple[float, float]:
        """Train one batch; returns as `SkipGram.step`, the loss being a sum over centre words with a context."""
        H, T, p, Q = self.H, self.T, self.p, self.Q
        gather(self.W_in, batch.inputs, self.X_rows)
        gather(self.W_out, batch.outputs, self.Y_rows)
        A = self.masks[batch.reach]
        np.matmul(self.means[batch.reach], self.X_wide, out=self.H_wide)
        if len(batch.cut):
            self.H_segments[batch.cut] = batch.left @ self.X_segments[batch.cut] / np.maximum(batch.contexts, 1)
        np.vecdot(H, T, out=p[:, :, 0])
        np.matmul(self.H_groups, self.Z_transposed, out=self.Q_groups)
        measured = self._loss(batch) if measure else (0.0, 0.0)
        descend(p, _HALF, self.half_rate)
        descend(Q, -_HALF, self.noise_weight)
        np.matmul(self.Q_groups, self.Z, out=self.dH_groups)
        add_rows(self.dH_rows, self.each, self.p_rows, self.T_rows)
        np.matmul(self.Q_transposed, self.H_groups, out=self.Z)  # dZ and dX take the places of Z and X,
        np.matmul(A.T, self.dH_wide, out=self.X_wide)  # which are not needed any more
        if len(batch.cut):
            self.X_segments[batch.cut] = batch.left.transpose(0, 2, 1) @ self.dH_segments[batch.cut]
        # Lock-free, see SkipGram.step. The step of a target is a multiple of h, so no array of such steps is made.
        targets, noise = batch.outputs[: self.n], batch.outputs[self.n :]
        target_scale, noise_scale = batch.output_scale[: self.n], batch.output_scale[self.n :]
        add_rows(self.W_in, batch.inputs, batch.input_scale, self.X_rows)
        add_rows(self.W_out, targets, target_scale * self.p_rows, self.H_rows)
        add_rows(self.W_out, noise, noise_scale, self.Z_rows)
        return measured

    def _loss(self, batch: Batch) -> tuple[float, float]:
        has_context = np.ones(self.p.shape, np.float32)  # (B, S, 1)
        has_context[:, batch.cut] = (batch.contexts > 0).transpose(1, 0, 2)
        has_context = has_context[:, : self.measured]
        noise = self.negatives / self.n_noise * has_context
        p, Q = self.p[:, : self.measured], self.Q[:, : self.measured]
        return logistic_loss(p, 1, has_context) + logistic_loss(Q, -1, noise), float(has_context.sum())
