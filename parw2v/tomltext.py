"""Writing TOML: the part of it that flat settings need. Reading is `tomllib`'s, in the standard library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_SPECIAL = re.compile(r'[\x00-\x1f\x7f-\x9f"\\\u2028\u2029]')
"""What a basic string may not hold, and what would break a line for some reader."""


def to_toml(table: Mapping[str, Any], comment: str = "") -> str:
    """A table of strings, numbers, truth values and lists of them as TOML; None is left out, for TOML has none.

    Parameters
    ----------
    table : mapping of str to value
    comment : str
        Above all else; one line or more.

    Raises
    ------
    TypeError
        A value is something else.
    """
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    lines += [f"{_key(key)} = {_value(value)}" for key, value in table.items() if value is not None]
    return "".join(f"{line}\n" for line in lines)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _string(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)  # the shortest that reads as the same number; inf and nan are TOML's words too
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    raise TypeError(f"{type(value).__name__} is not written as TOML")


def _string(text: str) -> str:
    return '"' + _SPECIAL.sub(lambda found: _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04X}", text) + '"'
