"""The symmetric form of a model: what it keeps, what it makes equal, and that it does not depend on where it starts."""

from __future__ import annotations

import numpy as np
import pytest

from parw2v import balance as balance_module
from parw2v.balance import balance

V, D = 400, 12


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def trained(rng, n_words=V):
    """Two matrices of which one is longer than the other, most of all in one direction."""
    W_in, W_out = rng.normal(size=(n_words, D)), rng.normal(size=(n_words, D)) * rng.uniform(0.2, 4, D)
    W_out += 3 * rng.normal(size=D)
    return W_in.astype(np.float32), W_out.astype(np.float32)


def cosines(W):
    units = W / np.linalg.norm(W, axis=1, keepdims=True)
    return units @ units.T


def gram(W):
    return W.T.astype(float) @ W


@pytest.mark.parametrize("rows_at_once", [1 << 16, 100, V - 1])
def test_scores_stay_and_both_sides_become_equal(rng, monkeypatch, rows_at_once):
    monkeypatch.setattr(balance_module, "_ROWS", rows_at_once)
    W_in, W_out = trained(rng)
    scores, before = W_in @ W_out.T, W_in.copy()
    balance(W_in, W_out)
    np.testing.assert_allclose(W_in @ W_out.T, scores, atol=1e-4)
    np.testing.assert_allclose(gram(W_in), gram(W_out), rtol=1e-4, atol=1e-4 * np.trace(gram(W_in)))
    assert not np.allclose(W_in, before, atol=0.1)
    assert W_in.dtype == W_out.dtype == np.float32


def test_they_are_the_symmetric_factors_turned(rng):
    """U S^(1/2) of the singular value decomposition has the same cosines."""
    W_in, W_out = trained(rng)
    U, S, _ = np.linalg.svd(W_in.astype(float) @ W_out.T)
    balance(W_in, W_out)
    np.testing.assert_allclose(cosines(W_in), cosines(U[:, :D] * np.sqrt(S[:D])), atol=1e-4)


def test_it_does_not_matter_which_factors_training_found(rng):
    W_in, W_out = trained(rng)
    A = rng.normal(size=(D, D)) + 3 * np.eye(D)
    others = (W_in @ A).astype(np.float32), (W_out @ np.linalg.inv(A).T).astype(np.float32)
    assert not np.allclose(cosines(W_in), cosines(others[0]), atol=0.1)
    balance(W_in, W_out)
    balance(*others)
    np.testing.assert_allclose(cosines(W_in), cosines(others[0]), atol=1e-3)


def test_a_symmetric_form_stays_as_it_is(rng):
    W_in, W_out = trained(rng)
    balance(W_in, W_out)
    again = W_in.copy(), W_out.copy()
    balance(*again)
    np.testing.assert_allclose(again[0], W_in, atol=1e-4)
    np.testing.assert_allclose(again[1], W_out, atol=1e-4)


@pytest.mark.parametrize("n_words", [2, 5, D])
def test_fewer_words_than_dimensions(rng, n_words):
    W_in, W_out = trained(rng, n_words)
    scores = W_in @ W_out.T
    balance(W_in, W_out)
    assert np.isfinite([W_in, W_out]).all()
    np.testing.assert_allclose(W_in @ W_out.T, scores, atol=1e-3 * np.abs(scores).max())


def test_what_has_learnt_nothing_is_left_alone(rng):
    W_in, W_out = trained(rng)
    W_out[:] = 0
    before = W_in.copy()
    balance(W_in, W_out)
    np.testing.assert_array_equal(W_in, before)
    assert not W_out.any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_left_alone(rng, value):
    W_in, W_out = trained(rng)
    W_out[3, 4] = value
    before = W_in.copy()
    balance(W_in, W_out)
    np.testing.assert_array_equal(W_in, before)
