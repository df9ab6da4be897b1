"""Documents in memory are numbered as a file of the same text would be, and refused in one line where they cannot be."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from parw2v.corpus import encode_text
from parw2v.documents import Documents
from parw2v.errors import CorpusError, DocumentError
from parw2v.text import Tokens
from parw2v.vocabulary import Vocabulary

TEXTS = ["Don't stop, Zoë!\nnever stop", "", "stop ... ΣΊΣΥΦΟΣ don\0t", ["stop", "Don't"], "\n\n", "\ufeffzoë İstanbul"]


def ids_of(documents, vocab):
    return np.array([vocab.index.get(word, -1) for word in documents.words], np.int32)


def words_of(documents):
    """Each document as a list of words again."""
    words = [documents.words[number] for number in documents.numbers]
    ends = np.cumsum(documents.lengths)
    return [words[end - length : end] for end, length in zip(ends, documents.lengths, strict=True)]


def test_strings_are_tokenised_and_lists_taken_as_they_are():
    assert words_of(Documents.read(TEXTS)) == [
        ["don", "t", "stop", "zoë", "never", "stop"],
        [],
        ["stop", "σίσυφος", "don", "t"],
        ["stop", "Don't"],
        [],
        ["zoë", "i̇stanbul"],
    ]


def test_a_tokenizer_is_for_strings_only():
    documents = Documents.read(["A b", ["A b"]], str.split)
    assert words_of(documents) == [["A", "b"], ["A b"]]


def test_a_generator_is_looked_at_once():
    assert len(Documents.read(text for text in TEXTS)) == len(TEXTS)


@pytest.mark.parametrize("kind", [tuple, np.array, iter, lambda words: Tokens(words, [3])])
def test_words_may_come_in_anything_that_can_be_iterated(kind):
    assert words_of(Documents.read([kind(["a", "b", "a"])])) == [["a", "b", "a"]]


def test_words_are_plain_strings():
    documents = Documents.read([np.array(["a", "b"]), [np.str_("c")]])
    assert documents.words == ["a", "b", "c"]
    assert {type(word) for word in documents.words} == {str}


@pytest.mark.parametrize("min_count", [1, 2])
def test_the_corpus_is_that_of_a_file_of_the_same_text(tmp_path, min_count):
    texts = [
        "Don't stop, Zoë!\nnever stop\n\nrare",
        "stop\n" + "long stop " * 1200,
        "...",
        "ΣΊΣΥΦΟΣ never\nZoë",
        "lone",
    ]
    path = tmp_path / "text.txt"
    path.write_text("\n".join(texts))
    vocab, corpus = encode_text(path, tmp_path, min_count=min_count)
    documents = Documents.read(texts)
    own = Vocabulary(min_count)
    ids = own.assign(documents.words, documents.counts)
    assert (own.words, own.counts.tolist()) == (vocab.words, vocab.counts.tolist())
    found = [sentence.tolist() for sentence in documents.corpus(ids).sentences()]
    assert found == [sentence.tolist() for sentence in corpus.sentences()]
    assert documents.corpus(ids).fingerprint == corpus.fingerprint


def test_the_corpus_is_what_a_vocabulary_encodes(small_tokens):
    documents = Documents.read([small_tokens])
    vocab = Vocabulary(3)
    ids = vocab.assign(documents.words, documents.counts)
    assert documents.corpus(ids).fingerprint == vocab.encode(small_tokens).fingerprint
    assert vocab.fingerprint() == Vocabulary(3).build(small_tokens).fingerprint()


def test_a_corpus_without_a_known_word_is_empty():
    documents = Documents.read(["a b", "c"])
    assert len(documents.corpus(np.full(3, -1, np.int32))) == 0


def test_bags_count_the_known_words_of_each_document():
    documents = Documents.read(["b a b x", "x", "", "c c c"])
    vocab = Vocabulary.from_lists(["c", "b", "a", "never"], [4, 3, 2, 1])
    bags = documents.bags(ids_of(documents, vocab), 4)
    assert bags.dtype == np.float32
    assert bags.toarray().tolist() == [[0, 2, 1, 0], [0] * 4, [0] * 4, [3, 0, 0, 0]]
    assert bags.has_canonical_format


def test_no_documents_are_none():
    documents = Documents.read([])
    assert (len(documents), documents.words) == (0, [])
    assert documents.bags(np.zeros(0, np.int32), 3).shape == (0, 3)


def test_hostile_words_are_words():
    words = ["</script>", "$HOME", "\x1b[31m", "\u202etxet", "🦆", "a\nb", "\ud800", "", " "]
    assert words_of(Documents.read([words])) == [words]
    assert words_of(Documents.read(["\ud800a\udfffb $x </s>"])) == [["a", "b", "x", "s"]]


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ("one text", "the documents are one text, 'one text'; give a list of texts"),
        (b"bytes", "the documents are one text, b'bytes'; give a list of texts"),
        (np.array([["a"], ["b"]]), r"a ndarray of shape \(2, 1\); give a flat sequence"),
        (csr_array(np.ones(3)), r"a csr_array of shape \(3,\); .*nothing sparse"),
        (csr_array(np.eye(2)), r"a csr_array of shape \(2, 2\); .*nothing sparse"),
        (["fine", None], "document 1 is None; give a string or a list of words"),
        (["fine", float("nan")], "document 1 is nan; give a string"),
        ([b"bytes"], "document 0 is b'bytes'; give a string"),
        ([["a", 7]], r"document 0 is \['a', 7\]; give a string"),
        ([["a", b"b"]], "document 0 is .*; give a string"),
        ([[["a", ["b"]]]], "document 0 is .*; give a string"),
        ([[["a", 1.5]]], r"1.5 is not a string"),
        (["x", ["line\nbreak" * 99, 3]], r"document 1 is \['line\\nbreak"),
    ],
)
def test_what_is_no_document_is_named_in_one_line(documents, message):
    with pytest.raises(DocumentError, match=message) as caught:
        Documents.read(documents)
    assert isinstance(caught.value, CorpusError)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
