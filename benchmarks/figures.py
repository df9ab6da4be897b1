"""The pictures of the benchmarks: how each is drawn from its record, and the footer that says what it was measured on."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import counted, group, median, values
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from parw2v.plots import BLUE, FAINT, INK, ORANGE

GREEN, GREY = "#2e8b57", "#8a929e"
COLOURS = {"parw2v": BLUE, "parw2v, warm": "#8db4e2", "gensim": ORANGE, "fasttext": GREEN}
OBJECTIVES = {"skipgram": "skip-gram", "cbow": "CBOW"}


FOOT = 0.5
"""Inches at the bottom that are free for the footer."""


def blank(width: float, height: float, title: str, text: str, foot: float = FOOT) -> Figure:
    """An empty figure of so many inches, with a title that names the text, and a free strip at its foot."""
    figure = Figure(figsize=(max(width, 8), height), dpi=140, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(rect=(0.005, foot / height, 0.99, 1 - foot / height))  # type: ignore[union-attr]
    figure.suptitle(f"{title}\n", x=0.01, ha="left", fontsize=13, weight="bold", color=INK)
    figure.text(0.01, 1 - 0.46 / height, text, fontsize=9, color=GREY)
    return figure


def save(figure: Figure, record: dict[str, Any], path: Path) -> Path:
    """Write a PNG with machine, versions and commit at its foot."""
    machine, versions = record["machine"], record["versions"]
    shown = [f"{machine['cores']} cores of {machine['cpu']}", versions["blas"]]
    shown += [f"{name} {versions[name]}" for name in ("python", "numpy", "gensim", "fasttext") if name in versions]
    shown += [f"commit {record['commit']}", record["date"]]
    lines, line = [], ""
    for part in shown:
        if len(line) + len(part) > 16 * figure.get_figwidth():
            lines.append(line)
            line = ""
        line += f"  ·  {part}" if line else part
    footer = "\n".join([*lines, line])
    figure.text(0.01, 0.08 / figure.get_figheight(), footer, fontsize=7.5, color=GREY, va="bottom")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")
    return path


def text_named(record: dict[str, Any]) -> str:
    text = record["settings"]["text"]
    return f"{text['name']} ({text['words'] / 1e6:.1f} million words)"


def plain(axes: Axes, title: str, grid: str = "y") -> None:
    axes.set_title(title, loc="left", fontsize=10.5, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color=FAINT, lw=0.6, alpha=0.7)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9)


def spread_bar(axes: Axes, x: float, found: Sequence[float], colour: str) -> None:
    """A line from the least to the most of several measurements."""
    if len(found) > 1:
        axes.plot([x, x], [min(found), max(found)], color=colour, lw=1.2, solid_capstyle="butt")


# ------------------------------------------------------------------------------------------------ scaling


def draw_scaling(record: dict[str, Any]) -> Figure:
    """Speed by workers with the ideal line, and accuracy by workers, for each objective."""
    panels = group(record["runs"], "model", "epochs")
    figure = blank(4.6 * len(panels) + 0.6, 6.6, "More workers: speed and accuracy", text_named(record))
    above, below = figure.subplots(2, len(panels), squeeze=False, height_ratios=[2, 1])
    for axes, low, ((objective, epochs), runs) in zip(above, below, panels.items(), strict=True):
        together = group([run for run in runs if run["kind"] == "together"], "workers")
        apart = group([run for run in runs if run["kind"] == "apart"], "copies")
        counts = sorted(n for (n,) in together)
        if (alone := together.get((1,))) and (one := median(alone, "words_per_second")):
            axes.plot(
                [0, counts[-1]], [0, counts[-1] * one / 1e6], ls="--", color=GREY, lw=1, label="one worker, times n"
            )
        for groups, colour, name in (
            (apart, ORANGE, "n runs of one worker, side by side"),
            (together, BLUE, "one run with n workers"),
        ):
            places = sorted(n for (n,) in groups)
            speeds = [[speed / 1e6 for speed in values(groups[n,], "words_per_second")] for n in places]
            axes.plot(places, [statistics.median(found) for found in speeds], "o-", color=colour, ms=5, label=name)
            for n, found in zip(places, speeds, strict=True):
                spread_bar(axes, n, found, colour)
        plain(axes, f"{OBJECTIVES[objective]}, {counted(epochs, 'epoch')}")
        axes.set(xlim=(0, counts[-1] * 1.06), ylim=(0, None), ylabel="million words a second")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="upper left", fontsize=8.5, edgecolor="none", framealpha=0.9)
        accuracy = [[100 * a for a in values(together[n,], "analogies_total")] for n in counts]
        for n, found in zip(counts, accuracy, strict=True):
            low.plot([n] * len(found), found, "o", color=BLUE, ms=4.5, alpha=0.5, mew=0)
        low.plot(counts, [sum(found) / len(found) if found else None for found in accuracy], color=BLUE, lw=1.5)
        plain(low, "accuracy: each run, and the mean")
        low.set(xlim=(0, counts[-1] * 1.06), xlabel="workers", ylabel="analogies (%)")
        low.xaxis.set_major_locator(MaxNLocator(integer=True))
        low.margins(y=0.25)
    return figure


def draw_nodes(record: dict[str, Any]) -> Figure:
    """Speed and accuracy by the number of nodes, beside one machine without Ray."""
    panels = group(record["runs"], "model", "epochs")
    figure = blank(4.2 * len(panels) + 0.6, 6.4, "More nodes of a cluster: speed and accuracy", text_named(record))
    above, below = figure.subplots(2, len(panels), squeeze=False)
    for axes, low, ((objective, epochs), runs) in zip(above, below, panels.items(), strict=True):
        groups = group(runs, "nodes", "workers")
        names = [f"{nodes} x {workers}" if nodes else f"{workers},\nno Ray" for nodes, workers in groups]
        for place, ((nodes, _), found) in enumerate(groups.items()):
            colour = BLUE if nodes else GREY
            speeds = [speed / 1e6 for speed in values(found, "words_per_second")]
            axes.bar(place, statistics.median(speeds), color=colour, width=0.6)
            spread_bar(axes, place, speeds, INK)
            accuracy = [100 * a for a in values(found, "analogies_total")]
            low.plot([place] * len(accuracy), accuracy, "o", color=colour, ms=4.5, alpha=0.6, mew=0)
            if accuracy:
                low.plot([place - 0.25, place + 0.25], [statistics.mean(accuracy)] * 2, color=colour, lw=2)
        plain(axes, f"{OBJECTIVES[objective]}, {counted(epochs, 'epoch')}")
        axes.set(ylabel="million words a second")
        plain(low, "accuracy: each run, and the mean")
        low.set(xlabel="nodes x workers of each", ylabel="analogies (%)")
        low.margins(y=0.25)
        for one in (axes, low):
            one.set_xticks(range(len(names)), names)
            one.set_xlim(-0.6, len(names) - 0.4)
    return figure


# ------------------------------------------------------------------------------------------------ peers


def draw_peers(record: dict[str, Any]) -> Figure:
    """Speed, whole time, memory and accuracy of each trainer as bars, a row of panels for each objective."""
    runs = [run | {"who": run["trainer"] + (", warm" if run["cache"] == "warm" else "")} for run in record["runs"]]
    objectives = list(dict.fromkeys(run["model"] for run in runs))
    names = [name for name in COLOURS if any(run["who"] == name for run in runs)]
    settings = sorted({(run["epochs"], run["workers"]) for run in runs})
    height = len(objectives) * (0.9 + 0.2 * len(settings) * (len(names) + 0.8))
    figure = blank(13, height + 1.1, "parw2v beside its peers", text_named(record))
    panels = figure.subplots(len(objectives), 4, squeeze=False, sharey="row")
    measures = [
        ("words_per_second", 1e-6, "training (M words/s)", [name for name in names if name != "parw2v, warm"]),
        ("wall_seconds", 1, "whole command (s)", names),
        ("peak_memory_mb", 1, "peak memory (MB)", names),
        ("analogies_total", 100, "analogies (%)", [name for name in names if name != "parw2v, warm"]),
    ]
    for row, objective in zip(panels, objectives, strict=True):
        cells = group([run for run in runs if run["model"] == objective], "epochs", "workers", "who")
        for axes, (measure, scale, title, shown) in zip(row, measures, strict=True):
            for i, setting in enumerate(settings):
                for j, name in enumerate(shown):
                    found = [scale * value for value in values(cells.get((*setting, name), []), measure)]
                    if not found:
                        continue
                    y = i * (len(names) + 0.8) + j + (len(names) - len(shown)) / 2
                    middle = statistics.median(found)
                    axes.barh(y, middle, height=0.82, color=COLOURS[name])
                    if len(found) > 1:
                        axes.plot([min(found), max(found)], [y, y], color=INK, lw=1)
                    text = f"{middle:.2f}" if middle < 10 else f"{middle:,.0f}" if middle >= 100 else f"{middle:.1f}"
                    axes.annotate(
                        text, (max(found), y), (3, 0), textcoords="offset points", va="center", fontsize=7.5, color=INK
                    )
            plain(axes, f"{OBJECTIVES[objective]}: {title}", grid="x")
            axes.margins(x=0.2)
        row[0].set_yticks(
            [i * (len(names) + 0.8) + (len(names) - 1) / 2 for i in range(len(settings))],
            [f"{counted(epochs, 'epoch')}\n{counted(workers, 'worker')}" for epochs, workers in settings],
        )
        row[0].invert_yaxis()
    handles = [
        Rectangle((0, 0), 1, 1, color=COLOURS[name], label=name.replace("fasttext", "fastText")) for name in names
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(names), fontsize=9, frameon=False)
    return figure


# ------------------------------------------------------------------------------------------------ quality


def draw_quality(record: dict[str, Any]) -> Figure:
    """Every run as a dot, by setting; a panel for each objective and measure. Diverged runs are crosses at the edge."""
    runs = record["runs"]
    objectives = list(dict.fromkeys(run["model"] for run in runs))
    measures = ["analogies_total", *record["settings"]["questions"]["similarity"]]
    settings = list(dict.fromkeys(run["setting"] for run in runs))
    kinds = list(dict.fromkeys((run["trainer"], run["epochs"]) for run in runs))
    height = len(objectives) * (1.1 + 0.3 * len(settings))
    figure = blank(4 * len(measures) + 3, height + 1.5, "Accuracy by settings", text_named(record), FOOT + 0.3)
    panels = figure.subplots(len(objectives), len(measures), squeeze=False, sharey="row")
    shades = dict(zip(kinds, (BLUE, ORANGE, GREEN, GREY, "#8db4e2", "#9467bd"), strict=False))
    for row, objective in zip(panels, objectives, strict=True):
        for axes, measure in zip(row, measures, strict=True):
            scale = 100 if measure == "analogies_total" else 1
            for i, setting in enumerate(settings):
                for j, kind in enumerate(kinds):
                    some = [
                        run
                        for run in runs
                        if (run["model"], run["setting"], run["trainer"], run["epochs"]) == (objective, setting, *kind)
                    ]
                    y = i + 0.5 * ((j + 0.5) / len(kinds) - 0.5)
                    found = [scale * v for v in values([run for run in some if not run["diverged"]], measure)]
                    axes.plot(found, [y] * len(found), "o", color=shades[kind], ms=4, alpha=0.6, mew=0)
                    if found:
                        axes.plot(statistics.mean(found), y, "|", color=shades[kind], ms=11, mew=1.6)
                    for _ in range(sum(run["diverged"] for run in some)):
                        axes.plot(0, y, "x", color="#d62728", ms=6, transform=axes.get_yaxis_transform(), clip_on=False)
            title = "analogies (%)" if measure == "analogies_total" else f"{measure} (Spearman)"
            plain(axes, f"{OBJECTIVES[objective]}: {title}", grid="x")
            axes.hlines(
                [i + 0.5 for i in range(len(settings) - 1)],
                0,
                1,
                color=FAINT,
                lw=0.5,
                transform=axes.get_yaxis_transform(),
            )
            axes.margins(x=0.08)
        row[0].set_yticks(range(len(settings)), settings)
        row[0].set_ylim(len(settings) - 0.5, -0.5)
    several = len({trainer for trainer, _ in kinds}) > 1
    handles = [
        Line2D(
            [],
            [],
            color=shades[trainer, epochs],
            marker="o",
            ls="",
            label=counted(epochs, "epoch") + (f", {trainer}" if several else ""),
        )
        for trainer, epochs in kinds
    ]
    if any(run["diverged"] for run in runs):
        handles.append(Line2D([], [], color="#d62728", marker="x", ls="", label="diverged"))
    place = (0.005, FOOT / figure.get_figheight())
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=place, ncols=len(handles), fontsize=9, frameon=False
    )
    return figure


# ------------------------------------------------------------------------------------------------ roofline


SHADES = {"product": BLUE, "gather": ORANGE, "scatter": "#c46210", "elementwise": GREEN, "block preparation": "#9467bd"}
SHADES["useful operations at the core's peak"] = INK


def draw_roofline(record: dict[str, Any]) -> Figure:
    """Where the nanoseconds of a kept word go: a bar for each part, a panel for each objective."""
    from roofline import part_means

    runs = record["runs"]
    panels = {}
    for (model,), some in group(runs, "model").items():
        timed = [run for run in some if run["kind"] == "timed"]
        unwatched = [run for run in some if run["kind"] == "plain"]
        if timed and unwatched:
            panels[model] = (part_means(timed), timed[0]["kept_words"], unwatched)
    peak = max(run["flops"] for run in runs if run["kind"] == "peak")
    rows = [len(means) + 1 for means, _, _ in panels.values()]
    figure = blank(
        9.5, 1.2 + sum(0.6 + 0.26 * n for n in rows), "Where the time of one worker goes", text_named(record)
    )
    grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True, height_ratios=[n + 2 for n in rows])
    for axes, (model, (means, kept, unwatched)) in zip(grid[:, 0], panels.items(), strict=True):
        useful = unwatched[0]["useful_flops"] / unwatched[0]["kept_words"] / peak * 1e9
        total = sum(means.values())
        bars = sorted(((1e9 * s / kept, name) for name, s in means.items()), reverse=True)
        names = [name for _, name in bars] + ["useful operations at the core's peak"]
        for i, name in enumerate(names):
            length = useful if i == len(bars) else bars[i][0]
            share = "" if i == len(bars) else f" ({100 * means[name] / total:.0f} %)"
            axes.barh(i, length, height=0.75, color=SHADES.get(name.split(":")[0], GREY))
            axes.annotate(
                f"{length:.0f}{share}",
                (length, i),
                (3, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=INK,
            )
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        seconds = statistics.median(run["train_seconds"] for run in unwatched)
        reached = unwatched[0]["useful_flops"] / seconds
        speed = statistics.median(run["words_per_second"] for run in unwatched) / 1e6
        title = f"{speed:.2f} M words/s, {reached / 1e9:.1f} of {peak / 1e9:.0f} GFLOP/s ({100 * reached / peak:.0f} %)"
        plain(axes, f"{OBJECTIVES[model]}: {title}", grid="x")
        axes.margins(x=0.15)
        axes.tick_params(axis="y", labelsize=8)
    grid[-1, 0].set_xlabel("nanoseconds a kept word")
    return figure
