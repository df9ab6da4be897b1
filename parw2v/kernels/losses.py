"""What both objectives share: the logistic loss of a block of scores, and its derivative."""

from __future__ import annotations

import numpy as np

from parw2v.arraytypes import FloatArray

_HALF = np.float32(0.5)


def logistic_loss(scores: FloatArray, weights: FloatArray) -> float:
    """Sum of ``|w| * -log(sigmoid(sign(w) * x))``; weights, broadcast to the scores, are negative for noise.

    Computed as |w| log(1 + exp(-|x|)) - min(w x, 0), which neither overflows nor loses digits.
    """
    loss = np.abs(scores)
    np.negative(loss, out=loss)
    np.log1p(np.exp(loss, out=loss), out=loss)
    loss *= np.abs(weights)
    loss -= np.minimum(weights * scores, 0)
    return float(loss.sum(dtype=np.float64))


def descend(scores: FloatArray, levels: FloatArray | np.float32, slopes: FloatArray | np.float32) -> None:
    """Turn scores x into the negative derivative of the loss times a weight a, in place: ``a sigmoid(-sign(a) x)``.

    sigmoid(z) = (1 + tanh(z/2)) / 2, so this is a/2 - |a|/2 tanh(x/2); tanh runs in vector registers and cannot overflow.

    Parameters
    ----------
    scores : float32
        Changed in place.
    levels : float32, broadcast to the scores
        a/2: positive for positive pairs, negative for noise, 0 where there is no pair.
    slopes : float32, broadcast to the scores
        -|a|/2.
    """
    np.multiply(scores, _HALF, out=scores)
    np.tanh(scores, out=scores)
    np.multiply(scores, slopes, out=scores)
    np.add(scores, levels, out=scores)
