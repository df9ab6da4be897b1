"""``info``: what a model holds and how it was trained."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parw2v.formats import load_vectors
from parw2v.model import Word2Vec, npz_path
from parw2v.terminal import aligned, print_lines, printable

EXAMPLES = """\
parw2v info results/model
parw2v info results/model --json"""


def add_info_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help="a model that parw2v trained; .npz may be left out")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run_info(arguments: argparse.Namespace) -> int:
    """Load the model, which checks it, and say what it is."""
    given = Path(arguments.model)
    path = given if given.is_file() else npz_path(given)
    facts = describe(load_vectors(path)) | {"file": str(path), "bytes": path.stat().st_size}
    print_lines([json.dumps(facts)] if arguments.json else _lines(facts), sys.stdout)
    return 0


def describe(model: Word2Vec) -> dict[str, Any]:
    """Facts about a model, ready for JSON."""
    from parw2v.report import vector_norms

    return {
        "words": len(model),
        "dimensions": model.embed_dim,
        "objective": model.objective,
        "negatives": model.n_negatives,
        "min_count": model.vocab.min_count,
        "corpus_words": model.vocab.total,
        "most_frequent": model.words[:10],
        "norms": {name: round(norm, 6) for name, norm in vector_norms(model).items()},
        "settings": model.settings,
    }


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    """A line for each fact; settings below."""
    yield printable(facts["file"])
    rows = [(name.replace("_", " "), _text(value)) for name, value in facts.items() if name not in ("file", "settings")]
    yield from aligned(rows)
    yield "trained with" if facts["settings"] else "no settings: not trained"
    yield from aligned([(name, _text(value)) for name, value in facts["settings"].items()])


def _text(value: Any) -> str:
    """A value on one line."""
    match value:
        case bool() | None:
            return json.dumps(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.6g}"
        case list():
            return " ".join(_text(item) for item in value)
        case dict():
            return "  ".join(f"{printable(name)} {_text(item)}" for name, item in value.items())
    return printable(str(value))
