"""Reading and writing ``.npz`` files that may come from anywhere.

Writing is `numpy.savez` (stored, not compressed). Reading checks everything that would be believed before memory is
taken for it: no pickles, no compression bombs, no array larger than the bytes the file has for it. Damage to the bytes is
caught by the CRC that each array carries.
"""

from __future__ import annotations

import hashlib
import re
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from parw2v.arraytypes import AnyArray
from parw2v.errors import ModelError


def write_npz(file: BinaryIO, arrays: dict[str, AnyArray]) -> None:
    """Write named arrays to an open file; TypeError for one that only a pickle could hold."""
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"{name} holds objects")
    np.savez(file, **{name: np.asarray(array, order="C") for name, array in arrays.items()})  # type: ignore[arg-type]


def digest(arrays: dict[str, AnyArray]) -> str:
    """SHA-256 of named arrays, whatever their order: names, types, shapes and bytes."""
    sha256 = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        sha256.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        sha256.update(np.ascontiguousarray(array).view(np.uint8).data if array.nbytes else b"")
    return sha256.hexdigest()


def read_npz(path: Path) -> dict[str, AnyArray]:
    """Read all arrays of a file that `write_npz` (or `numpy.savez`) wrote.

    Raises
    ------
    ModelError
        The file is missing, damaged, compressed, or asks for objects or for more memory than its own size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(info.file_size for info in members) > path.stat().st_size:
                raise ValueError("its arrays are larger than the file")
            if any(info.comment for info in members):  # a damaged length makes one of the entries that follow
                raise ValueError("its directory has comments")
            return {info.filename.removesuffix(".npy"): _read_member(archive, info) for info in members}
    except FileNotFoundError as error:
        raise ModelError(f"{path}: there is no such file; check the path (models end in .npz)") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    except MemoryError as error:
        raise ModelError(f"{path}: does not fit in memory ({path.stat().st_size:,} bytes)") from error
    except _DAMAGED as error:
        raise ModelError(f"{path}: is damaged or was not written by parw2v ({error}); use another copy") from error


_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, EOFError, KeyError, IndexError),  # the archive
    *(ValueError, TypeError, OverflowError),  # an array's header
)

_HEADER = re.compile(
    rb"\x93NUMPY(?:\x01\0..|\x02\0....)"
    rb"{'descr': '([<>|][?biufcSUO]\d{1,10})', 'fortran_order': (?:False|(True)), 'shape': \(([\d, ]{0,1000})\), } *\n",
    re.DOTALL,
)
"""What `numpy.save` writes before an array of numbers or strings. NumPy's own reader takes any literal of Python's, and
comes out with warnings and with errors of many kinds."""

_LONGEST_HEADER = 1 << 12
_READ_BYTES = 1 << 20


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> AnyArray:
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{info.filename} is compressed")
    data = np.zeros(info.file_size, np.uint8)  # of this size, whatever is in it
    with cast(zipfile.ZipExtFile, archive.open(info)) as member:
        filled = 0  # to the end, which checks the CRC before anything is believed
        while n := member.readinto(data[filled : filled + _READ_BYTES].data):
            filled += n
    header = _HEADER.match(data[:_LONGEST_HEADER].tobytes())
    if not header or filled < info.file_size:
        raise ValueError(f"{info.filename} is no array of numbers or strings")
    dtype = np.dtype(header[1].decode())
    shape = tuple(int(side) for side in header[3].split(b",") if side.strip())
    size = dtype.itemsize
    for side in shape:
        size *= side
    body = data[header.end() :]
    if dtype.hasobject or header[2] or size != len(body):
        raise ValueError(f"{info.filename} holds {len(body)} bytes, which its header does not fit")
    if body.ctypes.data % 16:  # after a header of a length that is not usual
        body = body.copy()
    if dtype.kind == "U" and body.view(f"{dtype.byteorder}u4").max(initial=0) > sys.maxunicode:
        raise ValueError(f"{info.filename} holds no text")
    return body.view(dtype).reshape(shape)
