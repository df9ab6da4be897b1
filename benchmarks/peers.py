"""How fast and how accurate is parw2v beside gensim and fastText, on the same text, in one run?

``make bench-peers CORPUS=FILE [ANALOGIES=FILE] [SIMILARITY="FILE FILE"] [WORKERS="1 2"] [EPOCHS="1 5"] [QUICK=1]``.

Every round trains all of them with one seed, each in every setting, one after the other; the one that begins changes from
round to round. Ratios are of medians. gensim trains from a file of lines (``corpus_file``, its fastest way), fastText
without subwords; learning rate, subsampling rule (word2vec's) and all other settings are the same. parw2v runs cold (it
reads and encodes the text, as the others do) and warm (it finds the text encoded by an earlier run).
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
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
    mean,
    median,
    millions,
    peer_versions,
    percent,
    ratio,
    scratch_directory,
    table,
    values,
)
from figures import OBJECTIVES, draw_peers
from texts import Text, text_of
from trainers import Job, Judge, Trainers

QUICK = {"rounds": 1, "epochs": [1], "max_tokens": 300_000}
NAMES = {"parw2v": "parw2v", "gensim": "gensim", "fasttext": "fastText"}


def main() -> None:
    parser = argument_parser(__doc__.splitlines()[0], quick=QUICK, rounds=3, epochs=[1, 5])
    parser.add_argument("--peer_python", required=True, help="an interpreter that has gensim and fastText")
    parser.add_argument("--peers", nargs="*", choices=["gensim", "fasttext"], default=["gensim", "fasttext"])
    arguments = parser.parse_args()
    installed = peer_versions(arguments.peer_python)
    peers = [peer for peer in arguments.peers if peer in installed]
    for peer in set(arguments.peers) - set(peers):
        print(f"{NAMES[peer]} is not installed beside {arguments.peer_python}: left out")
    if not peers:
        raise SystemExit("there is nobody to compare with: make bench-peers installs gensim and fastText")
    counts = arguments.workers or sorted({1, cores()})
    judge = Judge(arguments.analogies, arguments.similarity)
    with scratch_directory() as directory:
        text = text_of(arguments, Path(directory))
        trainers = Trainers(text, Path(directory), judge, arguments.peer_python)
        settings = {
            "text": text.to_dict(),
            "given": given(text),
            "dim": arguments.dim,
            "min_count": arguments.min_count,
            "questions": judge.names,
        }
        results = Results("peers", arguments, settings, report, draw_peers, arguments.peer_python)
        base = Job("parw2v", dim=arguments.dim, min_count=arguments.min_count)
        caches = ["cold", "warm"]
        trainers.run(replace(base, cache="warm"))  # warm-up; fills the cache
        subprocess.run([arguments.peer_python, "-c", "\n".join(f"import {peer}" for peer in peers)], check=True)
        for seed in range(1, arguments.rounds + 1):
            order = [
                *(replace(base, cache=cache) for cache in caches),
                *(replace(base, trainer=peer) for peer in peers),
            ]
            order = order[seed % len(order) :] + order[: seed % len(order)]
            for epochs in arguments.epochs:
                for model in arguments.models:
                    for workers in counts:
                        for job in order:
                            job = replace(job, model=model, workers=workers, epochs=epochs, seed=seed)
                            if results.has(**job.settings):
                                continue
                            results.add(trainers.run(job))
                            print(line(results.runs[-1]), flush=True)
        results.finish()


def given(text: Text) -> str:
    """What each trainer reads."""
    if text.lines == text.whole:
        return "All read the same file, its lines of 1,000 words at most."
    return (
        "parw2v and fastText read the text as it is and cut it after 1,000 and 1,024 words; gensim, which needs lines, "
        "reads a copy of it in lines of 1,000 words, made beforehand."
    )


def line(run: Run) -> str:
    """One run for the terminal."""
    what = f"{run['model']}, {counted(run['epochs'], 'epoch')}, {counted(run['workers'], 'worker')}, seed {run['seed']}"
    return (
        f"{what}, {who(run)}: {millions(run['words_per_second'])} M words/s, {run['wall_seconds']:.1f} s in all, "
        f"analogies {percent(run['analogies_total'])} %"
    )


def who(run: Run) -> str:
    """The trainer; parw2v with a warm cache counts as one of its own."""
    return run["trainer"] + (", warm" if run["cache"] == "warm" else "")


def label(name: str) -> str:
    trainer, comma, rest = name.partition(",")
    return NAMES[trainer] + comma + rest


def report(record: dict[str, Any]) -> str:
    """The tables of speed, whole time, memory and accuracy."""
    runs = [run | {"who": who(run)} for run in record["runs"]]
    cells = group(runs, "model", "epochs", "workers")
    trainers = [
        name for name in ("parw2v", "parw2v, warm", "gensim", "fasttext") if any(r["who"] == name for r in runs)
    ]
    text = record["settings"]["text"]
    rounds = len({run["seed"] for run in runs})
    parts = [
        f"# parw2v beside {' and '.join(NAMES[name] for name in trainers if name in ('gensim', 'fasttext'))}",
        f"{text['name']}, {text['words']:,} words. {record['settings']['given']} Figures are medians of "
        f"{counted(rounds, 'round')} (accuracies means), ratios those of medians.",
        *([text["note"]] if "note" in text else []),
        "## Speed of training, million words a second",
        compared(cells, [name for name in trainers if name != "parw2v, warm"], "words_per_second", millions, False),
        "Words of the vocabulary before subsampling, in all epochs, by seconds of training (without reading and saving).",
        "## The whole command, seconds",
        compared(cells, trainers, "wall_seconds", figure, True),
        'From start to exit, reading and saving included. "warm": parw2v finds the text encoded by an earlier run.',
        "## Peak memory, MB",
        compared(cells, trainers, "peak_memory_mb", lambda value: figure(value, 0), True),
        "All processes of the command together, pages that they share counted once, looked at up to 20 times a second.",
        "## Accuracy",
        accuracy(runs, record["settings"]["questions"]),
    ]
    return "\n\n".join(parts)


def compared(cells: dict[Any, list[Run]], trainers: list[str], name: str, show: Any, less_is_better: bool) -> str:
    """A figure of each trainer in each setting, and how many times better parw2v is; figures of cold runs."""
    peers = [trainer for trainer in trainers if trainer in ("gensim", "fasttext")]
    rows = []
    for (model, epochs, workers), runs in cells.items():
        found = {trainer: median([r for r in runs if r["who"] == trainer], name) for trainer in trainers}
        ratios = [
            ratio(found[peer], found.get("parw2v")) if less_is_better else ratio(found.get("parw2v"), found[peer])
            for peer in peers
        ]
        rows.append([OBJECTIVES[model], epochs, workers, *map(show, found.values()), *map(figure, ratios)])
    headings = ["objective", "epochs", "workers", *map(label, trainers)]
    headings += [f"{NAMES[peer]} / parw2v" if less_is_better else f"parw2v / {NAMES[peer]}" for peer in peers]
    return table(headings, rows)


def accuracy(runs: list[Run], questions: dict[str, Any]) -> str:
    """Mean and spread over the seeds; runs with a warm cache are the same trainings again and left out."""
    names = ["analogies_total", "analogies_semantic", "analogies_syntactic"]
    rows = []
    groups = group([run for run in runs if run["cache"] != "warm"], "model", "epochs", "workers", "trainer")
    for (model, epochs, workers, trainer), some in sorted(groups.items(), key=place_in(groups)):
        shown = [f"{percent(mean(some, name))}" for name in names]
        shown.insert(1, spread(values(some, names[0]), 100, 1))
        for name in questions["similarity"]:
            shown += [figure(mean(some, name), 3), spread(values(some, name), 1, 3)]
        rows.append([OBJECTIVES[model], epochs, workers, NAMES[trainer], *shown, len(some)])
    headings = ["objective", "epochs", "workers", "trainer", "analogies %", "from - to", "semantic", "syntactic"]
    headings += [heading for name in questions["similarity"] for heading in (name, "from - to")]
    said = f"Analogies are {questions['analogies']}, by 3CosAdd among the 30,000 most frequent words."
    return table([*headings, "seeds"], rows) + f"\n\n{said}"


def place_in(groups: dict[tuple[Any, ...], list[Run]]) -> Callable[[tuple[tuple[Any, ...], Any]], tuple[int, int]]:
    """Settings as they first occur, trainers always in one order: the one that begins a round is not always the same."""
    settings = list(dict.fromkeys(key[:-1] for key in groups))
    return lambda item: (settings.index(item[0][:-1]), list(NAMES).index(item[0][-1]))


def spread(found: list[float], scale: float, digits: int) -> str:
    return f"{scale * min(found):.{digits}f} - {scale * max(found):.{digits}f}" if found else "-"


if __name__ == "__main__":
    main()
