"""Vectors go out and come back to the bit, as gensim reads and writes them; a bad file is one line that says where."""

import contextlib
import gzip
import json
import os
import struct
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from conftest import PATIENCE, ROOT

from parw2v import Word2Vec, evaluate_analogies, export_vectors, import_vectors, load_vectors
from parw2v.commands import main
from parw2v.errors import ModelError, SettingsError
from parw2v.evaluation import AnalogySection
from parw2v.formats import FORMATS, format_of, table, word2vec_binary, word2vec_text
from parw2v.vocabulary import Vocabulary

TAME = ["the", "king", "queen", "한국어", "naïve", "🙂", "עברית"]
HOSTILE = ["</script>", "$x^$", '"', "a\tb", "\r", "\x1b[31m", "a\u00a0b", "\u2028", "\u202etxt", "\x85"]
HOSTILE += ["\ufeff", "\\n", "7", "=1+1", "#", ":"]
WORDS = TAME + HOSTILE
PACKS = ("", ".gz", ".bz2", ".xz")
EXTREME = [-0.0, 1e-45, 1.1754942e-38, 3.4028235e38, 0.1, 1e16, 123456.79, 1 / 3]


def model_of(words=WORDS, dimension=8, seed=3):
    counts = [10 * (len(words) - i) for i in range(len(words))]
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 1 << 32, (len(words), dimension), np.uint32)  # any float32 at all
    vectors = bits.view(np.float32)
    vectors[~np.isfinite(vectors)] = 0.5
    vectors[0] = np.resize(EXTREME, dimension)
    return Word2Vec.from_vectors(list(words), vectors, counts)


@pytest.fixture
def model():
    return model_of()


def assert_same(found, expected, counts=False):
    assert found.vocab.words == expected.vocab.words
    assert found.W_in.dtype == np.float32
    assert found.W_in.tobytes() == expected.W_in.tobytes()
    if counts:
        assert found.vocab.counts.tolist() == expected.vocab.counts.tolist()


# ------------------------------------------------------------------------------------------------ there and back


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("suffix", [".txt", ".vec", ".bin"])
def test_round_trip(tmp_path, model, suffix, pack):
    path, counts = tmp_path / f"v{suffix}{pack}", tmp_path / f"counts{pack}"
    assert export_vectors(model, path, fvocab=counts) == [path, counts]
    assert_same(load_vectors(path), model)
    assert_same(import_vectors(path, fvocab=counts), model, counts=True)
    again = tmp_path / f"again{suffix}{pack}"
    export_vectors(model, again)
    assert again.read_bytes() == path.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, counts.name, again.name])


def test_text_gives_every_kind_of_float_again(tmp_path):
    model = model_of([f"w{i}" for i in range(200)], 100, seed=8)
    export_vectors(model, tmp_path / "v.txt")
    assert_same(load_vectors(tmp_path / "v.txt"), model)


def test_to_the_byte(tmp_path):
    vectors = np.array([[0.5, -2], [1e-5, 0.1]], np.float32)
    model = Word2Vec.from_vectors(["é", "b"], vectors, [7, 3])
    export_vectors(model, tmp_path / "v.txt", fvocab=tmp_path / "counts")
    assert (tmp_path / "v.txt").read_bytes() == b"2 2\n\xc3\xa9 0.5 -2.0\nb 1e-05 0.1\n"
    assert (tmp_path / "counts").read_bytes() == b"\xc3\xa9 7\nb 3\n"
    export_vectors(model, tmp_path / "v.bin")
    expected = b"2 2\n\xc3\xa9 " + struct.pack("<2f", 0.5, -2) + b"b " + struct.pack("<2f", 1e-5, 0.1)
    assert (tmp_path / "v.bin").read_bytes() == expected
    export_vectors(model, tmp_path / "p", format="projector")
    assert (tmp_path / "p" / "vectors.tsv").read_bytes() == b"0.5\t-2.0\n1e-05\t0.1\n"
    assert (tmp_path / "p" / "metadata.tsv").read_bytes() == b"\xc3\xa9\nb\n"


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz", ".bin", ".bin.xz"])
def test_files_of_many_blocks(tmp_path, monkeypatch, suffix):
    """More than is made room for at first and than is read at a time; records lie across the ends of blocks."""
    monkeypatch.setattr(table, "FIRST_NUMBERS", 1000)
    monkeypatch.setattr(word2vec_binary, "BLOCK_BYTES", 999)
    monkeypatch.setattr(word2vec_text, "BLOCK_NUMBERS", 999)
    n, dimension = 700, 50
    vectors = np.random.default_rng(1).normal(size=(n, dimension)).astype(np.float32)
    model = Word2Vec.from_vectors([f"word{i}" * (1 + i % 5) for i in range(n)], vectors)
    export_vectors(model, tmp_path / f"v{suffix}")
    assert_same(load_vectors(tmp_path / f"v{suffix}"), model)
    first = import_vectors(tmp_path / f"v{suffix}", limit=601)
    assert first.W_in.tobytes() == vectors[:601].tobytes()
    assert first.W_in.flags.owndata  # and nothing more is kept in memory


def test_line_feeds_after_vectors(tmp_path):
    """As word2vec.c writes them."""
    body = b"".join(word + b" " + struct.pack("<2f", i, 10) + b"\n" for i, word in enumerate((b"a", b"b", b"c")))
    (tmp_path / "v.bin").write_bytes(b"3 2\n" + body)
    found = load_vectors(tmp_path / "v.bin")
    assert found.vocab.words == ["a", "b", "c"]
    assert found.W_in.tolist() == [[0, 10], [1, 10], [2, 10]]


@pytest.mark.parametrize(
    "content",
    [b"a 1 2\nb 3 4\n", b"2 2\na 1 2 \nb 3 4 \n", b"2 2\r\na 1 2\r\nb 3 4", b"\xef\xbb\xbf2 2\na 1 2\nb 3 4\n\n \n"],
    ids=["GloVe", "fastText", "other line ends", "byte-order mark"],
)
def test_text_of_others(tmp_path, content):
    (tmp_path / "v.vec").write_bytes(content)
    found = load_vectors(tmp_path / "v.vec")
    assert found.vocab.words == ["a", "b"]
    assert found.W_in.tolist() == [[1, 2], [3, 4]]


def test_the_first_words_only(tmp_path, model):
    for suffix in (".txt", ".bin"):
        export_vectors(model, tmp_path / f"v{suffix}")
        found = import_vectors(tmp_path / f"v{suffix}", limit=3)
        assert found.vocab.words == WORDS[:3]
        assert found.W_in.tobytes() == model.W_in[:3].tobytes()
        assert len(import_vectors(tmp_path / f"v{suffix}", limit=10**9)) == len(WORDS)
        with pytest.raises(SettingsError, match="limit is 1;"):
            import_vectors(tmp_path / f"v{suffix}", limit=1)


def test_counts_put_words_in_order(tmp_path):
    """word2vec.c has its sentence end first whatever its count, 0 included."""
    (tmp_path / "v.txt").write_text("3 1\n</s> 1\nthe 2\nof 3\n")
    (tmp_path / "counts").write_text("</s> 0\nthe 900\nof 900\nunused 5\n")
    found = import_vectors(tmp_path / "v.txt", fvocab=tmp_path / "counts")
    assert found.vocab.words == ["the", "of", "</s>"]
    assert found.vocab.counts.tolist() == [900, 900, 1]
    assert found.W_in.ravel().tolist() == [2, 3, 1]
    assert found.counts_known


def test_counts_nobody_knows_are_not_written(tmp_path):
    (tmp_path / "v.txt").write_text("2 1\na 1\nb 2\n")
    found = load_vectors(tmp_path / "v.txt")
    assert (found.vocab.counts.tolist(), found.counts_known) == ([1, 1], False)
    saved = Word2Vec.load(found.save(tmp_path / "m"))
    with pytest.raises(ModelError, match="not known"):
        export_vectors(saved, tmp_path / "out.txt", fvocab=tmp_path / "counts")
    assert not (tmp_path / "counts").exists()


def test_a_model_of_vectors_answers_and_is_saved(tmp_path):
    words, vectors = ["king", "man", "woman", "queen", "far"], [[3, 0, 1], [3, 0, 0], [0, 3, 0], [0, 3, 1], [-1, -1, 0]]
    trained = Word2Vec.from_vectors(words, np.array(vectors, np.float32), [9, 8, 7, 6, 5])
    export_vectors(trained, tmp_path / "v.bin")
    found = load_vectors(tmp_path / "v.bin")
    assert found.analogy("king", "man", "woman")[0][0] == "queen"
    assert found.most_similar("king")[0][0] == "man"
    section = AnalogySection("all", [("man", "king", "woman", "queen")])
    assert evaluate_analogies(found.unit_vectors, found.vocab.words, [section]).accuracy == 1
    found["king"][0] = 4  # it can be trained on
    assert found.W_out.shape == found.W_in.shape
    assert not found.W_out.any()
    assert_same(load_vectors(found.save(tmp_path / "m")), found)
    assert found.settings == {
        "vectors_only": True,
        "counts_known": False,
        "format": "word2vec-binary",
        "left_out": 0,
    }


@pytest.mark.parametrize(
    ("words", "vectors", "counts"),
    [
        (["a", "b"], np.ones((3, 2), np.float32), None),
        (["a", "b"], np.ones((2, 2)), None),
        (["a", "b"], np.ones(2, np.float32), None),
        (["a", "b"], np.ones((2, 0), np.float32), None),
        (["a", "a"], np.ones((2, 2), np.float32), None),
        (["a", "b"], np.ones((2, 2), np.float32), [1]),
        (["a", "b"], np.ones((2, 2), np.float32), [1, 0]),
        (["a", "b"], np.ones((2, 2), np.float32), [1.5, 1]),
        (["a", "b"], np.ones((2, 2), np.float32), [2**63, 1]),
        (["a"], np.ones((1, 2), np.float32), None),
    ],
)
def test_lists_that_make_no_model(words, vectors, counts):
    with pytest.raises(ModelError, match="no model can be made"):
        Word2Vec.from_vectors(words, vectors, counts)


# ------------------------------------------------------------------------------------------------ gensim


PEERS = Path(os.environ.get("PARW2V_PEERS") or ROOT / ".venv-peers/bin/python")

GENSIM = """
import json, sys
from pathlib import Path
import numpy as np
from gensim.models import KeyedVectors
ours, theirs = Path("ours"), Path("theirs")
for path in sorted(ours.iterdir()):
    binary = ".bin" in path.name
    kv = KeyedVectors.load_word2vec_format(str(path), binary=binary)
    np.save(theirs / (path.name + ".npy"), kv.vectors)
    (theirs / (path.name + ".json")).write_text(json.dumps(kv.index_to_key))
for name in ("v.txt", "v.bin"):
    kv = KeyedVectors.load_word2vec_format(str(ours / name), fvocab="counts", binary=".bin" in name)
    for pack in ("", ".gz", ".bz2"):
        kv.save_word2vec_format(str(theirs / (name + pack)), fvocab=str(theirs / ("counts" + pack)), binary=".bin" in name)
for errors in ("strict", "replace", "ignore"):
    for name in ("bad.txt", "bad.bin"):
        try:
            words = KeyedVectors.load_word2vec_format(name, binary=".bin" in name, unicode_errors=errors).index_to_key
        except UnicodeDecodeError:
            words = None
        (theirs / f"{name}.{errors}.json").write_text(json.dumps(words))
"""
BAD_WORDS = [b"fine", b"caf\xe9", b"caf\xe8", b"\xe2\x82", b"x\xffy", "é".encode()]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    """A directory with files that gensim read and wrote; one start of gensim for all tests."""
    if not PEERS.exists():
        pytest.skip("no gensim beside this checkout: make bench-peers installs it, or set PARW2V_PEERS to its Python")
    directory = tmp_path_factory.mktemp("exchange")
    for name in ("ours", "theirs"):
        (directory / name).mkdir()
    tame = model_of(TAME + [w for w in HOSTILE if len(w.split()) == 1 and w.split() == [w]])
    for suffix in (".txt", ".bin"):
        for pack in ("", ".gz", ".bz2"):
            export_vectors(tame, directory / "ours" / f"v{suffix}{pack}")
        export_vectors(model_of(), directory / "ours" / f"hostile{suffix}")
    export_vectors(tame, directory / "unused.bin", fvocab=directory / "counts")
    rows = [struct.pack("<f", i) for i in range(len(BAD_WORDS))]
    pairs = list(zip(BAD_WORDS, rows, strict=True))
    (directory / "bad.bin").write_bytes(b"6 1\n" + b"".join(word + b" " + row for word, row in pairs))
    (directory / "bad.txt").write_bytes(b"6 1\n" + b"".join(b"%b %d\n" % (w, i) for i, w in enumerate(BAD_WORDS)))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [PEERS, "-c", GENSIM], cwd=directory, env=environment, capture_output=True, text=True, timeout=2 * PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return directory, tame


@pytest.mark.parametrize("pack", ["", ".gz", ".bz2"])
@pytest.mark.parametrize("suffix", [".txt", ".bin"])
def test_gensim_reads_what_is_written_to_the_bit(exchange, suffix, pack):
    directory, tame = exchange
    vectors = np.load(directory / "theirs" / f"v{suffix}{pack}.npy")
    assert json.loads((directory / "theirs" / f"v{suffix}{pack}.json").read_text()) == tame.vocab.words
    assert vectors.dtype == np.float32
    assert vectors.tobytes() == tame.W_in.tobytes()


@pytest.mark.parametrize("suffix", [".txt", ".bin"])
def test_gensim_reads_hostile_words(exchange, suffix):
    directory, _ = exchange
    assert json.loads((directory / "theirs" / f"hostile{suffix}.json").read_text()) == WORDS
    assert np.load(directory / "theirs" / f"hostile{suffix}.npy").tobytes() == model_of().W_in.tobytes()


@pytest.mark.parametrize("pack", ["", ".gz", ".bz2"])
@pytest.mark.parametrize("suffix", [".txt", ".bin"])
def test_what_gensim_writes_is_read_to_the_bit(exchange, suffix, pack):
    directory, tame = exchange
    path = directory / "theirs" / f"v{suffix}{pack}"
    assert_same(import_vectors(path, fvocab=directory / "theirs" / f"counts{pack}"), tame, counts=True)
    if not pack:
        assert path.read_bytes() == (directory / "ours" / f"v{suffix}").read_bytes()
        assert (directory / "theirs" / "counts").read_bytes() == (directory / "counts").read_bytes()


@pytest.mark.parametrize("errors", ["strict", "replace", "ignore"])
@pytest.mark.parametrize("suffix", [".txt", ".bin"])
def test_words_that_are_not_utf8_as_gensim_takes_them(exchange, suffix, errors):
    directory, _ = exchange
    expected = json.loads((directory / "theirs" / f"bad{suffix}.{errors}.json").read_text())
    if expected is None:
        assert errors == "strict"
        with pytest.raises(ModelError, match=r"caf\\xe9.*--unicode_errors"):
            import_vectors(directory / f"bad{suffix}", unicode_errors=errors)
        return
    found = import_vectors(directory / f"bad{suffix}", unicode_errors=errors)
    assert found.vocab.words == [word for word in expected if word]  # gensim keeps an empty word
    assert found.settings["left_out"] == len(BAD_WORDS) - len(found)


# ------------------------------------------------------------------------------------------------ words


def test_bad_utf8(tmp_path):
    """Not beside gensim: what is kept, and with which vector."""
    (tmp_path / "v.txt").write_bytes(b"".join(b"%b %d\n" % (word, i) for i, word in enumerate(BAD_WORDS)))
    replaced = import_vectors(tmp_path / "v.txt", unicode_errors="replace")
    assert dict(zip(replaced.vocab.words, replaced.W_in.ravel().tolist(), strict=True)) == {
        "fine": 0,
        "caf\ufffd": 1,
        "\ufffd": 3,
        "x\ufffdy": 4,
        "é": 5,
    }
    assert import_vectors(tmp_path / "v.txt", unicode_errors="ignore").vocab.words == ["fine", "caf", "xy", "é"]
    with pytest.raises(SettingsError, match="surrogateescape"):
        import_vectors(tmp_path / "v.txt", unicode_errors="surrogateescape")


def test_long_words_are_left_out(tmp_path):
    long = b"x" * 101
    (tmp_path / "v.txt").write_bytes(b"3 1\na 1\n" + long + b" 2\nb 3\n")
    found = load_vectors(tmp_path / "v.txt")
    assert found.vocab.words == ["a", "b"]
    assert found.W_in.ravel().tolist() == [1, 3]
    assert found.settings["left_out"] == 1


@pytest.mark.parametrize("word", ["", "a b", " ", "a\nb", "\ud800"])
def test_words_that_a_format_cannot_hold(tmp_path, word):
    model = Word2Vec.from_vectors(["fine", word], np.ones((2, 3), np.float32), [2, 1])
    for name in ("v.txt", "v.bin"):
        with pytest.raises(ModelError, match="cannot stand in this format") as caught:
            export_vectors(model, tmp_path / name)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    export_vectors(model, tmp_path / "p", format="projector")
    lines = (tmp_path / "p" / "metadata.tsv").read_text().split("\n")
    assert len(lines) == 3
    assert all(line.strip() and "\t" not in line for line in lines[:2])


def test_projector_has_a_line_for_every_word(tmp_path, model):
    vectors, metadata = export_vectors(model, tmp_path / "p", format="projector")
    lines = metadata.read_bytes().decode().split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(set(lines)) == len(WORDS)
    assert all(line == line.strip() and line.isprintable() and line for line in lines)
    assert lines[: len(TAME)] == TAME
    assert lines[WORDS.index("a\tb")] == r"a\tb"
    rows = [line.split("\t") for line in vectors.read_text().split("\n")[:-1]]
    assert np.array(rows, np.float64).astype(np.float32).tobytes() == model.W_in.tobytes()
    with pytest.raises(SettingsError, match="written only"):
        import_vectors(tmp_path / "p", format="projector")


# ------------------------------------------------------------------------------------------------ damage


def record(word, *values):
    return word + b" " + struct.pack(f"<{len(values)}f", *values)


GOOD_BIN = b"2 2\n" + record(b"a", 1, 2) + record(b"b", 3, 4)
GOOD_TXT = b"2 2\na 1 2\nb 3 4\n"
BAD = {
    "empty.txt": (b"", "line 1: 'V D'"),
    "empty.bin": (b"", "line 1: 'V D'"),
    "no header.bin": (record(b"a", 1, 2) + record(b"b", 3, 4), "line 1: 'V D'"),
    "one number.bin": (b"2\n" + GOOD_BIN[4:], "line 1: 'V D'"),
    "negative.bin": (b"-2 2\n" + GOOD_BIN[4:], "line 1: 'V D'"),
    "no words.bin": (b"0 2\n", "holds 0 words"),
    "no words.txt": (b"0 2\n", "holds 0 words"),
    "one word.txt": (b"1 2\na 1 2\n", "holds 1 words"),
    "no dimensions.bin": (b"2 0\na b ", "0 dimensions"),
    "no dimensions.txt": (b"2 0\na\nb\n", "0 dimensions"),
    "wide.txt": (b"2 10001\n" + (b"a" + b" 1" * 10001 + b"\n") * 2, "10,001 dimensions"),
    "words only.txt": (b"a\nb\n", "line 1: 'V D'"),
    "bomb.bin": (b"1000000000000 300\n" + GOOD_BIN[4:], "line 1 promises 1,000,000,000,000 words"),
    "bomb.txt": (b"1000000000000 300\n" + GOOD_TXT[4:], "line 1 promises 1,000,000,000,000 words"),
    "broad bomb.bin": (b"2 100000000000000000\n" + GOOD_BIN[4:], "line 1 promises"),
    "long number.bin": (b"9" * 40 + b" 2\n" + GOOD_BIN[4:], "line 1: 'V D'"),
    "fewer words.bin": (b"3 2\n" + GOOD_BIN[4:] + b"\n" * 10, r"offset 34: ends 1 words too early"),
    "fewer words.txt": (b"3 2\n" + GOOD_TXT[4:] + b"\n" * 10, "line 3: is the last, 1 words too early"),
    "more words.bin": (b"2 2\n" + GOOD_BIN[4:] + record(b"c", 5, 6), "offset 24: something stands after"),
    "more words.txt": (b"2 2\n" + GOOD_TXT[4:] + b"c 5 6\n", "line 4: line 1 promises 2 words"),
    "extra byte.bin": (GOOD_BIN + b"x", "offset 24: something stands after"),
    "two line feeds.bin": (GOOD_BIN + b"\n\n", "offset 24: something stands after"),
    "cut.bin": (b"2 2\n" + record(b"aaaa", 1, 2) + record(b"b", 3, 4)[:-1], "offset 26: ends 1 words too early"),
    "twice.bin": (b"2 2\n" + record(b"a", 1, 2) * 2, "offset 14: the word 'a' stands there a second time"),
    "twice.txt": (b"2 2\na 1 2\na 3 4\n", "line 3: the word 'a' stands there a second time"),
    "no word.bin": (b"2 2\n" + record(b"aa", 1, 2) + record(b"", 3, 4), "offset 15: an empty word"),
    "no word.txt": (b"2 2\na 1 2\n 3 4\n", "line 3: an empty word"),
    "NUL.bin": (b"2 2\n" + record(b"a", 1, 2) + record(b"b\0", 3, 4), r"offset 14: the word 'b\\x00' holds a NUL"),
    "NUL.txt": (b"2 2\na 1 2\nb\0 3 4\n", "line 3: the word .* holds a NUL"),
    "not UTF-8.bin": (b"2 2\n" + record(b"a", 1, 2) + record(b"\xff", 3, 4), "offset 14: .* not UTF-8"),
    "not UTF-8.txt": (b"2 2\na 1 2\n\xff 3 4\n", "line 3: .* not UTF-8; give --unicode_errors"),
    "nan.bin": (b"2 2\n" + record(b"a", 1, 2) + record(b"b", 3, float("nan")), "offset 14: the vector of 'b' is not"),
    "nan.txt": (b"2 2\na 1 2\nb nan 4\n", "line 3: the vector of 'b' is not finite"),
    "inf.txt": (b"2 2\na 1 2\nb -inf 4\n", "line 3: the vector of 'b' is not finite"),
    "too large.txt": (b"2 2\na 1 2\nb 1e60 4\n", "line 3: the vector of 'b' is not finite"),
    "word with space.txt": (b"2 2\na 1 2\nnew york 3 4\n", "line 3: a word without a space.*'new york 3 4'"),
    "word with number.txt": (b"2 2\na 1 2\ntop 40 3 4\n", "line 3: a word without a space"),
    "short.txt": (b"2 2\na 1\nb 3 4\n", "line 2: a word without a space in it and 2 numbers"),
    "short first.txt": (b"a 1\nb 3 4\n", "line 2: a word without a space in it and 1 numbers"),
    "glued.txt": (b"2 2\na 1-2\nb 3 4\n", "line 2: "),
    "two points.txt": (b"2 2\na 1.5.2\nb 3 4\n", "line 2: "),
    "comma.txt": (b"2 2\na 1,5 2\nb 3 4\n", "line 2: "),
    "junk at the end.txt": (b"2 2\na 1 2x\nb 3 4\n", "line 2: "),
    "blank.txt": (b"2 2\na 1 2\n\nb 3 4\n", "line 3: is empty"),
    "endless line.txt": (b"2 2\na 1 " + b"2" * (1 << 20), "line 2: has 1,048,576 bytes or more"),
    "endless word.bin": (b"2 2\n" + b"a" * 10_000, "offset 4: no word stands there"),
    "fastText.bin": (struct.pack("<2i", 793712314, 12) + bytes(99), "model of fastText"),
    "binary as.txt": (GOOD_BIN, "line 2: .*give the right --format"),
    "text as.bin": (b"2 4\na 0.12345 2.125 1.5 1.75\nb 3 0.4321 1 1\n", "offset"),
    "not packed.txt.gz": (GOOD_TXT, "compressed file is damaged"),
    "not packed.bin.xz": (GOOD_BIN, "compressed file is damaged"),
    "not packed.txt.bz2": (GOOD_TXT, "cannot be read"),
    "cut.bin.gz": (gzip.compress(GOOD_BIN)[:-9], "compressed file is damaged"),
    "bomb.bin.gz": (gzip.compress(b"1000000000000 10000\n" + bytes(10**6)), "offset 20: no word stands there"),
    "bomb.txt.gz": (gzip.compress(b"1000000000000 300\n" + bytes(10**8)), "line 2: has 1,048,576 bytes or more"),
    "fewer words.bin.gz": (gzip.compress(b"3 2\n" + GOOD_BIN[4:]), "offset 24: ends 1 words too early"),
    "fewer words.txt.gz": (gzip.compress(b"3 2\n" + GOOD_TXT[4:]), "line 3: is the last, 1 words too early"),
}


@pytest.mark.parametrize("name", BAD)
def test_malformed(tmp_path, name):
    content, message = BAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=message) as caught:
            import_vectors(path)
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("suffix", [".txt", ".bin", ".txt.gz", ".bin.gz"])
def test_every_cut(tmp_path, suffix):
    path = tmp_path / f"v{suffix}"
    export_vectors(model_of(["the", "한국어", "\r"], 4), path)
    whole = path.read_bytes()
    for n in range(len(whole) - (20 if suffix == ".txt" else 0)):  # a text cut in its last number cannot be told
        path.write_bytes(whole[:n])
        with pytest.raises(ModelError):
            import_vectors(path)


def test_a_small_file_of_empty_lines_takes_no_time(tmp_path):
    """Packed, 40 kB of them are 40 million, which one by one take half a minute."""
    for content, message in (
        (b"", "line 1: 'V D'"),
        (b"3 1\na 1\nb 1\n", "1 words too early"),
        (b"2 1\na 1\nb 1\n", None),
    ):
        path = tmp_path / "v.txt.gz"
        path.write_bytes(gzip.compress(content + b"\n" * 40_000_000))
        started = time.process_time()
        with pytest.raises(ModelError, match=message) if message else contextlib.nullcontext():
            import_vectors(path)
        assert time.process_time() - started < 5


COUNTS = {
    "no number": ("a 5\nb\n", "line 2: a word and a count"),
    "negative": ("a 5\nb -1\n", "line 2: a word and a count"),
    "fraction": ("a 5\nb 1.5\n", "line 2: a word and a count"),
    "missing": ("a 5\n", "has no count of 'b'"),
    "twice": ("a 5\na 4\nb 1\n", "line 2: the word 'a' stands there a second time"),
    "absurd": ("a 99999999999999999999\nb 1\n", "line 1: a word and a count"),
    "empty": ("", "has no count of 'a'"),
}


@pytest.mark.parametrize("name", COUNTS)
def test_malformed_counts(tmp_path, name):
    (tmp_path / "v.txt").write_bytes(GOOD_TXT)
    content, message = COUNTS[name]
    (tmp_path / "counts").write_text(content)
    with pytest.raises(ModelError, match=message) as caught:
        import_vectors(tmp_path / "v.txt", fvocab=tmp_path / "counts")
    assert str(caught.value).startswith(f"{tmp_path / 'counts'}: ")


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "d.bin").mkdir()
    for name, message in (("missing.txt", "no such file"), ("d.bin", "cannot be read")):
        with pytest.raises(ModelError, match=message):
            load_vectors(tmp_path / name)
    with pytest.raises(ModelError, match=r"missing\.npz: there is no such file"):
        load_vectors(tmp_path / "missing")


# ------------------------------------------------------------------------------------------------ safetensors


def test_safetensors(tmp_path):
    pytest.importorskip("safetensors")
    from safetensors.numpy import load_file, save_file

    model = model_of([*WORDS, "a b", "\ud800", "a\nb"])
    path = tmp_path / "v.safetensors"
    export_vectors(model, path)
    assert_same(load_vectors(path), model, counts=True)
    assert import_vectors(path, limit=5).vocab.words == WORDS[:5]
    tensors = load_file(path)
    assert sorted(tensors) == ["counts", "vectors", "words"]
    assert json.loads(bytes(tensors["words"])) == model.vocab.words
    assert tensors["vectors"].tobytes() == model.W_in.tobytes()

    whole = path.read_bytes()
    for n in (0, 4, 100, len(whole) - 1):
        path.write_bytes(whole[:n])
        with pytest.raises(ModelError, match=r"v\.safetensors: is damaged"):
            load_vectors(path)
    words = np.frombuffer(b'["a", "b"]', np.uint8)
    for bad in (
        {"vectors": np.ones((2, 3), np.float32)},
        {"vectors": np.ones((2, 3)), "words": words},
        {"vectors": np.ones((3, 3), np.float32), "words": words},
        {"vectors": np.ones((2, 3), np.float32), "words": words[:5]},
        {"vectors": np.ones((2, 3), np.float32), "words": words, "counts": np.ones(3, np.int64)},
    ):
        save_file(bad, path)
        with pytest.raises(ModelError, match="is damaged or was not written by parw2v"):
            load_vectors(path)
    save_file({"vectors": np.full((2, 3), np.nan, np.float32), "words": words}, path)
    with pytest.raises(ModelError, match="row 0: the vector of 'a' is not finite"):
        load_vectors(path)
    export_vectors(Word2Vec.from_vectors(["a", "b"], np.ones((2, 1), np.float32)), path)
    assert not load_vectors(path).counts_known


def test_without_the_extra(tmp_path, model, monkeypatch):
    for name in ("safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, name, None)
    for attempt in (load_vectors, lambda path: export_vectors(model, path)):
        with pytest.raises(ModelError, match=r"pip install 'parw2v\[safetensors\]'") as caught:
            attempt(tmp_path / "v.safetensors")
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------------------ commands


def test_suffixes():
    assert format_of("a.bin") == format_of("a.BIN.gz") == "word2vec-binary"
    assert format_of("a.txt") == format_of("b/a.vec.xz") == "word2vec-text"
    assert format_of("a.safetensors") == "safetensors"
    for name in ("a", "a.npz", "a.gz", "bin", "a.safetensors.gz", ".gz"):
        assert format_of(name) is None
    assert all(kind.write for kind in FORMATS.values())


def test_out_and_in_again(python, tmp_path, model):
    model.save(tmp_path / "m")
    done = python.cli("export", "m", "out/v.bin.gz", "--fvocab", "counts")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "written: out/v.bin.gz\nwritten: counts\n")
    done = python.cli("import", "out/v.bin.gz", "back", "--fvocab", "counts")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{len(WORDS)} words x 8: back.npz\n")
    assert_same(Word2Vec.load(tmp_path / "back"), model, counts=True)


def test_from_one_format_to_another(tmp_path, model, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    export_vectors(model, "v.bin")
    assert main(["export", "v.bin", "named", "--format", "word2vec-text"]) == 0
    assert main(["import", "named", "m", "--format", "word2vec-text", "--limit", "4"]) == 0
    assert Word2Vec.load("m").vocab.words == WORDS[:4]
    assert main(["export", "m.npz", "p", "--format=projector"]) == 0
    assert (tmp_path / "p" / "metadata.tsv").read_text() == "".join(f"{word}\n" for word in WORDS[:4])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["export", "m", "vectors"], "vectors: its suffix tells no format"),
        (["export", "m", "v.safetensors.gz"], "its suffix tells no format"),
        (["export", "m", "v.gz", "--format", "projector"], "leave .gz out"),
        (["export", "missing", "v.txt"], "missing.npz: there is no such file"),
        (["import", "missing.txt", "m2"], "missing.txt: there is no such file"),
        (["import", "m.npz", "m2"], "m.npz: its suffix tells no format"),
        (["import", "bad.txt", "m2"], "line 3: "),
        (["import", "good.txt", "m2", "--limit", "0"], "limit is 0"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, model, monkeypatch, capsys, argv, named):
    monkeypatch.chdir(tmp_path)
    model.save("m")
    Path("good.txt").write_bytes(GOOD_TXT)
    Path("bad.txt").write_bytes(GOOD_TXT[:-3] + b"x\n")
    before = sorted(tmp_path.iterdir())
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("parw2v: error: ")
    assert err.count("\n") == 1
    assert named in err
    assert sorted(tmp_path.iterdir()) == before


def test_left_out_words_are_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("v.txt").write_bytes(b"a 1\nb 2\na 3\n" + b"c" * 200 + b" 4\n")
    assert main(["import", "v.txt", "m", "--unicode-errors", "replace"]) == 0
    assert "2 words are left out" in capsys.readouterr().err
    assert Word2Vec.load("m").vocab.words == ["a", "b"]


def test_a_vocabulary_that_was_built_goes_through(tmp_path, small):
    vocab, _ = small
    assert isinstance(vocab, Vocabulary)
    model = Word2Vec(vocab, 10)
    export_vectors(model, tmp_path / "v.vec", fvocab=tmp_path / "counts")
    found = import_vectors(tmp_path / "v.vec", fvocab=tmp_path / "counts")
    assert_same(found, model, counts=True)
