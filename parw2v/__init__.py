"""word2vec on every core: parallel lock-free training in NumPy.

The names below are the public interface. They are loaded when first used: worker processes import this package too, and
need neither plots nor downloads.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from parw2v.version import __version__

if TYPE_CHECKING:
    from parw2v.config import TrainSettings as TrainSettings
    from parw2v.corpus import Corpus as Corpus
    from parw2v.corpus import encode_text as encode_text
    from parw2v.datasets import fetch_text8 as fetch_text8
    from parw2v.errors import Parw2vError as Parw2vError
    from parw2v.evaluation import evaluate_analogies as evaluate_analogies
    from parw2v.evaluation import evaluate_similarity as evaluate_similarity
    from parw2v.model import Word2Vec as Word2Vec
    from parw2v.report import full_report as full_report
    from parw2v.sample import load_sample_corpus as load_sample_corpus
    from parw2v.sklearn import Word2VecTransformer as Word2VecTransformer
    from parw2v.trainer import Trainer as Trainer
    from parw2v.vocabulary import Vocabulary as Vocabulary

_HOME = {
    "Corpus": "corpus",
    "Parw2vError": "errors",
    "TrainSettings": "config",
    "Trainer": "trainer",
    "Vocabulary": "vocabulary",
    "Word2Vec": "model",
    "Word2VecTransformer": "sklearn",
    "encode_text": "corpus",
    "evaluate_analogies": "evaluation",
    "evaluate_similarity": "evaluation",
    "fetch_text8": "datasets",
    "full_report": "report",
    "load_sample_corpus": "sample",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'parw2v' has no attribute {name!r}")
    return getattr(import_module(f"parw2v.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
