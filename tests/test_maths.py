"""The formulas of docs/maths.md, in its own terms: finite differences, simulation, and the code's constants."""

import math
import re

import numpy as np
import pytest
from conftest import ROOT

from parw2v.config import TrainSettings
from parw2v.kernels.cbow import CBOW
from parw2v.kernels.losses import descend, logistic_loss
from parw2v.kernels.skipgram import SkipGram
from parw2v.sampling import NOISE_TABLE_SIZE, keep_probabilities, noise_table
from parw2v.schedule import learning_rate
from parw2v.windows import BLOCK, RUN_BLOCKS, Layout

PAGE = (ROOT / "docs/maths.md").read_text()
R, K, N, D = 5, 5, 16, 7
LAYOUT = Layout.of_batch(R, TrainSettings().step_words)


def sigma(z):
    return 1 / (1 + np.exp(-z))


def log_loss(z):
    return -np.log(sigma(z))


def slope(function, array, step=1e-5):
    """Central differences of a scalar function by each number of an array, which it looks at."""
    found = np.empty_like(array)
    for place in np.ndindex(array.shape):
        before = array[place]
        array[place] = before + step
        above = function()
        array[place] = before - step
        found[place] = (above - function()) / (2 * step)
        array[place] = before
    return found


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_gradients_of_one_pair(rng):
    x, y, noise = rng.normal(size=D), rng.normal(size=D), rng.normal(size=(K, D))

    def loss():
        return log_loss(x @ y) + log_loss(-noise @ x).sum()

    p, q = x @ y, noise @ x
    np.testing.assert_allclose(-slope(loss, x), sigma(-p) * y - sigma(q) @ noise, rtol=1e-6)
    np.testing.assert_allclose(-slope(loss, y), sigma(-p) * x, rtol=1e-6)
    np.testing.assert_allclose(-slope(loss, noise), -sigma(q)[:, None] * x, rtol=1e-6)


def test_a_window_by_expectation_is_word2vecs_draw():
    weights = [(R + 1 - d) / R for d in range(1, R + 1)]
    drawn = [np.mean([d <= reach for reach in range(1, R + 1)]) for d in range(1, R + 1)]
    assert weights == pytest.approx(drawn)
    assert 2 * sum(weights) == pytest.approx(R + 1)


def test_the_weights_of_a_run_make_up_for_its_ends():
    L, B = LAYOUT.length, LAYOUT.block
    assert f"| B, L | max({BLOCK}, R), {RUN_BLOCKS} B |" in PAGE
    assert max(8, R) == B
    assert L == 6 * B
    weights = LAYOUT.window_weights().astype(np.float64)
    assert weights.shape == (6, B, B + 2 * R)
    expected = np.zeros_like(weights)
    for k, b, m in np.ndindex(weights.shape):
        i, j = k * B + b, k * B + m - R
        if 0 <= j < L and 0 < abs(i - j) <= R:
            d = abs(i - j)
            expected[k, b, m] = (R + 1 - d) / R * L / (L - d)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights.sum() / L == pytest.approx(R + 1)  # pairs of a centre word, as in a text that is not cut


def test_shared_noise_is_right_in_expectation(rng):
    """One word from each N-th of the distribution: the mean over many draws is K c times the expectation."""
    counts = np.sort(rng.integers(1, 1000, 40))[::-1]
    table = noise_table(counts)
    chance = counts**0.75 / (counts**0.75).sum()
    losses, c = log_loss(-rng.normal(size=40)), 4.0
    places = (np.arange(N) + rng.random((20_000, N))) * len(table) / N
    shared = K * c / N * losses[table[places.astype(int)]].sum(axis=1)
    assert shared.mean() == pytest.approx(K * c * chance @ losses, rel=2e-3)


def test_the_matrix_form_of_skip_gram(rng):
    B, C = 6, 11
    X, Y, a = rng.normal(size=(B, D)), rng.normal(size=(C, D)), rng.normal(size=(B, C))
    a[rng.random((B, C)) < 0.3] = 0

    def loss():
        return (np.abs(a) * log_loss(np.sign(a) * (X @ Y.T))).sum()

    G = a * sigma(-np.sign(a) * (X @ Y.T))
    np.testing.assert_allclose(-slope(loss, X), G @ Y, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(-slope(loss, Y), G.T @ X, rtol=1e-5, atol=1e-8)


def test_gradients_of_cbow_and_the_share_that_word2vec_leaves_out(rng):
    n, n_noise = 9, 8
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    A = ((distance > 0) & (distance <= 2)).astype(float)
    c = A.sum(axis=1, keepdims=True)
    X, T, Z = rng.normal(size=(n, D)), rng.normal(size=(n, D)), rng.normal(size=(n_noise, D))

    def loss():
        H = A @ X / c
        return log_loss((H * T).sum(axis=1)).sum() + K / n_noise * log_loss(-H @ Z.T).sum()

    H = A @ X / c
    g, F = sigma(-(H * T).sum(axis=1))[:, None], -K / n_noise * sigma(H @ Z.T)
    dH = g * T + F @ Z
    np.testing.assert_allclose(-slope(loss, T), g * H, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(-slope(loss, Z), F.T @ H, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(-slope(loss, X), A @ (dH / c), rtol=1e-5, atol=1e-8)  # the gradient; the step is A dH


def test_the_sigmoid_by_tanh_and_the_loss_without_overflow(rng):
    x, a = rng.normal(scale=4, size=100), rng.normal(size=100)
    expected = a * sigma(-np.sign(a) * x)
    np.testing.assert_allclose(a / 2 - np.abs(a) / 2 * np.tanh(x / 2), expected, rtol=1e-9, atol=1e-12)
    scores, half = x.astype(np.float32), (a / 2).astype(np.float32)
    assert logistic_loss(scores, half * 2) == pytest.approx((np.abs(a) * log_loss(np.sign(a) * x)).sum(), rel=1e-5)
    descend(scores, half, -np.abs(half))
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-6)
    z = np.array([-800.0, -3, 0, 3, 800])
    stable = np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z)))
    np.testing.assert_allclose(stable, [800, log_loss(-3.0), math.log(2), log_loss(3.0), 0], rtol=1e-12)


def test_the_loss_starts_at_1_plus_k_times_ln_2():
    assert f"{(1 + K) * math.log(2):.3f}" == "4.159"
    assert "4.159 for K = 5" in PAGE


def test_what_each_rule_keeps():
    f = np.array([0.5, 0.2, 0.1, 0.1, 0.0999, 0.0001])
    counts, t = np.rint(f * 1_000_000).astype(np.int64), 0.04
    paper, word2vec = keep_probabilities(counts, t, "paper"), keep_probabilities(counts, t, "word2vec")
    np.testing.assert_allclose(paper, np.minimum(np.sqrt(t / f), 1), rtol=1e-6)
    np.testing.assert_allclose(word2vec, np.minimum(np.sqrt(t / f) + t / f, 1), rtol=1e-6)
    edge = (3 + math.sqrt(5)) / 2
    assert edge == pytest.approx(2.618, abs=5e-4)
    assert math.sqrt(1 / edge) + 1 / edge == pytest.approx(1)
    above = f > edge * t
    assert 0 < above.sum() < len(above)
    np.testing.assert_allclose((f * paper)[above], np.sqrt(t * f[above]), rtol=1e-6)
    np.testing.assert_allclose((f * word2vec)[above], np.sqrt(t * f[above]) + t, rtol=1e-6)


def test_the_table_is_right_to_one_entry(rng):
    counts = np.sort((1e6 / np.arange(1, 3001)).astype(np.int64))[::-1]
    table = noise_table(counts)
    assert len(table) == NOISE_TABLE_SIZE == 10**6
    share = counts**0.75 / (counts**0.75).sum()
    assert np.abs(np.bincount(table, minlength=len(counts)) / len(table) - share).max() <= 1e-6


def test_the_learning_rate_falls_to_a_floor():
    assert [learning_rate(done, 100, 0.025, 1e-4) for done in (0, 40, 100)] == pytest.approx([0.025, 0.015, 1e-4])
    assert f"{TrainSettings().lr_min:g}" == "0.0001"


def kernel(objective, radius=R, negatives=K, lr=0.025):
    layout = Layout.of_batch(radius, 500)
    n_noise = objective.enough_noise(layout, negatives, lr)
    return objective(np.zeros((4, 3), np.float32), layout=layout, negatives=negatives, n_noise=n_noise)


@pytest.mark.parametrize(("radius", "negatives"), [(5, 5), (10, 5), (5, 20), (2, 1), (20, 15)])
def test_bounds_on_what_a_row_is_moved(radius, negatives):
    for lr in (0.01, 0.025, 0.05):
        skipgram, cbow = kernel(SkipGram, radius, negatives, lr), kernel(CBOW, radius, negatives, lr)
        pairs = (radius + 1) * (negatives + 1)
        assert skipgram.safe_occurrences(lr) == pytest.approx(max(skipgram.safe_step / (lr * pairs), 1))
        assert cbow.safe_occurrences(lr) == pytest.approx(max(cbow.safe_step / (lr * (negatives + 1)), 1))
        pull = lr * (radius + 1) * negatives / skipgram.n_noise
        push = 2 * skipgram.layout.block * pull
        assert pull <= skipgram.safe_pull * 1.001
        assert push <= skipgram.safe_push * 1.001
        assert lr * negatives / cbow.n_noise <= cbow.safe_pull * 1.001
        uses = max(math.floor(skipgram.safe_push / push * 1.001), 1)
        assert math.ceil(skipgram.layout.n_twins / skipgram.noise_groups(lr)) <= uses
        assert cbow.noise_groups(lr) == cbow.layout.runs


def test_the_constants_on_the_page_are_those_of_the_kernels():
    steps = [float(x) for x in re.findall(r"\$s\$ = ([\d.]+)", PAGE)]
    assert steps == [SkipGram.safe_step, CBOW.safe_step]
    assert f"\\lfloor {SkipGram.safe_push:g} / push" in PAGE
    assert (kernel(SkipGram).safe_occurrences(0.025), kernel(CBOW).safe_occurrences(0.05)) == pytest.approx((8, 16))
    assert "`most` is 8 and 16" in PAGE
    assert f"*pull* at 1/{1 / SkipGram.safe_pull:g} or less and *push* at {SkipGram.safe_push:g}\nor less" in PAGE
    assert f"(`enough_noise`): {kernel(SkipGram).n_noise} at the default rate" in PAGE
    assert kernel(SkipGram, negatives=2 * K).n_noise == kernel(SkipGram, lr=0.05).n_noise == 24
    assert f"\\eta K / N$ is 1/{1 / CBOW.safe_pull:g} or less" in PAGE
    assert f"least {CBOW.n_noise}, {kernel(CBOW, lr=0.05).n_noise} at the default rate;" in PAGE
