"""Sentences as programs have them: lists, generators, columns of tables, arrays, strings; checked, and a stretch at a time.

Three kinds of source, told apart by their first items:

lists
    Each item is a sentence: a list, tuple or array of words, which are taken as they are.
documents
    Each item is a string, and some of the first hold white space: they are texts, whose words are found as in a file
    (`parw2v.text`). So a list of strings never becomes a vocabulary of single characters.
words
    Each item is a string without white space: the words of one long text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple, TypeAlias

from parw2v.errors import CorpusError
from parw2v.sources import Source, shown
from parw2v.text import MAX_SENTENCE_WORDS, Tokens, normalised

Words: TypeAlias = Sequence[str]

BATCH = 1 << 16
"""Items are taken together until they hold this many words (lists) or characters (strings)."""

_ROWS = 1024
"""Of an Arrow column, turned into Python objects together."""

_WHITE_SPACE = re.compile("[ \\t\\n\\r\\v\\f]")
_PLAIN = frozenset({list, tuple, str})
_CONVERSIONS = ("as_py", "tolist", "to_list", "to_pylist")
"""How a scalar or an array of NumPy, Arrow, pandas or polars becomes an object of Python's."""

_MISSING = re.compile(r"None|<NA>|NaT|nan|np\.float\d+\(nan\)")
"""How what stands for a missing value calls itself; NaN and pandas' NA cannot be compared with."""


class Items(NamedTuple):
    """A source, and of which kind it is."""

    kind: Literal["lists", "documents", "words"]
    batches: Iterator[list[Any]]
    """Lists of sentences (each a sequence of words), or of strings."""


def is_files(source: object) -> bool:
    """Whether a source is the name of a file or a pattern, or a list of paths, rather than what they hold."""
    if isinstance(source, list | tuple):
        return len(source) > 0 and all(isinstance(item, os.PathLike) for item in source)
    return isinstance(source, str | os.PathLike)


def items_of(source: Any) -> Items:
    """Look at the first items of a source; what comes is checked as it comes.

    Raises
    ------
    CorpusError
        The source is a table, a mapping or nothing that can be gone through; an item is missing (None, NaN), of bytes, a
        number, or of another kind than those before it.
    """
    batches = _batches(_iterator(source))
    first = next(batches, [])
    if not first or not isinstance(first[0], str):
        return Items("lists", chain([first], batches))
    if isinstance(source, list | tuple) and all(len(name) < 256 and os.path.isfile(name) for name in source[:3]):
        raise CorpusError(
            f"{shown(source[0])!r} is a file, but strings in a list are texts; for files give pathlib.Path objects"
        )
    if _WHITE_SPACE.search("\0".join(first)):
        return Items("documents", chain([first], batches))
    return Items("words", _still_words(chain([first], batches)))


def sentences_of(source: Any) -> Iterator[list[str]]:
    """Yield the sentences of what a caller may hand over, none longer than `MAX_SENTENCE_WORDS`; see `items_of`.

    Words that were appended to `Tokens` since it was made are one more sentence.
    """
    kind, batches = items_of(source)
    if kind == "words":
        text: list[str] = []
        for batch in batches:
            text += batch
            *whole, text = _cut(text) or [[]]
            yield from whole
        if text:
            yield text
        return
    for batch in batches:
        for sentence in batch if kind == "lists" else _lines(batch):
            yield from _cut(sentence)


def no_word(word: object, where: str) -> CorpusError:
    """The error for a word that is none; `where` names its place."""
    if _is_missing(word):
        remedy = "leave out what is missing"
    elif isinstance(word, bytes | bytearray):
        remedy = "decode it first"
    elif isinstance(word, list | tuple):
        remedy = "a sentence is a list of words, not of lists"
    else:
        remedy = "words are strings"
    return CorpusError(f"{where} is {_described(word)}; {remedy}")


def _cut(sentence: Sequence[str]) -> list[list[str]]:
    return [list(sentence[start : start + MAX_SENTENCE_WORDS]) for start in range(0, len(sentence), MAX_SENTENCE_WORDS)]


def _lines(documents: list[str]) -> Iterator[list[str]]:
    """The words of each line of some documents."""
    text = normalised("\n".join(documents).encode("utf-8", "surrogatepass"), raw=False)
    for line in text.decode().split("\n"):
        yield line.split()


def _still_words(batches: Iterable[list[str]]) -> Iterator[list[str]]:
    for batch in batches:
        if _WHITE_SPACE.search("\0".join(batch)):
            word = next(filter(_WHITE_SPACE.search, batch))
            raise CorpusError(
                f"{_described(word)} holds white space, but the strings before it were taken for single words; "
                "give a list of words for each sentence"
            )
        yield batch


def _iterator(source: Any) -> Iterator[Any]:
    """The items of a source, whatever it is."""
    if isinstance(source, Tokens):
        return _sentences(source)
    for name in ("column_names", "columns"):
        if hasattr(source, name):
            names = list(map(str, getattr(source, name)))
            listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            raise CorpusError(f"the source is a table with columns {shown(listed)}; give one of them: table[NAME]")
    if isinstance(source, str | bytes | bytearray):
        raise CorpusError("the source is one string; for a text give it in a list: [text]")
    if isinstance(source, Mapping):
        raise CorpusError(f"the source is a {type(source).__name__}; give its texts: source.values()")
    if hasattr(source, "to_pylist") and hasattr(source, "slice"):
        return _rows(source)
    try:
        return iter(source)
    except TypeError:
        raise CorpusError(f"the source is {_described(source)}; give lists of words, strings or a file") from None


def _sentences(tokens: Tokens) -> Iterator[list[str]]:
    start = 0
    for length in tokens.sentence_lengths:
        yield list.__getitem__(tokens, slice(start, start + length))
        start += length
    yield list.__getitem__(tokens, slice(start, None))


def _rows(column: Any) -> Iterator[Any]:
    """The rows of an Arrow array as objects of Python's; one by one they would take ten times as long."""
    for start in range(0, len(column), _ROWS):
        yield from column.slice(start, _ROWS).to_pylist()


def _batches(items: Iterator[Any]) -> Iterator[list[Any]]:
    """Items as lists, tuples or strings, some at a time; all of one kind."""
    strings: bool | None = None
    batch: list[Any] = []
    room = BATCH
    for number, item in enumerate(items, 1):
        if type(item) not in _PLAIN:
            item = _plain(item, number)
        if (type(item) is str) is not strings:
            if strings is not None:
                raise CorpusError(
                    f"item {number:,} is {_described(item)}, but those before it are {'strings' if strings else 'lists'}; "
                    "give all as lists of words, or all as strings"
                )
            strings = type(item) is str
        batch.append(item)
        room -= len(item) + 1
        if room <= 0:
            yield batch
            batch, room = [], BATCH
    if batch:
        yield batch


def _plain(item: Any, number: int) -> Any:
    """An item as a list, tuple or string; CorpusError if it is nothing of the kind."""
    original = item
    for name in _CONVERSIONS:
        if hasattr(item, name):
            item = getattr(item, name)()
    if isinstance(item, str):
        return str(item)
    if isinstance(item, list | tuple):
        return item
    where = f"item {number:,}"
    if _is_missing(item):
        raise CorpusError(f"{where} is missing ({_described(original)}); drop such items first")
    if isinstance(item, bytes | bytearray):
        raise CorpusError(f"{where} is {_described(item)}; decode it first: item.decode()")
    if isinstance(item, Mapping):
        raise CorpusError(f"{where} is a {type(item).__name__}; give the field that holds the words")
    try:
        return list(item)
    except TypeError:
        raise CorpusError(f"{where} is {_described(original)}; give a list of words, or a string") from None


def _is_missing(value: object) -> bool:
    return _MISSING.fullmatch(repr(value)) is not None


def _described(value: object) -> str:
    """A value and its type, in one short line."""
    text = " ".join(repr(value).split())
    text = text if len(text) <= 60 else text[:60] + "..."
    return text if value is None else f"{text} ({type(value).__name__})"


def files_in(source: Any) -> Source:
    """A source that `is_files`, as `parw2v.sources.text_files` takes it."""
    return [str(item) for item in source] if isinstance(source, list | tuple) else os.fspath(source)
