"""What do more workers bring: how fast are 1 to N of them, beside as many runs of one worker, and how accurate?

``make bench-scaling CORPUS=FILE [WORKERS="1 2 4"] [QUICK=1]``. The independent runs, side by side, are what the cores can
give; what is missing to them is what sharing costs. Rounds are interleaved: each has every number of workers once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from common import (
    Results,
    argument_parser,
    cores,
    counted,
    figure,
    group,
    mean,
    median,
    millions,
    percent,
    ratio,
    scratch_directory,
    table,
)
from figures import OBJECTIVES, draw_scaling
from texts import text_of
from trainers import Job, Judge, Trainers

QUICK = {"rounds": 1, "epochs": [1], "max_tokens": 1_000_000}


def main() -> None:
    parser = argument_parser(__doc__.splitlines()[0], quick=QUICK, rounds=3, epochs=[5])
    arguments = parser.parse_args()
    counts = arguments.workers or list(range(1, cores() + 1))
    judge = Judge(arguments.analogies, arguments.similarity)
    with scratch_directory() as directory:
        text = text_of(arguments, Path(directory))
        trainers = Trainers(text, Path(directory), judge)
        settings = {
            "text": text.to_dict(),
            "dim": arguments.dim,
            "min_count": arguments.min_count,
            "questions": judge.names,
        }
        results = Results("scaling", arguments, settings, report, draw_scaling)
        trainers.run(Job("parw2v", min_count=arguments.min_count))  # warm-up
        for seed in range(1, arguments.rounds + 1):
            for model in arguments.models:
                for epochs in arguments.epochs:
                    for n in counts:
                        key = {"model": model, "epochs": epochs, "seed": seed}
                        job = Job("parw2v", **key, workers=n, dim=arguments.dim, min_count=arguments.min_count)
                        if not results.has(**key, workers=n, kind="together"):
                            results.add(trainers.run(job, sample_memory=False) | {"kind": "together"})
                            say(results.runs[-1])
                        if n > 1 and not results.has(**key, copies=n):
                            results.add(trainers.side_by_side(replace(job, workers=1), n) | {"kind": "apart"})
                            say(results.runs[-1])
        results.finish()


def say(run: dict[str, Any]) -> None:
    what = counted(run["workers"], "worker") if run["kind"] == "together" else f"{run['copies']} runs side by side"
    speed = millions(run.get("words_per_second"))
    print(
        f"{run['model']}, {counted(run['epochs'], 'epoch')}, seed {run['seed']}, {what}: {speed} M words/s", flush=True
    )


def report(record: dict[str, Any]) -> str:
    """The table and what it says."""
    runs, scores = record["runs"], [*record["settings"]["questions"]["similarity"]]
    rows = []
    for (model, epochs), some in group(runs, "model", "epochs").items():
        together = group([run for run in some if run["kind"] == "together"], "workers")
        apart = group([run for run in some if run["kind"] == "apart"], "copies")
        one = median(together.get((1,), []), "words_per_second")
        for (n,), found in sorted(together.items()):
            ours = median(found, "words_per_second")
            cores_give = one if n == 1 else median(apart.get((n,), []), "words_per_second")
            rows.append(
                [
                    OBJECTIVES[model],
                    epochs,
                    n,
                    millions(ours),
                    figure(ratio(ours, one)),
                    millions(cores_give),
                    figure(ratio(ours, cores_give)),
                    percent(mean(found, "analogies_total")),
                    *(figure(mean(found, name), 3) for name in scores),
                    figure(median(found, "reported_memory_mb"), 0),
                ]
            )
    headings = ["objective", "epochs", "workers", "M words/s", "of one worker", "as many runs side by side", "share"]
    headings += ["analogies %", *scores, "memory MB"]
    rounds = len({run["seed"] for run in runs})
    title = (
        f"# What more workers bring\n\n{record['settings']['text']['name']}, {record['settings']['text']['words']:,} words. "
        f"Speeds are medians of {counted(rounds, 'round')}, ratios those of medians, accuracies means; analogies are "
        f'{record["settings"]["questions"]["analogies"]}. "share" is what one run with n workers reaches of n runs of one '
        "worker side by side."
    )
    note = record["settings"]["text"].get("note")
    return "\n\n".join([title, *([note] if note else []), table(headings, rows)])


if __name__ == "__main__":
    main()
