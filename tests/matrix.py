"""The matrix of faults: its rows, the tests that try each, and the table of what came of them.

``pytest --faults`` tries all of it, as often as docs/faults.md says; without it each test is a short version of itself.
"""

import ast
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS.parent / "benchmarks"))

ROWS = {
    "a worker is killed": (
        "test_faults.py::test_killed_workers_cost_nothing",
        "test_faults.py::test_workers_killed_while_they_start",
        "test_trainer.py::test_killed_workers_are_replaced_and_no_word_is_lost",
        "test_trainer.py::test_a_block_lost_with_its_worker_is_trained_again",
        "test_trainer.py::test_a_worker_killed_while_it_starts_is_replaced",
        "test_pool.py::test_a_death_tells_its_cause_and_the_lost_task_and_is_made_up_for",
        "test_commands.py::test_killed_workers_are_replaced",
    ),
    "workers die too often": (
        "test_faults.py::test_past_max_restarts_a_run_stops_in_time_and_can_go_on",
        "test_trainer.py::test_too_many_deaths_stop_the_run_within_five_seconds",
        "test_commands.py::test_too_many_deaths_are_one_line",
    ),
    "a worker hangs": ("test_faults.py::test_workers_that_hang_are_replaced",),
    "memory runs out in a worker": (
        "test_shortages.py::test_workers_killed_for_lack_of_memory",
        "test_shortages.py::test_a_container_that_is_too_small",
    ),
    "a reader is killed": (
        "test_reading.py::test_a_reader_that_is_killed_is_named_in_one_line",
        "test_reading.py::test_a_run_with_a_killed_reader_ends_in_one_line",
        "test_reading.py::test_readers_leave_when_the_run_is_killed",
    ),
    "the coordinator is killed": (
        "test_faults.py::test_a_chain_of_killed_coordinators",
        "test_commands.py::test_a_killed_coordinator_takes_its_workers_and_segments_along",
        "test_pool.py::test_workers_leave_when_the_coordinator_is_killed",
        "test_commands.py::test_a_terminal_that_goes_away_stops_the_run",
    ),
    "all processes are killed at once": (
        "test_faults.py::test_the_next_run_sweeps_after_a_killed_group",
        "test_commands.py::test_the_next_run_sweeps_what_a_killed_group_left",
        "test_commands.py::test_files_half_written_by_a_killed_run_are_removed",
    ),
    "killed at a step of a checkpoint": ("test_faults.py::test_a_kill_at_each_step_of_a_checkpoint",),
    "a checkpoint is damaged": (
        "test_faults.py::test_a_checkpoint_damaged_anywhere_is_passed_over",
        "test_checkpoint.py::test_a_damaged_newest_is_passed_over",
        "test_checkpoint.py::test_all_damaged",
        "test_commands.py::test_resume_with_damaged_checkpoints",
    ),
    "resume with something changed": (
        "test_faults.py::test_a_resume_with_any_setting_changed_is_refused",
        "test_faults.py::test_a_resume_with_another_text_or_vocabulary_is_refused",
        "test_commands.py::test_resume_with_other_settings_names_the_difference",
    ),
    "stop and resume, one worker": (
        "test_faults.py::test_a_run_cut_anyhow_gives_the_same_bits",
        "test_commands.py::test_a_run_cut_by_a_signal_gives_the_same_bits",
        "test_trainer.py::test_stop_and_resume_give_the_same_bits",
    ),
    "stop and resume, several workers": (
        "test_faults.py::test_several_workers_train_each_block_once_across_stops",
        "test_commands.py::test_two_workers_account_for_every_word_after_a_stop",
    ),
    "a signal, once or twice, in each phase": (
        "test_faults.py::test_a_signal_in_each_phase",
        "test_faults.py::test_signals_at_random_moments",
        "test_commands.py::test_a_second_signal_stops_at_once",
        "test_commands.py::test_a_signal_while_reading_leaves_nothing",
    ),
    "training diverges": (
        "test_commands.py::test_an_absurd_rate_ends_in_one_line_and_spares_an_older_model",
        "test_trainer.py::test_an_absurd_rate_diverges_with_a_remedy",
        "test_trainer.py::test_a_bad_state_never_displaces_a_good_checkpoint",
    ),
    "the disk is full, read-only or broken": (
        "test_shortages.py::test_checkpoints_that_cannot_be_written_stop_nothing",
        "test_shortages.py::test_a_stop_whose_checkpoint_cannot_be_written_is_one_line",
        "test_shortages.py::test_a_model_that_cannot_be_written_is_saved_elsewhere",
        "test_shortages.py::test_a_full_disk_before_training_is_one_line",
        "test_shortages.py::test_an_input_output_error_costs_one_checkpoint",
        "test_files.py::test_a_full_disk_at_any_step",
        "test_cache.py::test_a_full_disk",
        "test_corpus.py::test_a_full_disk",
    ),
    "shared memory is small": (
        "test_shortages.py::test_a_shm_of_four_megabytes",
        "test_commands.py::test_a_small_shm_is_one_line_before_training",
        "test_shared.py::test_a_small_shm_is_found_out_before_the_first_write",
    ),
    "little memory (RLIMIT_AS)": (
        "test_shortages.py::test_any_limit_on_memory_is_enough_or_one_line",
        "test_commands.py::test_a_limit_on_memory_is_one_line",
    ),
    "an odd text": (
        "test_shortages.py::test_texts_of_all_kinds",
        "test_shortages.py::test_one_line_as_long_as_the_text",
        "test_shortages.py::test_a_text_that_changes_while_it_is_read",
        "test_commands.py::test_a_mistake_is_one_line_and_leaves_nothing",
    ),
    "a hostile file": ("test_hostile.py::*",),
    "a download goes wrong": ("test_datasets.py::*",),
    "two runs, one --out": (
        "test_shortages.py::test_runs_with_one_out_take_turns_or_are_refused",
        "test_commands.py::test_a_second_run_with_the_same_out_is_refused",
        "test_files.py::test_one_holder_among_processes",
    ),
    "several runs, one cache": (
        "test_shortages.py::test_runs_with_one_cache_never_see_half_of_it",
        "test_cache.py::test_killed_while_it_is_made",
        "test_cache.py::test_two_runs_that_read_the_same_text_at_once",
    ),
}
"""Row -> its tests; ``*`` stands for all of a file."""


def row_of(node):
    """The row that a test belongs to, by its node ID; None for most."""
    path, _, name = node.partition("::")
    file, name = Path(path).name, name.split("[")[0].split("::")[-1]
    return next((row for row, tests in ROWS.items() if {f"{file}::{name}", f"{file}::*"} & set(tests)), None)


def functions(file):
    """Names of the tests in a file."""
    return {
        node.name
        for node in ast.walk(ast.parse((TESTS / file).read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


class Record:
    """A pytest plugin that counts what was tried in each row, and writes ``faults.json`` and ``faults.md`` after each test.

    Rows of an earlier call that this one did not try stay.
    """

    def __init__(self, directory):
        from common import provenance

        self.directory, self.rows, self.about = Path(directory), {}, provenance()
        file = self.directory / "faults.json"
        self.before = json.loads(file.read_text())["rows"] if file.exists() else {}

    def pytest_runtest_logreport(self, report):
        row = row_of(report.nodeid)
        if row is None or (report.when != "call" and report.passed):
            return
        found = self.rows.setdefault(
            row, dict.fromkeys(("tests", "skipped", "tried", "survived"), 0) | {"seconds": 0.0}
        )
        found["seconds"] += report.duration
        if report.skipped:
            found["skipped"] += 1
            return
        if report.when != "call":  # it was counted, but left something behind
            found["survived"] = max(found["survived"] - 1, 0)
            return
        properties = dict(report.user_properties)
        tried = properties.get("tried", 1)
        found["tests"] += 1
        found["tried"] += tried
        found["survived"] += tried if report.passed else min(properties.get("survived", 0), tried - 1)

    def pytest_runtest_logfinish(self, nodeid):
        if row_of(nodeid) and self.rows:
            self.write()

    def write(self):
        from common import table

        when = {"commit": self.about["commit"], "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}
        measured = {row: found | {"seconds": round(found["seconds"], 1)} | when for row, found in self.rows.items()}
        rows = {row: (self.before | measured)[row] for row in ROWS if row in self.before | measured}
        self.directory.mkdir(parents=True, exist_ok=True)
        machine, versions = self.about["machine"], self.about["versions"]
        record = {"machine": machine, "versions": versions, "rows": rows}
        (self.directory / "faults.json").write_text(json.dumps(record, indent=1) + "\n")
        keys = ("tests", "tried", "survived", "skipped", "seconds", "commit")
        lines = table(("fault", *keys), [(row, *(found[key] for key in keys)) for row, found in rows.items()])
        foot = f"{machine['cores']} cores of {machine['cpu']}; Python {versions['python']}, NumPy {versions['numpy']}."
        (self.directory / "faults.md").write_text(f"`make test-faults`\n\n{lines}\n\n{foot}\n")


# ------------------------------------------------------------------------------------------------ faults to order

FAULTY = """
import io, os, pkgutil, signal, sys, time
from pathlib import Path

from parw2v.commands import main

place, where, number, deed = sys.argv[1:5]
owner, _, name = place.rpartition(".")
owner = pkgutil.resolve_name(owner)
original, calls = getattr(owner, name), 0

def file_of(given):
    if hasattr(given, "fileno"):
        given = given.fileno()
    return os.readlink(f"/proc/self/fd/{given}") if isinstance(given, int) else str(given)

def faulty(*given, **named):
    global calls
    if where and not any(where in file_of(one) for one in given):
        return original(*given, **named)
    calls += 1
    if calls != int(number):
        return original(*given, **named)
    if deed == "after":
        original(*given, **named)
    if deed == "half":
        content = io.BytesIO()
        original(content, *given[1:])
        given[0].write(content.getvalue()[: len(content.getvalue()) // 2])
        given[0].flush()
    if deed in ("before", "after", "half"):
        os.kill(os.getpid(), signal.SIGKILL)
    if deed == "wait":
        Path("there").touch()
        while not Path("go").exists():
            time.sleep(0.005)
        return original(*given, **named)
    raise OSError(int(deed), os.strerror(int(deed)))

setattr(owner, name, faulty)
sys.exit(main(sys.argv[5:]))
"""
"""``python -c FAULTY PLACE WHERE NUMBER DEED ARGUMENTS``: the command line, in which one call goes wrong.

PLACE is a function as ``module:Class.name`` or ``module.name``. Of its calls, those count of which an argument is a file
whose name holds WHERE (empty: all). With the one of this NUMBER the process kills itself ``before`` or ``after``, or when
``half`` is written; or it ``wait``s, having made a file ``there``, until there is a file ``go``; or it fails with an errno.
"""
