"""A setting out of its range is refused by its name; anything else is kept as it was given."""

import dataclasses
import json

import numpy as np
import pytest

from parw2v.config import DEFAULT_LR, OBJECTIVES, TrainSettings, available_cores
from parw2v.errors import Parw2vError, SettingsError
from parw2v.schedule import learning_rate

NAN, INF = float("nan"), float("inf")

BAD = {
    "epochs": [0, -1, NAN, INF, 2.5, "3", None],
    "lr": [0, -0.1, NAN, INF, -INF, "0.1"],
    "lr_min": [-1e-9, NAN, INF, None, "x"],
    "window": [0, -5, 101, NAN, INF, 5.0, None],
    "batch_size": [0, 65537, -40, NAN, INF, 256.0],
    "sample": [-1e-3, NAN, INF, None, "none"],
    "sample_rule": ["gensim", "", None, 1],
    "seed": [-1, NAN, 1.5, None],
    "workers": [0, -1, 1025, NAN, INF, 2.0],
    "log_every": [0, -1, NAN, 0.5],
    "checkpoint_every": [-1, NAN, INF, "1h"],
    "max_restarts": [-1, NAN, INF, None],
    "hang_timeout": [0.5, -1, NAN, INF, None, "1h"],
}

GOOD = {
    "epochs": [1, 1000],
    "lr": [None, 1e-3, 5, 0.0001],
    "lr_min": [0, 0.025],
    "window": [1, 100],
    "batch_size": [1, 41, 65536],
    "sample": [0, 1e-5, 1, 2.5],
    "sample_rule": ["paper", "word2vec"],
    "seed": [0, 2**64],
    "workers": [None, 1, 1024],
    "log_every": [None, 1, 10**9],
    "checkpoint_every": [None, 0, 0.5, 3600],
    "max_restarts": [0, 10**6],
    "hang_timeout": [1, 2.5, 10**6],
}


def test_every_field_is_tried():
    fields = {field.name for field in dataclasses.fields(TrainSettings)}
    assert fields == BAD.keys() == GOOD.keys()
    for field in dataclasses.fields(TrainSettings):
        assert field.metadata["help"]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_out_of_range(name, value):
    with pytest.raises(SettingsError, match=f"^{name} is") as caught:
        TrainSettings(**{name: value})
    assert str(value) in str(caught.value)
    assert isinstance(caught.value, Parw2vError)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_in_range(name, value):
    settings = TrainSettings(**{name: value})
    assert getattr(settings, name) == value
    assert settings.to_dict() == TrainSettings().to_dict() | {name: value}
    assert TrainSettings(**json.loads(json.dumps(settings.to_dict()))) == settings


def test_numbers_of_numpy_become_plain():
    given = {"epochs": np.int64(3), "window": np.uint8(4), "lr": np.float32(0.25), "workers": np.int32(2)}
    settings = TrainSettings(**given, sample=np.float64(0))
    assert json.loads(json.dumps(settings.to_dict()))["lr"] == 0.25
    assert type(settings.epochs) is type(settings.window) is type(settings.workers) is int
    assert settings == TrainSettings(epochs=3, window=4, lr=0.25, workers=2, sample=0)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainSettings().epochs = 3
    with pytest.raises(SettingsError, match="epochs is 0"):
        dataclasses.replace(TrainSettings(), epochs=0)


def test_learning_rates():
    for objective in OBJECTIVES:
        assert TrainSettings().learning_rate(objective) == DEFAULT_LR[objective]
        assert TrainSettings(lr=0.3).learning_rate(objective) == 0.3


def test_the_floor_is_below_the_rate():
    with pytest.raises(SettingsError, match=r"lr_min is 0\.02, more than lr \(0\.01\)"):
        TrainSettings(lr=0.01, lr_min=0.02)
    between = TrainSettings(lr_min=0.03)
    assert between.learning_rate("cbow") == 0.05
    with pytest.raises(SettingsError, match=r"lr_min is 0\.03, more than lr \(0\.025\)"):
        between.learning_rate("skipgram")


def test_workers():
    assert TrainSettings(workers=3).n_workers == 3
    assert TrainSettings().n_workers == available_cores() >= 1


def test_schedule_is_linear_with_a_floor():
    rates = [learning_rate(done, 1000, 0.05, 0.01) for done in (0, 250, 500, 800, 900, 1000, 1500)]
    assert rates == pytest.approx([0.05, 0.0375, 0.025, 0.01, 0.01, 0.01, 0.01])


def test_batches_are_smaller_with_many_workers():
    sizes = [TrainSettings(workers=n).step_words for n in (1, 16, 17, 64)]
    assert sizes == [336, 336, 168, 168]
    assert TrainSettings(workers=64, batch_size=300).step_words == 300
