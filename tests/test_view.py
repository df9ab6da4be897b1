"""The page holds what the model says, to the byte, and no word can get out of the data."""

import base64
import json
import re

import numpy as np
import pytest

from parw2v import Vocabulary, Word2Vec, write_view
from parw2v.commands import main
from parw2v.errors import ModelError, Parw2vError, SettingsError
from parw2v.view import COLOURS, MOST_WORDS, make_map, quantise, render

HOSTILE = [
    "</script><script>hurt()</script>", "<img src=x onerror=hurt()>", "\"quotes'", "<!--", "{{data}}", "{{nothing}}",
    "\\u003c", "a\u2028b\u2029c", "\x1b[31m", "שלום", "\u202eabc", "😀👩‍👩‍👧", "$&", "%s{}", "&amp;", "x" * 3000,
    "e" + "\u0301" * 50, "한국어", "tab\tline\nend", "\ud800", "__proto__", "constructor", "#", "%41", "[[]]",
]  # fmt: skip


def model_of(words, dimension=20, seed=0):
    """Words in clusters of ten around common directions."""
    rng = np.random.default_rng(seed)
    vocab = Vocabulary.from_lists(words, [10 * (len(words) - i) for i in range(len(words))], 1)
    model = Word2Vec(vocab, dimension)
    centres = rng.normal(size=(len(words) // 10 + 1, dimension))
    model.W_in[:] = centres[np.arange(len(words)) // 10] + 0.7 * rng.normal(size=(len(words), dimension))
    model.forget_units()
    return model


def numbered(n):
    return [f"word{i}" for i in range(n)]


def data_of(page):
    [text] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(text)


def decoded(data):
    n = len(data["words"])
    xy = np.frombuffer(base64.b64decode(data["xy"]), "<u2").reshape(n, 2)
    group = np.frombuffer(base64.b64decode(data["group"]), np.uint8)
    vectors = np.frombuffer(base64.b64decode(data["vectors"]), np.int8).reshape(n, data["dim"])
    return xy, group, vectors


def test_the_page_holds_the_map(tmp_path):
    model = model_of(numbered(300))
    path = write_view(model, tmp_path / "new" / "map.html", max_words=200, method="pca", name="some.npz")
    assert [entry.name for entry in path.parent.iterdir()] == ["map.html"]
    data = data_of(path.read_text())
    expected = make_map(model, 200, "pca")
    assert data["words"] == model.vocab.words[:200]
    assert data["counts"] == model.vocab.counts[:200].tolist()
    assert (data["name"], data["vocabulary"], data["dim"]) == ("some.npz", 300, 20)
    assert (data["method"], data["format"]) == ("PCA", "parw2v view 1")
    xy, group, vectors = decoded(data)
    assert np.array_equal(xy, expected.xy)
    assert np.array_equal(group, expected.group)
    assert np.array_equal(vectors, expected.vectors)
    assert len(group) == 200
    assert sorted(set(group)) == list(range(COLOURS))


def test_places_fill_the_square_and_keep_their_proportions():
    model = model_of(numbered(100))
    xy = make_map(model, method="pca").xy.astype(float)
    units = model.unit_vectors.astype(float)
    centred = units - units.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    span = np.ptp(xy, axis=0)
    assert span.max() == 65535
    np.testing.assert_allclose(span[1] / span[0], np.ptp(u[:, 1] * s[1]) / np.ptp(u[:, 0] * s[0]), rtol=1e-3)
    np.testing.assert_allclose(xy.min(axis=0) + xy.max(axis=0), 65535, atol=2)


def test_neighbours_on_the_page_are_those_of_the_model():
    model = model_of(numbered(400), dimension=100)
    vectors = make_map(model, method="pca").vectors.astype(float)
    lengths = np.linalg.norm(vectors, axis=1)
    cosines = vectors @ vectors.T / np.outer(lengths, lengths)
    exact = model.unit_vectors @ model.unit_vectors.T
    assert abs(cosines - exact).max() < 0.006
    assert (cosines - exact).std() < 0.0015, "what the documentation says"
    np.fill_diagonal(cosines, -2)
    for word in range(0, 400, 17):
        for place, (name, cosine) in zip(
            np.argsort(-cosines[word])[:10], model.most_similar(f"word{word}"), strict=True
        ):
            assert cosines[word, place] == pytest.approx(cosine, abs=0.004)
            assert cosines[word, model.vocab.index[name]] == pytest.approx(cosine, abs=0.004)


def test_quantise():
    rows = np.array([[0.5, -1, 0.25], [0, 0, 0], [1e-20, 0, -5e-21]], np.float32)
    assert quantise(rows).tolist() == [[64, -127, 32], [0, 0, 0], [127, 0, -64]]
    assert quantise(rows).dtype == np.int8


def test_hostile_words_stay_in_the_data():
    model = model_of(HOSTILE)
    page = render(make_map(model, method="pca"), "</title><b>", len(HOSTILE))
    page.encode()
    data = data_of(page)
    assert data["words"] == HOSTILE
    assert data["name"] == "</title><b>"
    assert "hurt" in page
    plain = render(make_map(model_of(numbered(len(HOSTILE))), method="pca"), "", len(HOSTILE))
    for sign in ("<", ">", "{{", "\u2028", "\x1b"):
        extra = 2 if sign == "{{" else 0  # the two words, which are no marks of the template
        assert page.count(sign) == plain.count(sign) + extra, sign


def test_the_page_asks_for_nothing():
    page = render(make_map(model_of(numbered(20)), method="pca"), "", 20)
    assert not re.findall(r"(?i)(?:https?:)?//[\w.]+\.\w", re.sub(r"^\s*//.*$", "", page, flags=re.M))
    for tag in ("link", "script", "img", "iframe", "object"):
        assert not re.findall(rf"<{tag}\b[^>]*(?:src|href)=(?!\"data:)", page)
    assert "@import" not in page
    assert "url(" not in page
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_can_be_read(theme):
    """WCAG 2: text needs a contrast of 4.5 with its ground."""
    page = render(make_map(model_of(numbered(20)), method="pca"), "", 20)
    block = re.search(r':root\[data-theme="dark"\] \{(.*?)\}' if theme == "dark" else r":root \{(.*?)\}", page, re.S)[1]
    colours = dict(re.findall(r"--([a-z]+\d*): (#[0-9a-f]{6})", block))

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(a, b):
        low, high = sorted((luminance(a), luminance(b)))
        return (high + 0.05) / (low + 0.05)

    names = ["ink", "soft", *(f"c{k}" for k in range(COLOURS))]
    grounds = ["paper", "card", "hover"]
    poor = {(n, g): contrast(colours[n], colours[g]) for n in names for g in grounds if g in colours}
    assert {pair: ratio for pair, ratio in poor.items() if ratio < 4.5} == {}
    assert len(poor) >= 3 * COLOURS


@pytest.mark.parametrize("n", [2, 3, 5, 7])
@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_few_words(tmp_path, n, method):
    data = data_of(write_view(model_of(numbered(n)), tmp_path / "m.html", method=method).read_text())
    assert len(data["words"]) == n
    assert decoded(data)[0].shape == (n, 2)


def test_one_word_and_one_dimension():
    assert make_map(model_of(numbered(5)), max_words=1).xy.tolist() == [[32768, 32768]]
    assert make_map(model_of(numbered(30), dimension=1)).vectors.shape == (30, 1)


def test_the_same_seed_gives_the_same_page(tmp_path):
    pages = [write_view(model_of(numbered(60)), tmp_path / f"{i}.html", seed=i // 2).read_bytes() for i in range(3)]
    assert pages[0] == pages[1]
    assert pages[0] != pages[2]


@pytest.mark.parametrize("max_words", [0, -1, MOST_WORDS + 1])
def test_a_number_of_words_out_of_range_is_refused(max_words):
    with pytest.raises(SettingsError, match=f"max_words is {max_words}; it must be from 1 to 50000"):
        make_map(model_of(numbered(20)), max_words)


def test_a_vector_that_is_not_finite_is_named():
    model = model_of(numbered(20))
    model.W_in[7, 3] = np.nan
    model.forget_units()
    with pytest.raises(ModelError, match="the vector of 'word7' is not finite"):
        make_map(model)
    assert len(make_map(model, max_words=7).words) == 7, "rows that are not shown do not count"


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path):
    (tmp_path / "file").write_text("old")
    for target in (tmp_path / "file" / "m.html", tmp_path):
        with pytest.raises(Parw2vError, match="cannot be written"):
            write_view(model_of(numbered(20)), target, method="pca")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_command(tmp_path, capsys):
    model_of(numbered(50)).save(tmp_path / "model")
    assert main(["view", str(tmp_path / "model"), "--max-words", "40"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'model.html'}\n"
    assert "placing 40 words" in err
    assert re.search(r"page of 0\.\d MB in \d\.\d s", err)
    data = data_of((tmp_path / "model.html").read_text())
    assert (data["name"], data["method"], len(data["words"])) == ("model.npz", "t-SNE", 40)
    assert (
        main(["view", str(tmp_path / "model.npz"), "--method=pca", "--out", str(tmp_path / "p.html"), "--quiet"]) == 0
    )
    assert capsys.readouterr() == (f"{tmp_path / 'p.html'}\n", "")
    assert data_of((tmp_path / "p.html").read_text())["method"] == "PCA"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["nowhere"], "nowhere.npz"),
        (["model", "--max_words", "0"], "max_words is 0; it must be from 1 to 50000"),
        (["model", "--out", "."], "cannot be written"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    model_of(numbered(12)).save("model")
    assert main(["view", "--quiet", *flags]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("parw2v: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]
