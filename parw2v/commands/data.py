"""``parw2v data``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

EXAMPLES = """\
parw2v data
parw2v data questions-words wordsim353 simlex999"""


def add_data_flags(parser: argparse.ArgumentParser) -> None:
    """Names, and where files go."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="data sets to fetch; without any, they are listed")
    add_data_dir(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress while fetching")


def add_data_dir(group: argparse._ActionsContainer) -> None:
    """``--data_dir``, for every command that takes data sets by name."""
    group.add_argument("--data_dir", type=Path, default=Path("data"), metavar="DIR", help="where data sets are kept")


def run_data(arguments: argparse.Namespace) -> int:
    """List on standard output, or fetch and print the paths there."""
    from parw2v.catalogue import CATALOGUE, fetch_dataset, presence
    from parw2v.errors import SettingsError

    if unknown := [name for name in arguments.names if name not in CATALOGUE]:  # found before the first download
        raise SettingsError(f"there is no data set {unknown[0]!r}; there are {', '.join(CATALOGUE)}")
    if not arguments.names:
        print("\n".join(_listing({name: presence(name, arguments.data_dir) for name in CATALOGUE})))
    for name in arguments.names:
        path = fetch_dataset(name, arguments.data_dir, quiet=arguments.quiet)
        sys.stdout.buffer.write(os.fsencode(path) + b"\n")  # bytes: a path need not be text in any encoding
        sys.stdout.flush()
    return 0


def _listing(present: dict[str, str]) -> Iterator[str]:
    from parw2v.catalogue import CATALOGUE

    yield f"{'name':<16}  {'kind':<10}  {'bytes':>10}  {'here':<5}  what it is"
    for name, published in CATALOGUE.items():
        size = published.dataset.archive_size
        yield f"{name:<16}  {published.kind:<10}  {size:>10,}  {present[name]:<5}  {published.about}"
        for line in (published.origin, published.dataset.url):
            yield f"{'':<49}{line}"
    yield "here: yes, no, or other: another file has its name. Each is checked by its SHA-256 when it is fetched."
