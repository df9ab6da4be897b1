"""The built-in sample corpus: plain English written from templates, the same words at every call.

It is small enough to train on in seconds and still answers analogy questions, because each pair of
:data:`parw2v.facts.PAIRS` occurs in two kinds of context. What is particular to the pair (throne and crown for king
and queen, the Seine for Paris and France) is said of both of its words; what belongs to the relation (his and her,
mayor and government, "than", "these", "yesterday") is said of all words on one side of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from parw2v import sample_templates as say
from parw2v.facts import PAIRS
from parw2v.text import Tokens

Row = Mapping[str, str | Sequence[str]]
"""Slot to its filling, or to several to choose from."""

SEED = 20130116
"""Constant, so that the corpus, its vocabulary and every figure measured on it stay the same."""


class Topic(NamedTuple):
    """Sentences about any one of several rows."""

    sentences: int
    rows: Sequence[Row]
    templates: Sequence[str]


class Filler(dict[str, str]):
    """The slots of one sentence, for ``str.format_map``; every look-up chooses anew.

    Parameters
    ----------
    row
        Searched before :data:`parw2v.sample_templates.WORDS`.
    uniforms
        Numbers in [0, 1), one for each choice.
    """

    def __init__(self, row: Row, uniforms: Iterator[float]) -> None:
        super().__init__()
        self.row = row
        self.uniforms = uniforms
        self.said: set[str] = set()

    def __missing__(self, slot: str) -> str:
        choices = self.row.get(slot) or say.WORDS[slot]
        if isinstance(choices, str):
            return choices
        if len(choices) == 1:
            return choices[0]
        start = int(next(self.uniforms) * len(choices))
        fresh = (c for c in (*choices[start:], *choices[:start]) if c not in self.said)
        choice = next(fresh, choices[start])
        self.said.add(choice)
        return choice


def sample_sentences() -> Iterator[list[str]]:
    """Sentences of lower-case words without punctuation."""
    rng = np.random.default_rng(SEED)
    topics = _topics()
    order = rng.permutation(np.repeat(np.arange(len(topics)), [topic.sentences for topic in topics]))
    uniforms = _uniforms(rng)
    for number in order.tolist():
        _, rows, templates = topics[number]
        row = rows[int(next(uniforms) * len(rows))]
        slots = Filler(row, uniforms)
        # Twice, because a filling may have slots of its own ("lost {his} toys").
        sentence = templates[int(next(uniforms) * len(templates))].format_map(slots).format_map(slots)
        words = sentence.split()
        for i, after in enumerate(words[1:]):
            if words[i] == "a" and after[0] in "aeiou":
                words[i] = "an"
        yield words


def sample_text() -> str:
    """The sentences of :func:`sample_sentences`, one on a line."""
    return "".join(" ".join(words) + "\n" for words in sample_sentences())


def load_sample_corpus() -> Tokens:
    """The sample corpus as words that know their sentences."""
    return Tokens.from_sentences(sample_sentences())


def _uniforms(rng: np.random.Generator) -> Iterator[float]:
    """Endless numbers in [0, 1), drawn a block at a time because a single draw costs microseconds."""
    while True:
        yield from rng.random(4096).tolist()


def _topics() -> list[Topic]:
    capitals = []
    for capital, country in PAIRS["capital-common-countries"]:
        nationality, land, *known = say.COUNTRIES[capital]
        capitals.append(
            {"capital": capital, "country": country, "nationality": nationality, "land": land, "known": known}
        )
    men, women, couples = [], [], []
    for he, she in PAIRS["family"]:
        did = say.FAMILY[he]
        men.append({"who": he, "did": did, **say.MALE})
        women.append({"who": she, "did": did, **say.FEMALE})
        couples.append({"who": he, "other": she, "did": did, "he": "they", "his": "their"})
    superlatives = dict(PAIRS["gram-superlative"])
    adjectives = [
        {
            "adjective": positive,
            "comparative": comparative,
            "superlative": superlatives[positive],
            "more": more,
            "less": less,
            "thing": say.THINGS[positive],
            "first": say.THINGS[positive][0],
        }
        for positive, comparative in PAIRS["gram-comparative"]
        for more, less in combinations(say.THINGS[positive], 2)
    ]
    nouns = PAIRS["gram-plural"]
    one = [{"one": a, "did": say.NOUNS[a], "its": "its"} for a, _ in nouns]
    many = [{"many_of": b, "did": say.NOUNS[a], "its": "their"} for a, b in nouns]
    verbs = [{"present": a, "past": b, "rest": say.VERBS[a]} for a, b in PAIRS["gram-past-tense"]]
    return [
        Topic(3000, capitals, say.ABOUT_CAPITALS),
        Topic(3000, capitals, say.ABOUT_COUNTRIES),
        Topic(2400, men, say.ABOUT_PERSONS),
        Topic(2400, women, say.ABOUT_PERSONS),
        Topic(400, couples, say.ABOUT_COUPLES),
        Topic(1900, adjectives, say.ABOUT_POSITIVES),
        Topic(1900, adjectives, say.ABOUT_COMPARATIVES),
        Topic(1600, adjectives, say.ABOUT_SUPERLATIVES),
        Topic(1900, one, say.ABOUT_ONE),
        Topic(1900, many, say.ABOUT_MANY),
        Topic(1900, verbs, say.ABOUT_NOW),
        Topic(1900, verbs, say.ABOUT_THEN),
        Topic(800, [{}], say.ABOUT_NOTHING),
    ]
