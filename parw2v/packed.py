"""Files that are packed, by their suffix (``.gz``, ``.bz2``, ``.xz``), opened as if they were not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

XZ_MEMORY = 1 << 28
"""Bytes that unpacking an ``.xz`` may take; ``xz -9`` asks for a quarter of it, a hostile header for up to 4 GB."""

DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
"""What reading a damaged one raises, beside OSError."""

_PACKED_BYTES = 1 << 16
_XZ_MAGIC = b"\xfd7zXZ\0"


def open_packed(path: Path, suffix: str) -> BinaryIO:
    """Open a file for reading; `suffix` is what `parw2v.text.compression` makes of its name."""
    match suffix:
        case ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        case ".bz2":
            return cast(BinaryIO, bz2.open(path, "rb"))
        case ".xz":
            return io.BufferedReader(_Xz(path), _PACKED_BYTES)
    return path.open("rb")


class _Xz(io.RawIOBase):
    """An ``.xz`` file unpacked, one stream after the other; `lzma.open` does the same without a limit of memory.

    As there, what stands after a stream and is none is passed over.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._unpacker = lzma.LZMADecompressor(memlimit=XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        while True:
            packed = b""
            if self._unpacker.eof and not (packed := self._next_stream()):
                return 0
            if self._unpacker.needs_input and not packed and not (packed := self._file.read(_PACKED_BYTES)):
                raise EOFError("it ends before its end is marked")
            try:
                data = self._unpacker.decompress(packed, len(buffer))
            except lzma.LZMAError as error:
                if "limit" in str(error):
                    raise lzma.LZMAError(f"it asks for more than {XZ_MEMORY >> 20} MB to unpack") from error
                raise
            if data:
                buffer[: len(data)] = data
                return len(data)

    def _next_stream(self) -> bytes:
        """Make ready for another stream; returns its beginning, empty where there is none."""
        packed = self._unpacker.unused_data.lstrip(b"\0")  # what may pad a stream
        while len(packed) < len(_XZ_MAGIC) and (block := self._file.read(_PACKED_BYTES)):
            packed = (packed + block).lstrip(b"\0")
        if not packed.startswith(_XZ_MAGIC):
            return b""
        self._unpacker = lzma.LZMADecompressor(memlimit=XZ_MEMORY)
        return packed
