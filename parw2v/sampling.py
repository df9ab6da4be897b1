"""The two distributions of word2vec: which words are kept, and which are drawn as noise."""

from __future__ import annotations

import numpy as np

from parw2v.arraytypes import CountArray, FloatArray, ThresholdArray, TokenArray
from parw2v.errors import SettingsError

NOISE_TABLE_SIZE = 1_000_000
NOISE_POWER = 0.75
SAMPLE_RULES = ("paper", "word2vec")


def keep_probabilities(counts: CountArray, sample: float, rule: str = "paper") -> FloatArray:
    """How likely an occurrence of each word is to survive subsampling.

    Parameters
    ----------
    counts : (V,) int64
        Occurrences of each word.
    sample : float
        The threshold t, a relative frequency; 0 keeps every word.
    rule : {"paper", "word2vec"}
        With f the relative frequency of a word, ``paper`` discards it with probability 1 - sqrt(t/f), which is
        equation 5 of [1]_; ``word2vec`` keeps it with probability sqrt(t/f) + t/f, which is what word2vec.c and gensim
        do and comparisons with them need. Both are cut at 1.

    Returns
    -------
    (V,) float32

    References
    ----------
    .. [1] Mikolov et al. 2013, Distributed Representations of Words and Phrases and their Compositionality, section 2.3.
    """
    if rule not in SAMPLE_RULES:
        raise SettingsError(f"sample_rule is {rule!r}; it must be one of {', '.join(SAMPLE_RULES)}")
    if sample == 0:
        return np.ones(len(counts), np.float32)
    ratio = sample / (counts / counts.sum())
    keep = np.sqrt(ratio)
    if rule == "word2vec":
        keep += ratio
    kept: FloatArray = np.minimum(keep, 1).astype(np.float32)
    return kept


def thresholds(keep: FloatArray) -> ThresholdArray:
    """The probabilities (V,) float32 as (V,) uint16: a word is kept if 16 random bits are a number no larger than its own.

    A quarter of what floating point costs. Probabilities are right to 1/65,536, and no word is lost altogether.
    """
    of_65536: ThresholdArray = np.maximum(np.rint(keep * 65536.0) - 1, 0).astype(np.uint16)
    return of_65536


def noise_table(counts: CountArray, size: int = NOISE_TABLE_SIZE, power: float = NOISE_POWER) -> TokenArray:
    """Word ids in proportion to count^0.75, so that a noise word is drawn by drawing a position.

    Entry i holds the word whose share of the distribution covers (i + 1/2) / size; ids ascend, which lets a draw be
    stratified by position.

    Parameters
    ----------
    counts : (V,) int64
    size : int
        Entries; a word's probability is right to one entry.
    power : float
        0.75, section 2.2 of Mikolov et al. 2013 (Distributed Representations).

    Returns
    -------
    (size,) int32
    """
    share = np.cumsum(np.asarray(counts, np.float64) ** power)
    middles = (np.arange(size) + 0.5) / size * share[-1]
    table: TokenArray = np.searchsorted(share, middles, side="right").astype(np.int32)
    return table
