"""Data sets by name, from a real server on 127.0.0.1, through the command that lists and fetches them."""

import functools
import hashlib
import http.server
import os
import re
import threading

import pytest

from parw2v import catalogue
from parw2v.catalogue import CATALOGUE, fetch_dataset, named_or_file, presence
from parw2v.commands import main
from parw2v.datasets import plain_file
from parw2v.errors import DownloadError, SettingsError

QUESTIONS = b": family\nking queen man woman\n"
PAIRS = b"king\tqueen\t8.5\nman\tking\t3\nwoman\tqueen\t4\n"


@pytest.fixture
def requests(tmp_path, monkeypatch):
    """Two data sets on a local server, in place of those of the same names; yields the paths asked for."""
    monkeypatch.setenv("no_proxy", "*")
    asked, served = [], tmp_path / "served"
    served.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=served))
    thread = threading.Thread(target=server.serve_forever, args=(0.005,))
    thread.start()
    for name, content in (("questions-words", QUESTIONS), ("simlex999", PAIRS)):
        (served / f"{name}.txt").write_bytes(content)
        url = f"http://127.0.0.1:{server.server_address[1]}/{name}.txt"
        dataset = plain_file(url, f"{name}.txt", len(content), hashlib.sha256(content).hexdigest())
        monkeypatch.setitem(catalogue.CATALOGUE, name, CATALOGUE[name]._replace(dataset=dataset))
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_data_set_is_described():
    assert {published.kind for published in CATALOGUE.values()} == {"corpus", "analogies", "similarity"}
    for name, published in CATALOGUE.items():
        assert re.fullmatch("[0-9a-f]{64}", published.dataset.archive_sha256)
        assert published.dataset.url.startswith("https://") or name == "text8"
        assert published.dataset.url.endswith(published.dataset.archive)
        assert published.about
        assert published.origin
    assert len({published.dataset.member for published in CATALOGUE.values()}) == len(CATALOGUE)


def test_fetched_once(requests, tmp_path):
    directory = tmp_path / "new" / "data"
    assert presence("questions-words", directory) == "no"
    path = fetch_dataset("questions-words", directory, quiet=True)
    assert path == directory / "questions-words.txt"
    assert path.read_bytes() == QUESTIONS
    assert presence("questions-words", directory) == "yes"
    assert fetch_dataset("questions-words", str(directory)) == path
    assert requests == ["/questions-words.txt"]
    assert [file.name for file in directory.iterdir()] == ["questions-words.txt"]


def test_another_file_in_its_place_is_not_used_and_not_replaced(requests, tmp_path):
    path = tmp_path / "questions-words.txt"
    path.write_bytes(QUESTIONS.replace(b"king", b"KING"))
    assert presence("questions-words", tmp_path) == "other"
    with pytest.raises(DownloadError, match=r"another SHA-256, .*move it away"):
        fetch_dataset("questions-words", tmp_path)
    assert path.read_bytes() == QUESTIONS.replace(b"king", b"KING")
    assert requests == []


def test_a_published_file_that_changed_is_refused(requests, tmp_path):
    (tmp_path / "served" / "simlex999.txt").write_bytes(PAIRS.replace(b"8.5", b"1.5"))
    with pytest.raises(DownloadError, match="SHA-256"):
        fetch_dataset("simlex999", tmp_path / "data")
    assert not list((tmp_path / "data").iterdir())


def test_names_and_files(requests, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "simlex999").write_text("mine")
    assert named_or_file("simlex999", "similarity", "data").read_bytes() == PAIRS, "the name wins"
    assert named_or_file("./simlex999", "similarity", "data").read_text() == "mine"
    assert named_or_file("missing.txt", "similarity", "data").name == "missing.txt"
    with pytest.raises(SettingsError, match="simlex999 is of kind similarity, not analogies; give questions-words or"):
        named_or_file("simlex999", "analogies", "data")
    with pytest.raises(SettingsError, match="text8 is of kind corpus"):
        named_or_file("text8", "similarity", "data")


def test_no_such_name(tmp_path):
    for function in (fetch_dataset, presence):
        with pytest.raises(SettingsError, match="no data set 'enwik'; there are text8, "):
            function("enwik", tmp_path)


# ---------------------------------------------------------------------------------------------- parw2v data


def test_the_list(requests, tmp_path, capsys):
    (tmp_path / "wordsim353.tsv").touch()
    fetch_dataset("simlex999", tmp_path, quiet=True)
    assert main(["data", "--data-dir", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    rows = {line.split()[0]: line.split() for line in out.splitlines()}
    assert {name: rows[name][1] for name in CATALOGUE} == {name: p.kind for name, p in CATALOGUE.items()}
    assert {name: rows[name][3] for name in CATALOGUE} == {
        "text8": "no", "questions-words": "no", "wordsim353": "other", "simlex999": "yes"
    }  # fmt: skip
    assert rows["text8"][2] == "31,344,016"
    for published in CATALOGUE.values():
        assert published.dataset.url in out
        assert published.origin in out
    assert max(map(len, out.splitlines())) <= 150
    assert requests == ["/simlex999.txt"]


def test_the_list_of_no_directory(tmp_path, capsys):
    assert main(["data", "--data_dir", str(tmp_path / "missing")]) == 0
    assert "  other  " not in capsys.readouterr().out
    assert not (tmp_path / "missing").exists()


def test_names_are_fetched_and_their_paths_printed(requests, tmp_path, capsys):
    flags = ["data", "simlex999", "questions-words", "--data_dir", str(tmp_path / "d")]
    for _ in range(2):
        assert main(flags) == 0
        out, err = capsys.readouterr()
        assert out.splitlines() == [str(tmp_path / "d" / name) for name in ("simlex999.txt", "questions-words.txt")]
        assert err == ""
    assert len(requests) == 2


def test_a_path_that_is_no_text_is_printed_as_it_is(requests, tmp_path, capfdbinary):
    directory = os.fsencode(tmp_path) + b"/\xff d"
    assert main(["data", "simlex999", "--data_dir", os.fsdecode(directory)]) == 0
    assert capfdbinary.readouterr() == (directory + b"/simlex999.txt\n", b"")


def test_mistakes_are_one_line(requests, tmp_path, capsys):
    (tmp_path / "served" / "simlex999.txt").unlink()
    for names, named in ((["simlex999", "nonsense"], "'nonsense'"), (["simlex999"], "HTTP 404")):
        assert main(["data", *names, "--data_dir", str(tmp_path / "d")]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("parw2v: error: ")
        assert err.count("\n") == 1
        assert named in err
    assert len(requests) <= 2, "a wrong name is found before the first download"
