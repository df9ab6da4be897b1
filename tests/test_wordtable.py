"""Each word has one number, whatever its length and whenever it comes; a table can take over another."""

import random
from collections import defaultdict

import numpy as np
import pytest

from parw2v import wordtable
from parw2v.wordtable import WordTable

LENGTHS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 25, 60, 399, 400)


def some_words(random_, n, alphabet="abcdefghijklmnopqrstuvwxyz"):
    """Many share their beginnings."""
    stem = "".join(random_.choices(alphabet, k=max(LENGTHS)))
    return [
        stem[: random_.choice(LENGTHS)] + "".join(random_.choices(alphabet, k=random_.randrange(6))) for _ in range(n)
    ]


def every(table):
    """All words in a table by their numbers, beginnings of words among them."""
    return table.words(np.arange(len(table)))


@pytest.mark.parametrize("alphabet", ["ab", "abcdefghijklmnopqrstuvwxyz", "\x01\x7f!~", "aé日😀"])
@pytest.mark.parametrize("seed", range(5))
def test_numbers_tell_words_apart(seed, alphabet):
    random_ = random.Random(seed)
    words = [word for word in some_words(random_, 3000, alphabet) if len(word.encode()) <= 400]
    table, numbers_of = WordTable(), defaultdict(set)
    for _ in range(5):
        text = random_.choices(words, k=4000)
        spaced = "".join(word + " " * random_.choice([1, 1, 1, 2, 5]) for word in text)
        numbers = table.number((random_.choice(["", "  "]) + random_.choice([spaced, spaced.rstrip()])).encode())
        assert numbers.dtype == np.int32
        assert table.words(numbers) == text
        for word, number in zip(text, numbers.tolist(), strict=True):
            numbers_of[word].add(number)
    assert all(len(numbers) == 1 for numbers in numbers_of.values())
    assert len(set.union(*numbers_of.values())) == len(numbers_of)
    assert 0 not in set.union(*numbers_of.values())


@pytest.mark.parametrize("text", [b"", b" ", b"     "])
def test_a_text_without_words(text):
    table = WordTable()
    assert table.number(text).tolist() == []
    assert len(table) == 1
    assert every(table) == [""]


def test_the_first_word_is_number_one():
    table = WordTable()
    assert table.number(b"\n").tolist() == [1]
    assert table.number(b"a \n b \n").tolist() == [2, 1, 3, 1]


def test_words_too_long_are_one_word_and_take_no_memory():
    table = WordTable()
    table.number(b"a")
    debris = b" ".join(bytes([97 + i]) * 100_000 for i in range(20))
    assert set(table.number(debris + b" " + b"x" * 401).tolist()) == {0}
    assert table.number(b"a b " + b"y" * 401 + b" c").tolist() == [1, 2, 0, 3]
    assert len(table) == 4
    table.number(b" ".join(b"%d" % i for i in range(5000)))  # whatever slots others take
    assert table.number(b"x" * 401).tolist() == [0]


def test_a_table_takes_over_others():
    random_ = random.Random(7)
    words = some_words(random_, 2000)
    tables = [WordTable() for _ in range(3)]
    for table in tables:
        table.number(" ".join(random_.sample(words, 1500)).encode())
    whole = WordTable()
    for table in tables:
        numbers = whole.take_over(*table.links())
        assert whole.words(numbers) == every(table)
        assert numbers[0] == 0
        assert len(set(numbers.tolist())) == len(table)
    assert len(whole) == len({word for table in tables for word in every(table)})
    assert whole.take_over(*tables[0].links()).tolist() == whole.take_over(*tables[0].links()).tolist()


def test_pairs_that_all_want_one_slot(monkeypatch):
    """Slow, but right."""
    monkeypatch.setattr(wordtable.WordTable, "_slot", lambda self, before, chunks: np.zeros(len(chunks), np.intp))
    words = some_words(random.Random(1), 300)
    table, other = WordTable(), WordTable()
    for text in (words, words[::-1], words * 2):
        assert table.words(table.number(" ".join(text).encode())) == [w if len(w) <= 400 else "" for w in text]
    numbers = other.take_over(*table.links())
    assert other.words(numbers) == every(table)
