"""The published data sets that have a name here: what each is, whose, and how to get it.

The texts of questions and judgements are taken from a tag of the gensim repository, which does not change. Their
SHA-256 are those that the gensim 4.4.0 package records for the same files (``RECORD`` in its wheel).
"""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import NamedTuple

from parw2v.datasets import TEXT8, Dataset, fetch, is_there, plain_file
from parw2v.errors import DownloadError, SettingsError

_GENSIM = "https://raw.githubusercontent.com/piskvorky/gensim/4.4.0/gensim/test/test_data"


class Published(NamedTuple):
    """One data set under its name."""

    dataset: Dataset
    kind: str
    """What it is used as: corpus, analogies or similarity."""
    about: str
    origin: str
    """Who made it, to be cited where it is used, and its licence as far as it states one."""


CATALOGUE = {
    "text8": Published(
        TEXT8,
        "corpus",
        "17,005,207 words of English Wikipedia (2006), lower-case letters only, 100 MB unpacked",
        "M. Mahoney, Large Text Compression Benchmark; text of Wikipedia: GFDL, CC BY-SA",
    ),
    "questions-words": Published(
        plain_file(
            f"{_GENSIM}/questions-words.txt",
            "questions-words.txt",
            603_955,
            "8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36",
        ),
        "analogies",
        "19,544 analogy questions in 14 sections, 5 semantic and 9 syntactic",
        "Mikolov, Chen, Corrado, Dean 2013, published with word2vec; Apache 2.0",
    ),
    "wordsim353": Published(
        plain_file(
            f"{_GENSIM}/wordsim353.tsv",
            "wordsim353.tsv",
            7_186,
            "f92a022fc2537793a15bc3a8c162ebcd74990e033a228bb6388cb71e4c0b1e1d",
        ),
        "similarity",
        "353 pairs of words judged by 13 or 16 people, relatedness rather than similarity",
        "Finkelstein, Gabrilovich et al. 2002, Placing Search in Context; the file states no licence",
    ),
    "simlex999": Published(
        plain_file(
            f"{_GENSIM}/simlex999.txt",
            "simlex999.txt",
            18_126,
            "d5e0501971478a511430ee880bd0121e94ac701ba86d90544d83e6d2ba3db05d",
        ),
        "similarity",
        "999 pairs of words judged by about 50 people, similarity and not relatedness",
        "Hill, Reichart, Korhonen 2015, SimLex-999; the file states no licence",
    ),
}


def fetch_dataset(name: str, data_dir: str | PathLike[str] = "data", *, quiet: bool = False) -> Path:
    """Return the absolute path of a data set in `data_dir`, downloaded if it is not there.

    Parameters
    ----------
    name : a key of `CATALOGUE`
    data_dir : made if need be
    quiet : show neither a progress bar nor a note about waiting

    Raises
    ------
    SettingsError
        No data set has that name.
    DownloadError
        It is not there and cannot be fetched, or what is there has the wrong size or checksum.
    """
    return fetch(_published(name).dataset, Path(data_dir), quiet=quiet)


def presence(name: str, data_dir: str | PathLike[str] = "data") -> str:
    """``yes`` or ``no``: whether a data set is in `data_dir`; ``other`` where another file has its name."""
    try:
        return "yes" if is_there(_published(name).dataset, Path(data_dir)) else "no"
    except DownloadError:
        return "other"


def named_or_file(given: str | PathLike[str], kind: str, data_dir: str | PathLike[str], *, quiet: bool = False) -> Path:
    """Return the file that a flag means: a data set by its name, fetched if need be, or a file by its path.

    A name wins over a file that is called the same; ``./name`` means the file.

    Raises
    ------
    SettingsError
        The data set is of another kind than `kind`.
    DownloadError
        See `fetch_dataset`.
    """
    name = fspath(given)
    if name not in CATALOGUE:
        return Path(given)
    if CATALOGUE[name].kind != kind:
        fitting = ", ".join(other for other, published in CATALOGUE.items() if published.kind == kind)
        raise SettingsError(
            f"{name} is of kind {CATALOGUE[name].kind}, not {kind}; give {fitting} or a file (./{name})"
        )
    return fetch_dataset(name, data_dir, quiet=quiet)


def _published(name: str) -> Published:
    try:
        return CATALOGUE[name]
    except KeyError:
        raise SettingsError(f"there is no data set {name!r}; there are {', '.join(CATALOGUE)}") from None
