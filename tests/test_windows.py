import numpy as np
import pytest

from parw2v.windows import SEGMENT, whole_windows, window_masks


@pytest.mark.parametrize("radius", [1, 3, 30])
def test_masks_are_those_of_a_loop(radius):
    rng = np.random.default_rng(radius)
    left, right = rng.integers(0, radius + 1, (2, 4, SEGMENT))
    masks = window_masks(left, right, radius)
    assert masks.dtype == np.float32
    expected = np.zeros((4, SEGMENT, SEGMENT + 2 * radius))
    for s in range(4):
        for b in range(SEGMENT):
            for distance in range(-left[s, b], right[s, b] + 1):
                expected[s, b, b + radius + distance] = distance != 0
    np.testing.assert_array_equal(masks, expected)


def test_whole_windows():
    whole = whole_windows(3)
    assert whole.shape == (4, SEGMENT, SEGMENT + 6)
    np.testing.assert_array_equal(whole.sum(axis=2), np.repeat([[0], [2], [4], [6]], SEGMENT, axis=1))


def test_no_segments():
    none = np.zeros((0, SEGMENT), np.intp)
    assert window_masks(none, none, 2).shape == (0, SEGMENT, SEGMENT + 4)
