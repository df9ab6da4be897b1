"""From sentences to vectors in one call."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from parw2v.config import TrainSettings
from parw2v.encoding import encode_sentences
from parw2v.model import Word2Vec, check_shape
from parw2v.scratch import ScratchDirectory
from parw2v.sources import Source
from parw2v.trainer import Trainer
from parw2v.vocabulary import Vocabulary


def train(
    source: Source | Iterable[Any],
    dim: int = 100,
    window: int | None = None,
    min_count: int = 5,
    *,
    model: str = "skipgram",
    neg: int = 5,
    epochs: int | None = None,
    lr: float | None = None,
    workers: int | None = None,
    seed: int | None = None,
    raw: bool = False,
    vocab: Vocabulary | None = None,
    settings: TrainSettings | None = None,
    scratch_dir: str | Path | None = None,
    quiet: bool = False,
) -> Word2Vec:
    """Train word vectors on sentences, texts or files; parameters are called as the flags of ``parw2v train``.

    Parameters
    ----------
    source : iterable, str, Path, or list of Path
        Lists of words, texts as strings, or files: see `parw2v.encoding.encode_sentences`. It is gone through once, so a
        generator will do, and goes to disk, 4 bytes a word, so it need not fit in memory.
    dim : int
        D, dimensions of a vector.
    min_count : int
        Words that occur less often are left out; without effect where a vocabulary is given.
    model : {"skipgram", "cbow"}
    neg : int
        K, noise words for each positive pair.
    window, epochs, lr, workers, seed : optional
        Take the place of the fields of `settings`.
    raw : bool
        Words of texts and files stand between white space and are taken as they are.
    vocab : Vocabulary, optional
        Use these words with these counts instead of counting; other words are left out.
    settings : TrainSettings, optional
    scratch_dir : path, optional
        Where the encoded corpus is kept while this runs; the system's directory for temporary files unless told.
    quiet : bool
        Show no progress on standard error.

    Returns
    -------
    Word2Vec

    Raises
    ------
    Parw2vError
        CorpusError, VocabularyError, SettingsError, or one of those of `Trainer.train`.
    """
    given: dict[str, Any] = {"window": window, "epochs": epochs, "lr": lr, "workers": workers, "seed": seed}
    settings = dataclasses.replace(
        settings or TrainSettings(), **{name: value for name, value in given.items() if value is not None}
    )
    check_shape(dim, neg, model)
    with ScratchDirectory(Path(scratch_dir or tempfile.gettempdir())) as directory:
        vocab, corpus = encode_sentences(
            source, directory, min_count=min_count, raw=raw, vocabulary=vocab, readers=settings.n_workers
        )
        trained = Word2Vec(vocab, dim, neg, model, seed=settings.seed)
        Trainer(trained, vocab, corpus, settings=settings).train(quiet=quiet)
    return trained
