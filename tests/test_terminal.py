"""Nothing that a word holds reaches a terminal as an order, and tables stay straight."""

import io

import pytest

from parw2v.terminal import aligned, columns, print_lines, printable


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("a", "a"),
        ("", "''"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\n\t", "a\\n\\t"),
        ("한", "한"),
        ("\u202ea", "\\u202ea"),
        ("\ud800", "\\ud800"),
        ("</script>$x^$", "</script>$x^$"),
    ],
)
def test_printable(word, shown):
    assert printable(word) == shown


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", 0),
        ("abc", 3),
        ("한국어", 6),
        ("カタカナ", 8),
        ("ｱ", 1),
        ("Ａ", 2),
        ("e\u0301", 1),
        ("क\u0941", 1),
        ("😀", 2),
        ("é", 1),
    ],
)
def test_columns(text, width):
    assert columns(text) == width


def test_values_stand_in_one_column_whatever_the_words_are():
    words = ["king", "한국어", "", "x" * 30, "e\u0301\u0301", "\x1b[2J", "😀", "\u202eabc"]
    lines = list(aligned([(word, f"{i - 4:.2f}") for i, word in enumerate(words)], right=True))
    assert len(lines) == len(words)
    assert len({columns(line) for line in lines}) == 1
    assert all(line.isprintable() for line in lines)
    assert lines[0] == "  king" + " " * 26 + "  -4.00"
    assert list(aligned([("a", "1"), ("bcd", "22")])) == ["  a    1", "  bcd  22"]
    assert list(aligned([])) == []


def test_what_an_encoding_lacks_is_escaped():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1")
    print_lines(["한 \ud800 é"], stream)
    assert raw.getvalue() == b"\\ud55c \\ud800 \xe9\n"
