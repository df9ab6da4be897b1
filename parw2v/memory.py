"""Memory in use by a group of processes."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterable
from pathlib import Path


def memory_in_use(pids: Iterable[int]) -> int:
    """Bytes held by this process and the given ones, each shared page counted once.

    Linux: the sum of proportional set sizes. Elsewhere: `own_peak_memory`.
    """
    sizes = [_proportional_set_size(pid) for pid in (os.getpid(), *pids)]
    return sum(sizes) if sizes[0] else own_peak_memory()


def own_peak_memory() -> int:
    """The most bytes that this process has held at once so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _proportional_set_size(pid: int) -> int:
    """0 where the process is gone or the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
