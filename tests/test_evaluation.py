"""Analogies against a loop over every word, similarity against a case worked by hand, and files that are not right."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from parw2v import evaluation
from parw2v.catalogue import fetch_dataset, presence
from parw2v.errors import EvaluationError
from parw2v.evaluation import (
    AnalogySection,
    builtin_analogies,
    evaluate_analogies,
    evaluate_similarity,
    read_analogies,
    read_similarity,
)
from parw2v.facts import PAIRS
from parw2v.model import normalise


def unit_rows(rng, n, dimension):
    vectors = rng.normal(size=(n, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def by_loop(vectors, words, questions, restrict_vocab, lower, cosmul=False):
    """3CosAdd or 3CosMul one word at a time in float64: (correct, asked)."""

    def same(a, b):
        return a.upper() == b.upper() if lower else a == b

    def find(word):
        return next((i for i, other in enumerate(words[:restrict_vocab]) if same(word, other)), None)

    correct = asked = 0
    for a, b, c, d in questions:
        ids = [find(word) for word in (a, b, c, d)]
        if None in ids:
            continue
        asked += 1
        best, most = None, -math.inf
        for i, word in enumerate(words[:restrict_vocab]):
            to_a, to_b, to_c = (float(vectors[i].astype(float) @ vectors[j]) for j in ids[:3])
            added, multiplied = to_b - to_a + to_c, (to_b + 1) / 2 * (to_c + 1) / 2 / ((to_a + 1) / 2 + 0.001)
            worth = multiplied if cosmul else added
            if not any(same(word, given) for given in (a, b, c)) and worth > most:
                best, most = word, worth
        correct += best is not None and same(best, d)
    return correct, asked


@pytest.mark.parametrize("cosmul", [False, True])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("restrict_vocab", [3, 12, 30, 1000])
def test_agrees_with_a_loop(restrict_vocab, lower, cosmul, monkeypatch):
    monkeypatch.setattr(evaluation, "BATCH_BYTES", 4 * 30 * 7)  # several batches, the last one not full
    rng = np.random.default_rng(7)
    words = [f"w{i}" for i in range(30)]
    words[5], words[9], words[20] = "W3", "W1", "w12x"  # variants in case, before and after the usual one
    vectors = unit_rows(rng, len(words), 3)
    names = [*words, "absent", "W7"]
    questions = [tuple(names[i] for i in rng.integers(0, len(names), 4)) for _ in range(1500)]
    questions += [("w1", "w1", "w2", "w2"), ("w1", "w2", "w2", "w1"), ("w0", "w1", "w2", "w0")]
    report = evaluate_analogies(vectors, words, [AnalogySection("s", questions)], restrict_vocab, lower, cosmul)
    (score,) = report.sections
    assert (score.correct, score.total) == by_loop(vectors, words, questions, restrict_vocab, lower, cosmul)
    known = {word.upper() if lower else word for word in words[:restrict_vocab]}
    given = {word.upper() if lower else word for question in questions for word in question}
    assert report.unknown_words == len(given - known) > 0
    assert report.method == ("3CosMul" if cosmul else "3CosAdd")
    assert score.coverage == score.total / len(questions)
    assert score.skipped == len(questions) - score.total
    assert restrict_vocab == 3 or score.correct > 0


def test_perfect_space():
    """Where b - a is the same for every pair, every question is answered; a word of the question never is."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(8, 20))
    vectors = np.vstack([base, base + rng.normal(size=20)]).astype(np.float32)
    words = [f"{kind}{i}" for kind in ("man", "woman") for i in range(8)]
    questions = [(f"man{i}", f"woman{i}", f"man{j}", f"woman{j}") for i in range(8) for j in range(8) if i != j]
    sections = [
        AnalogySection("family", questions),
        AnalogySection("gram-plural", [("man0", "woman0", "man1", "man2")]),
    ]
    report = evaluate_analogies(vectors, words, sections)
    semantic, syntactic, total = report.sums
    assert (semantic.correct, semantic.total) == (56, 56)
    assert (syntactic.correct, syntactic.total) == (0, 1)
    assert (total.correct, total.total) == (56, 57)
    assert report.accuracy == pytest.approx(56 / 57)


def test_words_of_the_question_are_not_answers():
    vectors = np.array([[1, 0], [0.99, 0.14], [0.98, 0.2], [0, 1]], np.float32)  # the nearest to b - a + c is c
    section = AnalogySection("s", [("a", "b", "c", "d")])
    assert evaluate_analogies(vectors, ["a", "b", "c", "d"], [section]).accuracy == 1.0
    assert evaluate_analogies(vectors, ["A", "b", "c", "d"], [section], lower=False).accuracy is None


def test_no_variant_of_a_word_of_the_question_is_an_answer():
    vectors = np.array([[1, 0], [0.99, 0.14], [0.98, 0.2], [0.97, 0.24], [0, 1]], np.float32)
    words, section = ["a", "b", "c", "C", "d"], AnalogySection("s", [("a", "b", "c", "d")])
    assert evaluate_analogies(vectors, words, [section]).accuracy == 1.0
    assert evaluate_analogies(vectors, words, [section], lower=False).accuracy == 0.0


def test_no_question_asked_has_no_accuracy():
    report = evaluate_analogies(np.zeros((0, 4), np.float32), [], builtin_analogies())
    assert report.accuracy is None
    assert report.sums[2].skipped == sum(len(pairs) * (len(pairs) - 1) for pairs in PAIRS.values())
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["accuracy"] is None
    assert " - " in str(report)


def test_table_is_aligned_and_safe():
    sections = [AnalogySection("a\x1b[31m", [("a", "b", "c", "d")]), AnalogySection("gram-" + "x" * 30, [])]
    lines = evaluate_analogies(np.eye(4, dtype=np.float32), list("abcd"), sections).lines()
    assert len({len(line) for line in lines}) == 1
    assert "".join(lines).isprintable()


@pytest.mark.parametrize("arguments", [{"restrict_vocab": 0}, {"words": ["a"]}])
def test_contradictions_are_refused(arguments):
    values = {"unit_vectors": np.eye(2, dtype=np.float32), "words": ["a", "b"], "sections": [], **arguments}
    with pytest.raises(EvaluationError, match="restrict_vocab"):
        evaluate_analogies(**values)


def test_builtin_questions():
    sections = builtin_analogies()
    assert [section.name for section in sections] == list(PAIRS)
    for section in sections:
        n = len(PAIRS[section.name])
        assert len(section.questions) == len(set(section.questions)) == n * (n - 1)
    (a, b), (c, d) = PAIRS["family"][:2]
    family = next(section for section in sections if section.name == "family")
    assert {(a, b, c, d), (c, d, a, b)} <= set(family.questions)


def test_read_analogies(tmp_path):
    path = tmp_path / "q.txt"
    path.write_bytes("\ufeff: capitals\r\nParis France 서울 한국\r\n\r\n:gram1\nbig bigger\tsmall  smaller\n".encode())
    assert read_analogies(path) == [
        AnalogySection("capitals", [("Paris", "France", "서울", "한국")]),
        AnalogySection("gram1", [("big", "bigger", "small", "smaller")]),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b": s\na b c d\na b c\n", "line 3: a question has four words, not 3"),
        (b": s\na b c d e\n", "line 2: a question has four words, not 5"),
        (b": s\na b c \x1b[31m " + b"x" * 10_000, r"not 5: 'a b c \\x1b\[31m xxx"),
        (b"a b c d\n", "line 1: a question before the first section"),
        (b": s\nok ok ok ok\n\xff\xfe b c d\n", "line 3: not valid UTF-8"),
        (b": s\n", "holds no analogy question"),
        (b"", "holds no analogy question"),
    ],
)
def test_bad_analogy_files(tmp_path, content, message):
    path = tmp_path / "bad\n.txt"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=message) as caught:
        read_analogies(path)
    text = str(caught.value)
    assert text.isprintable(), "one line, nothing a terminal acts on"
    assert "bad" in text
    assert len(text) < 300 + len(str(path))


@pytest.mark.parametrize("read", [read_analogies, read_similarity])
@pytest.mark.parametrize("name", ["missing.txt", ".", "nul\0byte"])
def test_unreadable_paths(tmp_path, read, name):
    with pytest.raises(EvaluationError, match="cannot read") as caught:
        read(f"{tmp_path}/{name}")
    assert str(caught.value).isprintable()


def test_read_similarity(tmp_path):
    path = tmp_path / "s.txt"
    path.write_text(
        "# note\nword 1\tword 2\thuman\nnew york\tcity\t7.5\n\ncat,dog,8\nsun  moon 1e-1\n", encoding="utf-8"
    )
    assert read_similarity(path) == [("new york", "city", 7.5), ("cat", "dog", 8.0), ("sun", "moon", 0.1)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\tb\t1\na\tb\n", "line 2: expected two words and a finite number"),
        (b"a\tb\t1\na\tb\tc\td\n", "line 2: expected two words and a finite number"),
        (b"a\tb\t1\na\tb\tnan\n", "line 2: expected two words and a finite number"),
        (b"a\tb\t1\n\tb\t1\n", "line 2"),
        (b"a\tb\t1\na,,3\n", "line 2: expected two words"),
        (b"a\tb\t1\na\tb\thigh\n", "line 2: expected two words"),
        (b"just a heading here", "line 1: expected two words"),
        (b"a\tb\t1\n\xff\tb\t1", "line 2: not valid UTF-8"),
        (b"one,two,score\n", "holds no word pair"),
        (b"# nothing\n", "holds no word pair"),
    ],
)
def test_bad_similarity_files(tmp_path, content, message):
    path = tmp_path / "bad.tsv"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=message) as caught:
        read_similarity(path)
    assert str(caught.value).isprintable()


def at_degrees(*angles):
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_similarity_worked_by_hand():
    vectors = at_degrees(0, 10, 30, 60, 90)
    index = {"zero": 0, "ten": 1, "thirty": 2, "sixty": 3, "ninety": 4}
    pairs = [("zero", "ten", 9), ("Zero", "THIRTY", 4), ("zero", "sixty", 5), ("zero", "ninety", 1), ("zero", "far", 3)]
    report = evaluate_similarity(vectors, index, "hand", pairs)
    # Ranks 4 2 3 1 against 4 3 2 1: 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15)
    assert report.spearman == pytest.approx(0.8)
    cosines = np.cos(np.radians([10, 30, 60, 90]))
    assert report.pearson == pytest.approx(np.corrcoef(cosines, [9, 4, 5, 1])[0, 1], abs=1e-6)
    assert (report.used, report.out_of_vocabulary) == (4, 1)
    assert str(report).startswith("hand: Spearman 0.800, Pearson 0.")
    assert json.loads(json.dumps(report.to_dict()))["used"] == 4


def test_similarity_takes_the_lowest_row_of_case_variants():
    vectors = at_degrees(0, 20, 90, 50)
    index = {"US": 3, "us": 1, "we": 0, "far": 2}
    pairs = [("we", "US", 5.0), ("we", "far", 1.0)]
    report = evaluate_similarity(vectors, index, "case", pairs)
    assert report.pearson == pytest.approx(1.0)
    swapped = evaluate_similarity(vectors, index, "case", [("us", "far", 5.0), ("we", "far", 1.0), ("we", "us", 9.0)])
    assert swapped.spearman == pytest.approx(1.0)


def test_similarity_among_the_most_frequent_words():
    vectors, index = at_degrees(0, 10, 90, 50), {"a": 0, "b": 1, "C": 2, "c": 3}
    pairs = [("a", "b", 9), ("a", "C", 1), ("a", "c", 5), ("a", "x", 3)]
    report = evaluate_similarity(vectors, index, "all", pairs, lower=False)
    assert (report.used, report.out_of_vocabulary, report.unknown_words, report.coverage) == (3, 1, 1, 0.75)
    assert report.spearman == pytest.approx(1)
    report = evaluate_similarity(vectors, index, "three", pairs, restrict_vocab=3, lower=False)
    assert (report.used, report.out_of_vocabulary, report.unknown_words) == (2, 2, 2)
    report = evaluate_similarity(vectors, index, "two", pairs, restrict_vocab=2)
    assert (report.used, report.out_of_vocabulary, report.unknown_words) == (1, 3, 2)
    with pytest.raises(EvaluationError, match="restrict_vocab must be at least 1, not 0"):
        evaluate_similarity(vectors, index, "none", pairs, restrict_vocab=0)


@pytest.mark.parametrize(
    "pairs", [[], [("a", "b", 1.0)], [("a", "b", 1.0), ("b", "a", 2.0)], [("a", "b", 1.0), ("a", "a", 1.0)]]
)
def test_undefined_correlations(pairs, recwarn):
    report = evaluate_similarity(at_degrees(0, 50), {"a": 0, "b": 1}, "few", pairs)
    assert report.spearman is None
    assert report.pearson is None
    assert report.used == len(pairs)
    assert "Spearman -" in str(report)
    assert not recwarn.list


def test_judgements_as_large_and_as_small_as_numbers_get(recwarn):
    vectors, index = at_degrees(0, 50, 80), {"a": 0, "b": 1, "c": 2}
    words = [("a", "b"), ("a", "c"), ("b", "c")]
    usual = evaluate_similarity(vectors, index, "x", [(*w, s) for w, s in zip(words, (1.0, -1.0, 0.5), strict=True)])
    for scale in (1e-300, 2.0, 1.7e308):
        judged = [(*w, s * scale) for w, s in zip(words, (1.0, -1.0, 0.5), strict=True)]
        report = evaluate_similarity(vectors, index, "x", judged)
        assert report.pearson == pytest.approx(usual.pearson)
        assert report.spearman == usual.spearman
    nearly = [(*w, 1.0 + i * 2**-52) for i, w in enumerate(words)]
    json.dumps(evaluate_similarity(vectors, index, "x", nearly).to_dict(), allow_nan=False)
    assert not recwarn.list


def test_import_is_light():
    code = "import sys, parw2v.evaluation; print([m for m in ('scipy', 'sklearn', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_published_questions():
    """As the catalogue describes them; where ``parw2v data`` has fetched them into the default directory."""
    names = ("questions-words", "wordsim353", "simlex999")
    if any(presence(name, ROOT / "data") != "yes" for name in names):
        pytest.skip("parw2v data questions-words wordsim353 simlex999 fetches them")
    questions, wordsim, simlex = (fetch_dataset(name, ROOT / "data") for name in names)
    sections = read_analogies(questions)
    assert len(sections) == 14
    assert sum(len(section.questions) for section in sections) == 19_544
    assert len(read_similarity(wordsim)) == 353
    assert len(read_similarity(simlex)) == 999


# ---------------------------------------------------------------------------------------------- beside gensim

GENSIM = """
import json, sys
import numpy as np
from gensim.models import KeyedVectors

asked = json.load(sys.stdin)
keyed = KeyedVectors(len(asked["vectors"][0]))
keyed.add_vectors(asked["words"], np.array(asked["vectors"], np.float32))
answers = []
for settings in asked["settings"]:
    score, sections = keyed.evaluate_word_analogies(asked["questions"], **settings)
    pearson, spearman, oov = keyed.evaluate_word_pairs(asked["pairs"], **settings)
    counts = [(s["section"], len(s["correct"]), len(s["incorrect"])) for s in sections[:-1]]
    answers.append({"score": score, "sections": counts, "pearson": pearson[0], "spearman": spearman[0], "oov": oov})
json.dump(answers, sys.stdout)
"""


def by_gensim(words, vectors, questions, pairs, settings):
    """What gensim's ``evaluate_word_analogies`` and ``evaluate_word_pairs`` return, for each of the settings."""
    peers = Path(os.environ.get("PARW2V_PEERS") or ROOT / ".venv-peers" / "bin" / "python")
    if not peers.exists():
        pytest.skip("no interpreter with gensim at .venv-peers/bin/python or in PARW2V_PEERS")
    asked = {
        "words": words,
        "vectors": vectors.tolist(),
        "questions": str(questions),
        "pairs": str(pairs),
        "settings": settings,
    }
    done = subprocess.run([peers, "-c", GENSIM], input=json.dumps(asked), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def write_questions(path, sections):
    lines = [line for section in sections for line in (f": {section.name}", *map(" ".join, section.questions))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_same_figures_as_gensim(tmp_path):
    """Words in several cases, before and after the usual one, some of them and of the questions' words out of reach."""
    rng = np.random.default_rng(1)
    plain = list(dict.fromkeys(word for pairs in PAIRS.values() for pair in pairs for word in pair))
    odd = ["straße", "STRASSE", "ı", "i", "I", "ǆ", "Ǆ", "ﬁn", "FIN", "한국"]
    words = [*plain[:150], *odd[::2], *plain[150:], *(w.upper() for w in plain[::5]), *odd[1::2]]
    words = list(dict.fromkeys([*(w.capitalize() for w in plain[::3]), *words]))
    vectors = rng.normal(size=(len(words), 8)).astype(np.float32)
    step = rng.normal(size=8)
    for a, b in (pair for pairs in PAIRS.values() for pair in pairs):  # so that some questions are answered
        for i in (i for i, word in enumerate(words) if word.lower() == b):
            vectors[i] = vectors[words.index(a)] + step + rng.normal(0, 0.4, 8)
    names = [*words, "absent", "Nowhere", "IStanbul"]
    mixed = [tuple(rng.choice(names, 4)) for _ in range(300)]
    spellings = [(a.upper(), b.title(), c, d.swapcase()) for a, b, c, d in mixed[:100]]
    sections = [*builtin_analogies(), AnalogySection("mixed cases", mixed), AnalogySection("gram spelt", spellings)]
    questions = write_questions(tmp_path / "q.txt", sections)
    judged = [f"{a}\t{b}\t{rng.uniform(0, 10):.2f}" for a, b in rng.choice(names, (200, 2))]
    pairs = tmp_path / "s.tsv"
    pairs.write_text("# comment\nword 1\tword 2\tscore\n" + "\n".join([*judged, *judged[:3], "a\ta\t1"]) + "\n")

    sizes = (len(words) // 3, len(words) // 2, len(words), 300_000)
    settings = [{"restrict_vocab": size, "case_insensitive": case} for size in sizes for case in (True, False)]
    units = normalise(vectors)
    index = {word: i for i, word in enumerate(words)}
    for setting, theirs in zip(settings, by_gensim(words, vectors, questions, pairs, settings), strict=True):
        size, lower = setting.values()
        ours = evaluate_analogies(units, words, read_analogies(questions), size, lower)
        assert [[s.name, s.correct, s.total - s.correct] for s in ours.sections] == theirs["sections"], setting
        assert ours.accuracy == pytest.approx(theirs["score"])
        assert size < len(words) or sum(0 < s.correct < s.total for s in ours.sections) > 5
        report = evaluate_similarity(units, index, "s", read_similarity(pairs), size, lower)
        assert report.pearson == pytest.approx(theirs["pearson"], abs=1e-6)
        assert report.spearman == pytest.approx(theirs["spearman"], abs=1e-6)
        assert 1 - report.coverage == pytest.approx(theirs["oov"] / 100)


def test_where_gensim_looks_no_further(tmp_path):
    """Its five nearest are variants of a word of the question; the answer, sixth, is found here and not there."""
    words = ["a", "b", "c", "d", "cafe", "Cafe", "CAfe", "CAFe", "CAFE", "cAFE"]
    vectors = np.concatenate([at_degrees(80, 80.5, 88, 30), at_degrees(*np.linspace(0, 4, 6))])
    section = AnalogySection("s", [("a", "b", "cafe", "d")])
    questions = write_questions(tmp_path / "q.txt", [section])
    (tmp_path / "s.tsv").write_text("a\tb\t1\nb\tc\t2\n")
    report = evaluate_analogies(vectors, words, [section])
    assert report.accuracy == 1
    [theirs] = by_gensim(words, vectors, questions, tmp_path / "s.tsv", [{}])
    assert theirs["sections"] == [["s", 0, 1]]
