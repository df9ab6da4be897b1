"""Train gensim on a file of lines and say how long it took; runs in an environment of its own.

Usage: gensim_run.py LINES OUT.npz SETTINGS_JSON. Prints one JSON line. Both of gensim's phases use ``corpus_file``, its
fastest way.
"""

import json
import resource
import sys
import time

import numpy as np
from gensim.models import Word2Vec

lines, out, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
start = time.perf_counter()
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
ready = time.perf_counter()
model.train(corpus_file=lines, total_words=model.corpus_total_words, epochs=settings["epochs"])
end = time.perf_counter()
words = model.wv.index_to_key
raw_words = settings["epochs"] * sum(model.wv.get_vecattr(word, "count") for word in words)
np.savez(out, W_in=model.wv.vectors, words=np.array(words))
record = {
    "raw_words": int(raw_words),
    "prep_seconds": ready - start,
    "train_seconds": end - ready,
    "words_per_second": raw_words / (end - ready),
    "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}
print(json.dumps(record))
