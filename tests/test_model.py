"""A model starts as stated, answers as a brute-force search does, and survives its file or says what is wrong."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from parw2v.errors import ModelError, Parw2vError, SettingsError, VocabularyError
from parw2v.model import Word2Vec, normalise, npz_path
from parw2v.npz import read_npz, write_npz
from parw2v.vocabulary import Vocabulary

WORDS = ["the", "king", "queen", "man", "woman", "é", "$x^$", "a\nb", "한국어", "kong", "zero", "\ud800"]


def vocab_of(words=WORDS):
    return Vocabulary.from_lists(list(words), list(range(len(words), 0, -1)))


@pytest.fixture
def model():
    model = Word2Vec(vocab_of(), embed_dim=6, n_negatives=7, objective="cbow", seed=2)
    model.W_out += np.random.default_rng(1).normal(size=model.W_out.shape).astype(np.float32)
    model.W_in[WORDS.index("zero")] = 0
    model.settings = {"lr": 0.05, "window": 5, "deep": {"x": [1, None]}}
    return model


# ---------------------------------------------------------------------------------------------------- the start


def test_initial_vectors():
    vocab = vocab_of([f"w{i}" for i in range(500)])
    for dimension in (1, 10, 300):
        model = Word2Vec(vocab, embed_dim=dimension)
        assert model.W_in.dtype == model.W_out.dtype == np.float32
        assert model.W_in.shape == model.W_out.shape == (500, dimension)
        assert not model.W_out.any()
        reach = 0.4 / dimension**0.5
        assert 0.98 * reach < np.abs(model.W_in).max() <= reach
        assert abs(model.W_in.mean()) < 0.1 * reach
        lengths = np.linalg.norm(model.W_in, axis=1)
        assert np.sqrt(np.mean(lengths**2)) == pytest.approx(0.23, rel=0.1)
    assert (model.objective, model.n_negatives, model.embed_dim, len(model)) == ("skipgram", 5, 300, 500)


def test_seeds():
    first, same, other = (Word2Vec(vocab_of(), 8, seed=seed) for seed in (42, 42, 43))
    assert np.array_equal(first.W_in, same.W_in)
    assert not np.array_equal(first.W_in, other.W_in)
    assert np.array_equal(first.W_in, Word2Vec(vocab_of(), 8).W_in)


@pytest.mark.parametrize(
    "options",
    [
        {"embed_dim": 0},
        {"embed_dim": 10_001},
        {"embed_dim": 2.5},
        {"embed_dim": "8"},
        {"n_negatives": 0},
        {"n_negatives": 1001},
        {"n_negatives": 5.5},
        {"n_negatives": float("nan")},
        {"objective": "glove"},
    ],
)
def test_settings_out_of_range(options):
    with pytest.raises(SettingsError, match=next(iter(options))):
        Word2Vec(vocab_of(), **options)


def test_numbers_of_numpy(tmp_path):
    model = Word2Vec(vocab_of(), np.int64(4), np.int32(3))
    assert Word2Vec.load(model.save(tmp_path / "m")).n_negatives == 3


def test_no_words():
    with pytest.raises(VocabularyError, match="0 words; build it"):
        Word2Vec(Vocabulary())


# ---------------------------------------------------------------------------------------------------- queries


def cosine(a, b):
    a, b = a.astype(float), b.astype(float)
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-30))


def ranked(model, query, without):
    """Every word by float64 cosine, nearest first."""
    scores = [(word, cosine(model[word], query)) for word in model.vocab.words if word not in without]
    return sorted(scores, key=lambda pair: -pair[1])


def assert_ranking(found, expected):
    assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-5)
    allowed = dict(expected)
    for word, score in found:
        assert score == pytest.approx(allowed[word], abs=1e-5)
    assert len({word for word, _ in found}) == len(found)


def test_most_similar_against_brute_force():
    vocab = vocab_of([f"w{i}" for i in range(300)])
    model = Word2Vec(vocab, 20, seed=5)
    model.W_in *= np.linspace(1, 9, 300, dtype=np.float32)[:, None]  # lengths must not matter
    for word in ("w0", "w17", "w299"):
        expected = ranked(model, model[word], [word])
        for top_n in (1, 2, 10, 298, 299):
            found = model.most_similar(word, top_n)
            assert_ranking(found, expected[:top_n])
            assert [w for w, _ in found] == [w for w, _ in expected[:top_n]]
        assert len(model.most_similar(word, 1000)) == 299
    assert len(model.most_similar("w3")) == 10


def test_analogy_against_brute_force():
    vocab = vocab_of([f"w{i}" for i in range(200)])
    model = Word2Vec(vocab, 15, seed=6)
    model.W_in *= np.linspace(9, 1, 200, dtype=np.float32)[:, None]
    for a, b, c in (("w1", "w2", "w3"), ("w1", "w1", "w3"), ("w9", "w8", "w9"), ("w4", "w4", "w4")):
        unit = {w: model[w].astype(float) / np.linalg.norm(model[w].astype(float)) for w in (a, b, c)}
        expected = ranked(model, unit[a] - unit[b] + unit[c], {a, b, c})
        assert_ranking(model.analogy(a, b, c, top_n=7), expected[:7])
        assert model.analogy(a, b, c)[0][0] == expected[0][0]
        assert len(model.analogy(a, b, c, top_n=500)) == 200 - len({a, b, c})


def test_similarity_and_zero_vectors(model):
    assert model.similarity("king", "queen") == pytest.approx(cosine(model["king"], model["queen"]), abs=1e-6)
    assert model.similarity("king", "king") == pytest.approx(1)
    assert model.similarity("king", "zero") == 0
    assert all(score == 0 for _, score in model.most_similar("zero", 50))
    assert len(model.most_similar("zero", 50)) == len(WORDS) - 1
    assert np.isfinite(model.unit_vectors).all()


def test_smallest_vocabulary():
    model = Word2Vec(vocab_of(["a", "b"]), 3)
    assert [word for word, _ in model.most_similar("a", 10)] == ["b"]
    assert model.analogy("a", "b", "a") == []
    for ask in (lambda: model.most_similar("a", 0), lambda: model.analogy("a", "b", "a", top_n=-1)):
        with pytest.raises(SettingsError, match="top_n is"):
            ask()


@pytest.mark.parametrize("ask", ["most_similar", "__getitem__"])
def test_unknown_words(model, ask):
    with pytest.raises(VocabularyError, match=r"'kingg' is not in the vocabulary; did you mean king"):
        getattr(model, ask)("kingg")
    with pytest.raises(VocabularyError, match=r"'0000' is not in the vocabulary$"):
        getattr(model, ask)("0000")
    assert "king" in model
    assert "kingg" not in model


def test_unit_vectors_follow_when_told(model):
    before = model.unit_vectors
    assert model.unit_vectors is before
    model.W_in[0] = -model.W_in[0]
    model.forget_units()
    assert model.unit_vectors[0] == pytest.approx(-before[0])
    other = model.with_vectors(model.W_out, model.W_in)
    assert other.unit_vectors == pytest.approx(normalise(model.W_out))
    assert other.vocab is model.vocab
    assert other.W_in is model.W_out
    assert model.similarity("the", "the") == pytest.approx(1)


# ---------------------------------------------------------------------------------------------------- files


def assert_same(found, model):
    assert found.W_in.tobytes() == model.W_in.tobytes()
    assert found.W_out.tobytes() == model.W_out.tobytes()
    assert found.W_in.shape == found.W_out.shape == model.W_in.shape
    assert found.W_in.dtype == found.W_out.dtype == np.float32
    assert found.vocab.words == model.vocab.words
    assert found.vocab.index == model.vocab.index
    assert found.vocab.counts.tolist() == model.vocab.counts.tolist()
    for name in ("settings", "objective", "n_negatives", "embed_dim"):
        assert getattr(found, name) == getattr(model, name)
    assert found.vocab.min_count == model.vocab.min_count


def test_save_and_load(model, tmp_path):
    path = model.save(tmp_path / "deep" / "model")
    assert path == tmp_path / "deep" / "model.npz"
    for name in (path, str(path), path.with_suffix(""), str(path.with_suffix(""))):
        assert_same(Word2Vec.load(name), model)
    again = Word2Vec.load(path)
    assert again.most_similar("king") == model.most_similar("king")
    assert_same(Word2Vec.load(again.save(tmp_path / "again.npz")), model)
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_numpy_reads_the_file(model, tmp_path):
    with np.load(model.save(tmp_path / "model"), allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["W_in", "W_out", "counts", "settings", "words"]
        assert np.array_equal(arrays["W_in"], model.W_in)
        assert np.array_equal(arrays["W_out"], model.W_out)
        assert arrays["words"].tolist() == WORDS
        assert arrays["counts"].dtype == np.int64
        assert json.loads(str(arrays["settings"]))["training"] == model.settings


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("results/model", "results/model.npz"),
        ("results/model.npz", "results/model.npz"),
        ("results/model.v1", "results/model.v1.npz"),
        ("model.npz.bak", "model.npz.bak.npz"),
        (".hidden", ".hidden.npz"),
        ("a b/한국어", "a b/한국어.npz"),
    ],
)
def test_suffix(model, tmp_path, given, written):
    assert npz_path(given) == Path(written)
    assert npz_path(npz_path(given)) == npz_path(given)
    path = model.save(tmp_path / given)
    assert path == tmp_path / written
    assert_same(Word2Vec.load(tmp_path / given), model)


def test_vectors_in_another_memory_layout(model, tmp_path):
    turned = model.with_vectors(np.asfortranarray(model.W_in), model.W_out[::-1][::-1])
    assert_same(Word2Vec.load(turned.save(tmp_path / "model")), model)


@pytest.mark.parametrize("path", ["", ".", "..", "/", "missing", "missing.npz", "no/such/place"])
def test_no_such_model(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError):
        Word2Vec.load(path)


def test_a_save_that_fails_keeps_the_old_model(model, tmp_path):
    path = model.save(tmp_path / "model")
    before = path.read_bytes()
    model.settings = {"not": object()}
    with pytest.raises(TypeError):
        model.save(path)
    assert path.read_bytes() == before
    with pytest.raises(Parw2vError, match="cannot be written"):
        Word2Vec(vocab_of(), 3).save(path / "below")
    assert list(tmp_path.iterdir()) == [path]


def with_nan(array):
    array = array.copy()
    array[1, 1] = np.nan
    return array


def settings(**changes):
    def change(array):
        record = json.loads(str(array)) | changes
        return np.array(json.dumps({name: value for name, value in record.items() if value is not ...}))

    return change


INCONSISTENT = {
    "W_in NaN": ("W_in", with_nan),
    "W_out NaN": ("W_out", with_nan),
    "W_out infinite": ("W_out", lambda a: a + np.float32(np.inf)),
    "W_in a row short": ("W_in", lambda a: a[:-1]),
    "W_out a row short": ("W_out", lambda a: a[:-1]),
    "W_out a column short": ("W_out", lambda a: a[:, :-1]),
    "W_in flat": ("W_in", np.ravel),
    "W_in deep": ("W_in", lambda a: a[:, :, None]),
    "W_in one number": ("W_in", lambda a: a[0, 0]),
    "W_in float64": ("W_in", lambda a: a.astype(float)),
    "W_in big-endian": ("W_in", lambda a: a.astype(">f4")),
    "W_in integers": ("W_in", lambda a: a.astype(int)),
    "W_out text": ("W_out", lambda a: a.astype("U")),
    "words bytes": ("words", lambda a: np.array([b"x"] * len(a))),
    "words numbers": ("words", lambda a: np.arange(len(a))),
    "words repeat": ("words", lambda a: np.array(["x"] * len(a))),
    "words two-dimensional": ("words", lambda a: a.reshape(2, -1)),
    "words one": ("words", lambda a: a[0]),
    "counts negative": ("counts", np.negative),
    "counts zero": ("counts", np.zeros_like),
    "counts ascending": ("counts", lambda a: a[::-1]),
    "counts short": ("counts", lambda a: a[:-1]),
    "counts NaN": ("counts", lambda a: a * np.nan),
    "counts fractions": ("counts", lambda a: a + 0.5),
    "counts two-dimensional": ("counts", lambda a: a.reshape(2, -1)),
    "counts text": ("counts", lambda a: a.astype("U")),
    "counts past int64": ("counts", lambda a: a.astype(np.uint64) + np.uint64(2**63)),
    "settings no JSON": ("settings", lambda a: np.array("{")),
    "settings empty": ("settings", lambda a: np.array("")),
    "settings a list": ("settings", lambda a: np.array("[1]")),
    "settings a number": ("settings", lambda a: np.array("7")),
    "settings an array": ("settings", lambda a: np.array([1.0, 2.0])),
    "settings deep": ("settings", lambda a: np.array("[" * 100_000)),
    "format": ("settings", settings(format="parw2v model 2")),
    "format missing": ("settings", settings(format=...)),
    "objective": ("settings", settings(objective="glove")),
    "objective a list": ("settings", settings(objective=["cbow"])),
    "objective missing": ("settings", settings(objective=...)),
    "n_negatives negative": ("settings", settings(n_negatives=-3)),
    "n_negatives zero": ("settings", settings(n_negatives=0)),
    "n_negatives huge": ("settings", settings(n_negatives=10**9)),
    "n_negatives infinite": ("settings", settings(n_negatives=float("inf"))),
    "n_negatives text": ("settings", settings(n_negatives="five")),
    "n_negatives fraction": ("settings", settings(n_negatives=2.5)),
    "n_negatives null": ("settings", settings(n_negatives=None)),
    "min_count zero": ("settings", settings(min_count=0)),
    "min_count infinite": ("settings", settings(min_count=float("inf"))),
    "min_count null": ("settings", settings(min_count=None)),
    "words with NUL": ("words", lambda a: np.array(["x\0y", *a[1:]])),
    "training infinite": ("settings", settings(training={"lr": float("inf")})),
    "training NaN inside": ("settings", settings(training={"x": [{"y": float("nan")}]})),
    "training deep": ("settings", settings(training={"x": [[[[[[[[[[1]]]]]]]]]]})),
    "training a list": ("settings", settings(training=[])),
    "training missing": ("settings", settings(training=...)),
}


@pytest.mark.parametrize("name", INCONSISTENT)
def test_inconsistent_files(model, tmp_path, name):
    array, change = INCONSISTENT[name]
    arrays = model.to_arrays()
    with (tmp_path / "model.npz").open("wb") as file:
        write_npz(file, arrays | {array: np.asarray(change(arrays[array]))})
    with pytest.raises(ModelError, match=r"model\.npz: is not a model"):
        Word2Vec.load(tmp_path / "model")


@pytest.mark.parametrize("name", ["W_in", "W_out", "words", "counts", "settings"])
def test_missing_arrays(model, tmp_path, name):
    arrays = model.to_arrays()
    del arrays[name]
    with (tmp_path / "model.npz").open("wb") as file:
        write_npz(file, arrays)
    with pytest.raises(ModelError, match=name):
        Word2Vec.load(tmp_path / "model")


def test_models_too_small_to_use(model):
    arrays = {name: a[:1] if a.ndim else a for name, a in model.to_arrays().items()}
    no_columns = model.to_arrays() | {"W_in": model.W_in[:, :0], "W_out": model.W_out[:, :0]}
    for bad in (arrays, no_columns):
        with pytest.raises(ModelError, match="not a model"):
            Word2Vec.from_arrays(bad, Path("it"))


def test_flipped_bits(model, tmp_path):
    path = model.save(tmp_path / "model")
    whole, random_ = path.read_bytes(), random.Random(3)
    for _ in range(300):
        i = random_.randrange(len(whole))
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1 << random_.randrange(8)]) + whole[i + 1 :])
        try:
            found = Word2Vec.load(path)
        except ModelError:
            continue
        assert_same(found, model)


def test_a_vocabulary_is_no_model(model, tmp_path):
    model.vocab.save(tmp_path / "vocab.npz")
    with pytest.raises(ModelError, match="damaged"):
        Word2Vec.load(tmp_path / "vocab.npz")
    assert set(read_npz(model.save(tmp_path / "m"))) == set(model.to_arrays())
