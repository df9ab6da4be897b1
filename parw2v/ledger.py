"""The ledger of a run: which blocks are done, which are out with a worker, which are still to be given out."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Block(NamedTuple):
    """One block of one epoch, both counted from 0."""

    epoch: int
    block: int


class Ledger:
    """Gives out each block of each epoch until it has been done exactly once.

    Blocks go out in one fixed order; one that comes back undone, its worker having died, goes out again before all others.

    Parameters
    ----------
    n_blocks : int
        Of an epoch.
    n_epochs : int
    done : int
        The first so many blocks, counted over all epochs, were done before.

    Attributes
    ----------
    issued : int
        Blocks given out so far or done before, each counted once. All of the first `issued` are done when the ledger
        `is_settled`: that is a position in the run, and all of it that a checkpoint need keep.
    done : int
        Blocks done, in whatever order.
    again : int
        Times that a block went out again.
    """

    def __init__(self, n_blocks: int, n_epochs: int, done: int = 0) -> None:
        self.n_blocks = n_blocks
        self.total = n_blocks * n_epochs
        self.issued = self.done = done
        self.again = 0
        self._out: set[Block] = set()
        self._returned: deque[Block] = deque()

    def lease(self, *, only_returned: bool = False) -> Block | None:
        """Give out the next block; None where there is none to give."""
        if self._returned:
            block = self._returned.popleft()
            self.again += 1
        elif self.issued < self.total and not only_returned:
            block = Block(*divmod(self.issued, self.n_blocks))
            self.issued += 1
        else:
            return None
        self._out.add(block)
        return block

    def finish(self, block: Block) -> None:
        """Enter a block as done; KeyError unless it is out, so none counts twice."""
        self._out.remove(block)
        self.done += 1

    def give_back(self, block: Block) -> None:
        """Take a block back that was not done; KeyError unless it is out."""
        self._out.remove(block)
        self._returned.append(block)

    @property
    def is_settled(self) -> bool:
        """Whether every block that was given out is done."""
        return not self._out and not self._returned

    @property
    def is_complete(self) -> bool:
        """Whether every block of every epoch is done."""
        return self.done == self.total

    @property
    def at_epoch_end(self) -> bool:
        """Whether the blocks given out make whole epochs, and there are more to come."""
        return self.issued % self.n_blocks == 0 and self.issued < self.total

    @property
    def in_last_epoch(self) -> bool:
        """Whether the next block to be given out for the first time is of the last epoch, or there is none."""
        return self.issued >= self.total - self.n_blocks

    @property
    def left_in_epoch(self) -> int:
        """Blocks of the epoch under way that were not given out yet; of the next one, between two."""
        return self.n_blocks - self.issued % self.n_blocks
