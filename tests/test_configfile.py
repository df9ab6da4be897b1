"""A file of flags: what it says are defaults, the command line wins, and a mistake names key and file in one line."""

import argparse
import tomllib
from pathlib import Path

import pytest

from parw2v.commands import _command_parsers, _parser, parse
from parw2v.commands.configfile import apply_config, config_path, save_config
from parw2v.errors import SettingsError


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "run.toml"
        path.write_text(text)
        return ["--config", str(path)]

    return write


def test_without_a_file_nothing_changes():
    arguments = parse(["--corpus", "sample"])
    assert arguments.config is None
    assert arguments.epochs == 5


def test_a_file_says_the_flags(config):
    text = """
    corpus = "my-own.txt"
    out = "a/b"
    epochs = 7
    lr = 1            # a whole number is a number
    lr-min = 0.5
    min_count = 2
    sample-rule = "word2vec"
    evaluate = true
    raw = false
    similarity = ["a.tsv", "b.tsv"]
    analogies = "q.txt"
    """
    arguments = parse(config(text))
    assert (arguments.corpus, arguments.out, arguments.epochs) == ("my-own.txt", Path("a/b"), 7)
    assert (arguments.lr, arguments.lr_min, arguments.min_count) == (1.0, 0.5, 2)
    assert type(arguments.lr) is float
    assert (arguments.sample_rule, arguments.evaluate, arguments.raw) == ("word2vec", True, False)
    assert arguments.similarity == ["a.tsv", "b.tsv"]
    assert arguments.analogies == "q.txt"
    plain = parse(["--corpus", "x"])
    assert arguments.window == plain.window
    assert vars(arguments).keys() == vars(plain).keys()


def test_the_command_line_wins(config):
    given = config('corpus = "a"\nepochs = 7\nevaluate = true\nno_cache = true\nsimilarity = ["a"]\nquiet = true\n')
    line = ["--corpus=b", "--epochs", "2", "--no-evaluate", "--cache", "--similarity", "c", "d"]
    for argv in (given + line, line + given, ["train", *line, *given]):
        arguments = parse(argv)
        assert (arguments.corpus, arguments.epochs) == ("b", 2)
        assert (arguments.evaluate, arguments.no_cache, arguments.quiet) == (False, False, True)
        assert arguments.similarity == ["c", "d"]


def test_a_list_of_one_and_of_none(config):
    assert parse(config('corpus = "a"\nsimilarity = "one.tsv"\n')).similarity == ["one.tsv"]
    assert parse(config('corpus = "a"\nsimilarity = []\n')).similarity == []


def test_the_last_file_counts(config):
    assert config_path(["--config", "a", "--config=b"]) == Path("b")
    assert config_path(["--config=b", "--config", "a"]) == Path("a")
    assert config_path(["--corpus", "x"]) is None
    assert config_path(["--config"]) is None
    assert config_path(["--config", "--corpus"]) is None


MISTAKES = {
    "unknown key": ("epoch = 3", "'epoch'"),
    "config itself": ('config = "x"', "'config'"),
    "help": ("help = true", "'help'"),
    "the command": ('command = "train"', "'command'"),
    "a table": ("[train]\nepochs = 3", "'train'"),
    "a dotted key": ("epochs.x = 3", "epochs is {'x': 3}"),
    "twice": ("min-count = 3\nmin_count = 3", "twice"),
    "a text for a number": ('epochs = "3"', "epochs is '3'; it must be a whole number"),
    "a float for a whole number": ("epochs = 3.0", "epochs is 3.0; it must be a whole number"),
    "a truth value for a number": ("epochs = true", "epochs is True; it must be a whole number"),
    "a list for a number": ("dim = [3]", "dim is [3]"),
    "a text for a rate": ('lr = "fast"', "lr is 'fast'; it must be a number"),
    "a truth value for a rate": ("lr = false", "lr is False; it must be a number"),
    "a number for a switch": ("evaluate = 1", "evaluate is 1; it must be true or false"),
    "a text for a switch": ('evaluate = "yes"', "it must be true or false"),
    "a number for a path": ("out = 3", "out is 3; it must be a text in quotes"),
    "a date": ("out = 2020-01-01", "it must be a text in quotes"),
    "a number in a list": ('similarity = ["a", 3]', "similarity is 3"),
    "no choice": ('model = "glove"', "model is 'glove'; it must be one of skipgram, cbow"),
    "no TOML": ("epochs 3", "is not TOML"),
    "an escape": ('out = "\\u00zz"', "is not TOML"),
    "a control character": ('out = "a\x1bb"', "is not TOML"),
    "a long line of brackets": ("x = " + "[" * 5000, "is not TOML"),
    "a number with a tail": ("dim = 1" + "0" * 5000, "is not TOML"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(config, capsys, name):
    text, named = MISTAKES[name]
    with pytest.raises(SystemExit) as caught:
        parse(["--corpus", "sample", *config(text)])
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("parw2v: error: ")
    assert "run.toml: " in err
    assert named in err
    assert err.count("\n") == 1
    assert "\x1b" not in err


@pytest.mark.parametrize("path", ["missing.toml", "."])
def test_a_file_that_cannot_be_read(tmp_path, monkeypatch, capsys, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        parse(["--corpus", "sample", "--config", path])
    err = capsys.readouterr().err
    assert f"parw2v: error: {path}: cannot be read" in err
    assert err.count("\n") == 1


def test_a_corpus_has_to_stand_somewhere(config, capsys):
    with pytest.raises(SystemExit):
        parse(config("epochs = 3"))
    assert "--corpus" in capsys.readouterr().err


def test_every_flag_may_stand_in_a_file_and_comes_back_from_one(tmp_path):
    """What is written of a run is read as the same arguments, whatever is in them."""
    command = _command_parsers(_parser())["train"]
    flags = {action.dest: action for action in command._actions if action.dest not in ("help", "config", "resume")}
    odd = 'o"d \\ \udcff é\n#.txt'
    values = {}
    for number, (name, action) in enumerate(flags.items()):
        one = (action.choices or [None])[-1] or {int: number + 3, float: number / 7}.get(action.type, f"{odd}{number}")
        values[name] = True if action.nargs == 0 else [one, one] if action.nargs == "+" else one
    path = tmp_path / "all.toml"
    assert save_config(path, values | {"config": "x", "resume": True, "command": "train"})
    arguments = vars(parse(["--config", str(path)]))
    for name, action in flags.items():
        wanted = values[name]
        if action.type is Path:
            wanted = [Path(one) for one in wanted] if isinstance(wanted, list) else Path(wanted)
        assert arguments[name] == wanted, name
    assert arguments["resume"] is False
    assert len(values) > 25


def test_a_file_that_no_run_wrote_is_left_alone(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("# my own\nepochs = 3\n")
    assert not save_config(path, {"epochs": 4})
    assert path.read_text() == "# my own\nepochs = 3\n"
    other = tmp_path / "run.toml"
    assert save_config(other, {"epochs": 4, "lr": None})
    assert save_config(other, {"epochs": 5})
    assert tomllib.loads(other.read_text()) == {"epochs": 5}


def test_a_parser_of_another_command(tmp_path):
    """Types of any kind are applied to texts, and their complaint is passed on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=lambda text: int(text, 16))
    (tmp_path / "a.toml").write_text('size = "ff"')
    apply_config(parser, tmp_path / "a.toml")
    assert parser.parse_args([]).size == 255
    (tmp_path / "a.toml").write_text('size = "xyz"')
    with pytest.raises(SettingsError, match=r"a\.toml: size is 'xyz', which cannot be used \(invalid literal"):
        apply_config(parser, tmp_path / "a.toml")
