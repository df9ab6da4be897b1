"""Both distributions against their formulas."""

import numpy as np
import pytest

from parw2v.errors import SettingsError
from parw2v.sampling import NOISE_TABLE_SIZE, keep_probabilities, noise_table, thresholds

ZIPF = (1e7 / np.arange(1, 30_001)).astype(np.int64)
VOCABULARIES = {
    "Zipf": ZIPF,
    "two words": np.array([5, 1]),
    "two alike": np.array([7, 7]),
    "one dominates": np.array([10**12, 3, 2, 1]),
    "flat": np.full(1000, 6),
}


@pytest.mark.parametrize("name", VOCABULARIES)
@pytest.mark.parametrize("sample", [1e-5, 1e-3, 0.1, 2.0])
def test_keep_probabilities(name, sample):
    counts = VOCABULARIES[name]
    total = sum(counts.tolist())
    for rule in ("paper", "word2vec"):
        keep = keep_probabilities(counts, sample, rule)
        assert keep.dtype == np.float32
        assert keep.shape == counts.shape
        for i in (0, 1, len(counts) // 2, -1):
            ratio = sample / (int(counts[i]) / total)
            expected = ratio**0.5 + (ratio if rule == "word2vec" else 0)
            assert keep[i] == pytest.approx(min(expected, 1), rel=1e-6)
    assert (keep_probabilities(counts, sample, "word2vec") >= keep_probabilities(counts, sample, "paper")).all()


def test_sample_zero_keeps_all_and_rules_are_checked():
    assert keep_probabilities(ZIPF, 0).tolist() == [1] * len(ZIPF)
    assert keep_probabilities(ZIPF, 0, "word2vec").min() == 1
    with pytest.raises(SettingsError, match="sample_rule is 'gensim'"):
        keep_probabilities(ZIPF, 1e-3, "gensim")


def test_thresholds_are_probabilities_of_sixteen_bits():
    keep = np.array([1, 0.5, 0.25, 1 / 65536, 0.3, 1e-9], np.float32)
    limits = thresholds(keep)
    assert limits.dtype == np.uint16
    kept = [np.count_nonzero(np.arange(65536) <= limit) for limit in limits.tolist()]
    assert kept == [65536, 32768, 16384, 1, 19661, 1]


@pytest.mark.parametrize("name", VOCABULARIES)
@pytest.mark.parametrize("size", [NOISE_TABLE_SIZE, 1009, 16])
def test_noise_table_is_right_to_one_entry(name, size):
    counts = VOCABULARIES[name]
    table = noise_table(counts, size)
    assert table.dtype == np.int32
    assert table.shape == (size,)
    assert (np.diff(table) >= 0).all()
    weights = [count**0.75 for count in counts.tolist()]
    expected = np.array(weights) / sum(weights) * size
    entries = np.bincount(table, minlength=len(counts))
    assert len(entries) == len(counts)
    assert np.abs(entries - expected).max() <= 1


def test_noise_table_reaches_every_word_of_a_usual_vocabulary():
    """70,000 words, about text8's: the rarest has more than one entry's share of the default table."""
    table = noise_table((1e6 / np.arange(1, 70_001)).astype(np.int64) + 5)
    assert len(np.unique(table)) == 70_000


def test_more_words_than_entries():
    counts = np.full(50_000, 5)
    table = noise_table(counts, 1000)
    assert np.bincount(table, minlength=50_000).max() == 1
    assert np.diff(table) == pytest.approx(50, abs=1)


def test_other_powers():
    table = noise_table(np.array([3, 1]), 1000, power=1)
    assert np.bincount(table).tolist() == [750, 250]
    assert np.bincount(noise_table(np.array([3, 1]), 1000, power=0)).tolist() == [500, 500]
