"""Properties of hostile files: ``hostile_run.py EXAMPLES [KIND ...]``; negative for examples that are new each time.

Each kind has a process of its own under a limit of memory: what others left behind does not count. Writes a JSON line for
each to standard output; what failed is left in the directory PARW2V_FOUND, if that is given.
"""

import json
import multiprocessing
import os
import resource
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from hostile_kinds import KINDS, Reader
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mutations import mutate

SPARE = 512 << 20
"""Bytes of address space that may be taken beside what the process has when it starts to read."""


def limit_memory():
    """From here on a request for more fails with MemoryError, as it would on a small machine."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + SPARE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def check_kind(name, examples, fixed):
    """What came of a kind, ready for JSON; always the same if `fixed`."""
    outcomes, failed, started = Counter(), [], time.perf_counter()
    with Reader(name) as reader:
        for data in reader.good:
            outcomes[reader.judge(data)] += 1
        assert set(outcomes) == {"read"}, f"a good {name} is refused"

        @settings(
            max_examples=examples,
            derandomize=fixed,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
            report_multiple_bugs=False,
        )
        @given(st.sampled_from(reader.good), st.randoms(use_true_random=False))
        def is_sound(data, rng):
            spoilt = mutate(rng, data, reader.kind.layer)
            try:
                outcomes[reader.judge(spoilt)] += 1
            except BaseException:
                failed[:] = [spoilt]  # the last one is the smallest
                raise

        failure = None
        try:
            is_sound()
        except BaseException as error:
            error.__notes__ = []  # hypothesis would show all the bytes, and its own choices
            failure = "".join(traceback.format_exception(error, limit=-6))
            if directory := os.environ.get("PARW2V_FOUND"):
                Path(directory, f"{name}-{reader.kind.file}").write_bytes(failed[0])
    record = {"kind": name, **outcomes, "peak": reader.peak, "seconds": round(time.perf_counter() - started, 1)}
    return record | {"failure": failure, "data": failed[0][:2000].decode("latin-1") if failed else None}


def report(name, examples):
    limit_memory()
    print(json.dumps(check_kind(name, abs(examples), fixed=examples > 0)), flush=True)


def main(examples, *names):
    fork = multiprocessing.get_context("fork")  # nothing here has threads, and nothing is imported again
    for name in names or KINDS:
        process = fork.Process(target=report, args=(name, int(examples)))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(f"{name}: the process ended with {process.exitcode}")


if __name__ == "__main__":
    main(*sys.argv[1:])
