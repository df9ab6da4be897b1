"""``--config FILE.toml``: flags from a file; and the file that a run leaves beside its model.

A file holds one flat table, a flag with its value on each line, hyphens or underscores as one likes::

    corpus = "text8"
    min_count = 10
    evaluate = true
    similarity = ["wordsim353.tsv", "simlex999.txt"]

What it says takes the place of the flags' defaults, so the command line has the last word. A switch that the file turns
on is turned off by ``--no_SWITCH`` (``--evaluate`` by ``--no_evaluate``, ``--no_cache`` by ``--cache``).
"""

from __future__ import annotations

import argparse
import contextlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parw2v.commands.texts import OneOrMore
from parw2v.errors import SettingsError
from parw2v.files import atomic_write
from parw2v.tomltext import to_toml

_NOT_IN_A_FILE = ("help", "config")
_NOT_REPEATED = ("command", "config", "resume")
"""Of a run's flags, those that its settings file leaves out."""


_HEADER = "Settings of a parw2v run."
"""Begins a file that a run wrote."""


def config_path(argv: Sequence[str]) -> Path | None:
    """The value of the last ``--config`` on a command line; None without one."""
    path = None
    for flag, value in zip(argv, (*argv[1:], None), strict=True):
        if flag.startswith("--config="):
            path = Path(flag.partition("=")[2])
        elif flag == "--config" and value is not None and not value.startswith("--"):
            path = Path(value)
    return path


def apply_config(parser: argparse.ArgumentParser, path: Path) -> None:
    """Make what a file says the defaults of a command's flags.

    Raises
    ------
    SettingsError
        The file cannot be read or is no TOML, a key is no flag or stands there twice, or a value is of the wrong type.
    """
    flags = {action.dest: action for action in parser._actions if action.dest not in _NOT_IN_A_FILE}
    given: dict[str, Any] = {}
    for key, value in _table(path).items():
        name = key.replace("-", "_")
        if name not in flags:
            raise SettingsError(f"{path}: {key!r} is not a flag that may stand in a file")
        if name in given:
            raise SettingsError(f"{path}: {key!r} stands there twice; a hyphen and an underscore are the same")
        given[name] = _converted(flags[name], value, f"{path}: {key}")
        flags[name].required = False
    parser.set_defaults(**given)
    for name, value in given.items():
        opposite = name.removeprefix("no_") if name.startswith("no_") else f"no_{name}"
        if value is True and opposite not in flags:
            parser.add_argument(f"--{opposite}", dest=name, action="store_false", default=True, help=argparse.SUPPRESS)


def _table(path: Path) -> dict[str, Any]:
    try:
        # A path that is not UTF-8 stands in the file as the bytes it is.
        return tomllib.loads(path.read_bytes().decode("utf-8", "surrogateescape"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror or error}); check --config") from error
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: is not TOML ({error})") from error


def _converted(action: argparse.Action, value: Any, where: str) -> Any:
    """A value of the file as the command line would give it; `where` names file and key in errors."""
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise SettingsError(f"{where} is {value!r}; it must be true or false")
        return value
    if action.nargs in ("+", "*"):
        values = value if isinstance(value, list) else [value]
        converted = [_one(action, item, where) for item in values]
        return converted[0] if isinstance(action, OneOrMore) and len(converted) == 1 else converted
    return _one(action, value, where)


def _one(action: argparse.Action, value: Any, where: str) -> Any:
    if action.type is int:
        fits, wanted = type(value) is int, "a whole number"
    elif action.type is float:
        fits, wanted = type(value) in (int, float), "a number"
    else:
        fits, wanted = isinstance(value, str), "a text in quotes"
    if not fits:
        raise SettingsError(f"{where} is {value!r}; it must be {wanted}")
    if action.choices is not None and value not in action.choices:
        raise SettingsError(f"{where} is {value!r}; it must be one of {', '.join(map(str, action.choices))}")
    try:
        return action.type(value) if callable(action.type) else value
    except (argparse.ArgumentTypeError, ValueError, TypeError, OverflowError) as error:
        raise SettingsError(f"{where} is {value!r}, which cannot be used ({error})") from error


def save_config(path: Path, settings: dict[str, Any]) -> bool:
    """Write the settings of a run, by flag name, so that ``--config`` repeats it.

    Returns
    -------
    bool
        False where a file stands that no run wrote; it is left alone, for it may be somebody's own.
    """
    with contextlib.suppress(OSError), path.open("rb") as file:
        if not file.read(len(_HEADER) + 2).startswith(f"# {_HEADER}".encode()):
            return False
    comment = f"{_HEADER} To train again: parw2v train --config THIS_FILE\nPaths are as they were given."
    text = to_toml({key: value for key, value in settings.items() if key not in _NOT_REPEATED}, comment)
    atomic_write(path, lambda file: file.write(text.encode("utf-8", "surrogateescape")))
    return True
