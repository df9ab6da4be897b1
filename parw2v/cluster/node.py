"""One node of a cluster: a crew of its own, its part in the rounds. Knows nothing of Ray."""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from parw2v.arraytypes import AnyArray, FloatArray
from parw2v.cluster.sync import Mirror
from parw2v.cluster.wire import Packed
from parw2v.crew import Crew, Work
from parw2v.ledger import Block
from parw2v.pool import Death, Result
from parw2v.worker import BlockResult, BlockTask

_LOOK_SECONDS = 0.01
"""Between two looks at how many words there are."""


@dataclass(frozen=True)
class Order:
    """What a node is to do in a round, in this order: take in an earlier round's changes, train, tell its own.

    Attributes
    ----------
    number : int
        Of the round.
    blocks : list of Block
        Given to the node with this order; it has earlier ones to finish.
    with_tokens : bool
        Whether the tokens of those blocks come along.
    takes_in : int
        The round whose changes come along; 0 for none.
    combines : bool
        Whether they come as each node told them, to be combined here; else combined, range by range.
    n_words : int or None
        Train so many raw words, or until nothing is left; None to finish all blocks.
    tell_words : int
        Tell the changes of the rows of the first so many words; 0 for none.
    n_nodes : int
        That take part in the round.
    parts : int
        Changes are told in so many.
    boost : float
        What the learning rate is multiplied by from now on.
    waits : bool
        Whether workers wait for the next order, rather than train on.
    words_elsewhere : int
        Raw words that the other nodes have trained.
    """

    number: int
    blocks: list[Block]
    with_tokens: bool
    takes_in: int
    combines: bool
    n_words: int | None
    tell_words: int
    n_nodes: int
    parts: int
    boost: float
    waits: bool
    words_elsewhere: int


@dataclass
class Answer:
    """What a node did in a round."""

    results: list[tuple[Block, BlockResult]] = field(default_factory=list)
    deaths: list[tuple[int, str]] = field(default_factory=list)
    """Process number and cause, of each worker that was replaced."""
    words: int = 0
    """Raw words trained here since the node started."""
    seconds: float = 0.0
    """Spent training in this round, without waiting."""


class Node:
    """A crew that takes part in rounds.

    Parameters
    ----------
    work : Work
        As the driver has it; the corpus path is used if it holds the same corpus here.
    """

    def __init__(self, work: Work, W_in: FloatArray, W_out: FloatArray) -> None:
        self.crew = Crew(work, W_in, W_out).__enter__()
        self.mirror = Mirror(self.crew.W)
        self.waiting: deque[BlockTask] = deque()
        self.n_unfinished = 0
        self.words_of_worker = [0] * self.crew.n_workers
        while not self.crew.is_ready:
            self._listen(Answer(), 0.2)

    def close(self) -> None:
        """End the workers, give the memory back."""
        self.crew.__exit__(None, None, None)

    @property
    def name(self) -> str:
        return f"{socket.gethostname()} (pid {os.getpid()})"

    def round(self, order: Order, *arrays: AnyArray) -> tuple[Answer, list[Packed]]:
        """Carry out an order.

        Parameters
        ----------
        order : Order
        arrays
            The tokens of each block, if they come along; then the changes of a round, packed.

        Returns
        -------
        answer : Answer
        changes : list of (R, D), packed
            As many as the order asks for.

        Raises
        ------
        OutOfStepError
            The changes are not of the round that this node waits for; nothing of the order was done.
        """
        tokens = arrays[: len(order.blocks)] if order.with_tokens else [None] * len(order.blocks)
        if order.takes_in:
            changes = arrays[len(order.blocks) if order.with_tokens else 0 :]
            take_in = self.mirror.take_in_whole if order.combines else self.mirror.take_in
            take_in(order.takes_in, changes)
        self.mirror.set_boost(order.boost)
        self.crew.set_boost(order.boost)
        self.crew.set_words_elsewhere(order.words_elsewhere)
        for block, ids in zip(order.blocks, tokens, strict=True):
            self.waiting.append(BlockTask(*block, worker=0, tokens=ids))
            self.n_unfinished += 1
        answer = Answer()
        until = None if order.n_words is None else self.crew.words + order.n_words
        started = time.perf_counter()
        self._hand_out()
        while self.n_unfinished and (until is None or self.crew.words < until):
            self._listen(answer, _LOOK_SECONDS)
        if self.n_unfinished and order.n_words:  # else it waited for something to do
            answer.seconds = time.perf_counter() - started
        if order.waits:
            self.crew.set_boost(0.0)
        self._listen(answer, 0)
        answer.words = self.crew.words
        told: Packed = np.zeros((0, 1), np.uint16)
        if order.tell_words:
            told = self.mirror.changes(order.number, order.tell_words, order.n_nodes)
        return answer, np.array_split(told, order.parts)

    def _hand_out(self) -> None:
        while self.waiting and (free := self.crew.free(depth=2)):
            self.crew.submit(free[0], self.waiting.popleft()._replace(worker=free[0]))

    def _listen(self, answer: Answer, timeout: float) -> None:
        for event in self.crew.wait(timeout):
            if isinstance(event, Result):
                task: BlockTask = event.task
                self.n_unfinished -= 1
                self.words_of_worker[event.worker] += event.value.raw_words
                answer.results.append((Block(task.epoch, task.block), event.value))
            elif isinstance(event, Death):
                self.crew.set_words(event.worker, self.words_of_worker[event.worker])
                self.waiting.extendleft(reversed(event.tasks))
                answer.deaths.append((event.pid, event.cause))
        self._hand_out()

    def state(self) -> FloatArray:
        """(2V, D) float32: what all nodes agree on, and this one's part of what it has told since; a copy."""
        return self.mirror.mark.copy()

    def vectors(self, into: FloatArray | None = None) -> FloatArray:
        """(2V, D) float32: the matrices as they are here now (`Mirror.vectors`)."""
        return self.mirror.vectors(into)

    def start_anew(self, state: FloatArray | None) -> FloatArray | None:
        """Take over another node's state; with None keep the own, and return it."""
        if state is None:
            self.mirror.forget_told()
            return self.state()
        self.mirror.reset(state)
        return None
