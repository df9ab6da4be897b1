"""What was probably meant is found, wherever it stands, in a time that a loop over unknown words can bear."""

import time

import numpy as np
import pytest

from parw2v.spelling import MOST_FREQUENT, close_spellings


def close(word, words, n=3):
    return close_spellings(word, words, {w: i for i, w in enumerate(words)}, n)


@pytest.mark.parametrize("word", ["kingg", "kin", "kign", "kong", "ding", "eking"])
def test_one_slip(word):
    assert close(word, ["the", "of", "king", "river"]) == ["king"]


@pytest.mark.parametrize("word", ["PARIS", "paris", "pariS"])
def test_another_case_comes_first(word):
    assert close(word, ["parish", "Pari", "Paris"])[0] == "Paris"


def test_the_more_frequent_come_first():
    assert close("cst", ["cut", "cat", "cost", "cart"], n=2) == ["cut", "cat"]
    assert close("cst", ["cart", "cost", "cat", "cut"], n=2) == ["cost", "cat"]


def test_several_slips_in_a_word_that_begins_alike():
    assert close("reciever", ["the", "receiver", "deceiver"]) == ["receiver"]
    assert close("Recieverr", ["the", "receiver"]) == ["receiver"]


def test_rare_words_are_found_by_one_slip():
    words = [f"w{i:07}" for i in range(2 * MOST_FREQUENT)] + ["zyzzyva"]
    assert close("zyzzyvaa", words) == ["zyzzyva"]


@pytest.mark.parametrize("word", ["", "0000", "x", "\ud800", "한", "a" * 10_000, "\n", "qq"])
def test_words_like_none(word):
    assert close(word, ["king", "queen", "b"]) == []


def test_other_scripts():
    assert close("대학쿄", ["물리학", "대학교", "영국"]) == ["대학교"]
    assert close("물리악", ["물리학", "대학교", "영국"]) == ["물리학"]


def test_a_million_words_take_no_longer():
    rng = np.random.default_rng(3)
    letters = rng.integers(97, 123, 7_000_000).astype(np.uint8).tobytes().decode()
    words = list(dict.fromkeys(letters[i : i + 7] for i in range(0, len(letters), 7)))
    index = {word: i for i, word in enumerate(words)}
    asked = [f"{word[:3]}q{word[4:]}z" for word in words[::100_000]]
    started = time.process_time()
    found = [close_spellings(word, words, index) for word in asked]
    assert (time.process_time() - started) / len(asked) < 0.5  # about 0.02 measured
    assert all(isinstance(words, list) and len(words) <= 3 for words in found)
