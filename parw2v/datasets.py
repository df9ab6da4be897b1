"""Published data sets: fetched once, checked against known figures, unpacked.

A data directory ends up with the unpacked text and the archive it came from; a set published as it is, without an
archive, is one file. Either may be put there by hand instead, which is all that a machine without a network needs.
Files only get their final names by a rename, after their sizes and checksums were found right; what is under way
carries the suffix ``.part``.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import http.client
import os
import re
import stat
import struct
import sys
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from parw2v.errors import DownloadError

_CHUNK = 1 << 16  # bytes
_PASSING = frozenset({408, 429, 500, 502, 503, 504})  # HTTP errors worth another attempt


@dataclasses.dataclass(frozen=True, slots=True)
class Dataset:
    """One text, published as the only member of a zip archive. Sizes are in bytes, digests in lower-case hex.

    Where `member` is `archive`, the file is published as it is, and there is nothing to unpack.
    """

    url: str
    archive: str
    archive_size: int
    archive_sha256: str
    member: str
    member_size: int
    member_md5: str

    @property
    def zipped(self) -> bool:
        """Whether the text is inside an archive."""
        return self.member != self.archive


def plain_file(url: str, name: str, size: int, sha256: str) -> Dataset:
    """Describe a data set that is published as it is."""
    return Dataset(url, name, size, sha256, name, size, member_md5="")


TEXT8 = Dataset(
    url="http://mattmahoney.net/dc/text8.zip",
    archive="text8.zip",
    archive_size=31_344_016,
    archive_sha256="a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
    member="text8",
    member_size=100_000_000,
    member_md5="3bea1919949baf155f99411df5fada7e",
)
"""The first 10^8 bytes of cleaned English Wikipedia (2006): lower-case a-z and single spaces, in one line."""


class _Cut(Exception):
    """A transfer ended early for a reason that may pass."""


class _Refused(Exception):
    """An address or an archive is no good, and another attempt would not change that."""


def fetch_text8(data_dir: Path, *, url: str | None = None, quiet: bool = False) -> Path:
    """Return the path of text8 in `data_dir`, fetching it from `url` if it is not there. See `fetch`."""
    return fetch(TEXT8, data_dir, url=url, quiet=quiet)


def fetch(
    dataset: Dataset,
    data_dir: Path,
    *,
    url: str | None = None,
    quiet: bool = False,
    attempts: int = 4,
    pause: float = 1.0,
    timeout: float = 30.0,
) -> Path:
    """Return the absolute path of the unpacked text in `data_dir`, which is created if need be.

    The text itself is used if it is there, else the archive, else the archive is downloaded. A text that is there
    is checked by its size alone if it comes from an archive: it was hashed before it got its name, and it is large.
    A file published as it is is hashed each time. Several processes may call this at once; one works, the others
    wait for it.

    Parameters
    ----------
    url : used in place of the data set's own address; http or https.
    quiet : show neither the progress bar nor the note about waiting. Outside a terminal there is no bar anyway.
    attempts, pause : connections made before giving up, and the seconds between two of them.
    timeout : seconds without a byte after which a connection counts as cut.

    Raises
    ------
    DownloadError : no network, a wrong checksum, an unexpected archive, a full disk. A download that was cut is kept
        as ``<archive>.part`` and resumed by the next call; nothing else is left behind.
    """
    dataset = dataset if url is None else dataclasses.replace(dataset, url=url)
    data_dir = data_dir.absolute()
    text, archive = data_dir / dataset.member, data_dir / dataset.archive
    part, unpacked = data_dir / f"{dataset.archive}.part", data_dir / f"{dataset.member}.part"
    try:
        if _is_installed(dataset, text):
            return text
        data_dir.mkdir(parents=True, exist_ok=True)
        with _exclusive(data_dir / f"{dataset.archive}.lock", quiet):
            if _is_installed(dataset, text):
                return text
            by_hand = archive.exists()
            try:
                if not by_hand:
                    _download(dataset, part, quiet=quiet, attempts=attempts, pause=pause, timeout=timeout)
                source = archive if by_hand else part
                _check(dataset, source)
                if dataset.zipped:
                    _unpack(dataset, source, unpacked)
                os.replace(source, archive)
                if dataset.zipped:
                    os.replace(unpacked, text)
                part.unlink(missing_ok=True)  # of a download given up for an archive put there by hand
            except _Refused as error:
                if by_hand:
                    raise _failure(f"cannot use {archive}: {error}; remove it to have it downloaded") from None
                if _kept(part, dataset.archive_size) == dataset.archive_size:  # then that is what was refused
                    part.unlink()
                raise _failure(
                    f"cannot download {dataset.url}: {error}; the file can also be put by hand at {archive}"
                ) from None
            finally:
                if dataset.zipped:  # else this is the name of the download, which is kept to be resumed
                    unpacked.unlink(missing_ok=True)
    except OSError as error:
        raise _failure(f"cannot store {dataset.member} in {data_dir}: {error}; name another directory") from error
    return text


def _failure(message: str) -> DownloadError:
    """Return an error of one line, whatever a server, a path or an address contributed to the message."""
    return DownloadError("".join(character if character.isprintable() else "?" for character in message))


def is_there(dataset: Dataset, data_dir: Path) -> bool:
    """Tell whether the text is in `data_dir`, checked as `fetch` does; raises DownloadError if another file is."""
    try:
        return _is_installed(dataset, data_dir.absolute() / dataset.member)
    except OSError as error:
        raise _failure(f"cannot read {dataset.member} in {data_dir}: {error}; name another directory") from error


def _is_installed(dataset: Dataset, text: Path) -> bool:
    """Tell whether the text is there; one that is not right is not replaced: it may be the only copy of something."""
    size = dataset.member_size
    if not text.exists():
        return False
    if not text.is_file() or text.stat().st_size != size:
        raise _failure(f"{text} is not a file of {size:,} bytes; move it away to have the right one fetched")
    if not dataset.zipped and (digest := _sha256(text)) != dataset.archive_sha256:
        raise _failure(f"{text} has another SHA-256, {digest}; move it away to have the right one fetched")
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _exclusive(path: Path, quiet: bool) -> Iterator[None]:
    """Hold the lock file `path`, which is there only while somebody holds it or waits for it.

    The holder removes the file before letting go, so one who waited may get the lock of a file without a name while
    a newcomer locks a new one. Hence the comparison: a lock counts only if its file is still the one at `path`.
    A killed holder leaves the file behind, unlocked and harmless.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not quiet:
                    print(f"waiting for the process that holds {path}", file=sys.stderr)
                quiet = True
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_same(descriptor, path):
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return
        finally:
            os.close(descriptor)


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _download(dataset: Dataset, part: Path, *, quiet: bool, attempts: int, pause: float, timeout: float) -> None:
    """Bring `part` to the size of the archive, going on from what it holds already."""
    size, attempt, reason = dataset.archive_size, 0, "no attempt allowed"
    while (kept := _kept(part, size)) < size:
        if attempt >= attempts:
            raise _Refused(f"{reason}, {kept:,} of {size:,} bytes are there (running again resumes)")
        if attempt:
            time.sleep(pause)
        attempt += 1
        try:
            _transfer(dataset, part, kept, quiet=quiet, timeout=timeout)
        except _Cut as cut:
            reason = str(cut)


def _kept(part: Path, size: int) -> int:
    """Return how many bytes of `part` can be built on; if there are none, `part` is removed."""
    kept = part.stat().st_size if part.exists() else 0
    if 0 < kept <= size:
        return kept
    part.unlink(missing_ok=True)
    return 0


def _transfer(dataset: Dataset, part: Path, kept: int, *, quiet: bool, timeout: float) -> None:
    """Append to `part`, of `kept` bytes, what one connection yields."""
    size = dataset.archive_size
    with _connect(dataset.url, part, kept, timeout) as response:
        if response.status == 206:
            span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
            if span is None or int(span[1]) != kept:
                part.unlink(missing_ok=True)
                raise _Cut("the server sent another range than it was asked for")
            announced = span[2]
        else:  # the whole file, whether or not a range was asked for
            kept, announced = 0, response.headers.get("Content-Length", "")
        if announced.isdecimal() and int(announced) != size:  # a login page, say: not worth losing what is kept
            raise _Refused(f"the server has {int(announced):,} bytes there instead of {size:,}")
        hidden = True if quiet else None  # None: hidden unless stderr is a terminal
        with (
            part.open("ab" if kept else "wb") as file,
            tqdm(desc=dataset.archive, total=size, initial=kept, unit="B", unit_scale=True, disable=hidden) as bar,
        ):
            while chunk := _read(response, min(_CHUNK, size + 1 - kept)):
                kept += len(chunk)
                if kept > size:
                    part.unlink()
                    raise _Refused(f"the server sent more than the {size:,} bytes expected, and they were removed")
                file.write(chunk)
                bar.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())
    if kept < size:
        raise _Cut("the connection was cut")


def _connect(url: str, part: Path, kept: int, timeout: float) -> http.client.HTTPResponse:
    """Return the answer to a request for `url` from byte `kept` on; `part` is removed if it cannot be resumed."""
    try:
        if not url.lower().startswith(("http://", "https://")):
            raise ValueError("it is not an http or https address")
        request = urllib.request.Request(url, headers={"User-Agent": "parw2v"})
        if kept:
            request.add_header("Range", f"bytes={kept}-")
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and kept:
            part.unlink()
            raise _Cut("the server could not resume") from None
        raise (_Cut if error.code in _PASSING else _Refused)(f"HTTP {error.code} {error.reason}") from None
    except urllib.error.URLError as error:  # no connection at all: offline, refused, no such host, bad certificate
        raise _Refused(str(error.reason)) from None
    except (http.client.InvalidURL, ValueError) as error:
        raise _Refused(str(error)) from None
    except (http.client.HTTPException, OSError) as error:
        raise _Cut(str(error)) from None
    return response


def _read(response: http.client.HTTPResponse, size: int) -> bytes:
    """Return up to `size` bytes, telling a failing connection from a failing disk, both of them an `OSError`."""
    try:
        return response.read(size)
    except (http.client.HTTPException, OSError) as error:
        raise _Cut(str(error)) from None


def _check(dataset: Dataset, archive: Path) -> None:
    if (found := archive.stat().st_size) != dataset.archive_size:
        raise _Refused(f"it has {found:,} bytes instead of {dataset.archive_size:,}")
    if (digest := _sha256(archive)) != dataset.archive_sha256:
        raise _Refused(f"its SHA-256 is {digest} instead of {dataset.archive_sha256}")


def _unpack(dataset: Dataset, archive: Path, target: Path) -> None:
    """Write the only member of `archive` to `target`: no path comes from the archive, and no size."""
    wanted = f"{dataset.member!r} of {dataset.member_size:,} bytes"
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with zipfile.ZipFile(archive) as bundle:
            members = bundle.infolist()
            if [info.orig_filename for info in members] != [dataset.member]:  # `filename` would end at a NUL
                raise _Refused(f"it holds {[info.orig_filename for info in members[:3]]} instead of {wanted} alone")
            kind = stat.S_IFMT(members[0].external_attr >> 16)  # 0 from systems that do not record it
            if kind not in (0, stat.S_IFREG) or members[0].file_size != dataset.member_size:
                raise _Refused(f"it declares a member other than the regular file {wanted}")
            if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise _Refused("its member is packed in a way that no data set is")
            with bundle.open(members[0]) as packed, target.open("wb") as file:
                while chunk := packed.read(_CHUNK):  # ends at the declared size, however much is packed
                    file.write(chunk)
                    digest.update(chunk)
                file.flush()
                os.fsync(file.fileno())
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError) as error:  # damaged, ...
        raise _Refused(f"it cannot be unpacked: {error}") from None
    if target.stat().st_size != dataset.member_size or digest.hexdigest() != dataset.member_md5:
        raise _Refused(f"it does not unpack to {wanted} with MD5 {dataset.member_md5}")
