"""How fast and how accurate is parw2v beside gensim on the same text, in one run?

The runs are interleaved, so that a machine that slows down slows both. Each round trains gensim and parw2v with one
worker, two parw2v runs of one worker side by side (what the machine's cores can give), and both with two workers.
Speeds are raw words a second of training; the median over rounds is shown, and ratios are of medians.

Usage: python benchmarks/compare.py --corpus FILE --peer-python .venv-peers/bin/python [--analogies FILE] ...
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from parw2v.evaluation import evaluate_analogies, evaluate_similarity, read_analogies, read_similarity
from parw2v.model import normalise
from parw2v.text import SENTENCE_END, read_tokens

HERE = Path(__file__).parent
SETTINGS = {"dim": 100, "window": 5, "neg": 5, "sample": 1e-3, "min_count": 5}
LR = {"skipgram": 0.025, "cbow": 0.05}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--peer-python", help="an interpreter that has gensim; without it only accuracy is measured")
    parser.add_argument("--models", nargs="+", default=["skipgram", "cbow"])
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the speed comparison, of one epoch each")
    parser.add_argument("--seeds", type=int, default=0, help="runs for accuracy, after --epochs epochs, two workers")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--max_tokens", type=int)
    parser.add_argument("--analogies", type=Path)
    parser.add_argument("--similarity", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    record: dict[str, Any] = {"machine": machine(), "command": " ".join(sys.argv), "settings": SETTINGS}
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        lines = one_sentence_a_line(arguments, Path(scratch))
        for model in arguments.models:
            bench = Bench(arguments, Path(scratch), lines, model)
            if arguments.rounds and arguments.peer_python:
                record[f"{model} speed"] = bench.speed()
            if arguments.seeds:
                record[f"{model} accuracy"] = bench.accuracy()
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(record, indent=1) + "\n")


def one_sentence_a_line(arguments: argparse.Namespace, scratch: Path) -> Path:
    """The text as parw2v reads it, in lines of at most 1,000 words, for both trainers."""
    path = scratch / "lines.txt"
    line: list[bytes] = []
    with path.open("wb") as file:
        for tokens in read_tokens(arguments.corpus, max_tokens=arguments.max_tokens):
            for token in tokens:
                if token != SENTENCE_END:
                    line.append(token)
                if line and (token == SENTENCE_END or len(line) == 1000):
                    file.write(b" ".join(line) + b"\n")
                    line = []
        file.write(b" ".join(line) + b"\n")
    return path


class Bench:
    """Runs of one objective."""

    def __init__(self, arguments: argparse.Namespace, scratch: Path, lines: Path, model: str) -> None:
        self.arguments, self.scratch, self.lines, self.model = arguments, scratch, lines, model

    def speed(self) -> dict[str, Any]:
        """Interleaved rounds of one epoch."""
        found: dict[str, list[float]] = {}

        def note(name: str, value: float) -> None:
            found.setdefault(name, []).append(value)

        for i in range(self.arguments.rounds):
            for workers in (1, 2):
                ours = self.start_parw2v(f"w{workers}", workers, 1, seed=i)
                note(f"parw2v, {workers} worker(s)", result(ours)["words_per_second"])
                peer = self.start_gensim(f"g{workers}", workers, 1, seed=i)
                note(f"gensim, {workers} worker(s)", result(peer)["words_per_second"])
            pair = [self.start_parw2v(f"side{j}", 1, 1, seed=i) for j in range(2)]
            note("parw2v, two runs side by side", sum(result(run)["words_per_second"] for run in pair))
        median = {name: statistics.median(values) for name, values in found.items()}
        print(f"\n{self.model}: M raw words/s, median of {self.arguments.rounds} (each)")
        for name, values in sorted(found.items()):
            print(f"  {name:32} {median[name] / 1e6:6.3f}   {' '.join(f'{v / 1e6:.3f}' for v in values)}")
        ratios = {
            "one worker / one gensim worker": median["parw2v, 1 worker(s)"] / median["gensim, 1 worker(s)"],
            "two workers / two gensim workers": median["parw2v, 2 worker(s)"] / median["gensim, 2 worker(s)"],
            "two workers / two runs side by side": median["parw2v, 2 worker(s)"]
            / median["parw2v, two runs side by side"],
        }
        for name, ratio in ratios.items():
            print(f"  {name:38} {ratio:.2f}")
        return {"runs": found, "median": median, "ratios": ratios}

    def accuracy(self) -> dict[str, Any]:
        """Several seeds of each trainer after all epochs."""
        starts = {"parw2v": self.start_parw2v}
        if self.arguments.peer_python:
            starts["gensim"] = self.start_gensim
        table: dict[str, list[dict[str, float | None]]] = {name: [] for name in starts}
        for seed in range(1, self.arguments.seeds + 1):
            for name, start in starts.items():
                figures = result(start(f"a{name}", 2, self.arguments.epochs, seed))
                scores = self.evaluate(self.scratch / f"a{name}.npz")
                table[name].append(scores | {"words_per_second": figures["words_per_second"]})
                print(f"{self.model} {name} seed {seed}: {rounded(table[name][-1])}", flush=True)
        for name, rows in table.items():
            mean = {key: statistics.mean(row[key] or 0 for row in rows) for key in rows[0]}
            print(f"{self.model}, {self.arguments.epochs} epochs, mean of {len(rows)} seeds, {name}: {rounded(mean)}")
        return table

    def start_parw2v(self, name: str, workers: int, epochs: int, seed: int) -> Run:
        log = self.scratch / f"{name}.json"
        flags = {**SETTINGS, "model": self.model, "epochs": epochs, "workers": workers, "seed": seed}
        command = [sys.executable, "-m", "parw2v", "train", "--corpus", str(self.lines), "--raw", "--quiet"]
        command += ["--sample_rule", "word2vec", "--out", str(self.scratch / name), "--log_json", str(log)]
        command += [text for flag, value in flags.items() for text in (f"--{flag}", str(value))]
        return Run(subprocess.Popen(command), log)

    def start_gensim(self, name: str, workers: int, epochs: int, seed: int) -> Run:
        settings = SETTINGS | {
            "model": self.model,
            "lr": LR[self.model],
            "workers": workers,
            "epochs": epochs,
            "seed": seed,
        }
        command = [self.arguments.peer_python, str(HERE / "gensim_run.py"), str(self.lines)]
        command += [str(self.scratch / f"{name}.npz"), json.dumps(settings)]
        return Run(subprocess.Popen(command, stdout=subprocess.PIPE, text=True), None)

    def evaluate(self, path: Path) -> dict[str, float | None]:
        with np.load(path, allow_pickle=False) as arrays:
            units, words = normalise(arrays["W_in"]), arrays["words"].tolist()
        scores: dict[str, float | None] = {}
        if self.arguments.analogies:
            report = evaluate_analogies(units, words, read_analogies(self.arguments.analogies))
            for part in report.sums:
                scores[f"analogies {part.name}"] = part.accuracy
        index = {word: i for i, word in enumerate(words)}
        for file in self.arguments.similarity:
            scores[file.stem] = evaluate_similarity(units, index, file.name, read_similarity(file)).spearman
        return scores


class Run:
    """A training under way."""

    def __init__(self, process: subprocess.Popen[Any], log: Path | None) -> None:
        self.process, self.log = process, log


def result(run: Run) -> dict[str, Any]:
    """Wait for a run; returns its last JSON line."""
    output, _ = run.process.communicate()
    if run.process.returncode:
        raise SystemExit(f"{run.process.args} failed")
    text = run.log.read_text() if run.log else output
    record: dict[str, Any] = json.loads(text.splitlines()[-1])
    return record


def rounded(scores: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in scores.items() if value is not None)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    import os
    import platform

    import scipy

    from parw2v.blas import blas_path
    from parw2v.version import __version__

    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "blas": blas_path(),
        "parw2v": __version__,
        "commit": commit,
    }


if __name__ == "__main__":
    main()
