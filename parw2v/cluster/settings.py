"""What a user says about a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from parw2v.errors import SettingsError

SYNC_WORDS, SYNC_WORDS_OF_TWO = 1_000_000, 2_000_000
"""Raw words between two rounds, times the number of nodes up to eight; of two nodes (measured in benchmarks/README.md)."""

FEWEST_ROUNDS = 400
"""Longer runs have more words between rounds: as many as make so many rounds."""


@dataclass(frozen=True)
class Cluster:
    """Where to train.

    Attributes
    ----------
    address : str
        Of a Ray cluster; ``auto`` for the one this machine belongs to, ``local`` for one of its own.
    nodes : int, optional
        Machines to use; training starts when there are so many. All there are unless told, and those that join.
    sync_words : int, optional
        Raw words, of all nodes together, between two rounds in which they tell one another what they have learnt; see
        `words_between`.
    shared_corpus : bool
        Nodes that can read the encoded corpus at the same path do so; else blocks travel.
    """

    address: str = "auto"
    nodes: int | None = None
    sync_words: int | None = None
    shared_corpus: bool = True

    def __post_init__(self) -> None:
        if self.nodes is not None and self.nodes < 1:
            raise SettingsError(f"nodes is {self.nodes}; it must be at least 1")
        if self.sync_words is not None and self.sync_words < 1:
            raise SettingsError(f"sync_words is {self.sync_words}; it must be at least 1")

    def words_between(self, n_nodes: int, total_words: int) -> int:
        """Raw words between two rounds of so many nodes, in a run of `total_words` raw words.

        The more nodes, the higher the rate of each (`parw2v.cluster.sync.boost`) and the shorter they may be apart; two, at
        twice the rate, bear eight times as many words as four.
        """
        if self.sync_words is not None:
            return self.sync_words
        usual = SYNC_WORDS // min(n_nodes, 8) if n_nodes > 2 else SYNC_WORDS_OF_TWO
        return max(usual, total_words // FEWEST_ROUNDS)
