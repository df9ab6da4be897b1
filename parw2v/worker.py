"""What one worker process does: take a block, train it batch by batch, report.

The loop below is the only one that runs for every batch. It reads and writes shared arrays:

W
    W_in and W_out in turn, row by row (see `SkipGram`). All workers read and write all rows, without locks.
progress
    (workers + 1,) int64, raw words trained. Each worker writes its own slot, the last is that of all other machines; all
    read all, for the learning rate. A slot read while it is written holds the old or the new count, a few thousand words
    apart: the rate does not notice.
boost
    (1,) float64: what the learning rate is multiplied by; 1 but on a node of a cluster (`parw2v.cluster.sync.boost`), where
    workers wait as long as it is 0.
keep, noise
    Sampling tables, read only.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from parw2v.arraytypes import AnyArray, TokenArray
from parw2v.batching import make_batches
from parw2v.corpus import BlockPlan, Corpus
from parw2v.errors import CorpusError
from parw2v.kernels import CBOW, KERNELS, SkipGram
from parw2v.kernels.noise import noise_rate
from parw2v.schedule import learning_rate
from parw2v.shared import Ticket, attach
from parw2v.windows import Layout

MEASURE_EVERY = 16
"""Batches between two at which the loss is measured, progress told and the learning rate renewed: 5,400 centre words at
the default batch size. Every 16th batch is an unbiased sample, for blocks are made of text from everywhere."""

_WAIT_SECONDS = 0.002
"""Between two looks whether to go on, where a node waits."""


class BlockTask(NamedTuple):
    """One block to train."""

    epoch: int
    block: int
    worker: int
    tokens: TokenArray | None = None
    """(n,) int32, where the corpus cannot be read from here."""


class BlockResult(NamedTuple):
    """What training a block came to."""

    raw_words: int
    kept_words: int
    steps: int
    loss_sum: float
    loss_count: float
    """The loss was measured on this many positive pairs (skip-gram) or centre words (CBOW)."""


@dataclass(frozen=True)
class WorkerSetup:
    """All that a worker needs to know, in plain values."""

    ticket: Ticket
    corpus_path: str | None
    plan: BlockPlan
    objective: str
    negatives: int
    radius: int
    batch_size: int
    lr: float
    lr_min: float
    total_words: int
    words_before: int
    """Raw words trained before this run, where it continues an earlier one."""
    all_workers: int
    """How many train the same rows at once; damping counts what all of them do."""


def prepare(setup: WorkerSetup) -> Callable[[BlockTask], BlockResult]:
    """Attach to the shared arrays and return the function that trains one block."""
    shared, memory = attach(setup.ticket)
    corpus = Corpus(path=Path(setup.corpus_path)) if setup.corpus_path else None
    layout = Layout.of_batch(setup.radius, setup.batch_size)
    objective = KERNELS[setup.objective]
    progress, boost, n_words = shared["progress"], shared["boost"], len(shared["keep"])

    @functools.cache
    def kernel_with(n_noise: int) -> SkipGram | CBOW:
        return objective(shared["W"], layout=layout, negatives=setup.negatives, n_noise=n_noise)

    def train(task: BlockTask) -> BlockResult:
        seed = np.random.SeedSequence(setup.plan.seed, spawn_key=(task.epoch, task.block))
        tokens = corpus.read_block(setup.plan, task.epoch, task.block) if corpus else task.tokens
        assert tokens is not None
        if len(tokens) and max(int(tokens.max()), ~int(tokens.min())) >= n_words:
            raise CorpusError("the corpus holds ids beyond the vocabulary; encode it with the model's own")
        factor = _positive(boost)
        highest = setup.lr * factor
        kernel = kernel_with(objective.enough_noise(layout, setup.negatives, noise_rate(setup.lr, factor)))
        batches = make_batches(
            tokens,
            np.random.Generator(np.random.SFC64(seed)),
            keep=shared["keep"],
            noise_table=shared["noise"],
            layout=layout,
            n_noise=kernel.n_noise,
            noise_groups=kernel.noise_groups(highest),
            predicts_contexts=kernel.predicts_contexts,
            workers=setup.all_workers,
            most=kernel.safe_occurrences(highest),
        )
        loss_sum = loss_count = 0.0
        words_before = int(progress[task.worker])
        words_a_batch = batches.raw_words / max(len(batches), 1)
        for i, batch in enumerate(batches):
            measure = i % MEASURE_EVERY == 0
            if measure:
                progress[task.worker] = words_before + int(i * words_a_batch)
                done = setup.words_before + int(progress.sum())
                rate = learning_rate(done, setup.total_words, setup.lr, setup.lr_min)
                kernel.set_rate(rate * _positive(boost))
            loss, count = kernel.step(batch, measure)
            loss_sum += loss
            loss_count += count
        progress[task.worker] = words_before + batches.raw_words
        return BlockResult(batches.raw_words, batches.kept_words, len(batches), loss_sum, loss_count)

    # Overflow shows in the loss, which the coordinator tests; NumPy's warnings would only spoil the terminal.
    np.seterr(all="ignore")
    train.memory = memory  # type: ignore[attr-defined]  # keeps the shared memory mapped as long as it is used
    return train


def _positive(boost: AnyArray) -> float:
    """What is multiplied by, once it is not 0."""
    while not (factor := float(boost[0])):
        time.sleep(_WAIT_SECONDS)
    return factor
