"""All nodes of a Ray cluster as one crew: leases their blocks, runs the rounds, notices who is lost and who is new.

In a round a node takes in what the last one came to, trains, and tells its changes. While those travel and are combined
its workers train on, with blocks given to them ahead, or wait where nodes are many (`parw2v.cluster.sync.TRAIN_ON`).
Everything goes through Ray's object store, and each node combines a range of the rows: no change of more than 100 KB
passes through the driver.

A block counts as done when every node has taken in a round that held it. When a node is lost, those of its blocks that
do not count are given out again; changes of rare words, which are told seldom, that it made in blocks that count are lost.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from parw2v.arraytypes import FloatArray, TokenArray
from parw2v.cluster.access import as_ours, connect, imported_ray
from parw2v.cluster.actor import BESIDE, answers_a_ping
from parw2v.cluster.node import Answer, Order
from parw2v.cluster.recruiting import Recruiting
from parw2v.cluster.rounds import Combined, Member, Round
from parw2v.cluster.settings import Cluster
from parw2v.cluster.sync import TRAIN_ON, OutOfStepError, boost, words_due
from parw2v.cluster.team import Team
from parw2v.corpus import Corpus
from parw2v.crew import Joined, Matrices, Work, split
from parw2v.errors import WorkerError
from parw2v.estimate import Estimate
from parw2v.ledger import Block
from parw2v.pool import Death, Result
from parw2v.worker import BlockTask

WHOLE = 2
"""So many nodes tell their changes in one piece, and each combines them: as many bytes as by ranges, and fewer calls."""

Answered = TypeVar("Answered")

_START_SECONDS = 300.0
"""For the first nodes to appear and start; Ray may have to copy an environment to them."""


class ClusterCrew:
    """A crew of many nodes, for a `Coordinator` like any other; its workers are the nodes.

    Parameters
    ----------
    work : Work
        ``settings.workers`` are those of each node; as many as it has CPUs if not told.
    W_in, W_out : (V, D) float32
        To start from.
    cluster : Cluster
    """

    def __init__(self, work: Work, W_in: FloatArray, W_out: FloatArray, cluster: Cluster) -> None:
        self._ray = imported_ray()
        self._work, self._cluster = work, cluster
        self._recruiting = Recruiting(self._ray, work, W_in, W_out, cluster)
        self._corpus = Corpus(path=work.corpus_path)
        words_between = partial(cluster.words_between, total_words=work.total_words)
        self._team = Team(work.plan, words_between, work.settings.max_restarts)
        self._number = 0
        self._open: Round | None = None
        self._combined: Combined | None = None
        self._settled = 0
        """The round after which all nodes agreed last."""
        self._sent: Any = None
        """A sign that the vectors which a node copied last are in the object store."""
        self._connected = False
        self.estimate = Estimate(0, W_in.nbytes + W_out.nbytes, 0)

    # ------------------------------------------------------------------------------------------ start and end

    def __enter__(self) -> ClusterCrew:
        self._connected = connect(self._ray, self._cluster.address)
        try:
            self._take_on_first()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        actors = [member.actor for member in (*self._team, *self._recruiting.pending)]
        closing = [actor.close.remote() for actor in actors]
        with contextlib.suppress(Exception):
            self._ray.wait(closing, num_returns=len(closing), timeout=5)
        for actor in actors:
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
        if self._connected:
            self._ray.shutdown()

    def _take_on_first(self) -> None:
        """Wait for as many nodes as are wanted, or for all there are."""
        wanted = self._cluster.nodes or 1
        deadline = time.monotonic() + _START_SECONDS
        while len(self._team) < wanted or (self._recruiting.pending and self._cluster.nodes is None):
            self._take_on(self._recruiting.arrived(self._team, timeout=0.2))
            if time.monotonic() > deadline:
                raise WorkerError(
                    f"{len(self._team)} of {wanted} nodes started within {_START_SECONDS:.0f} s; "
                    "see ray status, or ask for fewer with --nodes"
                )

    def _take_on(self, arrived: list[Member]) -> None:
        """Give nodes that have started the state of the others, unless nothing was trained yet; make them some of them."""
        for member in arrived:
            if self._team and self._number:
                self._settle()
                other = next(iter(self._team))
                try:
                    self._ray.get(member.actor.start_anew.remote(other.actor.state.remote()))
                except self._ray.exceptions.RayError:  # it or the other one was lost; if the other, a round will tell
                    self._ray.kill(member.actor)
                    continue
                self._team.events.append(Joined(member.name, member.n_workers))
            self._team.add(member)

    # ------------------------------------------------------------------------------------------ what a coordinator asks

    @property
    def n_workers(self) -> int:
        return sum(member.n_workers for member in self._team)

    @property
    def n_nodes(self) -> int:
        return len(self._team)

    @property
    def is_ready(self) -> bool:
        return bool(self._team)

    @property
    def pids(self) -> list[int]:
        return []

    @property
    def restarts(self) -> int:
        """Nodes lost and workers replaced so far."""
        return self._team.restarts

    @property
    def words(self) -> int:
        return self._team.words

    def set_words(self, worker: int, words: int) -> None:
        """Nothing to do: the words of a lost node are counted here."""

    def free(self, depth: int = 1) -> list[int]:
        """Nodes with room for blocks, each as often as it has."""
        return self._team.free(depth)

    def submit(self, worker: int, task: BlockTask) -> None:
        """Give a node one more block."""
        self._team.give(worker, Block(task.epoch, task.block))

    def wait(self, timeout: float) -> list[Result | Death | Joined]:
        """Take the rounds forward; what has happened within `timeout` seconds.

        Raises
        ------
        WorkerError
            No node is left, too many were lost, or Ray itself has failed.
        """
        try:
            return self._wait(timeout)
        except self._ray.exceptions.RayError as error:
            raise WorkerError(f"Ray failed ({type(error).__name__}); see its logs, and go on with --resume") from error

    def _wait(self, timeout: float) -> list[Result | Death | Joined]:
        self._take_on(self._recruiting.arrived(self._team, timeout=0))
        if not self._open and self._team.has_blocks:
            if any(member.n_unfinished for member in self._team):
                due = words_due(self._number + 1, self._n_words, len(self._team))
            else:  # all is trained, and to be told once
                due = 0 if self._combined and self._combined.is_all else self._n_words
            self._order(tell=due if self._has_others else 0)
        self._close(timeout)
        events, self._team.events = self._team.events, []
        return events

    def vectors(self, into: Matrices | None = None) -> Matrices:
        """Copies of W_in and W_out, (V, D) float32 each: what all agree on if no block is out, else one node's."""
        return self._of_any_node(lambda actor: split(self._ray.get(self._copy_of(actor)), into))

    def snapshot(self, into: Matrices | None = None) -> Callable[[], Matrices]:
        """`vectors` of now, which stay on a node until they are fetched; from any thread, while training goes on.

        Fetching them raises WorkerError if that node was lost.
        """
        return partial(self._fetched, self._of_any_node(self._copy_of), into)

    def _copy_of(self, actor: Any) -> Any:
        """What will be a copy of a node's vectors; none is asked for before the last one was sent."""
        if self._sent is not None:
            self._ray.wait([self._sent])
        self._ray.get(actor.copy.remote())
        copy, self._sent = actor.copied.options(concurrency_group=BESIDE, num_returns=2).remote()
        return copy

    def _fetched(self, copy: Any, into: Matrices | None) -> Matrices:
        try:
            return split(self._ray.get(copy), into)
        except self._ray.exceptions.RayError as error:
            raise WorkerError(f"a node was lost while its vectors were fetched ({type(error).__name__})") from error

    def is_finite(self) -> bool:
        return bool(self._of_any_node(lambda actor: self._ray.get(actor.is_finite.remote())))

    def _of_any_node(self, ask: Callable[[Any], Answered]) -> Answered:
        """What is found out from a node, given its actor; all agree on all rows, if no block is out."""
        if not self._team.has_blocks and (self._has_others or self._held()):
            self._settle()
        for member in self._team:
            try:
                return ask(member.actor)
            except self._ray.exceptions.RayActorError as error:
                self._lose(member, f"was lost ({type(error).__name__})")
        raise WorkerError("no node is left; start some, and go on with --resume")

    # ------------------------------------------------------------------------------------------ rounds

    @property
    def _has_others(self) -> bool:
        """Whether a node has anybody to tell."""
        return len(self._team) > 1

    @property
    def _n_words(self) -> int:
        return len(self._work.counts)

    def _order(self, *, tell: int, train: bool = True) -> None:
        """Order a round of every node: take in what the last one came to, train, tell."""
        takes_in, self._combined = self._combined, None
        taken = takes_in.shards if takes_in else []
        self._number += 1
        everyone, n_nodes = self.words, len(self._team)
        parts = 1 if n_nodes <= WHOLE else n_nodes
        rate = boost(n_nodes, self._work.lr, self._work.objective)
        opened = Round(self._number, {}, {}, {}, takes_in, tell_words=tell, parts=parts, boost=rate)
        for member in self._team:
            with_tokens = not member.reads_corpus
            tokens = [self._ray.put(self._tokens(block)) for block in member.given] if with_tokens else []
            order = Order(
                number=opened.number,
                blocks=member.given,
                with_tokens=with_tokens,
                takes_in=takes_in.number if takes_in else 0,
                combines=takes_in is not None and takes_in.whole,
                n_words=int(self._team.quota(member)) if train else 0,
                tell_words=tell,
                n_nodes=n_nodes,
                parts=parts,
                boost=rate,
                waits=n_nodes > TRAIN_ON,
                words_elsewhere=everyone - member.words,
            )
            opened.given[member], member.given = member.given, []
            called = member.actor.round.options(num_returns=1 + parts).remote(order, *tokens, *taken)
            opened.answers[member], opened.shards[member] = called[0], called[1:]
        self._open = opened

    def _tokens(self, block: Block) -> TokenArray:
        return self._corpus.read_block(self._work.plan, *block)

    def _close(self, timeout: float) -> None:
        """Take the answers to the open round, if all are there within `timeout` seconds."""
        if not (one := self._open):
            time.sleep(min(timeout, 0.01))
            return
        waiting = list(one.answers.values())
        late = self._ray.wait(waiting, num_returns=len(waiting), timeout=timeout, fetch_local=False)[1]
        if late:
            self._notice_hangs(one, late)
            return
        self._open = None
        is_whole = True
        for member in list(one.answers):
            is_whole &= self._took(member, one)
        if not self._team:
            raise WorkerError("no node is left; start some, and go on with --resume")
        if not is_whole:
            self._regroup(one.takes_in)
            return
        if one.takes_in:
            self._team.count(one.takes_in.blocks)
        if not self._has_others and not self._held():  # nobody else has to know
            [member] = self._team
            self._team.count([(member, block) for block in member.told])
            member.told = []
        if one.tell_words:
            told = {member: shards for member, shards in one.shards.items() if member in self._team}
            self._combine(one, told)

    def _took(self, member: Member, one: Round) -> bool:
        """Note a node's answer; False if it could not carry out the order, for lack of what it was to take in."""
        errors = self._ray.exceptions
        carried_out = True
        try:
            answer: Answer = self._ray.get(one.answers[member])
        except errors.RayTaskError as error:  # the node lives; it may have lacked what was lost with another
            if not isinstance(error.cause, errors.RayError | OutOfStepError):
                raise as_ours(error) from error
            carried_out = False
        except errors.RayActorError as error:
            self._lose(member, f"was lost ({type(error).__name__})")
        except errors.RayError:
            carried_out = False
        else:
            self._team.note(member, answer)
        if not carried_out:
            member.given = one.given[member] + member.given
        return carried_out

    def _combine(self, one: Round, told: dict[Member, list[Any]]) -> None:
        """Have the changes of a round combined, a range of rows on each node, beside its training."""
        is_all = one.tell_words == self._n_words and not any(member.n_unfinished for member in self._team)
        blocks = [(member, block) for member in told for block in member.told]
        for member in told:
            member.told = []
        if one.parts == 1:
            self._combined = Combined(one.number, [whole for [whole] in told.values()], True, is_all, blocks)
            return
        actors = itertools.cycle(member.actor for member in told)
        shards = [
            actor.combine.options(concurrency_group=BESIDE).remote(one.boost, *parts)
            for actor, parts in zip(actors, zip(*told.values(), strict=True), strict=False)
        ]
        self._combined = Combined(one.number, shards, False, is_all, blocks)

    def _settle(self) -> None:
        """Make all nodes agree on all rows, with nothing under way but blocks."""
        while self._open:
            self._close(1.0)
        if self._settled == self._number:  # they do, for no order has gone out since
            return
        if not (self._combined and self._combined.is_all):
            self._order(tell=self._n_words, train=False)
        while self._open or self._combined:
            if not self._open:
                self._order(tell=0, train=False)
            self._close(1.0)
        self._settled = self._number

    # ------------------------------------------------------------------------------------------ losses

    def _notice_hangs(self, one: Round, late: list[Any]) -> None:
        """Nodes that have not answered for too long are lost, and named."""
        limit = self._work.settings.hang_timeout
        if time.monotonic() - one.ordered < limit:
            return
        suspects = [member for member, answer in one.answers.items() if answer in late]
        silent = [member for member in suspects if not answers_a_ping(self._ray, member.actor)]  # others wait for these
        one.ordered = time.monotonic()
        for member in suspects:
            if member in silent or not silent:
                self._ray.kill(member.actor)
                self._lose(member, f"did not answer for {limit:g} s")

    def _lose(self, member: Member, cause: str) -> None:
        """Go on without a node: what does not count of it goes out again."""
        if member not in self._team:
            return
        if self._open:
            self._open.answers.pop(member, None)
        self._team.lose(member, cause, self._held())

    def _held(self) -> list[Combined]:
        """Rounds whose changes are on their way to the nodes."""
        return [one for one in (self._open and self._open.takes_in, self._combined) if one]

    def _regroup(self, missed: Combined | None) -> None:
        """After changes were lost that some nodes may have and others not: all take over one node's state.

        What the others have told and nobody took in, or not told yet, goes with it: their blocks go out again.
        """
        held = [*self._held(), *([missed] if missed else [])]
        self._combined = None
        if not self._team:
            raise WorkerError("no node is left; start some, and go on with --resume")
        first, *others = self._team
        state = first.actor.start_anew.remote(None)
        self._ray.get([member.actor.start_anew.remote(state) for member in others])
        done = [(first, block) for block, result in first.leased.items() if result is not None]
        for member in {*others, *(holder for one in held for holder, _ in one.blocks if holder not in self._team)}:
            self._team.repeat(member)
        first.told = []
        self._team.count(done)
