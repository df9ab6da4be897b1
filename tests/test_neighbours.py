"""The best rows are the best rows, for any shapes, in blocks or not."""

import numpy as np
import pytest

from parw2v import neighbours
from parw2v.neighbours import at_length_one, largest, nearest, normalise, three_cos_mul


@pytest.mark.parametrize("width", [1, 2, 3, 10, 64, 97, 1000, 4099])
def test_largest_against_a_full_sort(width):
    rng = np.random.default_rng(width)
    for k in sorted({1, 2, 3, 10, width // 3, width - 1, width} & set(range(1, width + 1))):
        scores = rng.permuted(np.tile(np.arange(width, dtype=np.float32), (5, 1)), axis=1)
        columns, values = largest(scores, k)
        order = np.argsort(-scores, axis=1)[:, :k]
        assert np.array_equal(columns, order)
        assert np.array_equal(values, np.take_along_axis(scores, order, 1))


def test_largest_with_equals_and_infinities():
    rng = np.random.default_rng(1)
    for width in (5, 50, 503):
        scores = rng.integers(0, 4, (20, width)).astype(np.float32)
        scores[:, ::3] = -np.inf
        for k in (1, 4, width):
            columns, values = largest(scores, k)
            assert np.array_equal(values, -np.sort(-scores, axis=1)[:, :k])
            assert np.array_equal(values, np.take_along_axis(scores, columns, 1))
            for row, found in zip(columns.tolist(), values, strict=True):
                assert len(set(row)) == k
                assert row == sorted(row, key=lambda i: (-found[row.index(i)], i)), "equals in the order of rows"


@pytest.mark.parametrize("block_bytes", [1, 4 * 203 * 3, 2**25])
def test_nearest_in_blocks_of_any_size(monkeypatch, block_bytes):
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(2)
    units = normalise(rng.normal(size=(203, 9)).astype(np.float32))
    queries = at_length_one(rng.normal(size=(20, 9)))
    without = np.array([(2, 0), (2, 202), (3, 7), (19, 100)])
    rows, scores = nearest(units, queries, 6, without)
    exact = queries.astype(float) @ units.T.astype(float)
    exact[tuple(without.T)] = -np.inf
    assert np.array_equal(rows, np.argsort(-exact, axis=1)[:, :6])
    assert scores == pytest.approx(-np.sort(-exact, axis=1)[:, :6], abs=1e-6)
    assert scores.dtype == np.float32


def test_nearest_of_nothing_and_of_more_than_there_is():
    units = np.eye(3, dtype=np.float32)
    rows, scores = nearest(units, units[:0], 2)
    assert rows.shape == scores.shape == (0, 2)
    rows, scores = nearest(units, units[:1], 10, np.array([(0, 0)]))
    assert rows.tolist() == [[1, 2, 0]]
    assert scores.tolist() == [[0, 0, -np.inf]]


def test_three_cos_mul():
    rng = np.random.default_rng(4)
    units = normalise(rng.normal(size=(50, 6)).astype(np.float32))
    likeness = (1 + units.astype(float) @ units.T.astype(float)) / 2
    expected = likeness[:, 3] * likeness[:, 5] / (likeness[:, 8] + neighbours.EPSILON)
    assert three_cos_mul(units, units[[3, 5]], units[[8]]) == pytest.approx(expected, rel=1e-5)
    opposite = three_cos_mul(-units[:1], units[:1], units[:1])
    assert np.isfinite(opposite).all(), "nought over nought"


def test_at_length_one():
    given = np.array([[3, 4], [0, 0], [1e-30, 0], [1e30, 0], [np.inf, 1], [np.nan, 1]])
    units = at_length_one(given)
    assert units.dtype == np.float32
    assert units[:4].tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0], [1, 0], [1, 0]]
    assert np.isnan(units[4:]).all()
    assert at_length_one(np.array([[3, 4]], np.int8)).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]


def test_normalise_rows_whose_squares_float32_does_not_hold(recwarn):
    rows = np.array([[3e38, 3e38], [1e-30, 0], [3e-39, 4e-39], [0, 0], [3, 4]], np.float32)
    units = normalise(rows)
    assert units.dtype == np.float32
    expected = [[0.5**0.5, 0.5**0.5], [1, 0], [0.6, 0.8], [0, 0], [0.6, 0.8]]
    assert units == pytest.approx(np.array(expected), rel=1e-5)
    assert not recwarn.list
