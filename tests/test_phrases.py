"""Phrases are those of a plain loop and of gensim, whatever the workers; a text is written as it was joined."""

import gzip
import json
import math
import os
import random
import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, runs, until, workers_of

from parw2v import Phrases, pairs, phrasetext
from parw2v.errors import CorpusError, PhrasesError, SettingsError
from parw2v.phrases import Phrase
from parw2v.text import read_tokens

PEERS = [Path(os.environ.get("PARW2V_PEERS", "/nowhere")), ROOT / ".venv-peers" / "bin" / "python"]

GENSIM = """
import json, sys
from gensim.models.phrases import Phrases
settings, passes = json.loads(sys.argv[1]), int(sys.argv[2])
sentences = [line.split(" ") for line in sys.stdin.buffer.read().decode().removesuffix("\\n").split("\\n")]
scores = {}
for number in range(passes):
    model = Phrases(sentences, **settings)
    found = {}
    for sentence in sentences:
        for a, b in zip(sentence, sentence[1:]):
            phrase, score = model.score_candidate(a, b, [])
            if score is not None:
                found[a + "\\t" + b] = score
    scores[number] = found
    sentences = [model[sentence] for sentence in sentences]
print(json.dumps([scores, sentences]))
"""


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """Texts of a test are worked on in many stretches and ranges."""
    monkeypatch.setattr(pairs, "STRETCH_WORDS", 1500)
    monkeypatch.setattr(phrasetext, "RANGE_PAIRS", 700)


def made_up(seed, n_sentences=1500, kinds=40, delimiter="_"):
    """Sentences in which some words like to follow others; some words hold the delimiter."""
    random_ = random.Random(seed)
    words = [f"w{i}" for i in range(kinds)] + ["é", "日本", "😀", "</script>", "$x", "\u202e", "\x01", "\x85", "'", "İ"]
    words += [delimiter.join(random_.sample(words, 2)) for _ in range(15)]
    words += [delimiter + words[0], words[1] + delimiter, delimiter, delimiter * 2, words[2] + delimiter * 2 + words[3]]
    after = {word: random_.choice(words) for word in words}
    weights = [1 / (i + 1) for i in range(len(words))]
    sentences = []
    for _ in range(n_sentences):
        sentence = random_.choices(words, weights, k=1)
        for _ in range(random_.randrange(20)):
            likely = random_.random() < 0.4
            sentence.append(after[sentence[-1]] if likely else random_.choices(words, weights)[0])
        sentences.append(sentence)
    return sentences


def as_file(sentences, path):
    path.write_bytes("".join(" ".join(sentence) + "\n" for sentence in sentences).encode())
    return path


def sentences_in(path):
    """A text as it would be trained with --raw."""
    text = b" ".join(token for piece in read_tokens(path, raw=True) for token in piece)
    return [list(filter(None, line.split(" "))) for line in text.decode().removesuffix("\0").split("\0")]


def joined_by_hand(sentence, phrases, delimiter):
    sentence, out = list(sentence), []
    while sentence:
        if tuple(sentence[:2]) in phrases:
            out.append(delimiter.join(sentence[:2]))
            del sentence[:2]
        else:
            out.append(sentence.pop(0))
    return out


def learnt_by_hand(sentences, min_count, threshold, scoring, delimiter):
    """One pass as word2phrase has it: words and joined pairs are counted in one table."""
    table, n_words = Counter(), sum(map(len, sentences))
    for sentence in sentences:
        table.update(sentence)
        table.update(delimiter.join(pair) for pair in pairwise(sentence))
    found = {}
    for sentence in sentences:
        for a, b in pairwise(sentence):
            count = table[delimiter.join((a, b))]
            if scoring == "default":
                score = (count - min_count) / (table[a] * table[b]) * len(table)
            elif count >= min_count:
                score = math.log(count / n_words / (table[a] / n_words * (table[b] / n_words)))
                score /= -math.log(count / n_words)
            if count >= min_count and score > threshold:
                found[a, b] = (score, count)
    return found


def gensim():
    for python in PEERS:
        if python.exists():
            return python
    pytest.skip("no gensim: make bench-peers sets it up, or name its interpreter in PARW2V_PEERS")


SETTINGS = [("default", 5, 1.5), ("default", 1, 4.0), ("npmi", 3, 0.3), ("npmi", 1, -0.5)]


# ---------------------------------------------------------------------------------------------- which phrases


@pytest.mark.parametrize("passes", [1, 3])
@pytest.mark.parametrize(("scoring", "min_count", "threshold"), SETTINGS)
def test_a_plain_loop_finds_the_same(tmp_path, scoring, min_count, threshold, passes):
    sentences = made_up(seed=passes)
    source = as_file(sentences, tmp_path / "text.txt")
    settings = {"min_count": min_count, "threshold": threshold, "scoring": scoring}
    phrases = Phrases.learn(source, raw=True, passes=passes, out=tmp_path / "out.txt", workers=1, **settings)
    for number, found in enumerate(phrases.passes):
        expected = learnt_by_hand(sentences, min_count, threshold, scoring, "_")
        assert len(expected) > 3, f"too few to mean anything in pass {number + 1}"
        assert {pair: phrase.count for pair, phrase in found.items()} == {
            p: count for p, (_, count) in expected.items()
        }
        for pair, phrase in found.items():
            assert phrase.score == pytest.approx(expected[pair][0], rel=1e-12)
        scores = [phrase.score for phrase in found.values()]
        assert scores == sorted(scores, reverse=True)
        sentences = [joined_by_hand(sentence, expected, "_") for sentence in sentences]
    assert len(phrases.passes) == passes
    assert sentences_in(tmp_path / "out.txt") == sentences


@pytest.mark.parametrize(("scoring", "min_count", "threshold"), SETTINGS)
def test_gensim_finds_the_same(tmp_path, scoring, min_count, threshold):
    sentences, passes = made_up(seed=10), 2
    source = as_file(sentences, tmp_path / "text.txt")
    settings = {"min_count": min_count, "threshold": threshold, "scoring": scoring, "delimiter": "_"}
    arguments = [gensim(), "-c", GENSIM, json.dumps(settings), str(passes)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(arguments, input=source.read_bytes(), stdout=subprocess.PIPE, check=True, env=environment)
    scores, joined = json.loads(done.stdout)
    phrases = Phrases.learn(source, raw=True, passes=passes, out=tmp_path / "out.txt", **settings)
    assert len(phrases.passes) == passes
    for number, found in enumerate(phrases.passes):
        expected = scores[str(number)]
        assert len(expected) > 3
        assert {"\t".join(pair) for pair in found} == set(expected)
        for pair, phrase in found.items():
            precision = 0 if scoring == "default" else 1e-12
            assert phrase.score == pytest.approx(expected["\t".join(pair)], rel=precision, abs=0)
    assert sentences_in(tmp_path / "out.txt") == joined


def test_words_of_two_passes():
    text = [["new", "york", "city", "hall", word] for word in "abcdefghij"] + [[word] for word in "klmnopqrst"]
    one, two = (Phrases.learn(text, min_count=2, threshold=0.5, passes=n, workers=1) for n in (1, 2))
    assert one.join(["in", "new", "york", "city", "hall", "new"]) == ["in", "new_york", "city_hall", "new"]
    assert two.join(["in", "new", "york", "city", "hall", "new"]) == ["in", "new_york_city_hall", "new"]
    assert two["york", "city", "hall"] == ["york", "city_hall"] or two["york", "city", "hall"] == ["york_city", "hall"]
    assert set(two.export()) >= {"new_york", "city_hall", "new_york_city_hall"}
    assert len(two) == sum(map(len, two.passes))
    assert two.scores == {name: phrase.score for name, phrase in two.export().items()}


def test_pairs_that_overlap_are_joined_from_the_left():
    text = [["a", "a", "a", "a", "a"]] * 30 + [[f"w{i}"] for i in range(400)]
    phrases = Phrases.learn(text, min_count=1, threshold=0.1, workers=1)
    assert set(phrases.passes[0]) == {("a", "a")}
    assert phrases.export()["a_a"] == Phrase((120 - 1) / 150**2 * (401 + 1), 120)
    assert phrases.join(["a"] * 5) == ["a_a", "a_a", "a"]
    assert phrases.join(["a"] * 2) == ["a_a"]
    assert phrases.join([]) == []


def test_no_phrase_crosses_the_end_of_a_sentence(tmp_path):
    source = as_file([["x", "new"], ["york", "y"]] * 50, tmp_path / "text.txt")
    phrases = Phrases.learn(source, min_count=1, threshold=0.01, out=tmp_path / "out.txt")
    assert set(phrases.export()) == {"x_new", "york_y"}
    assert (tmp_path / "out.txt").read_text() == "x_new\nyork_y\n" * 50


def test_a_phrase_too_long_for_a_vocabulary_is_left_in_words():
    long, short = ["a" * 50, "b" * 50], ["a" * 50, "c" * 49]
    text = [long, short] * 20 + [[f"w{i}"] for i in range(100)]
    phrases = Phrases.learn(text, min_count=1, threshold=0.1, workers=1)
    assert [phrases.join(sentence) for sentence in (long, short)] == [long, ["_".join(short)]]


def test_a_text_without_phrases_stays_as_it_is(tmp_path):
    source = as_file([["b", "a"], ["a", "b"]], tmp_path / "text.txt")
    phrases = Phrases.learn(source, passes=3, out=tmp_path / "out.txt")
    assert (len(phrases), phrases.passes, phrases.export()) == (0, [], {})
    assert phrases.join(["a", "b"]) == ["a", "b"]
    assert (tmp_path / "out.txt").read_text() == "b a\na b\n"


# ---------------------------------------------------------------------------------------------- workers


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_finds_and_writes_the_same(tmp_path, monkeypatch, workers):
    monkeypatch.setattr(phrasetext, "WORKER_WORDS", 1000)
    source = as_file(made_up(seed=3), tmp_path / "text.txt")
    settings = {"min_count": 2, "threshold": 0.8, "passes": 2, "raw": True}
    started = []
    monkeypatch.setattr(phrasetext, "Pool", lambda *a, make=phrasetext.Pool: started.append(a[1]) or make(*a))
    alone = Phrases.learn(source, out=tmp_path / "alone.txt", workers=1, **settings)
    assert started == []
    several = Phrases.learn(source, out=tmp_path / "several.txt.gz", workers=workers, **settings)
    assert started == [workers]
    assert len(alone.passes) == 2
    assert several == alone
    assert list(several.export().items()) == list(alone.export().items())
    assert gzip.decompress((tmp_path / "several.txt.gz").read_bytes()) == (tmp_path / "alone.txt").read_bytes()


def test_a_worker_that_dies_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(phrasetext, "WORKER_WORDS", 1000)
    source = as_file(made_up(seed=4), tmp_path / "text.txt")

    class Murdered(phrasetext.Pool):
        def submit(self, worker, task):
            if task[0] == "join":
                os.kill(self.pids[worker], 9)
                until(lambda: not runs(self.pids[worker]))
            super().submit(worker, task)

    monkeypatch.setattr(phrasetext, "Pool", Murdered)
    with pytest.raises(CorpusError, match=r"a worker \(pid \d+\) was killed by signal 9 .*; run again"):
        Phrases.learn(source, threshold=0.5, out=tmp_path / "out.txt", workers=2)
    assert workers_of(os.getpid()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device", "pairs-0.i64")

    monkeypatch.setattr(pairs, "sort", full)
    source = as_file([["a", "b"]] * 3, tmp_path / "text.txt")
    with pytest.raises(CorpusError, match=r"^pairs-0\.i64: No space left on device; ") as caught:
        Phrases.learn(source, out=tmp_path / "out.txt")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


@pytest.mark.parametrize("n_ranges", [1, 2, 7, 50, 5000])
def test_ranges_hold_about_as_many_pairs_each(n_ranges):
    random_ = np.random.default_rng(5)
    counts = np.sort((1e5 / np.arange(1, 2001)).astype(np.int64))[::-1]
    counts[[100, 500]] = 0  # words that are all joined
    ids = random_.choice(len(counts), 200_000, p=counts / counts.sum())
    keys = ids[:-1] * len(counts) + ids[1:]
    cuts = phrasetext._cuts(counts, n_ranges)
    assert len(cuts) <= n_ranges - 1
    assert (np.diff(cuts) > 0).all()
    sizes = np.bincount(np.searchsorted(cuts, keys, "right"), minlength=len(cuts) + 1)
    assert len(cuts) >= 0.5 * (n_ranges - 1)
    assert sizes.max() < 1.2 * len(keys) / n_ranges + 1.2 * np.bincount(keys).max()


# ---------------------------------------------------------------------------------------------- texts in and out


def test_files_are_cleaned_unless_raw(tmp_path):
    (tmp_path / "text.txt").write_bytes(b"New York!\nNEW-YORK a_b\n" * 20 + b"old\nhouse\n" * 40)
    clean = Phrases.learn(tmp_path / "text.txt", threshold=0.01, out=tmp_path / "clean.txt")
    raw = Phrases.learn(tmp_path / "text.txt", threshold=0.01, out=tmp_path / "raw.txt", raw=True, delimiter="+")
    assert (tmp_path / "clean.txt").read_text() == "new_york\nnew_york a_b\n" * 20 + "old\nhouse\n" * 40
    assert (tmp_path / "raw.txt").read_text() == "New+York!\nNEW-YORK+a_b\n" * 20 + "old\nhouse\n" * 40
    assert set(raw.export()) == {"New+York!", "NEW-YORK+a_b"}
    assert set(clean.export()) == {"new_york", "york_a", "a_b"}  # york_a is never joined, for new_york comes before it


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_a_packed_text_is_read_and_written(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(phrasetext, "WORKER_WORDS", 1000)
    sentences = made_up(seed=6, n_sentences=400)
    plain = as_file(sentences, tmp_path / "text.txt")
    out = tmp_path / f"one{suffix}"
    phrases = Phrases.learn(plain, raw=True, threshold=1.0, out=out, workers=2)
    again = Phrases.learn(out, raw=True, threshold=1e9, out=tmp_path / "two.txt")
    assert len(phrases) > 3
    assert len(again) == 0
    assert sentences_in(tmp_path / "two.txt") == [phrases.join(sentence) for sentence in sentences]


def test_a_list_of_words_is_a_text(tmp_path):
    sentences = made_up(seed=7)
    from_lists = Phrases.learn(iter(sentences), threshold=1.0, out=tmp_path / "lists.txt")
    from_file = Phrases.learn(as_file(sentences, tmp_path / "t"), threshold=1.0, raw=True, out=tmp_path / "file.txt")
    assert len(from_lists) > 3
    assert from_lists == from_file
    assert (tmp_path / "lists.txt").read_bytes() == (tmp_path / "file.txt").read_bytes()
    flat = Phrases.learn(["new", "york", "x"] * 50, threshold=0.01)
    assert "new_york" in flat.export()


def test_words_with_spaces_are_learnt_but_not_written(tmp_path):
    text = [["new\n", "y rk"]] * 20
    assert set(Phrases.learn(text, threshold=0.01).export()) == {"new\n_y rk"}
    with pytest.raises(PhrasesError, match=r"^'(new\\n|y rk)': has a space in it"):
        Phrases.learn(text, threshold=0.01, out=tmp_path / "out.txt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"min_count": 0}, "min_count is 0"),
        ({"threshold": 0}, "threshold is 0"),
        ({"threshold": math.nan}, "threshold is nan"),
        ({"threshold": 10, "scoring": "npmi"}, "threshold is 10; with npmi"),
        ({"scoring": "magic"}, "scoring is 'magic'"),
        ({"delimiter": ""}, "delimiter is ''"),
        ({"delimiter": "__"}, "delimiter is '__'"),
        ({"delimiter": "\n"}, r"delimiter is '\\n'"),
        ({"passes": 0}, "passes is 0"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_a_setting_out_of_range_is_named(settings, says):
    with pytest.raises(SettingsError, match=f"^{says}"):
        Phrases.learn([["a", "b"]], **settings)


# ---------------------------------------------------------------------------------------------- files of phrases


def test_phrases_are_saved_as_json(tmp_path):
    phrases = Phrases.learn(made_up(seed=8), min_count=2, threshold=0.5, passes=2, delimiter="+")
    assert len(phrases.passes) == 2
    path = phrases.save(tmp_path / "there" / "phrases.json")
    loaded = Phrases.load(path)
    assert loaded == phrases
    assert list(loaded.export().items()) == list(phrases.export().items())
    record = json.loads(path.read_bytes())
    assert record["format"] == "parw2v phrases 1"
    assert [len(some) for some in record["passes"]] == [len(some) for some in phrases.passes]
    lone = Phrases(passes=[{("\ud800", "</script>"): Phrase(11.5, 7)}])
    assert Phrases.load(lone.save(tmp_path / "lone.json")) == lone


GOOD = {"format": "parw2v phrases 1", "min_count": 5, "threshold": 10.0, "scoring": "default", "delimiter": "_"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        json.dumps(GOOD).encode(),
        json.dumps(GOOD | {"passes": [[["a", "b", 1.0]]]}).encode(),
        json.dumps(GOOD | {"passes": [[["a", 7, 1.0, 2]]]}).encode(),
        json.dumps(GOOD | {"passes": [[["a", "b", "high", 2]]]}).encode(),
        json.dumps(GOOD | {"passes": [], "delimiter": 3}).encode(),
        json.dumps(GOOD | {"passes": [], "delimiter": ["_"]}).encode(),
        json.dumps(GOOD | {"passes": [[["a", "b", float("nan"), 2]]]}).encode(),
        json.dumps(GOOD | {"passes": [[["a", "b", float("inf"), 2]]]}).encode(),
        json.dumps(GOOD | {"passes": [], "scoring": ["npmi"]}).encode(),
        json.dumps(GOOD | {"passes": [], "format": "parw2v vocabulary 1"}).encode(),
    ],
)
def test_a_damaged_file_is_one_line_that_names_it(tmp_path, text):
    path = tmp_path / "phrases.json"
    path.write_bytes(text)
    with pytest.raises(PhrasesError, match=r"phrases\.json: is no file of phrases") as caught:
        Phrases.load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PhrasesError, match=r"missing\.json: cannot be read"):
        Phrases.load(tmp_path / "missing.json")


# ---------------------------------------------------------------------------------------------- the command


def test_the_command_joins_several_texts_and_its_output_can_be_trained_on(python, tmp_path):
    (tmp_path / "a.txt").write_text("New York is big" + "\nwords of others" * 3)  # no line feed at its end
    with gzip.open(tmp_path / "b.txt.gz", "wt") as file:
        file.write("the new york times\n" * 30)
    flags = ("--min-count", "2", "--threshold", "0.1", "--save_phrases", "found/phrases.json")
    done = python.cli("phrases", "a.txt", "b.txt.gz", "--out", "out/joined.txt.gz", *flags)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "pass 1: " in done.stderr
    assert "text: out/joined.txt.gz" in done.stderr
    lines = gzip.decompress((tmp_path / "out/joined.txt.gz").read_bytes()).decode().splitlines()
    phrases = Phrases.load(tmp_path / "found/phrases.json")
    sentences = ["new york is big", *["words of others"] * 3, *["the new york times"] * 30]
    assert lines == [" ".join(phrases.join(sentence.split())) for sentence in sentences]
    assert any("_" in line for line in lines)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["joined.txt.gz"]
    train = ("train", "--corpus", "out/joined.txt.gz", "--raw", "--min_count", "1", "--dim", "4", "--workers", "1")
    assert python.cli(*train, "--quiet").returncode == 0


def test_the_command_reads_and_writes_streams(python):
    text = "new york times\n" * 20
    done = python.cli("phrases", "-", "--out", "-", "--threshold", "0.01", "--quiet", input=text)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "new_york times\n" * 20


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["missing.txt", "--out", "o.txt"], "missing.txt: cannot be read"),
        (["empty.txt", "--out", "o.txt"], "empty.txt: holds no words"),
        (["empty.txt", "--out", "."], ".: is a directory"),
        (["empty.txt", "--out", "o.txt", "--scoring", "npmi", "--threshold", "3"], "threshold is 3.0"),
        (["empty.txt"], "--out"),
        ([], "TEXT"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(python, tmp_path, flags, says):
    (tmp_path / "empty.txt").write_text("...\n")
    done = python.cli("phrases", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("parw2v: error: ")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["empty.txt"]
