"""Settings: one frozen dataclass, from whose fields the command line's flags, defaults and help are made."""

from __future__ import annotations

import dataclasses
import math
import operator
import os
from dataclasses import dataclass
from typing import Any

from parw2v.errors import SettingsError
from parw2v.sampling import SAMPLE_RULES

OBJECTIVES = ("skipgram", "cbow")
DEFAULT_LR = {"skipgram": 0.025, "cbow": 0.05}
"""word2vec.c's rates. CBOW makes one step for a centre word where skip-gram makes one for each of its contexts, so it
takes the larger rate (measured in benchmarks/README.md)."""

BATCH_SIZE = 336
FEW_WORKERS = 16
"""With more workers, batches are half as large: all that are under way at once are computed from one copy of the rows."""


def _setting(default: Any, help: str, **extra: Any) -> Any:
    return dataclasses.field(default=default, metadata={"help": help, **extra})


@dataclass(frozen=True)
class TrainSettings:
    """How to train. Every field has a measured or an agreed default; a value out of range raises SettingsError."""

    epochs: int = _setting(5, "passes over the corpus")
    lr: float | None = _setting(None, "learning rate at the start (default: 0.025 for skipgram, 0.05 for cbow)")
    lr_min: float = _setting(0.0001, "floor of the learning rate, which falls linearly")
    window: int = _setting(5, "context words on each side, at most; nearer ones count more")
    batch_size: int | None = _setting(
        None,
        "centre words a gradient step, rounded up to whole runs of 48 words or more "
        f"(default: {BATCH_SIZE}, with more than {FEW_WORKERS} workers {BATCH_SIZE // 2})",
    )
    sample: float = _setting(1e-3, "subsample words more frequent than this; 0 for none")
    sample_rule: str = _setting(
        "paper", "keep sqrt(t/f) of a word (paper) or sqrt(t/f) + t/f (word2vec)", choices=SAMPLE_RULES
    )
    seed: int = _setting(42, "all randomness comes from it; one worker is reproducible to the bit")
    workers: int | None = _setting(None, "worker processes (default: all cores)")
    log_every: int | None = _setting(None, "steps between records of the loss (default: 200 records a run)")
    checkpoint_every: float | None = _setting(None, "seconds between checkpoints within an epoch (default: none)")
    max_restarts: int = _setting(10, "worker deaths a run puts up with")
    hang_timeout: float = _setting(60.0, "seconds without progress after which a worker is taken to hang and replaced")

    def __post_init__(self) -> None:
        self._whole("epochs", 1)
        self._whole("window", 1)
        self._whole("seed", 0)
        self._whole("max_restarts", 0)
        self._finite("lr_min")
        self._finite("sample")
        self._finite("hang_timeout")
        for name in ("workers", "log_every", "batch_size"):
            if getattr(self, name) is not None:
                self._whole(name, 1)
        for name in ("lr", "checkpoint_every"):
            if getattr(self, name) is not None:
                self._finite(name)
        if self.window > 100:
            raise SettingsError(f"window is {self.window}; at most 100")
        if self.workers is not None and self.workers > 1024:
            raise SettingsError(f"workers is {self.workers}; at most 1024")
        if self.batch_size is not None and self.batch_size > 1 << 16:
            raise SettingsError(f"batch_size is {self.batch_size}; at most 65536")
        if self.hang_timeout < 1:
            raise SettingsError(f"hang_timeout is {self.hang_timeout:g} s; it must be at least 1")
        if self.lr == 0:
            raise SettingsError("lr is 0; nothing would be learnt")
        if self.lr is not None:
            self._floor_below(self.lr)
        if self.sample_rule not in SAMPLE_RULES:
            raise SettingsError(f"sample_rule is {self.sample_rule!r}; it must be one of {', '.join(SAMPLE_RULES)}")

    def _whole(self, name: str, least: int) -> None:
        """Check a whole number; NumPy's become Python's, which JSON can hold."""
        value = getattr(self, name)
        try:
            object.__setattr__(self, name, operator.index(value))
        except TypeError:
            raise SettingsError(f"{name} is {value!r}; it must be a whole number") from None
        if value < least:
            raise SettingsError(f"{name} is {value}; it must be at least {least}")

    def _finite(self, name: str) -> None:
        """Check a number that is not negative; NumPy's become Python's."""
        value = getattr(self, name)
        try:
            if not (math.isfinite(value) and value >= 0):
                raise SettingsError(f"{name} is {value}; it must be a finite number, 0 or more")
        except TypeError:
            raise SettingsError(f"{name} is {value!r}; it must be a number") from None
        object.__setattr__(self, name, float(value))

    def _floor_below(self, lr: float) -> None:
        if self.lr_min > lr:
            raise SettingsError(f"lr_min is {self.lr_min}, more than lr ({lr}); lower it")

    @property
    def n_workers(self) -> int:
        return self.workers or available_cores()

    @property
    def step_words(self) -> int:
        """Centre words a gradient step: `batch_size`, or what is best for so many workers (docs/many-cores.md)."""
        return self.batch_size or (BATCH_SIZE if self.n_workers <= FEW_WORKERS else BATCH_SIZE // 2)

    def learning_rate(self, objective: str) -> float:
        """The rate given, or the objective's default."""
        lr = DEFAULT_LR[objective] if self.lr is None else self.lr
        self._floor_below(lr)
        return lr

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def available_cores() -> int:
    """Cores this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
