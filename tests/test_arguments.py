"""Every setting is a flag, spelled either way; help says what it defaults to; a mistake is one line."""

import dataclasses
import re

import pytest

from parw2v.arguments import train_settings
from parw2v.commands import _parser, parse
from parw2v.config import TrainSettings
from parw2v.errors import SettingsError
from parw2v.version import __version__


def actions():
    [subparsers] = [action for action in _parser()._actions if action.dest == "command"]
    return [action for action in subparsers.choices["train"]._actions if action.dest != "help"]


def help_text(capsys, *argv):
    with pytest.raises(SystemExit) as caught:
        parse([*argv])
    assert caught.value.code == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_flags_train_without_a_command():
    assert parse(["--corpus", "sample"]) == parse(["train", "--corpus", "sample"])
    assert parse(["--corpus", "sample"]).command == "train"


@pytest.mark.parametrize("form", ["--{0}-{1}", "--{0}_{1}"])
@pytest.mark.parametrize("glue", [True, False])
def test_hyphens_and_underscores_are_the_same(form, glue):
    flags = {("max", "tokens"): 7, ("batch", "size"): 32, ("min", "count"): 2, ("lr", "min"): 0.5, ("log", "every"): 9}
    argv = ["--corpus", "sample"]
    for words, value in flags.items():
        argv += [f"{form.format(*words)}={value}"] if glue else [form.format(*words), str(value)]
    arguments = parse(argv)
    for words, value in flags.items():
        assert getattr(arguments, "_".join(words)) == value


def test_values_keep_their_hyphens():
    arguments = parse(["--corpus=my-own-text.txt", "--out", "a-b/c-d", "--log-json=x-y.jsonl", "--data-dir=d-e"])
    assert arguments.corpus == "my-own-text.txt"
    assert str(arguments.out) == "a-b/c-d"
    assert str(arguments.log_json) == "x-y.jsonl"
    assert str(arguments.data_dir) == "d-e"


def test_a_single_hyphen_is_standard_input():
    assert parse(["--corpus", "-"]).corpus == "-"


def test_one_text_or_several():
    assert parse(["--corpus", "a.txt", "b*.gz", "--dim", "5"]).corpus == ["a.txt", "b*.gz"]
    assert parse(["--dim", "5", "--corpus", "a.txt"]).corpus == "a.txt"


@pytest.mark.parametrize("action", ["build", "show", "prune"])
def test_help_of_the_actions_of_vocab(capsys, action):
    text = help_text(capsys, "vocab", action, "--help")
    assert f"usage: parw2v vocab {action}" in text
    assert "None" not in text
    assert f"  {action} " in help_text(capsys, "vocab", "--help")


def test_flags_default_to_the_settings():
    assert train_settings(parse(["--corpus", "sample"])) == TrainSettings()


@pytest.mark.parametrize("field", dataclasses.fields(TrainSettings), ids=lambda field: field.name)
def test_every_setting_is_a_flag_with_the_fields_help_and_type(field):
    [action] = [action for action in actions() if action.dest == field.name]
    assert action.default == field.default
    assert action.help == field.metadata["help"]
    assert action.choices == field.metadata.get("choices")
    value = (
        field.metadata["choices"][-1] if action.choices else {"int": "64", "float": "1.5"}[str(field.type).split()[0]]
    )
    lower = ["--lr_min", "0"] if field.name == "lr" else ["--lr", "9"]
    settings = train_settings(parse(["--corpus", "sample", *lower, f"--{field.name}", value]))
    assert str(getattr(settings, field.name)) == value


def test_a_setting_out_of_range_is_refused():
    with pytest.raises(SettingsError, match="workers is 0"):
        train_settings(parse(["--corpus", "sample", "--workers", "0"]))


def test_help_shows_every_flag_with_its_default_in_groups(capsys):
    text = help_text(capsys, "train", "--help")
    groups = re.findall(r"^(\w+):$", text, re.M)
    assert [group for group in groups if group in ("data", "model", "training", "output")] == [
        "data",
        "model",
        "training",
        "output",
    ]
    joined = " ".join(text.split())
    entries = re.split(r"^  (?=--)", text, flags=re.M)
    for action in actions():
        [flag] = action.option_strings
        shown = [" ".join(entry.split()) for entry in entries if re.match(rf"{flag}\b", entry)]
        assert len(shown) == 1, f"{flag} is not shown"
        if action.default not in (None, False, []):
            assert f"(default: {action.default})" in shown[0], f"{flag} does not tell its default"
    assert "[]" not in text.partition("data:")[2]
    assert "None" not in text
    for decided in ("default: all cores", "default: 0.025 for skipgram, 0.05 for cbow", "default: 200 records a run"):
        assert decided in joined
    assert "usage: parw2v train" in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_help_without_a_command_names_the_commands(capsys, argv):
    text = help_text(capsys, *argv)
    assert "train word vectors on a text" in text
    assert "examples:" in text


def test_version(capsys):
    assert help_text(capsys, "--version") == f"parw2v {__version__}\n"


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--corpus", "sample", "--dim", "abc"], "--dim"),
        (["--corpus", "sample", "--lr", "fast"], "--lr"),
        (["--corpus", "sample", "--workers", "1.5"], "--workers"),
        (["--corpus", "sample", "--model", "glove"], "glove"),
        (["--corpus", "sample", "--sample-rule", "x"], "--sample_rule"),
        (["--corpus", "sample", "--no-such-flag"], "--no_such_flag"),
        (["--corpus", "sample", "--epoch", "3"], "--epoch"),
        (["--corpus", "sample", "--dim", "5", "stray"], "stray"),
        (["--corpus", "sample", "--similarity"], "--similarity"),
        (["--corpus"], "--corpus"),
        (["train"], "--corpus"),
        (["levitate", "model.npz"], "levitate"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(capsys, argv, named):
    with pytest.raises(SystemExit) as caught:
        parse(argv)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("parw2v: error: ")
    assert err.count("\n") == 1
    assert named in err
    assert "--help" in err
