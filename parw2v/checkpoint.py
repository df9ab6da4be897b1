"""A run's state on disk: enough to go on as if it had never stopped.

A checkpoint is a model file with two more arrays: ``state`` (a JSON text), and ``sha256`` of all the others. It is taken
when no block is in flight, and blocks are handed out in one fixed order, so a single number says exactly which tokens
have been seen: blocks 0 .. next_task - 1 of the run, each once. All randomness of a block follows from the seed and its
number, so nothing else needs to be kept.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from dataclasses import asdict, astuple, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from parw2v.corpus import BlockPlan
from parw2v.errors import ModelError
from parw2v.files import atomic_write
from parw2v.model import Word2Vec
from parw2v.npz import digest, read_npz, write_npz
from parw2v.progress import LossPoint

KEEP = 2
"""Checkpoints kept: the newest and the one before, in case the newest turns out to be damaged."""


@dataclass
class Tally:
    """Loss and steps over some stretch of a run."""

    blocks: int = 0
    steps: int = 0
    loss_sum: float = 0.0
    loss_count: float = 0.0

    def add(self, steps: int, loss_sum: float, loss_count: float) -> None:
        self.blocks += 1
        self.steps += steps
        self.loss_sum += loss_sum
        self.loss_count += loss_count

    @property
    def loss(self) -> float:
        """Mean, in nats; 0 where nothing was measured."""
        return self.loss_sum / self.loss_count if self.loss_count else 0.0


@dataclass
class RunState:
    """Where a run stands, and what it is a run of.

    Attributes
    ----------
    identity : dict
        What must be the same to continue: settings, corpus and vocabulary fingerprints.
    next_task : int
        Blocks trained, counted over all epochs.
    raw_words, kept_words, steps : int
        Trained so far.
    train_seconds : float
    words_before : int
        Raw words of a finished run that this one went on with; `train_seconds` and `loss_history` do not hold them.
    symmetric : bool
        Whether what the run gives is brought into its symmetric form (`parw2v.balance`): not where it started from vectors
        of elsewhere, which are to stay what they are.
    epoch, stretch : Tally
        Loss of the current epoch, and since the last point of the history.
    loss_history : list of LossPoint
    """

    identity: dict[str, Any]
    next_task: int = 0
    raw_words: int = 0
    kept_words: int = 0
    steps: int = 0
    train_seconds: float = 0.0
    epoch: Tally = field(default_factory=Tally)
    stretch: Tally = field(default_factory=Tally)
    loss_history: list[LossPoint] = field(default_factory=list)
    words_before: int = 0
    symmetric: bool = False


def finished_settings(state: RunState) -> dict[str, Any]:
    """What a model keeps of the run that made it: its identity, and the words it was trained on.

    No times: a run gives the same file again.
    """
    finished = {"raw_words": state.raw_words, "kept_words": state.kept_words, "symmetric": state.symmetric}
    return state.identity | {"finished": finished}


def state_of_finished(model: Word2Vec, identity: dict[str, Any], plan: BlockPlan) -> RunState:
    """Where a run of more epochs stands that goes on with the model of a finished one.

    Raises
    ------
    ModelError
        The model is no finished run's, its run was another one, or it has had all the epochs there are to be.
    """
    saved = dict(model.settings)
    done = saved.pop("finished", None)
    if not isinstance(done, dict) or type(done.get("kept_words")) is not int or type(saved.get("epochs")) is not int:
        raise ModelError("the model is not that of a finished run, so it cannot be resumed; leave out --resume")
    check_same_run("the model", saved, identity)
    epochs = saved["epochs"]
    if epochs == identity["epochs"]:
        raise ModelError(
            f"the model has had its {epochs} epochs; give more --epochs, or leave out --resume to train anew"
        )
    words = epochs * plan.n_words
    return RunState(
        identity,
        epochs * plan.n_blocks,
        words,
        done["kept_words"],
        words_before=words,
        symmetric=done.get("symmetric") is True,
    )


def save_checkpoint(directory: Path, model: Word2Vec, state: RunState) -> Path:
    """Write a checkpoint atomically, then remove all but the last `KEEP`; returns its path.

    Those of later tasks go too: they are damaged, since the run did not go on from them, or left by another run.
    """
    arrays = model.to_arrays() | {"state": np.array(json.dumps(asdict(state)))}
    arrays["sha256"] = np.array(digest(arrays))
    path = atomic_write(directory / f"{state.next_task:09d}.npz", lambda file: write_npz(file, arrays))
    others = _checkpoints(directory)
    kept = [other for other in others if other <= path][-KEEP:]
    for other in set(others) - set(kept):
        other.unlink(missing_ok=True)
    return path


def load_checkpoint(directory: Path, identity: dict[str, Any]) -> tuple[Word2Vec, RunState, list[str]] | None:
    """The newest checkpoint that is whole, or None where there is none.

    Returns
    -------
    model, state
    warnings : list of str
        A line for each newer checkpoint that was damaged and passed over.

    Raises
    ------
    ModelError
        There are checkpoints, but all are damaged; or they belong to another run: the message names the difference.
    """
    warnings: list[str] = []
    for path in reversed(_checkpoints(directory)):
        try:
            model, state = _read(path)
        except ModelError as error:
            warnings.append(f"checkpoint passed over: {error}")
            continue
        check_same_run(path, state.identity, identity)
        return model, state, warnings
    if warnings:
        raise ModelError(f"{directory}: no checkpoint is whole; remove the directory to start anew ({warnings[0]})")
    return None


def check_same_run(path: Path | str, saved: dict[str, Any], current: dict[str, Any]) -> None:
    """Refuse to continue something else, naming what differs. Only the number of epochs may be larger than it was."""

    def order(name: str) -> tuple[bool, bool, str]:
        """What explains other differences first: the model before its rate, a setting before the hash it changes."""
        return name in ("vocabulary", "corpus"), name != "model", name

    for name in sorted(saved.keys() | current.keys(), key=order):
        if name == "epochs" and _is_more(current.get(name), than=saved.get(name)):
            continue
        if saved.get(name) != current.get(name):
            was, now = (str(value.get(name))[:40] for value in (saved, current))
            name = name[:40]
            raise ModelError(
                f"{path}: was trained with {name} {was}, this run has {now}; "
                "give the settings and text it was started with, or another --out"
            )


def _is_more(epochs: Any, than: Any) -> bool:
    return type(epochs) is type(than) is int and epochs > than


def _read(path: Path) -> tuple[Word2Vec, RunState]:
    arrays = read_npz(path)
    told = arrays.pop("sha256", None)
    if told is None or str(told) != digest(arrays):
        raise ModelError(f"{path}: is not a checkpoint, or was changed since it was written (its SHA-256 is wrong)")
    model = Word2Vec.from_arrays(arrays, path)
    try:
        record = json.loads(str(arrays["state"][()]))
        history = [LossPoint(*point) for point in record.pop("loss_history")]
        epoch, stretch = Tally(**record.pop("epoch")), Tally(**record.pop("stretch"))
        state = RunState(**record, epoch=epoch, stretch=stretch, loss_history=history)
        counters = state.next_task, state.raw_words, state.kept_words, state.steps, state.words_before
        if not isinstance(state.identity, dict):
            raise ValueError("its identity is not a table")
        if any(type(n) is not int or n < 0 for n in counters):
            raise ValueError("its counters are not whole numbers")
        if type(state.symmetric) is not bool:
            raise ValueError("the form of its vectors is not told by true or false")
        figures = [state.train_seconds, *astuple(epoch), *astuple(stretch), *chain.from_iterable(history)]
        if not all(type(n) in (int, float) and math.isfinite(n) for n in figures):
            raise ValueError("its figures are not finite numbers")
    except (AttributeError, KeyError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise ModelError(f"{path}: is not a checkpoint ({error})") from error
    return model, state


def _checkpoints(directory: Path) -> list[Path]:
    """Oldest first."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if re.fullmatch(r"\d{9}\.npz", path.name))


def has_checkpoints(directory: Path) -> bool:
    """Whether there is any, damaged ones included."""
    return bool(_checkpoints(directory))


def remove_checkpoints(directory: Path) -> None:
    """Remove a run's checkpoints, and their directory if nothing else is in it."""
    for path in _checkpoints(directory):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        directory.rmdir()
