"""Both kernels, one contract: a float64 loop oracle, finite differences of the stated loss, repeated and empty rows."""

from __future__ import annotations

import numpy as np
import pytest

from parw2v.batching import Batch, make_batches
from parw2v.kernels import KERNELS
from parw2v.kernels import rows as rows_module
from parw2v.kernels.losses import descend, logistic_loss
from parw2v.kernels.rows import add_rows, add_rows_public, gather
from parw2v.sampling import noise_share, noise_table
from parw2v.windows import SEGMENT, window_masks

V, K = 40, 4
S, D, R, REACH = 4, 7, 3, 2
"""Unless a test says otherwise; a batch of CBOW has drawn REACH."""

SHAPES = [(1, 7, 3, 3), (2, 1, 1, 1), (3, 13, 5, 1), (5, 6, 2, 2), (7, 3, 6, 4)]
"""(S, D, R, reach): one segment, one dimension, a window of one word, and sizes that divide nothing."""

# float32 sums of a few hundred terms of order 1e-2
TOLERANCE = {"rtol": 2e-4, "atol": 2e-6}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Case:
    """A batch with repeated words, segments with and without sentence ends, and centres without any context."""

    def __init__(self, objective, seed=0, n_words=V, scale=0.6, cut=(0, 3), shape=(S, D, R, REACH)):
        rng = np.random.default_rng(seed)
        self.objective = objective
        self.segments, dimensions, self.radius, reach = shape
        self.reach = self.radius if objective == "skipgram" else reach
        self.wide = SEGMENT + 2 * self.radius
        self.W_in = rng.normal(0, scale, (V, dimensions)).astype(np.float32)
        self.W_out = rng.normal(0, scale, (V, dimensions)).astype(np.float32)
        kernel = self.kernel()
        self.contexts = rng.integers(0, n_words, (self.segments, self.wide))
        self.n_noise = kernel.n_noise
        self.noise = rng.integers(0, n_words, (kernel.n_groups, self.n_noise))
        self.left, self.right = np.full((2, self.segments, SEGMENT), self.reach)
        self.cut = list(cut)
        for s in cut:
            self.left[s], self.right[s] = rng.integers(0, self.reach + 1, (2, SEGMENT))
            self.left[s, 3] = self.right[s, 3] = 0
        self.in_scale = rng.uniform(0.3, 1, self.batch().inputs.shape).astype(np.float32)
        self.out_scale = rng.uniform(0.3, 1, self.batch().outputs.shape).astype(np.float32)

    @property
    def centres(self):
        return self.contexts[:, self.radius : self.radius + SEGMENT]

    def batch(self):
        """The arrays as `parw2v.batching` lays them out."""
        kernel = self.kernel()
        left = window_masks(self.left[self.cut], self.right[self.cut], self.radius)
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
        at = self.radius + b
        return [j for j in range(at - self.left[s, b], at + self.right[s, b] + 1) if j != at]

    def input_at(self, s, position):
        """Place in `inputs` of a segment's centre (skip-gram) or context (CBOW)."""
        return s * SEGMENT + position if self.objective == "skipgram" else position * self.segments + s

    def pairs(self):
        """(segment, centre, row of W_out, sign, weight, place in `outputs`) of every term of the loss, one by one."""
        radius, wide = self.radius, self.wide
        for s in range(self.segments):
            for b in range(SEGMENT):
                window = self.window(s, b)
                if self.objective == "skipgram":
                    start = s * (wide + self.n_noise)
                    weights = [(radius + 1 - abs(j - radius - b)) / radius for j in window]
                    for j, weight in zip(window, weights, strict=True):
                        yield s, b, self.contexts[s, j], 1, weight, start + j
                    for n in range(self.n_noise if window else 0):
                        yield s, b, self.noise[s, n], -1, K * sum(weights) / self.n_noise, start + wide + n
                elif window:
                    group = b // KERNELS["cbow"].group_columns
                    start = self.segments * SEGMENT + group * self.n_noise
                    yield s, b, self.centres[s, b], 1, 1.0, b * self.segments + s
                    for n in range(self.n_noise):
                        yield s, b, self.noise[group, n], -1, K / self.n_noise, start + n

    def hidden_words(self, s, b):
        """The words whose mean predicts."""
        if self.objective == "skipgram":
            return [self.centres[s, b]]
        return [self.contexts[s, j] for j in self.window(s, b)]

    def loss_function(self, segments=None):
        """The stated loss of the first segments (of all) as a function of float64 W_in and W_out."""
        terms = [term for term in self.pairs() if segments is None or term[0] < segments]
        outputs, signs, weights = (np.array([term[i] for term in terms]) for i in (2, 3, 4))
        mean_of = np.zeros((len(terms), V))
        for row, (s, b, *_) in zip(mean_of, terms, strict=True):
            words = self.hidden_words(s, b)
            np.add.at(row, words, 1 / len(words))

        def loss(W_in, W_out):
            scores = np.einsum("td,td->t", mean_of @ W_in, W_out[outputs])
            return -weights @ np.log(sigmoid(signs * scores))

        return loss

    def loop(self, lr):
        """The step in float64, term by term, from the old values: what the kernel must equal."""
        old_in, old_out = self.W_in.astype(float), self.W_out.astype(float)
        new_in, new_out = old_in.copy(), old_out.copy()
        for s, b, o, sign, weight, place in self.pairs():
            hidden = old_in[self.hidden_words(s, b)].mean(axis=0)
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
        kernel = KERNELS[self.objective]
        return kernel(W_in, W_out, radius=self.radius, negatives=K, segments=self.segments)

    def step(self, lr, measure=False):
        kernel = self.kernel()
        kernel.set_rate(lr)
        measured = kernel.step(self.batch(), measure)
        return kernel.W_in, kernel.W_out, measured


def assert_step_equals_loop(case):
    W_in, W_out, _ = case.step(lr=0.05)
    expected_in, expected_out = case.loop(lr=0.05)
    np.testing.assert_allclose(W_in, expected_in, **TOLERANCE)
    np.testing.assert_allclose(W_out, expected_out, **TOLERANCE)
    assert not np.array_equal(W_in, case.W_in)
    assert not np.array_equal(W_out, case.W_out)


def slope(loss, matrices, which, i, d, epsilon=1e-5):
    """Central difference of the loss by one parameter of one of two float64 matrices."""
    values = []
    for sign in (1, -1):
        moved = [matrix.copy() for matrix in matrices]
        moved[which][i, d] += sign * epsilon
        values.append(loss(*moved))
    return (values[0] - values[1]) / (2 * epsilon)


both = pytest.mark.parametrize("objective", ["skipgram", "cbow"])


@both
@pytest.mark.parametrize("n_words", [V, 5, 1])
@pytest.mark.parametrize("cut", [(), (1,), (0, 3), range(S)], ids=["none cut", "one cut", "two cut", "all cut"])
def test_step_equals_float64_loop(objective, n_words, cut):
    assert_step_equals_loop(Case(objective, seed=n_words, n_words=n_words, cut=cut))


@both
@pytest.mark.parametrize("cut", [(), (0,)], ids=["none cut", "one cut"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_shape(objective, shape, cut):
    case = Case(objective, cut=cut, shape=shape)
    assert_step_equals_loop(case)
    _, _, (loss, count) = case.step(0.05, measure=True)
    assert_measured(case, loss, count)


def test_groups_divide_the_columns():
    """Else rows would be shared out to groups in another way than stated, or not at all."""
    assert SEGMENT % KERNELS["cbow"].group_columns == 0


def assert_measured(case, loss, count):
    """Half of the segments, one at least."""
    measured = max(case.segments // 2, 1)
    expected = case.loss_function(measured)(case.W_in.astype(float), case.W_out.astype(float))
    assert loss == pytest.approx(expected, rel=1e-5)
    weights = [weight for s, _, _, sign, weight, _ in case.pairs() if sign == 1 and s < measured]
    assert count == pytest.approx(sum(weights), rel=1e-6)


@both
@pytest.mark.parametrize("cut", [(), (1,), (0, 3), range(S)], ids=["none cut", "one cut", "two cut", "all cut"])
def test_loss_equals_float64_loop(objective, cut):
    case = Case(objective, cut=cut)
    _, _, (loss, count) = case.step(lr=0.05, measure=True)
    assert_measured(case, loss, count)


@both
def test_measuring_changes_nothing(objective):
    case = Case(objective)
    quiet_in, quiet_out, nothing = case.step(0.05)
    W_in, W_out, _ = case.step(0.05, measure=True)
    np.testing.assert_array_equal(quiet_in, W_in)
    np.testing.assert_array_equal(quiet_out, W_out)
    assert nothing == (0, 0)


@both
def test_step_is_the_gradient_of_the_loss(objective):
    """Central differences of the stated loss, parameter by parameter, against what the kernel itself does."""
    case = Case(objective)
    case.in_scale[:] = 1
    case.out_scale[:] = 1
    lr = 1e-3
    W_in, W_out, _ = case.step(lr)
    loss, old = case.loss_function(), (case.W_in.astype(float), case.W_out.astype(float))
    rng = np.random.default_rng(1)
    for i, d in zip(rng.integers(0, V, 40), rng.integers(0, D, 40), strict=True):
        assert (W_out[i, d] - case.W_out[i, d]) / -lr == pytest.approx(slope(loss, old, 1, i, d), rel=5e-3, abs=5e-3)
        if objective == "skipgram":
            assert (W_in[i, d] - case.W_in[i, d]) / -lr == pytest.approx(slope(loss, old, 0, i, d), rel=5e-3, abs=5e-3)


def test_cbow_input_step_is_the_gradient_times_contexts():
    """W_in's step is -lr d loss / d h for each context word of a mean h: c times the gradient."""
    case = Case("cbow", cut=range(S))
    case.in_scale[:] = 1
    case.left[:] = 0
    case.right[:] = 0
    case.left[0, 5], case.right[0, 5] = 2, 1
    case.contexts[0] = np.arange(case.wide) % V
    words = case.hidden_words(0, 5)
    assert len(set(words)) == 3
    lr = 1e-3
    W_in, _, _ = case.step(lr)
    loss, old = case.loss_function(), (case.W_in.astype(float), case.W_out.astype(float))
    for word in words:
        for d in range(D):
            step = (W_in[word, d] - case.W_in[word, d]) / -lr
            assert step == pytest.approx(3 * slope(loss, old, 0, word, d), rel=5e-3, abs=5e-3)


@both
def test_an_empty_segment_leaves_the_others_alone(objective):
    """A last batch that is not full: one whole segment, one cut, two of padding."""
    case = Case(objective, cut=range(1, S))
    case.left[2:] = case.right[2:] = 0
    assert_step_equals_loop(case)


@both
def test_batches_fit_the_kernel(objective):
    """Positive pairs of a text that is read word by word, against a batch of it; K = 0 leaves noise out."""
    lengths, radius, segments, lr = [2 * SEGMENT, 3, 1, SEGMENT, 2], 3, 5, 0.05
    rng = np.random.default_rng(5)
    tokens = rng.integers(0, V, sum(lengths)).astype(np.int32)
    words, ends = tokens.copy(), np.cumsum(lengths) - 1
    tokens[ends] = ~tokens[ends]
    old_in, old_out = rng.normal(0, 0.6, (2, V, D)).astype(np.float32)
    kernel = KERNELS[objective](old_in.copy(), old_out.copy(), radius=radius, negatives=0, segments=segments)
    table = noise_table(np.ones(V), 1000)
    (batch,) = make_batches(
        tokens,
        rng,
        keep=np.ones(V, np.float32),
        noise_table=table,
        noise_share=noise_share(table, V),
        window=kernel.window,
        n_noise=kernel.n_noise,
        groups=kernel.n_groups,
        segments=segments,
        centres_are_inputs=kernel.centres_are_inputs,
        workers=1,
        most=(1.5, 2.5),
    )
    in_scale = dict(zip(batch.inputs.tolist(), batch.input_scale.tolist(), strict=True))
    out_scale = dict(zip(batch.outputs.tolist(), batch.output_scale.tolist(), strict=True))
    kernel.set_rate(lr)
    kernel.step(batch)

    new_in, new_out = old_in.astype(float), old_out.astype(float)
    for first, last in zip(ends + 1 - lengths, ends, strict=True):
        for i in range(first, last + 1):
            window = [j for j in range(max(i - batch.reach, first), min(i + batch.reach, last) + 1) if j != i]
            if objective == "skipgram":
                terms = [([words[i]], words[j], (radius + 1 - abs(j - i)) / radius) for j in window]
            else:
                terms = [(words[window], words[i], 1)] if window else []
            for hidden_words, o, weight in terms:
                hidden = old_in[hidden_words].astype(float).mean(axis=0)
                g = lr * weight * sigmoid(-(hidden @ old_out[o]))
                new_out[o] += out_scale[o] * g * hidden
                for word in hidden_words:
                    new_in[word] += in_scale[word] * g * old_out[o]
    np.testing.assert_allclose(kernel.W_in, new_in, **TOLERANCE)
    np.testing.assert_allclose(kernel.W_out, new_out, **TOLERANCE)


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
