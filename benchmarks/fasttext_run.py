"""A whole training with fastText's Python module, built from its source distribution; runs in the peers' environment.

``fasttext_run.py train TEXT OUT SETTINGS`` reads, trains without subwords and saves fastText's own binary file;
``fasttext_run.py export OUT FILE.npz`` turns that into arrays to be evaluated. When reading ends and how fast training was
is in what fastText writes on standard error. The command-line program trains with the same code, at the same speed; it
also writes all vectors as text, which this leaves out.
"""

import json
import sys

import fasttext


def train(text: str, out: str, settings: dict) -> None:
    fasttext.FastText.unsupervised_default["seed"] = settings["seed"]  # no argument of `train_unsupervised` sets it
    model = fasttext.train_unsupervised(
        text,
        model=settings["model"],
        dim=settings["dim"],
        ws=settings["window"],
        neg=settings["neg"],
        loss="ns",
        minCount=settings["min_count"],
        minn=0,
        maxn=0,
        t=settings["sample"],
        lr=settings["lr"],
        epoch=settings["epochs"],
        thread=settings["workers"],
        verbose=2,
    )
    model.save_model(out)


def export(out: str, path: str) -> None:
    import numpy as np

    model = fasttext.load_model(out)
    words = model.get_words()
    kept = [i for i, word in enumerate(words) if word != "</s>"]  # the line end is a word to fastText
    np.savez(path, W_in=model.get_input_matrix()[kept], words=np.array([words[i] for i in kept]))


if __name__ == "__main__":
    if sys.argv[1] == "train":
        train(sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
    else:
        export(sys.argv[2], sys.argv[3])
