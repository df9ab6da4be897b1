"""Sentences from anywhere become the corpus that a text of them becomes, and nothing else is left on the disk."""

import errno
import random
from pathlib import Path

import numpy as np
import pytest

from parw2v import encoding, sentences, spool
from parw2v.corpus import encode_text
from parw2v.encoding import encode_sentences
from parw2v.errors import CorpusError, VocabularyError
from parw2v.vocabulary import Vocabulary


def content(found):
    vocab, corpus = found
    return vocab.words, vocab.counts.tolist(), np.fromfile(corpus.path, np.int32).tolist()


def encoded(source, directory, **options):
    try:
        return content(encode_sentences(source, directory, **options))
    finally:
        assert {path.name for path in directory.iterdir()} <= {"corpus.i32"}


def lines(random_, n):
    words = [f"w{i}" for i in range(40)] + ["猫", "é" * 100, "x" * 101]
    lengths = random_.choices([0, 1, 5, 30, 2500], [2, 5, 20, 5, 1], k=n)
    return [random_.choices(words, k=length) for length in lengths]


@pytest.fixture
def out(tmp_path):
    directory = tmp_path / "out"
    directory.mkdir()
    return directory


@pytest.mark.parametrize("seed", range(8))
def test_lists_and_texts_and_files_are_the_same(tmp_path, out, monkeypatch, seed):
    random_ = random.Random(seed)
    monkeypatch.setattr(spool, "STRETCH_WORDS", random_.choice([50, 1000, 1 << 20]))
    monkeypatch.setattr(sentences, "BATCH", random_.choice([200, 1 << 16]))
    text = lines(random_, 40)
    text[0] = ["w1", "w2"]  # white space among the first
    file = tmp_path / "text.txt"
    file.write_text("\n".join(map(" ".join, text)))
    min_count = random_.choice([1, 2, 5])
    expected = content(encode_text(file, tmp_path, min_count=min_count, raw=True))
    for source in (
        text,
        (line for line in text),
        [tuple(line) for line in text],
        [np.array(line, object) for line in text],
        [" ".join(line) for line in text],
        file,
        str(file),
        [file],
    ):
        assert encoded(source, out, min_count=min_count, raw=True, readers=1) == expected
    built = Vocabulary(min_count).build(text)
    assert (built.words, built.counts.tolist()) == expected[:2]


def test_texts_are_cleaned_as_files_are(tmp_path, out):
    texts = ["Don't stop!\nDON'T", "Zoë, don't. \ufeff"] * 3
    words, counts, ids = encoded(texts, out, min_count=1, readers=1)
    assert (words, counts) == (["don", "t", "stop", "zoë"], [9, 9, 3, 3])
    assert ids == [0, 1, ~2, 0, ~1, 3, 0, ~1] * 3
    assert encoded(texts, out, min_count=1, raw=True)[0] == ["DON'T", "Don't", "Zoë,", "don't.", "stop!", "\ufeff"]


def test_a_flat_list_of_words_is_one_text(out):
    words = ["a", "b", "c"] * 700
    assert encoded(words, out, min_count=1)[2] == encoded([words], out, min_count=1)[2]
    ids = encoded(iter(words), out, min_count=1)[2]
    assert [i for i, id in enumerate(ids) if id < 0] == [999, 1999, 2099]


def test_words_of_lists_may_hold_anything(out):
    hostile = ["New York", "a\nb", "\x1b[31m", "</script>", "$x^$", "\u202eabc", "\ud800", "\u0301", "😀", "\t"]
    vocab, corpus = encode_sentences([hostile, hostile], out, min_count=2)
    assert sorted(vocab.words) == sorted(hostile)
    assert len(corpus) == 20
    assert [[vocab.words[i] for i in line] for line in corpus.sentences()] == [hostile, hostile]


def test_words_that_are_no_words_count_in_their_sentence_only(out, monkeypatch):
    monkeypatch.setattr(spool, "MAX_SENTENCE_WORDS", 4)
    line = ["a", "", "x" * 101, "b", "c\0", "a", "b"]
    assert encoded([line], out, min_count=1)[2] == [0, ~1, 0, ~1]


def test_numpy_strings_become_strings(out):
    vocab, _ = encode_sentences([np.array(["a", "b"]), [np.str_("b"), "a"]], out, min_count=1)
    assert {type(word) for word in vocab.words} == {str}
    assert vocab.counts.tolist() == [2, 2]


def test_a_given_vocabulary(out):
    known = Vocabulary.from_lists(["c", "New York", "a"], [9, 5, 4], 3)
    text = [["a", "New York", "b"], ["b"], ["c"]]
    vocab, corpus = encode_sentences(text, out, vocabulary=known, min_count=50)
    assert vocab is known
    assert [line.tolist() for line in corpus.sentences()] == [[2, 1], [0]]
    assert encode_sentences(["c a", "b"], out, vocabulary=known)[1].ids.tolist() == [0, 2]
    for source in ([["b"], ["x"]], ["b x"]):
        with pytest.raises(CorpusError, match="no word of the vocabulary"):
            encode_sentences(source, out, vocabulary=known)


def test_progress(out, monkeypatch):
    monkeypatch.setattr(spool, "STRETCH_WORDS", 100)
    monkeypatch.setattr(sentences, "BATCH", 100)
    seen = []
    encode_sentences([["a", "b", "c"]] * 500, out, progress=seen.append)
    assert seen == sorted(seen)
    assert len(seen) > 5
    assert seen[-1] == 1500


# ---------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([["a", "b"], ["c", None]], r"word 2 of sentence 2 is None; leave out what is missing"),
        ([["a", float("nan")]], r"word 2 of sentence 1 is nan \(float\); leave out what is missing"),
        ([["a"], [b"b"]], r"word 1 of sentence 2 is b'b' \(bytes\); decode it first"),
        ([["a"], ["b", 7]], r"word 2 of sentence 2 is 7 \(int\); words are strings"),
        ([["a"], [["b"]]], r"word 1 of sentence 2 is \['b'\] \(list\); a sentence is a list of words, not of lists"),
        (np.zeros((2, 3)), r"word 1 of sentence 1 is 0.0 \(float\); words are strings"),
        ([["a"], "b c"], r"item 2 is 'b c' \(str\), but those before it are lists"),
    ],
)
def test_what_is_no_word(out, source, message):
    with pytest.raises(CorpusError, match=message):
        encoded(source, out)
    with pytest.raises(CorpusError, match=message.replace(r"word \d of sentence \d", "a word").partition(" is ")[2]):
        Vocabulary(1).build(source)


def test_the_place_of_a_wrong_word_is_that_in_the_source(out, monkeypatch):
    monkeypatch.setattr(sentences, "BATCH", 10)
    with pytest.raises(CorpusError, match=r"word 3 of sentence 1,001 is 5 "):
        encoded((["a", "b"] if i != 1000 else ["a", "b", 5] for i in range(2000)), out)


@pytest.mark.parametrize("source", [[], [[]], iter([]), [[], [""]], [["x" * 101]]])
def test_nothing_to_learn(out, source):
    with pytest.raises(CorpusError, match=r"holds no words; give sentences or texts \(a generator that was gone"):
        encoded(source, out)


def test_texts_without_words(out):
    with pytest.raises(CorpusError, match=r"^the list of texts: holds no words"):
        encoded(["- -", "..."], out)


def test_too_few_words(out):
    with pytest.raises(VocabularyError, match="only 0 of 2 distinct words"):
        encoded([["a", "b"]], out)


@pytest.mark.parametrize("source", [[["a", "b"]] * 9, ["a b"] * 9])
def test_a_directory_that_is_none(tmp_path, source):
    with pytest.raises(CorpusError, match=r"none: the encoded corpus cannot be written \(No such file"):
        encode_sentences(source, tmp_path / "none")


def test_a_full_disk_leaves_nothing_and_an_earlier_corpus(out, monkeypatch):
    before = encoded([["a", "b"]] * 9, out)

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("add", "encode"):
        with monkeypatch.context() as patch:
            patch.setattr(encoding.Spool, name, full)
            with pytest.raises(CorpusError, match="cannot be written \\(No space left"):
                encoded([["c", "d"]] * 9, out)
    assert np.fromfile(out / "corpus.i32", np.int32).tolist() == before[2]


def test_a_source_that_fails_leaves_nothing(out):
    for item in (["a", "b"], "a b"):

        def failing(item=item):
            yield from [item] * 100_000
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            encoded(failing(), out)
    assert list(Path(out).iterdir()) == []
