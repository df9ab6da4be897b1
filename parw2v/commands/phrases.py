"""``parw2v phrases``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from parw2v.console import duration
from parw2v.errors import CorpusError, Parw2vError
from parw2v.phrases import SCORINGS, Phrases
from parw2v.scratch import ScratchDirectory
from parw2v.text import pieces

EXAMPLES = """\
parw2v phrases mytext.txt --out phrases.txt --passes 2
parw2v train --corpus phrases.txt --raw
parw2v phrases a.txt.gz b.txt.gz --out - --quiet | parw2v train --corpus - --raw"""


def add_phrases_flags(parser: argparse.ArgumentParser) -> None:
    """In groups: phrases, output; the texts first."""
    parser.add_argument(
        "texts", nargs="+", metavar="TEXT", help="text files (.gz, .bz2 and .xz too), or - for standard input"
    )
    parser.add_argument("--raw", action="store_true", help="take words as they stand between spaces")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: all cores)")

    phrases = parser.add_argument_group("phrases")
    phrases.add_argument("--min_count", type=int, default=5, metavar="N", help="leave alone pairs that are rarer")
    phrases.add_argument("--threshold", type=float, metavar="X", help="lowest score (default: 10, with npmi 0.5)")
    phrases.add_argument(
        "--passes", type=int, default=1, metavar="N", help="2 find phrases of up to 4 words, and so on"
    )
    phrases.add_argument("--scoring", choices=list(SCORINGS), default="default", help="how pairs are scored")
    phrases.add_argument("--delimiter", default="_", metavar="C", help="goes between the words of a phrase")

    output = parser.add_argument_group("output")
    output.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help="where the text goes, a sentence a line (.gz, .bz2, .xz: packed), or - for standard output; "
        "train on it with --raw",
    )
    output.add_argument("--save_phrases", type=Path, metavar="FILE", help="write phrases and scores, as JSON")
    output.add_argument("--quiet", action="store_true", help="show nothing but errors")


def run_phrases(arguments: argparse.Namespace) -> int:
    """Find phrases, write the text with them joined."""
    to_file = arguments.out != "-"
    out = Path(arguments.out)
    if to_file and out.is_dir():
        raise Parw2vError(f"{out}: is a directory; choose another --out")
    started = time.perf_counter()

    def say(text: str) -> None:
        if not arguments.quiet:
            print(f"{text} ({duration(time.perf_counter() - started)})", file=sys.stderr, flush=True)

    if arguments.threshold is None:
        arguments.threshold = 0.5 if arguments.scoring == "npmi" else 10.0
    with ScratchDirectory(out.absolute().parent if to_file else Path(tempfile.gettempdir())) as scratch:
        source = arguments.texts[0] if len(arguments.texts) == 1 else _together(arguments.texts, scratch)
        phrases = Phrases.learn(
            source,
            min_count=arguments.min_count,
            threshold=arguments.threshold,
            passes=arguments.passes,
            scoring=arguments.scoring,
            delimiter=arguments.delimiter,
            raw=arguments.raw,
            out=out if to_file else sys.stdout.buffer,
            workers=arguments.workers,
            progress=say,
        )
    if not to_file:
        sys.stdout.buffer.flush()
    if arguments.save_phrases:
        phrases.save(arguments.save_phrases)
        say(f"phrases: {arguments.save_phrases}")
    if to_file:
        say(f"text: {out}")
    return 0


def _together(texts: Sequence[str], directory: Path) -> Path:
    """Several texts as one, unpacked; a line ends with each text."""
    together = directory / "texts.txt"
    try:
        with together.open("wb") as file:
            for text in texts:
                file.writelines(pieces(text))
                file.write(b"\n")
    except OSError as error:
        raise CorpusError(f"{together}: cannot be written ({error.strerror or error}); free some space") from error
    return together
