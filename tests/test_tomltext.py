"""What is written reads as what it was, with the standard library's reader."""

import tomllib

import pytest

from parw2v.tomltext import to_toml

HOSTILE = [
    "",
    "plain",
    'quo"tes',
    "back\\slash\\",
    "line\nfeed\r\n\ttab\b\f\x00\x01\x1f\x7f\x85",
    "a = 1 # no comment",
    "[table]",
    '"""',
    "'''",
    "\u2028\u2029\ufeff",
    "\u202eright to left",
    "ünïcode 물리학 😀",
    "</script>$HOME`x`",
    "\\u0041",
    " ends with a space ",
]

TABLES = [
    {},
    {"text": "x"},
    {
        "whole": [0, -1, 2**64, -(2**63)],
        "float": [0.1, 1e-30, 1e300, -0.0, 1e16, 5.0, 2.5e-5],
        "yes": True,
        "no": False,
    },
    {"texts": HOSTILE, "none": [], "one": ["x"], "mixed": [1, "a", 2.0, True]},
    {"hyphen-ated": 1, "under_scored": 2, "with space": 3, 'quo"te': 4, "": 5, "a.b": 6, "é": 7, "\n": 8},
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: ", ".join(map(repr, table))[:40])
def test_round_trip(table):
    text = to_toml(table)
    found = tomllib.loads(text)
    assert found == table
    assert list(found) == list(table)
    for was, now in zip(table.values(), found.values(), strict=True):
        assert type(was) is type(now)
    assert text.count("\n") == len(table)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_on_its_line(text):
    written = to_toml({"path": text})
    assert tomllib.loads(written) == {"path": text}
    assert written.splitlines() == [written[:-1]]


def test_infinities_and_nan():
    found = tomllib.loads(to_toml({"a": float("inf"), "b": float("-inf"), "c": float("nan")}))
    assert (found["a"], found["b"]) == (float("inf"), float("-inf"))
    assert found["c"] != found["c"]


def test_none_is_left_out_and_a_comment_comes_first():
    assert to_toml({"a": None, "b": 1}, "two\n\nlines") == "# two\n#\n# lines\nb = 1\n"


@pytest.mark.parametrize("value", [{"a": 1}, b"x", object(), [None]])
def test_what_is_not_written(value):
    with pytest.raises(TypeError, match="is not written as TOML"):
        to_toml({"key": value})
