"""What a user says about a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from parw2v.errors import SettingsError

SYNC_WORDS = 500_000
"""Raw words that all nodes together train between two rounds (measured in benchmarks/README.md)."""


@dataclass(frozen=True)
class Cluster:
    """Where to train.

    Attributes
    ----------
    address : str
        Of a Ray cluster; ``auto`` for the one this machine belongs to, ``local`` for one of its own.
    nodes : int, optional
        Machines to use; training starts when there are so many. All there are unless told, and those that join.
    sync_words : int
        Raw words between two rounds in which nodes tell one another what they have learnt.
    shared_corpus : bool
        Nodes that can read the encoded corpus at the same path do so; else blocks travel.
    """

    address: str = "auto"
    nodes: int | None = None
    sync_words: int = SYNC_WORDS
    shared_corpus: bool = True

    def __post_init__(self) -> None:
        if self.nodes is not None and self.nodes < 1:
            raise SettingsError(f"nodes is {self.nodes}; it must be at least 1")
        if self.sync_words < 1:
            raise SettingsError(f"sync_words is {self.sync_words}; it must be at least 1")
