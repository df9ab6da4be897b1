"""Arrays that several processes see, and that never outlive their owner."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import SHM, Python, segments_of, until

from parw2v.errors import SharedMemoryError
from parw2v.pool import Pool, Result
from parw2v.shared import SharedArrays, attach, sweep

SPECS = {"x": ((3, 4), np.float32), "n": ((5,), np.int64)}


def own_segments():
    return segments_of([os.getpid()])


def test_arrays_start_as_zeros_and_vanish_with_their_owner():
    with SharedArrays(SPECS) as shared:
        assert shared["x"].shape == (3, 4)
        assert shared["n"].dtype == np.int64
        assert not shared["x"].any()
        assert len(own_segments()) == 2
        shared["x"][1, 2] = 7
        assert shared["x"].sum() == 7
    assert own_segments() == []


def test_closing_twice_does_no_harm():
    shared = SharedArrays(SPECS)
    shared.close()
    shared.close()
    assert own_segments() == []


def test_segments_removed_by_somebody_else_do_no_harm(python):
    """E.g. by hand, or by a sweep in another process namespace that shares /dev/shm."""
    code = """
from pathlib import Path
import numpy as np, os
from parw2v.shared import SharedArrays
shared = SharedArrays({"x": ((3,), np.float32), "y": ((3,), np.float32)})
Path("/dev/shm", shared.ticket["x"][0]).unlink()
shared.close()
print(len(list(Path("/dev/shm").glob(f"parw2v_{os.getpid()}_*"))))
"""
    done = python.run("-c", code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_views_outlive_the_owner_and_then_give_the_memory_back():
    shared = SharedArrays({"x": ((1000,), np.float64)})
    view = shared["x"][10:20]
    view[:] = 3
    before = mapped_segments()
    shared.close()
    assert own_segments() == []
    assert view.sum() == 30
    del view
    gc.collect()
    assert mapped_segments() == before - 1
    assert open_segments() == 0


def mapped_segments():
    return sum(f"parw2v_{os.getpid()}_" in line for line in Path("/proc/self/maps").read_text().splitlines())


def open_segments():
    found = [
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.islink(f"/proc/self/fd/{fd}")
    ]
    return sum(f"parw2v_{os.getpid()}_" in name for name in found)


def test_an_attached_process_sees_and_writes_and_leaves_the_segments_alone():
    with SharedArrays(SPECS) as shared:
        shared["x"][:] = 1
        with Pool("pool_tasks:attacher", 1, shared.ticket, dict(os.environ), 0) as pool:
            until(lambda: pool.wait(0.2) and pool.free())
            pool.submit(0, 2)
            [event] = until(lambda: pool.wait(0.2))
            assert event == Result(0, 2, (36.0, (3, 4), "float32"))
        assert (shared["x"] == 3).all()
        assert len(own_segments()) == 2  # the worker is gone, the segments are not


def test_a_process_that_attached_by_itself_leaves_the_segments_alone(python):
    """Python before 3.13 would have its resource tracker remove them at exit."""
    with SharedArrays(SPECS) as shared:
        code = f"from parw2v.shared import attach; a, s = attach({shared.ticket!r}); a['n'][:] = 9"
        done = python.run("-c", code)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(own_segments()) == 2
        assert (shared["n"] == 9).all()


def test_attaching_here_registers_nothing():
    with SharedArrays(SPECS) as shared:
        arrays, segments = attach(shared.ticket)
        arrays["x"][:] = 5
        assert (shared["x"] == 5).all()
        arrays.clear()
        for segment in segments:
            segment.close()
        assert len(own_segments()) == 2


def test_a_sweep_removes_what_dead_owners_left_and_nothing_else():
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {
        "dead": f"parw2v_{dead.pid}_0123abcd",
        "alive": f"parw2v_{os.getppid()}_0123abcd",
        "odd": "parw2v_strange",
        "other": f"parw2vx_{dead.pid}_0",
    }
    paths = {name: SHM / file for name, file in names.items()}
    try:
        for path in paths.values():
            path.touch()
        sweep()
        assert {name for name, path in paths.items() if path.exists()} == {"alive", "odd", "other"}
        paths["dead"].touch()
        with SharedArrays(SPECS):
            assert not paths["dead"].exists()
    finally:
        for path in paths.values():
            path.unlink(missing_ok=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_a_sweep_passes_over_what_belongs_to_others():
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path = SHM / f"parw2v_{dead.pid}_0123abcd"
    path.touch()
    pid = os.fork()  # in this process, since others may not read this Python
    if pid == 0:
        try:
            os.setuid(65534)
            sweep()
            os._exit(0)
        except BaseException:
            os._exit(1)
    try:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert path.exists()
    finally:
        path.unlink(missing_ok=True)


def test_more_than_there_is_fails_cleanly():
    status = os.statvfs(SHM)
    everything = (status.f_blocks + 1) * status.f_frsize
    with pytest.raises(
        SharedMemoryError, match=r"need [\d,]+ MB of shared memory, [\d,]+ MB are free .*--shm-size"
    ) as e:
        SharedArrays({"small": ((10,), np.float32), "x": ((everything // 4,), np.float32)})
    assert "\n" not in str(e.value)
    assert own_segments() == []


def test_no_address_space_fails_cleanly(python):
    code = """
import resource, numpy as np
from parw2v.errors import SharedMemoryError
from parw2v.shared import SharedArrays
SharedArrays({"x": ((10,), np.int8)}).close()  # starts the resource tracker, which a limit would stop
resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
try:
    SharedArrays({"x": ((1 << 32,), np.int8)})
except SharedMemoryError as error:
    print(error)
"""
    done = python.run("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the matrices need 4,096 MB of shared memory" in done.stdout
    assert "Cannot allocate memory" in done.stdout


@pytest.mark.parametrize("bytes_wanted", [5_000_000, 3_000_000], ids=["one too large", "two too large"])
def test_a_small_shm_is_found_out_before_the_first_write(tmp_path, bytes_wanted):
    code = f"""
import numpy as np, os
from parw2v.errors import SharedMemoryError
from parw2v.shared import SharedArrays
try:
    SharedArrays({{"x": (({bytes_wanted},), np.int8), "y": (({bytes_wanted},), np.int8)}})
except SharedMemoryError as error:
    print(error)
with SharedArrays({{"x": ((1_000_000,), np.int8)}}) as shared:
    shared["x"][:] = 1
print(os.listdir("/dev/shm"))
"""
    done = run_with_shm(Python(tmp_path), 4, "-c", code)
    assert done.returncode == 0, done.stderr
    message, left = done.stdout.splitlines()
    assert message.startswith(f"the matrices need {2 * bytes_wanted / 2**20:.0f} MB of shared memory, 4 MB are free")
    assert left == "[]"


def run_with_shm(python, megabytes, *arguments):
    """Run Python where /dev/shm has so many megabytes; skips where that takes rights we lack."""
    mount = f"mount -t tmpfs -o size={megabytes}m tmpfs /dev/shm"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("no mount namespace here")
    command = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$0" "$@"', sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=python.directory, capture_output=True, text=True, timeout=60)
