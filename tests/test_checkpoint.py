"""A run's state comes back to the bit, the newest whole checkpoint counts, and another run's is refused."""

import json
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from parw2v.checkpoint import (
    KEEP,
    RunState,
    Tally,
    check_same_run,
    finished_settings,
    has_checkpoints,
    load_checkpoint,
    remove_checkpoints,
    save_checkpoint,
    state_of_finished,
)
from parw2v.errors import ModelError, Parw2vError
from parw2v.model import Word2Vec
from parw2v.npz import digest, read_npz, write_npz
from parw2v.progress import LossPoint
from parw2v.vocabulary import Vocabulary

IDENTITY = {"lr": 0.1 + 0.2, "window": 5, "sample_rule": "paper", "corpus": "ab" * 32, "checkpoint": None}


@pytest.fixture
def model():
    model = Word2Vec(Vocabulary.from_lists(["a", "b", "c"], [3, 2, 1]), 4)
    model.W_out += np.float32(1 / 3)
    return model


def state_at(task, **changes):
    state = RunState(
        IDENTITY,
        next_task=task,
        raw_words=1000 * task,
        kept_words=300 * task,
        steps=7 * task,
        train_seconds=task / 7,
        epoch=Tally(task, 10, 2 / 3, 5.0),
        stretch=Tally(1, 2, 1e-17, 3.0),
        loss_history=[LossPoint(100 * i, 4 - i / 3, 0.025 / (i + 1), i // 2) for i in range(task)],
    )
    return replace(state, **changes)


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_round_trip(model, tmp_path):
    state = state_at(3)
    path = save_checkpoint(tmp_path / "run", model, state)
    assert path == tmp_path / "run" / "000000003.npz"
    found, restored, warnings = load_checkpoint(tmp_path / "run", IDENTITY)
    assert restored == state
    assert isinstance(restored.loss_history[0], LossPoint)
    assert isinstance(restored.epoch, Tally)
    assert warnings == []
    assert found.W_in.tobytes() == model.W_in.tobytes()
    assert found.W_out.tobytes() == model.W_out.tobytes()
    assert found.W_in.flags.writeable
    assert Word2Vec.load(path).W_in.tobytes() == model.W_in.tobytes()  # it is a model file too


def test_no_checkpoints(tmp_path):
    assert load_checkpoint(tmp_path / "missing", IDENTITY) is None
    (tmp_path / "123.npz").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".000000001.npz.x.tmp").touch()
    assert load_checkpoint(tmp_path, IDENTITY) is None
    (tmp_path / ".000000001.npz.x.tmp").unlink()


def test_the_last_ones_are_kept(model, tmp_path):
    (tmp_path / "notes.txt").touch()
    for task in (1, 2, 10, 100, 2000):
        save_checkpoint(tmp_path, model, state_at(task, loss_history=[]))
    assert names(tmp_path) == ["000000100.npz", "000002000.npz", "notes.txt"]
    assert KEEP == 2
    assert load_checkpoint(tmp_path, IDENTITY)[1].next_task == 2000


def test_later_checkpoints_of_another_run_go(model, tmp_path):
    """A new run in the directory of a longer one keeps its own, and never comes back to the other's."""
    for task in (80, 90):
        save_checkpoint(tmp_path, model, state_at(task))
    path = save_checkpoint(tmp_path, model, state_at(10))
    assert names(tmp_path) == [path.name]
    assert load_checkpoint(tmp_path, IDENTITY)[1].next_task == 10


DAMAGE = {
    "cut": lambda data: data[: len(data) // 2],
    "flipped": lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_newest_is_passed_over(model, tmp_path, name):
    save_checkpoint(tmp_path, model, state_at(1))
    newest = save_checkpoint(tmp_path, model, state_at(2))
    newest.write_bytes(DAMAGE[name](newest.read_bytes()))
    _, state, warnings = load_checkpoint(tmp_path, IDENTITY)
    assert state == state_at(1)
    (warning,) = warnings
    assert warning.startswith("checkpoint passed over: ")
    assert newest.name in warning
    # Going on from there, the damaged one does not count as one that is kept.
    save_checkpoint(tmp_path, model, replace(state, next_task=3))
    assert names(tmp_path)[0] in ("000000001.npz", "000000002.npz")
    assert load_checkpoint(tmp_path, IDENTITY)[1].next_task == 3


def test_going_on_before_a_damaged_one_keeps_the_whole_ones(model, tmp_path):
    save_checkpoint(tmp_path, model, state_at(1))
    newest = save_checkpoint(tmp_path, model, state_at(9))
    newest.write_bytes(b"damaged")
    save_checkpoint(tmp_path, model, state_at(5))
    assert names(tmp_path) == ["000000001.npz", "000000005.npz"]


def test_all_damaged(model, tmp_path):
    for task in (1, 2):
        save_checkpoint(tmp_path, model, state_at(task)).write_bytes(b"gone")
    with pytest.raises(ModelError, match=r"no checkpoint is whole.*000000002"):
        load_checkpoint(tmp_path, IDENTITY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 6}, "trained with window 5, this run has 6"),
        ({"lr": 0.3}, "trained with lr 0.30000000000000004, this run has 0.3"),
        ({"corpus": "cd" * 32}, "trained with corpus abab"),
        ({"new": 1}, "trained with new None, this run has 1"),
    ],
)
def test_another_run_is_refused(model, tmp_path, change, message):
    save_checkpoint(tmp_path, model, state_at(1))
    with pytest.raises(ModelError, match=message):
        load_checkpoint(tmp_path, IDENTITY | change)
    assert names(tmp_path) == ["000000001.npz"]


def test_epochs_may_grow(model, tmp_path):
    path = save_checkpoint(tmp_path, model, replace(state_at(1), identity=IDENTITY | {"epochs": 3}))
    for epochs in (3, 4):
        assert load_checkpoint(tmp_path, IDENTITY | {"epochs": epochs})[1].next_task == 1
    for saved, now in ((3, 2), (3, None), ("3", 4), (3, "4"), (None, 4), (True, 4)):
        with pytest.raises(ModelError, match=f"trained with epochs {saved}, this run has {now}"):
            check_same_run(path, {"epochs": saved}, {"epochs": now})


class Plan(NamedTuple):
    n_blocks: int
    n_words: int


def test_a_finished_run_goes_on_from_its_model(model):
    model.settings = finished_settings(state_at(8, identity=IDENTITY | {"epochs": 2}))
    assert json.loads(json.dumps(model.settings)) == model.settings
    state = state_of_finished(model, IDENTITY | {"epochs": 5}, Plan(4, 1000))
    assert state == RunState(IDENTITY | {"epochs": 5}, 8, 2000, 2400, words_before=2000)
    with pytest.raises(ModelError, match=r"has had its 2 epochs; give more --epochs"):
        state_of_finished(model, IDENTITY | {"epochs": 2}, Plan(4, 1000))
    with pytest.raises(ModelError, match=r"trained with epochs 2, this run has 1"):
        state_of_finished(model, IDENTITY | {"epochs": 1}, Plan(4, 1000))
    with pytest.raises(ModelError, match=r"trained with window 5, this run has 6"):
        state_of_finished(model, IDENTITY | {"epochs": 5, "window": 6}, Plan(4, 1000))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"epochs": 2},
        {"finished": {"kept_words": 3}},
        {"epochs": "2", "finished": {"kept_words": 3}},
        {"epochs": 2, "finished": {"kept_words": "3"}},
        {"epochs": 2, "finished": [3]},
        {"epochs": 2, "finished": None},
    ],
)
def test_a_model_of_no_finished_run_cannot_be_resumed(model, settings):
    model.settings = settings
    with pytest.raises(ModelError, match="not that of a finished run"):
        state_of_finished(model, IDENTITY, Plan(4, 1000))


def test_a_missing_setting_is_a_difference(tmp_path):
    check_same_run(tmp_path, IDENTITY, dict(IDENTITY))
    with pytest.raises(ModelError, match="window 5, this run has None"):
        check_same_run(tmp_path, IDENTITY, {k: v for k, v in IDENTITY.items() if k != "window"})


def good_record():
    return {
        "identity": IDENTITY,
        "next_task": 1,
        "raw_words": 1,
        "kept_words": 1,
        "steps": 1,
        "train_seconds": 1.0,
        "epoch": {},
        "stretch": {},
        "loss_history": [],
    }


BAD_STATES = {
    "no JSON": "{",
    "a list": [],
    "a text": "state",
    "a number": 3,
    "null": None,
    "nothing": {},
    "unknown field": good_record() | {"extra": 1},
    "history null": good_record() | {"loss_history": None},
    "history of numbers": good_record() | {"loss_history": [1, 2]},
    "history too long": good_record() | {"loss_history": [[1, 2, 3, 4, 5]]},
    "tally unknown": good_record() | {"epoch": {"x": 1}},
    "tally a list": good_record() | {"stretch": [1]},
    "identity a list": good_record() | {"identity": [1]},
    "identity null": good_record() | {"identity": None},
    "tally of texts": good_record() | {"epoch": {"loss_sum": "1"}},
    "tally NaN": good_record() | {"stretch": {"loss_count": float("nan")}},
    "history of texts": good_record() | {"loss_history": [[1, "2", 3, 4]]},
    "history infinite": good_record() | {"loss_history": [[1, 2, float("inf"), 4]]},
    "history past float": good_record() | {"loss_history": [[1, 2, 10**400, 4]]},
    "seconds a list": good_record() | {"train_seconds": [1]},
    "task negative": good_record() | {"next_task": -1},
    "task text": good_record() | {"next_task": "1"},
    "form number": good_record() | {"symmetric": 1},
    "words NaN": good_record() | {"raw_words": float("nan")},
    "words before negative": good_record() | {"words_before": -1},
    "steps fraction": good_record() | {"steps": 1.5},
}


def write_state(directory, model, state):
    text = state if state == "{" else json.dumps(state)
    directory.mkdir(exist_ok=True)
    with (directory / "000000001.npz").open("wb") as file:
        arrays = model.to_arrays() | {"state": np.array(text)}
        write_npz(file, arrays | {"sha256": np.array(digest(arrays))})


@pytest.mark.parametrize("name", BAD_STATES)
def test_states_that_are_none(model, tmp_path, name):
    write_state(tmp_path, model, good_record())
    assert load_checkpoint(tmp_path, IDENTITY)[1].next_task == 1
    write_state(tmp_path, model, BAD_STATES[name])
    with pytest.raises(ModelError, match="is not a checkpoint"):
        load_checkpoint(tmp_path, IDENTITY)


@pytest.mark.parametrize("change", ["a number", "a word", "the state", "no checksum"])
def test_the_checksum_sees_what_the_archive_does_not(model, tmp_path, change):
    """A file put together anew, its own checks all right."""
    path = save_checkpoint(tmp_path, model, state_at(1))
    arrays = read_npz(path)
    match change:
        case "a number":
            arrays["W_out"][1, 1] += 1
        case "a word":
            arrays["words"] = np.array(["a", "b", "d"])
        case "the state":
            arrays["state"] = np.array(str(arrays["state"]).replace('"raw_words": 1000', '"raw_words": 1001'))
        case "no checksum":
            del arrays["sha256"]
    with path.open("wb") as file:
        write_npz(file, arrays)
    with pytest.raises(ModelError, match="SHA-256"):
        load_checkpoint(tmp_path, IDENTITY)


def test_a_model_is_no_checkpoint(model, tmp_path):
    model.save(tmp_path / "000000001.npz")
    with pytest.raises(ModelError, match="is not a checkpoint"):
        load_checkpoint(tmp_path, IDENTITY)


def test_a_save_that_fails_keeps_the_others(model, tmp_path, monkeypatch):
    for task in (1, 2):
        save_checkpoint(tmp_path, model, state_at(task))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(Parw2vError, match="No space left"):
            save_checkpoint(tmp_path, model, state_at(3))
    assert names(tmp_path) == ["000000001.npz", "000000002.npz"]
    assert load_checkpoint(tmp_path, IDENTITY)[1] == state_at(2)


def test_remove(model, tmp_path):
    directory = tmp_path / "run"
    remove_checkpoints(directory)  # none there
    assert not has_checkpoints(directory)
    save_checkpoint(directory, model, state_at(1))
    assert has_checkpoints(directory)
    (directory / "notes.txt").touch()
    remove_checkpoints(directory)
    assert names(directory) == ["notes.txt"]
    (directory / "notes.txt").unlink()
    save_checkpoint(directory, model, state_at(1))
    remove_checkpoints(directory)
    assert not directory.exists()


def test_tally():
    tally = Tally()
    assert tally.loss == 0
    tally.add(3, 6.0, 4.0)
    tally.add(2, 1.0, 3.0)
    assert tally == Tally(2, 5, 7.0, 7.0)
    assert tally.loss == 1
