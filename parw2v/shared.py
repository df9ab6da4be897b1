"""Arrays in shared memory: one process owns them, the others attach.

The owner creates a named segment for each array and unlinks it when it is done. If the owner is killed, the resource
tracker that Python starts beside it unlinks them; if both are, the next run sweeps what they left, which it recognises by
the owner's process number in the name.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from parw2v.errors import SharedMemoryError
from parw2v.files import process_lives

_PREFIX = "parw2v_"
_SHM = Path("/dev/shm")

ArraySpecs: TypeAlias = dict[str, tuple[tuple[int, ...], npt.DTypeLike]]
"""Array name -> (shape, dtype)."""

Ticket: TypeAlias = dict[str, tuple[str, str, list[int]]]
"""What another process needs to attach: array name -> (segment name, dtype, shape). Plain JSON."""


class SharedArrays:
    """Named arrays in shared memory, owned by the process that makes this object.

    Use it as a context manager: on leaving, the segments are unlinked, and the arrays must not be used any more.

    Parameters
    ----------
    specs : ArraySpecs
        Arrays start as zeros.

    Raises
    ------
    SharedMemoryError
        There is not enough shared memory. It is found out here: later the first write would kill the process (SIGBUS).
    """

    def __init__(self, specs: ArraySpecs) -> None:
        sweep()
        self._segments: dict[str, SharedMemory] = {}
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self.ticket: Ticket = {}
        total = bytes_of(specs)
        try:
            for name, (shape, dtype) in specs.items():
                segment = _create(_n_bytes(shape, dtype))
                self._segments[name] = segment
                assert segment.buf is not None
                count = int(np.prod(shape, dtype=np.int64))
                # Not np.ndarray(shape, dtype, segment.buf): that does not keep the memory mapped.
                self._arrays[name] = np.frombuffer(segment.buf, np.dtype(dtype), count).reshape(shape)
                self.ticket[name] = (segment.name, np.dtype(dtype).str, list(shape))
        except OSError as error:
            self.close()
            raise _too_small(total, error.strerror or str(error)) from error
        except BaseException:
            self.close()
            raise

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self._arrays[name]

    def __enter__(self) -> SharedArrays:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Unlink the segments. Views that callers still hold keep their memory until they are gone."""
        self._arrays.clear()
        while self._segments:
            _, segment = self._segments.popitem()
            _unlink(segment)
            try:
                segment.close()
            except BufferError:  # somebody holds a view, and the mapping goes with it: close the rest
                segment._buf = segment._mmap = None  # type: ignore[attr-defined]
                segment.close()


def attach(ticket: Ticket) -> tuple[dict[str, npt.NDArray[Any]], list[SharedMemory]]:
    """Open another process's arrays.

    Returns
    -------
    arrays : dict of str to array
    segments : list of SharedMemory
        To be kept as long as the arrays are used.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    segments = []
    for name, (segment_name, dtype, shape) in ticket.items():
        segment = _attach(segment_name)
        segments.append(segment)
        arrays[name] = np.ndarray(tuple(shape), np.dtype(dtype), segment.buf)
    return arrays, segments


def _attach(name: str) -> SharedMemory:
    """Attach without telling a resource tracker, which would unlink the owner's segment when this process ends."""
    try:
        return SharedMemory(name, track=False)  # type: ignore[call-arg,unused-ignore]
    except TypeError:  # Python before 3.13 always registers
        register = resource_tracker.register
        resource_tracker.register = lambda *args: None
        try:
            return SharedMemory(name)
        finally:
            resource_tracker.register = register


def sweep() -> None:
    """Unlink segments whose owner no longer lives, except other users', which we may not."""
    if not _SHM.is_dir():
        return
    for segment in _SHM.glob(f"{_PREFIX}*"):
        owner = segment.name.split("_")[1]
        if owner.isdigit() and not process_lives(int(owner)):
            with contextlib.suppress(FileNotFoundError, PermissionError):
                segment.unlink()


def _create(n_bytes: int) -> SharedMemory:
    """A new segment with all its memory set aside; raises OSError where there is not enough."""
    mmap.mmap(-1, n_bytes).close()  # no address space shows here; in SharedMemory it would confuse the resource tracker
    name = f"{_PREFIX}{os.getpid()}_{secrets.token_hex(4)}"
    segment = SharedMemory(name, create=True, size=n_bytes)
    file = _SHM / name
    if file.exists():
        try:
            descriptor = os.open(file, os.O_RDWR)
            try:
                os.posix_fallocate(descriptor, 0, n_bytes)
            finally:
                os.close(descriptor)
        except OSError:
            _unlink(segment)
            segment.close()
            raise
    return segment


def _unlink(segment: SharedMemory) -> None:
    try:
        segment.unlink()
    except FileNotFoundError:  # somebody was there first; the tracker has yet to be told
        resource_tracker.unregister(f"/{segment.name}", "shared_memory")


def _too_small(needed: int, reason: str) -> SharedMemoryError:
    free = ""
    if _SHM.is_dir():
        status = os.statvfs(_SHM)
        free = f", {status.f_bavail * status.f_frsize / 2**20:,.0f} MB are free"
    return SharedMemoryError(
        f"the matrices need {needed / 2**20:,.0f} MB of shared memory{free} ({reason}); lower --dim or raise --min_count, "
        "or in a container give more, e.g. docker run --shm-size=2g"
    )


def bytes_of(specs: ArraySpecs) -> int:
    """What arrays take together."""
    return sum(_n_bytes(shape, dtype) for shape, dtype in specs.values())


def _n_bytes(shape: tuple[int, ...], dtype: npt.DTypeLike) -> int:
    return max(int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize, 1)
