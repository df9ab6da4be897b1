"""The workers of one machine and the arrays they share: what a coordinator has blocks trained by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeAlias

import numpy as np

from parw2v.arraytypes import CountArray, FloatArray
from parw2v.blas import worker_environment
from parw2v.config import TrainSettings
from parw2v.corpus import BlockPlan
from parw2v.estimate import Estimate
from parw2v.pool import Death, Pool, Ready, Result
from parw2v.sampling import NOISE_TABLE_SIZE, noise_table, thresholds
from parw2v.shared import ArraySpecs, SharedArrays, bytes_of
from parw2v.worker import BlockTask, WorkerSetup


@dataclass(frozen=True)
class Work:
    """All that decides how blocks are trained, in plain values.

    Attributes
    ----------
    counts : (V,) int64
        Of the vocabulary.
    keep : (V,) float32
        Share of a word's occurrences that subsampling keeps.
    dim : int
        D.
    corpus_path : Path or None
        The encoded corpus; None where every task brings its tokens.
    lr : float
        At the start.
    total_words : int
        Raw words of all epochs.
    words_before : int
        Raw words trained before this run, where it continues an earlier one.
    """

    settings: TrainSettings
    plan: BlockPlan
    counts: CountArray
    keep: FloatArray
    dim: int
    objective: str
    negatives: int
    corpus_path: Path | None
    lr: float
    total_words: int
    words_before: int


Matrices: TypeAlias = tuple[FloatArray, FloatArray]
"""W_in and W_out."""


@dataclass(frozen=True)
class Joined:
    """Another machine has come to take part."""

    name: str
    n_workers: int


class AnyCrew(Protocol):
    """Who trains blocks for a coordinator: a `Crew`, or several on a cluster."""

    estimate: Estimate

    @property
    def n_workers(self) -> int: ...
    @property
    def n_nodes(self) -> int: ...
    @property
    def is_ready(self) -> bool: ...
    @property
    def pids(self) -> list[int]: ...
    @property
    def restarts(self) -> int: ...
    @property
    def words(self) -> int: ...
    def set_words(self, worker: int, words: int) -> None: ...
    def free(self, depth: int = 1) -> list[int]: ...
    def submit(self, worker: int, task: BlockTask) -> None: ...
    def wait(self, timeout: float) -> Sequence[Ready | Result | Death | Joined]: ...
    def vectors(self, into: Matrices | None = None) -> Matrices: ...
    def snapshot(self, into: Matrices | None = None) -> Callable[[], Matrices]: ...
    def is_finite(self) -> bool: ...


class Crew:
    """Worker processes that train the blocks they are given on matrices in shared memory; a context manager.

    Parameters
    ----------
    work : Work
    W_in, W_out : (V, D) float32
        To start from; copied.

    Attributes
    ----------
    W : (2V, D) float32
        Rows of both matrices in turn, as `SkipGram` has them; workers write to it at any time.

    Raises
    ------
    MemoryLimitError
        On entering: there is too little memory for it.
    SharedMemoryError
    """

    n_nodes = 0
    """It is on this machine alone."""

    def __init__(self, work: Work, W_in: FloatArray, W_out: FloatArray) -> None:
        self._work, self._start = work, (W_in, W_out)
        self.n_workers = work.settings.n_workers
        self._specs = _shared_arrays(len(work.counts), work.dim, self.n_workers)
        self.estimate = Estimate(bytes_of(self._specs), W_in.nbytes + W_out.nbytes, self.n_workers)
        self._stack = ExitStack()

    def __enter__(self) -> Crew:
        self.estimate.check()
        with ExitStack() as stack:
            work, settings = self._work, self._work.settings
            self._shared = stack.enter_context(SharedArrays(self._specs))
            self._shared["W"][0::2], self._shared["W"][1::2] = self._start
            self._shared["keep"][...], self._shared["noise"][...] = thresholds(work.keep), noise_table(work.counts)
            self._shared["boost"][0] = 1.0
            setup = WorkerSetup(
                ticket=self._shared.ticket,
                corpus_path=str(work.corpus_path) if work.corpus_path else None,
                plan=work.plan,
                objective=work.objective,
                negatives=work.negatives,
                radius=settings.window,
                batch_size=settings.step_words,
                lr=work.lr,
                lr_min=settings.lr_min,
                total_words=work.total_words,
                words_before=work.words_before,
                all_workers=self.n_workers,
            )
            self._pool = stack.enter_context(
                Pool(
                    "parw2v.worker:prepare",
                    self.n_workers,
                    setup,
                    worker_environment(),
                    settings.max_restarts,
                    settings.hang_timeout,
                    sign_of_life=lambda worker: int(self._shared["progress"][worker]),
                )
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def is_ready(self) -> bool:
        """Whether all workers have started."""
        return len(self._pool.free()) == self.n_workers

    @property
    def pids(self) -> list[int]:
        return self._pool.pids

    @property
    def restarts(self) -> int:
        """Workers replaced so far."""
        return self._pool.restarts

    @property
    def W(self) -> FloatArray:
        W: FloatArray = self._shared["W"]
        return W

    @property
    def words(self) -> int:
        """Raw words trained here, those of blocks under way included."""
        return int(self._shared["progress"][:-1].sum())

    def set_words_elsewhere(self, words: int) -> None:
        """Tell the workers, for the learning rate, how many raw words others have trained in this run."""
        self._shared["progress"][-1] = words

    def set_boost(self, boost: float) -> None:
        """Multiply the learning rate of the workers; as long as it is by 0, they wait."""
        self._shared["boost"][0] = boost

    def set_words(self, worker: int, words: int) -> None:
        """Correct a worker's count after its death; it has no other writer until it is given a block."""
        self._shared["progress"][worker] = words

    def free(self, depth: int = 1) -> list[int]:
        """Numbers of the workers that are ready and have fewer than `depth` blocks, those with the fewest first."""
        return self._pool.free(depth)

    def submit(self, worker: int, task: BlockTask) -> None:
        """Give a worker its next block."""
        self._pool.submit(worker, task)

    def wait(self, timeout: float) -> list[Ready | Result | Death]:
        """What happened within `timeout` seconds; see `Pool.wait`."""
        return self._pool.wait(timeout)

    def vectors(self, into: Matrices | None = None) -> Matrices:
        """Copies of W_in and W_out as they are now, (V, D) float32 each; in the memory of `into`, where it is given."""
        return split(self.W, into)

    def snapshot(self, into: Matrices | None = None) -> Callable[[], Matrices]:
        """`vectors` of now, for any thread to fetch later."""
        copies = self.vectors(into)
        return lambda: copies

    def is_finite(self) -> bool:
        """Whether all parameters are."""
        return bool(np.isfinite(self.W.max()) and np.isfinite(self.W.min()))


def split(W: FloatArray, into: Matrices | None = None) -> Matrices:
    """Copies of W_in and W_out, (V, D) each, whose rows are those of W in turn; in the memory of `into`, if given."""
    if into is None:
        return W[0::2].copy(), W[1::2].copy()
    into[0][...], into[1][...] = W[0::2], W[1::2]
    return into


def check_memory(n_words: int, dim: int, n_workers: int) -> None:
    """Whether there is room for a model of that size and for training it; to be found out before the model is made.

    Raises
    ------
    MemoryLimitError
    """
    vectors = 2 * n_words * dim * np.dtype(np.float32).itemsize
    Estimate(bytes_of(_shared_arrays(n_words, dim, n_workers)), 2 * vectors, n_workers).check()


def _shared_arrays(n_words: int, dim: int, n_workers: int) -> ArraySpecs:
    """The parameters, the workers' counters, the factor of their rate, and the two sampling tables."""
    return {
        "W": ((2 * n_words, dim), np.float32),
        "progress": ((n_workers + 1,), np.int64),
        "boost": ((1,), np.float64),
        "keep": ((n_words,), np.uint16),
        "noise": ((NOISE_TABLE_SIZE,), np.int32),
    }
