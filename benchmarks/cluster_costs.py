"""What does a step of a round between machines cost: a row copied, a call of Ray, a byte from one object store to another?

``python benchmarks/cluster_costs.py [--write]``

Rows of 100 numbers, 80 MB of them, the fastest pass of several: told, taken in, combined by the mean and by agreement,
with the functions that a node calls. Then, where Ray is installed, two nodes of one CPU each start on this machine: the
time of a call to an actor that does nothing, many at once; what each array adds that one node returns and the other is
given, for the driver, and for all cores together where it goes through the object stores; the speed at which two arrays of
20 MB go from one object store to the other, and, a core being busy at each end meanwhile, what a row of that costs.
``--write`` puts them into results/cluster-measured.json, for cluster_model.py.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from parw2v.cluster.sync import Mirror, combine
from parw2v.cluster.wire import BYTES_A_NUMBER

MEASURED = Path(__file__).resolve().parent / "results" / "cluster-measured.json"
ROWS, DIM = 200_000, 100
STORE_BYTES = 400 << 20
BIG_ROWS = 1000
"""More than Ray hands over beside an answer, so that the object stores have to do with them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"enter them in {MEASURED.name}")
    arguments = parser.parse_args()
    costs = row_costs()
    if importlib.util.find_spec("ray"):
        with tempfile.TemporaryDirectory() as directory:
            os.environ["RAY_TMPDIR"] = directory  # else other clusters on this machine would not be found any more
            costs |= ray_costs()
    print(json.dumps(costs, indent=1))
    if arguments.write:
        record = json.loads(MEASURED.read_text())
        record["costs"] |= costs
        MEASURED.write_text(json.dumps(record, indent=1) + "\n")


def fastest(work: Callable[[], Any], times: int = 15) -> float:
    """Seconds of the fastest of several calls."""
    best = np.inf
    for _ in range(times):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return float(best)


def core_seconds(work: Callable[[], Any], times: int = 40) -> float:
    """Seconds of cores that a call takes, of this process and of all that it has started (Linux)."""
    work()
    before = _core_seconds()
    for _ in range(times):
        work()
    return (_core_seconds() - before) / times


def _core_seconds() -> float:
    ticks, waiting = 0, [os.getpid()]
    for pid in waiting:  # grows as it is walked
        with contextlib.suppress(OSError):
            ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    return ticks / os.sysconf("SC_CLK_TCK")


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
        "tell_ns": min(told),
        "take_ns": min(taken),
        "combine_ns": fastest(lambda: combine([changes] * 2, 2.0)) / 2,
        "agree_ns": fastest(lambda: combine([changes] * 2, 1.0)) / 2,
    }
    return {name: round(1e9 * each / ROWS, 1) for name, each in seconds.items()}


def ray_costs() -> dict[str, float]:
    """Of calls, of arrays that go along, and of bytes."""
    import ray
    from ray.cluster_utils import Cluster
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    class Nobody:
        def nothing(self, *arrays: Any) -> int:
            return len(arrays)

        def parts(self, n: int, rows: int) -> tuple[Any, ...]:
            return tuple(np.zeros((rows, DIM), np.uint16) for _ in range(n))

    node = {"num_cpus": 1, "object_store_memory": STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    try:
        cluster.add_node(**node)
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

        calls = fastest(lambda: ray.get([here.nothing.remote() for _ in range(20)])) / 20
        few, many = 8, 32
        arrays = (fastest(lambda: pass_on(many)) - fastest(lambda: pass_on(few))) / (many - few)
        whole = (core_seconds(lambda: pass_on(few, BIG_ROWS)) - core_seconds(lambda: pass_on(few))) / (2 * few)
        speed = 2 * 100_000 * DIM * BYTES_A_NUMBER / min(move() for _ in range(8))
    finally:
        ray.shutdown()
        cluster.shutdown()
    return {
        "call_ms": round(1e3 * calls, 3),
        "ref_ms": round(1e3 * arrays / 2, 3),  # once as it is returned, once as it is given
        "array_ms": round(
            1e3 * (whole - BIG_ROWS * DIM * BYTES_A_NUMBER / speed), 2
        ),  # each is stored once and fetched once
        "loopback_bytes_per_second": round(speed, -7),
        "wire_ns": round(1e9 * DIM * BYTES_A_NUMBER / speed),
    }


if __name__ == "__main__":
    main()
