"""docs/gensim.md: every snippet runs, those of gensim where it is installed."""

import bz2
import gzip
import os
import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import PATIENCE, ROOT

from parw2v.facts import PAIRS
from parw2v.formats import export_vectors
from parw2v.model import Word2Vec
from parw2v.sample import load_sample_corpus

PAGE = (ROOT / "docs/gensim.md").read_text()
PEERS = Path(os.environ.get("PARW2V_PEERS") or ROOT / ".venv-peers" / "bin" / "python")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """The files that the guide names, made of the built-in sample."""
    where = tmp_path_factory.mktemp("guide")
    tokens, lines, start = load_sample_corpus(), [], 0
    for length in tokens.sentence_lengths[:9000]:
        lines.append(" ".join(tokens[start : start + length]) + "\n")
        start += length
    (where / "text.txt").write_text("".join(lines[:8000]))
    (where / "more.txt").write_text("".join(lines[8000:]) + "a blorptastic blorptastic day\n" * 5)
    (where / "texts").mkdir()
    (where / "texts/a.gz").write_bytes(gzip.compress("".join(lines[:4000]).encode()))
    (where / "texts/b.bz2").write_bytes(bz2.compress(b"nothing\n"))
    (where / "texts/c.gz").write_bytes(gzip.compress("".join(lines[4000:8000]).encode()))
    (man, woman), *others = PAIRS["family"]
    questions = [f"{man} {woman} {a} {b}\n" for a, b in others]
    (where / "questions.txt").write_text(": family\n" + "".join(questions))
    (where / "pairs.tsv").write_text("".join(f"{a}\t{b}\t{i}\n" for i, (a, b) in enumerate(PAIRS["family"])))
    return where


@pytest.fixture(scope="module")
def names(directory):
    """What the snippets leave, run in order as one program."""
    found, before = {"__name__": "guide"}, Path.cwd()
    os.chdir(directory)
    try:
        for block in blocks("python"):
            exec(compile(block, "docs/gensim.md", "exec"), found)
    finally:
        os.chdir(before)
    return found


def test_there_is_something_of_ours_for_all_of_gensims():
    ours, theirs = blocks("python"), blocks("py")
    assert len(ours) >= len(theirs) >= 9
    fences = re.findall(r"^```(\w+)$", PAGE, re.M)
    assert set(fences) == {"py", "python", "sh"}
    assert all(fences[i + 1] == "python" for i, language in enumerate(fences) if language == "py")


def test_snippets_run(names, directory):
    saved = Word2Vec.load(directory / "results/model")
    assert (names["some"].words, names["same"].words) == (saved.words[:100], saved.words)
    np.testing.assert_array_equal(names["same"].W_in, saved.W_in)
    assert len(names["trainer"].loss_history) > 1
    assert "blorptastic" not in names["vocab"]
    assert "blorptastic" in names["text"]
    assert names["report"].used > 5


@pytest.mark.slow
def test_shell_lines_run(names, directory, python):
    python.directory = directory
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) >= 7
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "parw2v"
        done = python.cli(*arguments)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert "error" not in done.stderr


@pytest.mark.slow
def test_gensims_snippets_run(directory, names):
    if not PEERS.exists():
        pytest.skip("no gensim beside this checkout: make bench-peers installs it, or set PARW2V_PEERS to its Python")
    code = "\n".join(blocks("py"))
    done = subprocess.run([PEERS, "-c", code], cwd=directory, capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stderr
    again = (
        "from gensim.models import KeyedVectors as K; "
        "K.load_word2vec_format('vectors.bin', binary=True).save_word2vec_format('again.bin', binary=True); "
        "K.load_word2vec_format('vectors.txt', fvocab='counts.txt').save_word2vec_format('again.txt', 'again.counts')"
    )
    export_vectors(names["same"], directory / "vectors.txt", fvocab=None)
    export_vectors(
        Word2Vec.load(directory / "results/model"), directory / "vectors.bin", fvocab=directory / "counts.txt"
    )
    done = subprocess.run([PEERS, "-c", again], cwd=directory, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    for ours, theirs in (("vectors.bin", "again.bin"), ("vectors.txt", "again.txt"), ("counts.txt", "again.counts")):
        assert (directory / ours).read_bytes() == (directory / theirs).read_bytes()
