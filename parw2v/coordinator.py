"""The coordinator of a run: hands out blocks, watches the workers, writes checkpoints, says what there is to say.

It is one loop in one thread; only the writing of a checkpoint is left to a second one, so that the workers need not wait
for a disk. It never touches text, and reads the matrices only to copy them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from parw2v.balance import balance
from parw2v.blas import blas_path
from parw2v.checkpoint import RunState, Tally, finished_settings, save_checkpoint
from parw2v.config import TrainSettings
from parw2v.corpus import BlockPlan
from parw2v.crew import AnyCrew, Joined, Matrices
from parw2v.errors import DivergedError, Parw2vError, WorkerError
from parw2v.ledger import Block, Ledger
from parw2v.memory import memory_in_use, own_peak_memory
from parw2v.model import Word2Vec
from parw2v.pool import Death, Result
from parw2v.progress import (
    CheckpointFailed,
    CheckpointSaved,
    EpochEnd,
    Finished,
    Logged,
    LossPoint,
    NodeJoined,
    Progress,
    Report,
    Started,
    Stopped,
    WorkerReplaced,
)
from parw2v.schedule import learning_rate
from parw2v.worker import BlockResult, BlockTask

_LOOK_SECONDS = 0.2
"""Between two looks at the clock when nothing happens."""

_RECORDS = 200
"""Points of the loss history of a whole run, unless `log_every` says otherwise."""

_CHECKPOINT_SHARE = 20
"""Between two checkpoints at epochs' ends the workers train at least so many times as long as the first of them took."""

_DIVERGED = 10
"""A block whose loss is this many times the loss of untrained vectors has gone astray."""


@dataclass(frozen=True)
class Run:
    """What is to be done, and how far it has come.

    Attributes
    ----------
    model : Word2Vec
        Gets the result.
    state : RunState
        Kept up to date as blocks are finished.
    plan : BlockPlan
    lr : float
        At the start.
    total_words : int
        Raw words of all epochs.
    kept_share : float
        Share of them that subsampling is expected to keep.
    checkpoint_dir : Path or None
    stop : Event
        Set by whoever wants the run to end soon.
    """

    model: Word2Vec
    state: RunState
    settings: TrainSettings
    plan: BlockPlan
    lr: float
    total_words: int
    kept_share: float
    checkpoint_dir: Path | None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def n_tasks(self) -> int:
        """Blocks of all epochs."""
        return self.plan.n_blocks * self.settings.epochs

    @property
    def steps_a_record(self) -> int:
        """Steps between two points of the history; known beforehand, so a resumed run keeps the rhythm."""
        kept = self.total_words * self.kept_share
        return self.settings.log_every or max(int(kept / self.settings.step_words / _RECORDS), 1)

    def rate(self, done_words: int) -> float:
        """Learning rate after so many raw words."""
        return learning_rate(done_words, self.total_words, self.lr, self.settings.lr_min)


class Coordinator:
    """One stretch of a run, between starting the workers and ending them."""

    def __init__(self, run: Run, crew: AnyCrew, writer: ThreadPoolExecutor) -> None:
        self.run, self.crew, self.writer = run, crew, writer
        self.state = run.state
        self.ledger = Ledger(run.plan.n_blocks, run.settings.epochs, done=run.state.next_task)
        self.words_of_worker: defaultdict[int, int] = defaultdict(int)
        # The loss of each epoch under way; blocks of the next may finish, all of them even, before the last of this one.
        self.epoch = self.ledger.issued // self.ledger.n_blocks
        self.epochs = {self.epoch: self.state.epoch}
        self.checkpoint_task = self.state.next_task
        self.saving: Future[Path] | None = None
        self.saving_words = 0
        self.spare: Matrices | None = None
        """Memory for copies of the matrices. New pages take ten times as long as copying, while all workers wait."""
        self.checkpoint_seconds = 0.0
        self.clock = _Clock(self.state.raw_words, self.state.train_seconds)
        self.last_checkpoint = 0.0
        self.peak_memory = 0
        self.last_memory_look = 0.0

    # ------------------------------------------------------------------------------------------ the loop

    def reports(self) -> Iterator[Report]:
        """Do the work, yielding what there is to say; the model holds the vectors when it ends, however it ends."""
        workers, memory = self.crew.n_workers, self.crew.estimate.total
        yield Started(self.run.total_words, self.state.raw_words, workers, blas_path(), memory, self.crew.n_nodes)
        with contextlib.suppress(MemoryError):  # in the time that workers need to start
            self.spare = self.run.model.W_in.copy(), self.run.model.W_out.copy()
        while not self.crew.is_ready:  # starting is not training: the clock starts after it
            for event in self.crew.wait(_LOOK_SECONDS):
                if isinstance(event, Death):
                    yield self._replaced(event)
            self._look_at_memory()
        self.clock.start()
        self.last_checkpoint = last_look = time.perf_counter()
        try:
            while not self.ledger.is_complete:
                if self._checkpoint_due() and self.ledger.is_settled:
                    yield from self._checkpoint()
                    if self.run.stop.is_set():
                        self._take_over()
                        yield Stopped(self.run.checkpoint_dir, self.state.raw_words)
                        return
                self._hand_out()
                for event in self.crew.wait(_LOOK_SECONDS):
                    if isinstance(event, Result):
                        yield from self._finished_block(event)
                    elif isinstance(event, Death):
                        yield self._replaced(event)
                    elif isinstance(event, Joined):
                        yield NodeJoined(event.name, event.n_workers)
                yield from self._saved()
                if time.perf_counter() - last_look >= _LOOK_SECONDS:
                    last_look = time.perf_counter()
                    self._look_at_memory()
                    yield self._progress()
            seconds = self.clock.seconds
            self._look_at_memory(at_once=True)
            yield from self._saved(wait=True)
        except DivergedError:
            raise
        except WorkerError as error:
            with contextlib.suppress(WorkerError):  # there may be nobody left to take over from
                self._take_over()
            raise WorkerError(f"{error}.{self._kept()}") from error
        except BaseException:  # Ctrl-C, or the consumer went away: what was learnt is the caller's
            self._take_over()
            raise
        self._check_finite()
        self._take_over()
        state = self.state
        self.run.model.settings = finished_settings(state)
        loss = state.loss_history[-1].loss
        stretch = seconds - self.clock.seconds_before
        memory, before = self.peak_memory, state.words_before
        restarts, again = self.crew.restarts, self.ledger.again
        yield Finished(
            state.raw_words, state.kept_words, seconds, stretch, loss, memory, self.ledger.done, restarts, again, before
        )

    # ------------------------------------------------------------------------------------------ blocks

    def _hand_out(self) -> None:
        """Give out blocks: first those that a dead worker left, then the next in order.

        A worker has one block to train and one to go on with, so that it never waits for this process; not before all of
        them wait for the last one, where a block in waiting would keep another worker from it.
        """
        near_end = self.ledger.left_in_epoch <= 2 * self.crew.n_workers and (
            self.ledger.in_last_epoch or (self.run.checkpoint_dir is not None and self._rested)
        )
        for worker in self.crew.free(depth=1 if near_end else 2):
            block = self.ledger.lease(only_returned=self._checkpoint_due())
            if block is None:
                return
            self.crew.submit(worker, BlockTask(*block, worker))

    def _replaced(self, death: Death) -> WorkerReplaced:
        """Take a dead worker's unfinished blocks back; its slot has no other writer until the next is given out."""
        self.crew.set_words(death.worker, self.words_of_worker[death.worker])
        for task in death.tasks:
            self.ledger.give_back(Block(task.epoch, task.block))
        return WorkerReplaced(death.worker, death.pid, death.cause)

    def _finished_block(self, event: Result) -> Iterator[Report]:
        result: BlockResult = event.value
        task: BlockTask = event.task
        state = self.state
        self.ledger.finish(Block(task.epoch, task.block))
        self.words_of_worker[event.worker] += result.raw_words
        state.next_task = self.ledger.done  # a position only when the ledger is settled, as it is for a checkpoint
        state.raw_words += result.raw_words
        state.kept_words += result.kept_words
        mean = result.loss_sum / result.loss_count if result.loss_count else 0.0
        if not mean < _DIVERGED * (1 + self.run.model.n_negatives) * math.log(2):
            raise self._diverged(mean)
        loss = result.steps, result.loss_sum, result.loss_count
        state.stretch.add(*loss)
        if state.stretch.steps >= self.run.steps_a_record or self.ledger.is_complete:
            yield self._logged(task.epoch)
        self.epochs.setdefault(task.epoch, Tally()).add(*loss)
        while (tally := self.epochs.get(self.epoch)) and tally.blocks == self.ledger.n_blocks:  # in order
            del self.epochs[self.epoch]
            self.epoch += 1
            yield EpochEnd(self.epoch - 1, self.run.settings.epochs, tally.loss, self._vectors)

    def _logged(self, epoch: int) -> Logged:
        state = self.state
        point = LossPoint(state.raw_words, state.stretch.loss, self.run.rate(state.raw_words), epoch)
        state.loss_history.append(point)
        steps, state.stretch = state.stretch.steps, Tally()
        return Logged(point, steps, self.clock.words_per_second(state.raw_words))

    # ------------------------------------------------------------------------------------------ checkpoints

    def _checkpoint_due(self) -> bool:
        """Whether to hand out no new block, so that the ones in flight can be waited for."""
        if self.run.stop.is_set():
            return True
        if self.run.checkpoint_dir is None or self.ledger.issued == self.checkpoint_task:
            return False
        every = self.run.settings.checkpoint_every
        since = time.perf_counter() - self.last_checkpoint
        return (self.ledger.at_epoch_end and self._rested) or (every is not None and since >= every)

    @property
    def _rested(self) -> bool:
        """Whether the last checkpoint is so long ago that the end of an epoch is worth one; epochs may be short."""
        since = time.perf_counter() - self.last_checkpoint
        return since >= _CHECKPOINT_SHARE * self.checkpoint_seconds and not (self.saving and not self.saving.done())

    def _checkpoint(self) -> Iterator[Report]:
        """Copy the state while no block is in flight and write it while the workers go on."""
        yield from self._saved(wait=True)
        self.checkpoint_task = self.ledger.issued
        self.last_checkpoint = time.perf_counter()
        if self.run.checkpoint_dir is None:
            return
        self._check_finite()
        self.state.train_seconds = self.clock.seconds
        state = dataclasses.replace(
            self.state,
            loss_history=list(self.state.loss_history),
            epoch=dataclasses.replace(self.epochs.get(self.ledger.issued // self.ledger.n_blocks, Tally())),
            stretch=dataclasses.replace(self.state.stretch),
        )
        self.saving_words = state.raw_words
        self.saving = self.writer.submit(self._write, self.run.checkpoint_dir, self.crew.snapshot(self.spare), state)
        yield from self._saved(wait=self.run.stop.is_set())

    def _write(self, directory: Path, vectors: Callable[[], Matrices], state: RunState) -> Path:
        """In the writer's thread."""
        try:
            return save_checkpoint(directory, self.run.model.with_vectors(*vectors()), state)
        finally:
            self.checkpoint_seconds = time.perf_counter() - self.last_checkpoint

    def _saved(self, wait: bool = False) -> Iterator[Report]:
        """Report a checkpoint that has been written, or that it could not be.

        Training goes on without it, for all that would be lost is what is being learnt; where it is to end, it is an error.
        """
        if self.saving and (wait or self.saving.done()):
            saving, self.saving = self.saving, None
            error = saving.exception()
            if error is None:
                yield CheckpointSaved(saving.result(), self.saving_words)
            elif isinstance(error, Parw2vError) and not self.run.stop.is_set():
                yield CheckpointFailed(str(error), self.saving_words)
            else:
                raise error

    def _vectors(self, into: Matrices | None = None) -> Matrices:
        """Copies of the matrices, in the form that the run gives them; a checkpoint has them as they are trained."""
        W_in, W_out = self.crew.vectors(into)
        if self.state.symmetric:
            balance(W_in, W_out)
        return W_in, W_out

    def _take_over(self) -> None:
        """Give the model the vectors as they are now; those of a checkpoint under way are fetched before the crew goes."""
        if self.saving:
            wait([self.saving])
        model = self.run.model
        model.W_in, model.W_out = self._vectors(self.spare)
        model.forget_units()
        model.settings = self.state.identity

    def _check_finite(self) -> None:
        if not self.crew.is_finite():
            raise self._diverged(math.nan)

    def _diverged(self, loss: float) -> DivergedError:
        return DivergedError(
            f"training diverged (loss {loss:.3g} after {self.state.raw_words:,} words at learning rate "
            f"{self.run.rate(self.state.raw_words):.3g}): lower --lr, which is {self.run.lr:g}.{self._kept()}"
        )

    def _kept(self) -> str:
        directory = self.run.checkpoint_dir
        return (
            f" The last checkpoint is kept: --resume goes on from {directory}"
            if directory and directory.is_dir()
            else ""
        )

    # ------------------------------------------------------------------------------------------ what to show

    def _progress(self) -> Progress:
        total = self.run.total_words
        done = self.clock.words_before + self.crew.words
        speed = self.clock.words_per_second(done)
        left = (total - done) / speed if speed else math.inf
        loss = self.state.stretch.loss or (self.state.loss_history[-1].loss if self.state.loss_history else None)
        epoch = min(done * self.run.settings.epochs // total, self.run.settings.epochs - 1)
        return Progress(done, total, speed, left, self.run.rate(done), loss, epoch)

    def _look_at_memory(self, at_once: bool = False) -> None:
        if at_once or time.perf_counter() - self.last_memory_look >= 5:
            self.last_memory_look = time.perf_counter()
            # Reading the text came before there were workers: it may have taken more.
            self.peak_memory = max(self.peak_memory, memory_in_use(self.crew.pids), own_peak_memory())


class _Clock:
    """Time spent training; a resumed run goes on counting where it stopped."""

    def __init__(self, words_before: int, seconds_before: float) -> None:
        self.words_before, self.seconds_before = words_before, seconds_before
        self.started = 0.0

    def start(self) -> None:
        self.started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """All stretches of the run together."""
        return self.seconds_before + time.perf_counter() - self.started

    def words_per_second(self, done_words: int) -> float:
        """Of this stretch."""
        return (done_words - self.words_before) / max(time.perf_counter() - self.started, 1e-9)
