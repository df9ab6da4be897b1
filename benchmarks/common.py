"""What every benchmark shares: flags, provenance, statistics, tables, and files of results."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parw2v.blas import worker_environment
from parw2v.config import available_cores
from parw2v.version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
QUICK_RESULTS = ROOT / "results" / "quick"
"""A quick run only shows that everything works; its figures do not go where those of full runs are."""

Run = dict[str, Any]
"""One training and what came of it: a flat record, as it stands in the JSON."""


# ------------------------------------------------------------------------------------------------ flags


def argument_parser(question: str, *, quick: dict[str, Any], **defaults: Any) -> argparse.ArgumentParser:
    """The flags that benchmarks of whole trainings have in common, with defaults for full and for quick runs."""
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # as Ctrl-C: what was started is ended, copies are removed
    parser = argparse.ArgumentParser(description=question, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--corpus", help="a text file; without it data/text8 if it is there, else the built-in sample")
    parser.add_argument("--max_tokens", type=int, help="take only the first so many words of it; 0 for all")
    parser.add_argument("--models", nargs="+", default=["skipgram", "cbow"], help="objectives")
    parser.add_argument("--workers", nargs="+", type=int, help="numbers of workers")
    parser.add_argument("--epochs", nargs="+", type=int, help="numbers of epochs")
    parser.add_argument("--rounds", type=int, help="rounds, each with a seed of its own")
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--min_count", type=int, default=5)
    parser.add_argument("--analogies", type=Path, help="questions; without it the built-in ones")
    parser.add_argument("--similarity", type=Path, nargs="*", default=[], help="word pairs with judgements")
    parser.add_argument("--results", type=Path, help="directory for the results")
    parser.add_argument("--more", action="store_true", help="keep the runs of an earlier call and add those missing")
    parser.add_argument("--quick", action="store_true", help="under two minutes: shows that it works, measures little")
    parser.set_defaults(**defaults | (quick if "--quick" in sys.argv else {}))
    return parser


def scratch_directory() -> tempfile.TemporaryDirectory[str]:
    """For models, logs and copies of texts; under ``results``, which git does not look at."""
    parent = QUICK_RESULTS.parent
    parent.mkdir(exist_ok=True)
    return tempfile.TemporaryDirectory(dir=parent, prefix="bench-")


def cores() -> int:
    """Cores that this process may use."""
    return available_cores()


# ------------------------------------------------------------------------------------------------ provenance


def provenance(peer_python: str | None = None) -> dict[str, Any]:
    """What a figure depends on: commit, command, date, machine, versions."""
    return {
        "commit": commit(),
        "command": command_line(sys.argv),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": {"cpu": cpu_model(), "cores": cores()},
        "versions": versions(peer_python),
    }


def commit(root: Path = ROOT) -> str:
    """The commit that is checked out, with "-dirty" where a program differs from it; "unknown" outside git."""
    git = ["git", "-C", str(root)]
    try:
        name = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
        # What a benchmark has just written beside the programs does not count.
        status = [*git, "status", "--porcelain", "--untracked-files=all", "--", "*.py"]
        changed = subprocess.run(status, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name.strip() + ("-dirty" if changed.strip() else "")


def command_line(argv: Sequence[str]) -> str:
    """The command as others would type it: of a path that only this machine has, the name alone."""
    shown = []
    for argument in argv:
        path = Path(argument)
        if path.is_absolute() or argument.startswith(".."):
            argument = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
        shown.append(argument)
    return " ".join(["python", *shown])


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def versions(peer_python: str | None = None) -> dict[str, str]:
    """Python and all libraries that the figures rest on."""
    found = {"parw2v": __version__, "python": platform.python_version()}
    found |= {name: metadata.version(name) for name in ("numpy", "scipy")}
    found["blas"] = blas_of_workers()
    if peer_python:
        found |= peer_versions(peer_python)
    return found


def peer_versions(python: str) -> dict[str, str]:
    """Versions in the peers' environment; what is not installed is left out."""
    program = (
        "import json\nfrom importlib import metadata\nfound = {}\n"
        "for name in ('gensim', 'fasttext', 'numpy'):\n"
        "    try:\n        found[name] = metadata.version(name)\n"
        "    except metadata.PackageNotFoundError:\n        pass\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    if "numpy" in found:
        found["numpy of the peers"] = found.pop("numpy")
    return found


def blas_of_workers() -> str:
    """Name, version and code path of the BLAS that a worker's NumPy loads, in the environment a worker gets."""
    program = "import json, numpy, threadpoolctl; print(json.dumps(threadpoolctl.threadpool_info()))"
    done = subprocess.run([sys.executable, "-c", program], env=worker_environment(), capture_output=True, text=True)
    infos = [info for info in json.loads(done.stdout or "[]") if info.get("user_api") == "blas"]
    if not infos:
        return "unknown"
    info = infos[0]
    name = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS"}.get(info["internal_api"], info["internal_api"])
    version = ".".join(str(info.get("version") or "").split(".")[:3])
    return " ".join(filter(None, [name, version, info.get("architecture")]))


# ------------------------------------------------------------------------------------------------ statistics


def group(runs: Iterable[Run], *keys: str) -> dict[tuple[Any, ...], list[Run]]:
    """Runs that are alike in `keys`, in the order they first occur."""
    groups: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(run.get(key) for key in keys), []).append(run)
    return groups


def values(runs: Iterable[Run], name: str) -> list[float]:
    """A figure of each run that has it."""
    return [run[name] for run in runs if run.get(name) is not None]


def median(runs: Iterable[Run], name: str) -> float | None:
    found = values(runs, name)
    return statistics.median(found) if found else None


def mean(runs: Iterable[Run], name: str) -> float | None:
    found = values(runs, name)
    return statistics.mean(found) if found else None


def ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


# ------------------------------------------------------------------------------------------------ tables


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table that can be read as it stands too: columns aligned, numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    numeric = [
        all(_is_figure(row[i]) for row in cells) and any(row[i] != "-" for row in cells) for i in range(len(headings))
    ]
    widths = [max(3, *(len(row[i]) for row in [list(headings), *cells])) for i in range(len(headings))]

    def line(row: Sequence[str]) -> str:
        padded = [
            cell.rjust(w) if right else cell.ljust(w) for cell, w, right in zip(row, widths, numeric, strict=True)
        ]
        return "| " + " | ".join(padded) + " |"

    rule = (
        "|" + "|".join("-" * (w + 1) + (":" if right else "-") for w, right in zip(widths, numeric, strict=True)) + "|"
    )
    return "\n".join([line(headings), rule, *map(line, cells)])


def _is_figure(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] in "-+." or cell in ("-", "")


def counted(n: int, thing: str) -> str:
    """ "1 epoch", "5 epochs"."""
    return f"{n} {thing}" + ("" if n == 1 else "s")


def millions(value: float | None) -> str:
    return "-" if value is None else f"{value / 1e6:.3f}"


def figure(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{100 * value:.{digits}f}"


# ------------------------------------------------------------------------------------------------ files of results


class Results:
    """The runs of one benchmark and the files they go to: NAME.json, NAME.md and NAME.png.

    They are written again after every run, so that one cut short keeps what it has and ``--more`` can go on.
    """

    def __init__(
        self,
        name: str,
        arguments: argparse.Namespace,
        settings: dict[str, Any],
        report: Callable[[dict[str, Any]], str],
        draw: Callable[[dict[str, Any]], Figure] | None = None,
        peer_python: str | None = None,
    ) -> None:
        directory = arguments.results or (QUICK_RESULTS if arguments.quick else RESULTS)
        directory.mkdir(parents=True, exist_ok=True)
        self.base: Path = directory / name
        self.report, self.draw = report, draw
        self.record: dict[str, Any] = {"name": name, **provenance(peer_python), "settings": settings, "runs": []}
        if getattr(arguments, "more", False):
            self._take_over()

    @property
    def runs(self) -> list[Run]:
        runs: list[Run] = self.record["runs"]
        return runs

    def _take_over(self) -> None:
        """The runs of an earlier call with the same settings and programs."""
        path = self.base.with_suffix(".json")
        if not path.exists():
            return
        earlier = json.loads(path.read_text())
        for key in ("commit", "machine", "versions", "settings"):
            if earlier[key] != json.loads(json.dumps(self.record[key])):
                raise SystemExit(f"{path}: was measured with another {key}; leave out --more to measure anew")
        self.record["runs"] = earlier["runs"]
        if earlier["command"] != self.record["command"]:
            self.record["command"] = f"{earlier['command']}; then {self.record['command']}"

    def has(self, **key: Any) -> bool:
        """Whether there is a run with these values already."""
        return any(all(run.get(name) == value for name, value in key.items()) for run in self.runs)

    def add(self, run: Run) -> None:
        self.runs.append(run)
        self.write()

    def write(self) -> None:
        text = json.dumps(self.record, indent=1, allow_nan=False, default=str) + "\n"
        _replace(self.base.with_suffix(".json"), text.encode())
        _replace(self.base.with_suffix(".md"), self.text().encode())

    def text(self) -> str:
        """The report as it goes to the Markdown file."""
        return f"{self.report(self.record)}\n\n{footnote(self.record)}\n"

    def finish(self) -> None:
        """Print the report and draw the picture."""
        self.write()
        print(f"\n{self.text()}")
        written = [self.base.with_suffix(".json"), self.base.with_suffix(".md")]
        if self.draw:
            from figures import save  # matplotlib is slow to import

            written.append(save(self.draw(self.record), self.record, self.base.with_suffix(".png")))
        print("written:", *(os.path.relpath(path) for path in written))


def footnote(record: dict[str, Any]) -> str:
    """Machine, versions, commit and command in two lines of Markdown."""
    machine, found = record["machine"], record["versions"]
    listed = ", ".join(f"{name} {version}" for name, version in found.items())
    return (
        f"{machine['cores']} cores of {machine['cpu']}; {listed}; commit {record['commit']}; {record['date']}.\n\n"
        f"`{record['command']}`"
    )


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.tmp")
    unfinished.write_bytes(content)
    unfinished.replace(path)
