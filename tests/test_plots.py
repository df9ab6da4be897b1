"""Pictures have something on them, whatever the words and however few, and drawing them leaves no trace."""

import os
import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest
from PIL import Image

from parw2v.errors import EvaluationError, Parw2vError
from parw2v.plots import LONGEST_LABEL, _label, _moving_average, plot_loss, plot_tsne

HOSTILE = [
    "$x^$", "\x1b[31m", "", "x" * 5000, "</script>", "한국어", "\ud800", "a\nb\tc", "e\u0301\u202e", "😀", "$",
    "\\frac{", "%s{}", "\u0000", "中文字",
]  # fmt: skip

LossPoint = namedtuple("LossPoint", "words loss lr epoch")


@pytest.fixture(autouse=True)
def silent(capfd, recwarn, caplog):
    """No picture may print, log or warn: fonts without a glyph are the usual reason."""
    yield
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    assert not caplog.records


def unit_rows(n, dimension, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def pixels(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def coloured(path):
    """Share of pixels that are neither white nor grey."""
    image = pixels(path).astype(int)
    return float((np.ptp(image, axis=2) > 40).mean())


def clustered():
    """Four clusters of thirty vectors."""
    return (np.repeat(unit_rows(4, 20), 30, axis=0) + 0.4 * unit_rows(120, 20, seed=1)).astype(np.float32)


def test_map_of_words(tmp_path):
    vectors, words = clustered(), [f"word{i}" for i in range(120)]
    first = plot_tsne(vectors, words, tmp_path / "new" / "dir" / "tsne.png", n_words=120)
    assert first == tmp_path / "new" / "dir" / "tsne.png"
    image = pixels(first)
    assert min(image.shape[:2]) > 1000
    assert coloured(first) > 0.003
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 100
    second = plot_tsne(vectors, words, tmp_path / "again.png", n_words=120)
    assert np.array_equal(image, pixels(second))
    assert os.listdir(first.parent) == ["tsne.png"], "no temporary file is left"


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, len(HOSTILE)])
def test_few_and_hostile_words(tmp_path, n):
    path = plot_tsne(unit_rows(n, 6), HOSTILE[:n], tmp_path / "t.png")
    assert coloured(path) > 5e-5


@pytest.mark.parametrize(("n", "dimension"), [(3, 1), (12, 1), (12, 2)])
def test_few_dimensions(tmp_path, n, dimension):
    assert coloured(plot_tsne(unit_rows(n, dimension), [f"w{i}" for i in range(n)], tmp_path / "t.png")) > 5e-5


@pytest.mark.parametrize("n", [3, 40])
def test_equal_vectors(tmp_path, n):
    assert coloured(plot_tsne(np.zeros((n, 4), np.float32), ["same"] * n, tmp_path / "t.png")) > 0


def test_words_are_taken_from_the_top(tmp_path):
    """Rows past those drawn are not looked at: a NaN there does no harm, and one among them is refused."""
    vectors = unit_rows(500, 4)
    vectors[60:] = np.nan
    plot_tsne(vectors, [f"w{i}" for i in range(500)], tmp_path / "t.png", n_words=5)
    with pytest.raises(EvaluationError, match="finite"):
        plot_tsne(vectors[:61], ["w"] * 61, tmp_path / "bad.png")
    assert os.listdir(tmp_path) == ["t.png"]


@pytest.mark.parametrize(("n", "n_words"), [(0, 10), (5, 0), (5, -3)])
def test_nothing_to_draw(tmp_path, n, n_words):
    with pytest.raises(EvaluationError, match="at least one"):
        plot_tsne(unit_rows(n, 3), ["w"] * n, tmp_path / "t.png", n_words=n_words)


def test_label():
    glyphs = frozenset(map(ord, "abcx…\u200b\x1b$^"))
    assert _label("$abc^$", glyphs) == "$abc^$"
    assert _label("a\x1bb\u200bc한", glyphs) == "a□b□c□"
    assert _label("", glyphs) == "(empty)"
    assert _label("x" * LONGEST_LABEL, glyphs) == "x" * LONGEST_LABEL
    assert _label("x" * (LONGEST_LABEL + 1), glyphs) == "x" * (LONGEST_LABEL - 1) + "…"


def test_user_settings_neither_count_nor_change(tmp_path):
    import matplotlib

    vectors, words = unit_rows(8, 3), [f"$w_{i}" for i in range(8)]
    plain = pixels(plot_tsne(vectors, words, tmp_path / "a.png"))
    with matplotlib.rc_context({"text.usetex": True, "text.color": "red", "savefig.dpi": 30, "font.family": "serif"}):
        again = pixels(plot_tsne(vectors, words, tmp_path / "b.png"))
        assert matplotlib.rcParams["text.usetex"] is True
    assert np.array_equal(plain, again)


def history(n=400, n_epochs=3):
    words = np.arange(1, n + 1) * 50_000
    noise = np.random.default_rng(0).normal(0, 0.05, n)
    return [
        LossPoint(int(w), float(2 + 2 * np.exp(-w / 1e6) + e), 0.025 * (1 - i / n), i * n_epochs // n)
        for i, (w, e) in enumerate(zip(words, noise, strict=True))
    ]


def test_loss_curve(tmp_path):
    full = plot_loss(history(), tmp_path / "new" / "loss.png")
    bare = plot_loss([(p.words, p.loss) for p in history()], tmp_path / "bare.png")
    assert os.listdir(full.parent) == ["loss.png"]
    images = [pixels(path).astype(int) for path in (full, bare)]
    blue = [int((image[..., 2] > image[..., 0] + 60).sum()) for image in images]
    orange = [int((image[..., 0] > image[..., 2] + 60).sum()) for image in images]
    assert min(blue) > 1000
    assert orange[0] > 200, "the learning rate, where it is known"
    assert orange[1] == 0


def test_loss_points_of_any_kind(tmp_path):
    points = history(50)
    objects = [type("Point", (), p._asdict())() for p in points]
    disordered = [*[tuple(p) for p in points[::-1]], (7, float("nan"), 0.1, 9), (8, float("inf"), 0.1, 9)]
    images = [pixels(plot_loss(h, tmp_path / "l.png")) for h in (points, objects, disordered)]
    assert np.array_equal(images[0], images[1])
    assert np.array_equal(images[0], images[2])


@pytest.mark.parametrize("points", [[(1000, 4.1)], [(0, 4.1)], [(0, 4.1, None), (10, 4.1, 0.1)]])
def test_few_loss_points(tmp_path, points):
    assert coloured(plot_loss(points, tmp_path / "l.png")) > 5e-5


@pytest.mark.parametrize("points", [[], [(1, float("nan"))]])
def test_no_loss_points(tmp_path, points):
    with pytest.raises(EvaluationError, match="none has a finite loss"):
        plot_loss(points, tmp_path / "l.png")
    assert not os.listdir(tmp_path)


def test_moving_average():
    values = np.array([8.0, 4.0, 4.0, 4.0, 2.0, 6.0, 1.0, 3.0])
    by_hand = [8, 4, 4, 4, (4 + 2 + 6) / 3, (2 + 6 + 1) / 3, (6 + 1 + 3) / 3, (1 + 3) / 2]
    np.testing.assert_allclose(_moving_average(values, 1), by_hand)
    np.testing.assert_allclose(_moving_average(values, 0), values)
    np.testing.assert_allclose(_moving_average(np.full(100, 3.0), 10), 3.0)


def test_a_picture_that_cannot_be_written_leaves_the_old_one(tmp_path):
    (tmp_path / "file").write_text("old")
    for target in (tmp_path / "file" / "loss.png", tmp_path):
        with pytest.raises(Parw2vError, match="cannot be written"):
            plot_loss([(1, 2.0)], target)
    assert (tmp_path / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_import_is_light_and_pyplot_is_never_loaded(tmp_path):
    code = (
        "import sys, parw2v.plots as p; print([m for m in ('sklearn', 'matplotlib') if m in sys.modules]);"
        f"p.plot_loss([(1, 2.0)], {str(tmp_path / 'l.png')!r}); print('matplotlib.pyplot' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("[]\nFalse\n", "")
