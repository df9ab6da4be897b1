"""What a driver keeps of its nodes and of the rounds that are under way."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from parw2v.cluster.node import Answer
from parw2v.ledger import Block
from parw2v.worker import BlockResult


@dataclass(eq=False)
class Member:
    """A node, as the driver sees it."""

    number: int
    node_id: str
    actor: Any
    n_workers: int
    name: str
    reads_corpus: bool = False
    given: list[Block] = field(default_factory=list)
    """Blocks for the next order."""
    leased: dict[Block, BlockResult | None] = field(default_factory=dict)
    """Blocks that do not count yet, with their results where there are any."""
    told: list[Block] = field(default_factory=list)
    """Blocks with a result that no round holds yet."""
    words: int = 0
    round_words: int = 0
    """Raw words trained in the last round, which may be more than were asked for if telling took long."""
    counted_words: int = 0
    """Of `words`, those of blocks that count."""
    speed: float = 0.0
    """Raw words a second in the last rounds; 0 where not known."""

    def note(self, answer: Answer) -> None:
        """Enter the results of a round, and how fast the node was."""
        for block, result in answer.results:
            self.leased[block] = result
            self.told.append(block)
        if answer.seconds > 0:
            now = (answer.words - self.words) / answer.seconds
            self.speed = now if not self.speed else 0.7 * self.speed + 0.3 * now
        self.round_words = answer.words - self.words
        self.words = answer.words

    @property
    def n_unfinished(self) -> int:
        return sum(result is None for result in self.leased.values())


@dataclass(eq=False)
class Combined:
    """What a round comes to, under way or ready, and the blocks it holds."""

    number: int
    shards: list[Any]
    """By ranges of rows; of two nodes, what each told, to be combined by both."""
    whole: bool
    """Whether they are that."""
    is_all: bool
    """Whether the nodes told all rows, with nothing left to train: once they have taken it in, they agree."""
    blocks: list[tuple[Member, Block]]


@dataclass(eq=False)
class Round:
    """A round that was ordered and not answered by all yet."""

    number: int
    answers: dict[Member, Any]
    given: dict[Member, list[Block]]
    shards: dict[Member, list[Any]]
    takes_in: Combined | None
    tell_words: int
    parts: int
    boost: float
    ordered: float = field(default_factory=time.monotonic)
