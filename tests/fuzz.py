"""Coverage-guided fuzzing of every reader: ``make fuzz``, ``make fuzz SECONDS=600 KIND="model counts"``.

Each kind of file (`hostile_kinds`) is fuzzed in a process of its own by atheris, which keeps what reaches new code and
spoils it further, by itself and by `mutations`. Prints a table; a file that a reader fails on is saved, with the command
that repeats it. Status 0 if there was none.
"""

import argparse
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

INSTRUMENTED = ["parw2v", "zipfile", "tomllib"]
LEAKING = ["parw2v.corpus"]
"""Compares whole arrays; atheris does not give back the results of those it watches, up to 60 MB a second."""
MEMORY_MB = 1500
PROCESS_SECONDS = 20
"""A process lasts so long; what others compare is not given back either, but is small."""
FAILED, NO_ATHERIS = 1, 2


def main():
    parser = argparse.ArgumentParser(description="fuzz the readers of all kinds of file, or of some")
    parser.add_argument("kinds", nargs="*", metavar="KIND")
    parser.add_argument("--seconds", type=int, help="for each kind (default: 60 for all of them together)")
    parser.add_argument("--found", type=Path, default=Path("results/fuzz"), help="where files go that fail")
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="read this file as the kind given, once")
    arguments = parser.parse_args()
    from hostile_kinds import KINDS

    if unknown := set(arguments.kinds) - set(KINDS):
        parser.error(f"no such kind: {', '.join(sorted(unknown))}; there are {', '.join(map(repr, KINDS))}")
    kinds = arguments.kinds or list(KINDS)
    if arguments.repeat:
        return _repeat(kinds[0], arguments.repeat)
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("fuzzing needs atheris, which has no package for this Python: pip install atheris; or make test-faults")
        return NO_ATHERIS
    seconds = arguments.seconds or max(1, 60 // len(kinds))
    arguments.found.mkdir(parents=True, exist_ok=True)
    print(f"{'kind':20}{'executions':>12}{'code seen':>11}{'kept':>7}  result")
    results = [_fuzz(name, seconds, arguments.found.resolve()) for name in kinds]
    return FAILED if any(results) else 0


def _repeat(name, file):
    from hostile_kinds import Reader

    with Reader(name) as reader:
        print(f"{file}: {reader.judge(file.read_bytes())}")
    return 0


def _fuzz(name, seconds, found):
    """Fuzz a kind and print its line; returns whether anything was found."""
    with tempfile.TemporaryDirectory(prefix="parw2v-fuzz-") as directory:
        seeds, scratch = Path(directory, "seeds"), Path(directory, "scratch")
        seeds.mkdir()
        scratch.mkdir()
        before = set(found.iterdir())
        environment = os.environ | {"PARW2V_FUZZ": name, "TMPDIR": str(scratch), "OPENBLAS_NUM_THREADS": "1"}
        executions, new = 0, []
        while seconds > 0 and not new:  # one process after the other goes on with what was kept
            flags = [
                f"-max_total_time={min(seconds, PROCESS_SECONDS)}",
                f"-artifact_prefix={found}/{name}-",
                f"-rss_limit_mb={MEMORY_MB}",
                "-timeout=30",
                "-max_len=200000",
                "-len_control=0",
                "-print_final_stats=1",
            ]
            command = [sys.executable, __file__, "--child", str(seeds), *flags]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
            executions += _last(r"number_of_executed_units: (\d+)", done.stderr) or _last(r"^#(\d+)", done.stderr)
            seconds -= PROCESS_SECONDS
            new = sorted(set(found.iterdir()) - before)
            if done.returncode:
                break
        code, kept = (_last(rf"{word}: (\d+)", done.stderr) for word in ("cov", "corp"))
        print(f"{name:20}{executions:12,}{code:11,}{kept:7,}", end="  ")
        if done.returncode == 0 and not new:
            print("nothing found", flush=True)
            return False
        reason = re.findall(r"^\s*((?:\w+\.)*\w*(?:Error|Failure|Exit)\b.*)", done.stderr, re.MULTILINE)
        print(f"FAILED: {(reason or [f'status {done.returncode}'])[-1][:200]}")
        for file in new:
            print(f"  to repeat: {sys.executable} tests/fuzz.py '{name}' --repeat {file}", flush=True)
        if not new:
            print("\n".join(done.stderr.splitlines()[-20:]), flush=True)
        return True


def _last(pattern, text):
    found = re.findall(pattern, text, re.MULTILINE)
    return int(found[-1]) if found else 0


def child(seeds, *flags):
    """Fuzz in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["zipfile", "tomllib"]):
        import zipfile  # noqa: F401
    import scipy.sparse
    import scipy.stats  # noqa: F401  # before the next, which would look at each of its modules

    with atheris.instrument_imports(include=INSTRUMENTED, exclude=LEAKING):
        from hostile_kinds import Reader
        from mutations import mutate

    reader = Reader(os.environ["PARW2V_FUZZ"], trace=False).__enter__()  # its directory goes with TMPDIR
    for number, data in enumerate(reader.good):
        Path(seeds, f"good-{number}").write_bytes(data)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MB << 20, resource.getrlimit(resource.RLIMIT_AS)[1]))

    def one(data):
        try:
            reader.judge(data)
        except BaseException:
            traceback.print_exc()
            raise

    def spoil(data, max_size, seed):
        rng = random.Random(seed)
        if rng.randrange(3) == 0:
            return atheris.Mutate(data, max_size)
        return mutate(rng, data, reader.kind.layer)[:max_size]

    atheris.Setup([sys.argv[0], *flags, seeds], one, custom_mutator=spoil)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        sys.exit(main())
