"""Skip-gram with negative sampling: one step on a batch of segments.

For centre word i with contexts j in its window, and K noise words for each pair,

    loss_i = sum_j [ -log s(x_i . y_j) - K E_n log s(-x_i . y_n) ],      s(x) = 1 / (1 + exp(-x))

which is equation 4 of [1]_, negated. The expectation over noise words n is taken over the N words that the segment
shares, weighted K / N for each pair: the same in expectation as K draws for each pair, and a dense product.

Per segment, with X (B, D) centres and Y (M + N, D) contexts and noise:

    P = X Y^T                    scores
    G = a * s(-sign(a) P)        a = 1 in the window, -K c_i / N for noise (c_i contexts of centre i), 0 elsewhere
    X += lr G Y,  Y += lr G^T X  both from the old values

References
----------
.. [1] Mikolov et al. 2013, Distributed Representations of Words and Phrases and their Compositionality.
"""

from __future__ import annotations

import numpy as np

from parw2v.arraytypes import FloatArray, IndexArray
from parw2v.batching import SEGMENT
from parw2v.kernels.losses import descend, logistic_loss
from parw2v.kernels.rows import add_rows, gather
from parw2v.kernels.windows import half_signs, window_masks


class SkipGram:
    """The update of one batch and the buffers it reuses; a step allocates nothing.

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
    n_noise = 22
    """N. Fewer cost accuracy, more cost speed (benchmarks/README.md)."""

    def __init__(self, W_in: FloatArray, W_out: FloatArray, *, radius: int, negatives: int, segments: int) -> None:
        self.W_in, self.W_out = W_in, W_out
        S, B, M, N, D = segments, SEGMENT, SEGMENT + 2 * radius, self.n_noise, W_in.shape[1]
        mask = window_masks(radius)
        self.contexts = mask.sum(axis=1)  # c_i by row of the table
        noise = np.repeat(-negatives / N * self.contexts[:, None], N, axis=1)
        self.table = np.concatenate([mask, noise], axis=1, dtype=np.float32)
        self.step_table = np.empty_like(self.table)
        self.X = np.empty((S, B, D), np.float32)
        self.Y = np.empty((S, M + N, D), np.float32)
        self.dX = np.empty_like(self.X)
        self.P = np.empty((S, B, M + N), np.float32)
        self.a = np.empty_like(self.P)
        self.measured = max(S // 2, 1)  # segments of a batch whose loss is measured: half of them are enough
        self.half_signs = half_signs(S, M, N)
        # The same buffers under other shapes: a view costs a third of a microsecond, a step makes many.
        self.X_rows, self.Y_rows, self.dX_rows = (buffer.reshape(-1, D) for buffer in (self.X, self.Y, self.dX))
        self.a_rows = self.a.reshape(S * B, -1)
        self.Y_transposed, self.P_transposed = self.Y.transpose(0, 2, 1), self.P.transpose(0, 2, 1)

    def set_rate(self, lr: float) -> None:
        """Set the learning rate of the steps to come; folding it into the weights spares a pass in each step."""
        np.multiply(self.table, np.float32(lr / 2), out=self.step_table)

    def step(
        self,
        inputs: IndexArray,
        outputs: IndexArray,
        windows: IndexArray,
        input_scale: FloatArray,
        output_scale: FloatArray,
        measure: bool = False,
    ) -> tuple[float, float]:
        """Train one batch (see `parw2v.batching.Batches`).

        Returns
        -------
        loss : float
            Sum over the batch of the loss before the step, in nats; 0 unless `measure`.
        pairs : float
            Positive pairs it is a sum over; 0 unless `measure`.
        """
        X, Y, dX, P, a = self.X, self.Y, self.dX, self.P, self.a
        gather(self.W_in, inputs, self.X_rows)
        gather(self.W_out, outputs, self.Y_rows)
        gather(self.step_table, windows, self.a_rows)
        np.matmul(X, self.Y_transposed, out=P)
        loss = pairs = 0.0
        if measure:
            half = P[: self.measured]
            windows = windows[: self.measured * SEGMENT]
            loss = logistic_loss(half, self.table[windows].reshape(half.shape))
            pairs = float(self.contexts[windows].sum())
        descend(P, self.half_signs, a)
        np.matmul(P, Y, out=dX)
        np.matmul(self.P_transposed, X, out=Y)  # dY takes the place of Y, which is not needed any more
        # Lock-free (Hogwild): other workers may write these rows between our reading and adding. Steps are small and rows
        # many, so the loss of one now and then does no harm (Niu et al. 2011).
        add_rows(self.W_in, inputs, input_scale, self.dX_rows)
        add_rows(self.W_out, outputs, output_scale, self.Y_rows)
        return loss, pairs
