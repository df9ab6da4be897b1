"""Words and vectors from outside, as they come in: decoded, checked, gathered. What the readers of all formats share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parw2v.arraytypes import CountArray, FloatArray
from parw2v.errors import ModelError
from parw2v.text import MAX_WORD_CHARACTERS

UNICODE_ERRORS = ("strict", "replace", "ignore")
"""What to do about words that are not UTF-8: refuse them, put U+FFFD for what is wrong, or leave that out."""

MAX_DIMENSION = 10_000
_HEADER = re.compile(rb"\s*(\d{1,18})\s+(\d{1,18})\s*")

FIRST_NUMBERS = 1 << 18
"""Numbers made room for at first where nothing but a header says how many will come."""


@dataclass
class Vectors:
    """What a file held.

    Attributes
    ----------
    words : list of str
        V of them, in the file's order.
    vectors : (V, D) float32
    left_out : int
        Words of the file that are not among them.
    counts : (V,) int64, optional
    """

    words: list[str]
    vectors: FloatArray
    left_out: int = 0
    counts: CountArray | None = None


class Table:
    """Takes blocks of words with their vectors, and refuses what no model can hold.

    Words of more than `MAX_WORD_CHARACTERS` characters are left out, as they are of a vocabulary. Under ``strict``, an
    empty word and one that stands twice are errors; otherwise decoding can make two words alike, so the first is kept.

    Parameters
    ----------
    path : Path
        Named in errors.
    dimension : int
        D.
    rows : int, optional
        Words to make room for: no more than the file is known to hold. More may come.
    unicode_errors : {"strict", "replace", "ignore"}
    """

    def __init__(self, path: Path, dimension: int, rows: int | None, unicode_errors: str) -> None:
        if not 1 <= dimension <= MAX_DIMENSION:
            raise ModelError(
                f"{path}: is to hold vectors of {dimension:,} dimensions; 1 to {MAX_DIMENSION:,} can be read, so correct it"
            )
        self.path = path
        self.unicode_errors = unicode_errors
        self._words: list[str] = []
        self._known: set[str] = set()
        self._left_out = 0
        rows = max(1, FIRST_NUMBERS // dimension) if rows is None else rows
        self._vectors: FloatArray = np.empty((rows, dimension), np.float32)

    def add(self, raw: Sequence[bytes], vectors: FloatArray, place: Callable[[int], str]) -> None:
        """Take words and their vectors; `place` says where in the file the i-th of them stands.

        Raises
        ------
        ModelError
            A word is not UTF-8, empty, there already or holds a NUL; a vector is not finite.
        """
        self.add_words(self._decoded(raw, place), vectors, place)

    def add_words(self, words: list[str], vectors: FloatArray, place: Callable[[int], str]) -> None:
        """`add`, of words that are decoded already."""
        finite = np.isfinite(vectors)
        if not finite.all():
            first = int(np.flatnonzero(~finite.all(axis=1))[0])
            raise self._error(place(first), f"the vector of {words[first][:40]!r} is not finite; use another copy")
        if not self._all_fine(words):
            kept = [i for i, word in enumerate(words) if self._keep(word, i, place)]
            self._left_out += len(words) - len(kept)
            words, vectors = [words[i] for i in kept], vectors[kept]
        have, need = len(self._words), len(self._words) + len(words)
        if need > len(self._vectors):  # realloc: a large array is moved by its page table, not copied
            self._vectors.resize((max(need, len(self._vectors) * 3 // 2), vectors.shape[1]), refcheck=False)
        self._vectors[have:need] = vectors
        self._words += words

    def finish(self) -> Vectors:
        """All that was added; ModelError where that is too little for a model."""
        if len(self._words) < 2:
            raise ModelError(f"{self.path}: holds {len(self._words)} words with vectors; a model needs two or more")
        if len(self._vectors) > len(self._words):
            self._vectors.resize((len(self._words), self._vectors.shape[1]), refcheck=False)
        return Vectors(self._words, self._vectors, self._left_out)

    def _decoded(self, raw: Sequence[bytes], place: Callable[[int], str]) -> list[str]:
        try:
            return [word.decode("utf-8", self.unicode_errors) for word in raw]
        except UnicodeDecodeError as error:
            first = next(i for i, word in enumerate(raw) if word == error.object)
            what = f"the word {raw[first][:40]!r} is not UTF-8; give --unicode_errors replace or ignore"
            raise self._error(place(first), what) from error

    def _all_fine(self, words: list[str]) -> bool:
        """Take a block of new and sound words at once; False where they have to be looked at one by one."""
        fresh = set(words)
        if len(fresh) < len(words) or not self._known.isdisjoint(fresh) or "\0" in "".join(words):
            return False
        lengths = list(map(len, words))
        if min(lengths, default=1) < 1 or max(lengths, default=1) > MAX_WORD_CHARACTERS:
            return False
        self._known |= fresh
        return True

    def _keep(self, word: str, i: int, place: Callable[[int], str]) -> bool:
        if "\0" in word:
            raise self._error(place(i), f"the word {word[:40]!r} holds a NUL byte; use another copy")
        if self.unicode_errors == "strict" and (not word or word in self._known):
            what = f"the word {word[:40]!r} stands there a second time" if word else "an empty word stands there"
            raise self._error(place(i), f"{what}; remove it, or give --unicode_errors replace to leave it out")
        if not word or word in self._known or len(word) > MAX_WORD_CHARACTERS:
            return False
        self._known.add(word)
        return True

    def _error(self, place: str, what: str) -> ModelError:
        return ModelError(f"{self.path}: {place}: {what}")


def sizes(line: bytes) -> tuple[int, int] | None:
    """V and D, if a line is the header that word2vec's formats start with."""
    found = _HEADER.fullmatch(line)
    return (int(found[1]), int(found[2])) if found else None


def check_promise(path: Path, n_words: int, dimension: int, least: int) -> None:
    """Before memory is taken for `n_words` that a header promises, see that the file has the `least` bytes they need."""
    if least > (size := path.stat().st_size):
        raise ModelError(
            f"{path}: line 1 promises {n_words:,} words of {dimension:,} dimensions, {least:,} bytes or more, but the file "
            f"has {size:,}; it is cut short, or give another --format"
        )


def spelled(path: Path, words: Sequence[str]) -> list[bytes]:
    """Words as they stand in a file with a space after each; ModelError for one that cannot stand there."""
    return [_spelled(path, word) for word in words]


def _spelled(path: Path, word: str) -> bytes:
    try:
        if word and not any(character in word for character in " \n\0"):
            return word.encode()
    except UnicodeEncodeError:
        pass
    raise ModelError(
        f"{path}: the word {word[:40]!r} cannot stand in this format: it is empty, or holds a space, a line feed, a NUL or "
        "half a character; leave it out, or take --format safetensors"
    )
