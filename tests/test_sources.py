"""Names and patterns become files in a known order, and the files are shared out whole."""

import gzip
import os
import random

import pytest

from parw2v.errors import CorpusError
from parw2v.sources import Part, shares, shown, text_files, title


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.txt", "a.txt", "c.gz", "deep/er/d.txt", "[x].txt", "*.txt", ".hidden.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a b")
    return tmp_path


def test_names_stand_for_themselves(here):
    for given in ("b.txt", here / "b.txt", [here / "b.txt", "a.txt"], ("a.txt", "a.txt"), "-", ["-", "a.txt"]):
        names = [given] if not isinstance(given, list | tuple) else given
        assert text_files(given) == [str(name) for name in names]


def test_a_file_whose_name_looks_like_a_pattern_is_itself(here):
    assert text_files("[x].txt") == ["[x].txt"]
    assert text_files("*.txt") == ["*.txt"]


def test_patterns_are_sorted_files_without_folders(here):
    assert text_files("?.*") == ["*.txt", "a.txt", "b.txt", "c.gz"]
    assert text_files(["[b-z].*", "a.txt"]) == ["b.txt", "c.gz", "a.txt"]
    assert text_files("**/*.txt") == ["*.txt", "[x].txt", "a.txt", "b.txt", "deep/er/d.txt"]
    assert text_files(here / "d*" / "*" / "d*") == [str(here / "deep" / "er" / "d.txt")]
    assert text_files("dee[p]/**") == ["deep/er/d.txt"]


def test_a_file_called_like_standard_input_is_a_file(here):
    (here / "-").write_text("a")
    assert text_files("[-]") == ["./-"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("none.txt", "none.txt: cannot be read (No such file or directory); check --corpus"),
        ("n*ne.txt", "n*ne.txt: no file matches this pattern; check --corpus"),
        ("deep/*", "deep/*: no file matches this pattern; check --corpus"),
        ("deep", "deep: is a directory; give its files, by a pattern: 'deep/*.txt'"),
        (["a.txt", "none.txt"], "none.txt: cannot be read"),
        (["-", "-"], "-: standard input can be read only once"),
        ([], "the list of files is empty"),
        ("", ": cannot be read (No such file"),
        ("a\0b", "embedded null byte"),
        ("the cat sat\non the mat " * 50, "..."),
    ],
)
def test_what_is_no_text(here, given, message):
    with pytest.raises(CorpusError) as caught:
        text_files(given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_titles():
    assert title(["a.txt"]) == "a.txt"
    assert title(["a.txt", "b", "c"]) == "a.txt and 2 more"
    assert shown("a\nb") == "a b"


# ---------------------------------------------------------------------------------------------------- shares


def write(path, size):
    path.write_bytes((b"abc def\n" * (size // 8 + 1))[:size])
    return str(path)


def covered(parts):
    """The bytes of each file that parts are of, if they follow each other."""
    found = {}
    for part in parts:
        assert found.get(part.file, 0) == part.start
        found[part.file] = part.stop
    return found


@pytest.mark.parametrize("seed", range(40))
def test_shares_are_all_of_the_text_in_order(tmp_path, seed):
    random_ = random.Random(seed)
    files = [
        write(tmp_path / f"{i}.txt", random_.choice([0, 1, 50, 1000, 9000])) for i in range(random_.randrange(1, 9))
    ]
    sizes = [os.path.getsize(file) for file in files]
    readers, range_bytes = random_.randrange(1, 9), random_.choice([1, 100, 5000])
    found = shares(files, readers, range_bytes)
    parts = [part for share in found for part in share]
    assert 1 <= len(found) <= readers
    assert all(found)
    assert list(dict.fromkeys(part.file for part in parts)) == files
    if len(found) > 1:
        assert covered(parts) == dict(zip(files, sizes, strict=True))
        assert len(found) <= sum(sizes) // range_bytes
    else:
        assert parts == [Part(file, 0, None, file != files[-1]) for file in files]
    last = {part.file: i for i, part in enumerate(parts)}
    assert [i for i, part in enumerate(parts) if part.ends_sentence] == [last[file] for file in files[:-1]]


def test_shares_are_even(tmp_path):
    for sizes in ([80_000], [40_000, 40_000], [20_000] * 4, [8] * 10_000, [10_000, 60_000, 10_000]):
        files = [write(tmp_path / f"{i}.txt", size) for i, size in enumerate(sizes)]
        found = shares(files, 4, 10_000)
        held = [sum(part.stop - part.start for part in share) for share in found]
        assert len(held) == 4
        assert max(held) - min(held) <= 16 if sizes[0] != 10_000 else max(held) <= 35_000


def test_compressed_files_go_whole_to_different_readers(tmp_path):
    files = []
    for i in range(4):
        files.append(str(tmp_path / f"{i}.gz"))
        with gzip.open(files[-1], "wb") as file:
            file.write(random.Random(i).randbytes(3000))
    assert [[part.file for part in share] for share in shares(files, 2, 1000)] == [files[:2], files[2:]]
    assert len(shares(files[:1], 2, 1)) == 1


def test_what_is_no_file_on_disk_only_this_process_can_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    plain = write(tmp_path / "plain", 1000)
    for other in ("-", str(tmp_path / "pipe")):
        assert shares([plain, other], 8, 1) == [[Part(plain, 0, None, True), Part(other, 0, None, False)]]
