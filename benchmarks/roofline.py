"""What share of a core's peak does training reach, and where does the rest of the time go?

``make roofline CORPUS=FILE [QUICK=1]``. The peak is that of large square products (sgemm) in a worker's environment: one
BLAS thread, the code path that workers use. Useful operations are those of the textbook's loop over pairs: for skip-gram
6 D (1 + K) for each context of each kept word (a score and two gradients, 2 D each), for CBOW 6 D (1 + K) + 2 D c for a kept
word with c contexts. They are divided by the seconds of a real training with one worker.

Where time goes is seen in a second training: every line that its worker runs is timed (`line_timer`), so what is shown is
the kernel's own code on the text's own batches. A third counts the operations of its matrix products.
"""

from __future__ import annotations

import json
import linecache
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from common import Results, argument_parser, figure, group, median, millions, percent, ratio, scratch_directory, table
from figures import OBJECTIVES, draw_roofline
from texts import Text, text_of
from trainers import HERE, Job, Judge, Trainers

from parw2v.blas import worker_environment
from parw2v.corpus import encode_text
from parw2v.sampling import keep_probabilities

QUICK = {"rounds": 1, "max_tokens": 1_000_000}

PEAK = """
import time, numpy as np
best = 0.0
for n in (1000, 2000):
    X, Y, out = np.ones((n, n), np.float32), np.ones((n, n), np.float32), np.empty((n, n), np.float32)
    for _ in range(8):
        start = time.perf_counter()
        np.matmul(X, Y, out=out)
        best = max(best, 2 * n**3 / (time.perf_counter() - start))
print(best)
"""


def main() -> None:
    parser = argument_parser(__doc__.splitlines()[0], quick=QUICK, rounds=3, epochs=[1])
    arguments = parser.parse_args()
    with scratch_directory() as directory:
        scratch = Path(directory)
        text = text_of(arguments, scratch)
        trainers = Trainers(text, scratch, Judge(arguments.analogies, arguments.similarity))
        base = Job("parw2v", dim=arguments.dim, min_count=arguments.min_count, epochs=arguments.epochs[0])
        contexts = contexts_of_a_kept_word(text, scratch, base)
        settings = {
            "text": text.to_dict(),
            "dim": base.dim,
            "min_count": base.min_count,
            "contexts": round(contexts, 3),
        }
        results = Results("roofline", arguments, settings, report, draw_roofline)
        trainers.run(base)  # warm-up
        for seed in range(1, arguments.rounds + 1):
            for model in arguments.models:
                job = Job(**vars(base) | {"model": model, "seed": seed})
                if results.has(kind="plain", **job.settings):
                    continue
                results.add({"kind": "peak", "flops": sgemm_peak(), "model": model, "seed": seed})
                run = trainers.run(job)
                results.add(run | {"kind": "plain", "useful_flops": useful_flops(job, contexts) * run["kept_words"]})
                results.add(hooked(trainers, job, "LINE_TIMES") | {"kind": "timed"})
                if seed == 1:
                    results.add(hooked(trainers, job, "PRODUCT_FLOPS") | {"kind": "counted"})
                print(f"{model}, seed {seed}: {millions(run['words_per_second'])} M words/s", flush=True)
        results.finish()


def sgemm_peak() -> float:
    """Operations a second of one core, best of several large products."""
    command = [sys.executable, "-c", PEAK]
    done = subprocess.run(command, env=worker_environment(), capture_output=True, text=True, check=True)
    return float(done.stdout)


def contexts_of_a_kept_word(text: Text, scratch: Path, job: Job) -> float:
    """The mean over the kept words of a text: windows are cut at the ends of sentences, subsampled words are gone."""
    vocabulary, corpus = encode_text(text.whole, scratch, min_count=job.min_count, raw=True)
    keep = keep_probabilities(vocabulary.counts, job.sample, "word2vec")
    rng = np.random.default_rng(0)
    lengths = np.array([(rng.random(len(ids), dtype=np.float32) < keep[ids]).sum() for ids in corpus.sentences()])
    return float(contexts_in(lengths, job.window).sum() / lengths.sum())


def contexts_in(lengths: np.ndarray, window: int) -> np.ndarray:
    """Expected contexts of all words of sentences of these lengths, reaches drawn uniformly from 1..window."""
    reaches = np.arange(1, window + 1)
    before = np.arange(max(int(lengths.max()), 1))
    one_side = np.minimum(reaches, before[:, None]).mean(axis=1)  # of a word with so many before it
    until = np.concatenate([[0.0], np.cumsum(one_side)])
    return 2 * until[lengths]


def useful_flops(job: Job, contexts: float) -> float:
    """Of a kept word; see the top of this file."""
    pair = 6 * job.dim * (1 + job.neg)
    return contexts * pair if job.model == "skipgram" else pair + 2 * job.dim * contexts


def hooked(trainers: Trainers, job: Job, variable: str) -> dict[str, Any]:
    """A training whose worker is watched by `line_timer`; returns the run with what was seen."""
    path = trainers.scratch / variable.lower()
    path.unlink(missing_ok=True)
    before = trainers.environment
    trainers.environment = before | {"PYTHONPATH": f"{HERE / 'line_timer'}:{HERE.parent}", variable: str(path)}
    run = trainers.run(job)
    trainers.environment = before
    if variable == "PRODUCT_FLOPS":
        return run | {"product_flops": int(np.fromfile(path, np.int64)[0])}
    parts: dict[str, float] = {}
    for file, function, number, seconds in json.loads(path.read_text()):
        part = part_of(Path(file), function, linecache.getline(file, number).strip())
        if part:
            parts[part] = parts.get(part, 0.0) + seconds
    return run | {"parts": parts}


PRODUCT = re.compile(r"matmul\(|dot\(|gemm\(| @ ")
ELEMENTWISE = re.compile(r"np\.(multiply|subtract|add|divide|tanh|exp|negative|minimum|maximum)\(|[*+/-]= ")
SCATTER = re.compile(r"csc_matvecs\(|csr_matvecs\(|add\.at\(|reduceat\(")


def part_of(file: Path, function: str, source: str) -> str | None:
    """Which part of the work a line belongs to; None for what happens once, before training."""
    if not function:
        return "waiting for a block"
    if function == "<module>" or function in ("prepare", "attach") or function[:1].isupper():
        return None
    if file.parent.name == "kernels":
        if "loss" in function:
            return "loss, measured now and then"
        if PRODUCT.search(source):
            source = re.sub(r"\s*#.*|\bself\.", "", source)
            return "product: " + (source if len(source) < 60 else f"{source[:57]}...")
        if SCATTER.search(source):
            return "scatter: add to rows of W"
        if "take(" in source:
            return "gather: copy rows of W"
        if ELEMENTWISE.search(source):
            return "elementwise: from scores to errors"
        return "Python between NumPy's calls"
    if file.name in ("worker.py", "schedule.py"):
        return "Python between NumPy's calls"
    return "block preparation: draw, cut, index"


def report(record: dict[str, Any]) -> str:
    """Two tables: the share of the peak, and where the time goes."""
    runs = record["runs"]
    peak = max((run["flops"] for run in runs if run["kind"] == "peak"), default=None)
    rows, parts = [], []
    for (model,), some in group(runs, "model").items():
        kinds = {kind: found for (kind,), found in group(some, "kind").items()}
        plain = kinds.get("plain", [])
        if not plain or not peak:
            continue
        seconds, useful = median(plain, "train_seconds"), plain[0]["useful_flops"]
        assert seconds
        reached = useful / seconds
        rows.append(
            [OBJECTIVES[model], millions(median(plain, "words_per_second")), figure(useful / plain[0]["kept_words"], 0)]
        )
        rows[-1] += [figure(reached / 1e9, 1), figure(peak / 1e9, 1), figure(100 * reached / peak, 1)]
        parts += breakdown(model, kinds, peak)
    text = record["settings"]["text"]
    lines = [
        "# What share of a core's peak training reaches",
        f"{text['name']}, {text['words']:,} words, one worker, {record['settings']['dim']} dimensions; a kept word has "
        f"{record['settings']['contexts']:.2f} contexts on average. The peak is the best of large single-precision "
        "products in a worker's environment; useful operations are those of the textbook's loop over pairs.",
        *([text["note"]] if "note" in text else []),
        table(
            ["objective", "M raw words/s", "useful operations a kept word", "GFLOP/s", "peak GFLOP/s", "share %"], rows
        ),
        "## Where the time goes",
        table(["objective", "part", "ns a kept word", "share %", "GFLOP/s", "of the peak %"], parts),
        "Timed line by line in a real training, the cost of timing taken off. Operations of the products are all they "
        'compute, also outside of any window. "at the peak" is the time that the useful operations alone would take.',
    ]
    return "\n\n".join(lines)


def breakdown(model: str, kinds: dict[str, list[dict[str, Any]]], peak: float) -> list[list[str]]:
    """Rows of the second table for one objective, largest part first."""
    timed, plain = kinds.get("timed", []), kinds["plain"]
    if not timed:
        return []
    means = part_means(timed)
    kept, total = timed[0]["kept_words"], sum(means.values())

    def row(name: str, seconds: float, share: bool = True, flops: float | None = None) -> list[str]:
        cells = [OBJECTIVES[model], name, figure(1e9 * seconds / kept, 1), percent(seconds / total if share else None)]
        speed = ratio(flops, seconds)
        return [*cells, figure(speed and speed / 1e9, 1), percent(ratio(speed, peak))]

    parts = sorted(means.items(), key=lambda item: -item[1])
    rows = [row(f"`{name}`" if name.startswith("product: ") else name, seconds) for name, seconds in parts]
    products = sum(seconds for name, seconds in parts if name.startswith("product: np.matmul("))
    flops = next((run["product_flops"] for run in kinds.get("counted", [])), None)
    rows.append(row("all products by np.matmul", products, flops=flops))
    rows.append(row("sum of the parts", total))
    untimed = median(plain, "train_seconds") or 0.0
    rows.append(row("a training that is not timed", untimed * kept / plain[0]["kept_words"], share=False))
    useful = plain[0]["useful_flops"] / plain[0]["kept_words"]
    rows.append(row("useful operations at the peak", useful / peak * kept, share=False))
    return rows


def part_means(timed: list[dict[str, Any]]) -> dict[str, float]:
    """Mean seconds of each part over several runs."""
    names = dict.fromkeys(name for run in timed for name in run["parts"])
    return {name: sum(run["parts"].get(name, 0.0) for run in timed) / len(timed) for name in names}


if __name__ == "__main__":
    main()
