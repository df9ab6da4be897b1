"""What the command lines of all commands have in common; the flags of each are in `parw2v.commands`."""

from __future__ import annotations

import argparse
import dataclasses
from typing import NoReturn

from parw2v.config import TrainSettings

EXIT_ERROR, EXIT_INTERRUPTED = 2, 130
"""Statuses of a command that failed, and of one that was stopped."""

_TYPES = {"int": int, "int | None": int, "float": float, "float | None": float, "str": str}


class Help(argparse.RawDescriptionHelpFormatter):
    """Says each default where there is one to say."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=110)

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        if "(default" in text or action.default in (None, False, [], argparse.SUPPRESS) or not action.option_strings:
            return text
        return text + " (default: %(default)s)"


class Parser(argparse.ArgumentParser):
    """Reports a mistake in one line, as every other error is."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"parw2v: error: {' '.join(message.split())}; see {self.prog} --help\n")


def underscored(argument: str) -> str:
    """``--max-tokens=5`` becomes ``--max_tokens=5``; values are left alone."""
    if not argument.startswith("--"):
        return argument
    flag, equals, value = argument[2:].partition("=")
    return "--" + flag.replace("-", "_") + equals + value


def setting_flags(group: argparse._ArgumentGroup, *names: str) -> None:
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
