"""Bytes in, sentences of words out: the only module that knows what a word is.

A line is a sentence; lines of more than 1,000 words are cut there. Two ways to find words in a line:

clean (default)
    lower-case, then every character that is not a letter, a digit or a combining mark (Unicode categories L, N, M)
    separates words: ``Don't stop, Zoë!`` gives ``don t stop zoë``. It is what was done to make text8, for any script.
raw
    whatever stands between ASCII white space, unchanged.

In both, bytes that are not UTF-8 become U+FFFD (which separates words when cleaning), a byte-order mark at the start is
dropped and NUL counts as a space.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from parw2v.errors import CorpusError, SettingsError
from parw2v.packed import DAMAGED, open_packed

TOKENISER_VERSION = 1
"""Goes up when a text would give other words or sentences than before; what was encoded until then is not used again."""

MAX_SENTENCE_WORDS = 1000
"""A longer line is cut into sentences of this many words (word2vec.c's limit)."""

SENTENCE_END = b"\0"
"""Stands between sentences in a list of byte tokens; no word contains it."""

MAX_WORD_CHARACTERS = 100
"""Longer tokens are left out of a vocabulary: they are addresses or debris, and one of them would widen a model file's
word array for all (word2vec.c cuts words at the same length)."""

PIECE_BYTES = 1 << 18
"""Text is taken this much at a time: a piece and what is made of it stay in the processor's cache."""

LONGEST_RUN = 1 << 22
"""A longer run of bytes without white space is cut every so many bytes: it is no word of any language, and memory stays
bounded whatever a file holds. At least twice `PIECE_BYTES`, so that where the pieces end makes no difference."""


class Tokens(list[str]):
    """A flat list of words that remembers where its sentences end.

    Attributes
    ----------
    sentence_lengths : list of int
        Words in each sentence, in order; their sum is ``len(self)``.
    """

    def __init__(self, words: Iterable[str] = (), sentence_lengths: Iterable[int] = ()) -> None:
        super().__init__(words)
        self.sentence_lengths = list(sentence_lengths)
        if sum(self.sentence_lengths) != len(self):
            raise CorpusError(
                f"sentence lengths add up to {sum(self.sentence_lengths)}, but there are {len(self)} words"
            )

    @classmethod
    def from_sentences(cls, sentences: Iterable[Iterable[str]]) -> Tokens:
        """Join sentences (lists of words) into one list that still knows them."""
        words: list[str] = []
        lengths: list[int] = []
        for sentence in sentences:
            before = len(words)
            words.extend(sentence)
            lengths.append(len(words) - before)
        return cls(words, lengths)


def read_tokens(source: str | Path, *, raw: bool = False, max_tokens: int | None = None) -> Iterator[list[bytes]]:
    """Yield the words of a text in pieces, as UTF-8 bytes, with `SENTENCE_END` after each line.

    Parameters
    ----------
    source : path or "-"
        Plain text, or compressed as ``.gz``, ``.bz2`` or ``.xz``; ``-`` is standard input.
    raw : bool
        Keep tokens as they stand between spaces instead of cleaning them.
    max_tokens : int, optional
        Stop after this many words.

    Raises
    ------
    CorpusError
        The file is missing, a directory, unreadable, cut short, or UTF-16.
    SettingsError
        `max_tokens` is less than 1.
    """
    left = words_wanted(max_tokens)
    for piece in pieces(source):
        tokens = normalised(piece, raw=raw).replace(b"\n", b" \0 ").split()
        words = len(tokens) - tokens.count(SENTENCE_END)
        if words >= left:
            yield _first_words(tokens, left)
            return
        left -= words
        yield tokens


def words_wanted(max_tokens: int | None) -> int:
    """How many words `max_tokens` asks for; SettingsError where that is less than 1."""
    if max_tokens is not None and max_tokens < 1:
        raise SettingsError(f"max_tokens is {max_tokens}; it must be at least 1")
    return sys.maxsize if max_tokens is None else max_tokens


def _first_words(tokens: list[bytes], n: int) -> list[bytes]:
    for i, token in enumerate(tokens):
        if token != SENTENCE_END:
            if n == 0:
                return tokens[:i]
            n -= 1
    return tokens


# ---------------------------------------------------------------------------------------------- the bytes of a file

_SPACE = re.compile(rb"[\n \t\r\v\f\0]")


def compression(source: str | Path) -> str:
    """``.gz``, ``.bz2``, ``.xz``, or nothing: how a text is packed, by its name."""
    suffix = Path(source).suffix.lower()
    return suffix if suffix in (".gz", ".bz2", ".xz") else ""


def is_plain(source: str | Path) -> bool:
    """Whether a text can be read from any place in it on: a file, and not compressed."""
    return str(source) != "-" and not compression(source) and Path(source).is_file()


def pieces(source: str | Path, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Yield the text in runs of about `PIECE_BYTES` that end at white space, so that no word is cut.

    Parameters
    ----------
    source : path or "-"
        See `read_tokens`.
    start, stop : int
        Which bytes of it, for a text that `is_plain`; two neighbours of what `cuts` returned.

    Raises
    ------
    CorpusError
        See `read_tokens`; or the file became shorter.
    """
    tail = b""
    position = start
    with _blaming(source), _open(source) as stream:
        if start:
            stream.seek(start)
        while block := stream.read(PIECE_BYTES if stop is None else min(PIECE_BYTES, stop - position)):
            text = tail + (block if position else _without_bom(block, source))
            position += len(block)
            while len(text) > LONGEST_RUN and not _SPACE.search(text, 0, LONGEST_RUN):
                cut = _character_start(text, LONGEST_RUN)
                yield text[:cut]
                text = text[cut:]
            cut = _after_last(b"\n ", text) or _after_last(b"\t\r\v\f\0", text)
            if cut:
                yield text[:cut]
            tail = text[cut:]
    if stop is not None and position < stop:
        raise CorpusError(f"{source}: became shorter while it was read; read it again")
    if tail:
        yield tail


def cuts(source: str | Path, n_ranges: int, range_bytes: int) -> list[int]:
    """Where to cut a text that `is_plain` into about equal ranges for `pieces`: after white space.

    Parameters
    ----------
    n_ranges : int
        As many as this, but no more than one for each `range_bytes`.

    Returns
    -------
    list of int
        Positions in ascending order, the first 0, the last the size of the file.

    Raises
    ------
    CorpusError
        See `read_tokens`.
    """
    with _blaming(source), _open(source) as stream:
        size = stream.seek(0, os.SEEK_END)
        n_ranges = min(n_ranges, size // range_bytes)
        found = [0]
        for i in range(1, n_ranges):
            position = stream.seek(max(size * i // n_ranges, found[-1]))
            space = None
            while not space and (block := stream.read(PIECE_BYTES)):
                space = _SPACE.search(block)
                position += space.end() if space else len(block)
            if position < size:
                found.append(position)
    return [*found, size]


def _after_last(separators: bytes, block: bytes) -> int:
    """The position after the last of some bytes in a block, 0 where it has none of them."""
    return max(map(block.rfind, separators)) + 1


def _character_start(text: bytes, position: int) -> int:
    """The start of the character that `position` is in, so that a cut there goes through none."""
    candidates = range(position, max(position - 4, 0), -1)
    return next((i for i in candidates if text[i] & 0xC0 != 0x80), position)


@contextmanager
def _blaming(source: str | Path) -> Iterator[None]:
    """Say in one line what is wrong with a file."""
    try:
        yield
    except DAMAGED as error:
        raise CorpusError(f"{source}: the compressed file is damaged or cut short ({error}); fetch it again") from error
    except OSError as error:
        raise CorpusError(f"{source}: cannot be read ({error.strerror or error}); check the path") from error


def _open(source: str | Path) -> AbstractContextManager[BinaryIO]:
    if str(source) == "-":
        return nullcontext(sys.stdin.buffer)  # the caller's, who may go on reading
    path = Path(source)
    if path.is_dir():
        raise CorpusError(f"{path}: is a directory; give its files, by a pattern: '{path}/*.txt'")
    return open_packed(path, compression(path))


def _without_bom(start: bytes, source: str | Path) -> bytes:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise CorpusError(f"{source}: is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8")
    return start.removeprefix(b"\xef\xbb\xbf")


# ---------------------------------------------------------------------------------------------- words of one piece

# Pure ASCII, most of most texts in Latin script, is done by one table look-up a byte.
_ASCII_CLEAN = bytes(
    ord(chr(byte).lower()) if chr(byte).isalnum() and byte < 128 else 10 if byte == 10 else 32 for byte in range(256)
)
_RAW = bytes(32 if byte in b"\t\r\v\f\0" else byte for byte in range(256))

# What a character becomes, by code point: its lower case if it is part of words, else a space; 0 if not asked for yet.
_CLEAN = np.zeros(sys.maxunicode + 1, "<u4")
_CLEAN[[0, 10]] = 32, 10

_CASED_IN_CONTEXT = "\u0130\u03a3"
"""The two characters whose lower case is more than one character, or depends on the next ones."""


def normalised(piece: bytes, *, raw: bool) -> bytes:
    """The words of a piece of text in UTF-8, with nothing between them but spaces and line feeds."""
    if raw:
        return (piece if piece.isascii() else piece.decode("utf-8", errors="replace").encode()).translate(_RAW)
    if piece.isascii():
        return piece.translate(_ASCII_CLEAN)
    text = piece.decode("utf-8", errors="replace")
    if any(character in text for character in _CASED_IN_CONTEXT):
        text = text.lower()
    points = np.frombuffer(text.encode("utf-32-le"), "<u4").astype(np.intp)
    del text  # four bytes a character, and more for what follows: no two steps are kept at a time
    cleaned = _CLEAN.take(points)
    if not cleaned.all():
        _look_up(points[cleaned == 0])
        cleaned = _CLEAN.take(points)
    del points
    return str(cleaned.data, "utf-32-le").encode()


def _look_up(points: npt.NDArray[np.intp]) -> None:
    asked = np.zeros(points.max() + 1, bool)  # np.unique would sort a copy of what may be millions
    asked[points] = True
    for point in np.flatnonzero(asked).tolist():
        lower = chr(point).lower()
        _CLEAN[point] = ord(lower) if unicodedata.category(lower)[0] in "LNM" else 32
