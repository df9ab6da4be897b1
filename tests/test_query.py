"""The commands that ask a model: tables for people, JSON for programs, one line for a mistake."""

import json
import os
import pty
import subprocess
import sys

import numpy as np
import pytest
from conftest import until

from parw2v.commands import main
from parw2v.commands.prompt import completions
from parw2v.model import Word2Vec
from parw2v.terminal import columns
from parw2v.vocabulary import Vocabulary

VECTORS = {
    "the": (0.1, 0.1, 0.1, 0.1),
    "king": (1, 1, 0, 0),
    "queen": (1, -1, 0, 0),
    "man": (0.2, 1, 0, 0),
    "woman": (0.2, -1, 0, 0),
    "cat": (0, 0, 1, 0.1),
    "dog": (0, 0, 1, -0.1),
    "한국어": (0, 0.1, 0.8, 0.6),
    "\x1b[31m": (0, 0.2, 0.7, 0.6),
    "</script>": (0, 0.3, 0.6, 0.6),
    "\u202ertl": (0, 0.4, 0.5, 0.6),
    "\ud800": (0, 0.5, 0.4, 0.6),
    "two words": (0, 0.6, 0.4, 0.6),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    vocab = Vocabulary.from_lists(list(VECTORS), list(range(len(VECTORS), 0, -1)))
    model = Word2Vec(vocab, 4, 7, "cbow")
    model.W_in[:] = list(VECTORS.values())
    model.settings = {"lr": 0.05, "window": 5, "text": "a\x1b[2Jb", "sizes": [1, 2.5], "deep": {"x": None}}
    return model.save(tmp_path_factory.mktemp("model") / "m")


@pytest.fixture
def model(path):
    return Word2Vec.load(path)


@pytest.fixture
def ask(path, capsys):
    """Run a command in this process; returns its status and what it printed, and nothing may be on standard error."""

    def run(command, *arguments):
        status = main([command, str(path), *map(str, arguments)])
        out, err = capsys.readouterr()
        assert err == ""
        assert status == 0
        return out

    return run


def rounded(found, name):
    return [{"word": word, name: round(score, 6)} for word, score in found]


# ---------------------------------------------------------------------------------------------- answers


def test_a_table_for_each_word(ask, model):
    lines = ask("similar", "king", "한국어", "--top_n", "3").splitlines()
    assert len(lines) == 8
    assert (lines[0], lines[4]) == ("king", "한국어")
    for word, table in (("king", lines[1:4]), ("한국어", lines[5:])):
        found = model.most_similar(word, 3)
        assert [line.split()[-1] for line in table] == [f"{cosine:.4f}" for _, cosine in found]
    assert lines[1].startswith("  man  ")
    assert len({columns(line) for line in lines[5:]}) == 1


def test_flags_may_stand_anywhere(ask):
    expected = ask("similar", "king", "queen", "--top_n", "2", "--restrict_vocab", "5")
    assert expected.count("\n") == 6
    assert ask("similar", "--top-n", "2", "king", "queen", "--restrict-vocab=5") == expected
    assert ask("similar", "king", "--top_n=2", "queen", "--restrict_vocab", "5") == expected


def test_restrict_vocab(ask):
    lines = ask("similar", "cat", "--restrict_vocab", "3").splitlines()
    assert {line.split()[0] for line in lines[1:]} == {"the", "king", "queen"}


def test_neighbours_as_json(ask, model):
    records = [json.loads(line) for line in ask("similar", "king", "\ud800", "--json", "--top_n", "4").splitlines()]
    assert [record["word"] for record in records] == ["king", "\ud800"]
    for record, found in zip(records, model.most_similar_many(["king", "\ud800"], 4), strict=True):
        assert record["neighbours"] == rounded(found, "cosine")


def test_a_is_to_b_as_c_is_to(ask, model):
    lines = ask("analogy", "man", "king", "woman").splitlines()
    assert lines[0] == "man is to king as woman is to"
    assert lines[1].split()[0] == "queen"
    assert len(lines) == 11
    for method in ("3cosadd", "3cosmul"):
        record = json.loads(ask("analogy", "man", "king", "woman", "--json", "--method", method, "--top_n", 2))
        expected = rounded(model.analogy("king", "man", "woman", 2, method), "score")
        assert record == {"a": "man", "b": "king", "c": "woman", "method": method, "answers": expected}
        assert record["answers"][0]["word"] == "queen"


def test_the_odd_one_out(ask, model):
    words = ["cat", "king", "dog", "한국어"]
    lines = ask("odd-one-out", *words).splitlines()
    assert lines[0] == "king"
    assert [line.split()[0] for line in lines[1:]] == [word for word, _ in model.centrality(words)]
    assert json.loads(ask("odd-one-out", *words, "--json")) == {
        "odd": "king",
        "words": rounded(model.centrality(words), "cosine"),
    }


def test_similarity(ask, model):
    cosine = model.similarity("king", "man")
    assert ask("similarity", "king", "man") == f"{cosine:.4f}\n"
    assert json.loads(ask("similarity", "king", "man", "--json")) == {
        "words": ["king", "man"],
        "cosine": round(cosine, 6),
    }


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_hostile_words_reach_no_terminal(python, path, encoding):
    done = python.cli("similar", path, "cat", env=os.environ | {"PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr) == (0, "")
    assert all(line.isprintable() for line in done.stdout.split("\n"))
    for shown in ("\\x1b[31m", "\\u202ertl", "\\ud800", "</script>", "한국어" if encoding == "utf-8" else "\\ud55c"):
        assert shown in done.stdout
    bad_bytes = python.cli("similar", path, "\udcff")
    assert (bad_bytes.returncode, bad_bytes.stdout) == (2, "")
    assert "'\\udcff' is not in the vocabulary" in bad_bytes.stderr


# ---------------------------------------------------------------------------------------------- what a model is


def test_info(ask, path, model):
    facts = json.loads(ask("info", "--json"))
    assert facts["file"] == str(path)
    assert facts["bytes"] == path.stat().st_size
    assert (facts["words"], facts["dimensions"], facts["objective"], facts["negatives"]) == (len(VECTORS), 4, "cbow", 7)
    assert facts["corpus_words"] == sum(range(len(VECTORS) + 1))
    assert facts["most_frequent"] == list(VECTORS)[:10]
    assert facts["settings"] == model.settings
    norms = np.linalg.norm(list(VECTORS.values()), axis=1)
    assert facts["norms"] == pytest.approx(
        {"min": norms.min(), "median": np.median(norms), "mean": norms.mean(), "max": norms.max()}, abs=2e-6
    )
    text = ask("info")
    assert all(line.isprintable() for line in text.split("\n"))
    lines = dict(line.strip().split("  ", 1) for line in text.splitlines() if line.startswith("  "))
    assert lines["dimensions"].strip() == "4"
    assert lines["objective"].strip() == "cbow"
    assert lines["lr"].strip() == "0.05"
    assert lines["sizes"].strip() == "1 2.5"
    assert lines["text"].strip() == "a\\x1b[2Jb"
    assert lines["norms"].strip().startswith("min 0.2 ")


def test_info_on_a_model_that_was_not_trained(tmp_path, capsys):
    vocab = Vocabulary.from_lists(["a", "b"], [2, 1])
    assert main(["info", str(Word2Vec(vocab, 3).save(tmp_path / "new"))]) == 0
    assert capsys.readouterr().out.endswith("not trained\n")


# ---------------------------------------------------------------------------------------------- lines


def test_lines_of_a_pipe(python, path):
    text = "king man\n\nkingg\nking man woman\n  cat\tdog  \n"
    done = python.cli("similarity", path, input=text)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr.splitlines() == [
        "similarity compares two words, and 1 came; give two",
        "similarity compares two words, and 3 came; give two",
    ]


def test_an_unknown_word_is_not_the_end(python, path):
    done = python.cli("similar", path, "--json", "--top_n=1", input="kingg\nking\ntwo words\ncat queen\n\udcff\n",
                      encoding="utf-8", errors="surrogateescape")  # fmt: skip
    assert done.returncode == 0
    assert [json.loads(line)["word"] for line in done.stdout.splitlines()] == ["king", "two words", "cat", "queen"]
    first, second = done.stderr.splitlines()
    assert first == "'kingg' is not in the vocabulary; did you mean king?"
    assert second == "'\\udcff' is not in the vocabulary"


def test_answers_come_line_by_line(python, path):
    """A program that asks and waits gets its answer before it asks again."""
    process = python.start_cli("analogy", path, "--top_n=1", stdin=subprocess.PIPE, bufsize=1)
    for _ in range(3):
        process.stdin.write("man king woman\n")
        assert process.stdout.readline() == "man is to king as woman is to\n"
        assert process.stdout.readline().split()[0] == "queen"
    done = python.finish(process)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_input_is_no_question(python, path):
    done = python.cli("odd-one-out", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, python, *flags):
        self.master, slave = pty.openpty()
        os.set_blocking(self.master, False)
        environment = os.environ | {"TERM": "dumb", "INPUTRC": os.devnull}
        self.process = python.start_cli(*flags, stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        self.seen = ""

    def type(self, text):
        os.write(self.master, text.encode())

    def shows(self, text):
        """Wait for it after what was waited for before."""

        def found():
            try:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
            except BlockingIOError:
                pass
            except OSError:  # the other side is closed
                assert text in self.seen, self.seen
            return text in self.seen

        until(found)
        self.seen = self.seen.partition(text)[2]


def test_a_terminal_has_a_prompt_completion_and_history(python, path):
    pytest.importorskip("readline")
    terminal = Terminal(python, "similar", path, "--top_n", "2")
    try:
        terminal.shows("13 words; Tab completes, Ctrl-D ends")
        terminal.shows("similar> ")
        terminal.type("que\t\n")  # completed to queen
        terminal.shows("woman")
        terminal.shows("similar> ")
        terminal.type("kingg\n")
        terminal.shows("did you mean king?")
        terminal.shows("similar> ")
        terminal.type("\x10\x10\n")  # Ctrl-P twice: the line before the last
        terminal.shows("woman")
        terminal.shows("similar> ")
        terminal.type("\x04")
        assert terminal.process.wait(60) == 0
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.master)


def test_completions():
    words = ["the", "they", "a\nb", "a", *(f"x{i}" for i in range(100))]
    assert completions("the", words) == ["the", "they"]
    assert completions("a", words) == ["a"]
    assert completions("x", words) == [f"x{i}" for i in range(50)]
    assert completions("q", words) == []


# ---------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["similar", "MODEL", "king", "kingg"], "'kingg' is not in the vocabulary; did you mean king?"),
        (["similar", "MODEL", "king", "--top_n", "0"], "top_n is 0"),
        (["similar", "MODEL", "--top_n", "-1"], "top_n is -1"),
        (["similar", "MODEL", "king", "--restrict_vocab", "0"], "restrict_vocab is 0"),
        (["similar", "missing", "king"], "missing.npz: there is no such file"),
        (["analogy", "MODEL", "man", "king"], "an analogy takes three words, A B C, and 2 came"),
        (["analogy", "MODEL", "a", "b", "c", "d"], "and 4 came"),
        (["analogy", "MODEL", "man", "king", "Woman"], "'Woman' is not in the vocabulary; did you mean woman?"),
        (["odd-one-out", "MODEL", "king"], "1 words were given"),
        (["odd-one-out", "MODEL", "king", "cat", "dof"], "did you mean dog?"),
        (["similarity", "MODEL", "king"], "similarity compares two words, and 1 came"),
        (["similarity", "MODEL", "king", "\x1b[31n"], "did you mean \\x1b[31m?"),
        (["info", "missing"], "missing.npz: there is no such file"),
    ],
)
def test_a_mistake_is_one_line(path, tmp_path, monkeypatch, capsys, argv, named):
    monkeypatch.chdir(tmp_path)
    assert main([str(path) if argument == "MODEL" else argument for argument in argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("parw2v: error: ")
    assert named in err
    assert err.count("\n") == 1
    assert err[:-1].isprintable()


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["similar"], "MODEL"),
        (["info", "m", "stray"], "stray"),
        (["similar", "m", "king", "--nonsense"], "--nonsense"),
        (["similar", "m", "king", "--top_n", "many"], "--top_n"),
        (["analogy", "m", "--method", "4cos"], "4cos"),
        (["similarity", "m", "--top_n", "3"], "--top_n"),
    ],
)
def test_a_mistake_in_a_flag(capsys, argv, named):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("parw2v: error: ")
    assert err.count("\n") == 1
    assert named in err


@pytest.mark.parametrize("command", ["similar", "analogy", "odd-one-out", "similarity", "info"])
def test_help(capsys, command):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert f"parw2v {command} results/model" in out
    assert "--json" in out
    assert "None" not in out


def test_a_reader_that_has_gone_is_no_traceback(path):
    command = f"{sys.executable} -m parw2v similar {path} king | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode in (0, 2)
    assert done.stderr == ""
