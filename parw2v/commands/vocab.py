"""``parw2v vocab``: count a text once, look at its words, prune them, use them again with ``parw2v train --vocab``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parw2v.commands.texts import DEFAULT_MIN_COUNT, add_reading_flags, named_texts, reading_bar
from parw2v.console import duration
from parw2v.corpus import count_text
from parw2v.errors import SettingsError
from parw2v.scratch import ScratchDirectory
from parw2v.vocabulary import Vocabulary

_STEPS = (1, 2, 5)
"""Of the min_counts whose coverage is shown, times powers of ten."""

EXAMPLES = """\
parw2v vocab build 'news/*.gz' --min_count 1 --out words.json
parw2v vocab show words.json --top 20
parw2v vocab show words.json king queen --json
parw2v vocab prune words.json --max_size 50000 --out frequent.json"""


def add_vocab_flags(parser: argparse.ArgumentParser) -> None:
    """A command for each thing to do with a vocabulary."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    build = actions.add_parser(
        "build", help="count the words of a text", formatter_class=parser.formatter_class, allow_abbrev=False
    )
    build.add_argument(
        "corpus", nargs="+", metavar="TEXT", help="sample, text8, text files, quoted patterns, or -; read in order"
    )
    build.add_argument(
        "--min_count", type=int, default=DEFAULT_MIN_COUNT, metavar="N", help="leave out words that occur less often"
    )
    add_reading_flags(build)
    _add_out(build)

    show = actions.add_parser(
        "show",
        help="tell its size, what each min_count would leave, and words",
        formatter_class=parser.formatter_class,
        allow_abbrev=False,
    )
    show.add_argument("vocab", type=Path, metavar="FILE", help="a vocabulary")
    show.add_argument("words", nargs="*", metavar="WORD", help="tell the rank and count of these")
    show.add_argument("--top", type=int, metavar="N", help="list the N most frequent words (default: 10, if no WORD)")
    show.add_argument("--json", action="store_true", help="write one JSON object instead")

    prune = actions.add_parser(
        "prune", help="keep the frequent words only", formatter_class=parser.formatter_class, allow_abbrev=False
    )
    prune.add_argument("vocab", type=Path, metavar="FILE", help="a vocabulary")
    prune.add_argument("--min_count", type=int, metavar="N", help="leave out words that occur less often")
    prune.add_argument("--max_size", type=int, metavar="N", help="keep the N most frequent words at most")
    _add_out(prune)


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the vocabulary goes")
    parser.add_argument("--quiet", action="store_true", help="show nothing but errors")


def run_vocab(arguments: argparse.Namespace) -> int:
    """Do the one thing that was asked for."""
    {"build": _build, "show": _show, "prune": _prune}[arguments.action](arguments)
    return 0


def _build(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    with ScratchDirectory(Path(tempfile.gettempdir())) as scratch, reading_bar(quiet=arguments.quiet) as advance:
        vocabulary = count_text(
            named_texts(arguments.corpus, scratch, arguments),
            min_count=arguments.min_count,
            raw=arguments.raw,
            max_tokens=arguments.max_tokens,
            progress=advance,
        )
    took = duration(time.perf_counter() - started)
    _save(arguments, vocabulary, f"{len(vocabulary):,} words, {vocabulary.total:,} tokens, counted in {took}")


def _prune(arguments: argparse.Namespace) -> None:
    if arguments.min_count is None and arguments.max_size is None:
        raise SettingsError("nothing says how to prune; give --min_count, --max_size or both")
    vocabulary = Vocabulary.load(arguments.vocab)
    smaller = vocabulary.pruned(arguments.min_count, arguments.max_size)
    share = smaller.total / vocabulary.total
    _save(arguments, smaller, f"{len(smaller):,} of {len(vocabulary):,} words, {share:.1%} of the tokens")


def _save(arguments: argparse.Namespace, vocabulary: Vocabulary, what: str) -> None:
    path = vocabulary.save(arguments.out)
    if not arguments.quiet:
        print(f"{path}: {what}", file=sys.stderr)


def _show(arguments: argparse.Namespace) -> None:
    if arguments.top is not None and arguments.top < 0:
        raise SettingsError(f"top is {arguments.top}; it must be at least 0")
    vocabulary = Vocabulary.load(arguments.vocab)
    top = arguments.top if arguments.top is not None else 0 if arguments.words else 10
    words = [*arguments.words, *vocabulary.words[:top]]
    record: dict[str, Any] = {
        "words": len(vocabulary),
        "tokens": vocabulary.total,
        "min_count": vocabulary.min_count,
        "coverage": list(coverage(vocabulary)),
        "listed": [_listed(vocabulary, word) for word in words],
    }
    if arguments.json:
        print(json.dumps(record))
    else:
        _print(record)


def coverage(vocabulary: Vocabulary) -> Iterator[dict[str, Any]]:
    """What a vocabulary would be with its own min_count and with larger ones: 1, 2, 5, 10, ... while two words are left.

    ``tokens`` and ``share`` are of the text's words that are in this vocabulary.
    """
    counts, total = vocabulary.counts, vocabulary.total
    larger = (step * 10**power for power in range(18) for step in _STEPS)
    for min_count in [vocabulary.min_count, *(n for n in larger if n > vocabulary.min_count)]:
        kept = int((counts >= min_count).sum())
        if kept < 2:
            return
        tokens = int(counts[:kept].sum())
        yield {"min_count": min_count, "words": kept, "tokens": tokens, "share": round(tokens / total, 6)}


def _listed(vocabulary: Vocabulary, word: str) -> dict[str, Any]:
    """``rank`` (from 1) and ``count`` are null for a word that is not in the vocabulary."""
    i = vocabulary.index.get(word)
    return {
        "word": word,
        "rank": None if i is None else i + 1,
        "count": None if i is None else int(vocabulary.counts[i]),
    }


def _print(record: dict[str, Any]) -> None:
    from parw2v.terminal import printable

    lines = [
        f"{record['words']:,} words, {record['tokens']:,} tokens, min_count {record['min_count']}",
        "",
        f"{'min_count':>12}{'words':>14}{'tokens':>18}{'share':>9}",
    ]
    lines += [
        f"{row['min_count']:12,}{row['words']:14,}{row['tokens']:18,}{row['share']:9.1%}" for row in record["coverage"]
    ]
    if record["listed"]:
        lines += ["", f"{'rank':>12}{'count':>14}  word"]
    for row in record["listed"]:
        if row["rank"] is None:
            lines.append(f"{'-':>12}{'-':>14}  {printable(row['word'])}  (not in the vocabulary)")
        else:
            lines.append(f"{row['rank']:12,}{row['count']:14,}  {printable(row['word'])}")
    encoding = sys.stdout.encoding or "utf-8"
    print("\n".join(lines).encode(encoding, "backslashreplace").decode(encoding))
