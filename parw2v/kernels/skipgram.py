"""Skip-gram with negative sampling: one step on a batch of segments.

For centre word i with contexts j at distances |j - i| <= R, and K noise words for each pair,

    loss_i = sum_j w_ij [ -log s(x_i . y_j) - K E_n log s(-x_i . y_n) ],      s(x) = 1 / (1 + exp(-x))

which is equation 4 of [1]_, negated. word2vec draws the reach of each window uniformly from 1..R; with probability
w_ij = (R + 1 - |j - i|) / R the draw takes in j. Weighting by it rather than drawing is the same in expectation, with less
noise in the gradient (measured in benchmarks/README.md). The expectation over noise words n is taken over the N words
that the segment shares, weighted K / N for each pair: the same in expectation as K draws for each pair, and
a dense product.

Per segment, with X (B, D) the centres and Y (M + N, D) the contexts and the noise:

    P = X Y^T                    scores
    G = a * s(-sign(a) P)        a_ij = w_ij for contexts, -K c_i / N for noise, with c_i = sum_j w_ij
    X += lr G Y,  Y += lr G^T X  both from the old values

References
----------
.. [1] Mikolov et al. 2013, Distributed Representations of Words and Phrases and their Compositionality.
"""

from __future__ import annotations

import numpy as np

from parw2v.arraytypes import FloatArray
from parw2v.batching import Batch
from parw2v.kernels.losses import descend, logistic_loss
from parw2v.kernels.rows import add_rows, gather
from parw2v.windows import SEGMENT, whole_windows


class SkipGram:
    """The update of one batch and the buffers it reuses; a step allocates next to nothing.

    Parameters
    ----------
    W_in, W_out : (V, D) float32
        Changed in place, possibly by other processes at the same time.
    radius : int
        R.
    negatives : int
        K.
    segments : int
        S.
    """

    centres_are_inputs = True
    step_in, step_out = 0.2, 0.4
    """Occurrences of a row of W_in and of W_out, times the learning rate, that may be computed from one copy of it; damping
    keeps more from doing more. Four times as much diverges with 64 workers (docs/many-cores.md)."""

    n_noise = 20
    """N. Fewer cost accuracy, more cost speed (benchmarks/README.md)."""

    def __init__(self, W_in: FloatArray, W_out: FloatArray, *, radius: int, negatives: int, segments: int) -> None:
        self.W_in, self.W_out = W_in, W_out
        S, B, M, N, D = segments, SEGMENT, SEGMENT + 2 * radius, self.n_noise, W_in.shape[1]
        self.n_groups = S
        self.window = whole_windows(radius)[1:].mean(axis=0)  # (B, M): w_ij, where no sentence end cuts the window
        contexts = self.window[0].sum()  # c_i likewise
        noise = np.full((B, N), -negatives / N * contexts)
        # (S, B, M + N): the same for each segment; products with arrays of one shape are the fastest.
        self.weights = np.tile(np.concatenate([self.window, noise], axis=1, dtype=np.float32), (S, 1, 1))
        self.half_signs = np.where(np.arange(M + N) < M, np.float32(0.5), np.float32(-0.5)) + np.zeros_like(
            self.weights
        )
        self.step_weights = np.zeros_like(self.weights)
        self.X = np.empty((S, B, D), np.float32)
        self.Y = np.empty((S, M + N, D), np.float32)
        self.dX = np.empty_like(self.X)
        self.P = np.empty((S, B, M + N), np.float32)
        self.measured = max(S // 2, 1)  # segments of a batch whose loss is measured: half of them are enough
        # The same buffers under other shapes: a view costs a third of a microsecond, a step makes many.
        self.X_rows, self.Y_rows, self.dX_rows = (buffer.reshape(-1, D) for buffer in (self.X, self.Y, self.dX))
        self.Y_transposed, self.P_transposed = self.Y.transpose(0, 2, 1), self.P.transpose(0, 2, 1)

    def set_rate(self, lr: float) -> None:
        """Set the learning rate of the steps to come; folding it into the weights spares a pass in each step."""
        np.multiply(self.weights, np.float32(lr / 2), out=self.step_weights)

    def step(self, batch: Batch, measure: bool = False) -> tuple[float, float]:
        """Train one batch.

        Returns
        -------
        loss : float
            Sum over the measured part of the batch of the loss before the step, in nats; 0 unless `measure`.
        pairs : float
            Positive pairs it is a sum over, by weight; 0 unless `measure`.
        """
        X, Y, P = self.X, self.Y, self.P
        gather(self.W_in, batch.inputs, self.X_rows)
        gather(self.W_out, batch.outputs, self.Y_rows)
        np.matmul(X, self.Y_transposed, out=P)
        measured = self._loss(batch) if measure else (0.0, 0.0)
        descend(P, self.half_signs, self.step_weights)
        if len(batch.cut):
            P[batch.cut] *= batch.left
        np.matmul(P, Y, out=self.dX)
        np.matmul(self.P_transposed, X, out=Y)  # dY takes the place of Y, which is not needed any more
        # Lock-free (Hogwild): other workers may write these rows between our reading and adding. Steps are small and rows
        # many, so the loss of one now and then does no harm (Niu et al. 2011).
        add_rows(self.W_in, batch.inputs, batch.input_scale, self.dX_rows)
        add_rows(self.W_out, batch.outputs, batch.output_scale, self.Y_rows)
        return measured

    def _loss(self, batch: Batch) -> tuple[float, float]:
        weights = self.weights.copy()
        weights[batch.cut] *= batch.left
        positives = slice(0, self.window.shape[1])
        noise = slice(positives.stop, None)
        w, P = weights[: self.measured], self.P[: self.measured]
        loss = logistic_loss(P[:, :, positives], 1, w[:, :, positives])
        loss += logistic_loss(P[:, :, noise], -1, -w[:, :, noise])
        return loss, float(w[:, :, positives].sum())
