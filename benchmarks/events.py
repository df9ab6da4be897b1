"""A discrete simulation in small: a clock, things that happen, and what is shared evenly by all that want it."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Step = Callable[[Callable[[], None]], None]
"""What a process waits for: is given what is to be called when it may go on."""


class Clock:
    """Calls what is due, in order."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now + seconds, next(self._count), call))

    def run(self) -> None:
        while self._due:
            self.now, _, call = heapq.heappop(self._due)
            call()


class Event:
    """Something that happens once; whoever waits goes on then."""

    def __init__(self) -> None:
        self.happened = False
        self._waiting: list[Callable[[], None]] = []

    def happen(self) -> None:
        self.happened = True
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()

    def wait(self, call: Callable[[], None]) -> None:
        if self.happened:
            call()
        else:
            self._waiting.append(call)


@dataclass(eq=False)
class Job:
    """A piece of work: so many units, of which it can do `width` a second where nobody else is."""

    left: float
    width: float
    done: Callable[[], None]
    rate: float = 0.0


class Shared:
    """Cores of a machine, or a link: all jobs get what they want or, where that is too much, their even part."""

    def __init__(self, clock: Clock, capacity: float) -> None:
        self.clock, self.capacity = clock, capacity
        self.jobs: list[Job] = []
        self._looked = 0.0
        self._version = 0

    def start(self, units: float, width: float, done: Callable[[], None]) -> Job:
        job = Job(units, width, done)
        if units <= 0 or math.isinf(self.capacity):
            self.clock.after(0.0, done)
            return job
        self.settle()
        self.jobs.append(job)
        self._plan()
        return job

    def stop(self, job: Job) -> float:
        """Take a job away; returns what is left of it."""
        self.settle()
        if job in self.jobs:
            self.jobs.remove(job)
            self._plan()
        return job.left

    def settle(self) -> None:
        """Enter what was done since the last look."""
        seconds = self.clock.now - self._looked
        self._looked = self.clock.now
        for job in self.jobs:
            job.left -= job.rate * seconds

    def _plan(self) -> None:
        wanted = sum(job.width for job in self.jobs)
        part = min(1.0, self.capacity / wanted) if wanted else 1.0
        for job in self.jobs:
            job.rate = job.width * part
        self._version += 1
        if self.jobs:
            version = self._version
            first = min(max(job.left, 0.0) / job.rate for job in self.jobs)
            self.clock.after(first, lambda: self._end(version))

    def _end(self, version: int) -> None:
        if version != self._version:
            return
        self.settle()
        over = [job for job in self.jobs if job.left <= 1e-9 * max(job.width, 1.0) or job.left / job.rate < 1e-12]
        self.jobs = [job for job in self.jobs if job not in over]
        self._plan()
        for job in over:
            job.done()


class Process:
    """A generator of steps, taken one after the other."""

    def __init__(self, steps: Iterator[Step]) -> None:
        self._steps = steps
        self._go_on()

    def _go_on(self) -> None:
        step = next(self._steps, None)
        if step is not None:
            step(self._go_on)
