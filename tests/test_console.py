"""A bar on a terminal, lines elsewhere, nothing when quiet; reports pass through unchanged."""

import io
import math
import os
import termios
from dataclasses import replace

import numpy as np
import pytest

from parw2v import console
from parw2v.console import duration, plural, sentence, show_progress
from parw2v.progress import (
    CheckpointFailed,
    CheckpointSaved,
    EpochEnd,
    Finished,
    Logged,
    LossPoint,
    Progress,
    Started,
    Stopped,
    WorkerReplaced,
)

MB = 2**20


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def reports(tmp_path):
    return [
        Started(2000, 0, 2, "SkylakeX", 150 * MB),
        Progress(500, 2000, 1.5e6, 12.34, 0.0123, None, 0),
        WorkerReplaced(1, 4711, "was killed by signal 9 (SIGKILL)"),
        Logged(LossPoint(1000, 3.25, 0.01, 0), 40, 1e6),
        EpochEnd(0, 2, 3.25, lambda: (np.zeros((2, 2), np.float32),) * 2),
        CheckpointSaved(tmp_path / "000000010.npz", 1000),
        CheckpointFailed("/out/000000012.npz: cannot be written (No space left on device)", 1200),
        Progress(1500, 2000, 2.5e6, 3725.0, 0.005, 2.75, 1),
        EpochEnd(1, 2, 2.5, lambda: (np.zeros((2, 2), np.float32),) * 2),
        Finished(2000, 1200, 4.0, 4.0, 2.5, 123 * MB),
    ]


SENTENCES = [
    "training 2,000 words with 2 workers in about 150 MB of memory",
    "worker 1 (pid 4711) was killed by signal 9 (SIGKILL); replaced, its block is trained again",
    "epoch 1/2: loss 3.2500",
    "parw2v: warning: /out/000000012.npz: cannot be written (No space left on device); "
    "training goes on without this checkpoint",
    "epoch 2/2: loss 2.5000",
    "trained 2,000 words in 4.0 s: 500 words/s, loss 2.5000, 123 MB",
]


def test_lines_on_a_pipe(reports):
    stream = io.StringIO()
    assert list(show_progress(reports, file=stream)) == reports
    assert stream.getvalue().splitlines() == SENTENCES


def test_progress_lines_on_a_pipe_come_now_and_then(reports, monkeypatch):
    monkeypatch.setattr(console, "_LINE_SECONDS", 0)
    stream = io.StringIO()
    list(show_progress(reports, file=stream))
    assert [line for line in stream.getvalue().splitlines() if line not in SENTENCES] == [
        " 25%  1.50 M words/s, lr 0.0123, 12.3 s left",
        " 75%  2.50 M words/s, loss 2.750, lr 0.0050, 1:02:05 left",
    ]


def test_a_bar_on_a_terminal(reports):
    stream = Terminal()
    assert list(show_progress(reports, file=stream)) == reports
    text = stream.getvalue()
    assert "\r" in text
    assert "75%" in text
    assert "2.50 M words/s, loss 2.750, lr 0.0050, 1:02:05 left" in text
    for line in SENTENCES:
        assert f"{line}\n" in text


def test_a_bar_is_wiped_out_when_the_consumer_stops_early(reports):
    stream = Terminal()
    shown = show_progress(reports, file=stream)
    for _ in range(3):
        next(shown)
    shown.close()
    assert stream.getvalue().rpartition("\r")[2].strip() == ""


def test_quiet_shows_nothing_but_that_a_checkpoint_failed(reports, capfd):
    assert list(show_progress(reports, quiet=True)) == reports
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("parw2v: warning: /out/000000012.npz: cannot be written")


def test_standard_error_is_the_default(reports, capfd):
    list(show_progress(reports))
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == SENTENCES


def test_the_end_tells_of_deaths():
    end = Finished(2000, 1200, 4.0, 4.0, 2.5, 123 * MB, restarts=1)
    assert sentence(end).endswith("123 MB; 1 worker died and was replaced")
    assert sentence(replace(end, restarts=2)).endswith("; 2 workers died and were replaced")


def test_a_resumed_run_says_from_where():
    end = Finished(2000, 1200, 4.0, 4.0, 2.5, 123 * MB, words_before=1500)
    assert sentence(end).startswith("trained 500 words in 4.0 s: 125 words/s")
    assert (
        sentence(Started(2000, 700, 1, None, 90 * MB))
        == "training 2,000 words with 1 worker in about 90 MB of memory, from word 700 on"
    )


def test_a_stop_says_how_to_go_on(tmp_path):
    assert sentence(Stopped(None, 1000)) == "stopped after 1,000 words"
    assert sentence(Stopped(tmp_path, 1000)) == f"stopped after 1,000 words; continue with --resume ({tmp_path})"


def test_a_cluster_says_where_it_trains_and_that_the_memory_is_of_this_machine():
    assert (
        sentence(Started(2000, 0, 8, None, 90 * MB, n_nodes=2))
        == "training 2,000 words with 8 workers on 2 nodes, here in about 90 MB of memory"
    )


def test_progress_and_records_are_no_sentences():
    assert sentence(Progress(1, 2, 3.0, 4.0, 5.0, None, 0)) is None
    assert sentence(Logged(LossPoint(1, 1.0, 1.0, 0), 1, 1.0)) is None


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 words"), (1, "1 word"), (2, "2 words"), (1_234_567, "1,234,567 words")]
)
def test_plural(number, text):
    assert plural(number, "word") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (4.24, "4.2 s"),
        (59.94, "59.9 s"),
        (59.97, "1:00"),
        (60, "1:00"),
        (185, "3:05"),
        (3599.4, "59:59"),
        (3599.6, "1:00:00"),
        (7215, "2:00:15"),
        (360_000, "100:00:00"),
        (math.inf, "?"),
        (math.nan, "?"),
        (1e9, "?"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_the_command_line_draws_a_bar_on_a_real_terminal(python):
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    flags = ("--corpus", "sample", "--min_count", "2", "--epochs", "12", "--dim", "50", "--workers", "1")
    process = python.start_cli(*flags, stderr=slave)
    os.close(slave)
    shown = b""
    try:
        while piece := os.read(master, 4096):
            shown += piece
    except OSError:  # EIO: the other side has closed
        pass
    finally:
        os.close(master)
    done = python.finish(process)
    assert done.returncode == 0
    assert done.stdout == ""
    text = shown.decode()
    assert "M words/s, loss" in text
    assert "% " in text
    assert "epoch 12/12: loss" in text
    assert "vectors: results/model.npz" in text
