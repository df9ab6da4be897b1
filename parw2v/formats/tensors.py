"""``.safetensors``: arrays by name, without pickles, for whoever works with tensors.

``vectors`` is (V, D) float32, ``counts`` (V,) int64, and ``words`` the bytes (uint8) of a JSON list of V strings, ASCII
with escapes, so that any word can stand there: ``json.loads(bytes(tensors["words"]))``. Words stand in a tensor because the
header of such a file may not exceed 100 MB.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np

from parw2v.arraytypes import AnyArray
from parw2v.errors import ModelError
from parw2v.files import atomic_write
from parw2v.formats.streams import reading
from parw2v.formats.table import Table, Vectors
from parw2v.model import Word2Vec

_MISSING = "files in .safetensors need one more package: pip install 'parw2v[safetensors]'"
FORMAT = "parw2v vectors 1"
BLOCK_NUMBERS = 1 << 20


def read_safetensors(path: Path, unicode_errors: str, wanted: int) -> Vectors:
    """Read the first `wanted` words of a file that `write_safetensors` wrote. The file is mapped, not read at once.

    Raises
    ------
    ModelError
        The package is missing, or the file is damaged or holds something else.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ModelError(f"{path}: {_MISSING}") from error
    with reading(path):  # says what is wrong with a file that cannot be opened
        try:
            with safe_open(path, "numpy") as file:
                tensors = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
                kinds = {name: (part.get_dtype(), len(part.get_shape())) for name, part in tensors.items()}
                if kinds.get("vectors") != ("F32", 2) or kinds.get("words") != ("U8", 1):
                    raise ValueError("it has no 'vectors' in rows of float32 with 'words' beside them")
                n_words, dimension = tensors["vectors"].get_shape()
                words = json.loads(file.get_tensor("words").tobytes())
                if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                    raise ValueError("its words are not a list of strings")
                counts = file.get_tensor("counts") if kinds.get("counts") == ("I64", 1) else None
                if len(words) != n_words or (counts is not None and len(counts) != n_words):
                    raise ValueError(f"it has {n_words:,} vectors and {len(words):,} words, or counts of others")
                wanted = min(wanted, n_words)
                table = Table(path, dimension, wanted, unicode_errors)
                rows = max(1, BLOCK_NUMBERS // dimension)
                for first in range(0, wanted, rows):
                    last = min(first + rows, wanted)
                    table.add_words(words[first:last], tensors["vectors"][first:last], partial(_row, first))
        except (SafetensorError, ValueError, RecursionError) as error:
            raise ModelError(f"{path}: is damaged or was not written by parw2v ({error}); use another copy") from error
    found = table.finish()
    if counts is not None:
        of = dict(zip(words, counts.tolist(), strict=True))
        found.counts = np.array([of[word] for word in found.words], np.int64)
    return found


def _row(first: int, i: int) -> str:
    return f"row {first + i}"


def write_safetensors(path: Path, model: Word2Vec) -> list[Path]:
    """Write vectors, words and, if they are known, counts; returns the path in a list.

    Raises
    ------
    ModelError
        The package is missing.
    """
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise ModelError(f"{path}: {_MISSING}") from error
    tensors: dict[str, AnyArray] = {
        "vectors": np.ascontiguousarray(model.W_in),
        "words": np.frombuffer(json.dumps(model.vocab.words).encode(), np.uint8),
    }
    if model.counts_known:
        tensors["counts"] = model.vocab.counts
    content = save(tensors, {"format": FORMAT})
    return [atomic_write(path, lambda file: file.write(content))]
