"""What both objectives share: the logistic loss of a block of scores, and its derivative."""

from __future__ import annotations

import numpy as np

from parw2v.arraytypes import FloatArray

_ONE = np.float32(1)


def logistic_loss(scores: FloatArray, sign: int, weights: FloatArray) -> float:
    """Sum of ``w * -log(sigmoid(sign * x))``; weights are broadcast to the scores.

    Computed as max(-z, 0) + log(1 + exp(-|z|)), which neither overflows nor loses digits.
    """
    z = scores * np.float32(sign)
    loss = np.log1p(np.exp(-np.abs(z)))
    loss -= np.minimum(z, 0)
    loss *= weights
    return float(loss.sum(dtype=np.float64))


def descend(scores: FloatArray, half_signs: FloatArray | np.float32, weights: FloatArray | np.float32) -> None:
    """Turn scores x into twice the negative derivative of the loss, in place: ``2 a sigmoid(-sign(a) x)``.

    sigmoid(-z) = (1 - tanh(z/2)) / 2; tanh runs in vector registers and cannot overflow. The caller takes the factor 2
    back by giving weights of a half (times the learning rate).

    Parameters
    ----------
    scores : float32
        Changed in place.
    half_signs : float32, broadcast to the scores
        +1/2 for positive pairs, -1/2 for noise.
    weights : float32, broadcast to the scores
        a: positive for positive pairs, negative for noise.
    """
    np.multiply(scores, half_signs, out=scores)
    np.tanh(scores, out=scores)
    np.subtract(_ONE, scores, out=scores)
    np.multiply(scores, weights, out=scores)
