"""Fetching, against a real server on 127.0.0.1 that misbehaves on request."""

import dataclasses
import errno
import fcntl
import hashlib
import http.server
import io
import multiprocessing
import os
import random
import re
import socket
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parw2v import datasets
from parw2v.datasets import TEXT8, Dataset, fetch, fetch_text8, is_there, plain_file
from parw2v.errors import DownloadError

TEXT = random.Random(8).randbytes(150_000)  # hardly compressible: the archive spans several reads


@dataclasses.dataclass
class Answer:
    """How the server deals with one request; as it is, it behaves."""

    status: int = 200
    ranges: bool = True
    body: bytes | None = None
    sent: int | None = None  # bytes of the body after which the connection is closed
    reset: bool = False  # close by a reset
    announced: bool = True  # send a Content-Length
    span: str | None = None  # Content-Range in place of the right one
    location: str | None = None
    gate: threading.Event | None = None  # wait for it before answering


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = body
        self.answers: list[Answer] = []  # of the next requests; after them it behaves
        self.requests: list[str | None] = []  # the Range header of each request
        self.url = f"http://127.0.0.1:{self.server_address[1]}/text.zip"

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about clients that hang up."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        answer = self.server.answers.pop(0) if self.server.answers else Answer()
        self.server.requests.append(wanted)
        if answer.gate:
            answer.gate.wait(10)
        body = self.server.body if answer.body is None else answer.body
        status, first = answer.status, 0
        if wanted and answer.ranges and status == 200:
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            status = 206 if first < len(body) else 416
        self.send_response(status)
        if answer.location:
            self.send_header("Location", answer.location)
        if status == 206:
            self.send_header("Content-Range", answer.span or f"bytes {first}-{len(body) - 1}/{len(body)}")
        payload = body[first:] if status in (200, 206) else b"an error page"
        if answer.announced:
            self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload[: answer.sent])
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.close(self.connection.detach())

    def log_message(self, format: str, *args: object) -> None:
        """Leave stderr to the code under test."""


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members:
            bundle.writestr(name, content)
    return buffer.getvalue()


def described(archive: bytes, url: str = "http://127.0.0.1/never") -> Dataset:
    return Dataset(
        url=url,
        archive="text.zip",
        archive_size=len(archive),
        archive_sha256=hashlib.sha256(archive).hexdigest(),
        member="text",
        member_size=len(TEXT),
        member_md5=hashlib.md5(TEXT).hexdigest(),
    )


def listing(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def refusal(dataset: Dataset, directory: Path, **options: float) -> str:
    """Return the message of the failing fetch, which has to be one line."""
    with pytest.raises(DownloadError) as caught:
        fetch(dataset, directory, pause=0, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert message.isprintable()
    return message


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(zipped(("text", TEXT))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.005,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def dataset(server: Server) -> Dataset:
    return described(server.body, server.url)


def assert_complete(directory: Path, path: Path) -> None:
    assert path == directory / "text"
    assert path.read_bytes() == TEXT
    assert listing(directory) == ["text", "text.zip"]


def test_text8_is_described_as_published() -> None:
    assert (TEXT8.archive, TEXT8.archive_size) == ("text8.zip", 31_344_016)
    assert (TEXT8.member, TEXT8.member_size) == ("text8", 10**8)
    assert re.fullmatch("[0-9a-f]{64}", TEXT8.archive_sha256)
    assert re.fullmatch("[0-9a-f]{32}", TEXT8.member_md5)


class TestDownload:
    def test_downloads_once_into_a_new_directory(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        directory = tmp_path / "new" / "data"
        assert_complete(directory, fetch(dataset, directory))
        assert (directory / "text.zip").read_bytes() == server.body
        server.answers = [Answer(404)]
        assert_complete(directory, fetch(dataset, directory))
        assert server.requests == [None]

    def test_text8_takes_another_address(
        self, dataset: Dataset, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(datasets, "TEXT8", dataclasses.replace(dataset, url="http://127.0.0.1/never"))
        assert_complete(tmp_path, fetch_text8(tmp_path, url=server.url, quiet=True))

    def test_relative_directory(self, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert fetch(dataset, Path("data")) == tmp_path / "data" / "text"

    def test_follows_redirects(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        server.answers = [Answer(302, location="/elsewhere")]
        assert_complete(tmp_path, fetch(dataset, tmp_path))

    @pytest.mark.parametrize("announced", [True, False])
    def test_cut_is_resumed_at_once(self, dataset: Dataset, server: Server, tmp_path: Path, announced: bool) -> None:
        server.answers = [Answer(sent=70_001, announced=announced), Answer(sent=10)]
        assert_complete(tmp_path, fetch(dataset, tmp_path, pause=0))
        assert server.requests == [None, "bytes=70001-", "bytes=70011-"]

    def test_reset_connection(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        server.answers = [Answer(sent=100_000, reset=True)]
        assert_complete(tmp_path, fetch(dataset, tmp_path, pause=0))
        assert len(server.requests) == 2

    def test_cut_is_resumed_by_the_next_call(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        server.answers = [Answer(sent=1000), Answer(sent=500)]
        message = refusal(dataset, tmp_path, attempts=2)
        assert f"1,500 of {len(server.body):,} bytes" in message
        assert "running again resumes" in message
        assert listing(tmp_path) == ["text.zip.part"]
        assert_complete(tmp_path, fetch(dataset, tmp_path))
        assert server.requests == [None, "bytes=1000-", "bytes=1500-"]

    def test_cut_before_the_first_byte(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        server.answers = [Answer(sent=0)]
        assert "the connection was cut, 0 of" in refusal(dataset, tmp_path, attempts=1)
        assert listing(tmp_path) == []

    def test_complete_part_needs_no_network(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        (tmp_path / "text.zip.part").write_bytes(server.body)
        assert_complete(tmp_path, fetch(dataset, tmp_path))
        assert server.requests == []

    def test_server_without_ranges_starts_over(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        server.answers = [Answer(sent=1000), Answer(ranges=False)]
        assert_complete(tmp_path, fetch(dataset, tmp_path, pause=0))
        assert server.requests == [None, "bytes=1000-"]

    @pytest.mark.parametrize(
        "answer", [Answer(416), Answer(span="bytes 0-1/*"), Answer(span="nonsense")], ids=["416", "other", "nonsense"]
    )
    def test_unusable_range_starts_over(self, dataset: Dataset, server: Server, tmp_path: Path, answer: Answer) -> None:
        (tmp_path / "text.zip.part").write_bytes(server.body[:99])
        server.answers = [answer]
        assert_complete(tmp_path, fetch(dataset, tmp_path, pause=0))
        assert server.requests == ["bytes=99-", None]

    def test_oversized_part_starts_over(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        (tmp_path / "text.zip.part").write_bytes(server.body + b"!")
        assert_complete(tmp_path, fetch(dataset, tmp_path))
        assert server.requests == [None]

    def test_busy_server_is_asked_again(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        server.answers = [Answer(503), Answer(429)]
        assert_complete(tmp_path, fetch(dataset, tmp_path, pause=0))

    def test_silent_server(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        gate = threading.Event()
        server.answers = [Answer(gate=gate)]
        try:
            message = refusal(dataset, tmp_path, attempts=1, timeout=0.05)
        finally:
            gate.set()
        assert "timed out" in message
        assert listing(tmp_path) == []

    def test_progress_bar_only_on_a_terminal(
        self, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        fetch(dataset, tmp_path / "piped")
        assert capfd.readouterr() == ("", "")
        terminal = io.StringIO()
        monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("sys.stderr", terminal)
        fetch(dataset, tmp_path / "quiet", quiet=True)
        assert terminal.getvalue() == ""
        fetch(dataset, tmp_path / "shown")
        assert "text.zip: " in terminal.getvalue()


class TestRefusedDownload:
    @pytest.mark.parametrize(("status", "reason"), [(404, "HTTP 404 Not Found"), (403, "HTTP 403 Forbidden")])
    def test_http_error(self, dataset: Dataset, server: Server, tmp_path: Path, status: int, reason: str) -> None:
        server.answers = [Answer(status)]
        message = refusal(dataset, tmp_path)
        assert server.url in message
        assert reason in message
        assert str(tmp_path / "text.zip") in message
        assert listing(tmp_path) == []
        assert len(server.requests) == 1

    def test_416_without_a_range(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        server.answers = [Answer(416)]
        assert "HTTP 416" in refusal(dataset, tmp_path)
        assert listing(tmp_path) == []

    def test_no_network(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/text.zip"
        (tmp_path / "text.zip.part").write_bytes(server.body[:99])
        message = refusal(dataclasses.replace(dataset, url=url), tmp_path)
        assert url in message
        assert "refused" in message
        assert str(tmp_path / "text.zip") in message
        assert listing(tmp_path) == ["text.zip.part"]

    @pytest.mark.parametrize(
        "url", ["file:///etc/hostname", "text.zip", "", "http://", "http://[", "http://a b/c\nd", "http://127.0.0.1/é"]
    )
    def test_bad_address(self, dataset: Dataset, tmp_path: Path, url: str) -> None:
        refusal(dataclasses.replace(dataset, url=url), tmp_path)
        assert listing(tmp_path) == []

    @pytest.mark.parametrize("kept", [0, 99])
    def test_wrong_content(self, dataset: Dataset, server: Server, tmp_path: Path, kept: int) -> None:
        bad = server.body[:-1] + bytes([server.body[-1] ^ 1])
        (tmp_path / "text.zip.part").write_bytes(server.body[:kept])
        server.answers = [Answer(body=bad)]
        message = refusal(dataset, tmp_path)
        assert hashlib.sha256(bad).hexdigest() in message
        assert dataset.archive_sha256 in message
        assert listing(tmp_path) == []
        assert len(server.requests) == 1

    @pytest.mark.parametrize("kept", [0, 99])
    def test_more_than_stated(self, dataset: Dataset, server: Server, tmp_path: Path, kept: int) -> None:
        (tmp_path / "text.zip.part").write_bytes(server.body[:kept])
        server.answers = [Answer(body=server.body + bytes(10**6), announced=False, span=f"bytes {kept}-9/*")]
        assert f"more than the {len(server.body):,} bytes" in refusal(dataset, tmp_path)
        assert listing(tmp_path) == []

    @pytest.mark.parametrize("body", [b"<html>please log in</html>", bytes(10**6)])
    def test_announced_size_is_wrong(self, dataset: Dataset, server: Server, tmp_path: Path, body: bytes) -> None:
        (tmp_path / "text.zip.part").write_bytes(server.body[:9])
        server.answers = [Answer(body=body, ranges=False), Answer(body=body)]
        for _ in range(2):
            assert f"{len(body):,} bytes there instead of" in refusal(dataset, tmp_path)
            assert (tmp_path / "text.zip.part").read_bytes() == server.body[:9]
        assert_complete(tmp_path, fetch(dataset, tmp_path))

    def test_full_disk(self, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            message = refusal(dataset, tmp_path)
        assert "No space left on device" in message
        assert str(tmp_path) in message
        assert listing(tmp_path) == ["text.zip.part"]
        assert_complete(tmp_path, fetch(dataset, tmp_path))

    def test_interrupt_keeps_only_the_part(
        self, dataset: Dataset, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*args: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(zipfile.ZipExtFile, "read", interrupted)
            with pytest.raises(KeyboardInterrupt):
                fetch(dataset, tmp_path)
        assert listing(tmp_path) == ["text.zip.part"]
        assert_complete(tmp_path, fetch(dataset, tmp_path))
        assert server.requests == [None]

    def test_directory_is_a_file(self, dataset: Dataset, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("")
        assert str(tmp_path / "data") in refusal(dataset, tmp_path / "data")


class TestByHand:
    def test_archive(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        (tmp_path / "text.zip").write_bytes(server.body)
        (tmp_path / "text.zip.part").write_bytes(b"given up")
        assert_complete(tmp_path, fetch(dataset, tmp_path))
        assert server.requests == []

    def test_text(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        (tmp_path / "text").write_bytes(TEXT)
        assert fetch(dataset, tmp_path) == tmp_path / "text"
        assert listing(tmp_path) == ["text"]
        assert server.requests == []

    @pytest.mark.parametrize("change", [lambda body: body[:-1], lambda body: bytes(len(body))], ids=["short", "other"])
    def test_wrong_archive_is_left_alone(
        self, dataset: Dataset, server: Server, tmp_path: Path, change: Callable[[bytes], bytes]
    ) -> None:
        wrong = change(server.body)
        (tmp_path / "text.zip").write_bytes(wrong)
        message = refusal(dataset, tmp_path)
        assert f"{tmp_path / 'text.zip'}" in message
        assert "remove it" in message
        assert (tmp_path / "text.zip").read_bytes() == wrong
        assert listing(tmp_path) == ["text.zip"]
        assert server.requests == []

    def test_wrong_text_is_left_alone(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        (tmp_path / "text").write_bytes(b"mine")
        assert f"{tmp_path / 'text'} is not a file of 150,000 bytes" in refusal(dataset, tmp_path)
        assert (tmp_path / "text").read_bytes() == b"mine"
        assert listing(tmp_path) == ["text"]
        assert server.requests == []

    def test_text_is_a_directory(self, dataset: Dataset, tmp_path: Path) -> None:
        (tmp_path / "text").mkdir()
        assert "is not a file" in refusal(dataset, tmp_path)


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("text")
    info.create_system = 3
    info.external_attr = 0o120777 << 16
    return info


def encrypted() -> bytes:
    archive = bytearray(zipped(("text", TEXT)))
    archive[6] |= 1
    archive[archive.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(archive)


def understated() -> bytes:
    """Return an archive that declares the expected size and unpacks to far more: a zip bomb."""
    archive = bytearray(zipped(("text", TEXT + bytes(10**7))))
    for start in (22, archive.rindex(b"PK\x01\x02") + 24):
        archive[start : start + 4] = struct.pack("<I", len(TEXT))
    return bytes(archive)


def packed_as(method: int, spoil: bool = False) -> bytes:
    """Return the right text packed in a way that zip archives hardly ever are; `spoil` its first bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as bundle:
        bundle.writestr("text", TEXT)
    archive = bytearray(buffer.getvalue())
    if spoil:
        archive[36:60] = bytes(24)
    return bytes(archive)


BAD_ARCHIVES = {  # each with what the message says about it
    "parent": (zipped(("../text", TEXT)), "it holds ['../text']"),
    "parent_too": (zipped(("text", TEXT), ("../evil", b"evil")), "it holds ['text', '../evil']"),
    "absolute": (zipped(("/text", TEXT)), "it holds ['/text']"),
    "cut_by_nul": (zipped(("text.evil", TEXT)).replace(b"text.evil", b"text\0evil"), "it holds ['text\\x00evil']"),
    "missing": (zipped(("other", TEXT)), "it holds ['other']"),
    "empty": (zipped(), "it holds []"),
    "twice": (zipped(("text", TEXT), ("texT", TEXT)).replace(b"texT", b"text"), "it holds ['text', 'text']"),
    "directory": (zipped(("text/", b"")), "it holds ['text/']"),
    "link": (zipped((link(), TEXT)), "other than the regular file"),
    "bomb": (zipped(("text", bytes(10**7))), "other than the regular file 'text' of 150,000 bytes"),
    "bomb_understated": (understated(), "Bad CRC-32"),
    "short": (zipped(("text", TEXT[:-1])), "other than the regular file 'text' of 150,000 bytes"),
    "other_text": (zipped(("text", TEXT[::-1])), "it does not unpack to 'text' of 150,000 bytes with MD5"),
    "encrypted": (encrypted(), "is encrypted"),
    "damaged": (zipped(("text", TEXT)).replace(TEXT[5000:5010], bytes(10)), "Bad CRC-32"),
    "lzma": (packed_as(zipfile.ZIP_LZMA), "packed in a way that no data set is"),
    "lzma_damaged": (packed_as(zipfile.ZIP_LZMA, spoil=True), "packed in a way that no data set is"),
    "bzip2": (packed_as(zipfile.ZIP_BZIP2), "packed in a way that no data set is"),
    "no_zip": (b"just text", "not a zip file"),
}


class TestBadArchive:
    """The data set's own archive, checksum and all, holds something else."""

    @pytest.mark.parametrize(("archive", "reason"), BAD_ARCHIVES.values(), ids=BAD_ARCHIVES)
    def test_downloaded(self, server: Server, tmp_path: Path, archive: bytes, reason: str) -> None:
        server.body = archive
        message = refusal(described(archive, server.url), tmp_path / "data")
        assert server.url in message
        assert reason in message
        assert listing(tmp_path / "data") == []
        assert listing(tmp_path) == ["data"]

    @pytest.mark.parametrize(("archive", "reason"), BAD_ARCHIVES.values(), ids=BAD_ARCHIVES)
    def test_by_hand(self, tmp_path: Path, archive: bytes, reason: str) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "text.zip").write_bytes(archive)
        assert reason in refusal(described(archive), tmp_path / "data")
        assert listing(tmp_path / "data") == ["text.zip"]
        assert listing(tmp_path) == ["data"]


class TestTogether:
    def test_processes(self, dataset: Dataset, server: Server, tmp_path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        processes = [context.Process(target=fetch, args=(dataset, tmp_path)) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(30)
        assert [process.exitcode for process in processes] == [0, 0, 0]
        assert_complete(tmp_path, tmp_path / "text")
        assert server.requests == [None]

    def test_threads(self, dataset: Dataset, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        barrier = threading.Barrier(8)
        checks: list[Path] = []
        real = datasets._check

        def check(dataset: Dataset, archive: Path) -> None:
            checks.append(archive)
            real(dataset, archive)

        monkeypatch.setattr(datasets, "_check", check)

        def one(_: int) -> Path:
            barrier.wait()
            return fetch(dataset, tmp_path)

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(one, range(8))) == {tmp_path / "text"}
        assert_complete(tmp_path, tmp_path / "text")
        assert server.requests == [None]
        assert checks == [tmp_path / "text.zip.part"]  # whoever waited has nothing left to do

    def test_lock_of_a_removed_file_does_not_count(
        self,
        dataset: Dataset,
        server: Server,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        real, waits = fcntl.flock, threading.Semaphore(0)

        def flock(descriptor: int, operation: int) -> None:
            if operation == fcntl.LOCK_EX:
                waits.release()
            real(descriptor, operation)

        monkeypatch.setattr(fcntl, "flock", flock)
        lock = tmp_path / "text.zip.lock"
        with ThreadPoolExecutor(1) as pool:
            with lock.open("w") as first:
                real(first, fcntl.LOCK_EX)
                path = pool.submit(fetch, dataset, tmp_path)
                assert waits.acquire(timeout=10)
                lock.unlink()
                second = lock.open("w")  # somebody new takes the name before the first lets go
                real(second, fcntl.LOCK_EX)
            with second:
                assert waits.acquire(timeout=10)  # so it has to wait once more
                assert server.requests == []
                lock.unlink()
            assert_complete(tmp_path, path.result(10))
        assert capfd.readouterr().err == f"waiting for the process that holds {lock}\n"

    def test_stale_lock_file_is_harmless(self, dataset: Dataset, tmp_path: Path) -> None:
        (tmp_path / "text.zip.lock").write_bytes(b"")
        assert_complete(tmp_path, fetch(dataset, tmp_path))


class TestPlainFile:
    """A file published as it is: no archive, nothing to unpack, and hashed whenever it is asked for."""

    @pytest.fixture
    def plain(self, server: Server) -> Dataset:
        server.body = TEXT
        return plain_file(server.url, "text.tsv", len(TEXT), hashlib.sha256(TEXT).hexdigest())

    def test_cut_is_resumed_and_stored_once(self, plain: Dataset, server: Server, tmp_path: Path) -> None:
        server.answers = [Answer(sent=70_001)]
        path = fetch(plain, tmp_path, pause=0)
        assert path.read_bytes() == TEXT
        assert listing(tmp_path) == ["text.tsv"]
        assert fetch(plain, tmp_path) == path
        assert server.requests == [None, "bytes=70001-"]

    def test_cut_is_resumed_by_the_next_call(self, plain: Dataset, server: Server, tmp_path: Path) -> None:
        server.answers = [Answer(sent=1000)]
        assert f"1,000 of {len(TEXT):,} bytes" in refusal(plain, tmp_path, attempts=1)
        assert listing(tmp_path) == ["text.tsv.part"]
        assert fetch(plain, tmp_path).read_bytes() == TEXT
        assert server.requests == [None, "bytes=1000-"]
        assert listing(tmp_path) == ["text.tsv"]

    def test_wrong_content(self, plain: Dataset, server: Server, tmp_path: Path) -> None:
        server.answers = [Answer(body=TEXT[:-1] + b"!" if TEXT[-1:] != b"!" else TEXT[:-1] + b"?")]
        assert plain.archive_sha256 in refusal(plain, tmp_path)
        assert listing(tmp_path) == []

    def test_a_file_put_there_by_hand(self, plain: Dataset, server: Server, tmp_path: Path) -> None:
        assert not is_there(plain, tmp_path)
        (tmp_path / "text.tsv").write_bytes(TEXT)
        assert is_there(plain, tmp_path)
        assert fetch(plain, tmp_path) == tmp_path / "text.tsv"
        (tmp_path / "text.tsv").write_bytes(TEXT[::-1])
        assert "another SHA-256" in refusal(plain, tmp_path)
        (tmp_path / "text.tsv").write_bytes(TEXT[1:])
        assert f"not a file of {len(TEXT):,} bytes" in refusal(plain, tmp_path)
        assert (tmp_path / "text.tsv").read_bytes() == TEXT[1:]
        assert server.requests == []
