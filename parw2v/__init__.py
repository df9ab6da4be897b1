"""word2vec on every core: parallel lock-free training in NumPy.

The names below are the public interface. They are loaded when first used: worker processes import this package too, and
need neither plots nor downloads.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from parw2v.version import __version__

if TYPE_CHECKING:
    from parw2v.bars import plot_analogies as plot_analogies
    from parw2v.catalogue import fetch_dataset as fetch_dataset
    from parw2v.config import TrainSettings as TrainSettings
    from parw2v.continuation import start_from as start_from
    from parw2v.continuation import updated_model as updated_model
    from parw2v.corpus import Corpus as Corpus
    from parw2v.corpus import encode_text as encode_text
    from parw2v.datasets import fetch_text8 as fetch_text8
    from parw2v.encoding import encode_sentences as encode_sentences
    from parw2v.errors import Parw2vError as Parw2vError
    from parw2v.evaluation import evaluate_analogies as evaluate_analogies
    from parw2v.evaluation import evaluate_similarity as evaluate_similarity
    from parw2v.formats import export_vectors as export_vectors
    from parw2v.formats import import_vectors as import_vectors
    from parw2v.formats import load_vectors as load_vectors
    from parw2v.model import Word2Vec as Word2Vec
    from parw2v.phrases import Phrases as Phrases
    from parw2v.report import full_report as full_report
    from parw2v.sample import load_sample_corpus as load_sample_corpus
    from parw2v.sklearn import Word2VecTransformer as Word2VecTransformer
    from parw2v.trainer import Trainer as Trainer
    from parw2v.training import train as train
    from parw2v.view import write_view as write_view
    from parw2v.vocabulary import Vocabulary as Vocabulary

_HOME = {
    "Corpus": "corpus",
    "Parw2vError": "errors",
    "Phrases": "phrases",
    "TrainSettings": "config",
    "Trainer": "trainer",
    "Vocabulary": "vocabulary",
    "Word2Vec": "model",
    "encode_sentences": "encoding",
    "Word2VecTransformer": "sklearn",
    "encode_text": "corpus",
    "evaluate_analogies": "evaluation",
    "evaluate_similarity": "evaluation",
    "export_vectors": "formats",
    "fetch_dataset": "catalogue",
    "fetch_text8": "datasets",
    "full_report": "report",
    "import_vectors": "formats",
    "load_sample_corpus": "sample",
    "load_vectors": "formats",
    "plot_analogies": "bars",
    "train": "training",
    "start_from": "continuation",
    "updated_model": "continuation",
    "write_view": "view",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'parw2v' has no attribute {name!r}")
    return getattr(import_module(f"parw2v.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
