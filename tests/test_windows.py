"""How a batch is cut into runs and blocks, and what each pair in a run counts: all against loops."""

import numpy as np
import pytest

from parw2v.windows import BLOCK, RUN_BLOCKS, Layout

RUNS = 1
"""S in these tests, unless they say otherwise: masks and weights are those of one run."""

TOLERANCE = {"rtol": 1e-6}
"""Weights are float32."""

radii = pytest.mark.parametrize("radius", [1, 2, 5, 10, 13, 30])


def pairs(layout):
    """Yield (block, centre, neighbour, i, j): a place in the masks, and the places in the batch of the two words there.

    Only words of the same run are given.
    """
    for k in range(layout.n_blocks):
        for b in range(layout.block):
            for m in range(layout.n_neighbours):
                i, j = k * layout.block + b, k * layout.block + m - layout.radius
                if i // layout.length == j // layout.length:
                    yield k, b, m, i, j


def shape_of(layout):
    return RUN_BLOCKS, layout.block, layout.block + 2 * layout.radius


def by_word(layout, masks):
    """(S L, S L): the same by centre and neighbour, wherever they are in the batch; a centre has nothing outside of it."""
    n, R = layout.n_centres, layout.radius
    whole = np.zeros((n, n + 2 * R))
    for k in range(layout.n_blocks):
        start = k * layout.block
        whole[start : start + layout.block, start : start + layout.n_neighbours] = masks[k]
    assert not whole[:, :R].any()
    assert not whole[:, R + n :].any()
    return whole[:, R : R + n]


# ---------------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("radius", "block"), [(1, BLOCK), (5, BLOCK), (BLOCK, BLOCK), (BLOCK + 1, BLOCK + 1), (100, 100)]
)
def test_sizes(radius, block):
    """A block is never shorter than a window is wide, or the words of one would lie in more than three."""
    layout = Layout(radius, 3)
    assert layout.block == block >= radius
    assert layout.length == RUN_BLOCKS * block
    assert layout.n_blocks == 3 * RUN_BLOCKS
    assert layout.n_centres == 3 * RUN_BLOCKS * block
    assert layout.n_neighbours == block + 2 * radius
    assert layout.window_masks(radius).shape == layout.window_weights().shape == shape_of(layout)


@pytest.mark.parametrize("radius", [1, 5, 10, 100])
def test_a_batch_size_is_rounded_up_to_whole_runs(radius):
    length = Layout(radius, 1).length
    for size, runs in (
        (1, 1),
        (length - 1, 1),
        (length, 1),
        (length + 1, 2),
        (7 * length - 1, 7),
        (7 * length, 7),
        (7 * length + 1, 8),
    ):
        assert Layout.of_batch(radius, size) == Layout(radius, runs)


# ---------------------------------------------------------------------------------------------------- masks and weights


@radii
def test_masks_are_those_of_a_loop(radius):
    layout = Layout(radius, RUNS)
    for reach in {0, 1, radius // 2, radius}:
        masks = layout.window_masks(reach)
        assert masks.dtype == np.float32
        expected = np.zeros(shape_of(layout))
        for k, b, m, i, j in pairs(layout):
            expected[k, b, m] = 0 < abs(i - j) <= reach
        np.testing.assert_array_equal(masks, expected)


@radii
def test_no_window_reaches_over_the_end_of_a_run(radius):
    """The first and the last word of a run look one way only; those in the middle see a whole window."""
    layout = Layout(radius, RUNS)
    for reach in range(radius + 1):
        widths = layout.window_masks(reach).sum(axis=2).reshape(RUNS, layout.length)
        assert (widths[:, [0, -1]] == reach).all()
        assert (widths[:, reach : layout.length - reach] == 2 * reach).all()
        assert (widths[0] == widths[0, ::-1]).all()


@radii
def test_a_context_has_its_centre_as_context(radius):
    """CBOW's step takes the masks for transposed ones of the neighbours."""
    layout = Layout(radius, RUNS)
    for array in (layout.window_masks(radius), layout.window_masks(1), layout.window_weights()):
        whole = by_word(layout, array)
        assert whole.any()
        np.testing.assert_array_equal(whole, whole.T)


@radii
def test_weights_are_those_of_a_loop(radius):
    layout = Layout(radius, RUNS)
    weights = layout.window_weights()
    assert weights.dtype == np.float32
    expected = np.zeros(shape_of(layout))
    for k, b, m, i, j in pairs(layout):
        d = abs(i - j)
        if 0 < d <= radius:
            of_draws = sum(1 for reach in range(1, radius + 1) if d <= reach) / radius
            in_one_run = sum(1 for first in range(layout.length) if first + d < layout.length) / layout.length
            expected[k, b, m] = of_draws / in_one_run
    np.testing.assert_allclose(weights, expected, **TOLERANCE)


@radii
def test_weights_are_the_average_of_drawn_reaches(radius):
    """Up to what makes up for the ends of runs, which is the same for all pairs at one distance."""
    layout = Layout(radius, RUNS)
    drawn = np.mean([by_word(layout, layout.window_masks(reach)) for reach in range(1, radius + 1)], axis=0)
    weights = by_word(layout, layout.window_weights())
    for d in range(1, radius + 1):
        ratio = np.diagonal(weights, d)[: layout.length - d] / np.diagonal(drawn, d)[: layout.length - d]
        np.testing.assert_allclose(ratio, layout.length / (layout.length - d), **TOLERANCE)


@radii
def test_cutting_a_text_changes_no_expectation(radius):
    """Cut at each of the L phases, a pair of a long text counts on average what it would count in a text not cut."""
    layout = Layout(radius, 1)
    length = layout.length
    weights = by_word(layout, layout.window_weights())
    centre = 2 * length  # far from the ends of the text
    total = np.zeros(4 * length)
    for phase in range(length):
        first = range(phase, 4 * length, length)  # the words with which runs begin
        run = next(start for start in first if start <= centre < start + length)
        total[run : run + length] += weights[centre - run]
    for word, found in enumerate((total / length).tolist()):
        d = abs(word - centre)
        assert found == pytest.approx((radius + 1 - d) / radius if 0 < d <= radius else 0, rel=TOLERANCE["rtol"])


@radii
def test_a_centre_counts_on_average_as_in_a_text_that_is_not_cut(radius):
    """R + 1 a window, word2vec's average of 2 * reach: as many pairs in all, so the learning rate means the same."""
    layout = Layout(radius, RUNS)
    total = layout.window_weights().sum(dtype=float)
    assert total == pytest.approx(layout.n_centres * (radius + 1), rel=TOLERANCE["rtol"])


# ---------------------------------------------------------------------------------------------------- stretches


@pytest.mark.parametrize("n_noise", [2, 5, 16])
@pytest.mark.parametrize("radius", [1, 3, 12])
def test_stretches_are_in_the_order_of_the_outputs(radius, n_noise):
    """Noise is between a block and its twin: behind the first, before the second."""
    layout, blocks = Layout(radius, 1), np.array([0, 3, 4])
    B, k = layout.block, len(blocks)
    contexts = np.arange(1, k * B * layout.n_neighbours + 1).reshape(k, B, -1)
    noise = -np.arange(1, k * B + 1).reshape(k, B, 1)
    stretches = layout.stretches(contexts.astype(np.float32), noise.astype(np.float32), n_noise, blocks)
    assert stretches.dtype == np.float32
    assert stretches.shape == (k, B, B + 2 * radius + n_noise)
    for i, number in enumerate(blocks.tolist()):
        for b in range(B):
            words = contexts[i, b].tolist()
            between = noise[i, b].tolist() * n_noise
            before, own, behind = words[:radius], words[radius : radius + B], words[radius + B :]
            own = between + own if number % 2 else own + between
            assert stretches[i, b].tolist() == before + own + behind


def test_stretches_of_no_blocks():
    layout = Layout(4, 2)
    contexts = np.zeros((0, layout.block, layout.n_neighbours), np.float32)
    none = np.zeros(0, np.intp)
    assert layout.stretches(contexts, contexts[:, :, :1], 6, none).shape == (0, layout.block, layout.n_neighbours + 6)
