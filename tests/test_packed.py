"""Packed files are read as other programs pack them; damage and greed are errors that readers know."""

import bz2
import gzip
import lzma
import random
import zlib

import pytest

from parw2v.errors import CorpusError, ModelError
from parw2v.formats.word2vec_text import read_text
from parw2v.packed import DAMAGED, XZ_MEMORY, open_packed
from parw2v.text import pieces

TEXT = random.Random(3).randbytes(300_000)


def unpacked(path):
    with open_packed(path, path.suffix) as stream:
        return stream.read()


def greedy(content):
    """An .xz whose block asks for a dictionary of 1.5 GB, with the checksums that it must have."""
    data = bytearray(lzma.compress(content, preset=0, check=lzma.CHECK_NONE))
    assert data[14:16] == b"\x21\x01"  # LZMA2, one byte of properties
    data[16] = 37
    data[20:24] = zlib.crc32(data[12:20]).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_several_in_a_row_are_one(tmp_path, suffix, pack):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(pack(TEXT) + pack(b"") + pack(b"more"))
    assert unpacked(path) == TEXT + b"more"


def test_xz_with_padding_and_with_something_after_it(tmp_path):
    path = tmp_path / "a.xz"
    for between in (b"", bytes(4), bytes(200_000)):
        path.write_bytes(lzma.compress(TEXT) + between + lzma.compress(b"more") + between)
        assert unpacked(path) == TEXT + b"more"
    path.write_bytes(lzma.compress(TEXT) + b"no stream")
    assert unpacked(path) == lzma.decompress(path.read_bytes()) == TEXT
    path.write_bytes(lzma.compress(TEXT, format=lzma.FORMAT_ALONE))
    assert unpacked(path) == TEXT


def test_xz_cut_anywhere(tmp_path):
    whole = lzma.compress(TEXT[:2000])
    path = tmp_path / "a.xz"
    for n in range(0, len(whole), 13):
        path.write_bytes(whole[:n])
        with pytest.raises(DAMAGED):
            unpacked(path)


def test_xz_that_asks_for_more_memory_than_unpacking_takes(tmp_path):
    path = tmp_path / "a.txt.xz"
    path.write_bytes(lzma.compress(b"a 1\nb 2\n", preset=9 | lzma.PRESET_EXTREME))
    assert len(read_text(path, "strict", 9).words) == 2  # xz -9e is no greed
    path.write_bytes(greedy(b"a 1\nb 2\n"))
    says = f"asks for more than {XZ_MEMORY >> 20} MB to unpack"
    with pytest.raises(CorpusError, match=says):
        list(pieces(path))
    with pytest.raises(ModelError, match=says):
        read_text(path, "strict", 9)
