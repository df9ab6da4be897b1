"""Sentences in memory, or from anywhere, to a corpus on disk; gone through once.

The words of lists get their numbers from a dictionary: they are Python's strings already, with their hashes, and may hold
anything. Documents go to a file, which is read as any text is, by several processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from parw2v.arraytypes import TokenArray
from parw2v.corpus import Corpus, encode_text
from parw2v.errors import CorpusError
from parw2v.sentences import Items, Words, files_in, is_files, items_of, no_word
from parw2v.sources import Source
from parw2v.spool import LINE_END, Spool, stretches
from parw2v.text import MAX_WORD_CHARACTERS
from parw2v.vocabulary import Vocabulary

FIRST_NUMBER = LINE_END + 1
"""Number 0 is that of all words that can be in no vocabulary, as in `parw2v.wordtable`."""


def encode_sentences(
    source: Source | Iterable[Any],
    directory: Path,
    *,
    min_count: int = 5,
    raw: bool = False,
    vocabulary: Vocabulary | None = None,
    progress: Callable[[int], None] = lambda words: None,
    readers: int | None = None,
) -> tuple[Vocabulary, Corpus]:
    """Go through sentences once and leave them encoded on disk; memory holds the distinct words and some sentences.

    Parameters
    ----------
    source : iterable, str, Path, or list of Path
        Sentences as lists of words; or strings: texts where white space is in the first of them, else the words of one
        text (see `parw2v.sentences`). Generators, columns of data frames and Arrow arrays are iterables too. A string or a
        path is a file, a pattern or ``-``, and a list of paths files, as for `parw2v.corpus.encode_text`.
    directory : Path
        Where the encoded corpus goes (``corpus.i32``, 4 bytes a word; twice that while this runs, and for texts their
        bytes).
    min_count : int
        See `Vocabulary`; without effect where a vocabulary is given.
    raw : bool
        Of texts: take words as they stand between white space. Those of lists are taken as they are in any case.
    vocabulary : Vocabulary, optional
        Used as it is, instead of one made of the sentences; other words are left out.
    progress : callable
        Told the number of words read, now and then.
    readers : int, optional
        Processes that may read files and texts.

    Raises
    ------
    CorpusError, VocabularyError
        The source is nothing of the kind (see `parw2v.sentences.items_of`), or leaves nothing to train on; or the disk is
        full.
    """
    if is_files(source):
        return encode_text(
            files_in(source),
            directory,
            min_count=min_count,
            raw=raw,
            vocabulary=vocabulary,
            progress=progress,
            readers=readers,
        )
    items = items_of(source)
    if items.kind == "documents":
        texts = directory / "documents.txt"
        try:
            with texts.open("wb") as file:
                for batch in items.batches:
                    file.write("\n".join(batch).encode("utf-8", "surrogatepass") + b"\n")
            return encode_text(
                texts,
                directory,
                min_count=min_count,
                raw=raw,
                vocabulary=vocabulary,
                progress=progress,
                readers=readers,
                name="the list of texts",
            )
        except OSError as error:
            raise _full(directory, error) from error
        finally:
            with suppress(OSError):
                texts.unlink()
    wanted = Vocabulary(min_count) if vocabulary is None else vocabulary
    numbers = Numbers()
    provisional, unfinished, final = (directory / f"{name}.i32" for name in ("provisional-0", "unfinished", "corpus"))
    try:
        spool = Spool(provisional)
        for stretch in stretches(numbered(items, numbers)):
            spool.add(stretch)
            progress(spool.n_words)
        new_ids = _new_ids(numbers, spool, wanted, known=vocabulary is not None)
        unfinished.write_bytes(b"")
        spool.encode(new_ids, 0, unfinished, 0)
        unfinished.replace(final)
    except OSError as error:
        raise _full(directory, error) from error
    finally:
        for path in (provisional, unfinished):
            with suppress(OSError):
                path.unlink()
    return wanted, Corpus(path=final)


class Numbers(dict[str, int]):
    """The number of each word, in the order of first sight; a word that is new gets one when it is looked up."""

    def __missing__(self, word: Any) -> int:
        if not isinstance(word, str):
            raise _NotAWordError
        if not 0 < len(word) <= MAX_WORD_CHARACTERS or "\0" in word:
            return 0
        number = self[str(word)] = len(self) + FIRST_NUMBER
        return number


class _NotAWordError(Exception):
    """A batch holds something that is no string."""


def numbered(items: Items, numbers: Numbers) -> Iterator[TokenArray]:
    """Yield the numbers of all words, batch by batch, with `LINE_END` after each sentence."""
    number = numbers.__getitem__
    n_items = 0
    for batch in items.batches:
        try:
            if items.kind == "words":
                yield np.fromiter(map(number, batch), np.int32, len(batch))
            else:
                lengths = np.fromiter(map(len, batch), np.intp, len(batch))
                words = np.fromiter(map(number, chain.from_iterable(batch)), np.int32, int(lengths.sum()))
                yield np.insert(words, lengths.cumsum(), LINE_END)
        except (_NotAWordError, TypeError):  # a TypeError: it cannot be looked up at all
            raise _bad_word(batch, n_items) or AssertionError from None
        n_items += len(batch)
    if items.kind == "words":
        yield np.array([LINE_END], np.int32)


def _bad_word(batch: list[Words], n_items: int) -> CorpusError | None:
    for n, sentence in enumerate(batch, n_items + 1):
        for i, word in enumerate(sentence, 1):
            if not isinstance(word, str):
                return no_word(word, f"word {i:,} of sentence {n:,}")
    return None


def _new_ids(numbers: Numbers, spool: Spool, vocabulary: Vocabulary, *, known: bool) -> TokenArray:
    """The id of each word by its number, -1 for those to be left out."""
    if not numbers:
        raise CorpusError(
            "the source holds no words; give sentences or texts (a generator that was gone through once is empty)"
        )
    new_ids = np.full(len(numbers) + FIRST_NUMBER, -1, np.int32)
    if known:
        new_ids[FIRST_NUMBER:] = [vocabulary.index.get(word, -1) for word in numbers]
        if new_ids.max() < 0:
            raise CorpusError("the sentences hold no word of the vocabulary; give one of such texts")
    else:
        new_ids[FIRST_NUMBER:] = vocabulary.assign(list(numbers), spool.counts[FIRST_NUMBER:])
    return new_ids


def _full(directory: Path, error: OSError) -> CorpusError:
    return CorpusError(f"{directory}: the encoded corpus cannot be written ({error.strerror or error})")
