"""Both kernels, one contract: a float64 loop oracle, finite differences of the stated loss, repeated and empty rows."""

from __future__ import annotations

import numpy as np
import pytest

from parw2v.batching import Batch
from parw2v.kernels import KERNELS
from parw2v.kernels import rows as rows_module
from parw2v.kernels.losses import descend, logistic_loss
from parw2v.kernels.rows import add_rows, add_rows_public, gather
from parw2v.windows import SEGMENT, window_masks

V, D, R, K, S = 40, 7, 3, 4, 4
M = SEGMENT + 2 * R
REACH = 2
"""What a batch of CBOW has drawn."""

# float32 sums of a few hundred terms of order 1e-2
TOLERANCE = {"rtol": 2e-4, "atol": 2e-6}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Case:
    """A batch with repeated words, segments with and without sentence ends, and centres without any context."""

    def __init__(self, objective, seed=0, n_words=V, scale=0.6, cut=(0, 3)):
        rng = np.random.default_rng(seed)
        self.objective = objective
        self.W_in = rng.normal(0, scale, (V, D)).astype(np.float32)
        self.W_out = rng.normal(0, scale, (V, D)).astype(np.float32)
        kernel = self.kernel()
        self.contexts = rng.integers(0, n_words, (S, M))
        self.n_noise = kernel.n_noise
        self.noise = rng.integers(0, n_words, (kernel.n_groups, self.n_noise))
        self.reach = R if objective == "skipgram" else REACH
        self.left, self.right = np.full((2, S, SEGMENT), self.reach)
        self.cut = list(cut)
        for s in cut:
            self.left[s], self.right[s] = rng.integers(0, self.reach + 1, (2, SEGMENT))
            self.left[s, 3] = self.right[s, 3] = 0
        self.in_scale = rng.uniform(0.3, 1, self.batch().inputs.shape).astype(np.float32)
        self.out_scale = rng.uniform(0.3, 1, self.batch().outputs.shape).astype(np.float32)

    @property
    def centres(self):
        return self.contexts[:, R : R + SEGMENT]

    def batch(self):
        """The arrays as `parw2v.batching` lays them out."""
        kernel = self.kernel()
        left = window_masks(self.left[self.cut], self.right[self.cut], R)
        contexts = (left * kernel.window).sum(axis=2, keepdims=True)
        if self.objective == "skipgram":
            inputs, outputs = self.centres, np.concatenate([self.contexts, self.noise], axis=1)
            left = np.concatenate([left, np.repeat(contexts / kernel.window[0].sum(), self.n_noise, axis=2)], axis=2)
        else:
            inputs, outputs = self.contexts.T, np.concatenate([self.centres.T.ravel(), self.noise.ravel()])
        inputs, outputs = (np.ascontiguousarray(rows).reshape(-1).astype(np.intp) for rows in (inputs, outputs))
        scales = getattr(self, "in_scale", inputs), getattr(self, "out_scale", outputs)
        return Batch(inputs, outputs, self.reach, np.array(self.cut, np.intp), left, contexts, *scales)

    def window(self, s, b):
        """Context positions of centre b in segment s."""
        at = R + b
        return [j for j in range(at - self.left[s, b], at + self.right[s, b] + 1) if j != at]

    def input_at(self, s, position):
        """Place in `inputs` of a segment's centre (skip-gram) or context (CBOW)."""
        return s * SEGMENT + position if self.objective == "skipgram" else position * S + s

    def pairs(self):
        """(segment, centre, row of W_out, sign, weight, place in `outputs`) of every term of the loss, one by one."""
        for s in range(S):
            for b in range(SEGMENT):
                window = self.window(s, b)
                if self.objective == "skipgram":
                    start = s * (M + self.n_noise)
                    weights = [(R + 1 - abs(j - R - b)) / R for j in window]
                    for j, weight in zip(window, weights, strict=True):
                        yield s, b, self.contexts[s, j], 1, weight, start + j
                    for n in range(self.n_noise):
                        yield s, b, self.noise[s, n], -1, K * sum(weights) / self.n_noise, start + M + n
                elif window:
                    group = b // KERNELS["cbow"].group_columns
                    start = S * SEGMENT + group * self.n_noise
                    yield s, b, self.centres[s, b], 1, 1.0, b * S + s
                    for n in range(self.n_noise):
                        yield s, b, self.noise[group, n], -1, K / self.n_noise, start + n

    def hidden(self, W_in, s, b):
        if self.objective == "skipgram":
            return W_in[self.centres[s, b]]
        return W_in[self.contexts[s, self.window(s, b)]].mean(axis=0)

    def loss(self, W_in, W_out, segments=S):
        return sum(
            -weight * np.log(sigmoid(sign * (self.hidden(W_in, s, b) @ W_out[o])))
            for s, b, o, sign, weight, _ in self.pairs()
            if weight and s < segments
        )

    def loop(self, lr):
        """The step in float64, term by term, from the old values: what the kernel must equal."""
        old_in, old_out = self.W_in.astype(float), self.W_out.astype(float)
        new_in, new_out = old_in.copy(), old_out.copy()
        for s, b, o, sign, weight, place in self.pairs():
            if not weight:
                continue
            hidden = self.hidden(old_in, s, b)
            g = lr * weight * sign * sigmoid(-sign * (hidden @ old_out[o]))
            new_out[o] += self.out_scale[place] * g * hidden
            if self.objective == "skipgram":
                new_in[self.centres[s, b]] += self.in_scale[self.input_at(s, b)] * g * old_out[o]
            else:  # the whole of it to each context word, as word2vec.c does
                for j in self.window(s, b):
                    new_in[self.contexts[s, j]] += self.in_scale[self.input_at(s, j)] * g * old_out[o]
        return new_in, new_out

    def kernel(self):
        W_in, W_out = self.W_in.copy(), self.W_out.copy()
        return KERNELS[self.objective](W_in, W_out, radius=R, negatives=K, segments=S)

    def step(self, lr, measure=False):
        kernel = self.kernel()
        kernel.set_rate(lr)
        measured = kernel.step(self.batch(), measure)
        return kernel.W_in, kernel.W_out, measured


both = pytest.mark.parametrize("objective", ["skipgram", "cbow"])


@both
@pytest.mark.parametrize("n_words", [V, 5, 1])
@pytest.mark.parametrize("cut", [(), (1,), (0, 3), range(S)], ids=["none cut", "one cut", "two cut", "all cut"])
def test_step_equals_float64_loop(objective, n_words, cut):
    case = Case(objective, seed=n_words, n_words=n_words, cut=cut)
    W_in, W_out, _ = case.step(lr=0.05)
    expected_in, expected_out = case.loop(lr=0.05)
    np.testing.assert_allclose(W_in, expected_in, **TOLERANCE)
    np.testing.assert_allclose(W_out, expected_out, **TOLERANCE)
    assert not np.array_equal(W_in, case.W_in)
    assert not np.array_equal(W_out, case.W_out)


@both
def test_loss_equals_float64_loop(objective):
    case = Case(objective)
    _, _, (loss, count) = case.step(lr=0.05, measure=True)
    half = S // 2
    assert loss == pytest.approx(case.loss(case.W_in.astype(float), case.W_out.astype(float), half), rel=1e-5)
    assert count == pytest.approx(sum(weight for s, _, _, sign, weight, _ in case.pairs() if sign == 1 and s < half))


@both
def test_measuring_changes_nothing(objective):
    case = Case(objective)
    for quiet, measured in zip(case.step(0.05)[:2], case.step(0.05, measure=True)[:2], strict=True):
        np.testing.assert_array_equal(quiet, measured)


@both
def test_step_is_the_gradient_of_the_loss(objective):
    """Central differences of the stated loss, parameter by parameter, against what the kernel itself does."""
    case = Case(objective)
    case.in_scale[:] = 1
    case.out_scale[:] = 1
    lr = 1e-3
    W_in, W_out, _ = case.step(lr)
    W64_in, W64_out = case.W_in.astype(float), case.W_out.astype(float)
    epsilon = 1e-5
    rng = np.random.default_rng(1)
    for _ in range(40):
        i, d = rng.integers(0, V), rng.integers(0, D)

        def slope(matrix, i=i, d=d):
            values = []
            for sign in (1, -1):
                matrix[i, d] += sign * epsilon
                values.append(case.loss(W64_in, W64_out))
                matrix[i, d] -= sign * epsilon
            return (values[0] - values[1]) / (2 * epsilon)

        assert (W_out[i, d] - case.W_out[i, d]) / -lr == pytest.approx(slope(W64_out), rel=5e-3, abs=5e-3)
        if objective == "skipgram":
            assert (W_in[i, d] - case.W_in[i, d]) / -lr == pytest.approx(slope(W64_in), rel=5e-3, abs=5e-3)


def test_cbow_input_step_is_the_gradient_times_contexts():
    """W_in's step is -lr d loss / d h for each context word of a mean h: c times the gradient."""
    case = Case("cbow", cut=range(S))
    case.in_scale[:] = 1
    case.left[:] = 0
    case.right[:] = 0
    case.left[0, 5], case.right[0, 5] = 2, 1
    case.contexts[0] = np.arange(M)  # no word twice, so one centre's context words are its own
    lr = 1e-3
    W_in, _, _ = case.step(lr)
    W64_in, W64_out = case.W_in.astype(float), case.W_out.astype(float)
    for j in case.window(0, 5):
        word = case.contexts[0, j]
        for d in range(D):
            W64_in[word, d] += 1e-5
            up = case.loss(W64_in, W64_out)
            W64_in[word, d] -= 2e-5
            down = case.loss(W64_in, W64_out)
            W64_in[word, d] += 1e-5
            step = (W_in[word, d] - case.W_in[word, d]) / -lr
            assert step == pytest.approx(3 * (up - down) / 2e-5, rel=5e-3, abs=5e-3)


@both
def test_segments_without_windows_change_nothing(objective):
    """What fills up a last batch: rows of word 0, no window."""
    case = Case(objective, cut=range(S))
    case.left[:] = case.right[:] = 0
    W_in, W_out, (loss, count) = case.step(0.05, measure=True)
    np.testing.assert_array_equal(W_in, case.W_in)
    np.testing.assert_array_equal(W_out, case.W_out)
    assert (loss, count) == (0, 0)


@both
def test_a_cut_does_not_outlast_its_batch(objective):
    """The same kernel, once with segments cut and then without, equals a fresh one."""
    cut, whole = Case(objective, cut=range(S)), Case(objective, seed=1, cut=())
    kernel = whole.kernel()
    kernel.set_rate(0.05)
    kernel.step(cut.batch())
    kernel.W_in[:], kernel.W_out[:] = whole.W_in, whole.W_out
    kernel.step(whole.batch())
    W_in, W_out, _ = whole.step(0.05)
    np.testing.assert_array_equal(kernel.W_in, W_in)
    np.testing.assert_array_equal(kernel.W_out, W_out)


@both
def test_huge_scores_stay_finite(objective):
    case = Case(objective, scale=40)
    W_in, W_out, (loss, _) = case.step(0.025, measure=True)
    assert np.isfinite(W_in).all()
    assert np.isfinite(W_out).all()
    assert np.isfinite(loss)


@both
def test_steps_lower_the_loss(objective):
    case = Case(objective)
    kernel = case.kernel()
    kernel.set_rate(0.02)
    losses = [kernel.step(case.batch(), True)[0] for _ in range(60)]
    assert losses[-1] < 0.8 * losses[0]


# ---------------------------------------------------------------------------------------------- parts


@pytest.mark.parametrize("add", [add_rows, add_rows_public])
@pytest.mark.parametrize("ids", [[0, 0, 0, 3, 3, 1], [], [4], list(range(5))])
def test_add_rows_counts_repeated_rows(add, ids):
    rng = np.random.default_rng(0)
    W = rng.random((5, D), dtype=np.float32)
    rows = np.array(ids, np.intp)
    scale = rng.random(len(ids), dtype=np.float32)
    G = rng.random((len(ids), D), dtype=np.float32)
    expected = W.copy()
    for row, factor, gradient in zip(ids, scale, G, strict=True):
        expected[row] += factor * gradient
    add(W, rows, scale, G)
    np.testing.assert_allclose(W, expected, rtol=1e-6)


def test_fast_add_rows_is_in_use():
    """Not a matter of correctness, but losing it silently would cost a third of the speed."""
    assert add_rows is not add_rows_public


def test_add_rows_falls_back(monkeypatch):
    """A SciPy whose private product is gone, or does something else, is not used."""
    from scipy.sparse import _sparsetools

    monkeypatch.setattr(_sparsetools, "csc_matvecs", lambda *args: None)
    assert rows_module._private_add_rows() is None
    monkeypatch.delattr(_sparsetools, "csc_matvecs")
    assert rows_module._private_add_rows() is None


def test_gather():
    W = np.arange(12, dtype=np.float32).reshape(4, 3)
    out = np.empty((3, 3), np.float32)
    gather(W, np.array([2, 0, 2]), out)
    np.testing.assert_array_equal(out, W[[2, 0, 2]])


def test_descend_and_loss_agree():
    x = np.linspace(-30, 30, 121, dtype=np.float32)
    for sign in (1.0, -1.0):
        gradient = x.copy()
        descend(gradient, np.full_like(x, sign / 2), np.full_like(x, 2.5 * sign))
        np.testing.assert_allclose(gradient / 2, 2.5 * sign * sigmoid(-sign * x.astype(float)), atol=3e-7)
        one_by_one = [logistic_loss(x[i : i + 1], sign, np.float32(2.5)) for i in range(len(x))]
        np.testing.assert_allclose(one_by_one, 2.5 * np.logaddexp(0, -sign * x.astype(float)), rtol=1e-5, atol=1e-6)
