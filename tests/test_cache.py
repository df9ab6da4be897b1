"""What is found in the cache is what reading would give, or nothing; and no failure of it stops a run."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys

import numpy as np
import pytest
from conftest import runs, until

from parw2v import cache as cache_module
from parw2v.cache import CorpusCache, corpus_key, default_directory
from parw2v.commands import parse, train
from parw2v.corpus import encode_text
from parw2v.vocabulary import Vocabulary

HOW = {"min_count": 2, "raw": False, "max_tokens": None}
QUICK = ("--min_count", "2", "--dim", "8", "--workers", "1", "--epochs", "1")


@pytest.fixture
def source(tmp_path):
    return text_file(tmp_path / "text.txt", "a b a c\nb a\n" * 50)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "kept"


def text_file(path, content):
    """An old one, so that its bytes are not looked at twice."""
    path.write_text(content)
    os.utime(path, (1, 1))
    return path


class Cache(CorpusCache):
    """Remembers what it had to say."""

    def __init__(self, directory, **options):
        self.said = []
        super().__init__(directory, self.said.append, **options)


def read(source, scratch, **how):
    scratch.mkdir(exist_ok=True)
    return encode_text(source, scratch, **(HOW | how))


def keep(cache, source, scratch, **how):
    """Read a text and keep it; returns its key."""
    key = corpus_key(source, **(HOW | how))
    cache.keep(key, *read(source, scratch, **how))
    return key


def content(found):
    vocab, corpus = found
    return vocab.words, vocab.counts.tolist(), vocab.min_count, corpus.ids.tolist(), corpus.fingerprint


def entries(directory):
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


# ---------------------------------------------------------------------------------------------------- keep and find


def test_what_is_kept_is_found(source, directory, tmp_path):
    with Cache(directory) as cache:
        key = corpus_key(source, **HOW)
        assert cache.find(key) is None
        assert not directory.exists()
        fresh = read(source, tmp_path / "out")
        cache.keep(key, *fresh)
    shutil.rmtree(tmp_path / "out")
    with Cache(directory) as cache:
        found = cache.find(corpus_key(source, **HOW))
        vocab, corpus = found
        assert corpus.path.parent == directory / key.name
        assert content(found) == (["a", "b", "c"], [150, 100, 50], 2, corpus.ids.tolist(), corpus.fingerprint)
        assert corpus.ids.tolist() == [0, 1, 0, 2, 1, 0] * 50
        assert vocab.fingerprint() == fresh[0].fingerprint()
        assert cache.said == []
    assert entries(directory) == [key.name]
    assert entries(directory / key.name) == ["corpus.i32", "entry.json", "lock", "vocabulary.json"]
    assert directory.stat().st_mode & 0o777 == 0o700


def test_an_entry_is_its_own_on_any_disk(source, directory, tmp_path, monkeypatch):
    """It shares its bytes with the run that made it, which removes its own name of them; or it is a copy."""
    with Cache(directory) as cache:
        key = keep(cache, source, tmp_path / "out")
        assert (directory / key.name / "corpus.i32").samefile(tmp_path / "out" / "corpus.i32")
        shutil.rmtree(directory)

        def other_disk(*paths):
            raise OSError(errno.EXDEV, "Invalid cross-device link")

        monkeypatch.setattr(os, "link", other_disk)
        keep(cache, source, tmp_path / "out")
        assert not (directory / key.name / "corpus.i32").samefile(tmp_path / "out" / "corpus.i32")
        assert content(cache.find(key)) == content(read(source, tmp_path / "out"))


def test_the_key_is_the_content_and_how_it_is_read(source, tmp_path, monkeypatch):
    name = corpus_key(source, **HOW).name
    other = tmp_path / "elsewhere"
    shutil.copy(source, other)
    assert corpus_key(str(other), **HOW).name == name
    os.utime(source)
    assert corpus_key(source, **HOW).name == name
    shutil.copy(source, tmp_path / "named.gz")
    names = {name, corpus_key(tmp_path / "named.gz", **HOW).name}
    names |= {corpus_key(source, **(HOW | how)).name for how in ({"min_count": 3}, {"raw": True}, {"max_tokens": 9})}
    for setting in ("TOKENISER_VERSION", "MAX_SENTENCE_WORDS", "MAX_WORD_CHARACTERS", "_FORMAT"):
        with monkeypatch.context() as patch:
            patch.setattr(cache_module, setting, 7)
            names.add(corpus_key(source, **HOW).name)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "byteorder", "middle")
        names.add(corpus_key(source, **HOW).name)
    other.write_text(source.read_text()[:-1] + " ")
    names.add(corpus_key(other, **HOW).name)
    assert len(names) == 11


def test_the_key_of_several_files_is_all_of_them_in_order(source, directory, tmp_path, monkeypatch):
    other = text_file(tmp_path / "other.txt", "b c\n" * 50)
    files = [str(source), str(other)]
    names = [corpus_key(some, **HOW).name for some in (files, files[::-1], files[:1], files[1:], files * 2)]
    assert len(set(names)) == 5
    assert corpus_key(files[:1], **HOW).name == corpus_key(source, **HOW).name
    assert corpus_key([*files, "-"], **HOW) is None
    assert corpus_key([*files, str(tmp_path / "none")], **HOW) is None
    with Cache(directory) as cache:
        key = corpus_key(files, **HOW)
        cache.keep(key, *read(files, tmp_path / "out"))
        assert content(cache.find(corpus_key(files, **HOW))) == content(read(files, tmp_path / "out"))
        key = corpus_key(files[::-1], **HOW)
        text_file(other, "b d\n" * 50)
        cache.keep(key, *read(files, tmp_path / "out"))
        assert len(entries(directory)) == 1
    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "CACHE_BYTES", (source.stat().st_size + other.stat().st_size) // 2 - 1)
        assert corpus_key(files, **HOW) is None
        assert corpus_key(source, **HOW)


def test_the_key_tells_vocabularies_apart(source, directory, tmp_path):
    known = Vocabulary.from_lists(["c", "a"], [9, 5], 4)
    others = [Vocabulary.from_lists(["a", "c"], [9, 5], 4), Vocabulary.from_lists(["c", "a"], [9, 5], 3)]
    keys = [corpus_key(source, **HOW, vocabulary=vocab).name for vocab in (known, *others, None)]
    assert len(set(keys)) == 4
    with Cache(directory) as cache:
        keep(cache, source, tmp_path / "out", vocabulary=known)
        vocab, corpus = cache.find(corpus_key(source, **(HOW | {"min_count": 77}), vocabulary=known))
        assert (vocab.words, vocab.counts.tolist(), vocab.min_count) == (["c", "a"], [9, 5], 4)
        assert corpus.ids.tolist() == [1, 1, 0, 1] * 50


def test_what_has_no_key(source, tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    for path in ("-", tmp_path, tmp_path / "none", tmp_path / "pipe"):
        assert corpus_key(path, **HOW) is None
    monkeypatch.setattr(cache_module, "CACHE_BYTES", source.stat().st_size // 2 - 1)
    monkeypatch.setattr(cache_module, "_sha256", None)  # nothing that long is hashed
    assert corpus_key(source, **HOW) is None


def test_the_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for base in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", base)
        assert default_directory() == tmp_path / ".cache" / "parw2v"
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/where")
    assert str(default_directory()) == "/some/where/parw2v"


# ---------------------------------------------------------------------------------------------------- changes


@pytest.mark.parametrize("change", ["append", "same size", "same size and time", "replace", "remove"])
@pytest.mark.parametrize("old", [True, False])
def test_a_text_that_changes_while_it_is_read_is_not_kept(source, directory, tmp_path, change, old):
    if not old:
        os.utime(source)
    key = corpus_key(source, **HOW)
    result = read(source, tmp_path / "out")
    before = source.stat()
    match change:
        case "append":
            source.write_text(source.read_text() + "b")
        case "replace":
            shutil.copy2(source, tmp_path / "copy")
            (tmp_path / "copy").rename(source)
        case "remove":
            source.unlink()
        case _:
            source.write_text("b" + source.read_text()[1:])
    if change == "same size and time":
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    with Cache(directory) as cache:
        cache.keep(key, *result)
        assert len(cache.said) == (change == "remove")
    assert entries(directory) == []


def test_a_change_that_the_clock_is_too_coarse_to_show(source, directory, tmp_path, monkeypatch):
    """A file that was written to just now is hashed again after it was read."""
    os.utime(source)
    key = corpus_key(source, **HOW)
    result = read(source, tmp_path / "out")
    source.write_text("b" + source.read_text()[1:])
    monkeypatch.setattr(cache_module._Stamp, "of", lambda path: key.files[0].stamp)
    with Cache(directory) as cache:
        cache.keep(key, *result)
    assert entries(directory) == []


# ---------------------------------------------------------------------------------------------------- damage


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path):
    os.truncate(path, path.stat().st_size - 4)


def grow(path):
    with path.open("ab") as file:
        file.write(b"\0\0")


def another(path):
    """A JSON of the right kind, and not this one."""
    record = json.loads(path.read_text())
    record["made_from"]["min_count"] = 77
    path.write_text(json.dumps(record))


def nonsense(path):
    path.write_text("[" * 100_000)


def as_directory(path):
    path.unlink()
    path.mkdir()


DAMAGE = [
    *((name, how) for name in ("corpus.i32", "vocabulary.json", "entry.json") for how in (flip, cut, as_directory)),
    *((name, os.unlink) for name in ("corpus.i32", "vocabulary.json", "entry.json", "lock")),
    *((name, lambda path: os.truncate(path, 0)) for name in ("corpus.i32", "vocabulary.json", "entry.json")),
    ("corpus.i32", grow),
    ("vocabulary.json", lambda path: path.write_text(path.read_text().replace('"a"', '"z"'))),
    ("entry.json", another),
    ("entry.json", nonsense),
    ("entry.json", lambda path: path.write_text("{}")),
    ("entry.json", lambda path: path.write_text("7")),
    (".", shutil.rmtree),
    (".", lambda path: (shutil.rmtree(path), path.write_text("a file"))),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGE)
def test_a_damaged_entry_is_thrown_away_and_made_anew(source, directory, tmp_path, name, damage):
    with Cache(directory) as cache:
        key = keep(cache, source, tmp_path / "out")
    whole = (directory / key.name / "entry.json").read_text()
    damage(directory / key.name / name)
    with Cache(directory) as cache:
        if name == "entry.json" and damage is flip and json.loads(whole) == _json(directory / key.name / name):
            pytest.skip("only the path of the text, which nothing depends on")
        assert cache.find(key) is None
        assert entries(directory) == []
        if damage is not shutil.rmtree:
            [said] = cache.said
            assert said.startswith(f"{directory / key.name}: cannot be used (")
            assert "\n" not in said
        keep(cache, source, tmp_path / "out")
        assert content(cache.find(key)) == content(read(source, tmp_path / "out"))
        assert len(cache.said) == (damage is not shutil.rmtree)


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        (lambda ids: np.append(ids, ~np.int32(99)), "has word 99"),
        (lambda ids: np.append(np.int32(2**31 - 1), ids), "has word 2,147,483,647"),
        (lambda ids: np.append(np.zeros(1000, np.int32), ids), "sentence of more than 1,000 words"),
        (lambda ids: ids[:0], "the corpus is empty"),
        (lambda ids: np.append(ids, np.int32(0)), "must end a sentence"),
    ],
)
def test_ids_that_training_would_stumble_over(source, directory, tmp_path, ids, says):
    """All checksums fit, as they would in an entry that somebody else has written."""
    with Cache(directory) as cache:
        key = keep(cache, source, tmp_path / "out")
    entry = directory / key.name
    spoilt = ids(np.fromfile(entry / "corpus.i32", np.int32))
    (entry / "corpus.i32").unlink()  # it may be a link to the text's own
    spoilt.astype(np.int32).tofile(entry / "corpus.i32")
    record = json.loads((entry / "entry.json").read_text())
    record |= {"words": len(spoilt), "corpus_sha256": hashlib.sha256(spoilt.tobytes()).hexdigest()}
    (entry / "entry.json").write_text(json.dumps(record))
    with Cache(directory) as cache:
        assert cache.find(key) is None
        [said] = cache.said
        assert says in said
        assert entries(directory) == []


def _json(path):
    try:
        return json.loads(path.read_text())
    except ValueError:
        return None


def test_what_is_not_an_entry_is_left_alone(source, directory, tmp_path):
    (directory / "precious").mkdir(parents=True)
    (directory / "notes.txt").write_text("mine")
    with Cache(directory, limit=3000) as cache:
        for text in ("a b " * 300, "a c " * 300, "a d " * 300):
            keep(cache, text_file(source, text), tmp_path / "out")
    assert {"precious", "notes.txt"} < set(entries(directory))
    assert (directory / "notes.txt").read_text() == "mine"


# ---------------------------------------------------------------------------------------------------- room


def four_texts(tmp_path):
    """Entries of 2,400 bytes of ids and less than 1,000 of anything else."""
    return [text_file(tmp_path / f"{word}.txt", f"a {word} " * 300) for word in "bcde"]


def test_the_least_recently_used_go_first(directory, tmp_path):
    texts = four_texts(tmp_path)
    keys = []
    for age, text in zip((30, 20, 10), texts, strict=False):
        with Cache(directory, limit=11_000) as cache:
            keys.append(keep(cache, text, tmp_path / "out"))
            os.utime(directory / keys[-1].name, (1e9 - age, 1e9 - age))
    with Cache(directory, limit=11_000) as cache:
        assert cache.find(keys[0])
    with Cache(directory, limit=11_000) as cache:
        new = keep(cache, texts[3], tmp_path / "out")
        assert cache.said == []
    assert entries(directory) == sorted(key.name for key in (keys[0], keys[2], new))


def test_an_entry_in_use_stays(directory, tmp_path):
    texts = four_texts(tmp_path)
    with Cache(directory) as user:
        keys = [keep(user, text, tmp_path / "out") for text in texts[:3]]
        for age, key in enumerate(keys):
            os.utime(directory / key.name, (1e9 + age, 1e9 + age))
        _, corpus = user.find(keys[0])
        os.utime(directory / keys[0].name, (1, 1))
        with Cache(directory, limit=8000) as other:
            new = keep(other, texts[3], tmp_path / "out")
            assert entries(directory) == sorted(key.name for key in (keys[0], new))
            assert other.find(keys[0])  # two may use it
        with Cache(directory, limit=5000) as other:
            keep(other, texts[1], tmp_path / "out")
            assert entries(directory) == [keys[0].name]
            [said] = other.said
            assert "no room" in said
        assert corpus.ids.tolist() == [0, 1] * 300
    with Cache(directory, limit=5000) as other:
        keep(other, texts[1], tmp_path / "out")
        assert entries(directory) == [keys[1].name]


def test_a_corpus_larger_than_the_cache_drives_nothing_out(directory, tmp_path):
    texts = four_texts(tmp_path)
    with Cache(directory) as cache:
        key = keep(cache, texts[0], tmp_path / "out")
    with Cache(directory, limit=2399) as cache:
        keep(cache, texts[1], tmp_path / "out")
        [said] = cache.said
        assert "is not kept" in said
    assert entries(directory) == [key.name]


# ---------------------------------------------------------------------------------------------------- several runs


def test_two_runs_that_read_the_same_text_at_once(source, directory, tmp_path, monkeypatch):
    """Both read, both make an entry; the second finds that the first has, at the very last moment."""
    save = cache_module._save
    with Cache(directory) as first, Cache(directory) as second:

        def interrupted(*arguments):
            monkeypatch.setattr(cache_module, "_save", save)
            assert len(entries(directory)) == 1  # under way
            keep(second, source, tmp_path / "second")
            assert len(entries(directory)) == 2  # the one under way was not swept
            save(*arguments)

        monkeypatch.setattr(cache_module, "_save", interrupted)
        key = keep(first, source, tmp_path / "first")
        assert first.said == second.said == []
        assert entries(directory) == [key.name]
        assert content(first.find(key)) == content(second.find(key)) == content(read(source, tmp_path / "out"))


def test_an_entry_that_is_being_removed_is_nothing(source, directory, tmp_path):
    with Cache(directory) as cache:
        key = keep(cache, source, tmp_path / "out")
        with (directory / key.name / "lock").open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert cache.find(key) is None
            assert cache.said == []
        assert cache.find(key)


KILLED = """
import os, signal, sys
from pathlib import Path
from parw2v import cache
from parw2v.corpus import encode_text

save = cache.{step}
def die(*arguments):
    save(*arguments) if {after} else None
    os.kill(os.getpid(), signal.SIGKILL)

source, directory, scratch = map(Path, sys.argv[1:])
scratch.mkdir()
how = dict(min_count=2, raw=False, max_tokens=None)
key = cache.corpus_key(source, **how)
cache.{step} = die
cache.CorpusCache(directory, print).keep(key, *encode_text(source, scratch, **how))
"""


@pytest.mark.leaves_litter
@pytest.mark.parametrize(("step", "after"), [("_save", False), ("_save", True), ("_rename", False), ("_rename", True)])
def test_killed_while_it_is_made(python, source, directory, tmp_path, step, after):
    code = KILLED.format(step=step, after=after)
    assert python.run("-c", code, source, directory, tmp_path / "scratch").returncode == -signal.SIGKILL
    [left] = entries(directory)
    whole = (step, after) == ("_rename", True)
    assert left.startswith("unfinished-") is not whole
    with Cache(directory) as cache:
        key = corpus_key(source, **HOW)
        assert bool(cache.find(key)) is whole
        keep(cache, source, tmp_path / "out")
        assert cache.said == []
        assert entries(directory) == [key.name]
        assert content(cache.find(key)) == content(read(source, tmp_path / "out"))


# ---------------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("where", ["file", "file/below", "/proc/nowhere"])
def test_a_directory_that_cannot_be_made(source, tmp_path, where):
    (tmp_path / "file").touch()
    with Cache(tmp_path / where) as cache:
        key = corpus_key(source, **HOW)
        assert cache.find(key) is None
        keep(cache, source, tmp_path / "out")
        [said] = cache.said
        assert said.startswith(f"{tmp_path / where}: the encoded corpus is not kept (")
        assert "\n" not in said


@pytest.mark.parametrize("step", ["_save", "_rename"])
def test_a_full_disk(source, directory, tmp_path, monkeypatch, step):
    def full(unfinished, *arguments):
        (unfinished / "corpus.i32").touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_module, step, full)
    with Cache(directory) as cache:
        keep(cache, source, tmp_path / "out")
        assert cache.said == [f"{directory}: the encoded corpus is not kept (No space left on device)"]
    assert entries(directory) == []


def test_interrupted_while_it_is_made(source, directory, tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cache_module, "_save", interrupt)
    with Cache(directory) as cache, pytest.raises(KeyboardInterrupt):
        keep(cache, source, tmp_path / "out")
    assert entries(directory) == []


def test_a_cache_that_may_only_be_read(source, directory, tmp_path, monkeypatch):
    with Cache(directory) as cache:
        key = keep(cache, source, tmp_path / "out")

    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    for name in ("utime", "rename", "mkdir", "link"):
        monkeypatch.setattr(os, name, refuse)
    with Cache(directory) as cache:
        assert cache.find(key)
        flip(directory / key.name / "corpus.i32")
        assert cache.find(key) is None
        assert entries(directory) == [key.name]


def test_a_file_system_without_locks(source, directory, tmp_path, monkeypatch):
    with Cache(directory) as cache:
        key = keep(cache, source, tmp_path / "out")

        def unsupported(*arguments):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", unsupported)
        assert cache.find(key) is None
        keep(cache, text_file(source, "a b a b"), tmp_path / "out")
        assert len(cache.said) == 2
        assert all("No locks available" in said for said in cache.said)
    assert entries(directory) == [key.name]


# ---------------------------------------------------------------------------------------------------- the command line


def vectors(path):
    with np.load(path) as file:
        return file["W_in"].tobytes() + file["W_out"].tobytes() + file["words"].tobytes()


def test_a_second_run_does_not_read(python, tmp_path, small_text, cache_home):
    flags = ("--corpus", small_text, *QUICK)
    outputs = [python.cli(*flags, "--out", out).stderr for out in ("a", "b")]
    outputs.append(python.cli(*flags, "--out", "c", "--no_cache").stderr)
    assert "read earlier" not in outputs[0] + outputs[2]
    assert f" kinds, read earlier ({cache_home / 'parw2v'})\n" in outputs[1]
    counted = [output.partition(" kinds")[0].rpartition("read ")[2] for output in outputs]
    assert counted[0] == counted[1] == counted[2]
    assert vectors(tmp_path / "a.npz") == vectors(tmp_path / "b.npz") == vectors(tmp_path / "c.npz")
    assert len(entries(cache_home / "parw2v")) == 1


@pytest.fixture
def said_of(tmp_path, capsys):
    """What a command line says of reading, up to where training would start."""

    def said_of(*flags):
        arguments = parse(list(map(str, flags)))
        (tmp_path / "scratch").mkdir(exist_ok=True)
        with train._cache(arguments) as cache:
            train._encode(arguments, 1, tmp_path / "scratch", cache)
        return capsys.readouterr().err

    return said_of


def test_another_text_or_other_settings_are_read(said_of, small_text, directory):
    flags = ("--corpus", small_text, *QUICK, "--cache-dir", directory)
    said_of(*flags)
    for more in (["--raw"], ["--max_tokens", "9000"], ["--min_count", "3"]):
        assert "read earlier" not in said_of(*flags, *more)
    assert "read earlier" in said_of(*flags)
    several = ("--corpus", small_text, small_text.parent / "smal?.txt", *flags[2:])
    assert "read earlier" not in said_of(*several)
    assert "read earlier" in said_of(*several)
    with small_text.open("a") as file:
        file.write("one more line\n")
    assert "read earlier" not in said_of(*flags)
    assert len(entries(directory)) == 6


def test_what_is_not_kept(said_of, small_text, directory, monkeypatch):
    kept = (*QUICK, "--cache_dir", directory)
    said_of("--corpus", "sample", *kept)
    said_of("--corpus", small_text, "sample", *kept)
    said_of("--corpus", small_text, *kept, "--no_cache")
    with small_text.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        said_of("--corpus", "-", *kept)
    assert not directory.exists()


def test_a_user_without_a_home(said_of, small_text, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("parw2v.cache.Path.home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert "warning" not in said_of("--corpus", small_text, *QUICK)


def test_a_cache_that_fails_is_one_line_and_harms_nothing(python, small_text, tmp_path):
    flags = ("--corpus", small_text, *QUICK, "--cache_dir", small_text / "below")
    done = python.cli(*flags)
    assert done.returncode == 0
    assert done.stderr.count("parw2v: warning: ") == done.stderr.count("is not kept") == 1
    assert "vectors: results/model.npz" in done.stderr
    assert python.cli(*flags, "--quiet").stderr == ""


def test_a_damaged_entry_is_one_line_and_harms_nothing(python, small_text, tmp_path):
    flags = ("--corpus", small_text, *QUICK, "--cache_dir", tmp_path / "kept")
    python.cli(*flags, "--out", "a")
    [name] = entries(tmp_path / "kept")
    flip(tmp_path / "kept" / name / "corpus.i32")
    done = python.cli(*flags, "--out", "b")
    assert done.stderr.count("parw2v: warning: ") == done.stderr.count("cannot be used") == 1
    assert vectors(tmp_path / "a.npz") == vectors(tmp_path / "b.npz")
    assert "read earlier" in python.cli(*flags).stderr


def test_a_run_holds_on_to_its_entry(python, small_text, tmp_path, directory):
    flags = ("--corpus", small_text, *QUICK, "--cache_dir", directory)
    python.cli(*flags)
    [name] = entries(directory)
    process = python.start_cli(*flags, "--epochs", "100000", "--log_json", "log")
    until(lambda: "epoch" in (tmp_path / "log").read_text() if (tmp_path / "log").exists() else False)
    with Cache(directory, limit=10_000) as cache:
        keep(cache, text_file(tmp_path / "other.txt", "a b " * 300), tmp_path / "out")
        assert entries(directory) == [name]
    assert runs(process.pid)
    process.send_signal(signal.SIGINT)
    assert python.finish(process).returncode == 130
    with Cache(directory, limit=10_000) as cache:
        key = keep(cache, tmp_path / "other.txt", tmp_path / "out")
        assert entries(directory) == [key.name]
