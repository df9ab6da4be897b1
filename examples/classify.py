"""How many labelled documents do word vectors save? Twenty categories, few and many labels, TF-IDF beside mean vectors.

    python examples/classify.py

Documents are made up (see `topics`): most of them are without labels, which is how word vectors get to know words that
no labelled document has. A method fitted on "all" learns from those (never from a test document), one fitted on
"labelled" only from the documents that train the classifier. The classifier is the same for all: logistic regression,
its C chosen by cross-validation within the labelled documents. Prints a table and saves a figure; a minute or so.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from topics import TOPICS, documents

from parw2v import Word2VecTransformer

WORD = r"(?u)\b\w+\b"


class Method(NamedTuple):
    """A way from texts to features."""

    name: str
    fitted_on: str
    transformer: Any
    C: tuple[float, ...]
    """What is tried."""


class Scale(NamedTuple):
    """How much is done."""

    unlabelled: int
    labelled_per_class: tuple[int, ...]
    tested: int
    splits: int
    dim: int
    epochs: int


FULL = Scale(unlabelled=6000, labelled_per_class=(5, 20, 200), tested=2000, splits=3, dim=100, epochs=20)
QUICK = Scale(unlabelled=400, labelled_per_class=(5,), tested=100, splits=1, dim=16, epochs=2)


def methods(scale: Scale, unlabelled: list[str]) -> list[Method]:
    """All ways; those for "all" are fitted on the texts without labels."""
    vectors = Word2VecTransformer(dim=scale.dim, epochs=scale.epochs, min_count=2).fit(unlabelled)
    own = Word2VecTransformer(dim=scale.dim, epochs=scale.epochs, min_count=2)
    few, many = (0.01, 0.1, 1.0), (1.0, 10.0, 100.0)
    return [
        Method("TF-IDF", "labelled", TfidfVectorizer(token_pattern=WORD, sublinear_tf=True), many),
        Method("TF-IDF", "all", TfidfVectorizer(token_pattern=WORD, sublinear_tf=True).fit(unlabelled), many),
        Method("mean of vectors", "labelled", own, few),
        Method("mean of vectors", "all", vectors, few),
        *(
            Method(name, "all", Word2VecTransformer(weighting, vectors=vectors.model_).fit(unlabelled), few)
            for name, weighting in (("idf-weighted mean", "idf"), ("SIF", "sif"))
        ),
    ]


def accuracies(method: Method, texts: list[str], categories: np.ndarray, scale: Scale, n_labelled: int) -> list[float]:
    """The share of test documents that get their category, for each split; the same splits for every method."""
    everything = method.transformer.transform(texts) if method.fitted_on == "all" else None
    found = []
    splits = StratifiedShuffleSplit(
        scale.splits, train_size=n_labelled * len(TOPICS), test_size=scale.tested, random_state=0
    )
    for train, test in splits.split(texts, categories):
        if everything is None:
            seen = method.transformer.fit_transform([texts[i] for i in train])
            unseen = method.transformer.transform([texts[i] for i in test])
        else:
            seen, unseen = everything[train], everything[test]
        scaler = StandardScaler() if isinstance(seen, np.ndarray) else "passthrough"  # TF-IDF rows have length 1
        classifier = GridSearchCV(
            make_pipeline(scaler, LogisticRegression(max_iter=500)),
            {"logisticregression__C": method.C},
            cv=StratifiedKFold(3, shuffle=True, random_state=0),
        )
        found.append(float(classifier.fit(seen, categories[train]).score(unseen, categories[test])))
    return found


def table(rows: Sequence[tuple[Method, dict[int, list[float]]]]) -> str:
    """Per cent, mean and standard deviation over the splits."""
    counts = list(rows[0][1])
    lines = [
        "| accuracy, % | fitted on | " + " | ".join(f"{count} a class" for count in counts) + " |",
        "|---|---|" + "---:|" * len(counts),
    ]
    for method, found in rows:
        cells = [f"{100 * np.mean(found[count]):.1f} ± {100 * np.std(found[count]):.1f}" for count in counts]
        lines.append(f"| {method.name} | {method.fitted_on} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(rows: Sequence[tuple[Method, dict[int, list[float]]]], path: Path) -> None:
    """Accuracy by the number of labelled documents, a line for each method."""
    figure = Figure(figsize=(7.5, 4.5), dpi=140, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for method, found in rows:
        means = [100 * np.mean(of_splits) for of_splits in found.values()]
        spread = [100 * np.std(of_splits) for of_splits in found.values()]
        axes.errorbar(
            list(found),
            means,
            yerr=spread,
            marker="o",
            capsize=3,
            linestyle="--" if method.fitted_on == "labelled" else "-",
            label=f"{method.name} ({method.fitted_on})",
        )
    axes.set(xscale="log", xlabel="labelled documents of each category", ylabel="accuracy, %")
    axes.set_xticks(list(rows[0][1]), [str(count) for count in rows[0][1]])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.4)
    axes.legend(frameon=False, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description="Classify twenty categories of made-up text, by TF-IDF and by vectors."
    )
    parser.add_argument(
        "--out", type=Path, default=Path("results/classify.png"), help="the figure (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="a few documents, to see that it works")
    arguments = parser.parse_args(argv)
    scale = QUICK if arguments.quick else FULL
    started = time.perf_counter()
    unlabelled = [document.text for document in documents(scale.unlabelled, seed=0)]
    labelled = documents(scale.tested + max(scale.labelled_per_class) * len(TOPICS), seed=1)
    texts = [document.text for document in labelled]
    categories = np.array([document.category for document in labelled])
    with threadpool_limits(1):  # products are small: threads would mostly wait for each other
        rows = [
            (method, {n: accuracies(method, texts, categories, scale, n) for n in scale.labelled_per_class})
            for method in methods(scale, unlabelled)
        ]
    print(table(rows))
    draw(rows, arguments.out)
    print(f"\n{arguments.out}, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
