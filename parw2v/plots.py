"""Pictures: a map of word vectors and the loss curve, as PNG files.

Drawn without pyplot, so nothing here depends on a display or leaves state behind. Words come from a corpus and may
be anything: they are drawn as plain text, with what no installed font can show replaced by a box.
"""

import contextlib
import logging
import os
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from parw2v.arraytypes import FloatArray
from parw2v.errors import EvaluationError
from parw2v.files import atomic_write
from parw2v.layout import clusters, describe, lay_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, BLUE, ORANGE = "#2b2f36", "#c9ced6", "#2f6db5", "#d9822b"
CLUSTERS = (BLUE, "#d62728", "#2ca02c", "#9467bd", "#c46210", "#0e8f9e", "#b8327f", "#6b7a10", "#7a4a3a", "#4a5568")
CJK_FONTS = (
    "Noto Sans CJK KR", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans KR", "NanumGothic", "Malgun Gothic",
    "Apple SD Gothic Neo", "AppleGothic", "Hiragino Sans", "PingFang SC", "Microsoft YaHei", "WenQuanYi Zen Hei",
    "Droid Sans Fallback", "Arial Unicode MS",
)  # fmt: skip
LONGEST_LABEL = 18  # characters


def plot_tsne(
    unit_vectors: FloatArray,
    words: Sequence[str],
    path: str | os.PathLike[str],
    n_words: int = 300,
    seed: int = 0,
    method: str = "tsne",
) -> Path:
    """Draw frequent words on a plane, those with similar vectors together; return the file.

    Of a large vocabulary up to 200 words at the top, mostly function words, are left out. Colours are k-means
    clusters of the vectors themselves.

    Parameters
    ----------
    unit_vectors : float32 (V, D), rows of length one or zero
    words : sequence of str, length V, most frequent first
    path : where the PNG goes; its directory is created
    n_words : number of words to draw
    seed : the same seed draws the same picture
    method : "tsne" or "pca", as in `parw2v.layout.lay_out`

    Raises
    ------
    EvaluationError
        There is no word to draw, or a vector is not finite.
    SettingsError
        There is no such method.
    Parw2vError
        The file cannot be written; what stood there still does.
    """
    skip = min(200, max(0, len(words) - n_words) // 10)
    words = words[skip : skip + max(0, n_words)]
    vectors = np.asarray(unit_vectors[skip : skip + len(words)], dtype=np.float64)
    if not words or not np.isfinite(vectors).all():
        raise EvaluationError(f"cannot draw {len(words)} of the words: at least one is needed, with finite vectors")
    xy = lay_out(vectors, method, seed)
    with _drawing() as family:
        figure = _figure(11.0, 8.5)
        axes = figure.add_axes((0.02, 0.045, 0.96, 0.9))
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color(FAINT)
        colours = [CLUSTERS[k] for k in clusters(vectors, len(CLUSTERS), seed)]
        axes.scatter(xy[:, 0], xy[:, 1], s=9, c=colours, alpha=0.75, linewidths=0)
        low, high = xy.min(axis=0), xy.max(axis=0)
        margin = 0.06 * (high - low) + 1e-3
        axes.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
        glyphs = _glyphs(family)
        labels = [_label(word, glyphs) for word in words]
        drawn = _place_labels(axes, xy, labels, colours)
        which = f"the most frequent after the first {skip}" if skip else "the most frequent"
        figure.text(0.02, 0.96, f"{len(words):,} words, {which}", fontsize=13, color=INK, weight="bold")
        note = f"{describe(method, len(words))} of the unit vectors, coloured by k-means cluster; {drawn:,} labels fit"
        if boxes := sum("□" in label for label in labels):
            note += f"; □: no installed font has it ({boxes:,} of {len(words):,} words; Noto Sans CJK has most)"
        figure.text(0.02, 0.018, note, fontsize=9, color=INK)
        return atomic_write(Path(path), lambda file: figure.savefig(file, format="png"))


def plot_loss(history: Sequence[Any], path: str | os.PathLike[str]) -> Path:
    """Draw the loss against the words trained, every point faintly, a moving average on top; return the file.

    Parameters
    ----------
    history : sequence of points
        Objects with attributes ``words`` (raw words trained so far) and ``loss`` (mean over positive pairs, nats),
        and perhaps ``lr`` and ``epoch``; or tuples in this order, of two to four numbers. Changes of epoch are
        marked. Points with a loss that is not finite are left out.
    path : where the PNG goes; its directory is created

    Raises
    ------
    EvaluationError
        There is no point to draw.
    Parw2vError
        The file cannot be written; what stood there still does.
    """
    rows = [
        [point.words, point.loss, getattr(point, "lr", None), getattr(point, "epoch", None)]
        if hasattr(point, "words")
        else [*point, None, None][:4]
        for point in history
    ]
    points = np.array(rows, dtype=np.float64).reshape(-1, 4)  # None becomes NaN
    points = points[np.isfinite(points[:, :2]).all(axis=1)]
    points = points[np.argsort(points[:, 0], kind="stable")]
    if not len(points):
        raise EvaluationError(f"cannot draw a loss curve from {len(history)} points: none has a finite loss")
    words, loss, rate, epoch = points.T
    words = words / 1e6
    smooth = _moving_average(loss, len(loss) // 40)
    with _drawing():
        figure = _figure(9.0, 5.2)
        axes = figure.add_axes((0.085, 0.115, 0.815, 0.795))
        axes.plot(words, loss, ".", color=BLUE, alpha=0.3 if len(loss) > 1 else 1, ms=5, mew=0, label="as reported")
        axes.plot(words, smooth, color=BLUE, lw=2, label="moving average")
        axes.set_xlabel("words trained (millions)")
        axes.set_ylabel("mean loss per positive example (nats)")
        axes.set_xlim(0, words[-1] * 1.01 or 1)
        axes.grid(color=FAINT, lw=0.6, alpha=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        ends = words[1:][np.diff(epoch) > 0]
        for i, position in enumerate(ends if len(ends) <= 12 else []):  # more would hide the curve
            axes.axvline(position, color=INK, lw=0.8, ls=":", alpha=0.6, label="" if i else "next epoch")
        axes.set_title(f"Training loss, {smooth[-1]:.3f} at the end", loc="left", fontsize=13, weight="bold", color=INK)
        if np.isfinite(rate).any():
            right = axes.twinx()
            right.plot(words, rate, color=ORANGE, lw=1, ls="--", label="learning rate")
            right.set_ylabel("learning rate", color=ORANGE)
            right.set_ylim(bottom=0)
            right.tick_params(colors=ORANGE)
            right.spines[["top", "left"]].set_visible(False)
            axes.plot([], [], color=ORANGE, lw=1, ls="--", label="learning rate")
            axes.set_zorder(right.get_zorder() + 1)  # no line through the legend
            axes.patch.set_visible(False)
        axes.legend(loc="upper right", edgecolor="none", framealpha=0.9)
        return atomic_write(Path(path), lambda file: figure.savefig(file, format="png"))


def _place_labels(axes: "Axes", xy: npt.NDArray[np.float64], labels: list[str], colours: list[str]) -> int:
    """Write each label beside its point where it hides neither a label nor a point; return how many were written.

    Greedy, in order of frequency: the nearest of several places that is free, or none.
    """
    from matplotlib.lines import Line2D
    from matplotlib.transforms import IdentityTransform

    pixels = IdentityTransform()  # the picture is saved at the resolution it is laid out in
    points = axes.transData.transform(xy)
    frame = axes.get_window_extent()
    sides = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)])
    away = np.repeat([6.0, 14.0, 24.0], len(sides))[:, None]
    sides = np.tile(sides, (3, 1))
    taken = np.empty((0, 4))  # labels, and pieces of the lines to them
    drawn = 0
    for point, label, colour in zip(points, labels, colours, strict=True):
        text = axes.text(0, 0, label, transform=pixels, fontsize=8.5, color=colour, parse_math=False, usetex=False)
        extent = text.get_window_extent()
        size = np.array([extent.width, extent.height])
        corner = point + away * sides + size * (sides - 1) / 2
        box = np.hstack([corner - 1, corner + size + 1])  # (places, x0 y0 x1 y1)
        inside = (box[:, :2] > frame.min).all(axis=1) & (box[:, 2:] < frame.max).all(axis=1)
        hides = ((points > box[:, None, :2] - 2) & (points < box[:, None, 2:] + 2)).all(axis=2)
        meets = ((taken[:, :2] < box[:, None, 2:]) & (box[:, None, :2] < taken[:, 2:])).all(axis=2)
        end = np.clip(point, corner, corner + size)  # of a line from the point to the label
        line = point + np.linspace(0.2, 1, 8)[:, None, None] * (end - point)  # (steps, places, 2)
        cut = ((line[:, :, None] > taken[:, :2]) & (line[:, :, None] < taken[:, 2:])).all(axis=3).any(axis=0)
        free = np.flatnonzero(inside & ~np.hstack([hides, meets, cut]).any(axis=1))
        if not len(free):
            text.remove()
            continue
        place = free[0]
        text.set_position(corner[place] - (extent.x0, extent.y0))
        taken = np.vstack([taken, box[place]])
        drawn += 1
        if place >= 8:  # too far off to be read as this point's label without a line
            x, y = np.stack([point, end[place]]).T
            axes.add_line(Line2D(x, y, transform=pixels, color=colour, lw=0.5, alpha=0.6))
            taken = np.vstack([taken, np.hstack([line[:, place] - 1, line[:, place] + 1])])
    return drawn


def _moving_average(values: npt.NDArray[np.float64], reach: int) -> npt.NDArray[np.float64]:
    """Mean over `reach` values on both sides, as far as there are; fewer at the start, where the loss falls fast."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    i = np.arange(len(values))
    half = np.minimum(reach, i // 4)
    last = np.minimum(i + half, len(values) - 1)
    return np.asarray((total[last + 1] - total[i - half]) / (last + 1 - i + half))


def _label(word: str, glyphs: frozenset[int], longest: int = LONGEST_LABEL) -> str:
    """Return `word` as it can be drawn on one line: shortened, a box for what cannot be shown."""
    short = word if len(word) <= longest else word[: longest - 1] + "…"
    shown = (c if ord(c) in glyphs and unicodedata.category(c)[0] != "C" else "□" for c in short)
    return "".join(shown) or "(empty)"


def _glyphs(family: list[str]) -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset().union(*(get_font(findfont(FontProperties(family=[name]))).get_charmap() for name in family))


@contextlib.contextmanager
def _drawing() -> Iterator[list[str]]:
    """Default settings, whatever the user's are, with fonts for CJK words added; no chatter about fonts.

    Yields the names of the fonts, most preferred first.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        import matplotlib.style
        from matplotlib.font_manager import fontManager

        family = ["DejaVu Sans", *(name for name in CJK_FONTS if name in fontManager.get_font_names())]
        with warnings.catch_warnings(), matplotlib.style.context(["default", {"font.family": family}]):
            warnings.simplefilter("ignore")
            yield family
    finally:
        logger.setLevel(level)


def _figure(width: float, height: float) -> "Figure":
    """Return an empty figure of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=140, facecolor="white")
    FigureCanvasAgg(figure)
    return figure
