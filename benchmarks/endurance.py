"""Does anything grow while a run goes on for long and its workers are killed one after the other?

One run with no end in sight, of which a worker is killed by SIGKILL every so many seconds; it is stopped by Ctrl-C after
so many minutes, and has to exit with 130. Meanwhile its memory (proportional set sizes), open descriptors, processes,
threads and segments of shared memory are counted every few seconds. ``make endurance MINUTES=30``.

Fails (exit 1) where the end is above the start: processes, threads, descriptors and segments have to be the same number,
memory may be ``--slack`` larger. What counts is the median of the first and of the last tenth of the samples, of five at
least; the very first minute is left out, in which matrices and caches fill, and the file of a checkpoint that is just
being written is no descriptor.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common import Results, Run, argument_parser, figure, scratch_directory, table

COUNTS = ("processes", "threads", "descriptors", "segments")
MEMORY = ("coordinator_mb", "workers_mb")
SHOWN = {
    "coordinator_mb": "memory of the coordinator, MB",
    "workers_mb": "memory of the workers, MB",
    "descriptors": "open descriptors of the coordinator",
    "threads": "threads of the coordinator",
    "processes": "processes below it",
    "segments": "segments of shared memory",
}


def main() -> int:
    parser = argument_parser("Does anything grow while workers are killed for long?", quick={})
    quick = "--quick" in sys.argv
    parser.add_argument("--minutes", type=float, default=0.7 if quick else 30.0, help="how long the run is")
    parser.add_argument("--every", type=float, default=4.0 if quick else 20.0, help="seconds between two kills")
    parser.add_argument("--sample_every", type=float, default=5.0, help="seconds between two samples")
    parser.add_argument(
        "--settle", type=float, default=8.0 if quick else 60.0, help="seconds at the start that do not count"
    )
    parser.add_argument("--slack", type=float, default=0.05, help="share by which memory may differ")
    arguments = parser.parse_args()
    words = {"workers": (arguments.workers or [2])[0], "model": arguments.models[0]}
    settings = {
        name: getattr(arguments, name) for name in ("minutes", "every", "sample_every", "settle", "slack", "dim")
    }
    results = Results("endurance", arguments, settings | words, report, draw)
    with scratch_directory() as scratch:
        results.add(endure(arguments, Path(scratch), **words))
    results.finish()
    grown = results.runs[0]["grown"]
    if grown:
        print(f"grown: {', '.join(grown)}", file=sys.stderr)
    return 1 if grown else 0


# ------------------------------------------------------------------------------------------------ the run


def endure(arguments: Any, scratch: Path, workers: int, model: str) -> Run:
    """One long run, and all that was seen of it."""
    log = scratch / "log.jsonl"
    flags = ["--corpus", arguments.corpus or "sample", "--min_count", str(arguments.min_count), "--model", model]
    flags += [
        "--dim",
        str(arguments.dim),
        "--workers",
        str(workers),
        "--epochs",
        "10000000",
        "--max_restarts",
        "100000",
    ]
    flags += [
        "--checkpoint_every",
        "30",
        "--log_every",
        "10000",
        "--log_json",
        str(log),
        "--out",
        str(scratch / "model"),
        "--quiet",
    ]
    rng, started = random.Random(1), time.monotonic()
    samples: list[dict[str, float]] = []
    kills: list[float] = []
    process = subprocess.Popen([sys.executable, "-m", "parw2v", *flags], stderr=subprocess.PIPE, process_group=0)
    try:
        while not records(log, "progress"):
            time.sleep(0.1)
        started = time.monotonic()
        next_kill, whole_from = started + arguments.every, started
        while (now := time.monotonic()) < started + arguments.minutes * 60:
            if process.poll() is not None:
                raise SystemExit(f"the run ended by itself: {process.communicate()[1].decode()}")
            if now >= next_kill and (victims := workers_of(process.pid)):
                os.kill(rng.choice(victims), signal.SIGKILL)
                kills.append(now - started)
                next_kill, whole_from = next_kill + arguments.every, now + min(1.5, arguments.every / 2)
            elif now >= whole_from:  # not while a replacement starts, which has more threads and less memory
                samples.append({"seconds": now - started, **sample(process.pid)})
            time.sleep(arguments.sample_every)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    replaced, progress = records(log, "worker_replaced"), records(log, "progress")
    assert process.returncode == 130, (process.returncode, said)
    assert len(replaced) == len(kills), (len(replaced), len(kills))
    run: Run = {
        "seconds": time.monotonic() - started,
        "exit": process.returncode,
        "kills": len(kills),
        "replaced": len(replaced),
        "words": progress[-1]["words"],
        "checkpoints": len(records(log, "checkpoint")),
        "left": sorted(path.name for path in scratch.iterdir() if path.name not in (log.name, "model-checkpoints")),
        "samples": samples,
        "kills_at": kills,
    }
    counted = [one for one in samples if one["seconds"] >= arguments.settle]
    run["summary"] = {name: summary(counted, name) for name in SHOWN}
    run["grown"] = [name for name in COUNTS if run["summary"][name]["end"] > run["summary"][name]["start"]]
    run["grown"] += [
        name for name in MEMORY if run["summary"][name]["end"] > run["summary"][name]["start"] * (1 + arguments.slack)
    ]
    return run


def records(log: Path, event: str) -> list[dict[str, Any]]:
    """Whole lines of a kind."""
    if not log.exists():
        return []
    lines = log.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith(f'{{"event": "{event}"') and line.endswith("\n")]


def sample(pid: int) -> dict[str, float]:
    """What a coordinator and its workers hold at this moment."""
    below = children(pid)
    workers = [child for child in below if child in workers_of(pid)]
    return {
        "coordinator_mb": proportional(pid),
        "workers_mb": sum(map(proportional, workers)),
        "descriptors": len(open_files(pid)),
        "threads": len(os.listdir(f"/proc/{pid}/task")),
        "processes": len(below),
        "segments": len(list(Path("/dev/shm").glob(f"parw2v_{pid}_*"))),
    }


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def open_files(pid: int) -> list[str]:
    """What stays open: not the file of a checkpoint that is being written, nor what is closed between two looks."""
    found = []
    for number in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(os.readlink(number))
    return [name for name in found if not name.endswith((".tmp", ".tmp (deleted)"))]


def workers_of(pid: int) -> list[int]:
    return [child for child in children(pid) if b"parw2v.pool" in _read(f"/proc/{child}/cmdline")]


def proportional(pid: int) -> float:
    """Megabytes, shared pages divided among those that share them."""
    lines = _read(f"/proc/{pid}/smaps_rollup").decode().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:  # it has just ended
        return b""


def summary(samples: list[dict[str, float]], name: str) -> dict[str, float]:
    """Medians of the first, middle and last tenth, of five samples at least; an hour's rise of the line of least squares."""
    n = min(max(len(samples) // 10, 5), len(samples))
    middle = (len(samples) - n) // 2
    tenths = {"start": samples[:n], "middle": samples[middle : middle + n], "end": samples[-n:]}
    found = {part: statistics.median(one[name] for one in some) for part, some in tenths.items()}
    hours = [one["seconds"] / 3600 for one in samples]
    return found | {"slope": statistics.linear_regression(hours, [one[name] for one in samples]).slope}


# ------------------------------------------------------------------------------------------------ the report


def report(record: dict[str, Any]) -> str:
    run, settings = record["runs"][0], record["settings"]
    rows = [
        (SHOWN[name], *(figure(found[part], 0 if name in COUNTS else 1) for part in ("start", "middle", "end")),
         figure(found["slope"]))
        for name, found in run["summary"].items()
    ]  # fmt: skip
    lines = [
        f"{run['seconds'] / 60:.1f} minutes, {settings['workers']} workers, one of them killed every "
        f"{settings['every']:g} s: {run['kills']} kills, {run['replaced']} replaced, {run['words']:,} words trained, "
        f"{run['checkpoints']} checkpoints; stopped by Ctrl-C, exit {run['exit']}. "
        f"{len(run['samples'])} samples; grown: {', '.join(run['grown']) or 'nothing'}.",
        "",
        table(("", "start", "middle", "end", "slope an hour"), rows),
        "",
        "Medians of a tenth of the samples each; the slope is that of the line of least squares through all of them.",
    ]
    return "\n".join(lines)


def draw(record: dict[str, Any]) -> Any:
    from figures import BLUE, GREEN, ORANGE, blank, plain

    run, settings = record["runs"][0], record["settings"]
    minutes = [one["seconds"] / 60 for one in run["samples"]]
    picture = blank(
        10, 6.2, f"{run['kills']} workers killed in {run['seconds'] / 60:.0f} minutes",
        f"one run with {settings['workers']} workers; each tick at the top is a SIGKILL",
    )  # fmt: skip
    above, below = picture.subplots(2, 1, sharex=True)
    for name, colour in (("coordinator_mb", BLUE), ("workers_mb", ORANGE)):
        above.plot(minutes, [one[name] for one in run["samples"]], color=colour, lw=1.2, label=SHOWN[name][:-4])
    plain(above, "memory, MB (shared pages divided among those that share them)")
    above.set_ylim(0, 1.35 * max(one[name] for one in run["samples"] for name in MEMORY))
    marks = [second / 60 for second in run["kills_at"]]
    above.plot(marks, [0.985] * len(marks), "|", color="#8a929e", ms=6, transform=above.get_xaxis_transform())
    for name, colour in zip(COUNTS, (GREEN, ORANGE, BLUE, "#8a929e"), strict=True):
        below.step(
            minutes, [one[name] for one in run["samples"]], color=colour, lw=1.2, where="post", label=SHOWN[name]
        )
    plain(below, "counts")
    below.set(ylim=(0, None), xlim=(0, None), xlabel="minutes")
    below.set_ylim(0, 1.5 * max(one[name] for one in run["samples"] for name in COUNTS))
    for axes in (above, below):
        axes.legend(loc="upper right", ncols=2, fontsize=8.5, edgecolor="none", framealpha=0.9)
    return picture


if __name__ == "__main__":
    sys.exit(main())
