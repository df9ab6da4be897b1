"""What the workers of test_pool.py do; they import it by name."""

import os
import resource
import signal
import sys
from pathlib import Path

from threadpoolctl import threadpool_info


def adder(setup):
    """Adds the setup to each task."""
    return lambda task: setup + task


def troublemaker(setup):
    """Does what the task says."""

    def do(task):
        match task:
            case ("raise", text):
                raise ValueError(text)
            case ("kill", number):
                os.kill(os.getpid(), number)
            case ("exit", status):
                os._exit(status)
            case ("print and exit", text, status):
                print(text, end="", file=sys.stderr, flush=True)
                os._exit(status)
            case ("hang", path):
                Path(path).write_text(str(os.getpid()))
                while True:
                    signal.pause()
            case ("spin", path):
                Path(path).write_text(str(os.getpid()))
                while True:
                    sum(range(1000))
        return task

    return do


def greedy(setup):
    """At its first start allows itself little memory and takes too much, at the moment given; then measures tasks."""
    path, moment = setup
    first = not Path(path).exists()
    if first:
        Path(path).touch()
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (32 << 20), resource.RLIM_INFINITY))
        if moment == "start":
            bytearray(256 << 20)

    def do(task):
        if first:
            bytearray(256 << 20)
        return len(task)

    return do


def bad_start(setup):
    raise RuntimeError(f"cannot start with {setup}")


def lone_start(setup):
    """Dies at its first start, by the signal given; the second succeeds."""
    path, number = setup
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), number)
    return lambda task: task


def surroundings(setup):
    """Tells about the process it runs in."""
    import numpy

    def tell(task):
        return {
            "environment": dict(os.environ),
            "group": os.getpgrp(),
            "path": sys.path,
            "main": getattr(sys.modules["__main__"], "__file__", None),
            "threads": [info["num_threads"] for info in threadpool_info()],
            "numpy": numpy.__version__,
        }

    return tell


def attacher(ticket):
    """Adds the task to the shared array ``x`` and returns its sum."""
    from parw2v.shared import attach

    arrays, segments = attach(ticket)

    def add(task):
        assert segments
        arrays["x"] += task
        return float(arrays["x"].sum()), arrays["x"].shape, str(arrays["x"].dtype)

    return add
