"""Bytes become words: by the stated rule, whatever the file holds and wherever it is cut."""

import bz2
import gzip
import io
import itertools
import lzma
import random
import sys
import unicodedata

import pytest

from parw2v import text
from parw2v.errors import CorpusError, SettingsError
from parw2v.sentences import sentences_of
from parw2v.text import SENTENCE_END, Tokens, cuts, is_plain, normalised, pieces, read_tokens

SMALL_PIECE = 8
SMALL_RUN = 64


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(text, "PIECE_BYTES", SMALL_PIECE)
    monkeypatch.setattr(text, "LONGEST_RUN", SMALL_RUN)


@pytest.fixture
def write(tmp_path):
    def write(content, name="text.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def lines_of(tokens):
    """Byte tokens as lists of words, one for each line."""
    lines = [[]]
    for token in tokens:
        if token == SENTENCE_END:
            lines.append([])
        else:
            lines[-1].append(token.decode())
    return lines


def read(source, **options):
    return lines_of(token for piece in read_tokens(source, **options) for token in piece)


def cleaned_slowly(string):
    """The rule of the module's docstring, a character at a time."""
    kept = (c if unicodedata.category(c)[0] in "LNM" or c == "\n" else " " for c in string.lower())
    return [line.split() for line in "".join(kept).split("\n")]


# ---------------------------------------------------------------------------------------------------- the cleaning rule


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Don't stop, Zoë!", "don t stop zoë"),
        ("snake_case 3.14 x2", "snake case 3 14 x2"),
        ("हिन्दी में लिखा", "हिन्दी में लिखा"),
        ("cafe\u0301 nai\u0308ve", "cafe\u0301 nai\u0308ve"),
        ("한국어 문장입니다.", "한국어 문장입니다"),
        ("「日本語」、です。", "日本語 です"),
        ("ŁÓDŹ—Straße…ΟΔΟΣ", "łódź straße οδος"),
        ("x²+½ⅷ", "x² ½ⅷ"),
        ("a\u2028b\u00a0c\u0085d\x1ce\x0bf", "a b c d e f"),
        ("price: 5€ 👍 ok", "price 5 ok"),
    ],
)
def test_cleaning(write, line, words):
    assert read(write(line)) == [words.split()]


def test_every_character_is_treated_by_its_category(write):
    """Each code point between two letters; what lower-case turns it into decides."""
    assigned = (*range(1, 10), *range(11, 0xD800), *range(0xF900, 0x33480), *range(0xE0000, 0xE0200))
    points = list(map(chr, assigned))
    source = "\n".join(f"x{c}x" for c in points)
    assert read(write(source)) == cleaned_slowly(source)


def test_ascii_path_agrees_with_unicode_path():
    noise = random.Random(1)
    ascii_text = bytes(range(1, 128)) + bytes(noise.choices(range(128), k=20_000))
    by_table = normalised(ascii_text, raw=False)
    assert normalised(ascii_text + " é".encode(), raw=False) == by_table + " é".encode()
    lines = [line.split() for line in by_table.decode().split("\n")]
    assert lines == cleaned_slowly(ascii_text.decode().replace("\0", " "))


def test_only_the_characters_named_need_their_context_for_lower_case():
    """All others are looked up one by one."""
    for character in map(chr, (*range(0xD800), *range(0xE000, sys.maxunicode + 1))):
        if character not in text._CASED_IN_CONTEXT:
            assert len(character.lower()) == 1
            assert f"A{character}".lower() == "a" + character.lower() == f"a{character}A".lower()[:2]


@pytest.mark.parametrize("line", ["ΟΔΟΣ ΣΟΦΟΣ ΑΣ'Α ΑΣ’Α ΑΣ", "İSTANBUL İ", "ΣΣ\u0301Σ Σ", "É ΔΕ"])
def test_lower_case_that_depends_on_the_context(write, line):
    assert read(write(line)) == cleaned_slowly(line)


@pytest.mark.parametrize("raw", [False, True])
def test_normalised_text_holds_words_spaces_and_line_feeds_only(raw):
    noise = random.Random(2)
    for alphabet in (range(128), range(256)):
        out = normalised(bytes(noise.choices(alphabet, k=5000)), raw=raw)
        assert not set(out) & set(b"\0\t\r\v\f")
        assert {10, 32} <= set(out)
        out.decode()


def test_raw_keeps_what_stands_between_spaces(write):
    path = write("Don't  stop,\tZoë!\r\n<unk> N\u00a0x a\0b\x0c_\n")
    assert read(path, raw=True) == [["Don't", "stop,", "Zoë!"], ["<unk>", "N\u00a0x", "a", "b", "_"], []]


# ---------------------------------------------------------------------------------------------------- what files hold


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", [[]]),
        (b"\xef\xbb\xbf", [[]]),
        (b"\n\n", [[], [], []]),
        (b"  \t \r\n", [[], []]),
        (b"no end", [["no", "end"]]),
        (b"a b\r\nc\r\n", [["a", "b"], ["c"], []]),
        (b"\xef\xbb\xbfbom \xc3\xa9", [["bom", "é"]]),
        (b"tab\tand\tnul\0here", [["tab", "and", "nul", "here"]]),
        ("é\0è".encode(), [["é", "è"]]),
    ],
)
def test_odd_files(write, content, lines, raw):
    assert read(write(content), raw=raw) == lines


def test_a_second_byte_order_mark_is_text(write):
    assert read(write("\ufeff\ufeffa"), raw=True) == [["\ufeffa"]]


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\x80"])
def test_bytes_that_are_not_utf8(write, bad):
    path = write(b"ab" + bad + b"cd ef")
    assert read(path) == [["ab", "cd", "ef"]]
    (first, last) = read(path, raw=True)[0]
    assert first.strip("abcd") == "\ufffd" * (len(first) - 4)
    assert last == "ef"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_refused(write, encoding):
    content = ("" if encoding == "utf-16" else "\ufeff") + "some words"
    with pytest.raises(CorpusError, match="UTF-16"):
        read(write(content.encode(encoding)))


@pytest.mark.parametrize(
    ("suffix", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_compressed(write, suffix, compress):
    content = "".join(f"line {i} ends\n" for i in range(5000)).encode()
    packed = compress(content)
    expected = read(write(content))
    assert read(write(packed, f"whole{suffix}")) == expected
    assert read(write(packed, f"upper{suffix.upper()}")) == expected
    for damaged in (packed[: len(packed) // 2], packed[:-1], b"not compressed at all", packed + b"trailing garbage"):
        path = write(damaged, f"other{suffix}")
        if damaged.startswith(packed) and suffix != ".gz":  # what follows is none of their business
            assert read(path) == expected
            continue
        with pytest.raises(CorpusError, match=r"damaged or cut short|Invalid data stream"):
            read(path)


def test_what_cannot_be_opened(tmp_path, write):
    for path in (tmp_path / "missing.txt", tmp_path, write("file") / "below"):
        with pytest.raises(CorpusError, match=str(path)):
            read(path)
    with pytest.raises(CorpusError, match="directory"):
        read(tmp_path)


def test_standard_input(monkeypatch):
    stream = io.BytesIO(b"One two\nthree four")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
    assert read("-") == [["one", "two"], ["three", "four"]]
    assert read("-") == [[]]  # it is the caller's and stays open
    assert not stream.closed


# ---------------------------------------------------------------------------------------------------- max_tokens


@pytest.mark.parametrize("piece", [SMALL_PIECE, 1 << 18])
def test_max_tokens_is_exact(write, monkeypatch, piece):
    monkeypatch.setattr(text, "PIECE_BYTES", piece)
    lines = [[f"w{i}" for i in range(n)] for n in (3, 0, 1, 7, 2)]
    path = write("\n".join(map(" ".join, lines)))
    every = [word for line in lines for word in line]
    for n in range(1, len(every) + 3):
        found = read(path, max_tokens=n)
        assert [word for line in found for word in line] == every[:n]
        assert found[:-1] == lines[: len(found) - 1]


def test_max_tokens_below_one(write):
    for n in (0, -1):
        with pytest.raises(SettingsError, match=f"max_tokens is {n}"):
            read(write("a b"), max_tokens=n)


# ---------------------------------------------------------------------------------------------------- pieces


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("spaces", [" \n", " \n\t\r\0", "\t", "\r\v\f\0"])
def test_pieces_change_nothing(write, monkeypatch, raw, spaces):
    random_ = random.Random(5)
    letters = "abcXYZ9.'é\u0301हि한😀_"
    words = ("".join(random_.choices(letters, k=random_.randrange(1, 9))) for _ in range(600))
    path = write("\ufeff" + "".join(word + random_.choice(spaces) * random_.randrange(1, 3) for word in words))
    whole = read(path, raw=raw)
    assert sum(map(len, whole)) > 300
    for size in (4, 5, 7, 16, 61, 1000):
        monkeypatch.setattr(text, "PIECE_BYTES", size)
        assert len(list(read_tokens(path, raw=raw))) > 5
        assert read(path, raw=raw) == whole


@pytest.mark.parametrize("character", ["a", "é", "日", "😀", "\u0301"])
@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_a_text_without_spaces_is_passed_on_in_parts(write, small_pieces, character, before):
    """Memory stays bounded, and the parts put together are the text: no character is cut."""
    content = before + character * 1000
    parts = list(pieces(write(content)))
    assert len(parts) > 5
    assert max(map(len, parts)) <= SMALL_RUN
    assert b"".join(parts).decode() == content
    for part in parts:
        part.decode()


def test_bytes_without_any_character_start(write, small_pieces):
    parts = list(pieces(write(b"\x80" * 1000)))
    assert b"".join(parts) == b"\x80" * 1000
    assert len(parts) > 5


def runs_of(parts):
    """What stands between white space or the ends of parts: the places where words are cut show."""
    return [run for part in parts for run in part.translate(bytes.maketrans(b"\t\r\v\f\0", b"     ")).split()]


@pytest.mark.parametrize("seed", range(40))
def test_where_pieces_and_ranges_end_makes_no_difference(write, monkeypatch, seed):
    """Long runs without white space, too, are cut at the same places wherever one starts to read."""
    random_ = random.Random(seed)
    monkeypatch.setattr(text, "LONGEST_RUN", SMALL_RUN)
    spaces = random_.choice([b" ", b" \n", b"\t\r\0", b" \n\t\r\v\f\0"])
    letters = random_.choice(["a", "aé", "日a", "😀日éa"])
    runs = ["".join(random_.choices(letters, k=random_.choice([1, 5, 20, 62, 63, 64, 65, 300]))) for _ in range(60)]
    content = b"".join(run.encode() + bytes(random_.choices(spaces, k=random_.randrange(1, 4))) for run in runs)
    if seed % 3 == 0:
        content = bytes(random_.choices(range(256), k=3000))
    path = write(b"\xef\xbb\xbf" + content)
    monkeypatch.setattr(text, "PIECE_BYTES", SMALL_RUN // 2)
    whole = runs_of(pieces(path))
    assert max(map(len, whole)) <= SMALL_RUN
    for size in (3, 4, 5, 7, 16, 31):
        monkeypatch.setattr(text, "PIECE_BYTES", size)
        assert runs_of(pieces(path)) == whole
        for n_ranges in (1, 2, 3, 10, 1000):
            ends = cuts(path, n_ranges, range_bytes=1)
            assert ends == sorted(set(ends))
            assert (ends[0], ends[-1]) == (0, len(content) + 3)
            assert len(ends) <= n_ranges + 1
            parts = [part for start, stop in itertools.pairwise(ends) for part in pieces(path, start, stop)]
            assert runs_of(parts) == whole
            assert b"".join(parts) == content


def test_cuts_make_even_ranges_where_they_can(write):
    path = write(b"word " * 10_000)
    assert cuts(path, 4, 1) == [0, 12505, 25005, 37505, 50000]
    assert cuts(path, 4, 20_000) == [0, 25005, 50000]
    assert cuts(path, 4, 50_001) == [0, 50000]
    assert cuts(write(b"x" * 1000), 4, 1) == [0, 1000]
    assert cuts(write(b"x" * 600 + b" " + b"x" * 399), 4, 1) == [0, 601, 1000]
    assert cuts(write(b""), 4, 1) == [0, 0]
    with pytest.raises(CorpusError, match="cannot be read"):
        cuts(path / "missing", 4, 1)


def test_a_file_that_becomes_shorter_is_noticed(write):
    with pytest.raises(CorpusError, match="became shorter"):
        list(pieces(write(b"one two three"), 4, 100))


def test_what_can_be_read_from_any_place(write, tmp_path):
    assert is_plain(write("a"))
    assert is_plain(str(write("a", "gz")))
    for path in (write("a", "a.GZ"), write("a", "b.txt.xz"), write("a", "c.bz2"), tmp_path, tmp_path / "none", "-"):
        assert not is_plain(path)


# ---------------------------------------------------------------------------------------------------- Tokens


def test_tokens_remember_sentences():
    sentences = [["a", "b"], [], ["c"]]
    tokens = Tokens.from_sentences(iter(map(iter, sentences)))
    assert tokens == ["a", "b", "c"]
    assert tokens.sentence_lengths == [2, 0, 1]
    assert list(sentences_of(tokens)) == [["a", "b"], ["c"]]
    tokens.append("d")
    assert list(sentences_of(tokens)) == [["a", "b"], ["c"], ["d"]]
    with pytest.raises(CorpusError, match="add up to 3, but there are 2"):
        Tokens(["a", "b"], [3])


@pytest.mark.parametrize("n", [1, 999, 1000, 1001, 2000, 2500])
def test_long_sentences_are_cut(n):
    words = [f"w{i}" for i in range(n)]
    parts = [words[i : i + 1000] for i in range(0, n, 1000)]
    for tokens in (words, iter(words), [words], (words for _ in range(1)), Tokens(words, [n]), [tuple(words)]):
        assert list(sentences_of(tokens)) == parts
    assert list(sentences_of([])) == []
