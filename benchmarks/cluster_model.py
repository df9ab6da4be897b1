"""How fast is training on a cluster, and where does it stop scaling? A simulation that first repeats what was measured.

``python benchmarks/cluster_model.py [--nodes 4 16 64] [--cores 32] [--gigabits 10 100] [--vocabularies 70000 3000000]
[--dims 100 300] [--sync_words 500000 5000000 ...] [--measured FILE] [--set tell_ns=100 call_ms=0.3 ...] [--quick]``

The rounds of ``parw2v.cluster`` are played, event by event: the driver gives orders, a node takes in what the last round
came to, trains its quota, copies and subtracts its rows and answers; when all have answered, each node fetches its
range of all nodes' changes and combines it, and the next order waits for the result; two nodes fetch each other's whole.
While that travels workers of two nodes go on with the blocks they have, and stand still when these run out; those of more
nodes wait. A node alone tells nothing. Cores and links are shared evenly by all that want them (cluster_rounds.py).

What each step costs is in ``results/cluster-measured.json``, beside the runs that were measured: a JSON object with

source
    where the figures come from
costs
    the fields of `Costs`; ``--set`` changes single ones
assumed
    names of those that nobody measured, each with the reason for its value
runs
    a list of objects: ``case`` (words for the table), ``nodes``, ``workers`` (of each node), ``machines`` (that the nodes
    share), ``cores`` (of each machine), ``vocabulary``, ``dim``, ``sync_words``, ``cluster`` (false for a run without
    ``--ray``), ``words_per_second`` (null until it is measured)

Everything predicted is as good as these costs. docs/cluster.md has it in words; the tables there
that are marked so are made anew with the results, unless these go elsewhere (``--results``, ``--quick``).
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from cluster_rounds import Case, Costs, cycle, mean_told_bytes, rounds_between, sent_bytes, simulate, told_bytes
from common import RESULTS, ROOT, Results, Run, figure, group, millions, percent, table
from figures import GREEN, GREY, blank, plain
from matplotlib.figure import Figure

from parw2v.cluster.sync import TRAIN_ON, words_due
from parw2v.plots import BLUE, INK, ORANGE

MEASURED = RESULTS / "cluster-measured.json"
QUICK = {"nodes": [4], "vocabularies": [70_000], "dims": [100], "gigabits": [10], "sync_words": [5_000_000]}

GUIDE = ROOT / "docs" / "cluster.md"

OTHERS: dict[str, dict[str, Any]] = {
    "on": {"trains_on": True, "rounds_ahead": 3, "by_longest": True},
    "even": {"even": True},
}
"""Drivers that there might be."""

# ------------------------------------------------------------------------------------------------ arithmetic


def memory_of_node(vocabulary: int, dim: int) -> dict[str, int]:
    """Bytes of one node, at most, in a round in which all rows are told."""
    W = 2 * vocabulary * dim * 4
    return {
        "matrices, in shared memory (`/dev/shm`): M": W,
        "mark, what the node has told or agreed to: M": W,
        "what it told last: M / 2": W // 2,
        "a copy for checkpoints: M": W,
        "object store (`/dev/shm` too), for own changes, others' of its range, what they came to: 3 M / 2": 3 * W // 2,
    }


def word_shares(vocabulary: int) -> np.ndarray:
    """Share of each rank in a text by the law of Zipf and Mandelbrot, (V,) float64."""
    weights = 1 / (np.arange(1, vocabulary + 1) + 2.7)
    return weights / weights.sum()


def kept_shares(shares: np.ndarray, sample: float = 1e-3) -> np.ndarray:
    """Kept occurrences of each rank for each raw word (word2vec's rule), (V,) float64."""
    keep = np.minimum(np.sqrt(sample / shares) + sample / shares, 1)
    return shares * keep


def updates_between(vocabulary: int, sync_words: float, nodes: int) -> list[Run]:
    """Occurrences of words, in text, between two tellings of their rows: of all nodes, and of one."""
    kept = kept_shares(word_shares(vocabulary))
    last_of_ranges = {words_due(2**i, vocabulary, nodes) for i in range(64)}
    found = []
    for rank in sorted({rank for rank in (1, 10, 100, 1000) if rank <= vocabulary} | last_of_ranges):
        rounds = rounds_between(rank, vocabulary, nodes)
        of_all = float(kept[rank - 1]) * sync_words * rounds
        found.append({"rank": rank, "rounds": rounds, "of_all": of_all, "of_one": of_all / nodes})
    return found


# ------------------------------------------------------------------------------------------------ the command


def main() -> None:
    arguments = parsed()
    measured = json.loads(arguments.measured.read_text())
    costs = costs_of(measured["costs"], arguments.set)
    settings = {"source": measured["source"], "costs": vars(costs), "assumed": measured["assumed"]}
    settings |= {"cores": arguments.cores}
    results = Results("cluster-model", arguments, settings, report, draw)
    for run in measured["runs"]:
        predicted = simulate(Case.of(run), costs)
        results.runs.append({"kind": "measured", **run, "predicted": predicted["words_per_second"]})
    for vocabulary, dim, gigabits, nodes, sync_words in itertools.product(
        arguments.vocabularies, arguments.dims, arguments.gigabits, arguments.nodes, arguments.sync_words
    ):
        case = Case(nodes, arguments.cores, nodes, arguments.cores, vocabulary, dim, sync_words, gigabits)
        results.runs.append({"kind": "predicted", **vars(case), **simulate(case, costs)})
        if sync_words == min(arguments.sync_words):
            for kind, changes in OTHERS.items():
                other = replace(case, **changes)
                results.runs.append({"kind": kind, **vars(other), **simulate(other, costs)})
    for vocabulary, sync_words in itertools.product(arguments.vocabularies, arguments.sync_words):
        for found in updates_between(vocabulary, sync_words, max(arguments.nodes)):
            shape = {"vocabulary": vocabulary, "sync_words": sync_words, "nodes": max(arguments.nodes)}
            results.runs.append({"kind": "updates", **shape, **found})
    results.finish()
    if results.base.parent == RESULTS:
        GUIDE.write_text(with_tables(GUIDE.read_text(), results.record))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--nodes", type=int, nargs="+", default=[4, 16, 64])
    parser.add_argument("--cores", type=int, default=32, help="of a node, and its workers")
    parser.add_argument("--gigabits", type=float, nargs="+", default=[10, 100], help="of a node's link")
    parser.add_argument("--vocabularies", type=int, nargs="+", default=[70_000, 3_000_000])
    parser.add_argument("--dims", type=int, nargs="+", default=[100, 300])
    rounds = [500_000, 5_000_000, 50_000_000, 500_000_000]
    parser.add_argument("--sync_words", type=int, nargs="+", default=rounds)
    parser.add_argument("--measured", type=Path, default=MEASURED, help="costs, and runs to repeat")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="costs in place of those of the file"
    )
    parser.add_argument("--results", type=Path, help="directory for the results")
    parser.add_argument("--quick", action="store_true", help="one prediction")
    first = parser.parse_args()
    if first.quick:
        parser.set_defaults(**QUICK)
    return parser.parse_args()


def costs_of(given: dict[str, float], changes: list[str]) -> Costs:
    """The costs of a file, with some replaced by ``name=value``."""
    for change in changes:
        name, _, value = change.partition("=")
        given = given | {name: float(value)}
    unknown = sorted(given.keys() - {one.name for one in fields(Costs)})
    if unknown:
        raise SystemExit(f"{unknown[0]} is not a cost; there are {', '.join(one.name for one in fields(Costs))}")
    return Costs(**given)


# ------------------------------------------------------------------------------------------------ the report


def report(record: dict[str, Any]) -> str:
    kinds = group(record["runs"], "kind")
    parts = ["# A cluster, simulated", costs_told(record["settings"])]
    parts += [section(kinds[kind,]) for kind, section in SECTIONS.items() if (kind,) in kinds]
    return "\n\n".join(parts)


def costs_told(settings: dict[str, Any]) -> str:
    rows = [[name, f"{value:g}", settings["assumed"].get(name, "")] for name, value in settings["costs"].items()]
    return f"## Costs\n\n{settings['source']}\n\n{table(['cost', 'value', 'not measured; why so'], rows)}"


def measured_told(runs: list[Run]) -> str:
    return f"## Measured, and simulated\n\n{measured_table(runs)}"


def measured_table(runs: list[Run]) -> str:
    rows = []
    for run in runs:
        seen = run["words_per_second"]
        rows.append(
            [
                run["case"],
                f"{run['nodes']} x {run['workers']}",
                run["cores"],
                f"{run['sync_words']:,}" if run["cluster"] else "-",
                millions(seen),
                millions(run["predicted"]),
                figure(run["predicted"] / seen if seen else None),
            ]
        )
    headings = ["case", "nodes x workers", "cores", "sync words", "M words/s measured", "simulated", "ratio"]
    return table(headings, rows)


def speeds_table(runs: list[Run]) -> str:
    """Words a second, a line for each size of model, link and number of nodes."""
    sizes = sorted({run["sync_words"] for run in runs})
    rows = []
    for (vocabulary, dim, gigabits, nodes), some in group(runs, "vocabulary", "dim", "gigabits", "nodes").items():
        by_size = {run["sync_words"]: run for run in some}
        cells = [f"{run['words_per_second'] / 1e6:,.0f} ({percent(run['sync_share'], 0)} %)" for run in some]
        links = [figure(by_size[size]["bytes_per_second"] / 1e9) for size in (sizes[0], sizes[-1])]
        ideal = f"{some[0]['ideal'] / 1e6:,.0f}"
        rows.append([f"{vocabulary:,}", dim, f"{gigabits:g}", nodes, ideal, *cells, " to ".join(reversed(links))])
    headings = ["V", "D", "Gbit/s", "nodes", "nothing told", *(f"{size / 1e6:g} M" for size in sizes), "GB/s a node"]
    return table(headings, rows)


def predicted_told(runs: list[Run]) -> str:
    rows = [
        [
            f"{run['vocabulary']:,}",
            run["dim"],
            f"{run['gigabits']:g}",
            run["nodes"],
            f"{run['sync_words']:,}",
            f"{run['words_per_second'] / 1e6:,.0f}",
            percent(run["sync_share"], 0),
            f"{run['words_a_round']:,.0f}",
            figure(run["round_ms"], 0),
            figure(run["bytes_a_round"] / 1e6, 1),
            figure(run["bytes_per_second"] / 1e9),
            figure(run["driver_bytes_per_second"] / 1e9),
        ]
        for run in runs
    ]
    headings = ["V", "D", "Gbit/s", "nodes", "sync words asked", "M words/s", "lost to sync %", "words a round in fact"]
    headings += ["ms a round", "MB a round, a node", "GB/s a node", "GB/s driver"]
    cores = runs[0]["cores"]
    intro = (
        f"Nodes of {cores} cores and as many workers. Lost: beside as many nodes that tell each other nothing. More than "
        f"{TRAIN_ON} nodes wait while what they told travels. Bytes are those that leave a node; as many reach it."
    )
    parts = ["## What a node tells in a round, MB", schedule_table(runs), "## Memory of a node", memory_table(runs)]
    parts += ["## Predicted", intro, "Million words a second, and what is lost, by words between rounds asked for:"]
    return "\n\n".join([*parts, speeds_table(runs), table(headings, rows)])


def on_told(runs: list[Run]) -> str:
    intro = (
        f"At {runs[0]['sync_words']:,} words a round, where workers train on while changes travel, however many nodes there "
        "are, and a node is given blocks for three rounds as the longest it had in the last few hundred."
    )
    return f"## If workers trained on\n\n{intro}\n\n{rounds_table(runs)}"


def even_told(runs: list[Run]) -> str:
    intro = (
        f"At {runs[0]['sync_words']:,} words a round, where every round tells as many rows: beside the hot ones a slice of "
        "those that are told seldom, so that each of them is told as often as now."
    )
    return f"## With rounds of one length\n\n{intro}\n\n{rounds_table(runs)}"


def rounds_table(runs: list[Run]) -> str:
    rows = [
        [
            f"{run['vocabulary']:,}",
            run["dim"],
            f"{run['gigabits']:g}",
            run["nodes"],
            figure(run["round_ms"], 0),
            figure(run["longest_ms"] / 1e3),
            f"{run['words_a_round'] / 1e6:,.1f}",
            f"{run['words_per_second'] / 1e6:,.0f}",
            percent(run["sync_share"], 0),
            figure(run["bytes_per_second"] / 1e9),
        ]
        for run in runs
    ]
    headings = ["V", "D", "Gbit/s", "nodes", "ms a round", "longest, s", "M words a round"]
    return table([*headings, "M words/s", "lost to sync %", "GB/s a node"], rows)


def limits_table(runs: list[Run]) -> str:
    """What the shortest rounds are made of, at the smallest D; and if (a) workers trained on, (b) with one length."""
    least = {name: min(run[name] for run in runs) for name in ("dim", "sync_words")}
    shown = [run for run in runs if least.items() <= run.items()]
    rows = []
    for (vocabulary, gigabits, nodes), some in group(shown, "vocabulary", "gigabits", "nodes").items():
        by_kind = {run["kind"]: run for run in some}
        now, on, even = by_kind["predicted"], by_kind["on"], by_kind["even"]
        rows.append([f"{vocabulary:,}", f"{gigabits:g}", nodes])
        rows[-1] += [figure(now[f"{part}_ms"], 0) for part in ("driver", "copy", "link", "round")]
        rows[-1] += [figure(now["longest_ms"] / 1e3), f"{now['words_a_round'] / 1e6:,.0f}"]
        rows[-1] += [percent(now["sync_share"], 0)]
        rows[-1] += [percent(on["sync_share"], 0), f"{on['words_a_round'] / 1e6:,.0f}"]
        rows[-1] += [percent(even["sync_share"], 0)]
    headings = ["V", "Gbit/s", "nodes", "driver ms", "copies ms", "link ms", "ms a round", "longest, s"]
    headings += ["M words a round", "lost %", "(a) lost %", "(a) M words a round", "(b) lost %"]
    return table(headings, rows)


def schedule_table(runs: list[Run]) -> str:
    """Bytes of rounds, in MB."""
    shapes = list(group(runs, "vocabulary", "dim"))
    counts = {run["nodes"] for run in runs}
    ends = sorted({min(counts), max(counts)})
    rows = []
    for vocabulary, dim in shapes:
        mean = mean_told_bytes(vocabulary, dim, ends[-1])
        rounds = cycle(vocabulary, ends[-1])
        told = [told_bytes(number, vocabulary, dim, ends[-1]) for number in (1, 2, 4, 16, rounds)]
        cells = [f"{size / 1e6:,.1f}" for size in (*told, mean, *(sent_bytes(mean, nodes) for nodes in ends))]
        rows.append([f"{vocabulary:,}", dim, *cells[:4], rounds, *cells[4:]])
    headings = ["V", "D", "rounds 1, 3, 5, ...", "2, 6, ...", "4, 12, ...", "16, 48, ...", "all rows every", "all rows"]
    return table([*headings, "mean", *(f"sent by each of {nodes}, mean" for nodes in ends)], rows)


def memory_table(runs: list[Run]) -> str:
    """GB of a node."""
    shapes = list(group(runs, "vocabulary", "dim"))
    columns = [memory_of_node(*shape) for shape in shapes]
    rows = [[what, *(figure(column[what] / 1e9) for column in columns)] for what in columns[0]]
    rows.append(["together, at most", *(figure(sum(column.values()) / 1e9) for column in columns)])
    return table(["GB", *(f"V = {vocabulary:,}, D = {dim}" for vocabulary, dim in shapes)], rows)


def updates_told(runs: list[Run]) -> str:
    intro = (
        "Occurrences of a word between two tellings of its rows, after subsampling (1e-3, word2vec's rule), in a text "
        "whose words follow Zipf and Mandelbrot: of all nodes, and of one where there are as many as stated. A change is "
        "taken in at the beginning of the next round, so that nodes are apart by up to twice as many."
    )
    return f"## What passes between two tellings\n\n{intro}\n\n{updates_table(runs)}"


def updates_table(runs: list[Run]) -> str:
    sizes = sorted({run["sync_words"] for run in runs})
    nodes = runs[0]["nodes"]
    rows = []
    for (vocabulary, rank, rounds), some in group(runs, "vocabulary", "rank", "rounds").items():
        by_size = {run["sync_words"]: run for run in some}
        cells = [f"{by_size[size]['of_all']:,.1f}" for size in sizes]
        of_one = [f"{by_size[size]['of_one']:,.1f}" for size in sizes[:1]]
        rows.append([f"{vocabulary:,}", f"{rank:,}", rounds, *cells, *of_one])
    headings = ["V", "rank", "told every ... rounds", *(f"{size / 1e6:g} M words a round" for size in sizes)]
    return table([*headings, f"{sizes[0] / 1e6:g} M, one of {nodes} nodes"], rows)


SECTIONS = {
    "measured": measured_told,
    "predicted": predicted_told,
    "on": on_told,
    "even": even_told,
    "updates": updates_told,
}


# ------------------------------------------------------------------------------------------------ the guide


GUIDE_TABLES = {
    "memory": (memory_table, ["predicted"]),
    "schedule": (schedule_table, ["predicted"]),
    "updates": (updates_table, ["updates"]),
    "measured": (measured_table, ["measured"]),
    "speeds": (speeds_table, ["predicted"]),
    "limits": (limits_table, ["predicted", "on", "even"]),
}
"""Tables of docs/cluster.md, what makes them, and the kinds of runs it needs."""

_MARKED = re.compile(r"(<!-- cluster_model.py makes this table: (\w+) -->\n\n).*?(\n\n<!-- end -->)", re.DOTALL)


def with_tables(guide: str, record: dict[str, Any]) -> str:
    """The guide, with the tables of these results."""

    def made(found: re.Match[str]) -> str:
        told, kinds = GUIDE_TABLES[found[2]]
        return found[1] + told([run for run in record["runs"] if run["kind"] in kinds]) + found[3]

    return _MARKED.sub(made, guide)


# ------------------------------------------------------------------------------------------------ the picture


def draw(record: dict[str, Any]) -> Figure:
    """Words a second by nodes for each way of asking for rounds, a panel for each size of model and link."""
    runs = [run for run in record["runs"] if run["kind"] == "predicted"]
    panels = group(runs, "vocabulary", "dim", "gigabits")
    across = min(4, len(panels))
    down = -(-len(panels) // across)
    cores = record["settings"]["cores"]
    title = f"On paper: nodes of {cores} cores"
    chart = blank(
        3.4 * across + 0.4, 3.2 * down + 1.4, title, "simulated from measured costs; lines: words between rounds"
    )
    axes_of = chart.subplots(down, across, squeeze=False).ravel()
    colours = dict(zip(sorted({run["sync_words"] for run in runs}), [GREY, ORANGE, GREEN, BLUE, INK], strict=False))
    for axes, ((vocabulary, dim, gigabits), some) in zip(axes_of, panels.items(), strict=False):
        counts = sorted({run["nodes"] for run in some})
        ideal = {run["nodes"]: run["ideal"] / 1e6 for run in some}
        axes.plot(counts, [ideal[n] for n in counts], ls="--", color=GREY, lw=1, label="nothing told")
        for (size,), line in group(some, "sync_words").items():
            speeds = {run["nodes"]: run["words_per_second"] / 1e6 for run in line}
            label = f"{size / 1e6:g} M words"
            axes.plot(counts, [speeds[n] for n in counts], "o-", ms=4, color=colours.get(size, INK), label=label)
        plain(axes, f"V = {vocabulary:,}, D = {dim}, {gigabits:g} Gbit/s")
        axes.set(xscale="log", yscale="log", xlabel="nodes", ylabel="million words a second")
        axes.set_xticks(counts, [str(n) for n in counts])
        axes.minorticks_off()
    axes_of[0].legend(loc="upper left", fontsize=8, edgecolor="none", framealpha=0.9)
    for axes in axes_of[len(panels) :]:
        axes.set_visible(False)
    return chart


if __name__ == "__main__":
    main()
