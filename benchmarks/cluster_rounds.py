"""The rounds of a cluster, played event by event; what they cost comes in as numbers. Used by cluster_model.py."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from events import Clock, Event, Job, Process, Shared, Step

from parw2v.cluster.driver import WHOLE
from parw2v.cluster.sync import TRAIN_ON, boost, words_due
from parw2v.cluster.wire import BYTES_A_NUMBER
from parw2v.config import BATCH_SIZE
from parw2v.corpus import MAX_BLOCK_WORDS
from parw2v.kernels import SkipGram
from parw2v.kernels.noise import noise_rate
from parw2v.windows import Layout
from parw2v.worker import MEASURE_EVERY

BURN_IN, COUNTED = 32, 32
"""Rounds that are played before any is counted; then so many at least, whole cycles of the schedule."""

ROUNDS_AHEAD = 2
"""The driver gives a node blocks for so many rounds as the last one, beside two a worker."""

INLINE_BYTES = 100 * 1024
"""What Ray returns of smaller arrays goes to the caller, here the driver, and with its next call to whoever needs it."""

ROW_BYTES_OF_100 = 100 * BYTES_A_NUMBER

KEPT_SHARE = 0.75
"""Of the raw words, those that subsampling leaves, at the usual settings."""

LEARNING_RATE = 0.025
"""Of skip-gram, at the start: it decides from how many nodes on changes are combined by agreement."""


@dataclass(frozen=True)
class Costs:
    """What the steps of a round take.

    Attributes
    ----------
    words_per_second : float
        Raw words of one worker alone, D = 100.
    together, apart : float
        Speed of each of several workers on one matrix, and of several nodes of one worker on one machine, beside one alone.
    crowded : float
        Speed of all workers of a machine together where they are more than its cores, beside as many workers as cores.
    cold_ms : float
        What a worker loses to caches that hold other things, each time that it goes on after it had to wait.
    ray_cores, head_cores : float
        Cores that Ray takes for itself, whatever is trained: for each node, and for its head, where that is on the same
        machine.
    noise_word : float
        Time of a worker for each noise word beyond those of a machine alone, as a share of all its time.
    tell_ns, take_ns : float
        Of a node for a row of 100 numbers: its change told, and what all changes came to taken in (`Mirror`).
    combine_ns, agree_ns : float
        A node's change of a row combined with those of others, by their mean and by agreement (`combine`).
    wire_ns : float
        Core time of Ray for such a row at either end of a link.
    call_ms, ref_ms : float
        The driver's time for a call and its answer, and for each array that goes along or comes back.
    called_ms : float
        Core time of a node, and of Ray on it, for a call, whatever it is.
    array_ms : float
        Core time of a node and of Ray on it, for each array that it stores or fetches, whatever its size.
    fetch_ms : float
        Until what a node fetches from another begins to come; no core has to do with it.
    latency_ms : float
        From the driver to a node.
    look_ms : float
        Between two looks of a node at how many words there are.
    link_share : float
        Of a link's bits that Ray makes use of.
    store_bytes_per_second : float
        More than that a node's object store does not move, whatever the link.
    loopback_bytes_per_second : float
        The same between nodes on one machine.
    """

    words_per_second: float = 2.3e6
    together: float = 0.853
    apart: float = 0.955
    crowded: float = 0.95
    cold_ms: float = 4.0
    ray_cores: float = 0.01
    head_cores: float = 0.01
    noise_word: float = 0.0277
    tell_ns: float = 200.0
    take_ns: float = 150.0
    combine_ns: float = 60.0
    agree_ns: float = 100.0
    wire_ns: float = 200.0
    call_ms: float = 0.3
    ref_ms: float = 0.05
    called_ms: float = 3.0
    array_ms: float = 2.0
    fetch_ms: float = 2.5
    latency_ms: float = 0.3
    look_ms: float = 10.0
    link_share: float = 0.8
    store_bytes_per_second: float = 3e9
    loopback_bytes_per_second: float = 0.9e9

    def free_sync(self) -> Costs:
        """The same machines where rounds cost nothing."""
        free = {one.name: 0.0 for one in fields(self) if one.name.endswith(("_ns", "_ms", "_cores"))}
        return replace(
            self, **free, noise_word=0.0, store_bytes_per_second=math.inf, loopback_bytes_per_second=math.inf
        )


@dataclass(frozen=True)
class Case:
    """A cluster and what it trains.

    Attributes
    ----------
    workers : int
        Of each node.
    machines, cores : int
        Machines that the nodes are spread over, and the cores of each.
    gigabits : float
        Of the link of each node, where there are several machines.
    cluster : bool
        Whether there are rounds at all; without ``--ray`` there are none.
    rounds_ahead : float
        Blocks for how many rounds the driver gives a node ahead.
    trains_on : bool
        Whether workers train on while changes travel, however many nodes there are.
    by_longest : bool
        Whether these are rounds as the longest of the last few hundred, instead of as the last.
    even : bool
        Whether every round tells as many rows, in all as many as now, instead of few in most and all in some.
    """

    nodes: int
    workers: int
    machines: int
    cores: int
    vocabulary: int
    dim: int
    sync_words: int = 500_000
    gigabits: float = 10.0
    cluster: bool = True
    rounds_ahead: float = ROUNDS_AHEAD
    trains_on: bool = False
    by_longest: bool = False
    even: bool = False

    @classmethod
    def of(cls, run: dict[str, Any]) -> Case:
        names = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in run.items() if name in names})


# ------------------------------------------------------------------------------------------------ arithmetic


def more_noise_words(nodes: int) -> int:
    """By how many noise words each of so many nodes shares more than a machine alone, at the usual settings."""
    layout = Layout.of_batch(5, BATCH_SIZE)
    rate = noise_rate(LEARNING_RATE, boost(nodes, LEARNING_RATE, "skipgram"))
    return SkipGram.enough_noise(layout, 5, rate) - SkipGram.enough_noise(layout, 5, LEARNING_RATE)


def cycle(vocabulary: int, nodes: int) -> int:
    """Rounds until all rows have been told."""
    return rounds_between(vocabulary, vocabulary, nodes)


def rounds_between(rank: int, vocabulary: int, nodes: int) -> int:
    """Rounds from one in which the row of a word, ranks counted from 1, is told to the next."""
    return next(2**i for i in range(64) if words_due(2**i, vocabulary, nodes) >= rank)


def told_bytes(number: int, vocabulary: int, dim: int, nodes: int) -> int:
    """Bytes of the changes that one of so many nodes tells in round `number`: two rows a word."""
    return 2 * words_due(number, vocabulary, nodes) * dim * BYTES_A_NUMBER


def mean_told_bytes(vocabulary: int, dim: int, nodes: int) -> float:
    """Over a whole cycle of the schedule."""
    rounds = cycle(vocabulary, nodes)
    return sum(told_bytes(number, vocabulary, dim, nodes) for number in range(1, rounds + 1)) / rounds


def sent_bytes(told: float, nodes: int) -> float:
    """That leave a node in a round, and reach it: all but its own range to the others, and its range, combined, to each."""
    return 2 * told * (nodes - 1) / nodes


def words_a_report() -> float:
    """Raw words that a worker trains before it tells of them, and looks whether it is to wait."""
    return MEASURE_EVERY * Layout.of_batch(5, BATCH_SIZE).n_centres / KEPT_SHARE


# ------------------------------------------------------------------------------------------------ the rounds


class Trainers:
    """The workers of one node: they train as long as there are blocks, and as long as they are not to wait.

    Of what they have trained, half a report of each is not known of yet (`late`); as much more they train when they are
    told to wait.
    """

    def __init__(self, cores: Shared, workers: int, words_a_core_second: float, cold_seconds: float) -> None:
        self.cores, self.workers, self.speed = cores, workers, words_a_core_second
        self.late = workers * words_a_report() / 2
        self.cold_seconds = workers * cold_seconds
        self.trained, self.supply = 0.0, 0.0
        self._lost = 0.0
        """Seconds of cores that caches will cost before any word is trained."""
        self._target, self._reached = math.inf, None
        self._until = math.inf
        self._job: Job | None = None
        self._asked = 0.0

    def settle(self) -> float:
        """Raw words trained up to now."""
        if self._job is not None:
            left = self.cores.stop(self._job)
            self._note(self._asked - max(left, 0.0))
        return self.trained

    def counted(self) -> float:
        """Those that are known of."""
        late = self.late if self._job is not None else 0.0
        self.go_on()
        return max(self.trained - late, 0.0)

    def _note(self, seconds: float) -> None:
        """Enter what was done in so many seconds of cores."""
        lost = min(seconds, self._lost)
        self._lost -= lost
        self.trained += (seconds - lost) * self.speed
        self._job = None

    def wait(self) -> None:
        """Stand still at the next report."""
        self._until = self.settle() + self.late
        self.go_on()

    def wait_no_more(self) -> None:
        if self._until < math.inf:
            self.settle()
            self._until, self._lost = math.inf, self.cold_seconds
            self.go_on()

    def go_on(self) -> None:
        """Start on the next stretch: up to the target or to the end of the blocks."""
        self.settle()
        stretch = min(self.supply, self._target, self._until) - self.trained
        if stretch > 1e-3:
            self._asked = stretch / self.speed + self._lost
            self._job = self.cores.start(self._asked, self.workers, self._over)

    def _over(self) -> None:
        self._note(self._asked)
        self._report()
        self.go_on()

    def _report(self) -> None:
        """Wake who waits for a number of words, or for nothing being left."""
        if self._reached and (self.trained >= self._target - 1e-3 or self.trained >= self.supply - 1e-3):
            reached, self._reached, self._target = self._reached, None, math.inf
            reached()

    def reach(self, words: float) -> Step:
        """Until so many words are known of."""

        def step(go_on: Callable[[], None]) -> None:
            self.settle()
            self._target, self._reached = words + self.late, go_on
            self._report()
            self.go_on()

        return step

    def give(self, supply: float) -> None:
        self.supply = max(self.supply, supply)
        self.go_on()


@dataclass
class Counts:
    """What the driver saw."""

    answered: list[float]
    """When all had answered a round."""
    words: list[float]
    """Raw words trained by then, on all nodes."""
    bytes_of_node: float = 0.0
    driver_bytes: float = 0.0
    longest: float = 0.0
    """Seconds from the order of a round to its last answer, at most."""


class Rounds:
    """Plays so many rounds of a case."""

    def __init__(self, case: Case, costs: Costs) -> None:
        self.case, self.costs = case, costs
        self.alone = case.nodes == 1
        self.whole = case.nodes <= WHOLE
        self.waits = case.nodes > TRAIN_ON and not case.trains_on
        self.by_agreement = boost(case.nodes, LEARNING_RATE, "skipgram") < case.nodes
        self.mean_told = 0.0 if self.alone else mean_told_bytes(case.vocabulary, case.dim, case.nodes)
        rounds = 1 if case.even else cycle(case.vocabulary, case.nodes)
        self.burn_in = BURN_IN + (rounds if case.by_longest else 0)
        self.n_rounds = self.burn_in + rounds * math.ceil(COUNTED / rounds) + 2
        self.clock = Clock()
        machines = [Shared(self.clock, self.free_cores) for _ in range(case.machines)]
        self.cores = [machines[i % case.machines] for i in range(case.nodes)]
        self.links = [Shared(self.clock, self.link_bytes) for _ in range(case.nodes)]
        self.driver_link = Shared(self.clock, self.link_bytes)
        self.trainers = [Trainers(cores, case.workers, self.worker_speed, costs.cold_ms / 1e3) for cores in self.cores]
        self.quota = case.sync_words / case.nodes
        self.ordered: defaultdict[int, Event] = defaultdict(Event)
        self.here: defaultdict[tuple[int, int], Event] = defaultdict(Event)
        self.answers: defaultdict[tuple[int, int], Event] = defaultdict(Event)
        self.ordered_at: dict[int, float] = {}
        self.issued: dict[int, list[float]] = {}
        """For each round, the raw words up to which nodes have blocks once its order is there."""
        self.reported = {number: [0.0] * case.nodes for number in range(-1, self.n_rounds + 1)}
        """For each round, the raw words that the nodes had trained when they answered."""
        self.longest = [0.0] * case.nodes
        """Words of the round with the most, of the last few hundred rounds."""
        self.counts = Counts([], [])

    def ahead(self, round_words: float) -> float:
        """Words that a node is given beyond those it has trained, by those of a round."""
        case = self.case
        blocks = 2 * case.workers + math.ceil(case.rounds_ahead * max(self.quota, round_words) / MAX_BLOCK_WORDS)
        return (blocks - case.workers / 2) * MAX_BLOCK_WORDS  # each worker's block is half done

    @property
    def worker_speed(self) -> float:
        """Raw words of a worker for each second of a core."""
        case, costs = self.case, self.costs
        beside = costs.together if case.workers > 1 else costs.apart if case.nodes > case.machines else 1.0
        if case.nodes * case.workers > case.machines * case.cores:
            beside *= costs.crowded
        return costs.words_per_second * beside * 100 / case.dim / (1 + costs.noise_word * more_noise_words(case.nodes))

    @property
    def free_cores(self) -> float:
        """Of a machine, what Ray leaves; the head is on a machine of its own, unless there is one machine."""
        case, costs = self.case, self.costs
        taken = costs.ray_cores * case.nodes / case.machines + (costs.head_cores if case.machines == 1 else 0.0)
        return case.cores - (taken if case.cluster else 0.0)

    @property
    def link_bytes(self) -> float:
        case, costs = self.case, self.costs
        if case.machines == 1:
            return costs.loopback_bytes_per_second
        return min(case.gigabits * 1e9 / 8 * costs.link_share, costs.store_bytes_per_second)

    @property
    def wire_threads(self) -> int:
        """Threads of Ray's object manager on a node: a quarter of its CPUs, 2 to 8."""
        return min(max(2, self.case.cores // 4), 8)

    def rows(self, number: int) -> float:
        """Rows of 100 numbers that a node tells in a round: one alone none."""
        return self.told(number) / ROW_BYTES_OF_100

    def told(self, number: int) -> float:
        """Bytes of them."""
        case = self.case
        if self.alone:
            return 0.0
        return self.mean_told if case.even else told_bytes(number, case.vocabulary, case.dim, case.nodes)

    # Seconds of each step.

    @property
    def order_seconds(self) -> float:
        """Of the driver: a call for each node, with what it takes in, and for what comes back."""
        n, call, ref = self.case.nodes, self.costs.call_ms / 1e3, self.costs.ref_ms / 1e3
        return call * n + ref * n * (1 + (1 if self.whole else n) + (0 if self.alone else n))

    @property
    def ask_seconds(self) -> float:
        """Of the driver, for having the ranges of a round combined: a call for each node, n arrays with each."""
        n, call, ref = self.case.nodes, self.costs.call_ms / 1e3, self.costs.ref_ms / 1e3
        return 0.0 if self.whole else call * n + ref * n * n

    def tell_seconds(self, rows: float) -> float:
        """Of a node."""
        return rows * self.costs.tell_ns / 1e9

    def take_seconds(self, rows: float) -> float:
        """Of a node: combined first, where changes came whole."""
        combined = self.case.nodes * self.combine_seconds(rows) if self.whole and not self.alone else 0.0
        return combined + rows * self.costs.take_ns / 1e9

    def array_seconds(self, n: int) -> float:
        """Of a node, for storing or fetching so many arrays."""
        return n * self.costs.array_ms / 1e3

    def combine_seconds(self, rows: float) -> float:
        """Of a node, for its range, an n-th, of n nodes' changes of so many rows."""
        return rows * (self.costs.agree_ns if self.by_agreement else self.costs.combine_ns) / 1e9

    def parts(self) -> dict[str, float]:
        """What a round takes of whatever does one thing at a time, on average."""
        rows = self.mean_told / ROW_BYTES_OF_100
        return {
            "driver_ms": 1e3 * (self.order_seconds + self.ask_seconds),
            "copy_ms": 1e3 * (self.tell_seconds(rows) + self.take_seconds(rows)),
            "link_ms": 1e3 * sent_bytes(self.mean_told, self.case.nodes) / self.link_bytes,
        }

    def run(self) -> Counts:
        for node in range(self.case.nodes):
            Process(self.node(node))
        Process(self.driver())
        self.clock.run()
        return self.counts

    # Each of these yields steps: what is to be waited for.

    def pause(self, seconds: float) -> Step:
        return lambda go_on: self.clock.after(seconds, go_on)

    def drive(self, seconds: float) -> Step:
        """The driver's work, on the nodes' machine if there is one only."""
        return self.core(0, seconds) if self.case.machines == 1 else self.pause(seconds)

    def core(self, node: int, seconds: float) -> Step:
        def step(go_on: Callable[[], None]) -> None:
            self.cores[node].start(seconds, 1.0, go_on)

        return step

    def travel(self, node: int, rows: float) -> Step:
        """Rows that reach a node, as many as leave it: the link carries both at once, cores have to do with both."""

        def step(go_on: Callable[[], None]) -> None:
            both = [Event(), Event()]
            count = itertools.count(1)
            for one in both:
                one.wait(lambda: go_on() if next(count) == 2 else None)
            self.links[node].start(rows * ROW_BYTES_OF_100, self.link_bytes, both[0].happen)
            self.cores[node].start(2 * rows * self.costs.wire_ns / 1e9, self.wire_threads, both[1].happen)

        self.counts.bytes_of_node += rows * ROW_BYTES_OF_100 / self.case.nodes
        return step

    def through_driver(self, rows: float) -> Step:
        def step(go_on: Callable[[], None]) -> None:
            self.driver_link.start(rows * ROW_BYTES_OF_100, self.link_bytes, go_on)

        self.counts.driver_bytes += rows * ROW_BYTES_OF_100
        return step

    def goes_inline(self, number: int) -> bool:
        return not self.alone and self.told(number) / self.case.nodes < INLINE_BYTES

    def node(self, node: int) -> Iterator[Step]:
        """`parw2v.cluster.node.Node.round`, again and again."""
        costs, trainers = self.costs, self.trainers[node]
        for number in range(1, self.n_rounds + 1):
            yield self.ordered[number].wait
            yield self.core(node, costs.called_ms / 1e3)
            if number > 1 and not self.alone:
                yield self.here[number - 1, node].wait
                yield self.core(node, self.take_seconds(self.rows(number - 1)))
            counted = trainers.counted()
            trainers.wait_no_more()
            trainers.give(self.issued[number][node])
            started = self.clock.now
            yield trainers.reach(counted + self.quota)
            if look := costs.look_ms / 1e3:
                yield self.pause((-(self.clock.now - started)) % look)
            self.reported[number][node] = trainers.counted()
            if self.waits:
                trainers.wait()
            stored = 0 if self.alone or self.goes_inline(number) else 1 if self.whole else self.case.nodes
            yield self.core(node, self.tell_seconds(self.rows(number)) + self.array_seconds(stored))
            yield self.pause(costs.latency_ms / 1e3)
            self.answers[number, node].happen()

    def driver(self) -> Iterator[Step]:
        """`parw2v.cluster.driver.ClusterCrew.wait`, again and again."""
        n = self.case.nodes
        yield from self.order(1)
        for number in range(1, self.n_rounds + 1):
            for node in range(n):
                yield self.answers[number, node].wait
            self.counts.answered.append(self.clock.now)
            if number > self.burn_in:
                self.counts.longest = max(self.counts.longest, self.clock.now - self.ordered_at[number])
            total = sum(trainers.settle() for trainers in self.trainers)
            for trainers in self.trainers:
                trainers.go_on()
            self.counts.words.append(total)
            if number == self.n_rounds:
                return
            yield self.drive(self.ask_seconds)
            if not self.alone:
                Process(self.combine(number))
            yield from self.order(number + 1)

    def order(self, number: int) -> Iterator[Step]:
        self.ordered_at[number] = self.clock.now
        self.issued[number] = []
        for node, now in enumerate(self.reported[number - 1]):
            words = now - self.reported[max(number - 2, -1)][node]
            self.longest[node] = max(words, 0.999 * self.longest[node])
            words = self.longest[node] if self.case.by_longest else words
            self.issued[number].append(now + self.ahead(words))
        yield self.drive(self.order_seconds)
        yield self.pause(self.costs.latency_ms / 1e3)
        self.ordered[number].happen()

    def combine(self, number: int) -> Iterator[Step]:
        """Each node fetches all changes of its range and combines them; then each fetches all ranges. Two only fetch."""
        n, costs, rows = self.case.nodes, self.costs, self.rows(number)
        if self.whole:
            for node in range(n):
                Process(self._fetch(node, rows * (n - 1), n - 1, self.here[number, node]))
            return
        others = rows * (n - 1) / n
        inline = self.goes_inline(number)
        if inline:
            yield self.through_driver(n * rows)  # in, and at the same time out to those who combine
        combined = [Event() for _ in range(n)]
        for node in range(n):
            Process(self._combine_on(node, 0.0 if inline else others, 0 if inline else n, rows, combined[node]))
        for one in combined:
            yield one.wait
        if inline:
            yield self.through_driver(n * rows)
        yield self.pause(costs.latency_ms / 1e3)
        for node in range(n):
            Process(self._fetch(node, 0.0 if inline else others, 0 if inline else n - 1, self.here[number, node]))

    def _begin_fetching(self, arrays: int) -> Iterator[Step]:
        if arrays:
            yield self.pause(self.costs.fetch_ms / 1e3)

    def _combine_on(self, node: int, others: float, arrays: int, rows: float, done: Event) -> Iterator[Step]:
        yield from self._begin_fetching(arrays)
        yield self.travel(node, others)
        # All arrays but one are fetched, and one is stored.
        seconds = self.costs.called_ms / 1e3 + self.array_seconds(arrays) + self.combine_seconds(rows)
        yield self.core(node, seconds)
        done.happen()

    def _fetch(self, node: int, others: float, arrays: int, done: Event) -> Iterator[Step]:
        yield from self._begin_fetching(arrays)
        yield self.travel(node, others)
        yield self.core(node, self.array_seconds(arrays))
        done.happen()


def simulate(case: Case, costs: Costs) -> dict[str, Any]:
    """Words a second of a case, what travels and what is lost; after the first rounds."""
    rounds = Rounds(case, costs)
    cores = case.machines * case.cores
    ideal = min(case.nodes * case.workers, cores) * rounds.worker_speed
    if not case.cluster:
        return {"words_per_second": ideal, "ideal": ideal, "sync_share": 0.0}
    counts = rounds.run()
    first, last = rounds.burn_in - 1, len(counts.answered) - 3
    seconds = counts.answered[last] - counts.answered[first]
    words = counts.words[last] - counts.words[first]
    n = last - first
    a_round = sent_bytes(rounds.mean_told, case.nodes)
    return {
        "words_per_second": words / seconds,
        "ideal": ideal,
        "sync_share": 1 - words / seconds / ideal,
        "round_ms": 1e3 * seconds / n,
        "longest_ms": 1e3 * counts.longest,
        **rounds.parts(),
        "words_a_round": words / n,
        "bytes_a_round": a_round,
        "bytes_per_second": a_round * n / seconds,
        "driver_bytes_per_second": counts.driver_bytes / counts.answered[-1],
    }
