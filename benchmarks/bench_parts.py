"""How long does each part of a training step take? Run with ``make bench``; compare commits with pytest-benchmark."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in a worker; must come before NumPy

from pathlib import Path

import numpy as np
import pytest

from parw2v.batching import SEGMENT, make_batches
from parw2v.corpus import BlockPlan, encode_text
from parw2v.kernels import KERNELS
from parw2v.kernels.rows import add_rows, add_rows_public, gather
from parw2v.sample import load_sample_corpus, sample_text
from parw2v.sampling import keep_probabilities, noise_share, noise_table
from parw2v.vocabulary import Vocabulary

V, D, R, K, S = 70_000, 100, 5, 5, 12


def zipf_rows(n: int, seed: int = 0) -> np.ndarray:
    """Row numbers as a text has them: word i in proportion to 1 / (i + 10)."""
    weights = 1 / (np.arange(V) + 10)
    return np.random.default_rng(seed).choice(V, n, p=weights / weights.sum())


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    return np.random.default_rng(0).random((V, D), dtype=np.float32)


def block(objective: str) -> object:
    """A block of 60,000 words."""
    counts = np.maximum(1e7 / (np.arange(V) + 10), 1).astype(np.int64)
    tokens = zipf_rows(60_000).astype(np.int32)
    tokens[999::1000] = ~tokens[999::1000]
    tokens[-1] = ~abs(tokens[-1])
    table = noise_table(counts)
    return lambda: make_batches(
        tokens,
        np.random.default_rng(0),
        keep=keep_probabilities(counts, 1e-3),
        noise_table=table,
        noise_share=noise_share(table, V),
        radius=R,
        n_noise=KERNELS[objective].n_noise,
        segments=S,
        centres_are_inputs=KERNELS[objective].centres_are_inputs,
    )


def test_gather_624_rows(benchmark, matrix):
    out = np.empty((624, D), np.float32)
    benchmark(gather, matrix, zipf_rows(624), out)


@pytest.mark.parametrize("add", [add_rows, add_rows_public])
def test_add_624_rows(benchmark, matrix, add):
    G = np.full((624, D), 1e-6, np.float32)
    benchmark(add, matrix.copy(), zipf_rows(624), np.ones(624, np.float32), G)


@pytest.mark.parametrize("objective", ["skipgram", "cbow"])
def test_step_of_240_words(benchmark, matrix, objective):
    kernel = KERNELS[objective](matrix.copy(), matrix.copy() - 0.5, radius=R, negatives=K, segments=S)
    batches = list(block(objective)())
    kernel.set_rate(1e-6)
    turn = iter(range(10**9))
    benchmark(lambda: kernel.step(*batches[next(turn) % len(batches)]))


def test_prepare_block_of_60_000_words(benchmark):
    benchmark(block("skipgram"))


def test_read_and_encode_sample(benchmark, tmp_path: Path):
    text = tmp_path / "sample.txt"
    text.write_text(sample_text())
    benchmark(encode_text, text, tmp_path)


def test_count_sample(benchmark):
    tokens = load_sample_corpus()
    benchmark(lambda: Vocabulary().build(tokens))


def test_read_a_block(benchmark, tmp_path: Path):
    text = tmp_path / "sample.txt"
    text.write_text(sample_text())
    _, corpus = encode_text(text, tmp_path)
    plan = BlockPlan(len(corpus), 1)
    benchmark(corpus.read_block, plan, 0, 0)


assert SEGMENT * S == 240
