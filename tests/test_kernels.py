"""Both kernels, one contract: a float64 loop oracle, finite differences of the stated loss, repeated and empty rows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from parw2v.batching import Batch, make_batches
from parw2v.kernels import KERNELS
from parw2v.kernels import rows as rows_module
from parw2v.kernels.losses import descend, logistic_loss
from parw2v.kernels.noise import MOST_NOISE, noise_rate
from parw2v.kernels.rows import add_rows, add_rows_public, blocks_of, gather
from parw2v.sampling import noise_table, thresholds
from parw2v.windows import RUN_BLOCKS, Layout

V, K = 40, 4
S, D, R, REACH = 2, 7, 3, 2
"""Unless a test says otherwise; a batch of CBOW has drawn REACH."""

SHAPES = [
    (1, 7, 3, 3),
    (2, 1, 1, 1),
    (3, 13, 5, 1),
    (3, 5, 5, 5),
    (2, 6, 10, 7),
    (1, 2, 10, 10),
    (2, 3, 12, 12),
    (1, 1, 12, 5),
    (9, 3, 6, 4),
]
"""(S, D, R, reach): one run, one dimension, a window of one word, a block no longer than R, sizes that divide nothing."""

WHOLE, ONE, ALL = (), (1,), range(S * RUN_BLOCKS)
SOME = (0, RUN_BLOCKS - 1, RUN_BLOCKS, RUN_BLOCKS + 3)
"""Blocks cut: the first of a batch, and the last and the first of two runs beside each other, among some."""

# float32 sums of a few hundred terms of order 1e-2
TOLERANCE = {"rtol": 2e-4, "atol": 2e-6}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def target_place(objective, layout, i):
    """Where in a batch's rows the row of W_out of word i stands."""
    n, n_noise = layout.n_centres, KERNELS[objective].n_noise
    if objective == "skipgram":  # behind the noise of all twins before it, and of its own if it is in the second
        return n + i + n_noise * ((i // layout.block + 1) // 2)
    return n + n_noise * layout.runs + i


def noise_places(objective, layout, i):
    """Where the rows of the N noise words of centre i stand."""
    n, n_noise = layout.n_centres, KERNELS[objective].n_noise
    if objective == "skipgram":
        start = n + layout.block + i // (2 * layout.block) * (2 * layout.block + n_noise)
    else:
        start = n + i % layout.runs * n_noise
    return range(start, start + n_noise)


class Case:
    """A batch with repeated words, blocks with and without cut windows, and centres without any context."""

    def __init__(self, objective, seed=0, n_words=V, scale=0.6, cut=SOME, shape=(S, D, R, REACH)):
        rng = np.random.default_rng(seed)
        self.objective = objective
        runs, dimensions, radius, reach = shape
        self.layout = layout = Layout(radius, runs)
        self.reach = radius if objective == "skipgram" else reach
        self.W = rng.normal(0, scale, (2 * V, dimensions)).astype(np.float32)
        self.n_noise = KERNELS[objective].n_noise
        self.text = rng.integers(0, n_words, layout.n_centres)
        groups = layout.n_blocks // 2 if objective == "skipgram" else runs
        self.noise = rng.integers(0, n_words, (groups, self.n_noise))
        self.cut = list(cut)
        self.near = self.windows(rng)
        self.scale = rng.uniform(0.3, 1, self.rows.shape).astype(np.float32)
        self.weights = np.tile(layout.window_weights(), (runs, 1, 1))

    def windows(self, rng):
        """(n, n): whether word j is a context of centre i; some, and all of every tenth centre, are lost to the cuts."""
        i = np.arange(self.layout.n_centres)
        distance = np.abs(i[:, None] - i)
        run, cut = i // self.layout.length, np.isin(i // self.layout.block, self.cut)
        near = (distance > 0) & (distance <= self.reach) & (run[:, None] == run)
        lost = rng.random(near.shape) < 0.4
        lost[3::10] = True
        if self.objective == "cbow":  # i is a context of j where j is one of i
            lost |= lost.T
            lost &= cut
        return near & ~(lost & cut[:, None])

    @property
    def rows(self):
        """Row 2v is that of word v in W_in, row 2v + 1 in W_out."""
        if self.objective == "skipgram":
            outputs = []
            for (one, other), noise in zip(self.text.reshape(len(self.noise), 2, -1), self.noise, strict=True):
                outputs += [one, noise, other]
        else:
            outputs = [self.noise.ravel(), self.text]
        return np.concatenate([2 * self.text, 2 * np.concatenate(outputs) + 1]).astype(np.intp)

    def batch(self):
        """The arrays as `parw2v.batching` documents them."""
        block, radius, n = self.layout.block, self.layout.radius, self.layout.n_centres
        left = np.zeros((len(self.cut), block, block + 2 * radius), np.float32)
        contexts = np.zeros((len(self.cut), block, 1), np.float32)
        for k, number in enumerate(self.cut):
            for b in range(block):
                i, first = number * block + b, number * block - radius
                for j in range(max(first, 0), min(first + block + 2 * radius, n)):
                    left[k, b, j - first] = self.near[i, j]
                contexts[k, b] = sum(self.weight(i, j) for j in self.window(i))
        if self.objective == "skipgram":
            share = contexts / self.weights[self.cut].sum(axis=2, keepdims=True)
            share = np.repeat(share, self.n_noise, axis=2)
            starts = [radius if number % 2 else radius + block for number in self.cut]
            stretches = [
                np.insert(one, [start] * self.n_noise, of_noise, axis=1)
                for one, of_noise, start in zip(left, share, starts, strict=True)
            ]
            left = np.array(stretches, np.float32).reshape(len(self.cut), block, block + 2 * radius + self.n_noise)
        else:
            left = np.stack([left, left / np.maximum(contexts, 1)], axis=1)
        return Batch(self.rows, self.scale, self.reach, np.array(self.cut, np.intp), left, contexts)

    def window(self, i):
        """Context words of centre word i, both by their number in the batch."""
        return np.flatnonzero(self.near[i])

    def weight(self, i, j):
        if self.objective == "cbow":
            return 1.0
        number, b = divmod(i, self.layout.block)
        return float(self.weights[number, b, j - number * self.layout.block + self.layout.radius])

    def pairs(self):
        """(centre word, place in `rows` of a row of W_out, sign, weight) of every term of the loss, one by one."""
        for i in range(self.layout.n_centres):
            window = self.window(i)
            if not len(window):
                continue
            if self.objective == "skipgram":
                weights = [self.weight(i, j) for j in window]
                for j, weight in zip(window, weights, strict=True):
                    yield i, target_place(self.objective, self.layout, j), 1, weight
            else:
                weights = [1.0]
                yield i, target_place(self.objective, self.layout, i), 1, 1.0
            for place in noise_places(self.objective, self.layout, i):
                yield i, place, -1, K * sum(weights) / self.n_noise

    def hidden_words(self, i):
        """The words whose mean predicts; their places in `rows` as well."""
        return [i] if self.objective == "skipgram" else self.window(i)

    def loss_function(self, n_blocks=None):
        """The stated loss of the first blocks (of all) as a function of a float64 W."""
        rows, end = self.rows, self.layout.block * (self.layout.n_blocks if n_blocks is None else n_blocks)
        terms = [term for term in self.pairs() if term[0] < end]
        outputs = rows[np.array([term[1] for term in terms], int)]
        signs, weights = (np.array([term[i] for term in terms]) for i in (2, 3))
        mean_of = np.zeros((len(terms), 2 * V))
        for row, (i, *_) in zip(mean_of, terms, strict=True):
            words = self.hidden_words(i)
            np.add.at(row, rows[words], 1 / len(words))

        def loss(W):
            scores = np.einsum("td,td->t", mean_of @ W, W[outputs])
            return -weights @ np.log(sigmoid(signs * scores))

        return loss

    def loop(self, lr):
        """The step in float64, term by term, from the old values: what the kernel must equal."""
        rows, old = self.rows, self.W.astype(float)
        new = old.copy()
        for i, place, sign, weight in self.pairs():
            words = self.hidden_words(i)
            hidden, output = old[rows[words]].mean(axis=0), old[rows[place]]
            g = lr * weight * sign * sigmoid(-sign * (hidden @ output))
            new[rows[place]] += self.scale[place] * g * hidden
            for j in words:  # the whole of it to each context word of CBOW, as word2vec.c does
                new[rows[j]] += self.scale[j] * g * output
        return new

    def kernel(self):
        return KERNELS[self.objective](self.W.copy(), layout=self.layout, negatives=K, n_noise=self.n_noise)

    def step(self, lr, measure=False):
        kernel = self.kernel()
        kernel.set_rate(lr)
        measured = kernel.step(self.batch(), measure)
        return kernel.W, measured


def assert_step_equals_loop(case):
    W, _ = case.step(lr=0.05)
    np.testing.assert_allclose(W, case.loop(lr=0.05), **TOLERANCE)
    assert not np.array_equal(W[::2], case.W[::2])
    assert not np.array_equal(W[1::2], case.W[1::2])


def assert_measured(case, loss, count):
    """A quarter of the runs, one at least."""
    measured = RUN_BLOCKS * max(case.layout.runs // 4, 1)
    assert loss == pytest.approx(case.loss_function(measured)(case.W.astype(float)), rel=1e-5)
    end = measured * case.layout.block
    assert count == pytest.approx(sum(w for i, _, sign, w in case.pairs() if sign == 1 and i < end), rel=1e-6)


def slope(loss, W, row, d, epsilon=1e-5):
    """Central difference of the loss by one parameter of a float64 matrix."""
    values = []
    for sign in (1, -1):
        moved = W.copy()
        moved[row, d] += sign * epsilon
        values.append(loss(moved))
    return (values[0] - values[1]) / (2 * epsilon)


both = pytest.mark.parametrize("objective", ["skipgram", "cbow"])
any_cut = pytest.mark.parametrize("cut", [WHOLE, ONE, SOME, ALL], ids=["none cut", "one cut", "some cut", "all cut"])


@both
@pytest.mark.parametrize("n_words", [V, 5, 1])
@any_cut
def test_step_equals_float64_loop(objective, n_words, cut):
    assert_step_equals_loop(Case(objective, seed=n_words, n_words=n_words, cut=cut))


@both
@pytest.mark.parametrize("cut", [(), (0,), (0, 1, RUN_BLOCKS - 1)], ids=["none cut", "one cut", "some cut"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_shape(objective, shape, cut):
    case = Case(objective, cut=cut, shape=shape)
    assert_step_equals_loop(case)
    _, (loss, count) = case.step(0.05, measure=True)
    assert_measured(case, loss, count)


def test_shapes_have_blocks_longer_than_usual():
    """Else the kernels would not be seen to follow the layout."""
    assert len({Layout(radius, runs).block for runs, _, radius, _ in SHAPES}) > 1


def test_every_block_of_a_run_has_a_twin():
    assert RUN_BLOCKS % 2 == 0


@both
@any_cut
def test_loss_equals_float64_loop(objective, cut):
    case = Case(objective, cut=cut)
    _, (loss, count) = case.step(lr=0.05, measure=True)
    assert_measured(case, loss, count)


@both
@any_cut
def test_measuring_changes_nothing(objective, cut):
    case = Case(objective, cut=cut)
    quiet, nothing = case.step(0.05)
    W, _ = case.step(0.05, measure=True)
    np.testing.assert_array_equal(quiet, W)
    assert nothing == (0, 0)


@both
def test_step_is_the_gradient_of_the_loss(objective):
    """Central differences of the stated loss, parameter by parameter, against what the kernel itself does."""
    case = Case(objective)
    case.scale[:] = 1
    lr = 1e-3
    W, _ = case.step(lr)
    loss, old = case.loss_function(), case.W.astype(float)
    rng = np.random.default_rng(1)
    for word, d in zip(rng.integers(0, V, 40), rng.integers(0, D, 40), strict=True):
        for row in [2 * word, 2 * word + 1] if objective == "skipgram" else [2 * word + 1]:
            step = (W[row, d] - case.W[row, d]) / -lr
            assert step == pytest.approx(slope(loss, old, row, d), rel=5e-3, abs=5e-3)


def test_cbow_input_step_is_the_gradient_times_contexts():
    """W_in's step is -lr d loss / d h for each context word of a mean h: c times the gradient.

    One sentence of four words, across the border of two blocks: each has the other three as contexts.
    """
    case = Case("cbow", cut=ALL, shape=(S, D, 3, 3))
    case.scale[:] = 1
    sentence = case.layout.block + np.arange(-2, 2)
    case.near[:] = False
    case.near[np.ix_(sentence, sentence)] = ~np.eye(4, dtype=bool)
    case.text[sentence] = words = [7, 3, 30, 12]
    assert [len(case.hidden_words(i)) for i in sentence] == [3] * 4
    lr = 1e-3
    W, _ = case.step(lr)
    loss, old = case.loss_function(), case.W.astype(float)
    for word in words:
        for d in range(D):
            step = (W[2 * word, d] - case.W[2 * word, d]) / -lr
            assert step == pytest.approx(3 * slope(loss, old, 2 * word, d), rel=5e-3, abs=5e-3)
    others = np.setdiff1d(np.arange(V), words)
    np.testing.assert_array_equal(W[2 * others], case.W[2 * others])


@both
@pytest.mark.parametrize("empty", [0, 1, 2])
def test_an_empty_run_leaves_the_others_alone(objective, empty):
    """A last batch that is not full: one run whole, one with cut blocks, one of padding."""
    runs = np.roll([0, 1, 2], empty)
    padding = RUN_BLOCKS * runs[0] + np.arange(RUN_BLOCKS)
    cut = RUN_BLOCKS * runs[1] + np.array([1, 2])
    case = Case(objective, cut=np.sort([*padding, *cut]), shape=(3, D, R, REACH))
    places = slice(runs[0] * case.layout.length, (runs[0] + 1) * case.layout.length)
    case.near[places] = False
    assert not case.near[:, places].any()
    case.text[places] = 0
    assert_step_equals_loop(case)
    _, (loss, count) = case.step(0.05, measure=True)
    assert_measured(case, loss, count)


@both
def test_runs_without_windows_change_nothing(objective):
    """What fills up a last batch: rows of word 0, no window."""
    case = Case(objective, cut=ALL)
    case.near[:] = False
    W, (loss, count) = case.step(0.05, measure=True)
    np.testing.assert_array_equal(W, case.W)
    assert (loss, count) == (0, 0)


@both
@pytest.mark.parametrize("negatives", [0, K], ids=["no noise", "noise"])
@pytest.mark.parametrize("radius", [1, 3, 5, 10, 12])
def test_batches_fit_the_kernel(objective, negatives, radius):
    """A text that is read word by word, against two batches of it; only the noise words are read from the batches."""
    layout, lr = Layout(radius, 3), 0.05
    length, block, n_noise = layout.length, layout.block, KERNELS[objective].n_noise
    # Among the last words of sentences are one that only the first word of a block reaches, and one behind which only the
    # last word of a block reaches; the others are at the end of a run, and close to each other.
    ends = [2 * block - radius, length + block + radius - 2]
    ends = np.array([*ends, 2 * length - 1, 2 * length + 2, 2 * length + 3, 3 * length + 3, 3 * length + 5])
    rng = np.random.default_rng(5)
    words = rng.integers(1, V, ends[-1] + 1).astype(np.int32)  # word 0 stands for padding too, with a scale of its own
    tokens, old = words.copy(), rng.normal(0, 0.6, (2 * V, D)).astype(np.float32)
    tokens[ends] = ~tokens[ends]
    kernel = KERNELS[objective](old.copy(), layout=layout, negatives=negatives, n_noise=n_noise)
    kernel.set_rate(lr)
    batches = make_batches(
        tokens,
        rng,
        keep=thresholds(np.ones(V, np.float32)),
        noise_table=noise_table(np.minimum(np.arange(V), 1), 1000),
        layout=layout,
        n_noise=n_noise,
        noise_groups=kernel.noise_groups(lr),
        predicts_contexts=objective == "skipgram",
        workers=1,
        most=1.5,
    )
    assert len(batches) == 2
    new, weights, trained = old.astype(float), np.tile(layout.window_weights(), (layout.runs, 1, 1)), []
    for batch in batches:
        kernel.step(batch)
        old, scale = new.copy(), dict(zip(batch.rows.tolist(), batch.scale.tolist(), strict=True))
        assert min(scale.values()) < 1
        for i, place in places_of(words, batch, layout):
            trained.append(i)
            sentence = np.searchsorted(ends, i)
            first, last = [0, *(ends + 1)][sentence], ends[sentence]
            near = range(max(i - batch.reach, first), min(i + batch.reach, last) + 1)
            window = [j for j in near if j != i and j // length == i // length]
            if not window:
                continue
            if objective == "skipgram":
                number, b = divmod(place, block)
                terms = [(2 * words[j] + 1, 1, weights[number, b, b + radius + j - i]) for j in window]
                hidden_rows = 2 * words[[i]]
            else:
                terms = [(2 * words[i] + 1, 1, 1.0)]
                hidden_rows = 2 * words[window]
            noise = batch.rows[noise_places(objective, layout, place)]
            c = sum(weight for _, _, weight in terms)
            hidden = old[hidden_rows].mean(axis=0)
            for o, sign, weight in [*terms, *((o, -1, negatives * c / n_noise) for o in noise)]:
                g = lr * weight * sign * sigmoid(-sign * (hidden @ old[o]))
                new[o] += scale[o] * g * hidden
                for row in hidden_rows:
                    new[row] += scale[row] * g * old[o]
    assert sorted(trained) == list(range(len(words)))
    np.testing.assert_allclose(kernel.W, new, **TOLERANCE)


def places_of(words, batch, layout):
    """Yield (place in the text, place in the batch) of each word but padding; runs are told by their words."""
    for s, run in enumerate(batch.rows[: layout.n_centres].reshape(layout.runs, -1)):
        for start in range(0, len(words), layout.length):
            expected = 2 * words[start : start + layout.length]
            if np.array_equal(run[: len(expected)], expected):
                for b in range(len(expected)):
                    yield start + b, s * layout.length + b


@both
def test_a_cut_does_not_outlast_its_batch(objective):
    """The same kernel, once with blocks cut and then without, equals a fresh one."""
    cut, whole = Case(objective, cut=ALL), Case(objective, seed=1, cut=WHOLE)
    kernel = whole.kernel()
    kernel.set_rate(0.05)
    kernel.step(cut.batch(), measure=True)
    kernel.W[:] = whole.W
    measured = kernel.step(whole.batch(), measure=True)
    W, expected = whole.step(0.05, measure=True)
    np.testing.assert_array_equal(kernel.W, W)
    assert measured == expected


@pytest.mark.parametrize("reach", [1, 2, 3])
def test_cbow_restores_its_operators(reach):
    """Cut windows stand in their place during a step; behind it they are as they were, bit by bit, for each reach."""
    case = Case("cbow", shape=(S, D, 3, reach))
    kernel = case.kernel()
    kernel.set_rate(0.05)
    before = [array.tobytes() for array in kernel.masks]
    kernel.step(case.batch(), measure=True)
    assert [array.tobytes() for array in kernel.masks] == before


@both
def test_the_last_rate_counts(objective):
    case = Case(objective)
    kernel = case.kernel()
    for lr in (0.7, 0, 0.05):
        kernel.set_rate(lr)
    kernel.step(case.batch())
    np.testing.assert_array_equal(kernel.W, case.step(0.05)[0])


@both
def test_huge_scores_stay_finite(objective):
    case = Case(objective, scale=40)
    W, (loss, _) = case.step(0.025, measure=True)
    assert np.isfinite(W).all()
    assert np.isfinite(loss)


@both
def test_steps_lower_the_loss(objective):
    case = Case(objective)
    kernel, batch = case.kernel(), case.batch()
    kernel.set_rate(0.02)
    losses = [kernel.step(batch, True)[0] for _ in range(60)]
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


@pytest.mark.parametrize(("n", "height", "apart"), [(3, 4, 2), (2, 3, 5), (4, 2, 2), (1, 8, 3)])
@pytest.mark.parametrize("columns", [slice(None), slice(0, 1), slice(None, None, 2)], ids=["all", "one", "others"])
def test_blocks_are_a_view_of_rows(n, height, apart, columns):
    """Overlapping, with gaps, or neither; of rows that lie in a wider matrix, too."""
    rows = np.arange(40, dtype=np.float32).reshape(8, 5)[:, columns]
    blocks = blocks_of(rows, n, height, apart)
    expected = [rows[k * apart : k * apart + height] for k in range(n)]
    np.testing.assert_array_equal(blocks, expected)
    for k in range(n):
        blocks[k, height - 1] = -k - 1
        np.testing.assert_array_equal(rows[k * apart + height - 1], -k - 1)
        np.testing.assert_array_equal(blocks, expected)  # a row that blocks share has changed in all of them


def test_blocks_do_not_reach_beyond_the_rows():
    rows = np.zeros((8, 2), np.float32)
    assert blocks_of(rows, 3, 4, 2).shape == (3, 4, 2)
    with pytest.raises(AssertionError):
        blocks_of(rows, 3, 5, 2)


def test_descend_and_loss_agree():
    x = np.linspace(-30, 30, 121, dtype=np.float32)
    for a in (2.5, -2.5, 0.3, -0.3):
        sign, gradient = np.sign(a), x.copy()
        descend(gradient, np.full_like(x, a / 2), np.full_like(x, -abs(a) / 2))
        np.testing.assert_allclose(gradient, a * sigmoid(-sign * x.astype(float)), atol=3e-7)
        one_by_one = [logistic_loss(x[i : i + 1], np.float32(a)) for i in range(len(x))]
        np.testing.assert_allclose(one_by_one, abs(a) * np.logaddexp(0, -sign * x.astype(float)), rtol=1e-5, atol=1e-6)


def test_scores_without_a_weight_vanish():
    x = np.array([-1e30, -3, 0, 3, 1e30], np.float32)
    descend(x, np.zeros_like(x), np.zeros_like(x))
    assert not x.any()


def enough(objective, radius=5, negatives=5, lr=0.025):
    return KERNELS[objective].enough_noise(Layout.of_batch(radius, 500), negatives, lr)


def test_noise_of_skipgram_is_used_as_often_as_is_safe():
    """Weight of a word's pairs times the rate, 16 centres of 6 pairs, K / N each: 1 a use at the default rate."""

    def uses(**changed):
        given = {"radius": 5, "negatives": 5, "lr": 0.025} | changed
        layout, n_noise = Layout.of_batch(given["radius"], 500), enough("skipgram", **given)
        W = np.zeros((2, 1), np.float32)
        kernel = KERNELS["skipgram"](W, layout=layout, negatives=given["negatives"], n_noise=n_noise)
        return layout.n_blocks / (2 * kernel.noise_groups(given["lr"]))

    assert 1.9 < uses() <= 2
    assert 3.9 < uses(lr=0.0125) <= 5
    assert 1.9 < uses(lr=0.05) <= 2
    assert 1.9 < uses(negatives=10) <= 2
    assert 1.9 < uses(radius=10) <= 2
    assert 1.9 < uses(negatives=20, lr=0.1) <= 2
    assert 0.9 < uses(radius=50) <= 1
    assert 0.9 < uses(negatives=0) <= 1


def test_there_is_more_noise_where_each_word_would_weigh_too_much():
    assert [enough("skipgram", negatives=K) for K in (0, 5, 10, 20, 40)] == [12, 12, 24, 48, 96]
    assert [enough("skipgram", radius=R) for R in (2, 5, 10, 20, 50)] == [12, 12, 22, 42, 256]
    assert [enough("skipgram", lr=lr) for lr in (0.01, 0.029, 0.05, 0.1)] == [12, 14, 24, 48]
    assert [enough("cbow", negatives=K, lr=0.05) for K in (0, 5, 8, 10, 20)] == [8, 12, 20, 24, 48]
    assert [enough("cbow", lr=lr) for lr in (0.025, 0.05, 0.1)] == [8, 12, 24]
    assert enough("cbow", radius=20, lr=0.05) == 12
    assert enough("skipgram", lr=1e9) == enough("cbow", lr=1e9) == MOST_NOISE


def test_nodes_of_a_cluster_have_more_noise_but_not_in_proportion():
    assert [enough("skipgram", lr=noise_rate(0.025, boost)) for boost in (1, 1.2, 2, 4)] == [12, 12, 16, 32]
    assert [enough("cbow", lr=noise_rate(0.05, boost)) for boost in (1, 2, 4)] == [12, 16, 32]


def test_a_noise_word_pulls_and_is_pushed_no_more_than_is_safe():
    kind = KERNELS["skipgram"]
    for radius, negatives, lr in itertools.product((1, 5, 12, 40), (1, 5, 20), (0.01, 0.025, 0.07)):
        layout, n_noise = Layout.of_batch(radius, 500), enough("skipgram", radius, negatives, lr)
        pull = lr * (radius + 1) * negatives / n_noise
        assert pull <= kind.safe_pull * 1.001
        assert 2 * layout.block * pull <= kind.safe_push * 1.001
        assert (
            n_noise == kind.n_noise
            or pull * n_noise / (n_noise - 2) > kind.safe_pull * min(1, 20 / layout.block) / 1.001
        )
