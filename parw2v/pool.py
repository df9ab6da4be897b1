"""Worker processes that do the tasks they are given, in order. Knows nothing of word2vec.

::

    coordinator                                   worker (one of n, a fresh interpreter)
    -----------                                   ------------------------------------------
    Pool.__enter__: start ------ setup ---------> serve(): prepare(setup) -> do
    Pool.wait       <----------- ready ----------
    Pool.submit     ------------ task ----------> do(task)
    Pool.wait       <----------- result ---------
    Pool.__exit__   ------------ end of file ---> leaves at once, whatever it is doing

Each worker has one socket to the coordinator and nothing else: no queue, no lock, no thread shared. Whoever sees end of
file knows that the other is gone. Workers are started as ``python -c`` rather than through multiprocessing, which would
run the caller's script again in each of them: so a script needs no ``if __name__ == "__main__"``. They get a process
group of their own, so Ctrl-C in a terminal reaches the coordinator only, which decides what becomes of them.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, TypeAlias

from parw2v.errors import WorkerError

Task: TypeAlias = Any
"""Small and picklable; None is not a task."""

_OUT_OF_MEMORY = 112
"""Exit status of a worker that got no memory; no program of the system ends with it."""

_BOOT = "import sys; sys.path[:] = {path!r}; from parw2v.pool import serve; serve({fd}, {module!r}, {name!r})"


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection
    ready: bool = False
    tasks: deque[Task] = field(default_factory=deque)
    sign: Hashable = None
    sign_time: float = field(default_factory=time.monotonic)
    """When `sign` was last seen to change, or a message came."""


@dataclass(frozen=True)
class Ready:
    """A worker has taken its setup and waits for a task."""

    worker: int


@dataclass(frozen=True)
class Result:
    """A worker finished its task."""

    worker: int
    task: Task
    value: Any


@dataclass(frozen=True)
class Death:
    """A worker died; a replacement has been started in its place, and `tasks` (if any) were not finished."""

    worker: int
    pid: int
    cause: str
    tasks: tuple[Task, ...]


@dataclass
class Pool:
    """A number of worker processes, replaced when they die.

    Parameters
    ----------
    target : str
        ``package.module:function``. In each worker it is called with `setup` and returns the function that does a task.
    n_workers : int
    setup : picklable
    environment : dict
        The workers' environment.
    max_restarts : int
        More deaths than this raise WorkerError.
    hang_timeout : float, optional
        Seconds without a sign of life after which a worker with something to do is taken to hang, killed and replaced.
    sign_of_life : callable, optional
        Of a worker's number; whatever it returns changes while the worker is at work. Messages are signs in any case.
    """

    target: str
    n_workers: int
    setup: Any
    environment: dict[str, str]
    max_restarts: int
    hang_timeout: float = math.inf
    sign_of_life: Callable[[int], Hashable] = lambda worker: None
    restarts: int = 0
    _workers: list[_Worker] = field(default_factory=list)
    _looked: float = field(default_factory=time.monotonic)

    def __enter__(self) -> Pool:
        try:
            for _ in range(self.n_workers):
                self._workers.append(self._start())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        return [worker.process.pid for worker in self._workers]

    def free(self, depth: int = 1) -> list[int]:
        """Numbers of the workers that are ready and have fewer than `depth` tasks, those with the fewest first."""
        loads = {i: len(worker.tasks) for i, worker in enumerate(self._workers) if worker.ready}
        return sorted((i for i, load in loads.items() if load < depth), key=lambda i: loads[i])

    def submit(self, worker: int, task: Task) -> None:
        """Give a worker its next task; it does them in order."""
        self._workers[worker].tasks.append(task)
        with contextlib.suppress(OSError):  # it died: wait() sees the end of file and reports its tasks with the death
            self._workers[worker].connection.send(task)

    def wait(self, timeout: float) -> list[Ready | Result | Death]:
        """What happened within `timeout` seconds; returns at once when something has.

        Raises
        ------
        WorkerError
            A task raised an exception, or workers died more often than `max_restarts`.
        """
        numbers = {worker.connection: i for i, worker in enumerate(self._workers)}
        told = [numbers[ready] for ready in wait(list(numbers), timeout) if isinstance(ready, Connection)]
        hung = [number for number in self._hung() if number not in told]
        cause = f"hung, without a sign of life for {self.hang_timeout:g} s, and was killed"
        return [*map(self._receive, told), *(self._replace(number, cause) for number in hung)]

    def _hung(self) -> list[int]:
        """Workers that have something to do and have given no sign of life for too long."""
        now = time.monotonic()
        stood_still = now - self._looked > self.hang_timeout / 2  # this process did, and perhaps all others with it
        self._looked = now
        for number, worker in enumerate(self._workers):
            idle = worker.ready and not worker.tasks
            if (sign := self.sign_of_life(number)) != worker.sign or idle or stood_still:
                worker.sign, worker.sign_time = sign, now
        return [i for i, worker in enumerate(self._workers) if now - worker.sign_time > self.hang_timeout]

    def _receive(self, number: int) -> Ready | Result | Death:
        worker = self._workers[number]
        worker.sign_time = time.monotonic()
        try:
            ok, value = worker.connection.recv()
        except (EOFError, OSError):
            return self._replace(number)
        if not ok:
            raise WorkerError(f"worker {number} (pid {worker.process.pid}) failed: {value}")
        if not worker.ready:
            worker.ready = True
            return Ready(number)
        return Result(number, worker.tasks.popleft(), value)

    def _replace(self, number: int, cause: str | None = None) -> Death:
        dead = self._workers[number]
        dead.connection.close()
        dead.process.kill()  # its end of the socket is closed, so it is of no use even if it still runs
        found = _cause(dead.process.wait(), _last_words(dead.process))
        death = Death(number, dead.process.pid, cause or found, tuple(dead.tasks))
        self.restarts += 1
        if self.restarts > self.max_restarts:
            raise WorkerError(
                f"worker {number} (pid {death.pid}) {death.cause}; {self.restarts} deaths are more than the "
                f"{self.max_restarts} a run puts up with"
            )
        self._workers[number] = self._start()
        return death

    def _start(self) -> _Worker:
        ours, theirs = Pipe()
        module, name = self.target.split(":")
        code = _BOOT.format(path=sys.path, module=module, name=name, fd=theirs.fileno())
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", code],
                env=self.environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,  # what a library prints when it gives up; for the cause of death
                process_group=0,
            )
        worker = _Worker(process, ours)
        with contextlib.suppress(OSError):  # it died at birth: wait() reports it
            ours.send(self.setup)
        return worker

    def close(self) -> None:
        """End all workers, at once and for certain."""
        for worker in self._workers:
            worker.connection.close()
        deadline = time.monotonic() + 2
        for worker in self._workers:
            try:
                worker.process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            if worker.process.stderr:
                worker.process.stderr.close()
        self._workers.clear()


def _last_words(process: subprocess.Popen[bytes]) -> str:
    """The last line that a process which has ended printed on standard error, which is closed."""
    assert process.stderr is not None
    with process.stderr as pipe:
        lines = os.read(pipe.fileno(), 1 << 16).decode(errors="replace").split("\n")
    return next((" ".join(line.split()) for line in reversed(lines) if line.strip()), "")


def _cause(code: int, last_words: str = "") -> str:
    """Say in words how a process ended."""
    if code == _OUT_OF_MEMORY:
        return "got no memory"
    if code >= 0:
        return f"ended by itself with status {code}" + (f" ({last_words})" if last_words else "")
    try:
        killer = signal.Signals(-code)
    except ValueError:
        return f"was killed by signal {-code}"
    likely = {signal.SIGKILL: ", perhaps for lack of memory", signal.SIGBUS: ", shared memory ran out"}
    return f"was killed by signal {-code} ({killer.name}{likely.get(killer, '')})"


# ------------------------------------------------------------------------------------------------ in the worker


def serve(descriptor: int, module: str, name: str) -> None:
    """A worker's life: take the setup, then one task after another, until the coordinator is gone."""
    connection = Connection(descriptor)
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, inbox), daemon=True).start()
    try:
        prepare: Callable[[Any], Callable[[Task], Any]] = getattr(importlib.import_module(module), name)
        do = prepare(inbox.get())
        connection.send((True, None))
        while True:
            connection.send((True, do(inbox.get())))
    except MemoryError:  # others may have more of it by the time a replacement is there
        os._exit(_OUT_OF_MEMORY)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{os.path.basename(last.filename)}:{last.lineno}"
        text = " ".join(str(error).split())
        with contextlib.suppress(OSError):  # the coordinator is gone, which may well be the error itself
            connection.send((False, f"{type(error).__name__}: {text} ({where})"))


def _listen(connection: Connection, inbox: queue.SimpleQueue[Any]) -> None:
    """Pass on what the coordinator sends; without a coordinator there is nothing left to do, even in mid-task."""
    try:
        while True:
            inbox.put(connection.recv())
    except (EOFError, OSError):
        os._exit(0)
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)
