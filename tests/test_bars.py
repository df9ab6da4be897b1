"""Bars are as long as the shares they stand for, whatever the names of the sections and however many."""

import os

import numpy as np
import pytest
from PIL import Image

from parw2v.bars import plot_analogies
from parw2v.errors import EvaluationError, Parw2vError
from parw2v.evaluation import AnalogyReport, SectionScore

HOSTILE = [
    "$x^$", "\x1b[31m", "", "x" * 5000, "gram</script>", "한국어 수도", "gram\ud800", "a\nb\tc", "e\u0301\u202eאב", "😀",
    "\\frac{", "gram %s{}", "中文字" * 20,
]  # fmt: skip


@pytest.fixture(autouse=True)
def silent(capfd, recwarn, caplog):
    """No picture may print, log or warn: fonts without a glyph are the usual reason."""
    yield
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    assert not caplog.records


def report(*scores):
    return AnalogyReport(tuple(SectionScore(*score) for score in scores), 30_000)


def pixels(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def bars(path):
    """Lengths in pixels of the runs of (blue, orange) rows that are bars, from the top down."""
    image = pixels(path)
    found = []
    for strong, weak in ((2, 0), (0, 2)):
        counts = (image[..., strong] > image[..., weak] + 60).sum(axis=1)
        starts = np.flatnonzero(np.diff(np.concatenate([[0], counts > 20])) == 1)
        found.append([int(counts[start + 2]) for start in starts])
    return found


def test_bars_are_as_long_as_the_shares(tmp_path):
    scores = [("capitals", 80, 100, 5), ("gram1", 20, 100, 0), ("family", 40, 100, 0), ("gram2", 0, 50, 1)]
    blue, orange = bars(plot_analogies(report(*scores), tmp_path / "new" / "bars.png"))
    assert os.listdir(tmp_path / "new") == ["bars.png"], "no temporary file is left"
    whole = blue[0] / 0.8
    assert np.allclose(np.array(blue) / whole, [0.8, 0.4, 0.6], atol=0.01), "capitals, family, all semantic"
    assert np.allclose(np.array(orange) / whole, [0.2, 20 / 150], atol=0.01), "gram1, all syntactic; none for gram2"


@pytest.mark.parametrize("n", [1, 2, len(HOSTILE)])
def test_hostile_names(tmp_path, n):
    path = plot_analogies(report(*[(name, i + 3, 20, 3) for i, name in enumerate(HOSTILE[:n])]), tmp_path / "b.png")
    blue, _ = bars(path)
    n_semantic = sum(not name.startswith("gram") for name in HOSTILE[:n])
    assert len(blue) == n_semantic + (n > 2), "the sum too, where there are both kinds"


def test_names_are_not_cut_off(tmp_path):
    """The longest names, in the widest letters, begin inside the picture."""
    image = pixels(plot_analogies(report(("W" * 40, 1, 2, 0), ("gram" + "中" * 40, 1, 2, 0)), tmp_path / "b.png"))
    assert (image[:, :15] > 250).all()
    assert (image[:, -15:] > 250).all()


def test_many_sections(tmp_path, monkeypatch):
    monkeypatch.setattr("parw2v.bars.MOST_BARS", 7)
    blue, _ = bars(plot_analogies(report(*[(f"section {i}", 5, 10, 0) for i in range(200)]), tmp_path / "b.png"))
    assert len(blue) == 7


def test_nothing_asked(tmp_path):
    path = plot_analogies(report(("one", 0, 0, 7), ("gram", 0, 0, 0)), tmp_path / "b.png")
    assert bars(path) == [[], []]


def test_no_section(tmp_path):
    with pytest.raises(EvaluationError, match="at least one"):
        plot_analogies(report(), tmp_path / "b.png")
    assert not os.listdir(tmp_path)


def test_a_picture_that_cannot_be_written(tmp_path):
    with pytest.raises(Parw2vError, match="cannot be written"):
        plot_analogies(report(("one", 1, 2, 0)), tmp_path)
