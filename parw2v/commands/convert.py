"""``parw2v export`` and ``parw2v import``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from parw2v.formats import FORMATS, READABLE, export_vectors, import_vectors, load_vectors
from parw2v.formats.table import UNICODE_ERRORS

EXPORT_EXAMPLES = """\
parw2v export results/model vectors.bin
parw2v export results/model vectors.txt.gz --fvocab counts.txt
parw2v export results/model projector/ --format projector"""

IMPORT_EXAMPLES = """\
parw2v import GoogleNews-vectors-negative300.bin.gz results/news --limit 500000
parw2v import glove.6B.100d.txt results/glove"""


def add_export_flags(parser: argparse.ArgumentParser) -> None:
    """The model, where it goes, and how."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="a model, or vectors in a file that import reads")
    parser.add_argument(
        "out",
        type=Path,
        metavar="OUT",
        help="file to write, also .gz, .bz2 and .xz; for projector a directory, for vectors.tsv and metadata.tsv",
    )
    suffixes = ", ".join(f"{suffix} {name}" for name, kind in FORMATS.items() for suffix in kind.suffixes)
    parser.add_argument("--format", choices=[*FORMATS], help=f"(default: by suffix: {suffixes})")
    parser.add_argument(
        "--fvocab", type=Path, metavar="FILE", help="also write the counts, a word and its count a line"
    )


def run_export(arguments: argparse.Namespace) -> int:
    """Load, write, tell where."""
    model = load_vectors(arguments.model)
    for path in export_vectors(model, arguments.out, format=arguments.format, fvocab=arguments.fvocab):
        print(f"written: {path}", file=sys.stderr)
    return 0


def add_import_flags(parser: argparse.ArgumentParser) -> None:
    """The file, where the model goes, and how to read."""
    parser.add_argument("file", type=Path, metavar="FILE", help="vectors of another program, also .gz, .bz2 and .xz")
    parser.add_argument("out", type=Path, metavar="OUT", help="where the model goes, as OUT.npz")
    suffixes = ", ".join(f"{suffix} {name}" for name in READABLE for suffix in FORMATS[name].suffixes)
    parser.add_argument("--format", choices=READABLE, help=f"(default: by suffix: {suffixes})")
    parser.add_argument(
        "--unicode_errors",
        choices=UNICODE_ERRORS,
        default="strict",
        help="words that are not UTF-8 are refused, mended with U+FFFD, or lose what is wrong; with the last two, "
        "only the first of words that are alike is kept",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="read only the first N words")
    parser.add_argument(
        "--fvocab", type=Path, metavar="FILE", help="take counts from here, a word and its count a line"
    )


def run_import(arguments: argparse.Namespace) -> int:
    """Read, save, tell where."""
    model = import_vectors(
        arguments.file,
        format=arguments.format,
        unicode_errors=arguments.unicode_errors,
        limit=arguments.limit,
        fvocab=arguments.fvocab,
    )
    if left_out := model.settings["left_out"]:
        print(f"parw2v: warning: {left_out:,} words are left out: too long, or alike", file=sys.stderr)
    path = model.save(arguments.out)
    print(f"{len(model):,} words x {model.embed_dim}: {path}", file=sys.stderr)
    return 0
