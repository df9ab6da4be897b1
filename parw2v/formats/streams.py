"""Files that may be packed (``.gz``, ``.bz2``, ``.xz``), read and written as if they were not; errors name the file."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from parw2v.errors import ModelError
from parw2v.files import atomic_write
from parw2v.packed import DAMAGED, open_packed
from parw2v.text import compression


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open a file for the block, unpacked by its suffix.

    Raises
    ------
    ModelError
        It is missing, unreadable, its packing is damaged, or what the block makes of it does not fit in memory.
    """
    try:
        with open_packed(path, compression(path)) as stream:
            yield stream
    except DAMAGED as error:
        raise ModelError(f"{path}: the compressed file is damaged or cut short ({error}); fetch it again") from error
    except FileNotFoundError as error:
        raise ModelError(f"{path}: there is no such file; check the path") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}); check the file") from error
    except MemoryError as error:
        raise ModelError(f"{path}: does not fit in memory; read fewer words with --limit") from error


def write_stream(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Write a file atomically, packed by its suffix; the same content gives the same bytes at any time."""

    def pack(file: BinaryIO) -> None:
        match compression(path):
            case ".gz":
                with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
                    write(cast(BinaryIO, packed))
            case ".bz2":
                with bz2.BZ2File(file, "wb") as packed:
                    write(cast(BinaryIO, packed))
            case ".xz":
                with lzma.LZMAFile(file, "wb") as packed:
                    write(cast(BinaryIO, packed))
            case _:
                write(file)

    return atomic_write(path, pack)
