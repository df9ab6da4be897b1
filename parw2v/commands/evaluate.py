"""``parw2v evaluate``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parw2v.commands.data import add_data_dir
from parw2v.formats import load_vectors
from parw2v.model import Word2Vec

if TYPE_CHECKING:
    from parw2v.evaluation import AnalogyReport, SimilarityReport

EXAMPLES = """\
parw2v evaluate results/model --analogies questions-words --similarity wordsim353 simlex999
parw2v evaluate results/model.npz --analogies mine.txt --restrict_vocab 100000 --plot accuracy.png
parw2v evaluate results/model --json"""


def add_evaluate_flags(parser: argparse.ArgumentParser) -> None:
    """In groups: questions, output."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="a model saved by parw2v; .npz may be left out")
    questions = parser.add_argument_group("questions")
    questions.add_argument(
        "--analogies",
        metavar="FILE",
        help="questions in the questions-words format, or questions-words itself, fetched once (default: the built-in)",
    )
    questions.add_argument(
        "--similarity",
        nargs="+",
        default=[],
        metavar="FILE",
        help="word pairs with human similarity scores, or wordsim353, simlex999, fetched once",
    )
    questions.add_argument(
        "--restrict_vocab",
        type=int,
        metavar="N",
        help="only the N most frequent words take part (default: 30000 in analogies, all in similarity)",
    )
    questions.add_argument("--case_sensitive", action="store_true", help="take Paris and paris for different words")
    questions.add_argument("--cosmul", action="store_true", help="answer analogies by 3CosMul instead of 3CosAdd")
    add_data_dir(questions)

    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    output.add_argument("--plot", type=Path, metavar="FILE", help="draw the accuracy by section, as a PNG file")


def run_evaluate(arguments: argparse.Namespace) -> int:
    """Read the questions, then the model; ask, print, draw."""
    from parw2v.catalogue import named_or_file
    from parw2v.evaluation import (
        builtin_analogies,
        evaluate_analogies,
        evaluate_similarity,
        read_analogies,
        read_similarity,
    )

    def found(given: str, kind: str) -> Path:
        return named_or_file(given, kind, arguments.data_dir)

    restrict, ignore_case = arguments.restrict_vocab, not arguments.case_sensitive
    source = None if arguments.analogies is None else found(arguments.analogies, "analogies")
    sections = read_analogies(source) if source else builtin_analogies()
    judgements = [(path.stem, read_similarity(path)) for path in (found(g, "similarity") for g in arguments.similarity)]
    model = load_vectors(arguments.model)
    units, words = model.unit_vectors, model.vocab.words
    among = {} if restrict is None else {"restrict_vocab": restrict}
    analogies = evaluate_analogies(units, words, sections, lower=ignore_case, cosmul=arguments.cosmul, **among)
    similarity = [
        evaluate_similarity(units, model.vocab.index, *named, restrict_vocab=restrict, lower=ignore_case)
        for named in judgements
    ]
    name = source.stem if source else "built-in questions"
    if arguments.json:
        print(json.dumps(_record(arguments, model, name, analogies, similarity), allow_nan=False, indent=2))
    else:
        print("\n".join(_lines(model, name, analogies, similarity)))
    if arguments.plot:
        from parw2v.bars import plot_analogies
        from parw2v.terminal import printable

        sys.stdout.flush()
        print(f"picture: {printable(str(plot_analogies(analogies, arguments.plot)))}", file=sys.stderr)
    return 0


def _record(
    arguments: argparse.Namespace,
    model: Word2Vec,
    name: str,
    analogies: AnalogyReport,
    similarity: list[SimilarityReport],
) -> dict[str, Any]:
    return {
        "model": str(arguments.model),
        "words": len(model),
        "dimension": model.embed_dim,
        "case_sensitive": arguments.case_sensitive,
        "analogies": {"name": name, **analogies.to_dict()},
        "similarity": [report.to_dict() for report in similarity],
    }


def _lines(model: Word2Vec, name: str, analogies: AnalogyReport, similarity: list[SimilarityReport]) -> Iterator[str]:
    yield f"{len(model):,} words x {model.embed_dim} dimensions"
    among = f"{analogies.method} among the {min(analogies.restrict_vocab, len(model)):,} most frequent words"
    yield from ("", f"Analogies: {_plain(name)}, {among}")
    yield from (f"  {line}" for line in analogies.lines())
    total = analogies.sums[2]
    asked = f"{total.total:,} of {total.total + total.skipped:,} questions"
    yield f"  {asked} asked, {_percent(total.coverage)}; {analogies.unknown_words:,} of their words are not among these"
    if similarity:
        yield from ("", "Word similarity: correlation with human judgements, over the pairs with both words known")
        width = max(8, *(len(_plain(report.name)) for report in similarity))
        yield f"  {'pairs of':<{width}}  Spearman  Pearson     used  skipped  coverage  unknown words"
        for report in similarity:
            spearman, pearson = ("-" if r is None else f"{r:.3f}" for r in (report.spearman, report.pearson))
            counts = f"{report.used:7,}  {report.out_of_vocabulary:7,}  {_percent(report.coverage):>8}"
            line = f"{spearman:>8}  {pearson:>7}  {counts}  {report.unknown_words:13,}"
            yield f"  {_plain(report.name):<{width}}  {line}"


def _plain(name: str) -> str:
    """A name that cannot act on a terminal, in ASCII, so that any encoding has it."""
    return ascii(name)[1:-1]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
