"""``parw2v evaluate`` prints what the functions return, as a table or as JSON, whatever the names and words."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from parw2v import Vocabulary, Word2Vec
from parw2v.catalogue import CATALOGUE
from parw2v.commands import main, parse
from parw2v.commands.evaluator import Evaluator
from parw2v.datasets import plain_file
from parw2v.evaluation import (
    builtin_analogies,
    evaluate_analogies,
    evaluate_similarity,
    read_analogies,
    read_similarity,
)
from parw2v.facts import PAIRS


@pytest.fixture(scope="module")
def model():
    """Vectors in which pairs differ by about the same, so that some answers are right; words in two cases."""
    rng = np.random.default_rng(3)
    words = list(dict.fromkeys(word for pairs in PAIRS.values() for pair in pairs for word in pair))
    words = list(dict.fromkeys([*words[:100], *(word.capitalize() for word in words[::2]), *words[100:]]))
    model = Word2Vec(Vocabulary.from_lists(words, list(range(len(words), 0, -1))), embed_dim=8)
    model.W_in[:] = rng.normal(size=model.W_in.shape)
    step = rng.normal(size=8)
    for a, b in (pair for pairs in PAIRS.values() for pair in pairs):
        model.W_in[model.vocab.index[b]] = model[a] + step + rng.normal(0, 0.4, 8)
    return model


@pytest.fixture
def files(model, tmp_path, monkeypatch):
    """The model and files of questions and pairs, in the current directory."""
    monkeypatch.chdir(tmp_path)
    model.save("model.npz")
    words = model.vocab.words
    rng = np.random.default_rng(4)
    lines = [line for s in builtin_analogies() for line in [f": {s.name}", *(" ".join(q) for q in s.questions[:40])]]
    (tmp_path / "mine.txt").write_text("\n".join([*lines, ": gram9 strange", "king queen zzz man", "a b c d"]))
    for name in ("first", "second"):
        pairs = [f"{a}\t{b}\t{rng.uniform(0, 10):.1f}\n" for a, b in rng.choice(words[:60], (40, 2))]
        (tmp_path / f"{name}.tsv").write_text("".join([*pairs, "king\tzzz\t3\n"]))
    return tmp_path


def run(capsys, *flags, status=0):
    """(standard output, standard error)"""
    assert main(["evaluate", *flags]) == status
    return capsys.readouterr()


def strict_json(text):
    """RFC 8259: no NaN, no Infinity."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize(
    ("flags", "options", "restrict"),
    [
        ([], {}, None),
        (["--restrict_vocab", "90"], {}, 90),
        (["--case-sensitive"], {"lower": False}, None),
        (["--cosmul", "--restrict-vocab=150"], {"cosmul": True}, 150),
    ],
)
def test_json_is_what_the_functions_return(files, model, capsys, flags, options, restrict):
    given = ["--analogies", "mine.txt", "--similarity", "first.tsv", "second.tsv"]
    out, err = run(capsys, "model", *given, "--json", *flags)
    assert err == ""
    record = strict_json(out)
    units, words = model.unit_vectors, model.vocab.words
    analogies = evaluate_analogies(units, words, read_analogies("mine.txt"), restrict or 30_000, **options)
    assert record["analogies"] == {"name": "mine", **analogies.to_dict()}
    assert analogies.sums[2].correct > 0
    assert analogies.sums[2].skipped > 0
    lower = options.get("lower", True)
    for name, found in zip(("first", "second"), record["similarity"], strict=True):
        pairs = read_similarity(f"{name}.tsv")
        expected = evaluate_similarity(units, model.vocab.index, name, pairs, restrict, lower)
        assert found == expected.to_dict()
        assert found["out_of_vocabulary"] > 0
    assert (record["words"], record["dimension"], record["model"]) == (len(model), 8, "model")
    assert record["case_sensitive"] == (not lower)


def test_settings_make_a_difference(files, capsys):
    flags = ([], ["--restrict_vocab", "90"], ["--case_sensitive"], ["--cosmul"])
    found = [strict_json(run(capsys, "model", "--analogies", "mine.txt", "--json", *flag)[0]) for flag in flags]
    correct = [tuple(section["correct"] for section in record["analogies"]["sections"]) for record in found]
    assert len(set(correct)) == 4
    assert [record["analogies"]["method"] for record in found] == ["3CosAdd", "3CosAdd", "3CosAdd", "3CosMul"]


def test_tables(files, model, capsys):
    given = ("--analogies", "mine.txt", "--similarity", "first.tsv", "second.tsv")
    out, err = run(capsys, "model.npz", *given, "--restrict_vocab", "150")
    assert err == ""
    record = strict_json(run(capsys, "model", *given, "--restrict_vocab", "150", "--json")[0])
    assert f"{len(model)} words x 8 dimensions" in out
    assert "Analogies: mine, 3CosAdd among the 150 most frequent words" in out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    for section in (*record["analogies"]["sections"][:-1], *(record["analogies"][k] for k in ("semantic", "total"))):
        *_, correct, asked, skipped = rows[section["name"]]
        assert [int(n.replace(",", "")) for n in (correct, asked, skipped)] == [
            section[name] for name in ("correct", "total", "skipped")
        ]
    for report in record["similarity"]:
        shown = [f"{report['spearman']:.3f}", f"{report['pearson']:.3f}", str(report["used"])]
        assert rows[report["name"]][:3] == shown
        assert rows[report["name"]][3:] == [
            str(report["out_of_vocabulary"]), f"{report['coverage']:.1%}", str(report["unknown_words"])
        ]  # fmt: skip
    total = record["analogies"]["total"]
    assert f"{total['total']} of {total['total'] + total['skipped']} questions asked, {total['coverage']:.1%}" in out


def test_the_built_in_questions_are_the_default(files, capsys):
    out, _ = run(capsys, "model")
    assert "Analogies: built-in questions" in out
    assert "Word similarity" not in out
    total = strict_json(run(capsys, "model", "--json")[0])["analogies"]["total"]
    assert total["total"] + total["skipped"] == sum(len(s.questions) for s in builtin_analogies())


def test_nothing_known_is_no_failure(files, capsys):
    (files / "q.txt").write_text(": s\nuu vv ww xx\n")
    (files / "p.tsv").write_text("uu\tvv\t1\n")
    flags = ("model", "--analogies", "q.txt", "--similarity", "p.tsv", "--plot", "p.png")
    out, _ = run(capsys, *flags)
    assert "0 of 1 questions asked, 0.0%; 4 of their words" in out
    record = strict_json(run(capsys, *flags, "--json")[0])
    assert record["analogies"]["accuracy"] is None
    assert record["similarity"][0]["spearman"] is None


def test_a_picture_is_drawn(files, capsys):
    out, err = run(capsys, "model", "--json", "--plot", "pics/a.png")
    strict_json(out)
    assert err == "picture: pics/a.png\n"
    with Image.open("pics/a.png") as image:
        assert image.format == "PNG"


def test_hostile_names_and_words(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["\x1b[31m", "</script>", "$x^$", "\u202eאב", "😀", "\\", "e\u0301", "'"]
    vocab = Vocabulary.from_lists(words, [9] * len(words))
    Word2Vec(vocab, embed_dim=3).save("m")
    name = "q\x1b]0;\u202e.txt"
    (tmp_path / name).write_text(f": \x1b[2J$</script>\n{' '.join(words[:4])}\n{' '.join(words[4:])}\n")
    (tmp_path / "\x1b[p.tsv").write_text(f"{words[0]}\t{words[1]}\t1\n{words[2]}\t{words[3]}\t2\n")
    flags = ["m", "--analogies", name, "--similarity", "\x1b[p.tsv", "--plot", "\x1b.png"]
    out, err = run(capsys, *flags)
    assert out.replace("\n", "").isascii()
    assert out.replace("\n", "").isprintable()
    assert err.replace("\n", "").isprintable()
    assert (tmp_path / "\x1b.png").exists()
    record = strict_json(run(capsys, *flags, "--json")[0])
    assert record["analogies"]["sections"][0]["name"] == "\x1b[2J$</script>"
    assert record["analogies"]["total"]["total"] == 2


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["missing"], "missing.npz"),
        (["mine.txt"], "mine.txt"),
        (["broken.npz"], "broken.npz"),
        (["model", "--analogies", "missing.txt"], "missing.txt"),
        (["model", "--similarity", "mine.txt"], "line 1: expected two words"),
        (["model", "--analogies", ""], "cannot read"),
        (["model", "--restrict_vocab", "0"], "restrict_vocab"),
        (["model", "--similarity", "first.tsv", "--restrict_vocab", "-3"], "restrict_vocab"),
        (["model", "--analogies", "simlex999"], "simlex999 is of kind similarity"),
        (["model", "--similarity", "questions-words"], "questions-words is of kind analogies"),
    ],
)
def test_a_mistake_is_one_line(files, capsys, flags, named):
    (files / "broken.npz").write_bytes(b"no archive")
    out, err = run(capsys, *flags, status=2)
    assert out == ""
    assert err.startswith("parw2v: error: ")
    assert err.count("\n") == 1
    assert named in err


def test_a_picture_that_cannot_be_written_comes_after_the_figures(files, capsys):
    out, err = run(capsys, "model", "--plot", ".", status=2)
    assert "Analogies" in out
    assert err.startswith("parw2v: error: ")
    assert err.count("\n") == 1


def test_names_stand_for_fetched_files(files, capsys, monkeypatch):
    """What is in --data_dir is used without asking the network, by training too."""
    (files / "d").mkdir()
    for name, kind in (("mine", "analogies"), ("first", "similarity")):
        source = next(files.glob(f"{name}.*"))
        content = source.read_bytes()
        (files / "d" / source.name).write_bytes(content)
        dataset = plain_file("http://127.0.0.1:1/never", source.name, len(content), hashlib.sha256(content).hexdigest())
        monkeypatch.setitem(CATALOGUE, name, CATALOGUE["simlex999"]._replace(dataset=dataset, kind=kind))
        source.unlink()
    flags = ["--analogies", "mine", "--similarity", "first", "--data_dir", "d"]
    out, _ = run(capsys, "model", *flags)
    assert "Analogies: mine" in out
    evaluator = Evaluator(parse(["train", "--corpus", "sample", *flags]))
    assert evaluator.sections == read_analogies(files / "d" / "mine.txt")
    assert evaluator.pairs == [("first.tsv", read_similarity(files / "d" / "first.tsv"))]
    assert evaluator.similarity == [files / "d" / "first.tsv"]
