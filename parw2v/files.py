"""Writing files so that a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from parw2v.errors import Parw2vError


def atomic_write(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Write a file through a temporary one in its directory: write, fsync, rename, fsync the directory.

    Parameters
    ----------
    path : Path
        The file to appear; its directory is made if need be.
    write : callable
        Gets the open binary file.

    Raises
    ------
    Parw2vError
        The disk is full, the directory read-only or the like; what stood at `path` still does, and no litter is left.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_directory(path.parent)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise Parw2vError(f"{path}: cannot be written ({error.strerror or error}); nothing was replaced") from error
        raise
    return path


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def exclusive(path: Path, purpose: str) -> Iterator[None]:
    """Hold ``path`` as a lock while the block runs, so that two runs do not write to one place.

    The kernel drops the lock when its holder dies, so a file left behind by a crash locks nobody out.

    Raises
    ------
    Parw2vError
        Another process holds it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _locked(path)
    except BlockingIOError as error:
        raise Parw2vError(f"another run is writing {purpose}; wait for it or choose another --out") from error
    except OSError as error:
        raise Parw2vError(f"{path}: cannot be written ({error.strerror or error}); choose another --out") from error
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _locked(path: Path) -> TextIO:
    """Open and lock a file; a holder that removes it between the two would leave a lock on nothing, so look again."""
    while True:
        file = path.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    return file
        except BaseException:
            file.close()
            raise
        file.close()


def try_lock(path: Path, *, shared: bool = False) -> BinaryIO | None:
    """Open a file that is there and lock it until it is closed; shared or for this process alone.

    Returns
    -------
    file or None
        None if another process holds a lock that this one cannot be beside, or removed the file meanwhile.

    Raises
    ------
    OSError
        There is no such file, or no way to lock it.
    """
    file = path.open("rb" if shared else "r+b")
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
    except BlockingIOError:
        pass
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def process_lives(pid: int) -> bool:
    """Tell whether a process with this number exists."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
