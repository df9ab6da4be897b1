"""Encoded corpora that earlier runs left, so that a text need not be read twice.

An entry is a directory, named by the SHA-256 of all that decides what is in it::

    corpus.i32         word ids, as `parw2v.corpus` describes them
    vocabulary.json    as `parw2v.vocabulary` writes it
    entry.json         what the entry was made from, and the SHA-256 of the two others
    lock               empty; whoever uses the entry holds a lock on it

It is made under another name and renamed when it is whole. Several runs may use a cache at once, also from several
machines: nobody waits for anybody, a lock that cannot be had at once belongs to a living run, whose entry is left alone.
A cache may fail in any way without harm: then a text is read again, which is all that is lost.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from parw2v.corpus import Corpus
from parw2v.errors import CorpusError, Parw2vError
from parw2v.files import try_lock
from parw2v.text import MAX_SENTENCE_WORDS, MAX_WORD_CHARACTERS, TOKENISER_VERSION, compression
from parw2v.vocabulary import Vocabulary

CACHE_BYTES = 4 << 30
"""What all entries together may take: a thousand million words. The least recently used go first."""

_FORMAT = "parw2v encoded corpus 2"
_CORPUS, _VOCABULARY, _RECORD = "corpus.i32", "vocabulary.json", "entry.json"
_IS_ENTRY = re.compile("[0-9a-f]{64}")
_UNFINISHED = "unfinished-"


def default_directory() -> Path | None:
    """``$XDG_CACHE_HOME/parw2v`` or ``~/.cache/parw2v``; None for a user without a home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "parw2v"
    except RuntimeError:
        return None


class _Stamp(NamedTuple):
    """By which to see whether a file was changed or replaced; times in nanoseconds."""

    modified: int
    changed: int
    size: int
    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> _Stamp:
        status = path.stat()
        return cls(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_dev, status.st_ino)

    @property
    def is_young(self) -> bool:
        """Whether the file was written to so lately that it may be written to again without the times showing it."""
        return time.time_ns() - max(self.modified, self.changed) < 60e9


class _File(NamedTuple):
    """A file of a text, as it was before its bytes were hashed."""

    path: Path
    stamp: _Stamp
    young: bool
    sha256: str

    @classmethod
    def of(cls, path: Path) -> _File:
        stamp = _Stamp.of(path)
        return cls(path, stamp, stamp.is_young, _sha256(path))

    def is_as_it_was(self) -> bool:
        return _Stamp.of(self.path) == self.stamp and (not self.young or _sha256(self.path) == self.sha256)


@dataclass(frozen=True)
class CorpusKey:
    """What decides how a text is encoded; see `corpus_key`.

    Attributes
    ----------
    files : tuple of _File
    made_from : dict
        The SHA-256 of each file's bytes, and all settings that matter.
    """

    files: tuple[_File, ...]
    made_from: dict[str, Any]

    @property
    def name(self) -> str:
        return hashlib.sha256(json.dumps(self.made_from, sort_keys=True).encode()).hexdigest()

    def holds(self) -> bool:
        """Whether all files are still as they were; OSError if one is gone."""
        return all(file.is_as_it_was() for file in self.files)


def corpus_key(
    files: str | Path | Sequence[str],
    *,
    min_count: int,
    raw: bool,
    max_tokens: int | None,
    vocabulary: Vocabulary | None = None,
) -> CorpusKey | None:
    """The key of a text and of how it is to be read; None for what is no file, cannot be read, or is too long to be kept.

    Parameters
    ----------
    files : path, "-", or list of them
        As `parw2v.sources.text_files` returns them.
    min_count, raw, max_tokens, vocabulary
        As for `parw2v.corpus.encode_text`.
    """
    paths = [Path(file) for file in ([files] if isinstance(files, str | Path) else files)]
    try:
        if any(str(path) == "-" or not path.is_file() for path in paths):
            return None
        if sum(path.stat().st_size for path in paths) > 2 * CACHE_BYTES:  # ids take two thirds of their text's space
            return None
        found = tuple(map(_File.of, paths))
        made_from = {
            "format": _FORMAT,
            "texts": [[file.sha256, compression(file.path)] for file in found],
            "min_count": min_count if vocabulary is None else None,
            "vocabulary": None if vocabulary is None else [vocabulary.fingerprint(), vocabulary.min_count],
            "raw": raw,
            "max_tokens": max_tokens,
            "tokeniser": [TOKENISER_VERSION, MAX_SENTENCE_WORDS, MAX_WORD_CHARACTERS, unicodedata.unidata_version],
            "byte_order": sys.byteorder,
        }
    except OSError:
        return None
    return CorpusKey(found, made_from)


class CorpusCache:
    """A cache; a context manager that keeps its hold on the entries found until it is left.

    Parameters
    ----------
    directory : Path
        Made when there is something to keep.
    notice : callable
        Told in one line when something is not as it should be.
    limit : int
        Bytes.
    """

    def __init__(self, directory: Path, notice: Callable[[str], None], limit: int = CACHE_BYTES) -> None:
        self.directory = directory
        self._notice = notice
        self._limit = limit
        self._locks: list[BinaryIO] = []

    def __enter__(self) -> CorpusCache:
        return self

    def __exit__(self, *exc: object) -> None:
        for lock in self._locks:
            lock.close()

    def find(self, key: CorpusKey) -> tuple[Vocabulary, Corpus] | None:
        """What is kept under a key, checked; None if there is nothing, or nothing that is whole."""
        entry = self.directory / key.name
        if not os.path.lexists(entry):
            return None
        lock = None
        try:
            if (lock := try_lock(entry / "lock", shared=True)) is None:
                return None  # it is being removed
            found = _load(entry, key)
        except (OSError, ValueError, KeyError, TypeError, RecursionError, Parw2vError) as error:
            if lock:
                lock.close()
            self._notice(f"{entry}: cannot be used ({_one_line(error)}); the text is read again")
            self._remove(entry)
            return None
        self._locks.append(lock)
        with contextlib.suppress(OSError):  # a cache that may only be read
            os.utime(entry)
        return found

    def keep(self, key: CorpusKey, vocabulary: Vocabulary, corpus: Corpus) -> None:
        """Keep an encoded corpus, unless its text changed while it was read or the cache has no room for it."""
        try:
            if key.holds():
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._sweep()
                self._make_room(4 * len(corpus))
                self._add(key, vocabulary, corpus)
        except (OSError, Parw2vError) as error:
            self._notice(f"{self.directory}: the encoded corpus is not kept ({_one_line(error)})")

    def _add(self, key: CorpusKey, vocabulary: Vocabulary, corpus: Corpus) -> None:
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.directory))
        try:
            (unfinished / "lock").touch()
            with try_lock(unfinished / "lock") or contextlib.nullcontext():
                _save(unfinished, key, vocabulary, corpus)
                with contextlib.suppress(FileExistsError):  # another run was faster, and its entry is as good
                    _rename(unfinished, self.directory / key.name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what a run left that was killed while it made or removed an entry."""
        for left in self.directory.glob(_UNFINISHED + "*"):
            self._remove(left)

    def _make_room(self, needed: int) -> None:
        """Remove the least recently used entries as far as must be; CorpusError if that is not enough."""
        entries = [entry for entry in self.directory.iterdir() if _IS_ENTRY.fullmatch(entry.name)]
        sizes = {entry: _size(entry) for entry in sorted(entries, key=_last_use)}
        for entry in list(sizes):
            if needed <= self._limit < needed + sum(sizes.values()) and self._remove(entry):
                sizes[entry] = 0
        if needed + sum(sizes.values()) > self._limit:
            raise CorpusError(
                f"it takes {needed / 1e9:,.1f} GB, and there is no room for it in {self._limit / 1e9:,.1f}"
            )

    def _remove(self, entry: Path) -> bool:
        """Remove an entry as a whole, unless someone uses it."""
        lock = None
        try:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # without a lock it is nothing to use
                if (lock := try_lock(entry / "lock")) is None:
                    return False
            gone = self.directory / (_UNFINISHED + secrets.token_hex(8))
            entry.rename(gone)
            if gone.is_dir():
                shutil.rmtree(gone)
            else:
                gone.unlink()
        except OSError:  # another run removes it, or the cache may only be read
            return False
        finally:
            if lock:
                lock.close()
        return True


def _save(directory: Path, key: CorpusKey, vocabulary: Vocabulary, corpus: Corpus) -> None:
    assert corpus.path is not None
    try:
        os.link(corpus.path, directory / _CORPUS)
    except OSError:  # on another disk
        shutil.copyfile(corpus.path, directory / _CORPUS)
    words = vocabulary.to_json()
    (directory / _VOCABULARY).write_bytes(words)
    record = {
        "made_from": key.made_from,
        "sources": [str(file.path.absolute()) for file in key.files],
        "words": len(corpus),
        "corpus_sha256": corpus.fingerprint,
        "vocabulary_sha256": hashlib.sha256(words).hexdigest(),
    }
    (directory / _RECORD).write_text(json.dumps(record, indent=1), encoding="ascii")


def _load(entry: Path, key: CorpusKey) -> tuple[Vocabulary, Corpus]:
    """Read an entry; an exception of nearly any kind if it is not what it should be."""
    record = json.loads((entry / _RECORD).read_bytes())
    if record["made_from"] != key.made_from:
        raise ValueError("made from something else")
    words = (entry / _VOCABULARY).read_bytes()
    if hashlib.sha256(words).hexdigest() != record["vocabulary_sha256"]:
        raise ValueError("the vocabulary's SHA-256 is wrong")
    corpus = Corpus(path=entry / _CORPUS)
    if len(corpus) != record["words"] or corpus.fingerprint != record["corpus_sha256"]:
        raise ValueError("the corpus's size or SHA-256 is wrong")
    vocabulary = Vocabulary.from_json(words)
    if not len(corpus):
        raise ValueError("the corpus is empty")
    corpus.check_ids(len(vocabulary))
    return vocabulary, corpus


def _rename(unfinished: Path, entry: Path) -> None:
    """Rename a directory; FileExistsError if there is one of that name (which is several errors to the system)."""
    try:
        unfinished.rename(entry)
    except OSError as error:
        if entry.is_dir():
            raise FileExistsError from error
        raise


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _last_use(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:
        return 0


def _size(entry: Path) -> int:
    try:
        return sum(file.stat().st_size for file in entry.iterdir())
    except OSError:
        return 0


def _one_line(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return " ".join(text.split())
