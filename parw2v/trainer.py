"""The whole flow of a training run, in order.

::

    corpus on disk --> blocks --> workers, each: batches --> update of W_in, W_out in shared memory
                         ^                                          |
                  coordinator (this file): hands out, watches, checkpoints, reports

`Trainer.reports` is a generator: it does the work and yields what there is to say. A progress bar, a log, a plot or an
evaluation consume the reports; none of them is known here.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from parw2v.arraytypes import AnyArray
from parw2v.blas import blas_path, worker_environment
from parw2v.checkpoint import RunState, Tally, load_checkpoint, save_checkpoint
from parw2v.config import TrainSettings
from parw2v.corpus import BlockPlan, Corpus, on_disk
from parw2v.errors import CorpusError, DivergedError, SettingsError
from parw2v.memory import memory_in_use
from parw2v.model import Word2Vec
from parw2v.pool import Death, Pool, Result
from parw2v.progress import (
    CheckpointSaved,
    EpochEnd,
    Finished,
    Logged,
    LossPoint,
    Progress,
    Report,
    Started,
    Stopped,
    WorkerReplaced,
)
from parw2v.sampling import keep_probabilities, noise_table
from parw2v.schedule import learning_rate
from parw2v.shared import SharedArrays
from parw2v.vocabulary import Vocabulary
from parw2v.worker import BlockResult, BlockTask, WorkerSetup, batch_segments

_LOOK_SECONDS = 0.2
"""Between two looks at the clock when nothing happens."""

_RECORDS = 200
"""Points of the loss history of a whole run, unless `log_every` says otherwise."""

_DIVERGED = 10
"""A block whose loss is this many times the loss of untrained vectors has gone astray."""

_WITHOUT_EFFECT = ("workers", "log_every", "checkpoint_every", "max_restarts")
"""Settings that may change when a run is resumed."""


class Trainer:
    """Trains a model on a corpus with worker processes.

    Parameters
    ----------
    model : Word2Vec
        Trained in place: `model.W_in` and `model.W_out` hold the result afterwards.
    vocab : Vocabulary
        The model's.
    corpus : Corpus
        Encoded with that vocabulary.
    n_epochs : int, optional
        Takes the place of ``settings.epochs``.
    settings : TrainSettings
    checkpoint_dir : path, optional
        Where checkpoints go, one at the end of each epoch (unless the one before is still being written) and one every
        ``settings.checkpoint_every`` seconds. None writes none.
    resume : bool
        Continue from the newest checkpoint in `checkpoint_dir`, if there is one.

    Attributes
    ----------
    loss_history : list of LossPoint
        The run's loss so far; unbiased, since it is measured on a fixed share of shuffled batches before they are
        trained.
    warnings : list of str
        What was passed over when resuming.
    seconds_training : float
        Spent training by the last call, without starting the workers and without what a resumed run spent before.
    """

    def __init__(
        self,
        model: Word2Vec,
        vocab: Vocabulary,
        corpus: Corpus,
        n_epochs: int | None = None,
        settings: TrainSettings | None = None,
        checkpoint_dir: str | Path | None = None,
        resume: bool = False,
    ) -> None:
        settings = settings or TrainSettings()
        if n_epochs is not None:
            settings = dataclasses.replace(settings, epochs=n_epochs)
        if len(vocab) != len(model.vocab) or vocab.words != model.vocab.words:
            raise SettingsError("the model was made for another vocabulary; give Trainer the model's own")
        if len(corpus) < 2:
            raise CorpusError(f"the corpus has {len(corpus)} words of the vocabulary; nothing can be learnt from it")
        if resume and checkpoint_dir is None:
            raise SettingsError("resume needs checkpoint_dir")
        self.model, self.vocab, self.corpus, self.settings = model, vocab, corpus, settings
        self.plan = BlockPlan(len(corpus), settings.seed)
        self.lr = settings.learning_rate(model.objective)
        self.total_words = len(corpus) * settings.epochs
        self.checkpoint_dir = None if checkpoint_dir is None else Path(checkpoint_dir)
        self.warnings: list[str] = []
        self.state = RunState(self._identity())
        if resume and self.checkpoint_dir and (found := load_checkpoint(self.checkpoint_dir, self.state.identity)):
            saved, self.state, self.warnings = found
            model.W_in, model.W_out = saved.W_in, saved.W_out
            model.forget_units()
        self.seconds_training = 0.0
        self._stop = False

    @property
    def loss_history(self) -> list[LossPoint]:
        return self.state.loss_history

    def _identity(self) -> dict[str, Any]:
        """All that decides what the run computes."""
        settings = {k: v for k, v in self.settings.to_dict().items() if k not in _WITHOUT_EFFECT}
        return settings | {
            "lr": self.lr,
            "model": self.model.objective,
            "dim": self.model.embed_dim,
            "neg": self.model.n_negatives,
            "vocabulary": self.vocab.fingerprint(),
            "corpus": self.corpus.fingerprint,
        }

    def train(self, quiet: bool = False) -> Finished:
        """Train to the end, with a progress bar on standard error unless `quiet`.

        Raises
        ------
        DivergedError, WorkerError, SharedMemoryError
        KeyboardInterrupt
            The model then holds the vectors as they were.
        """
        from parw2v.console import show_progress

        finished = None
        with closing(self.reports()) as reports:  # else workers live on with the traceback of an error shown in between
            for report in show_progress(reports, quiet=quiet):
                if isinstance(report, Finished):
                    finished = report
        if finished is None:
            raise KeyboardInterrupt
        return finished

    def request_stop(self) -> None:
        """Ask for the run to end soon: blocks in flight are finished, then a checkpoint is written."""
        self._stop = True

    def reports(self) -> Generator[Report, None, None]:
        """Train, yielding reports; see `parw2v.progress`. Close it to end the run early."""
        with on_disk(self.corpus) as corpus, _shared_arrays(self.model, self.vocab, self.settings) as shared:
            setup = WorkerSetup(
                ticket=shared.ticket,
                corpus_path=str(corpus.path),
                plan=self.plan,
                objective=self.model.objective,
                negatives=self.model.n_negatives,
                radius=self.settings.window,
                segments=batch_segments(self.settings.batch_size),
                lr=self.lr,
                lr_min=self.settings.lr_min,
                total_words=self.total_words,
                words_before=self.state.raw_words,
                n_workers=self.settings.n_workers,
            )
            pool = Pool(
                "parw2v.worker:prepare",
                self.settings.n_workers,
                setup,
                worker_environment(),
                self.settings.max_restarts,
            )
            with pool, ThreadPoolExecutor(1) as writer:
                yield from _Run(self, shared, pool, writer).reports()


class _Run:
    """One stretch of work between starting the workers and ending them."""

    def __init__(self, trainer: Trainer, shared: SharedArrays, pool: Pool, writer: ThreadPoolExecutor) -> None:
        self.trainer, self.shared, self.pool, self.writer = trainer, shared, pool, writer
        self.settings, self.state, self.model = trainer.settings, trainer.state, trainer.model
        self.n_blocks = trainer.plan.n_blocks
        self.n_tasks = self.n_blocks * self.settings.epochs
        self.issued = self.state.next_task
        self.lost: deque[BlockTask] = deque()  # blocks of workers that died
        self.in_flight = 0
        self.words_of_worker = [0] * self.settings.n_workers
        # The loss of each epoch under way; blocks of the next may finish before the last of this one.
        self.epochs = {self.issued // self.n_blocks: self.state.epoch}
        self.words_before = self.state.raw_words
        self.seconds_before = self.state.train_seconds
        self.started = 0.0
        self.last_checkpoint = 0.0
        self.checkpoint_task = self.state.next_task
        self.saving: Future[Path] | None = None
        self.saving_words = 0
        self.peak_memory = 0
        self.last_memory_look = 0.0
        self.log_steps = self.settings.log_every or self._steps_a_record()

    # ------------------------------------------------------------------------------------------ the loop

    def reports(self) -> Iterator[Report]:
        yield Started(self.trainer.total_words, self.state.raw_words, self.settings.n_workers, blas_path())
        while len(self.pool.idle) < self.settings.n_workers:  # starting is not training: the clock starts after it
            for event in self.pool.wait(_LOOK_SECONDS):
                if isinstance(event, Death):
                    yield WorkerReplaced(event.worker, event.pid, event.cause)
            self._look_at_memory()
        self.started = self.last_checkpoint = last_look = time.perf_counter()
        try:
            while self.state.next_task < self.n_tasks:
                if self._checkpoint_due() and not self.in_flight and not self.lost:
                    yield from self._checkpoint()
                    if self.trainer._stop:
                        self._take_over()
                        yield Stopped(self.trainer.checkpoint_dir, self.state.raw_words)
                        return
                self._hand_out()
                for event in self.pool.wait(_LOOK_SECONDS):
                    if isinstance(event, Result):
                        yield from self._finished_block(event)
                    elif isinstance(event, Death):
                        self._lost_block(event)
                        yield WorkerReplaced(event.worker, event.pid, event.cause)
                yield from self._saved()
                if time.perf_counter() - last_look >= _LOOK_SECONDS:
                    last_look = time.perf_counter()
                    self._look_at_memory()
                    yield self._progress()
            seconds = self._seconds()
            self.trainer.seconds_training = seconds - self.seconds_before
            self._look_at_memory(at_once=True)
            if self.saving:
                self.saving.result()
                yield from self._saved()
        except DivergedError:
            raise
        except BaseException:  # Ctrl-C, or the consumer went away: what was learnt is the caller's
            self._take_over()
            raise
        if not self._finite():
            raise self._diverged(math.nan)
        self._take_over()
        yield Finished(
            self.state.raw_words, self.state.kept_words, seconds, self.state.loss_history[-1].loss, self.peak_memory
        )

    # ------------------------------------------------------------------------------------------ blocks

    def _hand_out(self) -> None:
        """Give every idle worker a block: first those that a dead worker left, then the next in order."""
        for worker in self.pool.idle:
            if self.lost:
                lost = self.lost.popleft()
                epoch, block = lost.epoch, lost.block
            elif self.issued < self.n_tasks and not self._checkpoint_due():
                epoch, block = divmod(self.issued, self.n_blocks)
                self.issued += 1
            else:
                return
            self.in_flight += 1
            self.pool.submit(worker, BlockTask(epoch, block, worker, self.words_of_worker[worker]))

    def _lost_block(self, death: Death) -> None:
        """Take a dead worker's unfinished block back; its slot has no other writer now."""
        self.shared["progress"][death.worker] = self.words_of_worker[death.worker]
        if death.task is not None:
            self.in_flight -= 1
            self.lost.append(death.task)

    def _finished_block(self, event: Result) -> Iterator[Report]:
        result: BlockResult = event.value
        task: BlockTask = event.task
        state = self.state
        self.in_flight -= 1
        self.words_of_worker[event.worker] += result.raw_words
        state.next_task += 1  # a count; it is read as a position only when no block is in flight
        state.raw_words += result.raw_words
        state.kept_words += result.kept_words
        mean = result.loss_sum / result.loss_count if result.loss_count else 0.0
        if not mean < _DIVERGED * (1 + self.model.n_negatives) * math.log(2):
            raise self._diverged(mean)
        loss = result.steps, result.loss_sum, result.loss_count
        state.stretch.add(*loss)
        if state.stretch.steps >= self.log_steps or state.next_task == self.n_tasks:
            yield self._logged(task.epoch)
        tally = self.epochs.setdefault(task.epoch, Tally())
        tally.add(*loss)
        if tally.blocks == self.n_blocks:
            del self.epochs[task.epoch]
            yield EpochEnd(task.epoch, self.settings.epochs, tally.loss, lambda: self.shared["W_in"].copy())

    def _steps_a_record(self) -> int:
        """What makes about `_RECORDS` records of a run; known beforehand, so a resumed run keeps the rhythm."""
        counts = self.trainer.vocab.counts
        kept = self.trainer.total_words * float((self.shared["keep"] * counts).sum()) / int(counts.sum())
        return max(int(kept / self.settings.batch_size / _RECORDS), 1)

    def _logged(self, epoch: int) -> Logged:
        state = self.state
        point = LossPoint(state.raw_words, state.stretch.loss, self._lr(state.raw_words), epoch)
        state.loss_history.append(point)
        steps, state.stretch = state.stretch.steps, Tally()
        return Logged(point, steps, self._words_per_second(state.raw_words))

    # ------------------------------------------------------------------------------------------ checkpoints

    def _checkpoint_due(self) -> bool:
        """Whether to hand out no new block, so that the ones in flight can be waited for."""
        if self.trainer._stop:
            return True
        if self.trainer.checkpoint_dir is None or self.issued == self.checkpoint_task:
            return False
        every = self.settings.checkpoint_every
        # A short epoch may end while the checkpoint before is still being written: waiting for it is not worth it.
        writing = self.saving is not None and not self.saving.done()
        at_epoch = self.issued % self.n_blocks == 0 and self.issued < self.n_tasks and not writing
        return at_epoch or (every is not None and time.perf_counter() - self.last_checkpoint >= every)

    def _checkpoint(self) -> Iterator[Report]:
        """Copy the state while no block is in flight and write it while the workers go on."""
        yield from self._saved(wait=True)
        self.checkpoint_task = self.issued
        self.last_checkpoint = time.perf_counter()
        if self.trainer.checkpoint_dir is None:
            return
        if not self._finite():
            raise self._diverged(math.nan)
        self.state.train_seconds = self._seconds()
        copy = self.model.with_vectors(self.shared["W_in"].copy(), self.shared["W_out"].copy())
        state = dataclasses.replace(
            self.state,
            loss_history=list(self.state.loss_history),
            epoch=dataclasses.replace(self.epochs.get(self.issued // self.n_blocks, Tally())),
            stretch=dataclasses.replace(self.state.stretch),
        )
        self.saving_words = state.raw_words
        self.saving = self.writer.submit(save_checkpoint, self.trainer.checkpoint_dir, copy, state)
        if self.trainer._stop:
            yield from self._saved(wait=True)

    def _saved(self, wait: bool = False) -> Iterator[Report]:
        """Report a checkpoint that has been written; an error in writing it surfaces here."""
        if self.saving and (wait or self.saving.done()):
            path, self.saving = self.saving.result(), None
            yield CheckpointSaved(path, self.saving_words)

    def _finite(self) -> bool:
        return bool(np.isfinite(self.shared["W_in"]).all() and np.isfinite(self.shared["W_out"]).all())

    def _take_over(self) -> None:
        self.model.W_in, self.model.W_out = self.shared["W_in"].copy(), self.shared["W_out"].copy()
        self.model.forget_units()
        self.model.settings = self.trainer._identity()

    def _diverged(self, loss: float) -> DivergedError:
        directory = self.trainer.checkpoint_dir
        kept = f" The last good checkpoint is kept in {directory}." if directory and directory.is_dir() else ""
        return DivergedError(
            f"training diverged (loss {loss:.3g} after {self.state.raw_words:,} words at learning rate "
            f"{self._lr(self.state.raw_words):.3g}): lower --lr, which is {self.trainer.lr:g}.{kept}"
        )

    # ------------------------------------------------------------------------------------------ clock and counters

    def _progress(self) -> Progress:
        done = self.words_before + int(self.shared["progress"].sum())
        speed = self._words_per_second(done)
        left = (self.trainer.total_words - done) / speed if speed else math.inf
        loss = self.state.stretch.loss or (self.state.loss_history[-1].loss if self.state.loss_history else None)
        epoch = min(done // len(self.trainer.corpus), self.settings.epochs - 1)
        return Progress(done, self.trainer.total_words, speed, left, self._lr(done), loss, epoch)

    def _lr(self, done: int) -> float:
        return learning_rate(done, self.trainer.total_words, self.trainer.lr, self.settings.lr_min)

    def _seconds(self) -> float:
        """Spent training, earlier stretches of a resumed run included."""
        return self.seconds_before + time.perf_counter() - self.started

    def _words_per_second(self, done: int) -> float:
        """Since this stretch began."""
        return (done - self.words_before) / max(time.perf_counter() - self.started, 1e-9)

    def _look_at_memory(self, at_once: bool = False) -> None:
        if at_once or time.perf_counter() - self.last_memory_look >= 1:
            self.last_memory_look = time.perf_counter()
            self.peak_memory = max(self.peak_memory, memory_in_use(self.pool.pids))


def _shared_arrays(model: Word2Vec, vocab: Vocabulary, settings: TrainSettings) -> SharedArrays:
    """The parameters as they are now, the workers' counters, and the two sampling tables."""
    start: dict[str, AnyArray] = {
        "W_in": model.W_in,
        "W_out": model.W_out,
        "progress": np.zeros(settings.n_workers, np.int64),
        "keep": keep_probabilities(vocab.counts, settings.sample, settings.sample_rule),
        "noise": noise_table(vocab.counts),
    }
    shared = SharedArrays({name: (array.shape, array.dtype) for name, array in start.items()})
    for name, array in start.items():
        shared[name][...] = array
    return shared
