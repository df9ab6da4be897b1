"""Spoils a good file: bytes, and what is inside packed, checksummed and structured ones, put together again as they were.

`mutate` takes all its choices from a `random.Random`: hypothesis hands over one of its own, which it can shrink, and the
fuzzer one with a seed. A layer says how deep to go; data that are no longer of it are spoilt as bytes.
"""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import re
import struct
import warnings
import zipfile
import zlib

import numpy as np
from numpy.lib import format as npy

from parw2v.npz import digest

TOKENS = (
    *(b"\0", b"\r\n", b"\r", b"\n\n", b" ", b"\t", b"\xef\xbb\xbf", b"\xff\xfe", b"\x80", b"\xf0\x9f", b"\xed\xa0\x80"),
    *(
        b"nan",
        b"inf",
        b"1e999",
        b"-1",
        b"1_0",
        b"0x10",
        b"9" * 18,
        b"9" * 400,
        b"9" * 5000,
        b"-0.0",
        b"1e-400",
        b"1.5.2",
    ),
    *(b"#", b":", b'"', b"'", b"\\", b"[", b"{", b"}", b"=", b",", b"# ", b'"""', b"\\ud800", b"null", b"true"),
    *(b"[" * 2000, b"[" * 100_000, b'{"a":' * 300, b"(" * 150, b"-" * 3000, b"a" * 101, b"\xc3\xa9" * 70_000),
    *(b"\xe2\x80\xae", b"\x1b[2J", "\u0130\u03a3".encode(), b"</s>", b"x^$", b"L, ", b"'\\d'"),
)
"""What parsers stumble over."""

NUMBERS = (0, -1, 1, 2, 255, 10**6, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64, 10**18, 10**400, -(10**18))


def mutate(rng, data, layer="bytes"):
    """Return `data` changed in one to three places."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what is made here, not what is read
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            if layer == "bytes" or rng.randrange(4) == 0:
                data = _bytes(rng, data)
                continue
            try:
                data = LAYERS[layer](rng, data)
            except Exception:  # it is no longer of this layer
                data = _bytes(rng, data)
    return data


# ------------------------------------------------------------------------------------------------ bytes


def _bytes(rng, data):
    return rng.choice(_CHANGES)(rng, data)


def _span(rng, data):
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((1, 2, 4, 8, 30, 200)))


def _set(rng, data):
    spoilt = bytearray(data)
    if data:
        spoilt[rng.randrange(len(data))] = rng.choice((0, 255, 10, 32, 128, rng.randrange(256)))
    return bytes(spoilt)


def _flip(rng, data):
    spoilt = bytearray(data)
    if data:
        spoilt[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def _cut(rng, data):
    at = rng.randint(0, len(data))
    return data[:at] if rng.randrange(4) else data[at:]


def _leave_out(rng, data):
    start, stop = _span(rng, data)
    return data[:start] + data[stop:]


def _repeat(rng, data):
    start, stop = _span(rng, data)
    return data[:stop] + data[start:stop] * rng.choice((1, 2, 50)) + data[stop:]


def _splice(rng, data):
    """A piece from elsewhere in its place."""
    start, stop = _span(rng, data)
    other = rng.randint(0, len(data))
    return data[:start] + data[other : other + stop - start] + data[stop:]


def _insert(rng, data):
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(TOKENS) + data[at:]


def _overwrite(rng, data):
    start, stop = _span(rng, data)
    return data[:start] + rng.choice(TOKENS) + data[stop:]


def _number(rng, data):
    """Another number for one that stands there in digits."""
    found = list(re.finditer(rb"\d+", data[:10_000]))
    if not found:
        return _integer(rng, data)
    place = rng.choice(found[:1] * 3 + found[:200])
    return data[: place.start()] + b"%d" % rng.choice(NUMBERS) + data[place.end() :]


def _integer(rng, data):
    """Another number for one of 2, 4 or 8 bytes."""
    size = rng.choice((2, 4, 8))
    at = rng.randint(0, max(len(data) - size, 0))
    return data[:at] + (rng.choice(NUMBERS) % 256**size).to_bytes(size, "little") + data[at + size :]


def _lines(rng, data):
    """One line moved, doubled or left out; or other line ends."""
    lines = data.split(b"\n")
    how, at = rng.randrange(4), rng.randrange(len(lines))
    if how == 0:
        return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b"\0", b" ")))
    line = lines.pop(at) if how == 1 else lines[at]
    lines.insert(rng.randint(0, len(lines)), line)
    return b"\n".join(lines if how < 3 else lines[:at] + lines[at + 1 :])


def _recode(rng, data):
    return data.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-8-sig", "utf-32-le", "utf-7")), "replace")


def _nothing_left(rng, data):
    return rng.choice((b"", b"\n", b"\0" * 64, b"{}", b"[]", b"0 0\n", b"\x1f\x8b", b"PK\5\6" + bytes(18)))


_CHANGES = (
    *(_set, _flip, _cut, _leave_out, _repeat, _splice, _insert, _overwrite, _number, _number, _integer, _lines),
    *(_set, _flip, _insert, _overwrite, _recode, _nothing_left),
)

# ------------------------------------------------------------------------------------------------ JSON


def _json(rng, data):
    value = json.loads(data)
    if rng.randrange(8) == 0:  # the same key twice, which only the text can show
        first = next(iter(value))
        return b"{" + json.dumps(first).encode() + b": " + json.dumps(_value(rng)).encode() + b", " + data.lstrip()[1:]
    text = json.dumps(_json_value(rng, value), ensure_ascii=rng.choice((True, False)))
    return text.encode("utf-8", rng.choice(("surrogatepass", "replace")))


def _json_value(rng, value):
    """A value with one part changed; the parts near the top are the likeliest."""
    if isinstance(value, dict | list) and value and rng.randrange(5):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = rng.choice(keys)
        how = rng.randrange(10)
        if how == 0:
            del value[key]
        elif how == 1 and isinstance(value, dict):
            value[rng.choice(("", "a\nb", "\0", "\ud800", "format"))] = value.pop(key)
        elif how == 1:
            value.append(value[key])
        elif how == 2 and isinstance(value, dict):
            value[rng.choice(("more\nlines", "x"))] = _value(rng)
        else:
            value[key] = _json_value(rng, value[key])
        return value
    return _value(rng, value)


def _value(rng, value=0):
    deep = [[]]
    for _ in range(rng.choice((3, 60, 400, 800))):
        deep = [deep] if rng.randrange(50) else {"a": deep}
    return rng.choice(
        (
            *(
                None,
                True,
                False,
                {},
                [],
                "",
                "a\nb",
                "\0",
                "a\0",
                "\ud800",
                "\u202e",
                "9" * 30,
                "x" * 101,
                [value],
                str(value),
            ),
            *(float("nan"), float("inf"), -float("inf"), 1e308, 5e-324, 0.5, [[1, 2]], {"a": 1}, ["_"], deep, *NUMBERS),
        )
    )


# ------------------------------------------------------------------------------------------------ archives


def _npz(rng, data):
    members = _members(data)
    name = rng.choice(list(members))
    how = rng.randrange(12)
    if how < 9:
        members[name] = _npy(rng, members[name])
    elif how == 9:
        del members[name]
    elif how == 10:
        members[rng.choice(("more.npy", "a\nb.npy", "../up.npy", "", "W_in"))] = members.pop(name)
    else:
        other = rng.choice(list(members))
        members[name], members[other] = members[other], members[name]
    if "sha256.npy" in members and rng.randrange(4):
        _sign(members)
    return _zipped(rng, members)


def _sign(members):
    """Make a checkpoint's own checksum that of what is in it now, so that what stands behind it is tried too."""
    with contextlib.suppress(Exception):  # an array that is none: no checksum can be right
        arrays = {name[:-4]: np.load(io.BytesIO(data)) for name, data in members.items() if name != "sha256.npy"}
        file = io.BytesIO()
        np.save(file, np.array(digest(arrays)))
        members["sha256.npy"] = file.getvalue()


def _npy(rng, data):
    """An array with a lie in its header, other numbers, or another text."""
    file = io.BytesIO(data)
    npy.read_magic(file)
    _shape, _, dtype = npy.read_array_header_1_0(file)
    start = file.tell()
    how = rng.randrange(6)
    if how == 0:
        return _bytes(rng, data)
    if how in (1, 2):
        header = _header(rng, data[10:start])
        return (
            npy.magic(*rng.choice(((1, 0), (1, 0), (2, 0), (3, 0))))
            + struct.pack("<H", len(header))
            + header
            + data[start:]
        )
    array = np.load(io.BytesIO(data))
    if dtype.kind == "U" and array.ndim == 0:
        array = np.array(_json(rng, str(array).encode()).decode("utf-8", "surrogatepass"))
    elif how == 3:
        array = rng.choice(
            (array[:-1], np.concatenate([array, array]), array.reshape(-1), array.T, array[::-1], array[None])
        )
    elif how == 4:
        array = array.astype(rng.choice(("f8", "i4", "u8", "S", "U", "c8", "?", "f2", ">f4", "M8[s]")))
    elif array.dtype.kind == "U":
        array[rng.randrange(len(array))] = rng.choice(("", "a\nb", "\ud800", array[0], "\u202e", "x" * 200))
    else:
        with np.errstate(all="ignore"):
            array.flat[rng.randrange(array.size)] = rng.choice((np.nan, np.inf, 3e38, 0, -1, 2**62, 1e-45))
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _header(rng, header):
    """The text that tells an array's type and shape, with something else in it."""
    if rng.randrange(3) == 0:
        return _bytes(rng, header)[:60_000]
    kinds = (
        "'|O'",
        "'<U0'",
        "()",
        "[]",
        "[('a', '<f4')]",
        "[(1, 2)]",
        "('<f4', (2, 2))",
        "'a5'",
        "5",
        "None",
        "'\\d'",
        "[()]",
    )
    shapes = (
        b"()",
        b"(-1, 4)",
        b"(9999999999, 4)",
        b"(0, 99999999999999999999)",
        b"(8L, 4L)",
        b"(True, 4)",
        b"8",
        b"(1.5,)",
    )
    what = rng.randrange(3)
    if what == 0:
        return re.sub(rb"'descr': '[^']*'", lambda _: b"'descr': " + rng.choice(kinds).encode(), header)
    if what == 1:
        return re.sub(rb"\(.*?\)", lambda _: rng.choice(shapes), header)
    return header.replace(b"False", rng.choice((b"True", b"1", b"None", b"1if 1 else 2", b"-" * 500 + b"1")))


def _zip(rng, data):
    members = _members(data)
    name = rng.choice(list(members))
    if rng.randrange(2):
        members[name] = _bytes(rng, members[name])
    else:
        members[rng.choice(("more", "../up", "/abs", "a\nb", "\0"))] = members.pop(name) if rng.randrange(2) else b"1"
    return _zipped(
        rng, members, rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_STORED))
    )


def _members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(rng, members, compression=None):
    """An archive whose checksums are right; now and then with a header that is not as usual."""
    if compression is None:
        compression = zipfile.ZIP_STORED if rng.randrange(8) else zipfile.ZIP_DEFLATED
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = compression
            if rng.randrange(12) == 0:
                info.extra = rng.choice((b"\1\0\x10\0" + b"\xff" * 16, b"\1\0\1\0x", b"up\4\0abcd", b"\1"))
            archive.writestr(info, content)
    data = bytearray(file.getvalue())
    if rng.randrange(10) == 0:  # one number of a directory entry
        at = data.find(b"PK\1\2") + rng.choice((6, 8, 10, 20, 24, 28, 30, 32, 34, 42))
        data[at : at + 2] = rng.choice((b"\xff\xff", b"\1\0", b"\0\0", b"\x0c\0"))
    return bytes(data)


# ------------------------------------------------------------------------------------------------ packed, and others


def _packed(unpack, pack):
    def change(rng, data):
        content = unpack(data)
        if rng.randrange(8) == 0:
            content = content[:1000] + bytes((rng.choice((0, 32, 97)),)) * 5_000_000  # packs to next to nothing
        else:
            content = _bytes(rng, content)
        spoilt = pack(content)
        return spoilt if rng.randrange(4) else spoilt + rng.choice((spoilt, b"\0" * 7, b"more"))

    return change


def _xz(content):
    if len(content) % 8 == 0:  # asks for 1.5 GB to unpack
        filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}]
        data = bytearray(lzma.compress(content, filters=filters, check=lzma.CHECK_NONE))
        data[16] = 40  # the size of the dictionary, in the header of the block, whose CRC follows
        data[20:24] = zlib.crc32(data[12:20]).to_bytes(4, "little")
        return bytes(data)
    return lzma.compress(content, preset=0)


def _safetensors(rng, data):
    size = int.from_bytes(data[:8], "little")
    header, content = data[8 : 8 + size], data[8 + size :]
    how = rng.randrange(4)
    if how == 0:
        content = _bytes(rng, content)
    elif how == 1:
        header = _bytes(rng, header)
    elif how == 2:
        header = _json(rng, header)
    else:
        kinds = ("F16", "BF16", "F64", "I8", "U8", "BOOL", "F8_E4M3", "I64", "C64", "F4")
        header = re.sub(rb'"dtype":"\w+"', lambda _: b'"dtype":"%b"' % rng.choice(kinds).encode(), header, count=1)
    return len(header).to_bytes(8, "little") + header + content


LAYERS = {
    "json": _json,
    "npz": _npz,
    "zip": _zip,
    "gz": _packed(gzip.decompress, lambda content: gzip.compress(content, 1, mtime=0)),
    "bz2": _packed(bz2.decompress, lambda content: bz2.compress(content, 1)),
    "xz": _packed(lzma.decompress, _xz),
    "safetensors": _safetensors,
}
