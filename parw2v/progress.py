"""What a training run says of itself: one small class for each kind of report.

`Trainer.reports` yields them in this order; whoever iterates decides what to show, write or evaluate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from parw2v.arraytypes import FloatArray


class LossPoint(NamedTuple):
    """The loss over a stretch of training."""

    words: int
    """Raw words trained by the end of it, over all epochs and workers."""
    loss: float
    """Mean over the stretch, in nats: for each positive pair (skip-gram) or centre word (CBOW), before its update."""
    lr: float
    """Learning rate at the end of it."""
    epoch: int
    """Epoch it ended in, from 0."""


@dataclass(frozen=True)
class Started:
    """Workers are being started."""

    total_words: int
    done_words: int
    n_workers: int
    blas: str | None
    memory: int
    """Bytes that all processes of this machine will take together, about; of a cluster, the one that runs it alone."""
    n_nodes: int = 0
    """Machines of a cluster that train; 0 for this one, without a cluster."""


@dataclass(frozen=True)
class Progress:
    """A look at the clock, a few times a second."""

    done_words: int
    total_words: int
    words_per_second: float
    seconds_left: float
    lr: float
    loss: float | None
    epoch: int


@dataclass(frozen=True)
class Logged:
    """A stretch of training is complete, and so is its loss."""

    point: LossPoint
    steps: int
    words_per_second: float


@dataclass(frozen=True)
class EpochEnd:
    """Every block of an epoch has been trained."""

    epoch: int
    epochs: int
    loss: float
    copy_matrices: Callable[[], tuple[FloatArray, FloatArray]]
    """Copies W_in and W_out as they are now, (V, D) each; to be called before the next report is asked for."""

    def copy_vectors(self) -> FloatArray:
        """W_in of `copy_matrices`."""
        return self.copy_matrices()[0]


@dataclass(frozen=True)
class CheckpointSaved:
    """The state of the run is safe on disk."""

    path: Path
    done_words: int


@dataclass(frozen=True)
class CheckpointFailed:
    """The state of the run could not be written; the older checkpoints are as they were, and training goes on."""

    reason: str
    done_words: int


@dataclass(frozen=True)
class WorkerReplaced:
    """A worker died; another has taken its place and trains its block again. On a cluster, perhaps a whole node."""

    worker: int
    pid: int
    """0 for a node."""
    cause: str


@dataclass(frozen=True)
class NodeJoined:
    """Another machine of a cluster takes part."""

    name: str
    n_workers: int


@dataclass(frozen=True)
class Stopped:
    """The run was asked to stop and has; with a checkpoint directory it can be resumed without loss."""

    checkpoint_dir: Path | None
    done_words: int


@dataclass(frozen=True)
class Finished:
    """The run is over and the model holds the result."""

    raw_words: int
    kept_words: int
    train_seconds: float
    stretch_seconds: float
    """Without what earlier stretches of a resumed run spent."""
    loss: float
    peak_memory: int
    """Bytes of all processes, shared pages counted once."""
    blocks: int = 0
    """Done since the run began, over all epochs."""
    restarts: int = 0
    """Workers that died and were replaced, in this stretch."""
    blocks_again: int = 0
    """Blocks that a dead worker left and another trained again."""
    words_before: int = 0
    """Of `raw_words`, those of a finished run that this one went on with: `train_seconds` does not hold their time."""

    @property
    def words_per_second(self) -> float:
        return (self.raw_words - self.words_before) / self.train_seconds


Report: TypeAlias = (
    Started
    | Progress
    | Logged
    | EpochEnd
    | CheckpointSaved
    | CheckpointFailed
    | WorkerReplaced
    | NodeJoined
    | Stopped
    | Finished
)
