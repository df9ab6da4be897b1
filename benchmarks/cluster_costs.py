"""What does a step of a round between machines cost: a row copied, a call of Ray, a byte from one object store to another?

``python benchmarks/cluster_costs.py [--write]``

Times are medians. Rows of 100 numbers, 80 MB of them: told, taken in, combined by the mean and by agreement, with the
functions that a node calls. The core time that a worker loses each time it goes on after a wait, in which another
process used the caches. Then, where Ray is installed, two nodes of one CPU each start on this machine: the cores that
Ray takes while nothing is done, for each node and for its head; the time of a call to an actor that does nothing, many
at once, and what one by itself costs all cores together; what each array adds that one node returns and the other is
given, for the driver, and for all cores together where it goes through the object stores; how much later an array is
there on another node than on its own; the speed at which two arrays of 20 MB go from one object store to the other,
and, a core being busy at each end meanwhile, what a row of that costs.
``--write`` puts them into results/cluster-measured.json, for cluster_model.py.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from parw2v.cluster.node import Node, Order
from parw2v.cluster.sync import Mirror, combine
from parw2v.cluster.wire import BYTES_A_NUMBER
from parw2v.config import TrainSettings
from parw2v.corpus import BlockPlan
from parw2v.crew import Work
from parw2v.ledger import Block
from parw2v.sampling import keep_probabilities

MEASURED = Path(__file__).resolve().parent / "results" / "cluster-measured.json"
ROWS, DIM = 200_000, 100
STORE_BYTES = 400 << 20
BIG_ROWS = 1000
"""More than Ray hands over beside an answer, so that the object stores have to do with them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"enter them in {MEASURED.name}")
    arguments = parser.parse_args()
    costs = row_costs() | worker_costs()
    if importlib.util.find_spec("ray"):
        with tempfile.TemporaryDirectory() as directory:
            os.environ["RAY_TMPDIR"] = directory  # else other clusters on this machine would not be found any more
            costs |= ray_costs()
    print(json.dumps(costs, indent=1))
    if arguments.write:
        record = json.loads(MEASURED.read_text())
        record["costs"] |= costs
        MEASURED.write_text(json.dumps(record, indent=1) + "\n")


def usual(work: Callable[[], Any], times: int = 41) -> float:
    """Seconds of a call, the median of several."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def core_seconds(work: Callable[[], Any], idle: float, times: int = 100) -> float:
    """Seconds of cores that a call takes, of this process and of all that it has started (Linux), beside `idle` cores.

    The calls are as far apart as in rounds: what is asleep has to be woken up, as there.
    """
    work()
    before, started = _core_seconds(), time.perf_counter()
    for _ in range(times):
        work()
        time.sleep(0.05)
    return (_core_seconds() - before - idle * (time.perf_counter() - started)) / times


def _core_seconds() -> float:
    ticks, waiting = 0, [os.getpid()]
    for pid in waiting:  # grows as it is walked
        with contextlib.suppress(OSError):
            ticks += _ticks(pid)
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    return ticks / os.sysconf("SC_CLK_TCK")


def idle_cores(settle: float = 8.0, watch: float = 12.0) -> float:
    """Cores that all processes take while nothing is asked of them, some time after they were started."""
    time.sleep(settle)
    before = _core_seconds()
    time.sleep(watch)
    return (_core_seconds() - before) / watch


def row_costs() -> dict[str, float]:
    """Nanoseconds a row, to combine them a row of each node."""
    W = np.random.default_rng(1).random((ROWS, DIM), np.float32)
    mirror = Mirror(W.copy())
    told, taken = [], []
    for _ in range(15):
        mirror.W[...] = W
        started = time.perf_counter()
        changes = mirror.changes(1, ROWS // 2, 2)
        told.append(time.perf_counter() - started)
        mirror.take_in(1, [changes])
        taken.append(time.perf_counter() - started - told[-1])
    seconds = {
        "tell_ns": statistics.median(told),
        "take_ns": statistics.median(taken),
        "combine_ns": usual(lambda: combine([changes] * 2, 2.0)) / 2,
        "agree_ns": usual(lambda: combine([changes] * 2, 1.0)) / 2,
    }
    return {name: round(1e9 * each / ROWS, 1) for name, each in seconds.items()}


def worker_costs() -> dict[str, float]:
    """Milliseconds of its core that a worker loses each time it goes on, of a text by the law of Zipf and Mandelbrot."""
    vocabulary, words, quota, rounds = 70_000, 17_000_000, 62_500, 25
    rng = np.random.default_rng(1)
    shares = 1 / (np.arange(vocabulary) + 2.7)
    shares /= shares.sum()
    counts = np.maximum((shares * words).astype(np.int64), 5)
    blocks = [rng.choice(vocabulary, 60_000, p=shares).astype(np.int32) for _ in range(20)]
    settings, plan, keep = (
        TrainSettings(workers=1),
        BlockPlan(words, seed=1),
        keep_probabilities(counts, 1e-3, "word2vec"),
    )
    work = Work(settings, plan, counts, keep, DIM, "skipgram", 5, None, 0.025, words, 0)
    W_in, W_out = (rng.random((2, vocabulary, DIM), np.float32) - 0.5) / 12
    node, numbers, others = Node(work, W_in, W_out), itertools.count(), np.zeros(5_000_000, np.float32)
    [pid] = node.crew.pids

    def train(n_words: int, waits: bool) -> None:
        given = [next(numbers) for _ in range(n_words // 60_000 + 7 - node.n_unfinished)]
        order = Order(0, [Block(0, i) for i in given], True, 0, False, n_words, 0, 4, 4, 4.0, waits, 0)
        node.round(order, *(blocks[i % len(blocks)] for i in given))

    def seconds_a_word(n_words: int, times: int, waits: bool) -> tuple[float, float]:
        """Of its core; and words each time."""
        words, ticks = node.crew.words, _ticks(pid)
        for _ in range(times):
            train(n_words, waits)
            deadline = time.perf_counter() + (0.05 if waits else 0.0)
            while time.perf_counter() < deadline:
                others[...] += 1
        trained = node.crew.words - words
        return (_ticks(pid) - ticks) / os.sysconf("SC_CLK_TCK") / trained, trained / times

    try:
        train(1_500_000, False)
        lost = []
        for _ in range(7):
            alone, _ = seconds_a_word(rounds * quota, 1, False)
            in_rounds, words_a_round = seconds_a_word(quota, rounds, True)
            lost.append(1e3 * words_a_round * (in_rounds - alone))
    finally:
        node.close()
    return {"cold_ms": round(float(np.median(lost)), 2)}


def _ticks(pid: int) -> int:
    """Of a process, and of its threads."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


def ray_costs() -> dict[str, float]:
    """Of Ray itself, of calls, of arrays that go along, and of bytes."""
    import ray
    from ray.cluster_utils import Cluster
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    class Nobody:
        def nothing(self, *arrays: Any) -> int:
            return len(arrays)

        def parts(self, n: int, rows: int) -> Any:
            parts = tuple(np.zeros((rows, DIM), np.uint16) for _ in range(n))
            return parts if n > 1 else parts[0]

    node = {"num_cpus": 1, "object_store_memory": STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    try:
        alone = idle_cores()
        cluster.add_node(**node)
        both = idle_cores()
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        places = [NodeAffinitySchedulingStrategy(one["NodeID"], soft=False) for one in ray.nodes()]
        here, there = (ray.remote(num_cpus=1)(Nobody).options(scheduling_strategy=place).remote() for place in places)
        ray.get([here.nothing.remote(), there.nothing.remote()])

        def pass_on(n: int, rows: int = 1) -> None:
            ray.get(there.nothing.remote(*here.parts.options(num_returns=n).remote(n, rows)))

        def move() -> float:
            arrays = here.parts.options(num_returns=2).remote(2, 100_000)
            ray.wait(list(arrays), num_returns=2, fetch_local=False)
            started = time.perf_counter()
            ray.get(there.nothing.remote(*arrays))
            return time.perf_counter() - started

        def fetched_by(actor: Any) -> float:
            return usual(lambda: ray.get(actor.nothing.remote(here.parts.options(num_returns=1).remote(1, BIG_ROWS))))

        def call() -> None:
            ray.get([here.nothing.remote() for _ in range(20)])

        few, many = 4, 32
        calls, called = usual(call) / 20, core_seconds(lambda: ray.get(here.nothing.remote()), both)
        refs = (usual(lambda: pass_on(many)) - usual(lambda: pass_on(few))) / (2 * (many - few))  # returned, given
        whole = core_seconds(lambda: pass_on(few, BIG_ROWS), both) - core_seconds(lambda: pass_on(few), both)
        speed = 2 * 100_000 * DIM * BYTES_A_NUMBER / statistics.median(move() for _ in range(9))
        fetch = fetched_by(there) - fetched_by(here)
    finally:
        ray.shutdown()
        cluster.shutdown()
    return {
        "ray_cores": round(both - alone, 3),
        "head_cores": round(2 * alone - both, 3),
        "call_ms": round(1e3 * calls, 3),
        "ref_ms": round(1e3 * refs, 3),
        "called_ms": round(1e3 * called, 2),
        "array_ms": round(
            1e3 * (whole / (2 * few) - BIG_ROWS * DIM * BYTES_A_NUMBER / speed), 2
        ),  # stored once, fetched once
        "fetch_ms": round(1e3 * (fetch - BIG_ROWS * DIM * BYTES_A_NUMBER / speed), 2),
        "loopback_bytes_per_second": round(speed, -7),
        "wire_ns": round(1e9 * DIM * BYTES_A_NUMBER / speed),
    }


if __name__ == "__main__":
    main()
