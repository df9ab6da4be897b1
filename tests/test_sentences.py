"""Whatever holds sentences gives the same ones, and what holds none is told in one line what is wrong with it."""

import array
import io
import math
import random

import numpy as np
import pytest

from parw2v import sentences as module
from parw2v.errors import CorpusError
from parw2v.sentences import files_in, is_files, items_of, sentences_of
from parw2v.text import Tokens

SENTENCES = [["the", "cat"], ["New York", "a\nb"], [], ["x"]]


class Column:
    """What an Arrow array looks like from outside."""

    def __init__(self, rows):
        self.rows = rows
        self.largest = 0

    def __len__(self):
        return len(self.rows)

    def slice(self, start, length):
        return Column(self.rows[start : start + length])

    def to_pylist(self):
        return list(self.rows)

    def __iter__(self):
        raise AssertionError("one by one is slow")


class Series:
    """What a column of pandas or polars looks like: rows that may be arrays."""

    def __init__(self, rows):
        self.rows = rows

    def __iter__(self):
        return iter(self.rows)


class Scalar:
    def __init__(self, value):
        self.value = value

    def as_py(self):
        return self.value


class Table(Series):
    columns = ("text", "label")


class ArrowTable(Series):
    columns = ([1, 2, 3],)
    column_names = ("text",)


LISTS = {
    "lists": lambda s: s,
    "tuples": lambda s: tuple(map(tuple, s)),
    "generator": lambda s: (line for line in s),
    "generators": lambda s: (iter(line) for line in s),
    "arrays": lambda s: [np.array(line, object) for line in s],
    "arrays of strings": lambda s: Series([np.array(line, "U9") for line in s]),
    "array": lambda s: np.array([np.array(line, object) for line in s] + [None], object)[:-1],
    "Arrow": Column,
    "Arrow rows": lambda s: [Column(line) for line in s],
    "scalars": lambda s: [Scalar(line) for line in s],
    "Tokens": Tokens.from_sentences,
}


@pytest.mark.parametrize("form", LISTS)
def test_lists_of_words_are_taken_as_they_are(form):
    found = items_of(LISTS[form](SENTENCES))
    assert found.kind == "lists"
    assert [list(line) for batch in found.batches for line in batch if len(line)] == [
        line for line in SENTENCES if line
    ]
    again = list(sentences_of(LISTS[form](SENTENCES)))
    assert again == [line for line in SENTENCES if line]
    assert {type(word) for line in again for word in line} == {str} or "strings" in form


TEXTS = ["Don't stop, Zoë!\nNew line", "", "ΣΊΣΥΦΟΣ 猫", "\udcff half \ud800"]
LINES = [["don", "t", "stop", "zoë"], ["new", "line"], ["σίσυφος", "猫"], ["half"]]


@pytest.mark.parametrize(
    "give", [list, tuple, iter, Column, np.array, lambda t: map(np.str_, t), lambda t: map(Scalar, t)]
)
def test_strings_with_white_space_are_texts(give):
    assert items_of(give(TEXTS)).kind == "documents"
    assert list(sentences_of(give(TEXTS))) == LINES


def test_a_file_that_is_open_is_its_lines():
    assert list(sentences_of(io.StringIO("One two\nthree.\n"))) == [["one", "two"], ["three"]]


def test_strings_without_white_space_are_words():
    words = ["Don't", "x\xa0y", "", "猫", "\x1b[31m", "</script>", "\udcff"]
    for give in (list, iter, Column):
        assert items_of(give(words)).kind == "words"
        assert list(sentences_of(give(words))) == [words]


@pytest.mark.parametrize("batch", [1, 50, 1 << 16])
def test_words_become_sentences_of_a_thousand_however_they_come(monkeypatch, batch):
    monkeypatch.setattr(module, "BATCH", batch)
    words = [f"w{i}" for i in range(3005)]
    assert list(sentences_of(iter(words))) == [words[i : i + 1000] for i in range(0, 3005, 1000)]
    lines = [words[:1], words[1:2500], [], words[2500:]]
    expected = [words[:1], words[1:1001], words[1001:2001], words[2001:2500], words[2500:]]
    assert list(sentences_of(iter(lines))) == expected


def test_memory_holds_a_stretch_of_a_generator():
    """What was asked for before the first batch came out."""
    for item, most in ((["a"] * 100, 700), ("a b " * 100, 200), ("word", 14_000), ([], 70_000)):
        asked = []
        found = items_of(asked.append(1) or item for _ in range(1_000_000))
        assert 10 < len(asked) < most
        before = len(asked)
        next(found.batches)
        next(found.batches)
        assert len(asked) <= 2 * before + 1


def test_what_is_a_file(tmp_path):
    path = tmp_path / "a.txt"
    path.touch()
    for source in ("a.txt", path, [path], (path, path)):
        assert is_files(source)
    for source in ([], ["a.txt"], [path, "x"], iter([path]), [["a"]], Series([]), None):
        assert not is_files(source)
    assert files_in(path) == str(path)
    assert files_in([path]) == [str(path)]
    with pytest.raises(CorpusError, match=r"'.*a\.txt' is a file, but strings in a list are texts"):
        items_of([str(path)] * 3)
    assert items_of([str(path), "and a text"]).kind == "documents"


NAN = float("nan")


class NA:
    def __repr__(self):
        return "<NA>"

    def __eq__(self, other):
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = None


WRONG = {
    "a number": (5, r"the source is 5 \(int\); give lists of words"),
    "nothing": (None, "the source is None; give"),
    "bytes": (b"a b", r"the source is one string"),
    "a dictionary": ({"a": ["b"]}, r"the source is a dict; give its texts: source.values\(\)"),
    "a table": (Table([["a"]]), r"a table with columns text, label; give one of them"),
    "an Arrow table": (ArrowTable([["a"]]), r"a table with columns text; give one of them"),
    "None among lists": ([["a"], None], r"item 2 is missing \(None\); drop such items first"),
    "None among texts": (["a b", None], r"item 2 is missing \(None\)"),
    "None first": ([None, ["a"]], r"item 1 is missing"),
    "NaN": (["a b", NAN], r"item 2 is missing \(nan \(float\)\)"),
    "NumPy's NaN": (["a b", np.float64(NAN)], r"item 2 is missing"),
    "pandas' NA": (["a b", NA()], r"item 2 is missing \(<NA> \(NA\)\)"),
    "an Arrow null": (Column([["a"], None]), r"item 2 is missing"),
    "a number among lists": ([["a"], 3], r"item 2 is 3 \(int\); give a list of words"),
    "numbers": (array.array("i", [1, 2]), r"item 1 is 1 \(int\)"),
    "a NumPy number": (np.arange(3), r"item 1 is np.int64\(0\) \(int64\)"),
    "bytes among texts": (["a b", b"c d"], r"item 2 is b'c d' \(bytes\); decode it first"),
    "a binary file": (io.BytesIO(b"a b\nc"), r"item 1 is b'a b\\n' \(bytes\); decode it"),
    "records": ([{"text": "a b"}], r"item 1 is a dict; give the field that holds the words"),
    "a text among lists": ([["a"], ["b"], "c d"], r"item 3 is 'c d' \(str\), but those before it are lists"),
    "a list among texts": (["a b", ["c"]], r"item 2 is \['c'\] \(list\), but those before it are strings"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_holds_no_sentences(name):
    source, message = WRONG[name]
    with pytest.raises(CorpusError, match=message) as caught:
        list(sentences_of(source))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_text_after_many_single_words(monkeypatch):
    monkeypatch.setattr(module, "BATCH", 100)
    with pytest.raises(CorpusError, match=r"'a text' \(str\) holds white space, but the strings before it"):
        list(sentences_of(["word"] * 1000 + ["a text"]))


def test_a_long_item_is_named_in_short():
    with pytest.raises(CorpusError) as caught:
        list(sentences_of([["a"], "x\n" * 10_000]))
    assert len(str(caught.value)) < 250


def test_a_generator_that_fails_fails_as_it_does():
    def failing():
        yield ["a"]
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(sentences_of(failing()))


def test_random_batches_change_nothing(monkeypatch):
    random_ = random.Random(4)
    lines = [[f"w{random_.randrange(50)}" for _ in range(random_.randrange(30))] for _ in range(300)]
    texts = [" ".join(line) for line in lines] + ["a b"]
    for batch in (1, 7, 1000):
        monkeypatch.setattr(module, "BATCH", batch)
        assert list(sentences_of(lines)) == [line for line in lines if line]
        if math.isclose(batch, 1000):  # the first texts need white space among them
            assert list(sentences_of(texts)) == [line for line in [*lines, ["a", "b"]] if line]
