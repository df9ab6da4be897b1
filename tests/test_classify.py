"""The example: documents are what they are said to be, and the comparison runs from its command to its files."""

import re
import sys

import numpy as np
import pytest
from conftest import ROOT

EXAMPLES = ROOT / "examples"
sys.path.insert(0, str(EXAMPLES))

import topics  # noqa: E402


def test_topics_are_twenty_categories_of_ten_groups():
    assert len(topics.TOPICS) == 20
    for name, words in topics.TOPICS.items():
        groups = [group.split() for group in words.split("|")]
        assert [len(group) for group in groups] == [4] * 10, name
        assert all(re.fullmatch("[a-z]+", word) for group in groups for word in group), name


@pytest.fixture(scope="module")
def made():
    return topics.documents(100, seed=3)


def test_documents_are_the_same_at_every_call_and_differ_by_seed(made):
    assert topics.documents(100, seed=3) == made
    assert topics.documents(100, seed=4) != made


def test_categories_are_balanced_and_mixed(made):
    categories = [document.category for document in made]
    assert np.bincount(categories).tolist() == [5] * 20
    assert categories != sorted(categories)


def test_most_documents_say_more_of_their_own_category_than_of_any_other(made):
    words = [set(text.replace("|", " ").split()) for text in topics.TOPICS.values()]
    own = 0
    for document in made:
        said = document.text.split()
        counts = [sum(word in known for word in said) for known in words]
        own += int(np.argmax(counts)) == document.category
    assert 60 <= own < 100


def test_the_comparison_runs(python, tmp_path):
    done = python.run(EXAMPLES / "classify.py", "--quick", "--out", "new/figure.png")
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 6
    assert all(0 < float(row[2].split("±")[0]) <= 100 for row in rows[2:])
    assert (tmp_path / "new" / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert done.stderr == ""
