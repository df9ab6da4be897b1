"""The command line: which flags there are, and what they default to. What they do is in `parw2v.commands`."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import NoReturn

from parw2v.config import OBJECTIVES, TrainSettings
from parw2v.version import __version__

COMMANDS = ("train",)

_TYPES = {"int": int, "int | None": int, "float": float, "float | None": float, "str": str}

_EPILOG = """\
examples:
  parw2v train --corpus sample --min_count 2 --epochs 10 --evaluate --plot
  parw2v train --corpus text8 --out results/text8 --evaluate
  parw2v train --corpus mytext.txt.gz --model cbow --dim 200 --workers 8
  zcat *.gz | parw2v train --corpus - --out results/mine

Flags may be spelled with hyphens or underscores. Without a command, flags train."""


class _Help(argparse.RawDescriptionHelpFormatter):
    """Says each default where there is one to say."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=110)

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        if "(default" in text or action.default in (None, False, [], argparse.SUPPRESS) or not action.option_strings:
            return text
        return text + " (default: %(default)s)"


class _Parser(argparse.ArgumentParser):
    """Reports a mistake in one line, as every other error is."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"parw2v: error: {' '.join(message.split())}; see {self.prog} --help\n")


def parse(argv: list[str]) -> argparse.Namespace:
    """Read a command line; prints help or the version and exits where that is asked for."""
    argv = [_underscored(argument) for argument in argv]
    if argv and argv[0] not in (*COMMANDS, "-h", "--help", "--version"):
        argv = ["train", *argv]
    return _parser().parse_args(argv or ["--help"])


def _underscored(argument: str) -> str:
    """``--max-tokens=5`` becomes ``--max_tokens=5``; values are left alone."""
    if not argument.startswith("--"):
        return argument
    flag, equals, value = argument[2:].partition("=")
    return "--" + flag.replace("-", "_") + equals + value


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="parw2v",
        description="Train word vectors on every core.",
        epilog=_EPILOG,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"parw2v {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    train = commands.add_parser(
        "train",
        help="train word vectors on a text",
        description="Train word vectors on a text and save them as an .npz file.",
        epilog=_EPILOG,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    _train_flags(train)
    return parser


def _train_flags(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument(
        "--corpus",
        metavar="TEXT",
        required=True,
        help="sample (built in), text8 (downloaded once), a text file (.gz, .bz2 and .xz too), or - for standard input",
    )
    data.add_argument("--raw", action="store_true", help="take words as they stand between spaces instead of cleaning")
    data.add_argument("--max_tokens", type=int, metavar="N", help="read only the first N words")
    data.add_argument("--data_dir", type=Path, default=Path("data"), metavar="DIR", help="where text8 is kept")
    data.add_argument(
        "--cache_dir",
        type=Path,
        metavar="DIR",
        help="where encoded texts are kept for later runs, up to 4 GB (default: ~/.cache/parw2v, "
        "or parw2v in $XDG_CACHE_HOME)",
    )
    data.add_argument("--no_cache", action="store_true", help="read the text anew and keep nothing")

    model = parser.add_argument_group("model")
    model.add_argument("--model", choices=OBJECTIVES, default="skipgram", help="training objective")
    model.add_argument("--dim", type=int, default=100, metavar="D", help="dimensions of a vector")
    model.add_argument("--neg", type=int, default=5, metavar="K", help="negative samples for each positive pair")
    _setting_flags(model, "window")
    model.add_argument("--min_count", type=int, default=5, metavar="N", help="leave out words that occur less often")

    training = parser.add_argument_group("training")
    names = ("epochs", "lr", "lr_min", "batch_size", "sample", "sample_rule", "seed", "workers", "max_restarts")
    _setting_flags(training, *names)

    output = parser.add_argument_group("output")
    output.add_argument(
        "--out", type=Path, default=Path("results/model"), metavar="PATH", help="where the model goes, as PATH.npz"
    )
    output.add_argument(
        "--evaluate", action="store_true", help="evaluate after each epoch and report on the model at the end"
    )
    output.add_argument(
        "--plot", action="store_true", help="draw the loss curve and a map of the words beside the model"
    )
    output.add_argument(
        "--analogies",
        type=Path,
        metavar="FILE",
        help="questions in the questions-words format, instead of the built-in",
    )
    output.add_argument(
        "--similarity", type=Path, nargs="+", default=[], metavar="FILE", help="word pairs with human similarity scores"
    )
    _setting_flags(output, "log_every", "checkpoint_every")
    output.add_argument(
        "--resume", action="store_true", help="continue a run that was stopped, from its last checkpoint"
    )
    output.add_argument("--log_json", type=Path, metavar="FILE", help="write a JSON line for each record")
    output.add_argument("--quiet", action="store_true", help="show nothing but errors and what --evaluate reports")


def _setting_flags(group: argparse._ArgumentGroup, *names: str) -> None:
    """Flags for fields of `TrainSettings`: name, type, default, choices and help are the field's."""
    fields = {field.name: field for field in dataclasses.fields(TrainSettings)}
    for name in names:
        field = fields[name]
        choices = field.metadata.get("choices")
        group.add_argument(
            f"--{name}",
            type=_TYPES[str(field.type)],
            default=field.default,
            choices=choices,
            metavar=None if choices else "N" if str(field.type).startswith("int") else "X",
            help=field.metadata["help"],
        )


def train_settings(arguments: argparse.Namespace) -> TrainSettings:
    """The settings that the flags say; raises SettingsError for values out of range."""
    return TrainSettings(**{field.name: getattr(arguments, field.name) for field in dataclasses.fields(TrainSettings)})
