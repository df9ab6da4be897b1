"""The nodes that take part, the blocks they have, and what has become of both. Knows nothing of Ray."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from parw2v.cluster.node import Answer
from parw2v.cluster.rounds import Combined, Member
from parw2v.corpus import BlockPlan
from parw2v.crew import Joined
from parw2v.errors import WorkerError
from parw2v.ledger import Block
from parw2v.pool import Death, Result
from parw2v.worker import BlockTask


class Team:
    """All nodes of a run, as long as they take part.

    Parameters
    ----------
    plan : BlockPlan
    words_between : function
        Of the number of nodes: raw words of a round, of all nodes together.
    max_restarts : int
        So many losses, of nodes and of their workers, a run puts up with.
    """

    def __init__(self, plan: BlockPlan, words_between: Callable[[int], int], max_restarts: int) -> None:
        self._block_words = -(-plan.n_words // plan.n_blocks)
        self._words_between, self._max_restarts = words_between, max_restarts
        self._members: dict[int, Member] = {}
        self._words_of_lost = 0
        self.restarts = 0
        """Nodes lost and workers replaced so far."""
        self.events: list[Result | Death | Joined] = []
        """What has happened and was not told yet."""

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members.values()))  # some may be lost meanwhile

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, member: Member) -> bool:
        return member.number in self._members

    @property
    def words(self) -> int:
        """Raw words trained by all, of those that were lost what counts."""
        return self._words_of_lost + sum(member.words for member in self)

    @property
    def has_blocks(self) -> bool:
        """Whether some node has a block that does not count yet."""
        return any(member.leased for member in self)

    def add(self, member: Member) -> None:
        self._members[member.number] = member

    # ------------------------------------------------------------------------------------------ blocks

    def quota(self, member: Member) -> float:
        """Raw words of a round that a node is to train: its share by speed, so that all end together."""
        known = [other.speed for other in self if other.speed]
        usual = sum(known) / len(known) if known else 1.0
        speeds = {other.number: other.speed or usual for other in self}
        return self._words_between(len(self)) * speeds[member.number] / sum(speeds.values())

    def free(self, depth: int) -> list[int]:
        """Nodes with room for blocks, each as often as it has; first those that have the fewest.

        At `depth` 1, when few blocks are left, a node has those that it can train within a round, else more.
        """
        lanes = []
        for member in self:
            round_blocks = max(self.quota(member), member.round_words) / self._block_words
            if depth > 1:
                most = depth * member.n_workers + math.ceil(2 * round_blocks)
            else:
                most = max(member.n_workers, math.ceil(round_blocks))
            lanes += [(i, member.number) for i in range(member.n_unfinished, most)]
        return [number for _, number in sorted(lanes)]

    def give(self, number: int, block: Block) -> None:
        """Give a node one more block."""
        member = self._members[number]
        member.given.append(block)
        member.leased[block] = None

    def note(self, member: Member, answer: Answer) -> None:
        """Enter what a node did in a round."""
        member.note(answer)
        for pid, cause in answer.deaths:
            self.restarts += 1
            self.events.append(Death(member.number, pid, f"on {member.name} {cause}", ()))

    def count(self, blocks: Iterable[tuple[Member, Block]]) -> None:
        """These blocks are done: all nodes have what was learnt from them."""
        for member, block in blocks:
            result = member.leased.pop(block, None)
            if result is not None:
                member.counted_words += result.raw_words
                if member not in self:
                    self._words_of_lost += result.raw_words
                self.events.append(Result(member.number, BlockTask(*block, member.number), result))

    # ------------------------------------------------------------------------------------------ losses

    def lose(self, member: Member, cause: str, held: Iterable[Combined]) -> None:
        """Go on without a node: its blocks go out again, but for those in rounds whose changes are on their way.

        Raises
        ------
        WorkerError
            There were too many.
        """
        del self._members[member.number]
        self.restarts += 1
        self._words_of_lost += member.counted_words
        if self.restarts > self._max_restarts:
            raise WorkerError(
                f"node {member.name} {cause}; {self.restarts} losses are more than the "
                f"{self._max_restarts} a run puts up with"
            )
        counts = {block for one in held for holder, block in one.blocks if holder is member}
        self._give_back(member, cause, [block for block in member.leased if block not in counts])

    def repeat(self, member: Member) -> None:
        """What a node has done and nobody has of it goes out again."""
        member.told = []
        done = [block for block, result in member.leased.items() if result is not None]
        self._give_back(member, "lost work with another node", done)

    def _give_back(self, member: Member, cause: str, blocks: list[Block]) -> None:
        for block in blocks:
            del member.leased[block]
        tasks = tuple(BlockTask(*block, member.number) for block in blocks)
        self.events.append(Death(member.number, 0, f"{member.name} {cause}", tasks))
