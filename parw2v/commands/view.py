"""``parw2v view``."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from parw2v.console import duration
from parw2v.layout import METHODS, TSNE_STEPS
from parw2v.model import Word2Vec, npz_path
from parw2v.view import write_view

EXAMPLES = """\
parw2v view results/model
parw2v view results/text8 --out text8.html --max_words 20000"""


def add_view_flags(parser: argparse.ArgumentParser) -> None:
    """The model, and what is made of it."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="a model that train wrote; .npz may be left out")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the page goes (default: beside the model)")
    parser.add_argument("--max_words", type=int, default=10_000, metavar="N", help="show the N most frequent words")
    parser.add_argument(
        "--method",
        choices=METHODS,
        default="tsne",
        help="how words are placed: tsne keeps neighbours together, pca takes a second and keeps large distances",
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing but where the page is")


def run_view(arguments: argparse.Namespace) -> int:
    """Load, place, write; the path goes to standard output."""
    started = time.perf_counter()
    source = npz_path(arguments.model)
    model = Word2Vec.load(source)
    out = arguments.out or source.with_suffix(".html")
    with _Placing(arguments, min(arguments.max_words, len(model))) as placing:
        path = write_view(model, out, arguments.max_words, arguments.method, progress=placing.tell, name=source.name)
    if not arguments.quiet:
        took = duration(time.perf_counter() - started)
        print(f"page of {path.stat().st_size / 1e6:.1f} MB in {took}: open it in a browser", file=sys.stderr)
    print(path)
    return 0


class _Placing:
    """Shows how far t-SNE is: a bar on a terminal, elsewhere a line at the start."""

    def __init__(self, arguments: argparse.Namespace, words: int) -> None:
        from tqdm import tqdm

        text = f"placing {words:,} words"
        hide = arguments.quiet or arguments.method != "tsne"
        if not (hide or sys.stderr.isatty()):
            print(text, file=sys.stderr, flush=True)
        self.bar = tqdm(
            total=TSNE_STEPS,
            desc=text,
            leave=False,
            disable=hide or not sys.stderr.isatty(),
            bar_format="{desc} {percentage:3.0f}% {bar} {remaining} left",
        )

    def tell(self, steps: int) -> None:
        self.bar.update(steps - self.bar.n)

    def __enter__(self) -> _Placing:
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()
