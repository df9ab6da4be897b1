"""How fast are phrases found and joined beside gensim, in what memory, and is the text that comes out the same?

``python benchmarks/phrasing.py --corpus FILE --peer_python .venv-peers/bin/python [--workers 1 2] [--rounds 3] [--quick]``

Both read the text, learn its phrases with the settings that are the defaults of both, and write it with the phrases joined,
in one pass and in two. gensim works in one process.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

from common import (
    ROOT,
    Results,
    Run,
    argument_parser,
    cores,
    counted,
    figure,
    group,
    median,
    ratio,
    scratch_directory,
    table,
)
from texts import text_of
from trainers import Watched, watch

QUICK = {"rounds": 1, "max_tokens": 300_000}


def main() -> None:
    parser = argument_parser(__doc__.splitlines()[0], quick=QUICK, rounds=3)
    parser.add_argument("--peer_python", required=True, help="an interpreter that has gensim")
    parser.add_argument("--passes", nargs="+", type=int, default=[1, 2])
    arguments = parser.parse_args()
    with scratch_directory() as name:
        directory = Path(name)
        text = text_of(arguments, directory)
        results = Results("phrases", arguments, {"text": text.to_dict()}, report, peer_python=arguments.peer_python)
        for number in range(1, arguments.rounds + 1):
            for passes in arguments.passes:
                runs = [("gensim", 1), *(("parw2v", n) for n in arguments.workers or sorted({1, cores()}))]
                if number % 2 == 0:
                    runs.reverse()
                for who, workers in runs:
                    key = {"who": who, "workers": workers, "passes": passes, "round": number}
                    if results.has(**key):
                        continue
                    out = directory / f"{who}-{workers}.txt"
                    if who == "gensim":
                        script = ROOT / "benchmarks" / "gensim_phrases.py"
                        command = [arguments.peer_python, str(script), str(text.lines), str(out), str(passes)]
                    else:
                        command = [sys.executable, "-m", "parw2v", "phrases", str(text.whole), "--raw", "--quiet"]
                        command += ["--out", str(out), "--passes", str(passes), "--workers", str(workers)]
                    before = cpu_seconds()
                    [ended] = watch([command])
                    results.add(key | measured(ended) | {"cpu_seconds": round(cpu_seconds() - before, 2)})
                    print(f"{key}: {ended.seconds:.1f} s, {ended.peak_memory / 2**20:.0f} MB", flush=True)
                outs = [directory / f"{who}-{workers}.txt" for who, workers in runs]
                if all(out.exists() for out in outs):
                    same = len({out.read_bytes() for out in outs}) == 1
                    for run in results.runs:
                        if (run["passes"], run["round"]) == (passes, number):
                            run["same_text"] = same
                for out in outs:
                    out.unlink(missing_ok=True)
        results.finish()


def cpu_seconds() -> float:
    """Of all commands that have ended, with their workers: it depends less than wall time on what else runs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measured(ended: Watched) -> Run:
    if ended.status:
        raise SystemExit(f"{' '.join(ended.command)}: {ended.output[-1000:]}")
    return {"wall_seconds": round(ended.seconds, 2), "peak_memory_mb": round(ended.peak_memory / 2**20, 1)}


def report(record: dict[str, Any]) -> str:
    """A table of whole commands."""
    cells = group(record["runs"], "passes", "who", "workers")
    rows = []
    for (passes, who, workers), runs in cells.items():
        seconds = median(runs, "wall_seconds")
        theirs = median(cells.get((passes, "gensim", 1), []), "wall_seconds")
        same = {run.get("same_text") for run in runs}
        rows.append(
            [
                counted(passes, "pass").replace("passs", "passes"),
                who,
                counted(workers, "process").replace("processs", "processes"),
                figure(seconds, 1),
                figure(median(runs, "cpu_seconds"), 1),
                figure(median(runs, "peak_memory_mb"), 0),
                "" if who == "gensim" else figure(ratio(theirs, seconds), 1),
                {True: "yes", False: "no"}.get(same.pop(), "-") if len(same) == 1 else "not always",
            ]
        )
    text = record["settings"]["text"]
    rounds = len({run["round"] for run in record["runs"]})
    parts = [
        "# Phrases beside gensim",
        f"{text['name']}, {text['words']:,} words; medians of {counted(rounds, 'round')}. min_count 5, threshold 10.",
        table(["", "", "", "seconds", "of CPU", "peak memory, MB", "times as fast", "same text"], rows),
        "From start to exit: read, learn, write the text joined. Memory is that of all processes, shared pages once.",
        *([text["note"]] if "note" in text else []),
    ]
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
