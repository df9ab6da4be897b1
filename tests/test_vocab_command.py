"""A vocabulary is counted, shown, pruned and trained with; what is shown is safe to show."""

import json

import pytest

from parw2v import Vocabulary, Word2Vec
from parw2v.commands import main
from parw2v.commands.vocab import coverage


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """A command line in the test's directory: (status, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def run(*flags):
        status = main(["vocab", *map(str, flags)])
        return (status, *capfd.readouterr())

    return run


@pytest.fixture
def saved(tmp_path):
    vocab = Vocabulary.from_lists(["a", "b", "c\x1b[31m", "\ud800", "</script>"], [700, 200, 90, 9, 1], 1)
    vocab.save(tmp_path / "v.json")
    return vocab


def test_build_counts_what_training_would(run, small_text, small, tmp_path):
    status, out, err = run("build", small_text, "--out", "v.json", "--min-count", 2)
    assert (status, out) == (0, "")
    assert err.startswith(f"v.json: {len(small[0]):,} words, {small[0].total:,} tokens, counted in ")
    assert err.count("\n") == 1
    vocab = Vocabulary.load(tmp_path / "v.json")
    assert (vocab.words, vocab.counts.tolist(), vocab.min_count) == (small[0].words, small[0].counts.tolist(), 2)


def test_build_takes_files_patterns_the_sample_and_part_of_them(run, tmp_path):
    for name, content in (("1.txt", "Don't stop"), ("2.txt", "stop Don't")):
        (tmp_path / name).write_text(content)
    assert run("build", "1.txt", "2.*", "--min_count", 2, "--raw", "--out", "raw.json", "--quiet") == (0, "", "")
    assert Vocabulary.load("raw.json").words == ["Don't", "stop"]
    assert run("build", "[12].txt", "--min_count", 1, "--max_tokens", 4, "--out", "part.json")[0] == 0
    assert Vocabulary.load("part.json").counts.tolist() == [2, 1, 1]
    assert run("build", "sample", "--out", "sample.json")[0] == 0
    assert "queen" in Vocabulary.load("sample.json")


def test_show_tells_size_coverage_and_the_most_frequent(run, saved):
    status, out, err = run("show", "v.json", "--top", 4)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "5 words, 1,000 tokens, min_count 1",
        "",
        "   min_count         words            tokens    share",
        "           1             5             1,000   100.0%",
        "           2             4               999    99.9%",
        "           5             4               999    99.9%",
        "          10             3               990    99.0%",
        "          20             3               990    99.0%",
        "          50             3               990    99.0%",
        "         100             2               900    90.0%",
        "         200             2               900    90.0%",
        "",
        "        rank         count  word",
        "           1           700  a",
        "           2           200  b",
        "           3            90  c\\x1b[31m",
        "           4             9  \\ud800",
    ]


def test_show_words(run, saved):
    status, out, _ = run("show", "v.json", "b", "zebra\x1b")
    assert status == 0
    assert out.splitlines()[-2:] == [
        "           2           200  b",
        "           -             -  zebra\\x1b  (not in the vocabulary)",
    ]
    assert "700  a" in run("show", "v.json")[1]
    assert "word" not in run("show", "v.json", "--top", 0)[1].splitlines()[-1]


def test_show_as_json(run, saved):
    status, out, err = run("show", "v.json", "</script>", "nope", "--top", "4", "--json")
    assert (status, err, out.count("\n")) == (0, "", 1)
    assert out.isascii()
    found = json.loads(out)
    assert {name: found[name] for name in ("words", "tokens", "min_count")} == {
        "words": 5,
        "tokens": 1000,
        "min_count": 1,
    }
    assert found["coverage"] == list(coverage(saved))
    assert found["coverage"][1] == {"min_count": 2, "words": 4, "tokens": 999, "share": 0.999}
    assert found["listed"][:2] == [
        {"word": "</script>", "rank": 5, "count": 1},
        {"word": "nope", "rank": None, "count": None},
    ]
    assert [row["word"] for row in found["listed"][2:]] == saved.words[:4]


def test_coverage_starts_where_the_vocabulary_does():
    rows = list(coverage(Vocabulary.from_lists(["a", "b", "c"], [10**17, 10**16, 7], 7)))
    assert [row["min_count"] for row in rows][:3] == [7, 10, 20]
    assert rows[-1]["min_count"] == 10**16
    assert list(coverage(Vocabulary(5))) == []


def test_prune(run, saved, tmp_path):
    status, out, err = run("prune", "v.json", "--min_count", 9, "--max-size", 3, "--out", "w.json")
    assert (status, out, err) == (0, "", "w.json: 3 of 5 words, 99.0% of the tokens\n")
    pruned = Vocabulary.load("w.json")
    assert (pruned.words, pruned.min_count) == (saved.words[:3], 9)
    assert run("prune", "v.json", "--max_size", 2, "--out", "v.json", "--quiet") == (0, "", "")
    assert Vocabulary.load("v.json").words == ["a", "b"]


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["build", "missing.txt", "--out", "w.json"], "missing.txt: cannot be read"),
        (["build", "miss*", "--out", "w.json"], "miss*: no file matches"),
        (["build", "empty.txt", "--out", "w.json"], "empty.txt: holds no words"),
        (["build", "sample", "--min_count", "0", "--out", "w.json"], "min_count is 0"),
        (["build", "sample", "--out", "empty.txt/w.json"], "empty.txt/w.json: cannot be written"),
        (["show", "missing.json"], "missing.json: cannot be read"),
        (["show", "empty.txt"], "empty.txt: is not a vocabulary"),
        (["show", "v.json", "--top", "-1"], "top is -1"),
        (["prune", "v.json", "--out", "w.json"], "give --min_count, --max_size or both"),
        (["prune", "v.json", "--out", "w.json", "--max_size", "1"], "max_size is 1"),
        (["prune", "v.json", "--out", "w.json", "--min_count", "500"], "only 1 of 5 words occur at least 500 times"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_leaves_nothing(run, saved, tmp_path, flags, named):
    (tmp_path / "empty.txt").touch()
    before = sorted(path.name for path in tmp_path.iterdir())
    status, out, err = run(*flags)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("parw2v: error: ")
    assert named in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


# ---------------------------------------------------------------------------------------------------- train --vocab


def test_training_with_the_vocabulary_of_the_text_changes_nothing(python, tmp_path, small_text):
    flags = ("--corpus", small_text, "--epochs", "1", "--dim", "8", "--workers", "1", "--quiet")
    for arguments in (
        ("vocab", "build", small_text, "--min_count", "1", "--out", "v.json", "--quiet"),
        ("train", *flags, "--min_count", "3", "--out", "counted"),
        ("train", *flags, "--vocab", "v.json", "--min_count", "3", "--out", "given"),
        ("train", *flags, "--vocab", "v.json", "--min_count", "3", "--out", "again"),  # from the cache
    ):
        done = python.cli(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    counted, given, again = ((tmp_path / f"{name}.npz").read_bytes() for name in ("counted", "given", "again"))
    assert counted == given == again


def test_training_with_a_vocabulary_of_another_text(python, tmp_path, small_text):
    Vocabulary.from_lists(["king", "queen", "nowhere", "paris"], [900, 80, 7, 7], 7).save(tmp_path / "v.json")
    flags = ("--corpus", small_text, "--dim", "4", "--workers", "1", "--epochs", "1", "--vocab", "v.json")
    done = python.cli(*flags, "--log_json", "log")
    assert done.returncode == 0, done.stderr
    model = Word2Vec.load(tmp_path / "results" / "model")
    assert model.vocab.words == ["king", "queen", "nowhere", "paris"]
    assert model.vocab.counts.tolist() == [900, 80, 7, 7]
    settings = json.loads((tmp_path / "log").read_text().splitlines()[0])["settings"]
    assert (settings["vocab"], settings["min_count"]) == ("v.json", 7)
    done = python.cli(*flags, "--min_count", "5")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "min_count is 5, but the words below 7 were left out" in done.stderr
