"""A picture of analogy scores: a bar for each section, as a PNG file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from parw2v.errors import EvaluationError
from parw2v.evaluation import AnalogyReport, SectionScore
from parw2v.files import atomic_write
from parw2v.plots import BLUE, FAINT, INK, ORANGE, _drawing, _figure, _glyphs, _label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from matplotlib.transforms import Transform

COLOURS = {"semantic": BLUE, "syntactic": ORANGE, "total": INK}
MOST_BARS = 80  # sections drawn; more would make a picture that nobody scrolls through
LONGEST_NAME = 32  # characters
WIDTH, MARGIN, TOP, BOTTOM, ROW = 9.5, 0.19, 0.85, 0.75, 0.27  # inches; a row is a bar with its gap
NAME_GAP = 0.08  # inches between a name and its bar
BARS_END = 6.85  # inches from the left, where 100 % is; a share takes half an inch more
COLUMNS = {"right": 7.85, "asked": 8.55, "skipped": WIDTH - MARGIN}
"""Counts and where they end, in inches from the left."""


def plot_analogies(report: AnalogyReport, path: str | os.PathLike[str]) -> Path:
    """Draw the accuracy of each section with its counts, semantic and syntactic in two colours; return the file.

    Parameters
    ----------
    report : AnalogyReport
    path : where the PNG goes; its directory is created

    Raises
    ------
    EvaluationError
        There is no section to draw.
    Parw2vError
        The file cannot be written; what stood there still does.
    """
    if not report.sections:
        raise EvaluationError("cannot draw the accuracy of no section; give at least one")
    with _drawing() as family:
        from matplotlib.transforms import blended_transform_factory

        rows = list(_rows(report))
        height = ROW * (1 - rows[-1][0]) + TOP + BOTTOM
        figure = _figure(WIDTH, height)
        axes = figure.add_axes((0.3, BOTTOM / height, 0.4, 1 - (TOP + BOTTOM) / height))
        axes.set(xlim=(0, 1), ylim=(rows[-1][0] - 0.5, 0.5), yticks=[])
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"], color=INK, fontsize=9)
        axes.grid(axis="x", color=FAINT, lw=0.6, alpha=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.spines["left"].set_color(FAINT)
        axes.tick_params(length=0)
        across = blended_transform_factory(figure.transFigure, axes.transData)  # widths of the picture, rows
        glyphs = _glyphs(family)
        names = [_draw_row(axes, across, y, score, colour, glyphs) for y, score, colour in rows]
        _make_room(axes, across, names, figure.dpi)
        _write_around(figure, report, height)
        return atomic_write(Path(path), lambda file: figure.savefig(file, format="png"))


def _rows(report: AnalogyReport) -> Iterator[tuple[float, SectionScore, str]]:
    """Yield place, score and colour from the top down: semantic sections, syntactic ones, the sums."""
    y, shown = 0.0, report.sections[:MOST_BARS]
    sums = {score.name: score for score in report.sums}
    kinds = [kind for kind in ("semantic", "syntactic") if any(section.kind == kind for section in report.sections)]
    groups = [[(section, COLOURS[kind]) for section in shown if section.kind == kind] for kind in kinds]
    groups.append([(sums[kind], COLOURS[kind]) for kind in (*(kinds if len(kinds) > 1 else ()), "total")])
    for group in filter(None, groups):
        for score, colour in group:
            yield y, score, colour
            y -= 1
        y -= 0.5


def _draw_row(
    axes: Axes, across: Transform, y: float, score: SectionScore, colour: str, glyphs: frozenset[int]
) -> Text:
    """Draw a bar, its share beside it and its counts in the columns on the right; return the name on its left."""
    accuracy = score.accuracy
    axes.barh(y, accuracy or 0.0, height=0.72, color=colour)
    share = "none asked" if accuracy is None else f"{accuracy:.1%}"
    axes.annotate(
        share, (accuracy or 0.0, y), (5, 0), textcoords="offset points", va="center", fontsize=8.5,
        color=INK if score.total else "0.5",
    )  # fmt: skip
    for x, count in zip(COLUMNS.values(), (score.correct, score.total, score.skipped), strict=True):
        axes.text(x / WIDTH, y, f"{count:,}", transform=across, va="center", ha="right", fontsize=8.5, color=INK)
    return axes.text(
        0, y, _label(score.name, glyphs, LONGEST_NAME), transform=across, va="center", ha="right", fontsize=9,
        color=INK, parse_math=False, usetex=False,
    )  # fmt: skip


def _make_room(axes: Axes, across: Transform, names: list[Text], dpi: float) -> None:
    """Let the bars begin where the longest name ends, and the columns follow."""
    longest = max(name.get_window_extent().width for name in names) / dpi
    left = MARGIN + longest + NAME_GAP
    _, bottom, _, height = axes.get_position().bounds
    axes.set_position((left / WIDTH, bottom, (BARS_END - left) / WIDTH, height))
    for name in names:
        name.set_x((left - NAME_GAP) / WIDTH)
    for head, x in COLUMNS.items():
        axes.text(x / WIDTH, 0.75, head, transform=across, ha="right", fontsize=8.5, color="0.4")


def _write_around(figure: Figure, report: AnalogyReport, height: float) -> None:
    total = report.sums[2]
    share = "no question asked" if total.accuracy is None else f"{total.accuracy:.1%} right"
    figure.text(MARGIN / WIDTH, 1 - 0.36 / height, f"Analogies, {share}", fontsize=13, weight="bold", color=INK)
    among = f"{report.method} among the {report.restrict_vocab:,} most frequent words"
    questions = f"{total.total:,} of {total.total + total.skipped:,} questions have all their words there"
    note = f"{among}; {questions}, the others are skipped"
    if (left_out := len(report.sections) - MOST_BARS) > 0:
        note += f"; {left_out:,} more sections are not drawn"
    figure.text(MARGIN / WIDTH, 0.16 / height, note, fontsize=8.5, color=INK)
