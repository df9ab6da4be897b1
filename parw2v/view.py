"""A page with the map of words: one HTML file that needs no network, to look around in with a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parw2v.arraytypes import FloatArray
from parw2v.errors import ModelError, SettingsError
from parw2v.files import atomic_write
from parw2v.layout import clusters, describe, lay_out
from parw2v.model import Word2Vec

MOST_WORDS = 50_000
"""More points than this a browser cannot move smoothly."""

COLOURS = 12
"""Groups of words; the colours themselves are in the style sheet, for light and dark."""

_FORMAT = "parw2v view 1"
_PARTS = Path(__file__).parent / "page"
_PROGRAM = ("words.js", "map.js", "moving.js", "controls.js")  # one after the other


@dataclass(frozen=True)
class WordMap:
    """What the page shows. n words, the most frequent first.

    Attributes
    ----------
    words : list of str
    counts : list of int
    xy : (n, 2) uint16
        Places: 0 to 65535 from left to right and from top to bottom, the same unit in both directions.
    group : (n,) uint8
        The colour of each word, from 0 to 11.
    vectors : (n, D) int8
        Directions of the word vectors: the largest component of each is 127 or -127.
    method : str
        How the places were found.
    """

    words: list[str]
    counts: list[int]
    xy: npt.NDArray[np.uint16]
    group: npt.NDArray[np.uint8]
    vectors: npt.NDArray[np.int8]
    method: str


def make_map(
    model: Word2Vec,
    max_words: int = 10_000,
    method: str = "tsne",
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> WordMap:
    """Place the most frequent words of a model on a plane.

    Parameters
    ----------
    model : Word2Vec
    max_words : int
        Words to show, 1 to 50,000. Neighbours on the page are found among them.
    method : {"tsne", "pca"}
    seed : int
        The same seed gives the same map.
    progress : callable, optional
        As in `parw2v.layout.lay_out`.

    Raises
    ------
    SettingsError
        A setting is outside its range.
    ModelError
        A vector is not finite.
    """
    if not 1 <= max_words <= MOST_WORDS:
        raise SettingsError(f"max_words is {max_words}; it must be from 1 to {MOST_WORDS}")
    n = min(max_words, len(model))
    finite = np.isfinite(model.W_in[:n]).all(axis=1)
    if not finite.all():
        word = model.vocab.words[int(np.argmin(finite))]
        raise ModelError(f"the vector of {word!r} is not finite; train with a lower --lr or use another copy")
    units = model.unit_vectors[:n]
    double = units.astype(np.float64)
    xy = lay_out(double, method, seed, progress)
    return WordMap(
        words=model.vocab.words[:n],
        counts=model.vocab.counts[:n].tolist(),
        xy=_whole(xy),
        group=clusters(double, COLOURS, seed).astype(np.uint8),
        vectors=quantise(units),
        method=describe(method, n),
    )


def quantise(units: FloatArray) -> npt.NDArray[np.int8]:
    """(n, D) int8: each row scaled until its largest component is 127 or -127; a zero row stays zero.

    The cosine of two rows changes by about 0.001 (standard deviation, D = 100).
    """
    most = np.abs(units).max(axis=1, keepdims=True)
    scale = np.divide(127, most, out=np.zeros_like(most), where=most > 0)
    whole: npt.NDArray[np.int8] = np.rint(units * scale).astype(np.int8)
    return whole


def write_view(
    model: Word2Vec,
    path: str | os.PathLike[str],
    max_words: int = 10_000,
    method: str = "tsne",
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    name: str = "",
) -> Path:
    """Write the map of a model's words as one HTML file, atomically; returns the path.

    Parameters
    ----------
    model, max_words, method, seed, progress
        As in `make_map`.
    path : path-like
        Where the page goes; its directory is created.
    name : str
        What the page calls the model.

    Raises
    ------
    SettingsError, ModelError
        As in `make_map`.
    Parw2vError
        The file cannot be written; what stood there still does.
    """
    page = render(make_map(model, max_words, method, seed, progress), name, len(model))
    return atomic_write(Path(path), lambda file: file.write(page.encode()))


def render(word_map: WordMap, name: str, vocabulary: int) -> str:
    """Return the page: markup, style, program and data in one.

    Words may be anything. They are in the page once, as JSON without a character that HTML knows, and the program
    gives them to the document as text. The page's security policy allows this one program and no connection at all.
    """
    style = _part("page.css")
    script = '"use strict";\n(() => {\n' + "\n".join(map(_part, _PROGRAM)) + "})();\n"
    parts = {
        "style": style,
        "script": script,
        "data": _script_safe(_data(word_map, name, vocabulary)),
        "policy": f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'",
    }
    # In one pass: data may hold such a mark.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _part("page.html"))


def _part(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")


def _data(word_map: WordMap, name: str, vocabulary: int) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "name": name,
        "method": word_map.method,
        "vocabulary": vocabulary,
        "dim": word_map.vectors.shape[1],
        "words": word_map.words,
        "counts": word_map.counts,
        "xy": _base64(word_map.xy.astype("<u2")),
        "group": _base64(word_map.group),
        "vectors": _base64(word_map.vectors),
    }


def _script_safe(value: Any) -> str:
    """JSON in ASCII without ``<``, ``>`` and ``&``: it cannot end the element that it is in."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _base64(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _whole(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.uint16]:
    """Places in whole numbers, 0 to 65535, y downwards; the shorter direction in the middle."""
    xy = xy * (1, -1)
    low, high = xy.min(axis=0), xy.max(axis=0)
    middle, span = (low + high) / 2, float((high - low).max()) or 1.0
    whole: npt.NDArray[np.uint16] = np.rint(((xy - middle) / span + 0.5) * 65535).clip(0, 65535).astype(np.uint16)
    return whole
