"""The encoded corpus is what a slow loop makes of the text, and the blocks of an epoch are exactly the corpus."""

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from parw2v import corpus as corpus_module
from parw2v import reading, spool, text
from parw2v.corpus import BlockPlan, Corpus, encode_text, on_disk
from parw2v.errors import CorpusError, VocabularyError
from parw2v.files import process_lives
from parw2v.scratch import ScratchDirectory
from parw2v.text import MAX_SENTENCE_WORDS
from parw2v.vocabulary import MAX_WORD_CHARACTERS, Vocabulary


def encoded_slowly(lines, min_count):
    """(words, counts, ids): cut each line at 1000 words of text, drop rare words, mark each sentence's last."""
    counts = Counter(word for line in lines for word in line)
    known = [word for word in counts if counts[word] >= min_count and len(word) <= MAX_WORD_CHARACTERS]
    words = sorted(known, key=lambda word: (-counts[word], word))
    index = {word: i for i, word in enumerate(words)}
    ids = []
    for line in lines:
        for start in range(0, len(line), MAX_SENTENCE_WORDS):
            sentence = [index[word] for word in line[start : start + MAX_SENTENCE_WORDS] if word in index]
            if sentence:
                ids += [*sentence[:-1], ~sentence[-1]]
    return words, [counts[word] for word in words], ids


def random_lines(random_, n_lines, vocabulary=60):
    """Short, empty and long lines; some words so rare that whole sentences vanish."""
    lengths = random_.choices([0, 1, 2, 7, 40, 999, 1000, 1001, 2000, 2345], [3, 4, 5, 9, 5, 1, 1, 1, 1, 1], k=n_lines)
    words = [f"w{i}" for i in range(vocabulary)]
    frequencies = [1 / (i + 1) ** 2 for i in range(vocabulary)]
    return [random_.choices(words, frequencies, k=length) for length in lengths]


def raw_ids(corpus):
    return np.fromfile(corpus.path, np.int32)


# ---------------------------------------------------------------------------------------------------- encoding


@pytest.mark.parametrize("stretch", [1, 3, 50, 1000, 1500, 1 << 20])
@pytest.mark.parametrize("piece", [16, 300, 1 << 18])
@pytest.mark.parametrize("seed", range(2))
def test_encode_text_against_a_slow_loop(tmp_path, monkeypatch, stretch, piece, seed):
    monkeypatch.setattr(spool, "STRETCH_WORDS", stretch)
    monkeypatch.setattr(text, "PIECE_BYTES", piece)
    random_ = random.Random(f"{stretch} {piece} {seed}")
    lines = random_lines(random_, 8 if stretch < 10 else 30)
    source = tmp_path / "text.txt"
    source.write_text("\n".join(map(" ".join, lines)) + random_.choice(["", "\n", "\n\n\n"]))
    min_count = random_.choice([1, 2, 8])
    vocab, corpus = encode_text(source, tmp_path, min_count=min_count)
    words, counts, ids = encoded_slowly(lines, min_count)
    assert vocab.words == words
    assert vocab.counts.tolist() == counts
    assert raw_ids(corpus).tolist() == ids
    assert corpus.fingerprint == Corpus(np.array(ids, np.int32)).fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.i32", "text.txt"]


def test_encode_text_agrees_with_build_and_encode(tmp_path):
    lines = random_lines(random.Random(4), 40)
    (tmp_path / "text.txt").write_text("\n".join(map(" ".join, lines)))
    vocab, corpus = encode_text(tmp_path / "text.txt", tmp_path, min_count=3)
    other = Vocabulary(3).build(lines)
    assert other.fingerprint() == vocab.fingerprint()
    assert other.encode(lines).fingerprint == corpus.fingerprint
    assert corpus.ids.tolist() == other.encode(lines).ids.tolist()
    assert vocab.total == len(corpus) == corpus.n_words


def test_max_tokens_and_progress(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "STRETCH_WORDS", 100)
    monkeypatch.setattr(text, "PIECE_BYTES", 64)
    lines = [["a", "b", "c"]] * 200
    (tmp_path / "text.txt").write_text("\n".join(map(" ".join, lines)))
    seen = []
    vocab, corpus = encode_text(tmp_path / "text.txt", tmp_path, max_tokens=500, progress=seen.append)
    assert vocab.counts.tolist() == [167, 167, 166]
    assert raw_ids(corpus).tolist() == [0, 1, ~2] * 166 + [0, ~1]
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert seen[-1] == 500


def test_words_too_long_are_counted_as_words_of_text_but_not_kept(tmp_path, monkeypatch):
    """Memory does not hold debris: the words too long for a vocabulary share one number."""
    lengths = [MAX_WORD_CHARACTERS, MAX_WORD_CHARACTERS + 1, 400, 401, 402, 5000]
    lines = [["a"] * 700 + [c * n for n in lengths for c in ("x", "é", "😀")] * 10 + ["b"] * 200] * 2
    (tmp_path / "text.txt").write_text("\n".join(map(" ".join, lines)))
    vocab, corpus = encode_text(tmp_path / "text.txt", tmp_path, min_count=1, raw=True)
    words, _, ids = encoded_slowly(lines, 1)
    assert vocab.words == words
    assert raw_ids(corpus).tolist() == ids


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("", CorpusError, "holds no words"),
        (" \n .,; \n", CorpusError, "holds no words"),
        ("one one one", VocabularyError, "only 1 of 1"),
        ("all are rare", VocabularyError, "only 0 of 3"),
        (None, CorpusError, "No such file"),
    ],
)
def test_nothing_to_train_on(tmp_path, content, error, message):
    (tmp_path / "out").mkdir()
    source = tmp_path / "text.txt"
    if content is not None:
        source.write_text(content)
    with pytest.raises(error, match=message):
        encode_text(source, tmp_path / "out", min_count=2)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_earlier_corpus_survives_a_failure(tmp_path):
    (tmp_path / "text.txt").write_text("a b a b")
    _, corpus = encode_text(tmp_path / "text.txt", tmp_path, min_count=1)
    (tmp_path / "text.txt").write_text("x")
    with pytest.raises(VocabularyError):
        encode_text(tmp_path / "text.txt", tmp_path, min_count=1)
    assert corpus.ids.tolist() == [0, 1, 0, 1]


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "text.txt").write_text("a b a b")
    for directory in (tmp_path / "missing", tmp_path / "text.txt", tmp_path / "text.txt" / "below"):
        with pytest.raises(CorpusError, match="cannot be written"):
            encode_text(tmp_path / "text.txt", directory, min_count=1)
        with pytest.raises(CorpusError, match="cannot be written"):
            Corpus(np.array([~0], np.int32)).save(directory / "below" / "corpus.i32")
    for parent in (tmp_path / "text.txt", tmp_path / "text.txt" / "below"):
        with pytest.raises(CorpusError, match="choose another --out"):
            ScratchDirectory(parent)


@pytest.mark.parametrize("call", ["begin", "read_on", "counted", "encode"])
def test_a_full_disk(tmp_path, monkeypatch, call):
    def full(*args, **kwargs):
        (tmp_path / "unfinished.i32").touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reading.Reader, call, full)
    (tmp_path / "text.txt").write_text("a b a b")
    with pytest.raises(CorpusError, match="No space left"):
        encode_text(tmp_path / "text.txt", tmp_path, min_count=1)
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


# ---------------------------------------------------------------------------------------------------- Corpus


def test_corpus_in_memory_and_on_disk(tmp_path):
    ids = np.array([3, ~1, ~0, 2, 2, ~2], np.int32)
    memory = Corpus(ids)
    disk = memory.save(tmp_path / "corpus.i32")
    for corpus in (memory, disk):
        assert len(corpus) == 6
        assert corpus.ids.tolist() == [3, 1, 0, 2, 2, 2]
        assert [sentence.tolist() for sentence in corpus.sentences()] == [[3, 1], [0], [2, 2, 2]]
        assert corpus.fingerprint == memory.fingerprint
    assert (tmp_path / "corpus.i32").read_bytes() == ids.tobytes()
    assert disk.save(tmp_path / "corpus.i32").ids.tolist() == memory.ids.tolist()  # onto itself
    assert ids.tolist() == [3, ~1, ~0, 2, 2, ~2]


def test_corpus_refuses(tmp_path):
    for ids, path in ((None, None), (np.array([~0], np.int32), tmp_path / "x")):
        with pytest.raises(CorpusError, match="either"):
            Corpus(ids, path=path)
    with pytest.raises(CorpusError, match="must end a sentence"):
        Corpus(np.array([0, 1], np.int32))
    with pytest.raises(CorpusError, match="cannot be read"):
        Corpus(path=tmp_path / "missing.i32")


def test_a_corpus_that_changes_while_it_is_used(tmp_path):
    corpus = Corpus(np.array([0, ~1] * 50, np.int32)).save(tmp_path / "corpus.i32")
    os.truncate(corpus.path, 40)
    with pytest.raises(CorpusError, match="changed or vanished"):
        corpus.read_block(BlockPlan(100, 1), 0, 0)
    corpus.path.unlink()
    with pytest.raises(CorpusError, match="changed or vanished"):
        _ = corpus.ids


def test_empty_corpus(tmp_path):
    for corpus in (Corpus(np.zeros(0, np.int32)), Corpus(np.zeros(0, np.int32)).save(tmp_path / "corpus.i32")):
        assert len(corpus) == 0
        assert corpus.ids.tolist() == []
        assert list(corpus.sentences()) == []
        assert BlockPlan(len(corpus), 1).n_blocks == 0


# ---------------------------------------------------------------------------------------------------- blocks


def corpus_of(sentence_lengths):
    """Each word its own id, so that every token can be told apart."""
    ids = np.arange(sum(sentence_lengths), dtype=np.int32)
    ends = np.cumsum(sentence_lengths) - 1
    ids[ends] = ~ids[ends]
    return Corpus(ids)


def lengths_up_to(rng, n_words, longest):
    ends = np.cumsum(rng.integers(1, longest + 1, n_words))
    ends = np.append(ends[ends < n_words], n_words)
    return np.diff(ends, prepend=0)


@pytest.mark.parametrize("longest", [1, 30, 1000, 20_000])
@pytest.mark.parametrize("n_words", [1, 2, 255, 256, 257, 1000, 8191, 8192, 8193, 12_345, 100_000, 300_001])
def test_blocks_of_an_epoch_are_the_corpus(tmp_path, n_words, longest):
    corpus = corpus_of(lengths_up_to(np.random.default_rng(n_words + longest), n_words, longest))
    if n_words % 2:
        corpus = corpus.save(tmp_path / "corpus.i32")
    plan = BlockPlan(n_words, seed=3)
    starts = {0, *(int(sentence[-1]) + 1 for sentence in corpus.sentences())}
    for epoch in range(2):
        blocks = [corpus.read_block(plan, epoch, block) for block in range(plan.n_blocks)]
        tokens = np.concatenate(blocks)
        assert sorted(np.where(tokens < 0, ~tokens, tokens).tolist()) == list(range(n_words))
        for block in blocks:
            assert len(block) == 0 or block[-1] < 0
            plain, ended = np.where(block < 0, ~block, block), np.append(True, block[:-1] < 0)
            assert starts.issuperset(plain[ended[: len(plain)]].tolist())  # whole sentences, in their own order
            assert np.all((np.diff(plain) == 1) | ended[1 : len(plain)])


@pytest.mark.parametrize("n_words", [100, 8192, 100_000, 1_000_000, 17_000_000, 10**9])
def test_block_sizes(n_words):
    plan = BlockPlan(n_words, 1)
    chunks = [plan.chunks(0, block) for block in range(min(plan.n_blocks, 40))]
    sizes = [len(block) * plan.chunk_words for block in chunks]
    assert max(sizes) <= 1 << 18
    assert plan.n_blocks <= max(40, 2 * n_words / (1 << 18))
    assert max(map(len, chunks)) - min(map(len, chunks)) <= 1  # no short remainder
    assert plan.n_chunks == -(-n_words // plan.chunk_words)


def test_epochs_and_seeds_order_differently():
    plan = BlockPlan(300_000, 5)
    orders = [
        [chunk for block in range(p.n_blocks) for chunk in p.chunks(epoch, block)]
        for p in (plan, BlockPlan(300_000, 6))
        for epoch in range(3)
    ]
    assert len({tuple(order) for order in orders}) == 6
    for order in orders:
        assert sorted(order) == list(range(plan.n_chunks))
        assert np.mean(np.diff(order) == 1) < 0.1  # neighbours in the text are not neighbours in training
    assert plan.chunks(1, 2) == BlockPlan(300_000, 5).chunks(1, 2)


# ---------------------------------------------------------------------------------------------------- scratch


@pytest.fixture(scope="module")
def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not process_lives(process.pid)
    return process.pid


def test_scratch_directory_sweeps_the_dead(tmp_path, dead_pid):
    left, full = (tmp_path / f".parw2v-{dead_pid}-{name}" for name in ("a", "b"))
    living = tmp_path / f".parw2v-{os.getppid()}-c"
    others = [tmp_path / name for name in (".parw2v-x-y", ".parw2v-²-y", f"parw2v-{dead_pid}-z", ".parw2v-1")]
    for directory in (left, full / "deep", living, *others):
        directory.mkdir(parents=True)
    (full / "corpus.i32").write_bytes(b"1234")
    (full / "deep" / "file").touch()
    absurd = tmp_path / f".parw2v-{10**30}-a"
    absurd.mkdir()
    with ScratchDirectory(tmp_path) as path:
        assert path.parent == tmp_path
        assert f"-{os.getpid()}-" in path.name
        (path / "file").touch()
        (path / "deep").mkdir()
        assert not left.exists()
        assert not full.exists()
        assert not absurd.exists()
        with ScratchDirectory(tmp_path) as second:
            assert path.exists()
            assert second != path
    assert set(tmp_path.iterdir()) == {living, *others}
    living.rmdir()
    for directory in others:
        directory.rmdir()


def test_a_sweep_that_another_run_does_at_the_same_time(tmp_path, dead_pid, monkeypatch):
    """What is gone already is no error."""
    left = tmp_path / f".parw2v-{dead_pid}-a"
    left.mkdir()
    monkeypatch.setattr("parw2v.scratch.process_lives", lambda pid: bool(left.rmdir()))
    with ScratchDirectory(tmp_path):
        assert not left.exists()


def test_a_file_named_like_a_scratch_directory(tmp_path, dead_pid):
    file = tmp_path / f".parw2v-{dead_pid}-a"
    file.touch()
    with ScratchDirectory(tmp_path) as path:
        assert path.is_dir()
    file.unlink()


def test_scratch_goes_when_its_user_fails(tmp_path):
    def use(directory):
        with directory as path:
            (path / "file").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use(ScratchDirectory(tmp_path / "made" / "too"))
    assert list((tmp_path / "made" / "too").iterdir()) == []


def test_on_disk(tmp_path):
    memory = corpus_of([3, 4])
    with on_disk(memory) as disk:
        path = disk.path
        assert path is not None
        assert disk.ids.tolist() == memory.ids.tolist()
        with on_disk(disk) as same:
            assert same is disk
        assert path.exists()
    assert not path.exists()
    assert not Path(path).parent.exists()


@pytest.mark.parametrize("stretch", [1, 7, 1000])
@pytest.mark.parametrize("to_file", [False, True])
def test_renumbering_against_a_slow_loop(tmp_path, monkeypatch, stretch, to_file):
    monkeypatch.setattr(corpus_module, "_STRETCH_WORDS", stretch)
    rng = random.Random(stretch)
    sentences = [[rng.randrange(10) for _ in range(rng.randint(1, 6))] for _ in range(100)]
    corpus = Corpus.from_sentences([[str(i) for i in s] for s in sentences], {str(i): i for i in range(10)})
    new_ids = np.array([3, -1, 0, 7, -1, -1, 9, 1, 2, -1], np.int32)
    found = corpus.renumbered(new_ids, tmp_path / "new.i32" if to_file else None)
    expected = [[int(new_ids[i]) for i in s if new_ids[i] >= 0] for s in sentences]
    assert [s.tolist() for s in found.sentences()] == [s for s in expected if s]
    assert corpus.ids.tolist() == [i for s in sentences for i in s]
    assert (found.path is not None) == to_file


def test_renumbering_to_where_nothing_can_be_written():
    with pytest.raises(CorpusError, match="/proc/nowhere: cannot be written"):
        Corpus(np.array([~0], np.int32)).renumbered(np.zeros(1, np.int32), Path("/proc/nowhere"))
