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

import bz2
import gzip
import lzma
import re
import sys
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import BinaryIO, cast

from parw2v.errors import CorpusError, SettingsError

MAX_SENTENCE_WORDS = 1000
"""A longer line is cut into sentences of this many words (word2vec.c's limit)."""

SENTENCE_END = b"\0"
"""Stands between sentences in a list of byte tokens; no word contains it."""

PIECE_BYTES = 1 << 18
"""Text is split this much at a time: a piece and its tokens stay in the processor's cache."""


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


def sentences_of(tokens: Iterable[str] | Iterable[Iterable[str]]) -> Iterator[list[str]]:
    """Yield the sentences of what a caller may hand over, none longer than `MAX_SENTENCE_WORDS`.

    Takes `Tokens`, a flat iterable of words (one long text), or an iterable of sentences. Words that were appended to
    `Tokens` since it was made are one more sentence.
    """
    if isinstance(tokens, Tokens):
        start = 0
        for length in tokens.sentence_lengths:
            yield from _cut(list.__getitem__(tokens, slice(start, start + length)))
            start += length
        yield from _cut(list.__getitem__(tokens, slice(start, None)))
        return
    text: list[str] = []
    for item in tokens:
        if isinstance(item, str):
            text.append(item)
            if len(text) == MAX_SENTENCE_WORDS:
                yield text
                text = []
        else:
            yield from _cut(list(item))
    if text:
        yield text


def _cut(sentence: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(sentence), MAX_SENTENCE_WORDS):
        yield sentence[start : start + MAX_SENTENCE_WORDS]


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
    if max_tokens is not None and max_tokens < 1:
        raise SettingsError(f"max_tokens is {max_tokens}; it must be at least 1")
    left = sys.maxsize if max_tokens is None else max_tokens
    for piece in _pieces(source):
        tokens = (_split_raw if raw else _split_clean)(piece)
        words = len(tokens) - tokens.count(SENTENCE_END)
        if words >= left:
            yield _first_words(tokens, left)
            return
        left -= words
        yield tokens


def _first_words(tokens: list[bytes], n: int) -> list[bytes]:
    for i, token in enumerate(tokens):
        if token != SENTENCE_END:
            if n == 0:
                return tokens[:i]
            n -= 1
    return tokens


def _pieces(source: str | Path) -> Iterator[bytes]:
    """Yield the text in runs of about `PIECE_BYTES` that end at white space, so that no word is cut.

    A run of several megabytes without white space is no word of any language: it is passed on in parts, so that memory
    stays bounded whatever the file holds.
    """
    tail = b""
    first = True
    try:
        with _open(source) as stream:
            while block := stream.read(PIECE_BYTES):
                block = tail + block
                if first:
                    block, first = _without_bom(block, source), False
                cut = _after_last(b"\n ", block) or _after_last(b"\t\r\v\f\0", block)
                if cut == 0 and len(block) >= 16 * PIECE_BYTES:
                    cut = _last_character(block)
                if cut:
                    yield block[:cut]
                tail = block[cut:]
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise CorpusError(f"{source}: the compressed file is damaged or cut short ({error}); fetch it again") from error
    except OSError as error:
        raise CorpusError(f"{source}: cannot be read ({error.strerror or error}); check --corpus") from error
    if tail:
        yield tail


def _after_last(separators: bytes, block: bytes) -> int:
    """The position after the last of some bytes in a block, 0 where it has none of them."""
    return max(map(block.rfind, separators)) + 1


def _last_character(block: bytes) -> int:
    """Where the last character of a block starts, so that a cut there goes through none."""
    last = range(len(block) - 1, len(block) - 5, -1)
    return next((i for i in last if block[i] & 0xC0 != 0x80), len(block))


def _open(source: str | Path) -> AbstractContextManager[BinaryIO]:
    if str(source) == "-":
        return nullcontext(sys.stdin.buffer)  # the caller's, who may go on reading
    path = Path(source)
    if path.is_dir():
        raise CorpusError(
            f"{path}: is a directory; give one text file (join several with: cat DIR/*.txt | ... --corpus -)"
        )
    match path.suffix.lower():
        case ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        case ".bz2":
            return cast(BinaryIO, bz2.open(path, "rb"))
        case ".xz":
            return cast(BinaryIO, lzma.open(path, "rb"))
    return path.open("rb")


def _without_bom(start: bytes, source: str | Path) -> bytes:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise CorpusError(f"{source}: is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8")
    return start.removeprefix(b"\xef\xbb\xbf")


# ---------------------------------------------------------------------------------------------- words of one piece

# Pure ASCII, most of most texts in Latin script, is cleaned by one table look-up a byte.
_ASCII_CLEAN = bytes(
    ord(chr(byte).lower()) if chr(byte).isalnum() and byte < 128 else 10 if byte == 10 else 32 for byte in range(256)
)


@cache
def _separators() -> re.Pattern[str]:
    """Match each character that separates words: ``\\w`` knows letters and digits but not combining marks."""
    candidates = map(chr, (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0)))
    marks = "".join(character for character in candidates if unicodedata.category(character)[0] == "M")
    return re.compile(f"[^\\w\\s{marks}]|_")


def _split_clean(piece: bytes) -> list[bytes]:
    if piece.isascii():
        piece = piece.translate(_ASCII_CLEAN)
    else:
        text = piece.replace(SENTENCE_END, b" ").decode("utf-8", errors="replace").lower()
        # Only "\n" ends a sentence: str knows other line ends and spaces, bytes.split does not.
        piece = _separators().sub(" ", _UNICODE_SPACE.sub(" ", text)).encode()
    return piece.replace(b"\n", b" \0 ").split()


_UNICODE_SPACE = re.compile(r"[^\S\n]")


def _split_raw(piece: bytes) -> list[bytes]:
    if not piece.isascii():
        piece = piece.decode("utf-8", errors="replace").encode()
    return piece.replace(SENTENCE_END, b" ").replace(b"\n", b" \0 ").split()
