"""One call from sentences to a model: what the command line would make of them, and nothing left behind."""

import pytest

import parw2v
from parw2v import TrainSettings, Vocabulary, Word2Vec
from parw2v.errors import CorpusError, SettingsError, VocabularyError

QUICK = {"dim": 8, "min_count": 2, "epochs": 1, "workers": 1, "quiet": True}


@pytest.fixture
def lines(small_tokens):
    lengths = iter(small_tokens.sentence_lengths)
    words = iter(small_tokens)
    return [[next(words) for _ in range(length)] for length in lengths]


def test_every_source_trains_the_same(python, tmp_path, lines, small_text):
    flags = ("--epochs", "1", "--dim", "8", "--min_count", "2", "--workers", "1", "--quiet")
    assert python.cli("--corpus", small_text, *flags).returncode == 0
    expected = Word2Vec.load(tmp_path / "results" / "model")
    for source in (lines, iter(lines), [" ".join(line) for line in lines], small_text, [small_text]):
        model = parw2v.train(source, **QUICK)
        assert model.vocab.words == expected.vocab.words
        assert (model.W_in == expected.W_in).all()
        assert (model.W_out == expected.W_out).all()


def test_settings_and_what_takes_their_place(lines):
    settings = TrainSettings(epochs=7, window=3, sample=0, workers=1)
    model = parw2v.train(lines, 6, model="cbow", neg=3, min_count=2, settings=settings, epochs=1, lr=0.07, quiet=True)
    assert (model.objective, model.embed_dim, model.n_negatives) == ("cbow", 6, 3)
    told = {"epochs": 1, "window": 3, "sample": 0, "lr": 0.07, "seed": 42}
    assert {name: model.settings[name] for name in told} == told


def test_a_given_vocabulary(lines):
    vocab = Vocabulary(2).build(lines).pruned(max_size=100)
    model = parw2v.train(lines, vocab=vocab, **QUICK | {"min_count": 5000})
    assert model.vocab is vocab
    assert len(model) == 100


def test_progress_goes_to_standard_error_and_scratch_goes(lines, tmp_path, capfd):
    parw2v.train(lines, **QUICK | {"quiet": False}, scratch_dir=tmp_path / "scratch")
    out, err = capfd.readouterr()
    assert out == ""
    assert "epoch 1/1: loss" in err
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    ("source", "options", "error", "message"),
    [
        ([["a", "b"]] * 9, {"dim": 0}, SettingsError, "embed_dim"),
        ([["a", "b"]] * 9, {"epochs": 0}, SettingsError, "epochs is 0"),
        ([["a", "b"]] * 9, {"model": "glove"}, SettingsError, "'glove'"),
        ([["a"]] * 9, {}, VocabularyError, "only 1 of 1 distinct words"),
        ([], {}, CorpusError, "holds no words"),
        ("no such file", {}, CorpusError, "no such file: cannot be read"),
        (["a b", None], {}, CorpusError, "item 2 is missing"),
    ],
)
def test_mistakes(tmp_path, source, options, error, message):
    with pytest.raises(error, match=message):
        parw2v.train(source, **QUICK | options, scratch_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []
