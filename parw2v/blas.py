"""The environment a worker's NumPy is started with: one BLAS thread, and the fastest code path for this CPU.

Both must be in the environment before NumPy is imported, so they are chosen here and given to new processes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

_THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")

KEEP_FREED_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 25), "MALLOC_TRIM_THRESHOLD_": str(1 << 29)}
"""Has glibc keep the memory of a block's arrays for the next block instead of giving it back to the system, which would
hand it out again page by page, each set to zero (measured: 7 % of the speed). Other C libraries take no notice."""

_MEASURE = """
import time, numpy as np
X = np.ones((16, 16, 100), np.float32); Y = np.ones((16, 42, 100), np.float32)
best = 1e9
for _ in range(20):
    start = time.perf_counter()
    for _ in range(50):
        np.matmul(np.matmul(X, Y.transpose(0, 2, 1)), Y)
    best = min(best, time.perf_counter() - start)
print(best)
"""


def worker_environment() -> dict[str, str]:
    """The environment for a worker process: this one's, with BLAS pinned to one thread and its code path chosen."""
    environment = dict(KEEP_FREED_MEMORY) | os.environ | dict.fromkeys(_THREAD_VARIABLES, "1")
    if core_type := faster_core_type():
        environment["OPENBLAS_CORETYPE"] = core_type
    return environment


@cache
def faster_core_type() -> str | None:
    """Name an OpenBLAS code path that beats the one OpenBLAS would take by itself, if there is one.

    OpenBLAS goes by CPU model and falls back to an AVX2 path on models newer than its table, at half the speed of its
    AVX-512 path. Only where the CPU has AVX-512 and OpenBLAS does not use it is anything measured (half a second, once),
    each candidate in a process of its own. A choice made by the user in the environment stands.
    """
    if "OPENBLAS_CORETYPE" in os.environ or blas_path() not in ("Haswell", "Zen", "Sandybridge", "Nehalem", "Prescott"):
        return None
    if not {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= _cpu_flags():
        return None
    return "SkylakeX" if _seconds("SkylakeX") < 0.9 * _seconds(None) else None


def blas_path() -> str | None:
    """The code path of the OpenBLAS that NumPy loaded, None for another BLAS."""
    from threadpoolctl import threadpool_info

    paths = [info.get("architecture") for info in threadpool_info() if info.get("internal_api") == "openblas"]
    return str(paths[0]) if paths else None


def _cpu_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), set())


def _seconds(core_type: str | None) -> float:
    """Best time of some small products under a code path; infinite where it cannot run."""
    environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, "1")
    if core_type:
        environment["OPENBLAS_CORETYPE"] = core_type
    try:
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE], env=environment, capture_output=True, text=True, timeout=30, check=True
        )
        return float(done.stdout)
    except (subprocess.SubprocessError, ValueError):
        return float("inf")
