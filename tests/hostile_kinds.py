"""Every kind of file that the project reads: how a good one is made, who reads it, and what must hold of what comes out.

`Reader` judges one file: a project error in one line, or an object that is sound. Anything else is a `Failure`: another
exception, a warning, a word on standard output or error, too long, too much memory.
"""

import contextlib
import dataclasses
import hashlib
import importlib.util
import io
import json
import signal
import tempfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from parw2v import (
    Trainer,
    TrainSettings,
    Vocabulary,
    Word2Vec,
    encode_text,
    export_vectors,
    import_vectors,
    load_vectors,
)
from parw2v.arguments import train_settings
from parw2v.cache import CorpusCache, corpus_key
from parw2v.checkpoint import load_checkpoint, save_checkpoint
from parw2v.commands import _command_parsers, _parser, main
from parw2v.commands.configfile import apply_config, save_config
from parw2v.corpus import BlockPlan, Corpus
from parw2v.datasets import Dataset, fetch
from parw2v.errors import Parw2vError
from parw2v.evaluation import evaluate_analogies, evaluate_similarity, read_analogies, read_similarity
from parw2v.phrases import Phrases
from parw2v.sources import text_files

SECONDS = 10
"""Of processor time, for one file."""

ROOM = 48 << 20
"""Bytes that reading may take beside twice the size of its file: buffers, which do not grow with it (evaluation: 32 MiB)."""

TEXT_ROOM = 112 << 20
"""The same where a text is read: its longest run without white space is 4 MB, which becomes 96 MB while it is cleaned."""

_LINES = (
    "the king and the queen of the old town saw the new york river",
    "Zoë's café 한국어 the don't </script> x^$ \U0001f600 end",
    "the king of new york and the queen of new york",
)
SENTENCES = [line.split() for line in _LINES * 4]


class Failure(Exception):
    """A file did what no file may do."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes
    ----------
    file : str
        Its name; readers go by the suffix.
    make : callable
        Writes good ones in a directory that it is given; returns their paths.
    read : callable
        Reads one, and checks what came out with `holds`.
    layer : str
        See `mutations.mutate`.
    """

    file: str
    make: Callable[[Path], list[Path]]
    read: Callable[[Path], None]
    layer: str = "bytes"
    room: int = ROOM


def holds(condition, what):
    if not condition:
        raise Failure(what)


# ------------------------------------------------------------------------------------------------ making


def _vocabulary():
    return Vocabulary(min_count=1).build(SENTENCES)


def _model():
    model = Word2Vec(_vocabulary(), 6)
    model.W_out[:] = model.W_in[::-1]
    return model


def _exported(suffix):
    return lambda directory: export_vectors(_model(), directory / f"good{suffix}")


def _text(suffix, *texts):
    """Writer of texts as they are, packed by the suffix."""

    def make(directory):
        from parw2v.formats.streams import write_stream

        return [write_stream(directory / f"good-{i}{suffix}", lambda f, t=t: f.write(t)) for i, t in enumerate(texts)]

    return make


CORPUS = "\n".join(" ".join(sentence) for sentence in SENTENCES).encode()
CORPORA = (CORPUS, b"\xef\xbb\xbfone two\r\ntwo\tthree\0four one\n" * 30, "가나 다라 \u0130\u03a3 ".encode() * 50)
ANALOGIES = b": capitals\nparis france rome italy\nking queen the of\n: gram1\nold new town river\n# x y z\n"
SIMILARITY = (
    b"# judged\nword1\tword2\tscore\nking\tqueen\t8.5\nold\tnew\t3\nthe\tof\t1e0\n",
    b"a,b,c\nking,queen,8.5\nthe,of,2\n",
    b"king queen 8.5\nthe of 2\n",
)
GLOVE = "".join(f"{word} 0.5 -1.25 3e-05 {i}\n" for i, word in enumerate(("the", "한국어", "x^$"))).encode()
CONFIG = b"""# a run
corpus = ["a.txt", 'b.txt']
dim = 50
lr = 0.05
"min-count" = 2
evaluate = true
similarity = ["s.tsv"]
out = "results/\\u00e9"
"""


def _saved_phrases(directory):
    phrases = Phrases.learn(SENTENCES, min_count=1, threshold=0.1, passes=2)
    npmi = Phrases.learn(SENTENCES, min_count=1, threshold=-0.5, scoring="npmi", delimiter="é")
    assert len(phrases) > 1
    return [phrases.save(directory / "good.json"), npmi.save(directory / "npmi.json")]


def _configs(directory):
    (directory / "good.toml").write_bytes(CONFIG)
    save_config(directory / "run.toml", {"corpus": "sample", "dim": 50, "lr": None, "evaluate": True, "out": "r/é"})
    return [directory / "good.toml", directory / "run.toml"]


def _counts(directory):
    export_vectors(_model(), directory / "good.txt", fvocab=directory / "counts.txt")
    return [directory / "counts.txt"]


# ------------------------------------------------------------------------------------------------ reading


def _sound_words(words):
    holds(len(words) == len(set(words)) >= 2, "words repeat, or are fewer than two")
    holds(all(isinstance(word, str) and "\0" not in word for word in words), "a word is no string, or holds a NUL")


def _sound_vocabulary(vocabulary):
    _sound_words(vocabulary.words)
    holds(
        vocabulary.counts.dtype == np.int64 and len(vocabulary.counts) == len(vocabulary), "counts are of another kind"
    )
    holds(vocabulary.counts.min() >= 1 and (np.diff(vocabulary.counts) <= 0).all(), "counts are out of order")
    holds(vocabulary.total == sum(vocabulary.counts.tolist()), "the sum of the counts overflows")
    holds(all(vocabulary.index[word] == i for i, word in enumerate(vocabulary.words)), "the index is wrong")


def _sound_model(model):
    _sound_vocabulary(model.vocab)
    for matrix in (model.W_in, model.W_out):
        holds(matrix.dtype == np.float32 and matrix.shape == (len(model), model.embed_dim), "a matrix of another kind")
        holds(np.isfinite(matrix).all(), "a vector is not finite")
        holds(matrix.flags.writeable and matrix.flags.aligned, "a matrix that cannot be trained on")
    found = model.most_similar(model.words[0], top_n=2)
    holds(len(found) >= 1 and np.isfinite([score for _, score in found]).all(), "neighbours are not finite")


def _same_again(model, directory):
    """What was read can be written, and is then the same."""
    again = Word2Vec.load(model.save(directory / "again"))
    holds(again.words == model.words and np.array_equal(again.W_in, model.W_in), "it is another model when saved")


def _read_model(path):
    model = Word2Vec.load(path)
    _sound_model(model)
    _same_again(model, path.parent)
    for flags in ((), ("--json",)):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            holds(main(["info", str(path), *flags]) == 0, "parw2v info fails")
    json.loads(out.getvalue(), parse_constant=_no_constant)


def _no_constant(name):
    raise Failure(f"{name} is no JSON")


def _read_vectors(path):
    model = load_vectors(path)
    _sound_model(model)
    _same_again(model, path.parent)
    for errors in ("replace", "ignore"):
        _sound_model(import_vectors(path, unicode_errors=errors, limit=5))


def _read_safetensors(path):
    model = load_vectors(path)
    _sound_model(model)
    _same_again(model, path.parent)


def _read_counts(path):
    vectors = path.parent / "vectors.txt"
    if not vectors.exists():
        export_vectors(_model(), vectors)
    _sound_model(import_vectors(vectors, fvocab=path))


def _read_vocabulary(path):
    vocabulary = Vocabulary.load(path)
    _sound_vocabulary(vocabulary)
    holds(
        Vocabulary.load(vocabulary.save(path.parent / "again.json")).words == vocabulary.words, "other words if saved"
    )
    holds(max(map(len, vocabulary.words)) <= 100, "a word that would widen a model's array for all")
    with contextlib.redirect_stdout(io.StringIO()):
        holds(main(["vocab", "show", str(path)]) == 0, "parw2v vocab show fails")
    _sound_model(Word2Vec(vocabulary, 3))
    _same_again(Word2Vec(vocabulary, 3), path.parent)
    text = path.with_name("text.txt")
    text.write_bytes(CORPUS)
    encode_text(text, path.parent, vocabulary=vocabulary, readers=1)


def _read_corpus(path):
    for raw in (False, True):
        vocabulary, corpus = encode_text(path, path.parent, min_count=1, raw=raw, readers=1)
        _sound_vocabulary(vocabulary)
        _sound_corpus(corpus, len(vocabulary))
        holds(np.array_equal(np.bincount(corpus.ids), vocabulary.counts), "counts are not those of the corpus")


def _sound_corpus(corpus, n_words):
    ids = corpus.ids
    holds(len(ids) == len(corpus) > 0, "the corpus is empty")
    holds(ids.min() >= 0 and ids.max() < n_words, "an id is that of no word")
    holds(max(map(len, corpus.sentences())) <= 1000, "a sentence is too long")


def _read_analogies(path):
    sections = read_analogies(path)
    model = _model()
    report = evaluate_analogies(model.unit_vectors, model.words, sections)
    holds(len(str(report).splitlines()) == len(sections) + 5, "the report has a line more or less")
    json.dumps(report.to_dict(), allow_nan=False)


def _read_similarity(path):
    pairs = read_similarity(path)
    model = _model()
    report = evaluate_similarity(model.unit_vectors, model.index, path.stem, pairs)
    holds(len(str(report).splitlines()) == 1, "the report is not one line")
    json.dumps(report.to_dict(), allow_nan=False)


def _read_phrases(path):
    phrases = Phrases.load(path)
    words = [word for sentence in SENTENCES for word in sentence]
    holds(len(phrases.join(words)) <= len(words), "joining makes more words")
    holds(np.isfinite(list(phrases.scores.values())).all(), "a score is not finite")
    holds(len(phrases.export()) <= len(phrases), "there are more phrases than pairs")
    holds(Phrases.load(phrases.save(path.parent / "again.json")) == phrases, "they are others when saved")


def _read_config(path):
    parser = _command_parsers(_parser())["train"]
    apply_config(parser, path)
    arguments = parser.parse_args(["--dim", "20"] if parser.get_default("corpus") else ["--corpus", "text"])
    settings = train_settings(arguments)
    json.dumps(settings.to_dict(), allow_nan=False)


def _run_of(directory):
    """(model, corpus, checkpoint directory) of a run that has been stopped."""
    model = _model()
    model.settings = {"epochs": 3}
    corpus = model.vocab.encode(SENTENCES)
    trainer = Trainer(model, model.vocab, corpus, settings=SETTINGS)
    state = trainer.state
    state.next_task, state.raw_words, state.kept_words, state.steps, state.train_seconds = 1, len(corpus), 90, 4, 0.5
    state.epoch.add(4, 3.5, 2.0)
    trainer.loss_history.append(type_of_point(len(corpus), 3.5, 0.02, 0))
    return model, corpus, state


SETTINGS = TrainSettings(epochs=3, workers=1)


def type_of_point(*values):
    from parw2v.progress import LossPoint

    return LossPoint(*values)


def _checkpoints(directory):
    model, _, state = _run_of(directory)
    return [save_checkpoint(directory / "run", model, state)]


def _read_checkpoint(path):
    model, corpus, _ = _run_of(path.parent)
    _sound_model(Word2Vec.load(path))
    trainer = Trainer(model, model.vocab, corpus, settings=SETTINGS, checkpoint_dir=path.parent, resume=True)
    _sound_model(trainer.model)
    holds(trainer.model.W_in.shape == (len(trainer.vocab), 6), "vectors of another shape")
    state = trainer.state
    numbers = [state.train_seconds, *dataclasses.astuple(state.epoch), *dataclasses.astuple(state.stretch)]
    numbers += [value for point in state.loss_history for value in point]
    holds(np.isfinite(np.array(numbers, float)).all() and min(numbers[:1]) >= 0, "a number of the run is not finite")
    json.dumps(dataclasses.asdict(state), allow_nan=False)
    holds(0 < trainer.lr_now <= 0.05, "the learning rate is out of its range")
    load_checkpoint(path.parent, trainer._identity())


def _archives(directory):
    with zipfile.ZipFile(directory / "good.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("text", CORPUS)
    return [directory / "good.zip"]


def _read_archive(path):
    """As if its SHA-256 were the published one, or nothing of it would ever be read."""
    data = path.read_bytes()
    digest, known = hashlib.sha256(data).hexdigest(), hashlib.md5(CORPUS).hexdigest()
    dataset = Dataset("http://127.0.0.1:9/", path.name, len(data), digest, "text", len(CORPUS), known)
    try:
        found = fetch(dataset, path.parent, quiet=True)
        holds(found.read_bytes() == CORPUS, "it is another text")
    finally:
        left = {file.name for file in path.parent.iterdir()}
        holds(left <= {path.name, "text"}, f"left behind: {sorted(left)}")


# ------------------------------------------------------------------------------------------------ cached corpora


def _cached(directory):
    """The key of a text that is kept, and its entry."""
    directory = directory / "cached"  # a corpus would be written over the file that is read
    directory.mkdir(exist_ok=True)
    text = directory / "text.txt"
    text.write_bytes(CORPUS)
    key = corpus_key(text_files(text), min_count=1, raw=False, max_tokens=None)
    with CorpusCache(directory / "cache", warnings.warn) as cache:
        if not (directory / "cache" / key.name).exists():
            cache.keep(key, *encode_text(text, directory, min_count=1, readers=1))
    return key, directory / "cache" / key.name


def _entries(name):
    return lambda directory: [_cached(directory)[1] / name]


def _read_entry(name):
    """A reader of one file of an entry, whose checksums are made to fit."""

    def read(path):
        key, entry = _cached(path.parent)
        (entry / name).unlink()  # a corpus is a link to another file
        (entry / name).write_bytes(path.read_bytes())
        if name != "entry.json":
            record = json.loads((entry / "entry.json").read_bytes())
            for file, hashed in (("corpus.i32", "corpus_sha256"), ("vocabulary.json", "vocabulary_sha256")):
                record[hashed] = hashlib.sha256((entry / file).read_bytes()).hexdigest()
            record["words"] = (entry / "corpus.i32").stat().st_size // 4
            (entry / "entry.json").write_text(json.dumps(record))
        notices = []
        with CorpusCache(entry.parent, notices.append) as cache:
            found = cache.find(key)
        holds(len(notices) == (found is None), "it is not said once that an entry cannot be used")
        holds(found is not None or not entry.exists(), "a damaged entry stays")
        if found is None:
            raise Parw2vError(notices[0])
        vocabulary, corpus = found
        _sound_vocabulary(vocabulary)
        _sound_corpus(corpus, len(vocabulary))

    return read


def _encoded(directory):
    return [encode_text(_text(".txt", CORPUS)(directory)[0], directory, min_count=1, readers=1)[1].path]


def _read_encoded(path):
    corpus = Corpus(path=path)
    if len(corpus):
        plan = BlockPlan(len(corpus), 1)
        blocks = [corpus.read_block(plan, 0, block) for block in range(plan.n_blocks)]
        holds(sum(map(len, blocks)) == len(corpus), "blocks hold more or less than the corpus")
        holds(sum(map(len, corpus.sentences())) == len(corpus), "sentences hold more or less than the corpus")


def _read_questions(path):
    """Questions from a pipe, to a model."""
    model = path.parent / "model.npz"
    if not model.exists():
        _model().save(model)
    for command in ("similar", "analogy", "odd-one-out", "similarity"):
        with (
            path.open(encoding="utf-8") as stream,
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()) as err,
            _stdin(stream),
        ):
            holds(main([command, str(model)]) == 0, f"parw2v {command} fails")
        lines = [line for line in path.read_bytes().decode(errors="replace").splitlines() if line.strip()]
        holds(err.getvalue().count("\n") <= 2 * len(lines) + 2, "more lines of errors than questions")


@contextlib.contextmanager
def _stdin(stream):
    import sys

    before, sys.stdin = sys.stdin, stream
    try:
        yield
    finally:
        sys.stdin = before


KINDS = {
    "model": Kind("m.npz", lambda directory: [_model().save(directory / "good")], _read_model, "npz"),
    "checkpoint": Kind("000000001.npz", _checkpoints, _read_checkpoint, "npz"),
    "vocabulary": Kind(
        "v.json", lambda directory: [_vocabulary().save(directory / "good.json")], _read_vocabulary, "json"
    ),
    "counts": Kind("counts.txt", _counts, _read_counts),
    "word2vec-text": Kind("v.txt", _exported(".txt"), _read_vectors),
    "GloVe-text": Kind("v.vec", _text(".vec", GLOVE), _read_vectors),
    "word2vec-binary": Kind("v.bin", _exported(".bin"), _read_vectors),
    "vectors.gz": Kind("v.txt.gz", _exported(".txt.gz"), _read_vectors, "gz"),
    "vectors.bz2": Kind("v.bin.bz2", _exported(".bin.bz2"), _read_vectors, "bz2"),
    "vectors.xz": Kind("v.bin.xz", _exported(".bin.xz"), _read_vectors, "xz"),
    "safetensors": Kind("v.safetensors", _exported(".safetensors"), _read_safetensors, "safetensors"),
    "analogies": Kind("a.txt", _text(".txt", ANALOGIES), _read_analogies),
    "similarity": Kind("s.tsv", _text(".tsv", *SIMILARITY), _read_similarity),
    "phrases": Kind("p.json", _saved_phrases, _read_phrases, "json"),
    "settings": Kind("c.toml", _configs, _read_config),
    "corpus": Kind("c.txt", _text(".txt", *CORPORA), _read_corpus, room=TEXT_ROOM),
    "corpus.gz": Kind("c.txt.gz", _text(".txt.gz", *CORPORA), _read_corpus, "gz", TEXT_ROOM),
    "corpus.bz2": Kind("c.txt.bz2", _text(".txt.bz2", *CORPORA), _read_corpus, "bz2", TEXT_ROOM),
    "corpus.xz": Kind("c.txt.xz", _text(".txt.xz", *CORPORA), _read_corpus, "xz", TEXT_ROOM),
    "encoded-corpus": Kind("c.i32", _encoded, _read_encoded),
    "cached-ids": Kind("corpus.i32", _entries("corpus.i32"), _read_entry("corpus.i32")),
    "cached-vocabulary": Kind("vocabulary.json", _entries("vocabulary.json"), _read_entry("vocabulary.json"), "json"),
    "cache-entry": Kind("entry.json", _entries("entry.json"), _read_entry("entry.json"), "json"),
    "data-set-archive": Kind("d.zip", _archives, _read_archive, "zip"),
    "questions": Kind(
        "q.txt", _text(".txt", b"king\nking queen the\nthe of\n\nnope \xc3\xa9\nnew york\n"), _read_questions
    ),
}
"""Name -> kind."""

if importlib.util.find_spec("safetensors") is None:
    del KINDS["safetensors"]


# ------------------------------------------------------------------------------------------------ judging


class Reader:
    """Reads files of one kind, each in a directory of its own; a context manager.

    Attributes
    ----------
    kind : Kind
    good : list of bytes
        Files as the project writes them.
    peak : int
        Bytes taken at the most while a file was read, beyond twice its size.
    """

    def __init__(self, name, *, trace=True):
        self.kind = KINDS[name]
        self.trace = trace
        self.peak = 0

    def __enter__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="parw2v-hostile-")
        made = Path(self._directory.name) / "good"
        made.mkdir()
        self.good = [path.read_bytes() for path in self.kind.make(made)]
        return self

    def __exit__(self, *exc):
        self._directory.cleanup()

    def judge(self, data):
        """``"refused"`` or ``"read"``; raises `Failure`, or whatever reading raised."""
        with tempfile.TemporaryDirectory(dir=self._directory.name) as directory:
            path = Path(directory) / self.kind.file
            path.write_bytes(data)
            with warnings.catch_warnings(record=True) as said, _captured() as printed, _within(SECONDS):
                warnings.simplefilter("always")
                if self.trace:
                    tracemalloc.start()
                try:
                    outcome = self._read(path)
                finally:
                    if self.trace:
                        peak = tracemalloc.get_traced_memory()[1] - 2 * len(data)
                        tracemalloc.stop()
                        self.peak = max(self.peak, peak)
            holds(not said, f"warns: {[str(warning.message) for warning in said]}")
            holds(not printed.getvalue(), f"prints {printed.getvalue()[:200]!r}")
            if self.trace:
                holds(peak <= self.kind.room, f"takes {peak:,} bytes more than twice the file's {len(data):,}")
            return outcome

    def _read(self, path):
        try:
            self.kind.read(path)
        except Parw2vError as error:
            line = str(error)
            holds(line and line.isprintable(), f"its error is not one line that can be printed: {line[:300]!r}")
            holds("memory" not in line, f"memory was asked for: {line[:300]}")
            return "refused"
        return "read"


@contextlib.contextmanager
def _captured():
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        yield text


@contextlib.contextmanager
def _within(seconds):
    def hang(signum, frame):
        raise Failure(f"takes more than {seconds} s of processor time")

    before = signal.signal(signal.SIGPROF, hang)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
