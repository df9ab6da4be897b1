"""Disks that are full, memory that is short, odd texts and other runs: one line each, or a run that goes on.

Each test is a short version of itself unless pytest is called with ``--faults`` (``make test-faults``).
"""
# ruff: noqa: B023  # what a condition looks at is waited for at once

import bz2
import contextlib
import errno
import gzip
import json
import lzma
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import matrix
import numpy as np
import pytest
from conftest import until, workers_of
from test_commands import ENDLESS, QUICK, fails, records, stop
from test_faults import MAY_BE_LEFT, matrices, meanwhile, saved_words

from parw2v import Word2Vec
from parw2v.checkpoint import load_checkpoint

OFTEN = ("--checkpoint_every", "0.05", "--quiet")
CGROUP = Path("/sys/fs/cgroup/memory")


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.jsonl"


# ---------------------------------------------------------------------------------------------- disks


class Disk:
    """A small file system in a mount namespace of its own, reached through /proc; needs root.

    Attributes
    ----------
    path : Path
        Its root, as every process sees it.
    """

    def __init__(self, python, mount_point, megabytes):
        mount_point.mkdir(parents=True, exist_ok=True)
        program = f"mount -t tmpfs -o size={megabytes}m tmpfs '{mount_point}' && echo mounted && exec cat"
        command = ["unshare", "-m", "sh", "-c", program]
        self.mount_point, self.holder, self.filler = mount_point, None, None
        with contextlib.suppress(FileNotFoundError):
            self.holder = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        if not self.holder or self.holder.stdout.readline() != b"mounted\n":
            self.close()
            pytest.skip("no mount namespace here")
        self.path = Path(f"/proc/{self.holder.pid}/root{mount_point}")

    def fill(self):
        """Fill it, and fill it again with whatever is given back, such as an older checkpoint's room."""
        self.full, self.emptying = threading.Event(), threading.Event()
        self.filler = threading.Thread(target=self._keep_full, daemon=True)
        self.filler.start()
        assert self.full.wait(30)

    def _keep_full(self):
        with (self.path / "ballast").open("wb", buffering=0) as file:
            while not self.emptying.is_set():
                try:
                    file.write(bytes(1 << 12))
                except OSError:
                    self.full.set()
                    self.emptying.wait(1e-4)

    def empty(self):
        if self.filler:
            self.emptying.set()
            self.filler.join()
            self.filler = None
            (self.path / "ballast").unlink()

    def remount(self, how):
        command = ["nsenter", "-t", str(self.holder.pid), "-m", "mount", "-o", f"remount,{how}", str(self.mount_point)]
        until(lambda: subprocess.run(command, capture_output=True).returncode == 0)  # it is busy while it is written to

    def close(self):
        self.empty()
        if self.holder:
            self.holder.communicate()


@pytest.fixture
def disk(python, tmp_path):
    """A function of megabytes, and of a directory: the disk that is mounted there."""
    made = []

    def make(megabytes, mount_point=tmp_path / "disk"):
        made.append(Disk(python, mount_point, megabytes))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Broken:
    """Ways to keep a run from writing checkpoints: `path` is for --out, `hinder` and `mend` work while it runs."""

    def __init__(self, kind, tmp_path, disk):
        self.kind, self.path = kind, tmp_path / "results/model"
        if kind == "full":
            self.disk = disk(4)
            self.path = self.disk.path / "model"
        elif kind == "read-only":
            if os.geteuid():
                (tmp_path / "results/model-checkpoints").mkdir(parents=True)
            else:
                self.disk = disk(4, tmp_path / "results/model-checkpoints")
                self.path = self.disk.path.parent / "model"
        self.checkpoints = self.path.with_name("model-checkpoints")

    def hinder(self, process):
        if self.kind == "full":
            self.disk.fill()
        elif self.kind == "RLIMIT_FSIZE":
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
        elif os.geteuid():
            self.checkpoints.chmod(0o555)
        else:
            self.disk.remount("ro")

    def mend(self, process):
        if self.kind == "full":
            self.disk.empty()
        elif self.kind == "RLIMIT_FSIZE":
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        elif os.geteuid():
            self.checkpoints.chmod(0o755)
        else:
            self.disk.remount("rw")


REASONS = {"full": "No space left on device", "RLIMIT_FSIZE": "File too large", "read-only": "(Read-only|Permission)"}


@pytest.mark.parametrize("kind", REASONS)
def test_checkpoints_that_cannot_be_written_stop_nothing(python, tmp_path, disk, small_text, log, times, kind):
    rounds, broken = times(1, 5), Broken(kind, tmp_path, disk)
    flags = ("--corpus", small_text, *ENDLESS, *QUICK, "--dim", "20", *OFTEN, "--out", broken.path)
    process = python.start_cli(*flags, "--log_json", log)
    for i in range(rounds):
        words = saved_words(log)
        meanwhile(process, lambda: saved_words(log) > words)
        broken.hinder(process)
        failed = meanwhile(process, lambda: [*records(log, "checkpoint_failed")][i:])
        assert failed[0]["reason"]
        words, n = saved_words(log), len(records(log, "checkpoint_failed"))
        meanwhile(process, lambda: len(records(log, "checkpoint_failed")) > n + 1)  # it goes on, and tries again
        assert saved_words(log) == words
        whole = [path for path in broken.checkpoints.iterdir() if path.suffix == ".npz" and path.name[0] != "."]
        assert Word2Vec.load(max(whole)).embed_dim == 20
        broken.mend(process)
        meanwhile(process, lambda: saved_words(log) > words)
    done = stop(python, process)
    warnings = [line for line in done.stderr.splitlines() if line and not line.startswith("stopping after")]
    assert warnings
    assert all(line.startswith("parw2v: warning: ") and str(broken.checkpoints) in line for line in warnings)
    left = {path.name for path in broken.path.parent.iterdir()}
    assert left == {"model-checkpoints"}
    assert not list(broken.checkpoints.glob(".*"))
    process = python.start_cli(*flags, "--log_json", log, "--resume")
    words = saved_words(log)
    meanwhile(process, lambda: saved_words(log) > words)
    stop(python, process)


@pytest.mark.parametrize("kind", REASONS)
def test_a_stop_whose_checkpoint_cannot_be_written_is_one_line(python, tmp_path, disk, small_text, log, kind):
    broken = Broken(kind, tmp_path, disk)
    flags = ("--corpus", small_text, *ENDLESS, *QUICK, "--dim", "20", "--quiet", "--out", broken.path)
    process = python.start_cli(*flags, "--checkpoint_every", "0.3", "--log_json", log)
    meanwhile(process, lambda: saved_words(log) > 0)
    broken.hinder(process)
    meanwhile(process, lambda: records(log, "checkpoint_failed"))
    words = saved_words(log)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    lines = [line for line in err.splitlines() if line.startswith("parw2v: error: ")]
    assert (process.returncode, out, len(lines)) == (2, "", 1), err
    assert "cannot be written" in lines[0]
    assert "Traceback" not in err
    if kind != "RLIMIT_FSIZE":
        broken.mend(process)
    assert not list(broken.checkpoints.glob(".*"))
    kept = max(path for path in broken.checkpoints.iterdir())
    assert (
        load_checkpoint(broken.checkpoints, json.loads(str(np.load(kept)["state"]))["identity"])[1].raw_words == words
    )


def test_a_model_that_cannot_be_written_is_saved_elsewhere(python, tmp_path, disk, small_text, log):
    full = disk(4)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    flags = ("--corpus", small_text, "--epochs", "40", *QUICK, "--dim", "20", "--quiet")
    assert python.cli(*flags, "--out", "whole").returncode == 0
    process = python.start_cli(*flags, "--checkpoint_every", "0", "--out", full.path / "model", "--log_json", log,
                               env=os.environ | {"TMPDIR": str(elsewhere)})  # fmt: skip
    meanwhile(process, lambda: saved_words(log) > 0)
    full.fill()
    done = python.finish(process)
    last = done.stderr.splitlines()[-1]
    assert (done.returncode, done.stdout) == (2, "")
    assert last.startswith("parw2v: error: ")
    [saved] = elsewhere.rglob("*.npz")
    assert str(saved) in last
    assert str(full.path) in last
    assert matrices(saved) == matrices(tmp_path / "whole.npz")
    assert {path.name for path in full.path.iterdir()} == {"ballast", "model-checkpoints"}
    shutil.rmtree(elsewhere)


def test_a_full_disk_before_training_is_one_line(python, disk, small_text):
    full = disk(1)
    full.fill()
    fails(python.cli("--corpus", small_text, *QUICK, "--quiet", "--out", full.path / "model"), "No space left")
    assert [path.name for path in full.path.iterdir()] == ["ballast"]


def test_an_input_output_error_costs_one_checkpoint(python, tmp_path, small_text, log, times):
    """EIO from fsync, of the file and of the directory; the next checkpoint is tried as if nothing had been."""
    places = [("os.fsync", 5), ("os.fsync", 6), ("os.replace", 3)]
    for place, number in places[: times(1, len(places))]:
        log.unlink(missing_ok=True)
        flags = ("--corpus", small_text, "--epochs", "5", *QUICK, "--checkpoint_every", "0", "--quiet")
        process = python.start("-c", matrix.FAULTY, place, "-checkpoints", number, errno.EIO, *flags, "--log_json", log)
        done = python.finish(process)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (0, "", 1), done.stderr
        assert done.stderr.startswith("parw2v: warning: ")
        assert "Input/output error" in done.stderr
        [failed] = records(log, "checkpoint_failed")
        assert "Input/output error" in failed["reason"]
        events = [record["event"] for record in records(log)]
        assert "checkpoint" in events[events.index("checkpoint_failed") :]
        assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["model.npz", "model.toml"]


# ---------------------------------------------------------------------------------------------- memory


def test_a_shm_of_four_megabytes(tmp_path, small_text):
    mount = "mount -t tmpfs -o size=4m tmpfs /dev/shm"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("no mount namespace here")
    for dim, enough in ((8, True), (1000, False)):
        flags = ["--corpus", str(small_text), *QUICK, "--dim", str(dim), "--epochs", "1", "--quiet"]
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", f'{mount} && exec "$0" "$@"', sys.executable, "-m", "parw2v", *flags],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if enough:
            assert (done.returncode, done.stderr) == (0, "")
        else:
            fails(done, "--shm-size")


def test_any_limit_on_memory_is_enough_or_one_line(tmp_path, times):
    """Of address space, from what Python can hardly start in to plenty: no traceback, no signal, no half-written model."""
    (tmp_path / "many.txt").write_text("".join(f"word{i} word{i // 2}\n" for i in range(50_000)))
    flags = [
        "--corpus",
        "many.txt",
        "--min_count",
        "1",
        "--dim",
        "200",
        "--epochs",
        "1",
        "--workers",
        "2",
        "--no_cache",
    ]
    command = [sys.executable, "-m", "parw2v", *flags, "--quiet"]
    steps = times(3, 16)
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    limits = [int(120 * 20 ** (i / (steps - 1))) for i in range(steps)]  # MB, 120 to 2400
    statuses = []
    for megabytes in limits:
        shell = ["sh", "-c", f'ulimit -v {megabytes * 1000} && exec "$0" "$@"', *command]
        done = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=120)
        statuses.append(done.returncode)
        if done.returncode:
            fails(done)
            assert re.search("memory|ulimit -v", done.stderr), (megabytes, done.stderr)
            assert not (tmp_path / "results/model.npz").exists()
        else:
            assert done.stderr == ""
            shutil.rmtree(tmp_path / "results")
    assert statuses[0] == 2
    assert statuses[-1] == 0


@pytest.fixture
def container():
    """A function of megabytes: a control group with so little memory, as the prefix of a command."""
    group = CGROUP / f"parw2v_tests_{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text("-1")
    except OSError:
        pytest.skip("no control group can be made here")

    def limited(megabytes):
        (group / "memory.limit_in_bytes").write_text(str(megabytes << 20))
        return ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$0" "$@"']

    yield limited
    until(lambda: not (group / "cgroup.procs").read_text().split())
    until(lambda: _removed(group))


def _removed(group):
    with contextlib.suppress(OSError):
        group.rmdir()
    return not group.exists()


def test_a_container_that_is_too_small(tmp_path, container, times):
    """The matrices need 80 MB and as much again for a copy; Python alone takes some 40."""
    (tmp_path / "many.txt").write_text("".join(f"word{i} word{i // 2}\n" for i in range(50_000)))
    flags = [
        "--corpus",
        "many.txt",
        "--min_count",
        "1",
        "--dim",
        "200",
        "--epochs",
        "1",
        "--workers",
        "1",
        "--no_cache",
    ]
    command = [sys.executable, "-m", "parw2v", *flags, "--quiet"]
    limits = (80, 600) if times(2, 8) == 2 else (70, 80, 90, 120, 180, 250, 300, 600)
    statuses = []
    for megabytes in limits:
        done = subprocess.run(
            [*container(megabytes), *command], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        statuses.append(done.returncode)
        if done.returncode:
            fails(done, "memory")
    assert statuses[0] == 2
    assert statuses[-1] == 0


def test_workers_killed_for_lack_of_memory(python, tmp_path, small_text, log):
    """An address space that a worker cannot work in, set while it trains: its death says why, and one line ends the run."""
    flags = ("--corpus", small_text, *ENDLESS, *QUICK, "--max_restarts", "2", "--log_json", log, *OFTEN)
    process = python.start_cli(*flags)
    meanwhile(process, lambda: saved_words(log) > 0)
    [worker] = workers_of(process.pid)
    used = int(Path(f"/proc/{worker}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(worker, resource.RLIMIT_AS, (used - (1 << 20), used))
    [replaced] = meanwhile(process, lambda: records(log, "worker_replaced"))
    assert "memory" in replaced["cause"]
    words = saved_words(log)
    meanwhile(process, lambda: saved_words(log) > words)
    stop(python, process)


# ---------------------------------------------------------------------------------------------- texts

SENTENCE = "the king rules the land and the queen rules the sea\n"
PLAIN = SENTENCE.encode() * 200
TRAINS, REFUSED = "trains", "is one line"
TEXTS = {
    "empty": (b"", "holds no words"),
    "white space": (b" \n\t\r\n" * 1000, "holds no words"),
    "NUL bytes": (PLAIN.replace(b" ", b"\0", 50), None),
    "nothing but NUL bytes": (bytes(100_000), "no words"),
    "bytes that are no UTF-8": (PLAIN.replace(b"land", b"l\xff\xfend"), None),
    "UTF-16": (PLAIN.decode().encode("utf-16"), ""),
    "CRLF": (PLAIN.replace(b"\n", b"\r\n"), None),
    "BOM": (b"\xef\xbb\xbf" + PLAIN, None),
    "only rare words": (b" ".join(b"w%d" % i for i in range(1000)), "distinct words occur at least 2 times"),
    "one distinct word": (b"word " * 1000, "only 1 of 1 distinct words"),
    "two distinct words": (b"one two " * 1000, None),
    "cut in mid-character": (PLAIN + "né né é".encode()[:-1], None),
    "no line end": (PLAIN.replace(b"\n", b" "), None),
    "words of 100,000 letters": (PLAIN + b"x" * 100_000 + b" " + b"y" * 100_000, None),
    "cut.gz": (gzip.compress(PLAIN)[:-20], "cut.gz"),
    "wrong.gz": (b"no gzip here\n" * 10, "wrong.gz"),
    "damaged.gz": (gzip.compress(PLAIN)[:40] + b"\0\0\0" + gzip.compress(PLAIN)[43:], "damaged.gz"),
    "cut.bz2": (bz2.compress(PLAIN)[:-20], "cut.bz2"),
    "cut.xz": (lzma.compress(PLAIN)[:-20], "cut.xz"),
    "wrong.xz": (b"no xz here\n" * 10, "wrong.xz"),
}
"""Name of the file -> (content, what the one line names, or None where it trains)."""


def test_texts_of_all_kinds(python, tmp_path, times):
    names = list(TEXTS) if times(3, len(TEXTS)) > 3 else random.Random(9).sample(list(TEXTS), 3)
    for name in names:
        content, named = TEXTS[name]
        (tmp_path / name).write_bytes(content)
        done = python.cli("--corpus", name, "--min_count", "2", "--dim", "4", "--epochs", "1", "--quiet")
        if named is None:
            assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), name
            model = Word2Vec.load(tmp_path / "results/model")
            assert np.isfinite(model.W_in).all()
            assert not any("\ufeff" in word or "\r" in word or "\0" in word for word in model.vocab.words)
            shutil.rmtree(tmp_path / "results")
        else:
            fails(done, named)
            assert not list((tmp_path / "results").glob("*"))
        (tmp_path / name).unlink()


def test_one_line_as_long_as_the_text(python, tmp_path, log, times, record_property):
    megabytes = times(2, 200)
    record_property("tried", 1)
    line = SENTENCE.replace("\n", " ") * (megabytes * 2**20 // len(SENTENCE))
    (tmp_path / "line.txt").write_text(line)
    flags = ("--min_count", "2", "--dim", "2", "--neg", "1", "--window", "1", "--epochs", "1", "--quiet")
    process = python.start_cli("--corpus", "line.txt", *flags, "--log_json", log, "--no_cache")
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out, err) == (0, "", "")
    [start] = records(log, "start")
    assert start["corpus_words"] == line.count(" ")
    if megabytes > 100:
        assert records(log)[-1]["peak_memory_mb"] < 400 + megabytes  # not the text in memory several times


def test_a_text_that_changes_while_it_is_read(python, tmp_path, small_text, times):
    """Grows, shrinks, is emptied or taken away while two processes read it: an end, and one that is defined."""
    tries, rng = times(2, 40), random.Random(12)
    content = small_text.read_bytes() * 60  # some 8 MB
    deeds = {
        "grow": lambda path: path.open("ab").write(content[: 1 << 20]),
        "shrink": lambda path: os.truncate(path, len(content) // 3),
        "empty": lambda path: os.truncate(path, 0),
        "remove": lambda path: path.unlink(),
    }
    for i in range(tries):
        path = tmp_path / "text.txt"
        path.write_bytes(content)
        process = python.start_cli("--corpus", path, *QUICK, "--workers", "2", "--epochs", "1", "--quiet", "--no_cache")
        until(lambda: list(tmp_path.glob("results/.parw2v-*/*.i32")) or process.poll() is not None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0, 0.2))
        list(deeds.values())[i % len(deeds)](path)
        done = python.finish(process)
        if done.returncode:
            fails(done, "text.txt")
        else:
            assert done.stderr == ""
        shutil.rmtree(tmp_path / "results", ignore_errors=True)


# ---------------------------------------------------------------------------------------------- other runs


def test_runs_with_one_out_take_turns_or_are_refused(python, tmp_path, small_text, times):
    """Three at once; of some, one is killed in the middle, perhaps while it saves."""
    rounds, rng = times(1, 20), random.Random(10)
    flags = ("--corpus", small_text, "--epochs", "2", *QUICK, "--quiet")
    assert python.cli(*flags, "--out", "whole").returncode == 0
    trained = refused = 0
    for i in range(rounds):
        processes = [python.start_cli(*flags) for _ in range(3)]
        if i % 3 == 2:
            with contextlib.suppress(subprocess.TimeoutExpired):
                processes[0].wait(rng.uniform(0.3, 1.5))
            processes[0].kill()
        for process in processes:
            done = python.finish(process)
            if done.returncode == 2:
                fails(done, "another run is writing")
                refused += 1
            elif done.returncode == 0:
                assert done.stderr == ""
                trained += 1
            else:
                assert process is processes[0]
        again = python.cli(*flags)
        assert (again.returncode, again.stderr) == (0, "")
        assert matrices(tmp_path / "results/model.npz") == matrices(tmp_path / "whole.npz")
        assert {path.name for path in (tmp_path / "results").iterdir()} <= MAY_BE_LEFT
        shutil.rmtree(tmp_path / "results")
    assert trained
    assert refused


def test_runs_with_one_cache_never_see_half_of_it(python, tmp_path, cache_home, small_text, times):
    """Several that read the same text for the first time, and some of them killed at any moment."""
    rounds, rng = times(1, 20), random.Random(11)
    flags = ("--corpus", small_text, "--epochs", "1", *QUICK)
    assert python.cli(*flags, "--out", "whole", "--no_cache").returncode == 0
    whole, killed = matrices(tmp_path / "whole.npz"), 0
    for _ in range(rounds):
        processes = [python.start_cli(*flags, "--out", f"out{i}", "--quiet") for i in range(3)]
        with contextlib.suppress(subprocess.TimeoutExpired):
            processes[0].wait(rng.uniform(0.2, 0.8))
        processes[0].kill()
        for i, process in enumerate(processes):
            done = python.finish(process)
            killed += done.returncode == -signal.SIGKILL
            if process is not processes[0]:
                assert (done.returncode, done.stderr) == (0, "")
            if done.returncode == 0:
                assert matrices(tmp_path / f"out{i}.npz") == whole
        done = python.cli(*flags, "--out", "out0")
        assert done.returncode == 0
        assert "read earlier" in done.stderr
        assert "warning" not in done.stderr
        assert matrices(tmp_path / "out0.npz") == whole
        assert not list(cache_home.rglob("unfinished-*"))
        shutil.rmtree(cache_home / "parw2v")
    assert killed
