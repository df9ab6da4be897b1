"""Workers do tasks, die, hang and leave; the pool always knows."""

import json
import math
import os
import signal
import sys
import time

import pytest
from conftest import children, runs, until

from parw2v.blas import worker_environment
from parw2v.errors import WorkerError
from parw2v.pool import Death, Pool, Ready, Result, _cause

TWO_SECONDS = 2
"""Within which workers are gone once their coordinator is."""


def pool_of(function, n_workers=1, setup=None, max_restarts=3, environment=None):
    environment = dict(os.environ) if environment is None else environment
    return Pool(f"pool_tasks:{function}", n_workers, setup, environment, max_restarts)


def events(pool, seconds=60):
    """All that happens until something does."""
    return until(lambda: pool.wait(0.2), seconds)


def ready(pool):
    """Wait until every worker is."""
    until(lambda: pool.wait(0.2) is not None and len(pool.free()) == pool.n_workers)


def one_result(pool, task, worker=0):
    pool.submit(worker, task)
    [event] = events(pool)
    return event


def test_each_task_gives_its_result():
    with pool_of("adder", 2, setup=100) as pool:
        assert pool.free() == []
        started = []
        while len(started) < 2:
            started += events(pool)
        assert sorted(started, key=lambda event: event.worker) == [Ready(0), Ready(1)]
        results = []
        waiting = list(range(20))
        while len(results) < 20:
            for worker in pool.free():
                if waiting:
                    pool.submit(worker, waiting.pop())
            results += events(pool)
        assert sorted(result.value for result in results) == [100 + i for i in range(20)]
        assert all(result.value == result.task + 100 for result in results)
        pids = pool.pids
        assert len(set(pids)) == 2
    assert not any(map(runs, pids))
    assert pool.pids == []


def test_wait_returns_when_nothing_happens():
    with pool_of("adder", setup=1) as pool:
        ready(pool)
        assert pool.wait(0.01) == []


@pytest.mark.parametrize("text", ["no such thing", "two\nlines"])
def test_an_exception_names_type_text_and_line_in_one_line(text):
    with pool_of("troublemaker") as pool:
        ready(pool)
        [pid] = pool.pids
        pool.submit(0, ("raise", text))
        with pytest.raises(WorkerError) as caught:
            events(pool)
    message = str(caught.value)
    assert f"worker 0 (pid {pid})" in message
    assert f"ValueError: {' '.join(text.split())} (pool_tasks.py:" in message
    assert "\n" not in message


def test_an_exception_at_the_start_is_reported():
    with (
        pool_of("bad_start", setup="this") as pool,
        pytest.raises(WorkerError, match=r"RuntimeError: cannot start with this \(pool_tasks"),
    ):
        events(pool)


@pytest.mark.parametrize(
    ("task", "cause"),
    [
        (("kill", signal.SIGKILL), "was killed by signal 9 (SIGKILL, perhaps for lack of memory)"),
        (("kill", signal.SIGBUS), "was killed by signal 7 (SIGBUS, shared memory ran out)"),
        (("kill", signal.SIGTERM), "was killed by signal 15 (SIGTERM)"),
        (("exit", 3), "ended by itself with status 3"),
        (("exit", 0), "ended by itself with status 0"),
    ],
)
def test_a_death_tells_its_cause_and_the_lost_task_and_is_made_up_for(task, cause):
    with pool_of("troublemaker", 2) as pool:
        ready(pool)
        before = pool.pids
        pool.submit(1, task)
        [death] = events(pool)
        assert death == Death(1, before[1], cause, (task,))
        assert pool.pids[0] == before[0]
        assert pool.pids[1] != before[1]
        assert pool.free() == [0]
        assert events(pool) == [Ready(1)]
        assert one_result(pool, ("again",), worker=1) == Result(1, ("again",), ("again",))


def test_an_idle_worker_that_dies_loses_no_task():
    with pool_of("adder", setup=1) as pool:
        ready(pool)
        [pid] = pool.pids
        os.kill(pid, signal.SIGKILL)
        [death] = events(pool)
        assert death.tasks == ()
        ready(pool)
        assert one_result(pool, 4).value == 5


def test_a_task_given_to_a_dead_worker_is_not_lost():
    with pool_of("adder", setup=1) as pool:
        ready(pool)
        [pid] = pool.pids
        os.kill(pid, signal.SIGKILL)
        until(lambda: not runs(pid))
        [death] = [one_result(pool, 4)]
        assert death.tasks == (4,)


def test_a_death_before_the_first_task_is_made_up_for(tmp_path):
    with pool_of("lone_start", setup=(str(tmp_path / "died"), signal.SIGKILL)) as pool:
        [death] = events(pool)
        assert isinstance(death, Death)
        assert events(pool) == [Ready(0)]


def test_too_many_deaths_end_it_naming_pid_and_signal():
    with pool_of("troublemaker", max_restarts=1) as pool:
        ready(pool)
        pool.submit(0, ("kill", signal.SIGKILL))
        events(pool)
        ready(pool)
        [pid] = pool.pids
        pool.submit(0, ("kill", signal.SIGKILL))
        with pytest.raises(WorkerError, match=rf"pid {pid}.*signal 9.*2 deaths are more than the 1"):
            events(pool)


def test_a_worker_that_cannot_start_ends_it(capfd):
    with pool_of("no_such_function") as pool, pytest.raises(WorkerError, match=r"AttributeError: .*no_such_function"):
        events(pool)
    assert capfd.readouterr().err == ""


def test_what_a_dying_worker_printed_is_its_cause_and_nothing_else_is_shown(capfd):
    with pool_of("troublemaker") as pool:
        ready(pool)
        pool.submit(0, ("print and exit", "first\nBLAS:  gives up\n\n", 1))
        [death] = events(pool)
    assert death.cause == "ended by itself with status 1 (BLAS: gives up)"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("moment", ["task", "start", "message"])
def test_a_worker_without_memory_is_replaced(tmp_path, moment, capfd):
    """Under a real limit on addresses, which the first worker sets for itself."""
    with pool_of("greedy", setup=(str(tmp_path / "tried"), moment)) as pool:
        if moment != "start":
            ready(pool)
            pool.submit(0, b"." * (64 << 20) if moment == "message" else b"task")
        [death] = events(pool)
        assert death.cause == "got no memory"
        ready(pool)
        assert one_result(pool, b"again").value == 5
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------------------------------------- hanging workers


@pytest.mark.parametrize("kind", ["hang", "stopped", "stopped before the task", "stopped at the start"])
def test_a_hanging_worker_is_killed_and_replaced(tmp_path, kind):
    with pool_of("troublemaker") as pool:
        [pid] = pool.pids
        if kind != "stopped at the start":
            ready(pool)
        if kind.startswith("stopped "):
            os.kill(pid, signal.SIGSTOP)
        if kind != "stopped at the start":
            pool.submit(0, ("hang", str(tmp_path / "pid")))
        if kind == "stopped":
            until(lambda: (tmp_path / "pid").exists())
            os.kill(pid, signal.SIGSTOP)
        pool.hang_timeout = 1
        started = time.monotonic()
        [death] = events(pool)
        assert time.monotonic() - started < 1 + TWO_SECONDS
        assert (death.pid, death.cause) == (pid, "hung, without a sign of life for 1 s, and was killed")
        assert len(death.tasks) == (kind != "stopped at the start")
        assert not runs(pid)
        pool.hang_timeout = math.inf  # the next one may take longer to start here
        ready(pool)
        assert one_result(pool, ("again",)).value == ("again",)


def test_a_worker_that_shows_signs_of_life_or_has_nothing_to_do_does_not_hang(tmp_path):
    signs = iter(range(10**9))
    with pool_of("troublemaker", 2) as pool:
        ready(pool)
        pool.submit(0, ("hang", str(tmp_path / "pid")))
        pool.sign_of_life = lambda worker: worker or next(signs)
        pool.hang_timeout = 0.5
        assert [event for _ in range(20) for event in pool.wait(0.05)] == []
        pool.sign_of_life = lambda worker: None
        [death] = events(pool)
        assert death.worker == 0


def test_a_pause_of_the_coordinator_is_no_hang_of_a_worker(tmp_path):
    with pool_of("troublemaker") as pool:
        ready(pool)
        pool.hang_timeout = 0.5
        pool.submit(0, ("hang", str(tmp_path / "pid")))
        pool.wait(0)
        time.sleep(0.6)  # as under Ctrl-Z, or in a long callback
        assert pool.wait(0) == []


@pytest.mark.parametrize("kind", ["hang", "spin"])
def test_closing_ends_workers_in_the_middle_of_a_task(tmp_path, kind, capfd):
    with pool_of("troublemaker", 2) as pool:
        ready(pool)
        for worker in (0, 1):
            pool.submit(worker, (kind, str(tmp_path / str(worker))))
        until(lambda: all((tmp_path / name).exists() for name in "01"))
        pids = pool.pids
        started = time.monotonic()
    assert time.monotonic() - started < TWO_SECONDS
    assert not any(map(runs, pids))
    pool.close()
    assert capfd.readouterr().err == ""


def test_closing_ends_a_stopped_worker():
    with pool_of("adder", setup=1) as pool:
        ready(pool)
        [pid] = pool.pids
        os.kill(pid, signal.SIGSTOP)
    assert not runs(pid)


def test_closing_while_workers_answer_is_silent(capfd):
    """A worker whose answer finds nobody must not write a traceback to the terminal."""
    for _ in range(5):
        with pool_of("adder", 2, setup=1) as pool:
            ready(pool)
            for worker in (0, 1):
                pool.submit(worker, worker)
    assert capfd.readouterr().err == ""


def test_workers_see_this_path_their_own_group_and_one_thread(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    with pool_of("surroundings", environment=worker_environment()) as pool:
        ready(pool)
        [pid] = pool.pids
        told = one_result(pool, 0).value
    assert told["path"] == sys.path
    assert told["group"] == pid
    assert told["main"] is None
    assert set(told["threads"]) == {1}


COORDINATOR = """
import json, os, sys
sys.path.insert(0, {tests!r})
from parw2v.pool import Pool
pool = Pool("pool_tasks:troublemaker", 2, None, dict(os.environ), 3).__enter__()
while len(pool.free()) < 2:
    pool.wait(1)
for worker in (0, 1):
    pool.submit(worker, ({kind!r}, str(worker)))
print(json.dumps(pool.pids), flush=True)
pool.wait(1000)
"""


@pytest.mark.parametrize("kind", ["hang", "spin"])
def test_workers_leave_when_the_coordinator_is_killed(python, tmp_path, kind):
    process = python.start("-c", COORDINATOR.format(tests=os.path.dirname(__file__), kind=kind))
    pids = json.loads(process.stdout.readline())
    assert sorted(children(process.pid)) == sorted(pids)
    until(lambda: all((tmp_path / name).exists() for name in "01"))
    process.kill()
    until(lambda: not any(map(runs, pids)), TWO_SECONDS)
    assert python.finish(process).stderr == ""


def test_an_unknown_signal_has_a_cause_too():
    assert _cause(-99) == "was killed by signal 99"
