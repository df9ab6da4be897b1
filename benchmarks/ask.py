"""How long do queries take, many at once and one by one, beside gensim?

``python benchmarks/ask.py [--peer_python .venv-peers/bin/python] [--quick]``. The vectors are random: time does not depend
on what they say. All cores are used, by both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import Results, figure, ratio, scratch_directory, table

from parw2v.errors import VocabularyError
from parw2v.model import Word2Vec
from parw2v.vocabulary import Vocabulary

V, D, TOP_N = 70_000, 100, 10
LARGE = 1_000_000
"""Words of the vocabulary in which an unknown one is looked for."""

_GENSIM = """
import json, sys, time
import numpy as np
from gensim.models import KeyedVectors
arrays = np.load(sys.argv[1])
vectors = KeyedVectors(arrays["vectors"].shape[1])
vectors.add_vectors(arrays["words"].tolist(), arrays["vectors"])
asked, top_n = json.loads(sys.argv[2])
vectors.most_similar(asked[0], topn=top_n)
start = time.perf_counter()
for word in asked:
    vectors.most_similar(word, topn=top_n)
print((time.perf_counter() - start) / len(asked))
"""


def random_model() -> Word2Vec:
    vocab = Vocabulary.from_lists([f"word{i}" for i in range(V)], list(range(V, 0, -1)))
    model = Word2Vec(vocab, D)
    model.W_in[:] = np.random.default_rng(0).normal(size=(V, D))
    return model


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def unknown_words(n: int) -> Callable[[], None]:
    """A function that asks for `n` words that are not in a large vocabulary."""
    letters = np.random.default_rng(1).integers(97, 123, (LARGE, 8)).astype(np.uint8).tobytes().decode()
    words = list(dict.fromkeys(letters[8 * i : 8 * i + 8] for i in range(LARGE)))
    model = Word2Vec(Vocabulary.from_lists(words, [1] * len(words)), 1)

    def ask() -> None:
        for word in words[:: len(words) // n][:n]:
            try:
                model.most_similar(word[:4] + "-" + word[5:])
            except VocabularyError:
                continue
            raise AssertionError(f"{word} is known")

    return ask


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer_python", help="an interpreter that has gensim")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few queries: shows that it works")
    parser.add_argument("--results", type=Path, help="directory for the results")
    arguments = parser.parse_args()
    many, few = (500, 20) if arguments.quick else (10_000, 500)
    settings = {"V": V, "D": D, "top_n": TOP_N, "many": many, "few": few, "unknown among": LARGE}
    results = Results("ask", arguments, settings, report, peer_python=arguments.peer_python)
    model, ask_unknown = random_model(), unknown_words(few // 5)
    words = [model.words[i] for i in np.random.default_rng(2).integers(0, V, many)]
    model.most_similar_many(words[:100])  # unit vectors are computed, threads started
    with scratch_directory() as directory:
        path = Path(directory) / "vectors.npz"
        np.savez(path, words=np.array(model.words), vectors=model.W_in)
        for _ in range(1 if arguments.quick else arguments.rounds):
            run: dict[str, Any] = {
                "many": seconds(lambda: model.most_similar_many(words, TOP_N)),
                "one": seconds(lambda: [model.most_similar(word, top_n=TOP_N) for word in words[:few]]) / few,
                "unknown": seconds(ask_unknown) / (few // 5),
            }
            if arguments.peer_python:
                command = [arguments.peer_python, "-c", _GENSIM, str(path), json.dumps([words[:few], TOP_N])]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                run["gensim"] = float(done.stdout)
            results.add(run)
    results.finish()
    return 0


def report(record: dict[str, Any]) -> str:
    """Medians."""
    settings, runs = record["settings"], record["runs"]

    def middle(name: str) -> float | None:
        found = [run[name] for run in runs if name in run]
        return float(np.median(found)) if found else None

    many, one, gensim, unknown = (middle(name) for name in ("many", "one", "gensim", "unknown"))
    each = None if many is None else many / settings["many"]
    rows = [
        [f"{settings['many']:,} at once: {figure(many)} s in all", figure(each and 1e3 * each, 3)],
        ["one by one", figure(one and 1e3 * one)],
        ["gensim, one by one", figure(gensim and 1e3 * gensim)],
        [f"a word that is not among {settings['unknown among']:,}", figure(unknown and 1e3 * unknown)],
    ]
    shape = f"{settings['V']:,} x {settings['D']} float32, top {settings['top_n']}"
    heading = f"# How long queries take\n\n{shape}; medians of {len(runs)} rounds.\n\n"
    times = [figure(ratio(gensim, ours), digits) for ours, digits in ((each, 0), (one, 1))]
    compared = f"\n\nAt once {times[0]} times as fast as gensim, one by one {times[1]} times."
    return heading + table(["query", "ms each"], rows) + (compared if gensim else "")


if __name__ == "__main__":
    sys.exit(main())
