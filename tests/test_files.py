"""A crash leaves the old file or the new one, an error leaves no litter, and only one run holds a lock."""

import fcntl
import os
import signal
import subprocess
import sys

import pytest

from parw2v import files
from parw2v.errors import Parw2vError
from parw2v.files import atomic_write, exclusive, process_lives

HOLD = """
import sys
from pathlib import Path
from parw2v.files import exclusive
with exclusive(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    sys.stdin.read()
"""

TRY = """
import sys
from pathlib import Path
from parw2v.errors import Parw2vError
from parw2v.files import exclusive
try:
    with exclusive(Path(sys.argv[1]), "it"):
        print("got it")
except Parw2vError as error:
    print(error)
"""


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    assert atomic_write(path, lambda file: file.write(b"one")) == path
    assert atomic_write(path, lambda file: file.write(b"two")) == path
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_a_failure_in_the_middle_keeps_the_old_file(tmp_path, error):
    def fail(file):
        file.write(b"half of it")
        raise error

    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(error):
        atomic_write(path, fail)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("step", ["fchmod", "fsync", "replace"])
def test_a_full_disk_at_any_step(tmp_path, monkeypatch, step):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(*(files.Path, "replace", full) if step == "replace" else (os, step, full))
        with pytest.raises(Parw2vError, match=r"file: cannot be written \(No space left"):
            atomic_write(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_all_is_on_disk_before_the_old_file_goes(tmp_path, monkeypatch):
    synced = []
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fsync(descriptor):
        synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), os.fstat(descriptor).st_size, path.read_bytes()))

    monkeypatch.setattr(os, "fsync", fsync)
    atomic_write(path, lambda file: file.write(b"new" * 1000))
    (first, size, then), (second, _, after) = synced
    assert first.startswith(str(tmp_path))
    assert (size, then) == (3000, b"old")
    assert (second, after) == (str(tmp_path), b"new" * 1000)


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    for path in (tmp_path / "file" / "x", tmp_path / "file" / "y" / "x", tmp_path / "directory"):
        with pytest.raises(Parw2vError, match=f"{path.name}: cannot be written"):
            atomic_write(path, lambda file: file.write(b"new"))
        if path.name == "x":
            with pytest.raises(Parw2vError, match="choose another --out"), exclusive(path, "it"):
                pass
    assert names(tmp_path) == ["directory", "file"]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_mode_follows_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        path = atomic_write(tmp_path / "file", lambda file: file.write(b"x"))
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask
        assert os.umask(umask) == umask
    finally:
        os.umask(before)


# ---------------------------------------------------------------------------------------------------- locks


def test_one_holder_in_a_process(tmp_path):
    lock = tmp_path / "deep" / "lock"
    with exclusive(lock, "results/model"):
        with pytest.raises(Parw2vError, match="another run is writing results/model"), exclusive(lock, "results/model"):
            pass
        with exclusive(tmp_path / "other", "it"):
            pass
        assert lock.exists()  # the refused one did not take it away
    assert not lock.exists()
    with exclusive(lock, "it"):
        pass
    with pytest.raises(ZeroDivisionError), exclusive(lock, "it"):
        raise ZeroDivisionError
    assert not lock.exists()


def test_one_holder_among_processes(tmp_path, python):
    lock = tmp_path / "lock"
    with exclusive(lock, "it"):
        assert "another run is writing it" in python.run("-c", TRY, lock).stdout
    holder = python.start("-c", HOLD, lock, stdin=subprocess.PIPE)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Parw2vError, match="another run"), exclusive(lock, "it"):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert lock.exists()  # what a killed run leaves locks nobody out
    with exclusive(lock, "it"):
        pass
    assert not lock.exists()


def test_a_lock_file_removed_between_opening_and_locking(tmp_path, monkeypatch):
    """The holder before may end just then; a lock on its removed file would let a third run in beside us."""
    lock = tmp_path / "lock"
    flock, calls = fcntl.flock, []

    def late(file, operation):
        if not calls:
            lock.unlink()
        calls.append(operation)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with exclusive(lock, "it"):
        assert len(calls) == 2
        with pytest.raises(Parw2vError, match="another run"), exclusive(lock, "it"):
            pass


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def unsupported(file, operation):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(Parw2vError, match="No locks available"), exclusive(tmp_path / "lock", "it"):
        pass


def test_process_lives():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert process_lives(process.pid)
    process.communicate(b"\n")
    assert not process_lives(process.pid)
    assert process_lives(os.getpid())
    assert process_lives(1)  # another user's counts too
    assert not process_lives(10**30)
