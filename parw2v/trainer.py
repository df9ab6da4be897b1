"""The whole flow of a training run, in order.

::

    corpus on disk --> blocks --> workers, each: batches --> update of W_in, W_out in shared memory
                         ^                                          |
                     coordinator: hands out, watches, checkpoints, reports

`Trainer.reports` is a generator: it does the work and yields what there is to say. A progress bar, a log, a plot or an
evaluation consume the reports; none of them is known here. The loop itself is in `parw2v.coordinator`, what a worker does
in `parw2v.worker`.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, TypeAlias

from parw2v.checkpoint import RunState, load_checkpoint, state_of_finished
from parw2v.cluster.settings import Cluster
from parw2v.config import TrainSettings
from parw2v.coordinator import Coordinator, Run
from parw2v.corpus import BlockPlan, Corpus, on_disk
from parw2v.crew import AnyCrew, Crew, Work
from parw2v.errors import CorpusError, ModelError, SettingsError
from parw2v.model import Word2Vec
from parw2v.progress import EpochEnd, Finished, LossPoint, Report
from parw2v.sampling import keep_probabilities
from parw2v.schedule import learning_rate
from parw2v.vocabulary import Vocabulary

EpochCallback: TypeAlias = Callable[[int, float, Callable[[], Word2Vec]], object]
"""Called at the end of an epoch, see `Trainer.train`."""

_WITHOUT_EFFECT = ("workers", "log_every", "checkpoint_every", "max_restarts", "hang_timeout")
"""Settings that may change when a run is resumed."""


class Trainer:
    """Trains a model on a corpus with worker processes.

    Parameters
    ----------
    model : Word2Vec
        Trained in place: `model.W_in` and `model.W_out` hold the result afterwards, in their symmetric form
        (`parw2v.balance`) unless the model started from vectors of elsewhere.
    vocab : Vocabulary
        The model's.
    corpus : Corpus
        Encoded with that vocabulary.
    n_epochs : int, optional
        Takes the place of ``settings.epochs``.
    settings : TrainSettings
    checkpoint_dir : path, optional
        Where checkpoints go: one at an epoch's end, unless it would take more than a twentieth of the time since the one
        before, and one every ``settings.checkpoint_every`` seconds. None writes none.
    resume : bool or Word2Vec
        Continue from the newest checkpoint in `checkpoint_dir`, if there is one. A model given here is that of a finished
        run of the same settings; where there is no checkpoint, its run goes on. There may be more epochs than there
        were: the learning rate goes on where it would stand if there had been so many from the start. After a finished
        run it thus rises once, and falls to the floor again.

    cluster : Cluster, optional
        Train on the machines of a Ray cluster instead of this one; ``settings.workers`` are those of each machine.

    Attributes
    ----------
    loss_history : list of LossPoint
        The run's loss so far; unbiased, since it is measured on a fixed share of the batches before they are
        trained.
    warnings : list of str
        What was passed over when resuming.
    epochs_before : int or None
        How many epochs the run was to have that is continued; None where none is.
    """

    def __init__(
        self,
        model: Word2Vec,
        vocab: Vocabulary,
        corpus: Corpus,
        n_epochs: int | None = None,
        settings: TrainSettings | None = None,
        checkpoint_dir: str | Path | None = None,
        resume: bool | Word2Vec = False,
        cluster: Cluster | None = None,
    ) -> None:
        settings = settings or TrainSettings()
        if n_epochs is not None:
            settings = dataclasses.replace(settings, epochs=n_epochs)
        if len(vocab) != len(model.vocab) or vocab.words != model.vocab.words:
            raise SettingsError("the model was made for another vocabulary; give Trainer the model's own")
        if len(corpus) < 2:
            raise CorpusError(f"the corpus has {len(corpus)} words of the vocabulary; nothing can be learnt from it")
        if resume and checkpoint_dir is None and not isinstance(resume, Word2Vec):
            raise SettingsError("resume needs checkpoint_dir, or the model of a finished run")
        self.cluster = cluster
        self.model, self.vocab, self.corpus, self.settings = model, vocab, corpus, settings
        self.lr = settings.learning_rate(model.objective)
        self.checkpoint_dir = None if checkpoint_dir is None else Path(checkpoint_dir)
        self.warnings: list[str] = []
        self.state = RunState(self._identity())
        self.epochs_before: int | None = None
        if resume:
            self._resume(resume)
        self._stop = threading.Event()

    def _resume(self, source: bool | Word2Vec) -> None:
        """Take over vectors and state from the newest checkpoint, or from the model of a finished run."""
        identity, model = self.state.identity, self.model
        if self.checkpoint_dir and (found := load_checkpoint(self.checkpoint_dir, identity)):
            saved, self.state, self.warnings = found
            self.epochs_before = self.state.identity["epochs"]
            self.state.identity = identity
        elif isinstance(source, Word2Vec):
            saved = source
            self.state = state_of_finished(saved, identity, self.plan)
            self.epochs_before = saved.settings["epochs"]
        else:
            return
        if saved.words != model.words or saved.W_in.shape != model.W_in.shape:
            raise ModelError(
                f"{source if isinstance(source, Word2Vec) else self.checkpoint_dir}: holds {len(saved):,} words x "
                f"{saved.embed_dim}, not those of its run; remove it to start anew"
            )
        model.W_in, model.W_out = saved.W_in, saved.W_out
        model.forget_units()

    @property
    def plan(self) -> BlockPlan:
        """How the corpus is cut into blocks."""
        return BlockPlan(len(self.corpus), self.settings.seed)

    @property
    def total_words(self) -> int:
        """Raw words of all epochs."""
        return len(self.corpus) * self.settings.epochs

    @property
    def loss_history(self) -> list[LossPoint]:
        return self.state.loss_history

    @property
    def lr_now(self) -> float:
        """The learning rate at the words trained so far."""
        return learning_rate(self.state.raw_words, self.total_words, self.lr, self.settings.lr_min)

    def _identity(self) -> dict[str, Any]:
        """All that decides what the run computes."""
        settings = {k: v for k, v in self.settings.to_dict().items() if k not in _WITHOUT_EFFECT}
        return settings | {
            "lr": self.lr,
            "model": self.model.objective,
            "dim": self.model.embed_dim,
            "neg": self.model.n_negatives,
            "min_count": self.vocab.min_count,
            "vocabulary": self.vocab.fingerprint(),
            "corpus": self.corpus.fingerprint,
        }

    def train(self, quiet: bool = False, on_epoch: Sequence[EpochCallback] = ()) -> Finished:
        """Train to the end, with a progress bar on standard error unless `quiet`.

        Parameters
        ----------
        quiet : bool
        on_epoch : sequence of callables
            Each is called at the end of every epoch as ``f(epoch, loss, snapshot)``: the number of the epoch, from 0, its
            mean loss in nats, and a function without arguments that returns a copy of the model as it is now. The copy is
            made when it is first asked for, once for all; only while the calls last. Workers go on meanwhile, for a block
            or two each, so a copy may hold the first steps of the next epoch.

        Raises
        ------
        DivergedError, WorkerError, SharedMemoryError, MemoryLimitError
        Exception
            Whatever a callable raises, after the workers have been ended; the model holds the vectors as they were.
        KeyboardInterrupt
            The model then holds the vectors as they were.
        """
        from parw2v.console import show_progress

        finished = None
        with closing(self.reports()) as reports:  # else workers live on with the traceback of an error shown in between
            for report in show_progress(reports, quiet=quiet):
                if isinstance(report, EpochEnd) and on_epoch:
                    with closing(_Snapshot(self.model, self.state.identity, report)) as snapshot:
                        for function in on_epoch:
                            function(report.epoch, report.loss, snapshot)
                if isinstance(report, Finished):
                    finished = report
        if finished is None:
            raise KeyboardInterrupt
        return finished

    def request_stop(self) -> None:
        """Ask for the run to end soon: blocks in flight are finished, then a checkpoint is written."""
        self._stop.set()

    def reports(self) -> Generator[Report, None, None]:
        """Train, yielding reports; see `parw2v.progress`. Close it to end the run early."""
        settings, model = self.settings, self.model
        keep = keep_probabilities(self.vocab.counts, settings.sample, settings.sample_rule)
        run = Run(
            model,
            self.state,
            settings,
            plan=self.plan,
            lr=self.lr,
            total_words=self.total_words,
            kept_share=float((keep * self.vocab.counts).sum()) / self.vocab.total,
            checkpoint_dir=self.checkpoint_dir,
            stop=self._stop,
        )
        if self.state.next_task == 0:
            self.state.symmetric = model.is_new
        if self.state.next_task >= run.n_tasks:
            raise SettingsError("this Trainer has finished its epochs; make a new one to train the model further")
        with on_disk(self.corpus) as corpus, ThreadPoolExecutor(1) as writer:
            work = Work(
                settings,
                run.plan,
                self.vocab.counts,
                keep,
                model.embed_dim,
                model.objective,
                model.n_negatives,
                corpus.path,
                run.lr,
                run.total_words,
                words_before=self.state.raw_words,
            )
            with self._crew(work) as crew:
                yield from Coordinator(run, crew, writer).reports()

    def _crew(self, work: Work) -> AbstractContextManager[AnyCrew]:
        """Who trains: the workers of this machine, or those of a cluster."""
        model = self.model
        if self.cluster is None:
            return Crew(work, model.W_in, model.W_out)
        from parw2v.cluster.driver import ClusterCrew

        return ClusterCrew(work, model.W_in, model.W_out, self.cluster)


class _Snapshot:
    """Copies the model when it is first called; not after it was closed, for the shared memory may be gone then."""

    def __init__(self, model: Word2Vec, settings: dict[str, Any], end: EpochEnd) -> None:
        self._model, self._settings, self._end, self._closed = model, settings, end, False
        self._copy: Word2Vec | None = None

    def __call__(self) -> Word2Vec:
        if self._copy is None:
            if self._closed:
                raise SettingsError("the epoch is over; call for a snapshot while the callback runs")
            self._copy = self._model.with_vectors(*self._end.copy_matrices())
            self._copy.settings = self._settings
        return self._copy

    def close(self) -> None:
        self._closed = True
