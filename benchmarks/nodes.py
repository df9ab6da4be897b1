"""What do more machines bring: how fast are 1 to N nodes of a Ray cluster, how accurate, and what do they send?

``make bench-ray CORPUS=FILE [NODES="1 2 4 8"] [QUICK=1]``. All nodes are on this machine, of one worker each, with what Ray
needs for each of them; beside them one machine without Ray, and one node, with as many workers as there are cores. So
speed says what rounds cost as long as nodes are no more than cores; with more nodes, cores are shared, and only accuracy
counts. What is sent goes over the loopback device, whose count of bytes is read before and after.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from cluster_rounds import mean_told_bytes, sent_bytes
from common import (
    Results,
    Run,
    argument_parser,
    cores,
    counted,
    figure,
    group,
    median,
    millions,
    percent,
    scratch_directory,
    table,
    values,
)
from figures import OBJECTIVES, draw_nodes
from quality import with_deviation
from texts import text_of
from trainers import Job, Judge, Trainers

from parw2v.cluster.settings import Cluster
from parw2v.cluster.wire import BYTES_A_NUMBER

QUICK = {"rounds": 1, "epochs": [1], "nodes": [2], "models": ["skipgram"], "max_tokens": 1_000_000}

STORE_BYTES = 1 << 30
"""Of each node's object store. The 150 MB that Ray gives to nodes of such a cluster unasked are too few for all rows at
once: it would write them to disk."""


def main() -> None:
    parser = argument_parser(__doc__.splitlines()[0], quick=QUICK, rounds=3, epochs=[1, 5], nodes=[1, 2, 4, 8])
    parser.add_argument("--nodes", type=int, nargs="+", help="numbers of nodes")
    arguments = parser.parse_args()
    judge = Judge(arguments.analogies, arguments.similarity)
    with scratch_directory() as directory:
        text = text_of(arguments, Path(directory))
        trainers = Trainers(text, Path(directory), judge)
        settings = {"text": text.to_dict(), "dim": arguments.dim, "questions": judge.names}
        settings["ray"] = metadata.version("ray")
        results = Results("nodes", arguments, settings, report, draw_nodes)
        shape = {"dim": arguments.dim, "min_count": arguments.min_count, "cache": "warm"}
        trainers.run(Job("parw2v", **shape))  # encodes the text
        whole = (0, cores()), (1, cores())
        for seed in range(1, arguments.rounds + 1):
            for model, epochs in itertools.product(arguments.models, arguments.epochs):
                for nodes, workers in dict.fromkeys([*whole, *((n, 1) for n in arguments.nodes)]):
                    job = Job("parw2v", model=model, epochs=epochs, seed=seed, workers=workers, **shape)
                    if not results.has(**job.settings, nodes=nodes):
                        results.add(run_on(trainers, job, nodes))
                        print(line(results.runs[-1]), flush=True)
        results.finish()


def run_on(trainers: Trainers, job: Job, nodes: int) -> Run:
    """Do a job on so many nodes; on this machine without Ray if they are 0."""
    with contextlib.ExitStack() as stack:
        trainers.more_flags = stack.enter_context(ray_cluster(nodes, job.workers)) if nodes else []
        before = loopback_bytes()
        run = trainers.run(job) | {"nodes": nodes}
        sent = loopback_bytes() - before
    log = [json.loads(record) for record in (trainers.scratch / "model.log").read_text().splitlines()]
    checkpoints = sum(record["event"] == "checkpoint" for record in log)
    run |= {"sent_bytes": sent, "checkpoints": checkpoints, "vocabulary": log[0]["vocabulary"]}
    return run | {"mid_run_words_per_second": mid_run_speed(log)}


@contextlib.contextmanager
def ray_cluster(nodes: int, workers: int) -> Iterator[list[str]]:
    """Start a head and so many nodes on this machine; yields the flags for a training there."""
    import ray
    from ray.cluster_utils import Cluster

    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    with tempfile.TemporaryDirectory() as directory:
        os.environ["RAY_TMPDIR"] = directory  # else other clusters on this machine would not be found any more
        store = {"object_store_memory": STORE_BYTES}
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **store})
        try:
            for _ in range(nodes):
                cluster.add_node(num_cpus=workers, **store)
            yield ["--ray", cluster.address, "--nodes", str(nodes)]
        finally:
            ray.shutdown()
            cluster.shutdown()


def loopback_bytes() -> int:
    """Bytes that have gone over the loopback device since the machine was started; 0 where the system does not tell."""
    try:
        lines = Path("/proc/net/dev").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.split()[:1] == ["lo:"]), 0)


def expected_bytes(run: Run, dim: int) -> float:
    """What all nodes together should send in a run, by arithmetic.

    As many rounds as words were asked for between two; both matrices to each node at the start, and from one to the driver
    for each checkpoint and at the end, where all nodes have told all rows before.
    """
    nodes, copies = run["nodes"], run["checkpoints"] + 1
    numbers = 2 * run["vocabulary"] * dim
    matrices = numbers * 4
    rounds = run["raw_words"] / Cluster().words_between(nodes, run["raw_words"])
    told = rounds * mean_told_bytes(run["vocabulary"], dim, nodes) + copies * numbers * BYTES_A_NUMBER
    return nodes * sent_bytes(told, nodes) + (nodes + copies) * matrices


def line(run: Run) -> str:
    """One run for the terminal."""
    what = f"{run['model']}, {counted(run['epochs'], 'epoch')}, seed {run['seed']}, {name_of(run['nodes'], run['workers'])}"
    return f"{what}: {millions(run['words_per_second'])} M words/s, analogies {percent(run.get('analogies_total'))} %"


def name_of(nodes: int, workers: int) -> str:
    hands = counted(workers, "worker")
    return f"Ray, {counted(nodes, 'node')} of {hands}" if nodes else f"no Ray, {hands}"


def paired_ratio(runs: list[Run], others: list[Run]) -> float | None:
    """The median ratio of speeds, each beside that with the same seed in the same round."""
    by_seed = group(others, "seed")
    pairs = (
        pair for key, some in group(runs, "seed").items() for pair in zip(some, by_seed.get(key, []), strict=False)
    )
    ratios = [run["words_per_second"] / other["words_per_second"] for run, other in pairs]
    return statistics.median(ratios) if ratios else None


def mid_run_speed(log: list[dict[str, Any]]) -> float | None:
    """Words a second from the end of the second epoch to that of the last but one, without start, checkpoints and end."""
    ends, last = [], None
    for record in log:
        if record["event"] == "progress":
            last = record
        elif record["event"] == "epoch" and last:
            ends.append((last["words"], last["words"] / last["words_per_second"]))
    if len(ends) < 4:
        return None
    (words_before, start), (words, end) = ends[1], ends[-2]
    return float((words - words_before) / (end - start))


def report(record: dict[str, Any]) -> str:
    """The table: a row for each number of nodes."""
    settings, runs = record["settings"], record["runs"]
    similarity, rows = settings["questions"]["similarity"], []
    for (model, epochs), some in group(runs, "model", "epochs").items():
        groups = group(some, "nodes", "workers")
        whole = [groups.get((n, record["machine"]["cores"]), []) for n in (0, 1)]
        for (nodes, workers), found in groups.items():
            speed = median(found, "words_per_second")
            words = sum(values(found, "raw_words"))
            sent = expected = None
            if nodes:
                sent = sum(values(found, "sent_bytes")) / words
                expected = sum(expected_bytes(run, settings["dim"]) for run in found) / words
            rows.append(
                [
                    OBJECTIVES[model],
                    epochs,
                    name_of(nodes, workers),
                    millions(speed),
                    millions(median(found, "mid_run_words_per_second")),
                    *(figure(paired_ratio(found, others)) for others in whole),
                    with_deviation(values(found, "analogies_total"), 100, 1),
                    *(with_deviation(values(found, name), 1, 3) for name in similarity),
                    figure(sent, 1),
                    figure(expected, 1),
                ]
            )
    headings = [
        "objective",
        "epochs",
        "",
        "M words/s",
        "in mid-run",
        "of one machine",
        "of one node of all cores",
        "analogies %",
    ]
    headings += [*similarity, "MB sent for a million words", "by arithmetic, at most"]
    text, seeds = settings["text"], len({run["seed"] for run in runs})
    title = (
        f"# What more nodes bring\n\n{text['name']}, {text['words']:,} words, D = {settings['dim']}; all nodes on this "
        f"machine, Ray {settings['ray']}. {counted(seeds, 'seed')}; speeds "
        "are medians, of the whole run and from the end of the second epoch to that of the last but one; ratios are medians "
        "of those of runs with one seed, one after the other; accuracies are means and standard deviations; analogies are "
        f"{settings['questions']['analogies']}."
    )
    return "\n\n".join([title, *([text["note"]] if "note" in text else []), table(headings, rows)])


if __name__ == "__main__":
    main()
