"""Lines from standard input: on a terminal with a prompt, history and completion, else as they come."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
from itertools import islice

_COMPLETIONS = 50  # what fits on a screen; the words most frequent are offered


def read_lines(name: str, words: Sequence[str]) -> Iterator[str]:
    """Yield lines without white space at their ends, until the end of standard input or Ctrl-D.

    Parameters
    ----------
    name : str
        What stands in the prompt.
    words : sequence of str, most frequent first
        What Tab completes to.
    """
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # as Python reads a command line: bad bytes are an unknown word
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        for line in sys.stdin:
            yield line.strip()
        return
    _edit_lines(words)
    print(f"{len(words):,} words; Tab completes, Ctrl-D ends", file=sys.stderr)
    while True:
        try:
            line = input(f"{name}> ")
        except EOFError:
            print()
            return
        yield line.strip()


def _edit_lines(words: Sequence[str]) -> None:
    """Have `input` edit lines, where Python has readline."""
    with contextlib.suppress(ImportError):
        import readline

        found: list[str] = []

        def complete(text: str, state: int) -> str | None:
            if state == 0:
                found[:] = completions(text, words)
            return found[state] if state < len(found) else None

        readline.set_completer(complete)
        readline.set_completer_delims(" \t\n")
        libedit = "libedit" in (readline.__doc__ or "")
        readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")


def completions(text: str, words: Sequence[str]) -> list[str]:
    """The most frequent words that begin with `text`, without those that a terminal cannot show."""
    matches = (word for word in words if word.startswith(text) and word.isprintable())
    return list(islice(matches, _COMPLETIONS))
