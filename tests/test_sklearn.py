"""The transformer gives weighted means, and behaves as scikit-learn expects of a transformer of texts."""

import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted

from parw2v import Trainer, TrainSettings, Vocabulary, Word2Vec, Word2VecTransformer
from parw2v.blas import blas_path
from parw2v.errors import DocumentError, ModelError, Parw2vError, SettingsError, VocabularyError
from parw2v.sklearn import WEIGHTINGS, first_component

WORDS = ["the", "king", "queen", "sat", "</script>", "$x", "여왕"]
COUNTS = [60, 20, 10, 5, 3, 1, 1]
DOCUMENTS = ["The king sat; the KING!", ["queen", "</script>", "unheard"], "여왕", "nothing known", "", "the queen"]
CLOSE = {"rtol": 1e-5, "atol": 1e-6}
"""float32 sums of a few words."""


@pytest.fixture(scope="module")
def model():
    """Made by hand: vectors drawn at random, none of them near another."""
    made = Word2Vec(Vocabulary.from_lists(WORDS, COUNTS), 8)
    made.W_in = np.random.default_rng(0).standard_normal((len(WORDS), 8)).astype(np.float32)
    return made


@pytest.fixture(scope="module")
def texts(small_tokens):
    """200 documents of 15 sentences each, and for each whether a word of royalty is in it."""
    lines, start = [], 0
    for length in small_tokens.sentence_lengths:
        lines.append(" ".join(small_tokens[start : start + length]))
        start += length
    made = ["\n".join(lines[i : i + 15]) for i in range(0, 3000, 15)]
    return made, np.array(["king" in text or "queen" in text for text in made])


@pytest.fixture
def one_code_path(monkeypatch):
    """Spares other processes the search for OpenBLAS' fastest code path, and threads that wait for each other."""
    if path := blas_path():
        monkeypatch.setenv("OPENBLAS_CORETYPE", path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def quick(**parameters):
    return Word2VecTransformer(**{"dim": 8, "epochs": 1, "min_count": 2, **parameters})


def by_hand(documents, model, weight):
    """(documents, D): sums of weighted vectors and sums of weights, in float64, word by word."""
    sums = np.zeros((len(documents), model.embed_dim))
    weights = np.zeros(len(documents))
    for i, words in enumerate(documents):
        for word in words:
            if word in model.vocab:
                sums[i] += weight(word) * model[word].astype(np.float64)
                weights[i] += weight(word)
    return sums, weights


SPLIT = [["the", "king", "sat", "the", "king"], ["queen", "</script>", "unheard"], ["여왕"], [], [], ["the", "queen"]]
KNOWN = np.array([5, 2, 1, 0, 0, 2])


# ------------------------------------------------------------------------------------------------ what comes out


def test_mean(model):
    vectors = Word2VecTransformer(vectors=model).fit_transform(DOCUMENTS)
    sums, _ = by_hand(SPLIT, model, lambda word: 1.0)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, sums / np.maximum(KNOWN, 1)[:, None], **CLOSE)


def test_idf(model):
    vectors = Word2VecTransformer("idf", vectors=model).fit_transform(DOCUMENTS)
    have_it = {"the": 2, "king": 1, "queen": 2, "sat": 1, "</script>": 1, "여왕": 1}
    sums, weights = by_hand(SPLIT, model, lambda word: np.log((1 + 6) / (1 + have_it[word])) + 1)
    np.testing.assert_allclose(vectors, sums / np.maximum(weights, 1e-9)[:, None], **CLOSE)


def test_idf_is_that_of_scikit_learn(model):
    from sklearn.feature_extraction.text import TfidfVectorizer

    theirs = TfidfVectorizer(token_pattern=r"(?u)\S+", lowercase=False).fit([" ".join(words) for words in SPLIT])
    ours = Word2VecTransformer("idf", vectors=model).fit(DOCUMENTS)
    for word in ("the", "king", "queen", "여왕"):
        assert ours.weights_[model.vocab.index[word]] == pytest.approx(theirs.idf_[theirs.vocabulary_[word]], rel=1e-6)


@pytest.mark.parametrize("a", [1e-3, 0.1])
def test_sif_is_algorithm_1(model, a):
    vectors = Word2VecTransformer("sif", sif_a=a, vectors=model).fit_transform(DOCUMENTS)
    share = dict(zip(WORDS, np.array(COUNTS) / 100, strict=True))
    means = by_hand(SPLIT, model, lambda word: a / (a + share[word]))[0] / np.maximum(KNOWN, 1)[:, None]
    direction = np.linalg.svd(means)[2][0]
    expected = means - means @ np.outer(direction, direction)
    np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=1e-5 * np.abs(means).max())


def test_the_component_is_learnt_in_fit(model):
    transformer = Word2VecTransformer("sif", vectors=model).fit(DOCUMENTS)
    alone = np.vstack([transformer.transform([document]) for document in DOCUMENTS])
    np.testing.assert_allclose(alone, transformer.transform(DOCUMENTS), **CLOSE)
    assert np.abs(alone @ transformer.component_).max() < 1e-5
    assert np.linalg.norm(transformer.component_) == pytest.approx(1)
    assert np.abs(alone[0]).max() > 0.001


def test_the_first_component_of_nothing_is_nothing():
    assert first_component(np.zeros((3, 4), np.float32)).tolist() == [0] * 4
    assert first_component(np.zeros((0, 4), np.float32)).tolist() == [0] * 4
    assert first_component(np.array([[0, -2.0], [0, 1]], np.float32)).tolist() == [0, 1]


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_documents_of_unknown_words_are_zeros(model, weighting):
    transformer = Word2VecTransformer(weighting, vectors=model)
    assert not transformer.fit_transform(["nothing known", ""]).any()
    vectors = transformer.fit(DOCUMENTS).transform(["unheard of", "", [], "\n", "the"])
    assert not vectors[:4].any()
    assert vectors[4].any()
    assert transformer.transform([]).shape == (0, 8)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_fit_transform_is_fit_then_transform(model, weighting):
    transformer = Word2VecTransformer(weighting, vectors=model)
    together = transformer.fit_transform(iter(DOCUMENTS), np.zeros(6))
    assert np.array_equal(together, transformer.fit(iter(DOCUMENTS), np.zeros(6)).transform(iter(DOCUMENTS)))


def test_a_new_fit_forgets_the_component(model):
    transformer = Word2VecTransformer("sif", vectors=model).fit(DOCUMENTS)
    assert hasattr(transformer, "component_")
    transformer.set_params(weighting="mean").fit(DOCUMENTS)
    assert not hasattr(transformer, "component_")


def test_a_tokenizer_finds_the_words(model):
    transformer = Word2VecTransformer(vectors=model, tokenizer=str.split)
    assert np.array_equal(transformer.fit_transform(["$x The"]), model["$x"][None])


# ------------------------------------------------------------------------------------------------ vectors


def test_training_is_that_of_the_trainer(texts):
    sentences = [line.split() for text in texts[0] for line in text.split("\n")]
    vocab = Vocabulary(3).build(sentences)
    model = Word2Vec(vocab, 12, 4, "cbow", seed=7)
    settings = TrainSettings(epochs=2, lr=0.04, window=3, sample=0.01, seed=7, workers=1)
    Trainer(model, vocab, vocab.encode(sentences), settings=settings).train(quiet=True)
    transformer = Word2VecTransformer(
        dim=12, negatives=4, model="cbow", epochs=2, lr=0.04, window=3, sample=0.01, min_count=3, random_state=7
    ).fit(texts[0])
    assert transformer.model_.vocab.words == vocab.words
    assert np.array_equal(transformer.model_.W_in, model.W_in)
    assert np.array_equal(transformer.model_.W_out, model.W_out)


def test_the_same_documents_give_the_same_vectors_quietly(texts, capfd):
    first, again, other = (quick(random_state=seed).fit_transform(texts[0]) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert capfd.readouterr() == ("", "")


def test_verbose_says_what_is_done(texts, capfd):
    quick(verbose=True).fit(texts[0])
    out, err = capfd.readouterr()
    assert out == ""
    assert "training" in err


def test_random_state_may_be_what_scikit_learn_takes(texts):
    drawn = np.random.RandomState(0).randint(1 << 31)
    by_state = quick(random_state=np.random.RandomState(0)).fit(texts[0][:20]).model_.W_in
    assert np.array_equal(by_state, quick(random_state=drawn).fit(texts[0][:20]).model_.W_in)
    anew = [quick(random_state=None).fit(texts[0][:20]).model_.W_in for _ in range(2)]
    assert not np.array_equal(*anew)


def test_two_workers_train_too(texts):
    transformer = quick(workers=2).fit(texts[0])
    assert np.isfinite(transformer.model_.W_in).all()
    assert transformer.model_.W_out.any()


def test_vectors_from_a_file_are_those_of_the_model(model, tmp_path):
    path = model.save(tmp_path / "model")
    expected = Word2VecTransformer(vectors=model).fit_transform(DOCUMENTS)
    for given in (path, str(path), str(tmp_path / "model")):
        assert np.array_equal(Word2VecTransformer(vectors=given).fit_transform(DOCUMENTS), expected)


def test_a_fitted_transformer_keeps_the_vectors_it_was_fitted_with(model):
    mine = model.with_vectors(model.W_in.copy(), model.W_out.copy())
    transformer = Word2VecTransformer(vectors=mine)
    before = transformer.fit_transform(DOCUMENTS)
    mine.W_in = np.ones_like(mine.W_in)
    assert np.array_equal(transformer.transform(DOCUMENTS), before)
    assert transformer.model_.most_similar("king", 1) == model.most_similar("king", 1)


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"weighting": "tfidf"}, SettingsError, "weighting is 'tfidf'; it must be one of mean, idf, sif"),
        ({"weighting": "sif", "sif_a": 0}, SettingsError, "sif_a is 0; it must be a number above 0"),
        ({"weighting": "sif", "sif_a": "x"}, SettingsError, "sif_a is 'x'"),
        ({"weighting": "sif", "sif_a": float("inf")}, SettingsError, "sif_a is inf"),
        ({"vectors": {"a": [1.0]}}, SettingsError, "vectors is a dict; give a Word2Vec or the path"),
        ({"vectors": "no/such"}, ModelError, "no/such.npz"),
        ({"random_state": "x"}, SettingsError, "random_state is 'x'"),
        ({"random_state": -1}, SettingsError, "seed is -1"),
        ({"dim": 0}, SettingsError, "embed_dim .* is 0"),
        ({"epochs": 0}, SettingsError, "epochs is 0"),
        ({"model": "glove"}, SettingsError, "'glove'"),
        ({"min_count": 99}, VocabularyError, "occur at least 99 times"),
    ],
)
def test_a_parameter_is_checked_in_fit_and_named_in_one_line(parameters, error, message):
    transformer = quick(**parameters)
    with pytest.raises(error, match=message) as caught:
        transformer.fit(["a b a b"] * 9)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, Parw2vError)
    with pytest.raises(NotFittedError):
        check_is_fitted(transformer)


def test_documents_are_checked(model):
    transformer = Word2VecTransformer(vectors=model)
    with pytest.raises(DocumentError, match="there are no documents"):
        transformer.fit([])
    with pytest.raises(DocumentError, match="document 1 is None"):
        transformer.fit(["a", None])
    with pytest.raises(DocumentError, match="one text"):
        transformer.fit(["a"]).transform("a text")


@pytest.mark.parametrize("method", ["transform", "get_feature_names_out"])
def test_before_fit_there_is_nothing(model, method):
    transformer = Word2VecTransformer(vectors=model)
    with pytest.raises(NotFittedError, match="Word2VecTransformer"):
        getattr(transformer, method)(["a"])


# ------------------------------------------------------------------------------------------------ scikit-learn's ways


def test_parameters_are_kept_and_cloned(model):
    given = {"weighting": "sif", "sif_a": 0.01, "dim": 3, "lr": 0.1, "vectors": "path", "tokenizer": str.split}
    transformer = Word2VecTransformer(**given)
    parameters = transformer.get_params()
    assert {name: parameters[name] for name in given} == given
    assert clone(transformer).get_params() == parameters
    assert repr(transformer).startswith("Word2VecTransformer(")
    copy = clone(Word2VecTransformer(vectors=model).fit(DOCUMENTS))
    assert not hasattr(copy, "model_")
    assert np.array_equal(copy.vectors.W_in, model.W_in)


def test_training_defaults_are_those_of_the_command_but_for_the_epochs():
    parameters, settings = Word2VecTransformer().get_params(), TrainSettings()
    for name in ("window", "lr", "sample"):
        assert parameters[name] == getattr(settings, name), name
    assert parameters["random_state"] == settings.seed
    assert parameters["epochs"] > settings.epochs
    assert (parameters["dim"], parameters["negatives"], parameters["model"]) == (100, 5, "skipgram")


def test_features_have_names_and_documents_have_none(model):
    transformer = Word2VecTransformer(vectors=model).fit(DOCUMENTS)
    assert transformer.get_feature_names_out().tolist() == [f"word2vectransformer{i}" for i in range(8)]
    assert not hasattr(transformer, "n_features_in_")


def test_a_column_of_a_table(model):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"text": ["the king", "the queen"], "n": [1, 2]}, index=[7, 8])
    transformer = Word2VecTransformer(vectors=model).set_output(transform="pandas")
    assert transformer.fit_transform(table["text"]).index.tolist() == [7, 8]
    columns = ColumnTransformer([("words", transformer, "text"), ("rest", "passthrough", ["n"])])
    assert columns.fit_transform(table).shape == (2, 9)
    assert columns.get_feature_names_out()[0] == "words__word2vectransformer0"
    with pytest.raises(DocumentError, match="DataFrame of shape"):
        transformer.fit(table)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_pickled_and_read_back_it_is_the_same(model, weighting, tmp_path):
    transformer = Word2VecTransformer(weighting, vectors=model).fit(DOCUMENTS)
    expected = transformer.transform(DOCUMENTS)
    assert np.array_equal(pickle.loads(pickle.dumps(transformer)).transform(DOCUMENTS), expected)
    joblib.dump(transformer, tmp_path / "transformer.joblib")
    mapped = joblib.load(tmp_path / "transformer.joblib", mmap_mode="r")
    assert np.array_equal(mapped.transform(DOCUMENTS), expected)


def test_a_pipeline_classifies(texts):
    documents, royal = texts
    pipeline = make_pipeline(quick(dim=20, epochs=10), LogisticRegression(C=1000, max_iter=1000))
    pipeline.fit(documents[:150], royal[:150])
    base = max(royal[:150].mean(), 1 - royal[:150].mean())
    assert pipeline.score(documents[:150], royal[:150]) > base
    assert pipeline[:-1].get_feature_names_out().shape == (20,)


@pytest.mark.usefixtures("one_code_path")
def test_a_search_over_two_processes_finds_what_one_finds(texts):
    documents, royal = texts
    pipeline = make_pipeline(quick(), StandardScaler(), LogisticRegression(C=10))
    grid = {"word2vectransformer__weighting": ["idf", "sif"]}
    alone, together = (
        GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs, error_score="raise", refit=False).fit(documents, royal)
        for n_jobs in (1, 2)
    )
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True)
    scores = alone.cv_results_["mean_test_score"]
    assert np.array_equal(scores, together.cv_results_["mean_test_score"])
    assert (scores > 0.5).all()


# ------------------------------------------------------------------------------------------------ scikit-learn's checks


class OfNumbers(Word2VecTransformer):
    """Takes rows of numbers for documents, a word for each: scikit-learn's checks know no texts, so this is how they
    reach the rest. Input is validated by scikit-learn's own means, as a transformer of numbers would."""

    def _worded(self, X, reset):
        from sklearn.utils.validation import validate_data

        X = validate_data(self, X, reset=reset)
        return [[f"{column}is{int(np.round(value))}" for column, value in enumerate(row)] for row in X]

    def fit(self, X, y=None):
        return super().fit(self._worded(X, True))

    def fit_transform(self, X, y=None):
        return super().fit_transform(self._worded(X, True))

    def transform(self, X):
        check_is_fitted(self)
        return super().transform(self._worded(X, False))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = False, True
        return tags


@pytest.fixture(scope="module")
def number_model():
    words = [f"{column}is{value}" for column in range(10) for value in range(-9, 10)]
    made = Word2Vec(Vocabulary.from_lists(words, [1] * len(words)), 4)
    made.W_in = np.random.default_rng(0).standard_normal((len(words), 4)).astype(np.float32)
    return made


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_scikit_learns_checks_pass_where_numbers_stand_for_words(number_model, weighting):
    pytest.importorskip("sklearn", "1.6")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = estimator_checks.check_estimator(OfNumbers(weighting, vectors=number_model), on_fail=None)
    failed = {result["check_name"]: str(result["exception"]) for result in results if result["status"] == "failed"}
    assert failed == {}
    assert sum(result["status"] == "passed" for result in results) > 35


WITHOUT_DATA = [
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_transformers_unfitted",
    "check_estimator_sparse_tag",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
]
"""Those of scikit-learn's checks that need no table of numbers, or in which one has to be refused."""


@pytest.mark.parametrize("name", WITHOUT_DATA)
def test_scikit_learns_checks_pass_on_the_transformer_itself(name):
    check = getattr(estimator_checks, name, None)
    if check is None:
        pytest.skip(f"this scikit-learn has no {name}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        check("Word2VecTransformer", Word2VecTransformer())
