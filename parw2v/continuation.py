"""A model that starts from the vectors of another: the same words again, or a text with new words.

`start_from` takes rows over by word. `updated_model` makes the model and the corpus with which a model is trained further
on a new text: its words and those that are new, in the order of all counts together.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from parw2v.arraytypes import TokenArray
from parw2v.corpus import Corpus
from parw2v.errors import ModelError
from parw2v.model import Word2Vec
from parw2v.vocabulary import Vocabulary


def start_from(model: Word2Vec, vectors: Word2Vec) -> int:
    """Give the words of a model that another one knows its vectors; the rest stay as they are.

    Parameters
    ----------
    model : Word2Vec
        `W_in` and `W_out` are changed in place.
    vectors : Word2Vec
        Any model of as many dimensions, whatever its vocabulary and its objective.

    Returns
    -------
    int
        How many words took vectors over.

    Raises
    ------
    ModelError
        The dimensions differ, or there is no word in common.
    """
    if vectors.embed_dim != model.embed_dim:
        raise ModelError(
            f"the vectors to start from have {vectors.embed_dim} dimensions, the model {model.embed_dim}; "
            f"give --dim {vectors.embed_dim}"
        )
    theirs = _places(model.vocab.words, vectors.vocab)
    known = np.flatnonzero(theirs >= 0)
    if not len(known):
        raise ModelError(
            f"none of the {len(model):,} words of the model is among the {len(vectors):,} of the vectors to start from; "
            "give those of the same language and spelling"
        )
    model.W_in[known] = vectors.W_in[theirs[known]]
    model.W_out[known] = vectors.W_out[theirs[known]]
    model.forget_units()
    return len(known)


def updated_model(
    model: Word2Vec, text: Vocabulary, corpus: Corpus, *, min_count: int = 5, seed: int = 42, path: Path | None = None
) -> tuple[Word2Vec, Corpus]:
    """What a model is trained further with on a new text.

    Words of the model keep their vectors, and their counts grow by those in the text; words that are new, and occur in it
    `min_count` times, start as in any new model. All are put in the order of their counts, and rows move along.

    Parameters
    ----------
    model : Word2Vec
        Left as it is.
    text : Vocabulary
        All words of the text, built with a min_count of 1: also the rare ones may be words of the model.
    corpus : Corpus
        The text, encoded with that.
    min_count : int
        Times a new word has to occur in the text.
    seed : int
        For the vectors of new words.
    path : Path, optional
        A file for the corpus returned, which otherwise is in memory.

    Returns
    -------
    model : Word2Vec
        A new one, with as many dimensions and negatives and the same objective.
    corpus : Corpus
        The text, encoded with the new model's vocabulary.
    """
    vocab = _joint_vocabulary(model.vocab, text, min_count)
    new = Word2Vec(vocab, model.embed_dim, model.n_negatives, model.objective, seed)
    start_from(new, model)
    return new, corpus.renumbered(_places(text.words, vocab), path)


def _joint_vocabulary(old: Vocabulary, text: Vocabulary, min_count: int) -> Vocabulary:
    counts = dict(zip(old.words, old.counts.tolist(), strict=True))
    for word, count in zip(text.words, text.counts.tolist(), strict=True):
        if word in counts or count >= min_count:
            counts[word] = counts.get(word, 0) + count
    words = sorted(counts, key=lambda word: (-counts[word], word))
    return Vocabulary.from_lists(words, [counts[word] for word in words], min_count)


def _places(words: list[str], vocab: Vocabulary) -> TokenArray:
    """(n,) int32: where each word stands in a vocabulary, -1 where it does not."""
    index = vocab.index
    return np.fromiter((index.get(word, -1) for word in words), np.int32, len(words))
