"""A whole training with gensim, the fastest way it offers; runs in the peers' environment.

``gensim_run.py train LINES OUT SETTINGS`` imports, counts, trains (both from the file: ``corpus_file``), saves in gensim's
own format with the arrays as NumPy files, and prints a JSON line. ``gensim_run.py export OUT FILE.npz`` turns what was
saved into arrays to be evaluated.
"""

import json
import sys
import time

import numpy as np
from gensim.models import Word2Vec


def train(lines: str, out: str, settings: dict) -> dict:
    model = Word2Vec(
        vector_size=settings["dim"],
        window=settings["window"],
        negative=settings["neg"],
        sample=settings["sample"],
        min_count=settings["min_count"],
        sg=int(settings["model"] == "skipgram"),
        alpha=settings["lr"],
        min_alpha=1e-4,
        workers=settings["workers"],
        seed=settings["seed"],
    )
    model.build_vocab(corpus_file=lines)
    start = time.perf_counter()
    model.train(corpus_file=lines, total_words=model.corpus_total_words, epochs=settings["epochs"])
    seconds = time.perf_counter() - start
    model.save(out)
    words = sum(model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key)
    return {"raw_words": int(words) * settings["epochs"], "train_seconds": seconds}


def export(out: str, path: str) -> None:
    vectors = Word2Vec.load(out).wv
    np.savez(path, W_in=vectors.vectors, words=np.array(vectors.index_to_key))


if __name__ == "__main__":
    if sys.argv[1] == "train":
        print(json.dumps(train(sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))), flush=True)
    else:
        export(sys.argv[2], sys.argv[3])
