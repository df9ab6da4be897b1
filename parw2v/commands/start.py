"""Where a training run starts: anew, from known vectors, from a model and a new text, or where another run ended."""

from __future__ import annotations

import argparse
from pathlib import Path

from parw2v.checkpoint import has_checkpoints
from parw2v.continuation import start_from, updated_model
from parw2v.corpus import Corpus
from parw2v.errors import ModelError, SettingsError
from parw2v.formats import load_vectors
from parw2v.model import Word2Vec
from parw2v.trainer import Trainer
from parw2v.vocabulary import Vocabulary

SHAPE = {"model": "skipgram", "dim": 100, "neg": 5}
"""Defaults of the flags that decide the shape of a model."""


def base_model(arguments: argparse.Namespace) -> Word2Vec | None:
    """The model of ``--init`` or ``--update``, read before the text, so that a mistake shows at once.

    That of ``--update`` decides the shape: `arguments` are changed to it.
    """
    if arguments.init and arguments.update:
        raise SettingsError("--init and --update contradict each other; --update takes the model's vectors anyway")
    path = arguments.init or arguments.update
    if not path:
        return None
    base = load_vectors(path)
    if arguments.update:
        own = {"model": base.objective, "dim": base.embed_dim, "neg": base.n_negatives}
        for name, value in own.items():
            told = getattr(arguments, name)
            if told not in (SHAPE[name], value):
                raise SettingsError(
                    f"--{name} is {told}, but {path} has {value}; leave it out, or start a new model with --init"
                )
            setattr(arguments, name, value)
    if base.embed_dim != arguments.dim:
        raise ModelError(
            f"{path}: has {base.embed_dim} dimensions, --dim is {arguments.dim}; give --dim {base.embed_dim}"
        )
    return base


def finished_model(arguments: argparse.Namespace, out: Path, checkpoints: Path) -> Word2Vec | None:
    """With ``--resume``, the model of a run that has finished, if there is no checkpoint to go on from."""
    return Word2Vec.load(out) if arguments.resume and out.exists() and not has_checkpoints(checkpoints) else None


def started_model(
    arguments: argparse.Namespace, base: Word2Vec | None, vocab: Vocabulary, corpus: Corpus, scratch: Path
) -> tuple[Word2Vec, Corpus, str]:
    """The model as training starts with it.

    Parameters
    ----------
    base : Word2Vec or None
        Of ``--init`` or ``--update``.
    vocab, corpus
        The text as it was read.
    scratch : Path
        A directory for a corpus with other ids.

    Returns
    -------
    model : Word2Vec
    corpus : Corpus
        The text, encoded with the model's vocabulary.
    line : str
        What there is to say about it; empty for a model that starts anew.
    """
    if base and arguments.update:
        path = scratch / "updated.i32"
        model, corpus = updated_model(
            base, vocab, corpus, min_count=arguments.min_count, seed=arguments.seed, path=path
        )
        shape = f"{base.objective}, {base.embed_dim} dimensions, {base.n_negatives} negatives"
        new = len(model) - len(base)
        line = (
            f"{len(base):,} words start from {arguments.update} ({shape}), {new:,} are new; {len(corpus):,} to train on"
        )
        return model, corpus, line
    model = Word2Vec(vocab, arguments.dim, arguments.neg, arguments.model, seed=arguments.seed)
    if base is None:
        return model, corpus, ""
    known = start_from(model, base)
    return model, corpus, f"{known:,} of {len(vocab):,} words start from {arguments.init}"


def rate_line(arguments: argparse.Namespace, trainer: Trainer) -> str:
    """How the learning rate goes where one might wonder; else empty."""
    epochs, before, floor = trainer.settings.epochs, trainer.epochs_before, trainer.settings.lr_min
    if before not in (None, epochs):
        return (
            f"{epochs} epochs instead of {before}: the learning rate goes on at {trainer.lr_now:.4g}, "
            f"as if it had been {epochs} from the start, and falls to {floor:g}"
        )
    if (arguments.init or arguments.update) and before is None:
        return f"the learning rate falls from {trainer.lr:g} to {floor:g}, as in any run; --lr sets another"
    return ""
