"""What there is of memory, by every limit; and a training that needs more is refused before it starts."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from parw2v import estimate, memory
from parw2v.errors import MemoryLimitError
from parw2v.estimate import Estimate
from parw2v.memory import Room, address_room, memory_in_use, memory_rooms, own_memory, own_peak_memory

MB = 1 << 20


def groups(monkeypatch, directory, lines, files):
    """Control groups as a system would show them: ``/proc/self/cgroup`` and a tree of files."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    (directory / "cgroup").write_text(lines)
    real = Path.read_text

    def read_text(path, *args):
        return real(directory / "cgroup" if str(path) == "/proc/self/cgroup" else path, *args)

    monkeypatch.setattr(memory, "_CGROUPS", directory)
    monkeypatch.setattr(Path, "read_text", read_text)


def container_rooms():
    return [room.free for room in memory_rooms() if "container" in room.limit]


def test_the_machine_has_room():
    [machine] = [room for room in memory_rooms() if room.limit == "this machine"]
    assert MB < machine.free < 1 << 50


def test_control_groups_of_version_2(monkeypatch, tmp_path):
    groups(
        monkeypatch,
        tmp_path,
        "0::/outer/inner\n",
        {
            "outer/inner/memory.max": "max\n",
            "outer/inner/memory.current": "1000\n",
            "outer/memory.max": "9000\n",
            "outer/memory.current": "5000\n",
            "outer/memory.stat": "anon 4000\nfile 900\ninactive_file 600\n",
        },
    )
    assert container_rooms() == [9000 - 5000 + 600]


def test_control_groups_of_version_1(monkeypatch, tmp_path):
    """As in a container, which sees its own group as the root whatever the path says."""
    groups(
        monkeypatch,
        tmp_path,
        "9:cpu:/x\n4:memory:/docker/abc\n0::/\n",
        {
            "memory/memory.limit_in_bytes": "8000\n",
            "memory/memory.usage_in_bytes": "7900\n",
            "memory/memory.stat": "total_inactive_file 500\n",
        },
    )
    assert container_rooms() == [8000 - 7900 + 500]


def test_a_system_without_control_groups(monkeypatch, tmp_path):
    groups(monkeypatch, tmp_path, "", {})
    assert container_rooms() == []


def test_memory_in_use_counts_this_process():
    assert 5 * MB < memory_in_use([]) < 10 * own_peak_memory()
    assert 5 * MB < own_memory() < 1.1 * own_peak_memory()
    assert memory_in_use([2**22 + 1]) < 10 * own_peak_memory()  # no such process


def test_the_peak_is_that_of_this_process_and_not_of_its_parent():
    code = "from parw2v.memory import own_peak_memory; print(own_peak_memory())"
    ballast = bytearray(512 * MB)
    peak = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert len(ballast) > peak > 5 * MB


def test_an_address_limit_is_seen():
    code = (
        "import resource; from parw2v.memory import address_room; assert address_room() is None;"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.RLIM_INFINITY)); print(address_room().free)"
    )
    free = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert 1 << 28 < free < 1 << 30


def test_without_an_address_limit():
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY or address_room() is None


def test_an_estimate_adds_up():
    need = Estimate(300 * MB, 200 * MB, 4)
    assert need.added == 500 * MB + estimate._OWN_BYTES + 4 * estimate._WORKER_BYTES
    assert need.total > need.added


@pytest.mark.parametrize(
    ("rooms", "address", "message"),
    [
        ([Room(600 * MB, "this machine")], None, "about 730 MB more memory, this machine has 600 MB; lower --dim or"),
        ([Room(800 * MB, "this machine"), Room(10 * MB, "the container")], None, "the container has 10 MB"),
        ([], Room(629 * MB, "ulimit -v"), "needs about 630 MB more memory addresses in a process, ulimit -v leaves 629 MB"),
    ],
)  # fmt: skip
def test_too_little_is_one_line(monkeypatch, rooms, address, message):
    monkeypatch.setattr(estimate, "memory_rooms", lambda: iter(rooms))
    monkeypatch.setattr(estimate, "address_room", lambda: address)
    with pytest.raises(MemoryLimitError, match=message) as caught:
        Estimate(300 * MB, 200 * MB, 4).check()
    assert "\n" not in str(caught.value)


def test_enough_is_enough(monkeypatch):
    monkeypatch.setattr(estimate, "memory_rooms", lambda: iter([Room(730 * MB, "this machine")]))
    monkeypatch.setattr(estimate, "address_room", lambda: Room(630 * MB, "ulimit -v"))
    Estimate(300 * MB, 200 * MB, 4).check()


def test_the_estimate_is_near_what_is_taken(python, small_text):
    """Not less than the processes hold at their largest, and not twice as much."""
    done = python.cli(
        *("--corpus", small_text, "--min_count", "1", "--dim", "300", "--epochs", "3", "--workers", "2", "--out", "m"),
        *("--checkpoint_every", "0", "--log_json", "log"),
    )
    assert done.returncode == 0, done.stderr
    [told] = [int(line.split(" in about ")[1].split()[0]) for line in done.stderr.splitlines() if "in about" in line]
    [taken] = [line.rpartition(" ")[0].rpartition(" ")[2] for line in done.stderr.splitlines() if "trained" in line]
    assert int(taken) <= told <= 2 * int(taken)


def test_a_limit_on_addresses_is_found_out_before_training(python, small_text):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (400 * MB, resource.RLIM_INFINITY))

    done = python.cli("--corpus", small_text, "--dim", "3000", "--workers", "1", "--out", "m", preexec_fn=limit)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("parw2v: error: training needs about ")
    assert "ulimit -v leaves" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(os.listdir(python.directory)) == ["small.txt"]
