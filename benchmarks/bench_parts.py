"""How long does each part of training take?

``make bench [QUICK=1]``. The parts run in a worker's environment (one BLAS thread, the code path that workers use). Each
call keeps its figures under ``.benchmarks``, named by commit; ``make bench-compare`` sets them side by side, or those that
``RUNS="0001 0003"`` names.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import ROOT, Results, figure, scratch_directory, table

from parw2v.batching import Batches, make_batches
from parw2v.blas import worker_environment
from parw2v.config import BATCH_SIZE
from parw2v.corpus import BlockPlan, encode_text
from parw2v.kernels import CBOW, KERNELS, SkipGram
from parw2v.kernels.rows import add_rows, add_rows_public, gather
from parw2v.sample import load_sample_corpus, sample_text
from parw2v.sampling import keep_probabilities, noise_table, thresholds
from parw2v.vocabulary import Vocabulary
from parw2v.windows import Layout

V, D, R, K = 70_000, 100, 5, 5
LAYOUT = Layout.of_batch(R, BATCH_SIZE)
ROWS = 1500
"""As many as a batch of skip-gram reads and writes, nearly."""

BLOCK_WORDS = 60_000
COUNTS = np.maximum(1e7 / (np.arange(V) + 10), 1).astype(np.int64)
"""How often words occur in a text of a hundred million: word i in proportion to 1 / (i + 10)."""


def zipf_rows(n: int, seed: int = 0) -> np.ndarray:
    """(n,) intp: words as a text has them."""
    return np.random.default_rng(seed).choice(V, n, p=COUNTS / COUNTS.sum())


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    return np.random.default_rng(0).random((2 * V, D), dtype=np.float32) - np.float32(0.5)


def new_kernel(objective: str, matrix: np.ndarray) -> SkipGram | CBOW:
    kernel = KERNELS[objective](matrix.copy(), layout=LAYOUT, negatives=K, n_noise=KERNELS[objective].n_noise)
    kernel.set_rate(1e-6)
    return kernel


def block_maker(kernel: SkipGram | CBOW) -> Callable[[], Batches]:
    """A function that prepares one block of `BLOCK_WORDS` words in sentences of 1,000."""
    tokens = zipf_rows(BLOCK_WORDS).astype(np.int32)
    tokens[999::1000] = ~tokens[999::1000]
    table = noise_table(COUNTS)
    keep = thresholds(keep_probabilities(COUNTS, 1e-3))
    return lambda: make_batches(
        tokens,
        np.random.default_rng(0),
        keep=keep,
        noise_table=table,
        layout=LAYOUT,
        n_noise=kernel.n_noise,
        noise_groups=kernel.noise_groups(0.025),
        predicts_contexts=kernel.predicts_contexts,
        workers=1,
        most=8.0,
    )


@pytest.fixture
def sample_file(tmp_path: Path) -> Path:
    path = tmp_path / "sample.txt"
    path.write_text(sample_text())
    return path


def test_gather_1500_rows(benchmark, matrix):
    out = np.empty((ROWS, D), np.float32)
    benchmark(gather, matrix, zipf_rows(ROWS), out)


@pytest.mark.parametrize("add", [add_rows, add_rows_public], ids=["private", "public"])
def test_add_1500_rows(benchmark, matrix, add):
    G = np.full((ROWS, D), 1e-6, np.float32)
    benchmark(add, matrix.copy(), zipf_rows(ROWS), np.ones(ROWS, np.float32), G)


@pytest.mark.parametrize("objective", ["skipgram", "cbow"])
def test_step_of_336_words(benchmark, matrix, objective):
    kernel = new_kernel(objective, matrix)
    batches = itertools.cycle(block_maker(kernel)())
    benchmark(lambda: kernel.step(next(batches)))


@pytest.mark.parametrize("objective", ["skipgram", "cbow"])
def test_prepare_block_of_60_000_words(benchmark, matrix, objective):
    benchmark(block_maker(new_kernel(objective, matrix)))


def test_sampling_tables_of_70_000_words(benchmark):
    benchmark(lambda: (keep_probabilities(COUNTS, 1e-3), noise_table(COUNTS)))


def test_read_and_encode_240_000_words(benchmark, sample_file, tmp_path):
    benchmark(encode_text, sample_file, tmp_path)


def test_count_vocabulary_of_240_000_words(benchmark):
    tokens = load_sample_corpus()
    benchmark(lambda: Vocabulary().build(tokens))


def test_read_a_block(benchmark, sample_file, tmp_path):
    _, corpus = encode_text(sample_file, tmp_path)
    plan = BlockPlan(len(corpus), 1)
    benchmark(corpus.read_block, plan, 0, 0)


assert LAYOUT.n_centres == 336


# ------------------------------------------------------------------------------------------------ running them


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few repeats: shows that it works")
    parser.add_argument("--results", type=Path, help="directory for the results")
    arguments, for_pytest = parser.parse_known_args()
    results = Results("parts", arguments, {"V": V, "D": D, "R": R, "K": K}, report)
    with scratch_directory() as directory:
        path = Path(directory) / "parts.json"
        command = [sys.executable, "-m", "pytest", __file__, "--benchmark-only", "--benchmark-autosave", "-q"]
        command += ["--benchmark-disable-gc", "--benchmark-warmup=on", f"--benchmark-json={path}"]
        command += ["--benchmark-columns=median,iqr,rounds", "-p", "no:cacheprovider", "-o", "addopts="]
        command += ["--benchmark-max-time=0.1", "--benchmark-min-rounds=3"] if arguments.quick else []
        status = subprocess.run([*command, *for_pytest], env=worker_environment(), cwd=ROOT).returncode
        if status:
            return status
        found = json.loads(path.read_text())["benchmarks"]
    for one in found:
        stats = {name: one["stats"][name] for name in ("median", "iqr", "min", "rounds")}
        results.runs.append({"part": one["name"].removeprefix("test_").replace("_", " "), **stats})
    results.finish()
    return 0


def report(record: dict[str, Any]) -> str:
    """A row for each part, in microseconds."""
    rows = [
        [run["part"], figure(1e6 * run["median"], 1), figure(1e6 * run["iqr"], 1), run["rounds"]]
        for run in record["runs"]
    ]
    return "# How long each part takes\n\n" + table(["part", "median (µs)", "interquartile range (µs)", "rounds"], rows)


if __name__ == "__main__":
    sys.exit(main())
