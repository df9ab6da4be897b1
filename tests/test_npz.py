"""Archives come back to the bit; damage and malice are a ModelError, found before memory is taken."""

import io
import random
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy

from parw2v.errors import ModelError
from parw2v.npz import read_npz, write_npz

ARRAYS = {
    "W": np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3),
    "counts": np.array([5, 3, 2, 1]),
    "words": np.array(["the", "é", "한국어", ""]),
    "text": np.array('{"a": 1}'),
    "empty": np.zeros((0, 7), np.float32),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "arrays.npz"
    with path.open("wb") as file:
        write_npz(file, ARRAYS)
    return path


def assert_equal(found, expected=ARRAYS):
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def header(shape, dtype="'<f4'", fortran=False):
    text = f"{{'descr': {dtype}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode("latin-1")
    return npy.magic(1, 0) + struct.pack("<H", len(text)) + text


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def test_round_trip(path):
    found = read_npz(path)
    assert_equal(found)
    found["W"][0, 0] = 5  # it can be trained on
    with np.load(path, allow_pickle=False) as loaded:
        assert_equal({name: loaded[name] for name in loaded.files})


def test_other_layouts_are_written_in_order(tmp_path):
    arrays = {"turned": ARRAYS["W"].T, "strided": np.arange(20)[::3], "fortran": np.asfortranarray(ARRAYS["W"])}
    with (tmp_path / "a.npz").open("wb") as file:
        write_npz(file, arrays)
    assert_equal(read_npz(tmp_path / "a.npz"), arrays)


def test_what_numpy_writes_is_read(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3), y=np.zeros((), np.int32))
    assert_equal(read_npz(tmp_path / "a.npz"), {"x": np.arange(3), "y": np.zeros((), np.int32)})


def test_objects_are_refused_both_ways(tmp_path):
    objects = np.array([{}, None])
    with pytest.raises(TypeError, match="secret holds objects"):
        write_npz(io.BytesIO(), {"secret": objects})
    np.savez(tmp_path / "a.npz", x=objects)
    with pytest.raises(ModelError, match="damaged"):
        read_npz(tmp_path / "a.npz")


def test_compressed_archives_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(10**7, np.float32))
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        archive(tmp_path / f"{method}.npz", {"x.npy": header((1,)) + bytes(4)}, method)
    tracemalloc.start()
    try:
        for path in tmp_path.glob("*.npz"):
            with pytest.raises(ModelError, match=r"compressed|larger than the file"):
                read_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


HEADERS = {
    "16 GiB": header((1 << 32,)),
    "more than there is": header((3,)),
    "less than there is": header((1,)),
    "negative": header((-1, -2)),
    "one negative": header((-2,)),
    "absurd": header((10**30, 0)),
    "overflow": header((1 << 63, 2)),
    "no tuple": header("2"),
    "fractions": header("(2.0,)"),
    "fortran": header((2, 1), fortran=True),
    "object": header((1,), "'|O'"),
    "no such type": header((2,), "'<q9'"),
    "no size": header((2,), "'<U0'"),
    "no characters": header((2,), "'<U1'") + b"\xff" * 8,
    "no characters, turned": header((2,), "'>U1'") + b"\xff" * 8,
    "subarray": header((1,), "('<f4', (2,))"),
    "structure": header((1,), "[('a', '<f4'), ('b', 5)]"),
    "nested": header((1,), "[" * 500 + "]" * 500),
    "unhashable": npy.magic(1, 0) + b"\x07\x00{[]: 1}",
    "open bracket": npy.magic(1, 0) + b"\x05\x00{(1, ",
    "open string": npy.magic(1, 0) + b"\x05\x00'''ab",
    "bad indent": npy.magic(1, 0) + b"\x0a\x00if 1:\n1\n  ",
    "null byte": npy.magic(1, 0) + b"\x04\x00{\0 }",
    "not a header": b"just text, and more of it",
    "version 3": npy.magic(3, 0) + header((2,))[8:],
    "version 9": npy.magic(9, 9) + header((2,))[8:],
    "cut": header((2,))[:20],
    "magic only": npy.magic(1, 0),
    "nothing": b"",
    "no type": header((2,), "()"),
    "list of nothing": header((2,), "[()]"),
    "type no more": header((1,), "'a8'"),
    "Python 2": header("(2L,)"),
    "escape": header((2,), "'\\d'"),
    "dates": header((1,), "'<M8[s]'"),
    "deep": header("(" + "-" * 5000 + "1,)"),
    "line ends": header("(2\n,)"),
}
WITHOUT_DATA = ("cut", "magic only", "nothing", "no characters", "no characters, turned")


@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_do_not_fit(tmp_path, name):
    """Each in an archive whose checksums are right."""
    good = archive(tmp_path / "good.npz", {"x.npy": header((2,)) + bytes(8)})
    assert read_npz(good)["x"].tolist() == [0, 0]
    content = HEADERS[name] + (b"" if name in WITHOUT_DATA else bytes(8))
    path = archive(tmp_path / "bad.npz", {"x.npy": content})
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=r"bad\.npz: is damaged"):
            read_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["no type", "type no more", "Python 2", "escape", "deep"])
def test_a_header_of_another_kind_gives_no_warning(tmp_path, name, recwarn):
    path = archive(tmp_path / "bad.npz", {"x.npy": HEADERS[name] + bytes(8)})
    with pytest.raises(ModelError, match="no array of numbers or strings"):
        read_npz(path)
    assert not recwarn.list


def test_memory_is_that_of_the_arrays(tmp_path):
    """One array is all of the file; the larger of two is never there twice."""
    n = 4_000_000
    with (tmp_path / "a.npz").open("wb") as file:
        write_npz(file, {"x": np.ones(n, np.float32)})
    tracemalloc.start()
    try:
        found = read_npz(tmp_path / "a.npz")["x"]
        assert tracemalloc.get_traced_memory()[1] < 4 * n + 2e6
    finally:
        tracemalloc.stop()
    assert found.sum() == n
    assert found.flags.aligned
    assert found.flags.writeable


def test_a_header_of_an_unusual_length_leaves_an_array_that_is_aligned(tmp_path):
    for n_spaces in range(1, 20):
        text = header((2,))[10:-1] + b" " * n_spaces + b"\n"
        content = npy.magic(1, 0) + struct.pack("<H", len(text)) + text + np.array([1, 2], "<f4").tobytes()
        found = read_npz(archive(tmp_path / "a.npz", {"x.npy": content}))["x"]
        assert found.tolist() == [1, 2]
        assert found.flags.aligned


def test_many_members_over_the_same_bytes(tmp_path):
    """A directory that lists one array a thousand times asks for a thousand times the file."""
    data = header((250_000,)) + bytes(10**6)
    packed = archive(tmp_path / "a.npz", {"x.npy": data}).read_bytes()
    start = packed.rindex(b"PK\x01\x02")
    end = packed.rindex(b"PK\x05\x06")
    entry, tail = packed[start:end], packed[end:]
    tail = tail[:8] + struct.pack("<HHI", 50, 50, 50 * len(entry)) + tail[16:]
    (tmp_path / "a.npz").write_bytes(packed[:start] + entry * 50 + tail)
    with zipfile.ZipFile(tmp_path / "a.npz") as file:
        assert len(file.infolist()) == 50
    with pytest.raises(ModelError, match="larger than the file"):
        read_npz(tmp_path / "a.npz")


def test_every_cut(path):
    whole = path.read_bytes()
    for n in (*range(0, len(whole), 7), len(whole) - 1):
        path.write_bytes(whole[:n])
        with pytest.raises(ModelError):
            read_npz(path)


def test_flipped_bits(path):
    """Detected, or in a byte that means nothing; never another error, never other arrays."""
    whole = path.read_bytes()
    random_ = random.Random(11)
    flips = random_.sample([(i, bit) for i in range(len(whole)) for bit in range(8)], 3000)
    detected = 0
    for i, bit in flips:
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1 << bit]) + whole[i + 1 :])
        try:
            found = read_npz(path)
        except ModelError:
            detected += 1
        else:
            assert_equal(found)
    assert detected > len(flips) / 2


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"not a zip file at all" * 9, npy.magic(1, 0), b"PK\x05\x06" + bytes(18)]
)
def test_files_that_are_no_archives(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    if content.startswith(b"PK\x05\x06"):  # an archive with nothing in it
        assert read_npz(path) == {}
        return
    with pytest.raises(ModelError, match=r"a\.npz: is damaged"):
        read_npz(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        read_npz(tmp_path / "missing.npz")
    for path in (tmp_path, tmp_path / "file" / "below.npz"):
        (tmp_path / "file").touch()
        with pytest.raises(ModelError, match="cannot be read"):
            read_npz(path)


def test_an_encrypted_member_without_a_name(path):
    """Python's own error message about it raises IndexError before 3.12."""
    data = bytearray(path.read_bytes())
    entry = data.rfind(b"PK\1\2")
    data[entry + 8] |= 1  # encrypted
    data[entry + 46] = 0  # a name is read to its first NUL
    local = int.from_bytes(data[entry + 42 : entry + 46], "little")
    data[local + 6] |= 1
    data[local + 30] = 0
    path.write_bytes(data)
    with pytest.raises(ModelError):
        read_npz(path)
