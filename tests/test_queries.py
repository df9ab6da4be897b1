"""Queries answer as a search in float64 does, and as gensim does on the same vectors."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from parw2v import queries as queries_module
from parw2v.errors import QueryError, SettingsError, VocabularyError
from parw2v.model import Word2Vec
from parw2v.queries import Queries
from parw2v.vocabulary import Vocabulary

PEERS = Path(os.environ.get("PARW2V_PEERS") or ROOT / ".venv-peers" / "bin" / "python")

V, D = 700, 24


class Vectors(Queries):
    """The least that queries need."""

    def __init__(self, words, vectors):
        self._words, self._vectors = words, vectors
        self._index = {word: i for i, word in enumerate(words)}

    words = property(lambda self: self._words)
    index = property(lambda self: self._index)
    vectors = property(lambda self: self._vectors)


@pytest.fixture(scope="module")
def model():
    """Words w0, w1, ... with vectors of all lengths that have something in common."""
    rng = np.random.default_rng(8)
    vectors = rng.normal(size=(V, D)) + 0.7 * rng.normal(size=D)
    vectors *= rng.lognormal(size=(V, 1))
    return Vectors([f"w{i}" for i in range(V)], vectors.astype(np.float32))


def search(model, terms, limit=V):
    """Every word but those of `terms`, {word: weight}, by float64 cosine to the sum; nearest first."""
    units = model.vectors.astype(float)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    query = sum(weight * units[model.index[word]] for word, weight in terms.items())
    cosines = units[:limit] @ query / np.linalg.norm(query)
    order = [int(i) for i in np.argsort(-cosines) if model.words[i] not in terms]
    return [(model.words[i], pytest.approx(cosines[i], abs=1e-6)) for i in order]


# ---------------------------------------------------------------------------------------------------- neighbours


def test_sums_of_words(model):
    expected = search(model, {"w3": 1, "w600": 1, "w8": -1})
    for given in (["w3", "w600"], ("w3", "w600"), np.array(["w3", "w600"]), iter(["w3", "w600"])):
        assert model.most_similar(positive=given, negative="w8", top_n=9) == expected[:9]
    assert model.most_similar(["w3", "w600"], ["w8"], 700) == expected
    assert model.most_similar(negative=["w5"], top_n=4) == search(model, {"w5": -1})[:4]
    assert len(model.most_similar("w0")) == 10


def test_a_number_in_second_place_is_how_many(model):
    for number in (4, np.int64(4)):
        assert model.most_similar("w1", number) == model.most_similar("w1", top_n=4)
    assert len(model.most_similar("w1", 4)) == 4


def test_weights(model):
    expected = search(model, {"w1": 2.5, "w2": 0.5, "w9": -0.25})[:5]
    assert model.most_similar([("w1", 2.5), ("w2", 0.5)], [("w9", -0.25)], top_n=5) == expected
    assert model.most_similar([["w1", 2.5], ("w2", np.float32(0.5)), ("w9", -0.25)], top_n=5) == expected
    assert model.most_similar(("w1", 3), top_n=5) == search(model, {"w1": 1})[:5]


def test_vectors(model):
    unit = model.unit_vectors
    assert model.most_similar(unit[4] + unit[5], top_n=1)[0][0] in ("w4", "w5"), "a vector excludes no word"
    for positive in (["w4", unit[5]], ["w4", (2 * unit[5], 0.5)], [("w4", 1), unit[5].astype(float)]):
        found = [pair for pair in model.most_similar(positive, top_n=9) if pair[0] != "w5"]
        assert found[:8] == search(model, {"w4": 1, "w5": 1})[:8]
    two = model.most_similar(unit[[4, 5]], top_n=3)
    assert [word for word, _ in two] == [word for word, _ in model.most_similar(list(unit[[4, 5]]), top_n=3)]
    integers = np.arange(D)
    assert model.most_similar(integers, top_n=3)[0][1] <= 1


def test_restrict_vocab(model):
    assert model.most_similar(["w3", "w600"], top_n=50, restrict_vocab=20) == search(model, {"w3": 1, "w600": 1}, 20)
    assert len(model.most_similar("w600", top_n=50, restrict_vocab=20)) == 20
    assert model.most_similar("w3", restrict_vocab=10**9) == model.most_similar("w3")
    [found] = model.most_similar_many(["w3"], 50, restrict_vocab=20)
    assert found == search(model, {"w3": 1}, 20)
    for method in ("3cosadd", "3cosmul"):
        found = model.analogy("w3", "w4", "w600", 50, method, restrict_vocab=20)
        assert {word for word, _ in found} == {f"w{i}" for i in range(20)} - {"w3", "w4"}


@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_many_at_once(model, monkeypatch, chunk):
    monkeypatch.setattr(queries_module, "_CHUNK", chunk)
    words = [f"w{i}" for i in (5, 699, 0, 5, 33, 41, 42, 43, 44)]
    found = model.most_similar_many(words, 6)
    assert found == [search(model, {word: 1})[:6] for word in words]
    rows = [model.index[word] for word in words]
    for matrix in (model.vectors[rows], 3 * model.unit_vectors[rows].astype(float)):
        by_vector = model.most_similar_many(matrix, 7)
        assert [pairs[0][0] for pairs in by_vector] == words
        assert [pairs[1:] for pairs in by_vector] == [search(model, {word: 1})[:6] for word in words]
    assert model.most_similar_many([]) == model.most_similar_many(np.zeros((0, D))) == []


def test_all_that_many_queries_find_is_bounded_in_memory(model):
    """The largest array is a block of products, not (M, V): that would be 140 MB here."""
    import tracemalloc

    matrix = np.tile(model.vectors, (72, 1))
    _ = model.unit_vectors
    tracemalloc.start()
    found = model.most_similar_many(matrix, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == len(matrix) == 50_400
    assert peak < 100e6


# ---------------------------------------------------------------------------------------------------- analogies


def test_analogy_by_sums_and_by_products(model):
    assert model.analogy("w1", "w2", "w3", 5) == search(model, {"w1": 1, "w2": -1, "w3": 1})[:5]
    units = model.unit_vectors.astype(float)
    likeness = {i: (1 + units @ units[i]) / 2 for i in (1, 2, 3)}
    scores = likeness[1] * likeness[3] / (likeness[2] + 1e-6)
    order = [int(i) for i in np.argsort(-scores) if i not in (1, 2, 3)]
    expected = [(f"w{i}", pytest.approx(scores[i], rel=1e-5)) for i in order]
    found = model.analogy("w1", "w2", "w3", 700, "3cosmul")
    assert found[:30] == expected[:30]
    assert {word for word, _ in found} == {word for word, _ in expected}
    assert len(model.analogy("w1", "w2", "w3", method="3cosmul")) == 1
    with pytest.raises(SettingsError, match="method is '3cosdiv'; it must be one of 3cosadd, 3cosmul"):
        model.analogy("w1", "w2", "w3", method="3cosdiv")


# ---------------------------------------------------------------------------------------------------- comparisons


def test_the_odd_one_out(model):
    words = ["w1", "w2", "w3", "w40"]
    units = model.unit_vectors[[1, 2, 3, 40]].astype(float)
    mean = units.mean(axis=0) / np.linalg.norm(units.mean(axis=0))
    expected = sorted(zip(words, units @ mean, strict=True), key=lambda pair: -pair[1])
    found = model.centrality(words)
    assert found == [(word, pytest.approx(cosine, abs=1e-6)) for word, cosine in expected]
    assert model.doesnt_match(iter(words)) == found[-1][0]
    with pytest.raises(QueryError, match="2 words were given to compare; give three or more"):
        model.doesnt_match(["w1", "w2"])


def test_vectors_by_word(model):
    assert np.array_equal(model["w5"], model.vectors[5])
    assert np.shares_memory(model["w5"], model.vectors)
    assert np.array_equal(model[["w5", "w0", "w5"]], model.vectors[[5, 0, 5]])
    assert np.array_equal(model["w5", "w0"], model.vectors[[5, 0]])
    assert model[[]].shape == (0, D)
    assert "w5" in model
    assert "x" not in model
    assert len(model) == V


def test_a_model_is_asked_the_same_way():
    vocab = Vocabulary.from_lists(["the", "king", "queen"], [3, 2, 1])
    model = Word2Vec(vocab, 5)
    assert isinstance(model, Queries)
    assert (model.words, model.index) == (vocab.words, vocab.index)
    assert model.vectors is model.W_in
    before = model.most_similar("king")
    model.W_in[:] = np.eye(3, 5)
    model.forget_units()
    assert [score for _, score in model.most_similar("king")] == [0, 0] != before


# ---------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("ask", "error", "says"),
    [
        (lambda m: m.most_similar(), QueryError, "the query is empty"),
        (lambda m: m.most_similar([]), QueryError, "the query is empty"),
        (lambda m: m.most_similar(5), QueryError, "5 is no word, no vector"),
        (lambda m: m.most_similar([5]), QueryError, "5 is no word, no vector"),
        (lambda m: m.most_similar([("w1", "w2")]), QueryError, r"\('w1', 'w2'\) is no word"),
        (lambda m: m.most_similar([None]), QueryError, "None is no word"),
        (lambda m: m.most_similar(["x" * 50]), VocabularyError, "'x+' is not in the vocabulary"),
        (lambda m: m.most_similar("w12345"), VocabularyError, "did you mean w[1-5]+, w[1-5]+"),
        (lambda m: m.most_similar("W7"), VocabularyError, "did you mean w7"),
        (lambda m: m.most_similar(np.zeros(3)), QueryError, r"shape \(3,\) was given; it must be \(24,\)"),
        (lambda m: m.most_similar(np.zeros((2, 2, D))), QueryError, r"shape \(2, 24\)"),
        (lambda m: m.most_similar(np.array(1.5)), QueryError, r"shape \(\)"),
        (lambda m: m.most_similar(np.full(D, np.nan)), QueryError, "not finite"),
        (lambda m: m.most_similar(("w1", float("inf"))), QueryError, "not finite"),
        (lambda m: m.most_similar("w1", top_n=0), SettingsError, "top_n is 0"),
        (lambda m: m.most_similar("w1", top_n=2.5), SettingsError, "whole numbers"),
        (lambda m: m.most_similar("w1", restrict_vocab=0), SettingsError, "restrict_vocab is 0"),
        (lambda m: m.most_similar("w1", restrict_vocab="x"), SettingsError, "whole numbers"),
        (lambda m: m.most_similar_many("w1"), QueryError, "'w1' is one word; give a list"),
        (lambda m: m.most_similar_many(["w1", "w999"]), VocabularyError, "'w999' is not"),
        (lambda m: m.most_similar_many(["w1", 3]), QueryError, "3 is no word"),
        (lambda m: m.most_similar_many(np.zeros(D)), QueryError, r"shape \(24,\) was given; it must be \(M, 24\)"),
        (lambda m: m.most_similar_many(np.zeros((2, 3))), QueryError, r"shape \(2, 3\)"),
        (lambda m: m.most_similar_many(np.full((2, D), np.inf)), QueryError, "not finite"),
        (lambda m: m.doesnt_match("w1 w2 w3"), QueryError, "is one word; give a list"),
        (lambda m: m.doesnt_match(["w1", "w2", "w999"]), VocabularyError, "'w999' is not"),
        (lambda m: m.similarity("w1", "w999"), VocabularyError, "'w999' is not"),
        (lambda m: m[["w1", "w999"]], VocabularyError, "'w999' is not"),
        (lambda m: m[5], QueryError, "5 is no word"),
    ],
)
def test_mistakes_are_one_line_that_names_them(model, ask, error, says):
    with pytest.raises(error, match=says) as caught:
        ask(model)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 150


def test_a_hint_is_one_line_whatever_the_words_are():
    model = Vectors(["a\nbcd", "\x1b[31m", "abc\u202e"], np.eye(3, dtype=np.float32))
    for word in ("a\nbce", "\x1b[32m", "abcd\u202e"):
        with pytest.raises(VocabularyError, match="did you mean") as caught:
            model.most_similar(word)
        assert str(caught.value).isprintable()


def test_vectors_of_length_nought():
    model = Vectors(["a", "b", "nought"], np.array([[1, 0], [1, 1], [0, 0]], np.float32))
    assert model.most_similar("nought") == [("a", 0.0), ("b", 0.0)]
    assert model.most_similar("a", ["a"]) == [("b", 0.0), ("nought", 0.0)]
    assert model.most_similar("a") == [("b", pytest.approx(0.5**0.5)), ("nought", 0.0)]
    assert model.doesnt_match(["a", "b", "nought"]) == "nought"
    assert all(np.isfinite(score) for _, score in model.analogy("a", "nought", "b", 3, "3cosmul"))


# ---------------------------------------------------------------------------------------------------- beside gensim

_GENSIM = """
import json, sys
import numpy as np
from gensim.models import KeyedVectors
arrays = np.load(sys.argv[1])
vectors = KeyedVectors(arrays["vectors"].shape[1])
vectors.add_vectors(arrays["words"].tolist(), arrays["vectors"])
asked = json.load(sys.stdin)
print(json.dumps([getattr(vectors, name)(*args, **options) for name, args, options in asked]))
"""


def test_the_same_answers_as_gensim(model, tmp_path):
    if not PEERS.exists():
        pytest.skip("no interpreter with gensim: make .venv-peers/ready, or name it in PARW2V_PEERS")
    rng = np.random.default_rng(5)
    asked, answers = [], []
    for _ in range(40):
        a, b, c, d, e = (f"w{i}" for i in rng.choice(V, 5, replace=False))
        asked += [
            ("most_similar", [a], {"topn": 12}),
            ("most_similar", [[a, b], [c]], {"topn": 12}),
            ("most_similar", [[(a, 2.0), b], [(c, -0.5)]], {"topn": 12, "restrict_vocab": 300}),
            ("most_similar", [[], [c]], {}),
            ("most_similar_cosmul", [[a, b], [c]], {"topn": 12}),
            ("doesnt_match", [[a, b, c, d, e]], {}),
        ]
        answers += [
            model.most_similar(a, top_n=12),
            model.most_similar([a, b], [c], top_n=12),
            model.most_similar([(a, 2.0), b], [(c, -0.5)], top_n=12, restrict_vocab=300),
            model.most_similar([], [c]),
            model.analogy(a, c, b, 12, "3cosmul"),
            model.doesnt_match([a, b, c, d, e]),
        ]
    np.savez(tmp_path / "vectors.npz", words=np.array(model.words), vectors=model.vectors)
    command = [str(PEERS), "-c", _GENSIM, str(tmp_path / "vectors.npz")]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout)
    assert len(theirs) == len(answers) == 240
    for question, ours, other in zip(asked, answers, theirs, strict=True):
        if question[0] == "doesnt_match":
            assert ours == other
        else:
            assert ours == [(word, pytest.approx(score, rel=2e-5, abs=2e-6)) for word, score in other], question
