"""Spoilt files of every kind the project reads give a project error in one line or a sound object, in bounded memory.

The short version is the same every time; ``--faults`` draws thousands for each kind anew. `hostile_kinds` says what holds.
"""

import gzip
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PATIENCE, ROOT, _started
from hostile_kinds import CORPUS, KINDS, Failure, Kind, Reader, holds
from mutations import mutate

from parw2v.errors import ModelError
from parw2v.text import LONGEST_RUN

pytest.importorskip("hypothesis")

EXAMPLES, ALL_EXAMPLES = 24, 2000
RUNNER = Path(__file__).with_name("hostile_run.py")


def start_runner(directory, *arguments):
    """`hostile_run` as a process; hypothesis keeps its own files out of the checkout."""
    environment = os.environ | {
        "HYPOTHESIS_STORAGE_DIRECTORY": str(directory / "hypothesis"),
        "PARW2V_FOUND": str(directory),
        "OPENBLAS_NUM_THREADS": "1",
        "TMPDIR": str(directory),
    }
    process = subprocess.Popen(
        [sys.executable, RUNNER, *map(str, arguments)],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _started.add(process.pid)
    return process


@pytest.fixture(scope="module")
def outcomes(request, tmp_path_factory):
    """Kind -> what `hostile_run` says of it; of all kinds, two processes beside each other."""
    directory = tmp_path_factory.mktemp("hostile")
    whole = request.config.getoption("--faults")
    names = list(KINDS)
    processes = [start_runner(directory, -ALL_EXAMPLES if whole else EXAMPLES, *names[share::2]) for share in range(2)]
    found = {}
    for process in processes:
        try:
            out, err = process.communicate(timeout=None if whole else 3 * PATIENCE)
        finally:
            process.kill()
        assert (process.returncode, err) == (0, "")
        found |= {record["kind"]: record for record in map(json.loads, out.splitlines())}
    return found


@pytest.mark.parametrize("name", KINDS)
def test_spoilt_files(outcomes, name, capsys, request):
    record = outcomes[name]
    if record["failure"]:
        pytest.fail(
            f"{record['failure']}\nthe file, its first 2,000 bytes in Latin-1: {record['data']!r}", pytrace=False
        )
    refused, read = record.get("refused", 0), record["read"]
    assert refused + read >= EXAMPLES
    assert read, "not even a good one is read"
    assert refused or name == "questions", "nothing was spoilt"
    if request.config.getoption("--faults"):
        with capsys.disabled():
            print(
                f"\n{name}: {refused + read:,} files, {read:,} read, {record['seconds']:.0f} s",
                end="",
            )


@pytest.mark.parametrize(
    "run", [b"a", b"\1", b"\xff", "가".encode(), "\U0001f600".encode(), "\u0130a\u03a3\u0300".encode()]
)
def test_the_longest_run_fits_in_what_is_said(run):
    """Packed, so that next to nothing is allowed for the size of the file."""
    with Reader("corpus.gz") as reader:
        reader.judge(gzip.compress(run * (2 * LONGEST_RUN // len(run)), 1))


# ------------------------------------------------------------------------------------------------ the judge is awake


def judged(monkeypatch, read, **options):
    monkeypatch.setitem(KINDS, "fake", Kind("fake.txt", lambda directory: [], read, **options))
    with Reader("fake") as reader:
        return reader.judge(b"content")


def take_memory(path):
    holds(len(bytearray(64 << 20)), "")


def ask_for_memory(path):
    raise ModelError("does not fit in memory")


def warn(path):
    import warnings

    warnings.warn("look out", stacklevel=1)


def recurse(path):
    recurse(path)


@pytest.mark.parametrize(
    ("read", "says"),
    [
        (take_memory, "more than twice the file's 7"),
        (ask_for_memory, "memory was asked for"),
        (warn, "look out"),
        (lambda path: print("hello"), "prints 'hello"),
        (lambda path: print("hello", file=sys.stderr), "prints 'hello"),
        (lambda path: holds(path.read_bytes() == b"", "unsound"), "unsound"),
    ],
)
def test_what_counts_as_a_failure(monkeypatch, read, says):
    with pytest.raises(Failure, match=says):
        judged(monkeypatch, read)


def test_a_hang_is_a_failure(monkeypatch):
    monkeypatch.setattr("hostile_kinds.SECONDS", 0.2)

    def hang(path):
        while True:
            pass

    with pytest.raises(Failure, match=r"takes more than 0\.2 s of processor time"):
        judged(monkeypatch, hang)


def test_other_errors_come_through(monkeypatch):
    with pytest.raises(RecursionError):
        judged(monkeypatch, recurse)
    with pytest.raises(KeyError):
        judged(monkeypatch, lambda path: {}[path])


def test_memory_is_limited(tmp_path):
    """The runner's own limit: what reads without bounds fails there rather than taking the machine."""
    code = "import hostile_run, resource; hostile_run.limit_memory(); bytearray(hostile_run.SPARE + (64 << 20))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(RUNNER.parent)])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert "MemoryError" in done.stderr
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


@pytest.mark.parametrize("layer", ["bytes", *{kind.layer for kind in KINDS.values()} - {"bytes"}])
def test_mutations_differ_and_repeat(layer, tmp_path):
    """The same choices give the same file; nearly all change it, and data of another layer are spoilt as bytes."""
    import random

    name = next(name for name, kind in KINDS.items() if kind.layer == layer)
    with Reader(name) as reader:
        good = reader.good[0]
    spoilt = [mutate(random.Random(seed), good, layer) for seed in range(20)]
    assert spoilt == [mutate(random.Random(seed), good, layer) for seed in range(20)]
    assert len({data for data in spoilt if data != good}) > 12
    assert all(isinstance(mutate(random.Random(seed), CORPUS, layer), bytes) for seed in range(20))
