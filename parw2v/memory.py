"""Memory: what a group of processes holds, and how much more may be had."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_CGROUPS = Path("/sys/fs/cgroup")


def memory_in_use(pids: Iterable[int]) -> int:
    """Bytes held by this process and the given ones, each shared page counted once.

    Linux: the sum of proportional set sizes. Elsewhere: `own_peak_memory`.
    """
    sizes = [_proportional_set_size(pid) for pid in (os.getpid(), *pids)]
    return sum(sizes) if sizes[0] else own_peak_memory()


def own_memory() -> int:
    """Bytes that this process holds now, shared libraries included."""
    held = _table(Path("/proc/self/status")).get("VmRSS")
    return own_peak_memory() if held is None else held * 1024


def own_peak_memory() -> int:
    """The most bytes that this process has held at once so far.

    From the kernel's own mark where there is one: the figure of `getrusage` is inherited from whoever started the process.
    """
    if (highest := _table(Path("/proc/self/status")).get("VmHWM")) is not None:
        return highest * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _proportional_set_size(pid: int) -> int:
    """0 where the process is gone or the system does not tell."""
    return _table(Path(f"/proc/{pid}/smaps_rollup")).get("Pss", 0) * 1024


class Room(NamedTuple):
    """How many more bytes may be had, by one of the limits there are."""

    free: int
    limit: str
    """What sets it, as a noun."""


def memory_rooms() -> Iterator[Room]:
    """What is left for new processes: on the machine, and in each container or control group around this process."""
    machine = _table(Path("/proc/meminfo"))
    if "MemAvailable" in machine:
        yield Room((machine["MemAvailable"] + machine.get("SwapFree", 0)) * 1024, "this machine")
    for directory, names in _control_groups():
        limit, used = (_number(directory / name) for name in names[:2])
        if limit is not None and used is not None:
            given_back_at_need = _table(directory / "memory.stat").get(names[2], 0)
            yield Room(max(limit - used + given_back_at_need, 0), "the container (cgroup)")


def address_room() -> Room | None:
    """What this process may still map under ``ulimit -v`` (RLIMIT_AS); None where there is no such limit."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    used = _table(Path("/proc/self/status")).get("VmSize")
    if limit == resource.RLIM_INFINITY or used is None:
        return None
    return Room(max(limit - used * 1024, 0), "ulimit -v")


def _control_groups() -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """Directories of this process's memory groups, innermost first, with their files' names; of both versions."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            root, names = _CGROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root = _CGROUPS / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = root / path.lstrip("/")
        for directory in (group, *group.parents):
            yield directory, names
            if directory == root:
                break


def _number(path: Path) -> int | None:
    """The number a file holds; None for ``max``, or where there is no file."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _table(path: Path) -> dict[str, int]:
    """Lines of a name and a number, as the kernel writes them; empty where there is no such file."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    rows = (line.replace(":", " ").split() for line in lines)
    return {row[0]: int(row[1]) for row in rows if len(row) >= 2 and row[1].isdigit()}
