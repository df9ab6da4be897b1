"""``similar``, ``analogy``, ``odd-one-out``, ``similarity``: questions to a model, from the command line or line by line.

Each kind of question is a function that takes the model, the words and the flags, and returns its answers: a record for
``--json`` and lines for people.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from parw2v.commands.prompt import read_lines
from parw2v.errors import QueryError, VocabularyError
from parw2v.formats import load_vectors
from parw2v.queries import METHODS, Found, Queries, check_limits
from parw2v.terminal import aligned, print_lines, printable

SIMILAR_EXAMPLES = """\
parw2v similar results/model king queen --top_n 5
parw2v similar results/model               asks for words until Ctrl-D
parw2v similar results/model --json < words.txt"""

ANALOGY_EXAMPLES = """\
parw2v analogy results/model man king woman   man is to king as woman is to ... queen
parw2v analogy results/model paris france rome --method 3cosmul --top_n 3"""

ODD_ONE_OUT_EXAMPLES = "parw2v odd-one-out results/model cat dog horse france"

SIMILARITY_EXAMPLES = "parw2v similarity results/model king queen"

Answer = tuple[dict[str, Any], list[str]]
"""For ``--json``, and for people."""


# ---------------------------------------------------------------------------------------------- flags


def add_similar_flags(parser: argparse.ArgumentParser) -> None:
    _add_model_and_words(parser, "words to find the neighbours of")
    _add_limits(parser)


def add_analogy_flags(parser: argparse.ArgumentParser) -> None:
    _add_model_and_words(parser, "A B C, three words: A is to B as C is to ?")
    _add_limits(parser)
    parser.add_argument(
        "--method", choices=METHODS, default=METHODS[0], help="nearest to B - A + C, or likenesses multiplied"
    )


def add_odd_one_out_flags(parser: argparse.ArgumentParser) -> None:
    _add_model_and_words(parser, "three words or more")


def add_similarity_flags(parser: argparse.ArgumentParser) -> None:
    _add_model_and_words(parser, "two words")


def _add_model_and_words(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help="a model that parw2v trained; .npz may be left out")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help=f"{what}; without any, questions are read from standard input, one a line",
    )
    parser.add_argument("--json", action="store_true", help="print each answer as a JSON object, one a line")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--top_n", type=int, default=10, metavar="N", help="answers to list")
    parser.add_argument(
        "--restrict_vocab", type=int, metavar="N", help="search only the N most frequent words (default: all)"
    )


# ---------------------------------------------------------------------------------------------- questions


def run_similar(arguments: argparse.Namespace) -> int:
    """The nearest words to each word."""
    return _answer_all(arguments, _similar)


def run_analogy(arguments: argparse.Namespace) -> int:
    """A is to B as C is to ?"""
    return _answer_all(arguments, _analogy)


def run_odd_one_out(arguments: argparse.Namespace) -> int:
    """The word furthest from the mean of all."""
    return _answer_all(arguments, _odd_one_out)


def run_similarity(arguments: argparse.Namespace) -> int:
    """The cosine of two words."""
    return _answer_all(arguments, _similarity)


def _similar(model: Queries, words: list[str], arguments: argparse.Namespace) -> Iterator[Answer]:
    answers = model.most_similar_many(words, arguments.top_n, arguments.restrict_vocab)
    for word, found in zip(words, answers, strict=True):
        yield {"word": word, "neighbours": _record(found, "cosine")}, [printable(word), *_table(found)]


def _analogy(model: Queries, words: list[str], arguments: argparse.Namespace) -> Iterator[Answer]:
    if len(words) != 3:
        raise QueryError(f"an analogy takes three words, A B C, and {len(words)} came; A is to B as C is to ?")
    a, b, c = words
    found = model.analogy(b, a, c, arguments.top_n, arguments.method, arguments.restrict_vocab)
    heading = f"{printable(a)} is to {printable(b)} as {printable(c)} is to"
    yield (
        {"a": a, "b": b, "c": c, "method": arguments.method, "answers": _record(found, "score")},
        [heading, *_table(found)],
    )


def _odd_one_out(model: Queries, words: list[str], arguments: argparse.Namespace) -> Iterator[Answer]:
    found = model.centrality(words)
    odd = found[-1][0]
    yield {"odd": odd, "words": _record(found, "cosine")}, [printable(odd), *_table(found)]


def _similarity(model: Queries, words: list[str], arguments: argparse.Namespace) -> Iterator[Answer]:
    if len(words) != 2:
        raise QueryError(f"similarity compares two words, and {len(words)} came; give two")
    cosine = model.similarity(*words)
    yield {"words": words, "cosine": round(cosine, 6)}, [f"{cosine:.4f}"]


def _record(found: Found, name: str) -> list[dict[str, Any]]:
    return [{"word": word, name: round(score, 6)} for word, score in found]


def _table(found: Found) -> Iterator[str]:
    return aligned([(word, f"{score:.4f}") for word, score in found], right=True)


# ---------------------------------------------------------------------------------------------- asking


def _answer_all(
    arguments: argparse.Namespace, answer: Callable[[Queries, list[str], argparse.Namespace], Iterator[Answer]]
) -> int:
    """Answer the command line, or each line of standard input."""
    check_limits(getattr(arguments, "top_n", 1), getattr(arguments, "restrict_vocab", None))
    model = load_vectors(arguments.model)
    if arguments.words:
        _print_answers(list(answer(model, arguments.words, arguments)), arguments.json)
        return 0
    for line in read_lines(arguments.command, model.words):
        words = [line] if line in model and answer is _similar else line.split()
        if not words:
            continue
        try:
            answers = list(answer(model, words, arguments))
        except (QueryError, VocabularyError) as error:
            print(error, file=sys.stderr, flush=True)
        else:
            _print_answers(answers, arguments.json)
    return 0


def _print_answers(answers: list[Answer], as_json: bool) -> None:
    for record, lines in answers:
        print_lines([json.dumps(record)] if as_json else lines, sys.stdout)
