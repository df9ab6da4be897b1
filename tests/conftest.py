"""What the tests share: a small text, a way to run Python beside the test, and a check that nothing is left behind."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from parw2v.sample import load_sample_corpus
from parw2v.text import Tokens
from parw2v.vocabulary import Vocabulary

ROOT = Path(__file__).resolve().parent.parent
SHM = Path("/dev/shm")
PATIENCE = 60
"""Seconds that anything may take on a busy machine before a test gives it up."""

GONE_SECONDS = 5
"""For processes and segments to vanish after a test."""

_MARK = f"PARW2V_TESTS={secrets.token_hex(8)}"
_started = {os.getpid()}


def pytest_addoption(parser):
    parser.addoption(
        "--faults", action="store_true", help="the whole matrix of faults instead of a short version of each"
    )


def pytest_configure(config):
    config.addinivalue_line("markers", "leaves_litter: kills a writer in the act; its temporary files may stay")
    name, value = _MARK.split("=")
    os.environ[name] = value  # whatever a test starts carries it, however deep
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)


def until(condition, seconds=PATIENCE):
    """Poll until `condition` is true and return what it returned; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still waiting after {seconds} s"
        time.sleep(0.005)
    return value


def children(pid):
    """Numbers of a process's child processes, those started from threads included."""
    try:
        return [
            int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _read(task / "children").split()
        ]
    except OSError:
        return []


def workers_of(pid):
    """Worker processes of a coordinator."""
    return [child for child in children(pid) if b"parw2v.pool" in _read(f"/proc/{child}/cmdline").encode()]


def tracker_of(pid):
    """The resource tracker that Python started beside a process."""
    return next(child for child in children(pid) if "resource_tracker" in _read(f"/proc/{child}/cmdline"))


def runs(pid):
    """Whether a process exists and is more than a zombie."""
    state = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return bool(state) and state[0] not in "ZX"


def segments_of(pids):
    """Shared-memory segments that these processes made."""
    return [path for pid in pids for path in SHM.glob(f"parw2v_{pid}_*")]


def _read(path):
    try:
        return Path(path).read_bytes().decode(errors="replace")
    except OSError:
        return ""


class Python:
    """Runs Python in the test's directory; `last` is the process started last."""

    def __init__(self, directory):
        self.directory = directory

    def start(self, *arguments, **options):
        """A Popen; text on pipes for what is not given."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)], **{"cwd": self.directory, "text": True, **pipes, **options}
        )
        _started.add(process.pid)
        return process

    def run(self, *arguments, input=None, **options):
        """A CompletedProcess."""
        if input is not None:
            options["stdin"] = subprocess.PIPE
        process = self.start(*arguments, **options)
        return self.finish(process, input)

    def finish(self, process, input=None):
        out, err = process.communicate(input, timeout=PATIENCE)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def cli(self, *flags, **options):
        """``parw2v FLAGS``, to its end."""
        return self.run("-m", "parw2v", *flags, **options)

    def start_cli(self, *flags, **options):
        """``parw2v FLAGS``, under way; in a process group of its own, as from a shell."""
        return self.start("-m", "parw2v", *flags, process_group=0, **options)


@pytest.fixture
def python(tmp_path):
    return Python(tmp_path)


@pytest.fixture(scope="session")
def sample():
    """(vocabulary, corpus): the built-in text, 240,000 words."""
    tokens = load_sample_corpus()
    vocab = Vocabulary(min_count=2).build(tokens)
    return vocab, vocab.encode(tokens)


@pytest.fixture(scope="session")
def small_tokens():
    """The first 3,000 sentences of the built-in text."""
    tokens = load_sample_corpus()
    lengths = tokens.sentence_lengths[:3000]
    return Tokens(tokens[: sum(lengths)], lengths)


@pytest.fixture(scope="session")
def small(small_tokens):
    """(vocabulary, corpus): about 27,000 words, four blocks an epoch."""
    vocab = Vocabulary(min_count=2).build(small_tokens)
    return vocab, vocab.encode(small_tokens)


@pytest.fixture
def small_text(small_tokens, tmp_path):
    """The same as a file, one sentence on a line."""
    path, start = tmp_path / "small.txt", 0
    with path.open("w") as file:
        for length in small_tokens.sentence_lengths:
            print(*small_tokens[start : start + length], file=file)
            start += length
    return path


@pytest.fixture(autouse=True)
def cache_home(monkeypatch, tmp_path_factory):
    """A cache of its own for each test, and for all that it starts; nothing is written to the user's."""
    directory = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(directory))
    return directory


@pytest.fixture(autouse=True)
def nothing_left_behind(request, cache_home):
    """Fail a test that leaves a process, a shared-memory segment, a scratch directory or a temporary file."""
    directory = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    before = set(_left_running())
    yield
    deadline = time.monotonic() + GONE_SECONDS
    while left := [item for item in (*_left_running(), *segments_of(_started)) if item not in before]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.005)
    for item in left:
        if isinstance(item, Path):
            item.unlink(missing_ok=True)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(item.split()[0]), signal.SIGKILL)
    temporary = Path(tempfile.gettempdir())
    litter = [path for pid in _started for path in temporary.glob(f".parw2v-{pid}-*")]
    if directory and not request.node.get_closest_marker("leaves_litter"):
        litter += [path for pattern in (".parw2v-*", "*.tmp", ".*.lock") for path in directory.rglob(pattern)]
        litter += cache_home.rglob("unfinished-*")
    assert not left, f"left behind: {left}"
    assert not litter, f"left behind: {litter}"


def _left_running():
    """Descendants of this process that are still there, as text; its own resource tracker stays to the end."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        command = _read(entry / "cmdline").replace("\0", " ")[:100]
        parent = (_read(entry / "stat").rpartition(")")[2].split() or [0, 0])[1]
        if _MARK in _read(entry / "environ").split("\0"):
            if not (int(parent) == os.getpid() and "resource_tracker" in command):
                found.append(f"{entry.name} {command}")
        elif int(parent) == os.getpid() and not command:
            found.append(f"{entry.name} (not waited for)")
    return found
