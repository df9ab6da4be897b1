"""The commands, and the one place where errors become exit statuses.

A command ``some-name`` is two functions of a module here: ``add_some_name_flags(parser)`` says what it takes,
``run_some_name(arguments)`` does it and returns the exit status. To add one, write them and its row in `COMMANDS`.
Modules are imported for every command line, so they import what is slow to load where they use it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import NamedTuple

from parw2v.arguments import EXIT_ERROR, EXIT_INTERRUPTED, Help, Parser, underscored
from parw2v.commands import convert, data, evaluate, info, phrases, query, train, view, vocab
from parw2v.commands.configfile import apply_config, config_path
from parw2v.errors import Parw2vError
from parw2v.version import __version__


class Command(NamedTuple):
    """One command."""

    module: ModuleType
    summary: str
    """What it does, for the list of commands and, as a sentence, above its own help."""
    examples: str
    """Command lines, one a line."""


COMMANDS = {
    "train": Command(train, "train word vectors on a text", train.EXAMPLES),
    "evaluate": Command(evaluate, "ask a model analogies and compare it with human judgements", evaluate.EXAMPLES),
    "similar": Command(query, "list the words nearest to each word given", query.SIMILAR_EXAMPLES),
    "analogy": Command(query, "answer: A is to B as C is to ?", query.ANALOGY_EXAMPLES),
    "odd-one-out": Command(query, "find the word that does not go with the others", query.ODD_ONE_OUT_EXAMPLES),
    "similarity": Command(query, "measure how alike two words are used, by cosine", query.SIMILARITY_EXAMPLES),
    "info": Command(info, "say what a model holds and how it was trained", info.EXAMPLES),
    "export": Command(convert, "write a model's vectors for other programs", convert.EXPORT_EXAMPLES),
    "import": Command(convert, "read vectors of other programs as a model", convert.IMPORT_EXAMPLES),
    "vocab": Command(vocab, "count the words of a text, look at them, prune them", vocab.EXAMPLES),
    "view": Command(view, "make a page with a map of the words, to look around in with a browser", view.EXAMPLES),
    "phrases": Command(phrases, "join words that often stand together: new_york", phrases.EXAMPLES),
    "data": Command(data, "list the published data sets that have a name here, or fetch them", data.EXAMPLES),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status: 0, 2 for an error, 130 when interrupted."""
    _replace_closed_streams()
    arguments = parse(list(sys.argv[1:] if argv is None else argv))
    try:
        with _interruptible():
            return _function("run_{}", arguments.command)(arguments)
    except Parw2vError as error:
        print(f"parw2v: error: {error}", file=sys.stderr)
        return EXIT_ERROR
    except MemoryError:
        print("parw2v: error: memory ran out; lower --dim or raise --min_count", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("parw2v: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # whoever read our output has gone, and knows
            where = f"{error.filename}: " if error.filename else ""
            print(f"parw2v: error: {where}{error.strerror or error}", file=sys.stderr)
        _give_up_on_output()
        return EXIT_ERROR


def _replace_closed_streams() -> None:
    """Started without standard streams (``2>&-``), read and write nothing rather than the next file to be opened."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # for as long as the process lives


def _give_up_on_output() -> None:
    """If standard output takes no more, keep Python from trying again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise KeyboardInterrupt, once: what is open is closed, what is temporary removed, undisturbed."""

    def interrupt(number: int, frame: object) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number, handler in before.items():
            if number == signal.SIGTERM or handler is signal.default_int_handler:  # not where nohup ignores it
                signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def parse(argv: list[str]) -> argparse.Namespace:
    """Read a command line; prints help or the version and exits where that is asked for."""
    argv = [underscored(argument) for argument in argv]
    if argv and argv[0] not in (*COMMANDS, "-h", "--help", "--version") and argv[0].startswith("-"):
        argv = ["train", *argv]
    parser = _parser()
    if argv and argv[0] in COMMANDS and (path := config_path(argv)):
        command = _command_parsers(parser)[argv[0]]
        if any(action.dest == "config" for action in command._actions):
            try:
                apply_config(command, path)
            except Parw2vError as error:
                command.error(str(error))
    arguments, rest = parser.parse_known_args(argv or ["--help"])
    if rest:  # argparse takes words in one run; those after a flag are left over
        if not hasattr(arguments, "words") or any(argument.startswith("-") for argument in rest):
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        arguments.words = [*arguments.words, *rest]
    return arguments


def _command_parsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    [action] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return action.choices


def _parser() -> argparse.ArgumentParser:
    about = "examples:\n{}\n\nFlags may be spelled with hyphens or underscores."
    parser = Parser(
        prog="parw2v",
        description="Train word vectors on every core, and use them.",
        epilog=about.format(_indented(train.EXAMPLES)) + " Without a command, flags train.",
        formatter_class=Help,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"parw2v {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=command.summary,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            epilog=about.format(_indented(command.examples)),
            formatter_class=Help,
            allow_abbrev=False,
        )
        _function("add_{}_flags", name)(sub)
    return parser


def _function(form: str, command: str) -> Callable[..., int]:
    function: Callable[..., int] = getattr(COMMANDS[command].module, form.format(command.replace("-", "_")))
    return function


def _indented(lines: str) -> str:
    return "\n".join(f"  {line}" for line in lines.splitlines())
