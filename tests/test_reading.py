"""A text read by many is the same text: words, order, ids and sentence ends; and readers may fail, die or be left."""

import contextlib
import gzip
import os
import random
import signal
from collections import Counter

import numpy as np
import pytest
from conftest import runs, until, workers_of

from parw2v import reading, spool, text
from parw2v.corpus import Corpus, encode_text
from parw2v.errors import CorpusError, VocabularyError
from parw2v.pool import Result
from parw2v.text import SENTENCE_END, read_tokens
from parw2v.vocabulary import Vocabulary

FEW_WORDS = 5
"""Of a sentence, where lines are to be cut often."""


class Here:
    """A pool whose workers are all in this process, and answer in any order."""

    def __init__(self, target, n_workers, setup, environment, max_restarts):
        assert target == "parw2v.reading:prepare"
        self.workers = [reading.prepare(setup) for _ in range(n_workers)]
        self.waiting = [[] for _ in range(n_workers)]
        self.random = random.Random(n_workers)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def submit(self, worker, task):
        self.waiting[worker].append(task)

    def wait(self, timeout):
        worker = self.random.choice([i for i, tasks in enumerate(self.waiting) if tasks])
        task = self.waiting[worker].pop(0)
        return [Result(worker, task, self.workers[worker](task))]


@pytest.fixture
def tiny(monkeypatch):
    """Ranges of a few bytes, for any number of readers in this process."""
    monkeypatch.setattr(reading, "Pool", Here)
    monkeypatch.setattr(reading, "RANGE_BYTES", 1)
    monkeypatch.setattr(reading, "MAX_READERS", 1000)
    return monkeypatch


def encoded(source, directory, **options):
    """All that a text becomes, or the error."""
    directory.mkdir(exist_ok=True)
    try:
        vocab, corpus = encode_text(source, directory, **options)
    except (CorpusError, VocabularyError) as error:
        return type(error), str(error)
    finally:
        assert {path.name for path in directory.iterdir()} <= {"corpus.i32"}
    return vocab.words, vocab.counts.tolist(), np.fromfile(corpus.path, np.int32).tolist(), corpus.fingerprint


def encoded_slowly(source, raw, min_count, sentence_words):
    lines = [[]]
    for token in (token for piece in read_tokens(source, raw=raw) for token in piece):
        lines[-1].append(token.decode()) if token != SENTENCE_END else lines.append([])
    counts = Counter(word for line in lines for word in line)
    kept = [word for word in counts if counts[word] >= min_count and len(word) <= 100]
    words = sorted(kept, key=lambda word: (-counts[word], word))
    index = {word: i for i, word in enumerate(words)}
    ids = []
    for line in lines:
        for start in range(0, len(line), sentence_words):
            if sentence := [index[word] for word in line[start : start + sentence_words] if word in index]:
                ids += [*sentence[:-1], ~sentence[-1]]
    return words, [counts[word] for word in words], ids, Corpus(np.array(ids, np.int32)).fingerprint


def hostile(random_):
    """Bytes that make trouble: spaces of all kinds, characters of all lengths, halves of them, empty lines, long lines."""
    some = [
        "a",
        "B",
        "c'c",
        "ß",
        "Σ",
        "İ",
        "日本",
        "한국어",
        "😀",
        "\u0301",
        "\ufeff",
        "\x85",
        "\u2028",
        "\xa0",
        "x" * 101,
    ]
    parts = [part.encode() for part in some] + [b"\xff", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\x80", b"\xf0\x9f"]
    spaces = random_.choice(
        [[b" "], [b" ", b"\n"], [b"\r\n", b" "], [b" ", b"\n", b"\t", b"\0", b"\r", b"\v", b"\f", b"\n\n"]]
    )
    words = random_.choices(parts, k=random_.choice([4, 20]))
    start = random_.choice([b"", b"", b"\xef\xbb\xbf", b"\n\n"])
    return start + b"".join(
        random_.choice(words) + random_.choice([b"", *spaces * 3]) for _ in range(random_.randrange(400))
    )


@pytest.mark.parametrize("seed", range(60))
def test_any_number_of_readers_makes_the_same_of_hostile_bytes(tiny, tmp_path, seed):
    random_ = random.Random(seed)
    tiny.setattr(spool, "MAX_SENTENCE_WORDS", FEW_WORDS)
    source = tmp_path / "text.txt"
    source.write_bytes(hostile(random_))
    raw, min_count = random_.random() < 0.5, random_.choice([1, 2, 10])
    alone = encoded(source, tmp_path / "alone", raw=raw, min_count=min_count, readers=1)
    if not isinstance(alone[0], type):
        assert alone == encoded_slowly(source, raw, min_count, FEW_WORDS)
    for readers in (2, 3, random_.randrange(4, 40), 1000):
        tiny.setattr(spool, "STRETCH_WORDS", random_.choice([1, 2, 7, 100]))
        tiny.setattr(text, "PIECE_BYTES", random_.choice([4, 16, 1000]))
        tiny.setattr(text, "LONGEST_RUN", 1 << 22)
        assert encoded(source, tmp_path / "many", raw=raw, min_count=min_count, readers=readers) == alone


@pytest.mark.parametrize("seed", range(10))
def test_long_runs_without_white_space_are_cut_alike(tiny, tmp_path, seed):
    random_ = random.Random(seed)
    tiny.setattr(text, "PIECE_BYTES", 32)
    tiny.setattr(text, "LONGEST_RUN", 64)
    source = tmp_path / "text.txt"
    runs_ = ["".join(random_.choices("aé日。😀", k=random_.choice([1, 3, 20, 300]))) for _ in range(40)]
    source.write_text(" ".join(runs_))
    alone = encoded(source, tmp_path / "alone", min_count=1, readers=1)
    for readers in (2, 7, 100):
        tiny.setattr(text, "PIECE_BYTES", random_.choice([5, 31]))
        assert encoded(source, tmp_path / "many", min_count=1, readers=readers) == alone


def test_a_sentence_that_ends_where_only_the_next_reader_sees_it(tiny, tmp_path):
    """The line feed starts a range; so do words that are left out; so does a line's thousandth word."""
    source = tmp_path / "text.txt"
    for content in (
        "a a a\nb b b",
        "a a \n\n b b",
        "a a rare\nrare\nb b rare",
        "a \n" * 9 + "b b",
        "\n\n a b a b \n\n",
    ):
        source.write_text(content)
        one = encoded(source, tmp_path / "out", min_count=2, readers=1)
        assert one == encoded_slowly(source, False, 2, 1000)
        for readers in range(2, 30):
            assert encoded(source, tmp_path / "out", min_count=2, readers=readers) == one


@pytest.mark.parametrize("n_words", [999, 1000, 1001, 5003])
def test_a_long_line_is_cut_at_the_same_words(tiny, tmp_path, n_words):
    source = tmp_path / "text.txt"
    source.write_text("rare " + "a b " * (n_words // 2) + "\n" + "a " * n_words)
    one = encoded(source, tmp_path / "out", min_count=2, readers=1)
    assert one == encoded_slowly(source, False, 2, 1000)
    for readers in (2, 3, 50):
        assert encoded(source, tmp_path / "out", min_count=2, readers=readers) == one


@pytest.mark.parametrize("seed", range(30))
def test_several_files_are_one_text_with_line_ends_between(tiny, tmp_path, seed):
    random_ = random.Random(seed)
    tiny.setattr(spool, "MAX_SENTENCE_WORDS", FEW_WORDS)
    contents = [hostile(random_).removeprefix(b"\xef\xbb\xbf") for _ in range(random_.randrange(2, 6))]
    joined, files = tmp_path / "joined.txt", []
    joined.write_bytes(b"\n".join(contents))
    for i, content in enumerate(contents):
        packed = random_.random() < 0.3
        files.append(tmp_path / f"{i}.{'gz' if packed else 'txt'}")
        mark = random_.choice([b"", b"\xef\xbb\xbf"])  # each file may have one
        files[-1].write_bytes(gzip.compress(mark + content) if packed else mark + content)
    raw, min_count = random_.random() < 0.5, random_.choice([1, 2])
    one = encoded(joined, tmp_path / "one", raw=raw, min_count=min_count, readers=1)
    assert not isinstance(one[0], type)
    for readers in (1, 2, 3, random_.randrange(4, 40), 1000):
        assert encoded(files, tmp_path / "many", raw=raw, min_count=min_count, readers=readers) == one
    half = encoded(joined, tmp_path / "one", raw=raw, min_count=1, max_tokens=17)
    assert encoded(files, tmp_path / "many", raw=raw, min_count=1, max_tokens=17, readers=3) == half


def test_processes_read_several_files(long_text, tmp_path):
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(long_text.read_bytes()))
    files = [long_text, packed, long_text]
    many = encoded(files, tmp_path / "out", min_count=2, readers=3)
    assert many == encoded(files, tmp_path / "out", min_count=2, readers=1)
    assert sum(many[1]) == len(many[2]) > 3 * len(encoded(long_text, tmp_path / "out", min_count=6)[2])


def test_a_given_vocabulary_is_used_instead_of_counting(tiny, tmp_path):
    source = tmp_path / "text.txt"
    source.write_text(("b a c\nc rare " + "x" * 500 + "\n\nnothing\na a b\n") * 9)
    words = ["c", "new york", "a", "\n", "x" * 500, "", "e\tf", "unseen", "\ud800"]
    known = Vocabulary.from_lists(words, list(range(50, 50 - len(words), -1)), 3)
    for readers in (1, 2, 7):
        vocab, corpus = encode_text(source, tmp_path, vocabulary=known, readers=readers)
        assert vocab is known
        assert [sentence.tolist() for sentence in corpus.sentences()] == [[2, 0], [0], [2, 2]] * 9
    with pytest.raises(CorpusError, match=r"text\.txt: holds no word of the vocabulary"):
        encode_text(source, tmp_path, vocabulary=Vocabulary.from_lists(["new york", "unseen"], [2, 1]))


def test_what_one_process_reads_alone(tmp_path, monkeypatch):
    """Short texts, part of a text, compressed ones."""
    monkeypatch.setattr(reading, "Pool", None)
    source = tmp_path / "text.txt"
    source.write_text("a b " * 1000)
    assert encoded(source, tmp_path / "out", readers=4)[1] == [1000, 1000]
    monkeypatch.setattr(reading, "RANGE_BYTES", 1)
    assert encoded(source, tmp_path / "out", readers=1)[1] == [1000, 1000]
    assert encoded(source, tmp_path / "out", readers=4, max_tokens=101)[1] == [51, 50]
    source.rename(tmp_path / "text.gz")
    assert "damaged" in encoded(tmp_path / "text.gz", tmp_path / "out", readers=4)[1]


# ---------------------------------------------------------------------------------------------------- processes


@pytest.fixture
def long_text(tmp_path, monkeypatch):
    """A text that is long enough for several processes."""
    monkeypatch.setattr(reading, "RANGE_BYTES", 1000)
    random_ = random.Random(1)
    path = tmp_path / "long.txt"
    path.write_bytes(b"".join(hostile(random_) for _ in range(200)))
    return path


@pytest.mark.parametrize("raw", [False, True])
def test_processes_read_as_one_does(long_text, tmp_path, raw):
    seen = []
    many = encoded(long_text, tmp_path / "out", raw=raw, min_count=2, readers=3, progress=seen.append)
    assert many == encoded(long_text, tmp_path / "out", raw=raw, min_count=2, readers=1)
    assert seen == sorted(seen)
    assert seen[-1] >= len(many[2])


def test_all_cores_may_read_unless_told(long_text, tmp_path, monkeypatch):
    started = []

    class Counting(Here):
        def __init__(self, target, n_workers, *arguments):
            started.append(n_workers)
            super().__init__(target, n_workers, *arguments)

    monkeypatch.setattr(reading, "Pool", Counting)
    monkeypatch.setattr("parw2v.corpus.available_cores", lambda: 5)
    encoded(long_text, tmp_path / "out", min_count=2)
    monkeypatch.setattr("parw2v.corpus.available_cores", lambda: 500)
    encoded(long_text, tmp_path / "out", min_count=2)
    assert started == [5, reading.MAX_READERS]


@pytest.mark.parametrize("content", [b"\xff\xfea\0 \0b\0" * 500, b" \n" * 5000, b"lonely " * 1000, b"a b c " * 1000])
def test_errors_are_the_same_from_a_process(long_text, tmp_path, content):
    long_text.write_bytes(content)
    error = encoded(long_text, tmp_path / "out", min_count=1001, readers=1)
    assert error[0] in (CorpusError, VocabularyError)
    assert encoded(long_text, tmp_path / "out", min_count=1001, readers=2) == error


def test_a_full_disk_is_one_line_that_names_the_directory(long_text, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "provisional-1.i32").symlink_to("/dev/full")
    kind, message = encoded(long_text, tmp_path / "out", readers=2)
    assert kind is CorpusError
    assert message == f"{tmp_path / 'out'}: the encoded corpus cannot be written (No space left on device)"


@pytest.mark.parametrize("name", ["begin", "read_on", "counted", "encode"])
def test_a_reader_that_is_killed_is_named_in_one_line(long_text, tmp_path, monkeypatch, name):
    killed = []

    class Killing(reading.Pool):
        def submit(self, worker, task):
            if task[0] == name and worker == 1:
                killed.append(self.pids[worker])
                os.kill(killed[0], signal.SIGSTOP)  # so that it cannot be done before it is killed
            super().submit(worker, task)
            if killed:
                os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(reading, "Pool", Killing)
    kind, message = encoded(long_text, tmp_path / "out", readers=3)
    assert kind is CorpusError
    assert f"(pid {killed[0]}) was killed by signal 9" in message
    assert "\n" not in message


STOPPED = """
import os, signal, sys
from parw2v import reading
from parw2v.commands import main

class Stopped(reading.Pool):
    def submit(self, worker, task):
        super().submit(worker, task)
        if task[0] == "read_on":
            os.kill(self.pids[worker], signal.SIGSTOP)

reading.Pool, reading.RANGE_BYTES = Stopped, 1000
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def stopped(python, long_text):
    """A run whose two readers were stopped in the act: (its process, theirs)."""
    process = python.start("-c", STOPPED, "--corpus", long_text, "--workers", "2", process_group=0)
    until(lambda: len(readers_of(process.pid)) == 2)
    return process, readers_of(process.pid)


def readers_of(pid):
    return [pid for pid in workers_of(pid) if " T " in open(f"/proc/{pid}/stat").read()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_readers_too(stopped, python, tmp_path, number):
    process, readers = stopped
    process.send_signal(number)
    done = python.finish(process)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "parw2v: interrupted\n")
    assert not any(map(runs, readers))
    assert list((tmp_path / "results").iterdir()) == []


def test_a_run_with_a_killed_reader_ends_in_one_line(stopped, python, tmp_path):
    process, readers = stopped
    os.kill(readers[0], signal.SIGKILL)
    done = python.finish(process)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("parw2v: error: ")
    assert f"(pid {readers[0]}) was killed by signal 9" in done.stderr
    assert list((tmp_path / "results").iterdir()) == []


def test_readers_leave_when_the_run_is_killed(stopped, python, tmp_path):
    process, readers = stopped
    process.kill()
    python.finish(process)
    for pid in readers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    until(lambda: not any(map(runs, readers)), 2)
    assert list((tmp_path / "results").glob(f".parw2v-{process.pid}-*"))
    assert python.cli("--corpus", "sample", "--epochs", "1", "--dim", "4").returncode == 0
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["model.npz", "model.toml"]
