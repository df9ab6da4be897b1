"""The sample corpus: deterministic, of the size promised, and with every word of the pair lists in it."""

from collections import Counter
from itertools import chain, pairwise

import pytest

from parw2v.facts import PAIRS
from parw2v.sample import load_sample_corpus, sample_sentences, sample_text

FEWEST = 20
"""Occurrences below which a word's vector is mostly noise."""


@pytest.fixture(scope="module")
def sentences() -> list[list[str]]:
    return list(sample_sentences())


@pytest.fixture(scope="module")
def counts(sentences: list[list[str]]) -> Counter[str]:
    return Counter(chain.from_iterable(sentences))


def test_every_call_gives_the_same_sentences(sentences: list[list[str]]) -> None:
    assert list(sample_sentences()) == sentences


def test_size(sentences: list[list[str]], counts: Counter[str]) -> None:
    assert len(sentences) >= 20_000
    assert 150_000 <= counts.total() <= 250_000
    assert 800 <= sum(count >= 2 for count in counts.values()) <= 1500


def test_sentences_are_lower_case_words(sentences: list[list[str]], counts: Counter[str]) -> None:
    assert all(len(words) >= 3 for words in sentences)
    assert all(word.isascii() and word.isalpha() and word.islower() for word in counts)


def test_sentences_vary(sentences: list[list[str]]) -> None:
    assert len({tuple(words) for words in sentences}) > len(sentences) / 2


def test_articles_agree(sentences: list[list[str]]) -> None:
    followers = {article: set[str]() for article in ("a", "an")}
    for words in sentences:
        for word, after in pairwise(words):
            if word in followers:
                followers[word].add(after)
    assert not [word for word in followers["a"] if word[0] in "aeiou"]
    assert not [word for word in followers["an"] if word[0] not in "aeiou"]


def test_text_has_one_sentence_on_a_line(sentences: list[list[str]]) -> None:
    assert [line.split() for line in sample_text().splitlines()] == sentences


def test_tokens_know_their_sentences(sentences: list[list[str]]) -> None:
    tokens = load_sample_corpus()
    assert list(tokens) == list(chain.from_iterable(sentences))
    assert tokens.sentence_lengths == [len(words) for words in sentences]


@pytest.mark.parametrize("section", PAIRS)
def test_words_of_the_pairs_are_frequent(section: str, counts: Counter[str]) -> None:
    rare = {word: counts[word] for word in chain.from_iterable(PAIRS[section]) if counts[word] < FEWEST}
    assert not rare


@pytest.mark.parametrize("section", PAIRS)
def test_words_of_a_section_have_one_role(section: str) -> None:
    words = list(chain.from_iterable(PAIRS[section]))
    assert len(words) >= 2 * 14
    assert [word for word, count in Counter(words).items() if count > 1] == []
