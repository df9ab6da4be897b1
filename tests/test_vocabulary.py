"""Words are counted, ordered, pruned and restored; no file makes anything but a vocabulary or a VocabularyError."""

import json
import random
from collections import Counter

import numpy as np
import pytest

from parw2v.errors import Parw2vError, VocabularyError
from parw2v.text import Tokens
from parw2v.vocabulary import MAX_WORD_CHARACTERS, Vocabulary

TEXT = ["b", "a", "c", "a", "b", "a", "d", "é", "e", "e"]


def test_order_ties_and_index():
    vocab = Vocabulary(1).build(TEXT)
    assert vocab.words == ["a", "b", "e", "c", "d", "é"]
    assert vocab.counts.tolist() == [3, 2, 2, 1, 1, 1]
    assert vocab.counts.dtype == np.int64
    assert [vocab.index[word] for word in vocab.words] == list(range(6))
    assert len(vocab) == 6
    assert vocab.total == 10
    assert "é" in vocab
    assert "x" not in vocab
    assert "6 words" in repr(vocab)


def test_against_a_counter():
    random_ = random.Random(3)
    words = [f"w{int(random_.paretovariate(0.7)) % 500}" for _ in range(5000)]
    counts = Counter(words)
    for min_count in (1, 2, 5, 40):
        vocab = Vocabulary(min_count).build(words)
        expected = sorted(((-n, word) for word, n in counts.items() if n >= min_count))
        assert list(zip((-vocab.counts).tolist(), vocab.words, strict=True)) == expected


@pytest.mark.parametrize("min_count", [0, -5])
def test_min_count_below_one(min_count):
    with pytest.raises(VocabularyError, match=f"min_count is {min_count}"):
        Vocabulary(min_count)


@pytest.mark.parametrize(("words", "left"), [([], 0), (["a"] * 9, 1), (["a"] * 9 + ["b"] * 4, 1), (list("abc"), 0)])
def test_too_small(words, left):
    with pytest.raises(VocabularyError, match=f"only {left} of {len(set(words))} distinct words"):
        Vocabulary(5).build(words)


def test_words_that_are_no_words():
    longest = "x" * MAX_WORD_CHARACTERS
    vocab = Vocabulary(1).build(["a", "b", "", longest, longest + "x", "é" * MAX_WORD_CHARACTERS, "a\0"])
    assert vocab.words == ["a", "b", longest, "é" * MAX_WORD_CHARACTERS]


def test_assign_tells_where_words_went():
    words, counts = ["rare", "mid", "top", ""], np.array([1, 5, 9, 7])
    vocab = Vocabulary(2)
    new_ids = vocab.assign(words, counts)
    assert new_ids.tolist() == [-1, 1, 0, -1]
    assert new_ids.dtype == np.int32


@pytest.mark.parametrize(
    "give",
    [
        lambda s: [word for line in s for word in line],
        lambda s: (word for line in s for word in line),
        lambda s: s,
        lambda s: (iter(line) for line in s),
        Tokens.from_sentences,
    ],
    ids=["flat list", "flat generator", "lists", "generators", "Tokens"],
)
def test_all_shapes_of_text(give):
    sentences = [["a", "b", "a"], ["c"], ["x"], ["b", "x"]]
    vocab = Vocabulary(1).build(give(sentences))
    assert dict(zip(vocab.words, vocab.counts.tolist(), strict=True)) == {"a": 2, "b": 2, "x": 2, "c": 1}
    known = Vocabulary.from_lists(["a", "b", "c"], [3, 2, 1])
    corpus = known.encode(give(sentences))
    decoded = [[known.words[i] for i in sentence] for sentence in corpus.sentences()]
    is_flat = isinstance(next(iter(give(sentences))), str) and not isinstance(give(sentences), Tokens)
    assert decoded == ([["a", "b", "a", "c", "b"]] if is_flat else [["a", "b", "a"], ["c"], ["b"]])


def test_encode_cuts_long_sentences_before_dropping_words():
    known = Vocabulary.from_lists(["a", "b"], [2, 1])
    corpus = known.encode(["x"] * 600 + ["a"] * 500)
    assert [len(sentence) for sentence in corpus.sentences()] == [400, 100]


def test_built_from_files_as_from_texts(tmp_path):
    texts = ["Don't stop!", "don't, Zoë"]
    for i, text in enumerate(texts):
        (tmp_path / f"{i}.txt").write_text(text)
    files = [tmp_path / "0.txt", tmp_path / "1.txt"]
    for source in (texts, files, tmp_path / "*.txt", str(tmp_path / "[01].txt")):
        vocab = Vocabulary(2)
        assert vocab.build(source) is vocab
        assert (vocab.words, vocab.counts.tolist()) == (["don", "t"], [2, 2])
        assert vocab.index == {"don": 0, "t": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.txt", "1.txt"]


def test_pruned_is_what_would_have_been_built():
    whole = Vocabulary(1).build(TEXT)
    for min_count in (1, 2):
        pruned, built = whole.pruned(min_count), Vocabulary(min_count).build(TEXT)
        assert (pruned.words, pruned.counts.tolist()) == (built.words, built.counts.tolist())
        assert (pruned.index, pruned.min_count) == (built.index, min_count)
    assert whole.pruned(max_size=3).words == ["a", "b", "e"]
    assert whole.pruned(max_size=99).words == whole.words
    assert whole.pruned(2, 2).words == ["a", "b"]
    assert len(whole) == 6
    for min_count, max_size, message in (
        (3, None, "only 1 of 6 words occur at least 3 times"),
        (None, 1, "max_size is 1"),
        (0, None, "min_count is 0"),
    ):
        with pytest.raises(VocabularyError, match=message):
            whole.pruned(min_count, max_size)
    with pytest.raises(VocabularyError, match="min_count is 1, but the words below 2 were left out"):
        whole.pruned(2).pruned(1)


# ---------------------------------------------------------------------------------------------------- files


def test_round_trip(tmp_path):
    hostile = ["$x^$", "\x1b[31m", "</script>", "한국어", 'a\nb\tc"', "\u202eabc", "\ud800", "\u0301", "b"]
    vocab = Vocabulary(1).build([[word] * (20 - i) for i, word in enumerate(hostile)])
    assert vocab.words == hostile
    path = vocab.save(tmp_path / "deep" / "vocab.json")
    again = Vocabulary.load(path)
    assert again.words == vocab.words
    assert again.index == vocab.index
    assert again.counts.tolist() == vocab.counts.tolist()
    assert again.min_count == 1
    assert again.fingerprint() == vocab.fingerprint()
    assert json.loads(path.read_bytes())["counts"] == vocab.counts.tolist()


def test_fingerprint_tells_words_and_counts_apart():
    prints = {
        Vocabulary.from_lists(words, counts).fingerprint()
        for words, counts in ((["a", "b"], [2, 1]), (["b", "a"], [2, 1]), (["a", "b"], [3, 1]), (["a"], [2]))
    }
    assert len(prints) == 4


def record(**changes):
    good = {"format": "parw2v vocabulary 1", "min_count": 1, "words": ["a", "b"], "counts": [2, 1]}
    return {name: value for name, value in (good | changes).items() if value is not ...}


DAMAGED = {
    "format": record(format="parw2v vocabulary 2"),
    "format missing": record(format=...),
    "words missing": record(words=...),
    "counts missing": record(counts=...),
    "min_count missing": record(min_count=...),
    "min_count zero": record(min_count=0),
    "min_count text": record(min_count="many"),
    "min_count null": record(min_count=None),
    "min_count infinite": record(min_count=float("inf")),
    "words a text": record(words="ab"),
    "words a table": record(words={"a": 1, "b": 2}),
    "words null": record(words=None),
    "words of numbers": record(words=[1, 2]),
    "words of lists": record(words=[["a"], ["b"]]),
    "words repeat": record(words=["a", "a"]),
    "word with a NUL": record(words=["a", "a\0"]),
    "word empty": record(words=["a", ""]),
    "word too long": record(words=["a", "b" * (MAX_WORD_CHARACTERS + 1)]),
    "one word more": record(words=["a", "b", "c"]),
    "one count more": record(counts=[3, 2, 1]),
    "count zero": record(counts=[1, 0]),
    "count negative": record(counts=[1, -1]),
    "ascending": record(counts=[1, 2]),
    "count fraction": record(counts=[2.5, 1.5]),
    "count nan": record(counts=[float("nan"), 1]),
    "count huge": record(counts=[10**30, 1]),
    "count past int64": record(counts=[2**63, 1]),
    "sum past int64": record(counts=[2**62, 2**62]),
    "counts of text": record(counts=["2", "1"]),
    "counts true": record(counts=[True, True]),
    "counts nested": record(counts=[[2], [1]]),
    "counts ragged": record(counts=[[2, 1], 1]),
    "counts null": record(counts=None),
    "counts one number": record(counts=2),
    "a list": [1, 2],
    "a number": 5,
    "null": None,
    "a text": "format",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_records(tmp_path, name):
    path = tmp_path / "vocab.json"
    path.write_text(json.dumps(record()))
    assert Vocabulary.load(path).words == ["a", "b"]
    path.write_text(json.dumps(DAMAGED[name]))
    with pytest.raises(VocabularyError, match=r"vocab\.json: is not a vocabulary"):
        Vocabulary.load(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\xfd", b"\x80" * 9, b"[" * 100_000, b"9" * 5000, b"{}\0"])
def test_files_that_are_not_json(tmp_path, content):
    path = tmp_path / "vocab.json"
    path.write_bytes(content)
    with pytest.raises(VocabularyError, match=r"vocab\.json"):
        Vocabulary.load(path)


def test_every_cut_and_many_flips(tmp_path):
    path = Vocabulary(1).build(TEXT).save(tmp_path / "vocab.json")
    whole = path.read_bytes()
    random_ = random.Random(7)
    flips = [(random_.randrange(len(whole)), 1 << random_.randrange(8)) for _ in range(200)]
    for damaged in [whole[:n] for n in range(len(whole))] + [
        whole[:i] + bytes([whole[i] ^ bit]) + whole[i + 1 :] for i, bit in flips
    ]:
        path.write_bytes(damaged)
        try:
            vocab = Vocabulary.load(path)
        except VocabularyError:
            continue
        assert len(vocab.words) == len(vocab.counts) == len(vocab.index)


def test_files_that_cannot_be_opened(tmp_path):
    for path in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(VocabularyError, match="cannot be read"):
            Vocabulary.load(path)
    (tmp_path / "file").touch()
    with pytest.raises(Parw2vError, match="cannot be written"):
        Vocabulary(1).build(TEXT).save(tmp_path / "file" / "vocab.json")
