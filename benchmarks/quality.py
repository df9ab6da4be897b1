"""How accurate are the vectors under other settings, over several seeds, and does any setting diverge?

``make bench-quality CORPUS=FILE [ANALOGIES=FILE] [SIMILARITY="FILE FILE"] [GRID="dim=50,200 lr=0.05+sample=1e-4"]
[QUICK=1]``. A word of the grid is tried by itself, all else at its default: values after commas one by one, settings joined
by + together. Runs with vectors longer than 100, or not finite, are called diverged and left out of the means.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from common import (
    Results,
    Run,
    argument_parser,
    cores,
    counted,
    figure,
    group,
    median,
    millions,
    percent,
    scratch_directory,
    table,
    values,
)
from figures import OBJECTIVES, draw_quality
from texts import text_of
from trainers import DIVERGED_NORM, Job, Judge, Trainers

GRID = ["dim=50,200,300", "window=10", "neg=10", "sample=1e-4,1e-5", "lr=0.025,0.05"]
KINDS = {"dim": int, "window": int, "neg": int, "min_count": int, "sample": float, "lr": float}
"""What may stand in a grid, and what it is."""

QUICK = {"rounds": 1, "epochs": [1], "max_tokens": 500_000, "grid": ["dim=50", "sample=1e-4", "lr=0.05"]}


def main() -> None:
    parser = argument_parser(__doc__.splitlines()[0], quick=QUICK, rounds=3, epochs=[1, 5], grid=GRID)
    parser.add_argument("--grid", nargs="*", type=parsed_word, help="settings beside the default ones")
    parser.add_argument("--peer_python", help="an interpreter that has gensim, to train it beside")
    arguments = parser.parse_args()
    grid = [parsed_word(word) if isinstance(word, str) else word for word in arguments.grid]
    workers = (arguments.workers or [cores()])[0]
    judge = Judge(arguments.analogies, arguments.similarity)
    names = ["parw2v", *(["gensim"] if arguments.peer_python else [])]
    with scratch_directory() as directory:
        text = text_of(arguments, Path(directory))
        trainers = Trainers(text, Path(directory), judge, arguments.peer_python)
        settings = {"text": text.to_dict(), "questions": judge.names}
        results = Results("quality", arguments, settings, report, draw_quality, arguments.peer_python)
        base = Job("parw2v", workers=workers, dim=arguments.dim, min_count=arguments.min_count, cache="warm")
        for seed in range(1, arguments.rounds + 1):
            for model, epochs in itertools.product(arguments.models, arguments.epochs):
                here = replace(base, model=model, epochs=epochs, seed=seed)
                for (setting, job), name in itertools.product(variants(here, grid).items(), names):
                    job = replace(job, trainer=name)
                    if results.has(**job.settings):
                        continue
                    results.add({"setting": setting} | trainers.run(job))
                    print(line(results.runs[-1]), flush=True)
        results.finish()


def parsed_word(word: str) -> list[dict[str, Any]]:
    """The settings that a word of a grid stands for: ``dim=50,200`` for two, ``dim=300+lr=0.05`` for one of both."""
    parts = []
    for part in word.split("+"):
        name, equals, given = part.partition("=")
        if name not in KINDS or not equals:
            raise argparse.ArgumentTypeError(f"{part!r} is not one of {', '.join(KINDS)} with =VALUE[,VALUE...]")
        try:
            parts.append([(name, KINDS[name](value)) for value in given.split(",")])
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{part!r}: {error}") from error
    return [dict(chosen) for chosen in itertools.product(*parts)]


def variants(base: Job, grid: list[list[dict[str, Any]]]) -> dict[str, Job]:
    """Jobs by what is different in them; those that come to the same settings occur once."""
    jobs = {"default": base}
    for changes in itertools.chain.from_iterable(grid):
        job = replace(base, **changes)
        if all(job.settings != other.settings for other in jobs.values()):
            jobs[", ".join(f"{name} {value:g}" for name, value in changes.items())] = job
    return jobs


def line(run: Run) -> str:
    """One run for the terminal."""
    what = f"{run['model']}, {counted(run['epochs'], 'epoch')}, {run['setting']}, seed {run['seed']}, {run['trainer']}"
    if run["diverged"]:
        return f"{what}: DIVERGED"
    return f"{what}: analogies {percent(run['analogies_total'])} %, {millions(run['words_per_second'])} M words/s"


def report(record: dict[str, Any]) -> str:
    """The table: a row for each setting, means and standard deviations over seeds."""
    scores = ["analogies_semantic", "analogies_syntactic"]
    similarity = record["settings"]["questions"]["similarity"]
    several = len({run["trainer"] for run in record["runs"]}) > 1
    rows = []
    for (model, epochs, setting, trainer), runs in group(
        record["runs"], "model", "epochs", "setting", "trainer"
    ).items():
        sound = [run for run in runs if not run["diverged"]]
        rows.append(
            [
                OBJECTIVES[model],
                epochs,
                setting,
                *([trainer] if several else []),
                with_deviation(values(sound, "analogies_total"), 100, 1),
                *(percent(statistics.mean(found) if (found := values(sound, name)) else None) for name in scores),
                *(with_deviation(values(sound, name), 1, 3) for name in similarity),
                millions(median(sound, "words_per_second")),
                figure(max(values(runs, "longest"), default=None), 1),
                f"{len(runs) - len(sound)} of {len(runs)}" if len(sound) < len(runs) else "none",
            ]
        )
    headings = [
        "objective",
        "epochs",
        "setting",
        *(["trainer"] if several else []),
        "analogies %",
        "semantic",
        "syntactic",
    ]
    headings += [*similarity, "M words/s", "longest vector", "diverged"]
    text = record["settings"]["text"]
    first = next(iter(record["runs"]), {})
    shown = ", ".join(
        f"{field.name} {first[field.name]:g}"
        for field in fields(Job)
        if field.name in ("dim", "window", "neg", "sample", "min_count") and first
    )
    seeds = len({run["seed"] for run in record["runs"]})
    title = (
        f"# Accuracy by settings\n\n{text['name']}, {text['words']:,} words; {counted(first.get('workers', 0), 'worker')}; "
        f"{counted(seeds, 'seed')}, means and standard deviations. Default: {shown}, lr 0.025 for skip-gram and 0.05 for "
        f"CBOW. Analogies are {record['settings']['questions']['analogies']}. Diverged: a vector longer than "
        f"{DIVERGED_NORM}, or not finite."
    )
    return "\n\n".join([title, *([text["note"]] if "note" in text else []), table(headings, rows)])


def with_deviation(found: list[float], scale: float, digits: int) -> str:
    if not found:
        return "-"
    middle = f"{scale * statistics.mean(found):.{digits}f}"
    return middle if len(found) == 1 else f"{middle} ± {scale * statistics.stdev(found):.{digits}f}"


if __name__ == "__main__":
    main()
