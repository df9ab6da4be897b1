"""Reading and writing ``.npz`` files that may come from anywhere.

Writing is `numpy.savez` (stored, not compressed). Reading checks everything that would be believed before memory is
taken for it: no pickles, no compression bombs, no array larger than the bytes the file has for it. Damage to the bytes is
caught by the CRC that each array carries.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from parw2v.arraytypes import AnyArray
from parw2v.errors import ModelError


def write_npz(file: BinaryIO, arrays: dict[str, AnyArray]) -> None:
    """Write named arrays to an open file."""
    np.savez(file, allow_pickle=False, **arrays)


def read_npz(path: Path) -> dict[str, AnyArray]:
    """Read all arrays of a file that `write_npz` (or `numpy.savez`) wrote.

    Raises
    ------
    ModelError
        The file is missing, damaged, compressed, or asks for objects or for more memory than its own size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {info.filename.removesuffix(".npy"): _read_member(archive, info) for info in archive.infolist()}
    except FileNotFoundError as error:
        raise ModelError(f"{path}: there is no such file; check the path (models end in .npz)") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{path}: is damaged or was not written by parw2v ({error}); use another copy") from error


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> AnyArray:
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{info.filename} is compressed")
    with archive.open(info) as member:
        version = npy.read_magic(member)
        if version == (1, 0):
            shape, fortran, dtype = npy.read_array_header_1_0(member)
        elif version == (2, 0):
            shape, fortran, dtype = npy.read_array_header_2_0(member)
        else:
            raise ValueError(f"{info.filename} has format {version}")
        size = 1
        for side in shape:
            size *= side
        if dtype.hasobject or fortran or size < 0 or size * dtype.itemsize > info.file_size:
            raise ValueError(f"{info.filename} has a header that does not fit it")
        data = member.read()  # to the end, which checks the CRC
        if len(data) != size * dtype.itemsize:
            raise ValueError(f"{info.filename} holds {len(data)} bytes, its header says {size * dtype.itemsize}")
    return np.frombuffer(bytearray(data), dtype).reshape(shape)
