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
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, TypeAlias

from parw2v.errors import WorkerError

Task: TypeAlias = Any
"""Small and picklable; None is not a task."""

_BOOT = (
    "import sys; sys.path[:] = {path!r}; import {module}; from parw2v.pool import serve; serve({fd}, {module}.{name})"
)


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection
    ready: bool = False
    tasks: deque[Task] = field(default_factory=deque)


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
    """

    target: str
    n_workers: int
    setup: Any
    environment: dict[str, str]
    max_restarts: int
    restarts: int = 0
    _workers: list[_Worker] = field(default_factory=list)

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
        return [
            self._receive(numbers[ready]) for ready in wait(list(numbers), timeout) if isinstance(ready, Connection)
        ]

    def _receive(self, number: int) -> Ready | Result | Death:
        worker = self._workers[number]
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

    def _replace(self, number: int) -> Death:
        dead = self._workers[number]
        dead.connection.close()
        dead.process.kill()  # its end of the socket is closed, so it is of no use even if it still runs
        death = Death(number, dead.process.pid, _cause(dead.process.wait()), tuple(dead.tasks))
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
        self._workers.clear()


def _cause(code: int) -> str:
    """Say in words how a process ended."""
    if code >= 0:
        return f"ended by itself with status {code}"
    try:
        killer = signal.Signals(-code)
    except ValueError:
        return f"was killed by signal {-code}"
    likely = {signal.SIGKILL: ", perhaps for lack of memory", signal.SIGBUS: ", shared memory ran out"}
    return f"was killed by signal {-code} ({killer.name}{likely.get(killer, '')})"


# ------------------------------------------------------------------------------------------------ in the worker


def serve(descriptor: int, prepare: Callable[[Any], Callable[[Task], Any]]) -> None:
    """A worker's life: take the setup, then one task after another, until the coordinator is gone."""
    connection = Connection(descriptor)
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, inbox), daemon=True).start()
    try:
        do = prepare(inbox.get())
        connection.send((True, None))
        while True:
            connection.send((True, do(inbox.get())))
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
