"""The report says what the parts say, accepts a call as users write it, and no word harms a terminal."""

import io
import json

import numpy as np
import pytest

from parw2v.errors import EvaluationError, Parw2vError
from parw2v.evaluation import AnalogySection, evaluate_analogies
from parw2v.facts import PAIRS
from parw2v.model import Word2Vec
from parw2v.report import N_NEIGHBOURS, N_SAMPLES, full_report, sample_words
from parw2v.vocabulary import Vocabulary

HOSTILE = ["$x^$", "\x1b[31m", "", "x" * 300, "</script>", "한국어", "a\nb\tc", "\u202eabc", "\ud800", "\x9b2J"]


def model_of(words, dimension=8, objective="skipgram"):
    vocab = Vocabulary.from_lists(words, list(range(len(words), 0, -1)))
    model = Word2Vec(vocab, embed_dim=dimension, objective=objective, seed=3)
    model.W_in *= np.linspace(1, 4, len(words), dtype=np.float32)[:, None]
    return model


@pytest.fixture
def model():
    words = list(dict.fromkeys(word for pairs in PAIRS.values() for pair in pairs for word in pair))
    return model_of(["dog", *(word for word in words if word != "dog")])


def test_the_call_users_make(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    trainer = type("Trainer", (), {"loss_history": [(1000 * i, 4 - i / 10) for i in range(1, 20)]})
    report = full_report(model, plot=True, loss_history=trainer.loss_history)
    out, err = capsys.readouterr()
    assert err == ""
    assert [str(path) for path in report.pictures] == ["results/tsne.png", "results/loss_curve.png"]
    for path in report.pictures:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 10_000
        assert str(path) in out
    for heading in ("Vector norms", "Nearest neighbours", "Analogies", "Pictures", "skip-gram"):
        assert heading in out
    for section in PAIRS:
        assert section in out
    assert max(map(len, out.splitlines())) < 160


def test_figures(model):
    file = io.StringIO()
    report = full_report(model, file=file)
    norms = np.linalg.norm(model.W_in.astype(float), axis=1)
    expected = {"min": norms.min(), "median": np.median(norms), "mean": norms.mean(), "max": norms.max()}
    assert report.norms == pytest.approx(expected, rel=1e-5)
    assert len(report.neighbours) == N_SAMPLES
    assert report.neighbours["dog"] == model.most_similar("dog", top_n=N_NEIGHBOURS)
    assert report.pictures == ()
    assert file.getvalue() == f"{report}\n"
    record = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert record["n_words"] == len(model.vocab)
    assert record["dimension"] == 8
    assert record["analogies"]["total"]["total"] == sum(len(p) * (len(p) - 1) for p in PAIRS.values())
    assert record["pictures"] == []


def test_pictures_without_a_loss_history(model, tmp_path):
    file = io.StringIO()
    report = full_report(model, plot=True, out_dir=tmp_path / "out", file=file)
    assert report.pictures == (tmp_path / "out" / "tsne.png",)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tsne.png"]
    assert file.getvalue().endswith(f"Pictures\n  {tmp_path / 'out' / 'tsne.png'}\n")


def test_files_of_questions_and_judgements(model, tmp_path):
    questions, judged = tmp_path / "q.txt", tmp_path / "pairs-1.tsv"
    questions.write_text(": mine\nking queen man woman\nking queen man absent\n")
    judged.write_text("king\tqueen\t8\nking\tman\t5\nking\tabsent\t2\nqueen\tdog\t1\n")
    file = io.StringIO()
    report = full_report(model, analogies=questions, similarity=[judged, str(judged)], file=file)
    sections = [AnalogySection("mine", [("king", "queen", "man", "woman"), ("king", "queen", "man", "absent")])]
    assert report.analogies == evaluate_analogies(model.unit_vectors, model.vocab.words, sections)
    assert report.analogies.sections[0].skipped == 1
    assert [(s.name, s.used, s.out_of_vocabulary) for s in report.similarity] == [("pairs-1", 3, 1)] * 2
    assert full_report(model, analogies=sections, file=file).analogies == report.analogies
    assert file.getvalue().count("pairs-1: Spearman") == 2


def test_files_are_checked_first(model, tmp_path, capsys):
    for arguments in ({"analogies": tmp_path / "none"}, {"similarity": [tmp_path / "none"]}):
        with pytest.raises(EvaluationError, match="cannot read"):
            full_report(model, **arguments)
    assert capsys.readouterr() == ("", "")


def test_text_comes_before_a_picture_that_fails(model, tmp_path, capsys):
    (tmp_path / "file").touch()
    with pytest.raises(Parw2vError, match="cannot be written"):
        full_report(model, plot=True, out_dir=tmp_path / "file")
    assert "Nearest neighbours" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_hostile_words(encoding, tmp_path):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    report = full_report(model_of(HOSTILE, objective="cbow"), plot=True, out_dir=tmp_path, file=file)
    text = raw.getvalue().decode(encoding)
    assert "continuous bag of words" in text
    assert all(line.isprintable() for line in text.split("\n"))
    assert r"\x1b[31m" in text
    assert ("한국어" in text) == (encoding == "utf-8")
    assert "none of the" in text
    json.dumps(report.to_dict(), allow_nan=False)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_tiny_vocabularies(n, tmp_path):
    report = full_report(
        model_of(["the", "of", "and", "to", "in"][:n]), plot=True, out_dir=tmp_path, file=io.StringIO()
    )
    assert len(report.neighbours) == n
    assert all(len(near) == n - 1 for near in report.neighbours.values())
    assert report.analogies.accuracy is None


def test_sample_words():
    def chosen(words):
        return sample_words(words, {word: i for i, word in enumerate(words)})

    names = [f"{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}q" for i in range(9000)]
    words = [*names[:500], "Paris", "dog", "paris", *names[500:], "king"]
    found = chosen(words)
    assert found[:2] == ["Paris", "dog"], "the more frequent form; king is rare here"
    assert len(found) == len(set(found)) == N_SAMPLES
    assert all(words.index(word) >= 50 for word in found)
    assert chosen([]) == []
    assert chosen(["1"]) == ["1"]
    assert sorted(chosen(["1", "2", ""])) == ["", "1", "2"]
    mixed = [name if i % 3 else f"{i},{i}" for i, name in enumerate(names)]
    assert all(word.isalpha() for word in chosen(mixed))
