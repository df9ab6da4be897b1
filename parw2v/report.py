"""One report on a trained model: norms, neighbours, analogies, similarity and pictures."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from parw2v.evaluation import (
    AnalogyReport,
    AnalogySection,
    SimilarityReport,
    builtin_analogies,
    evaluate_analogies,
    evaluate_similarity,
    read_analogies,
    read_similarity,
)
from parw2v.terminal import columns, print_lines, printable

if TYPE_CHECKING:
    from parw2v.model import Word2Vec

N_SAMPLES = 8
N_NEIGHBOURS = 6
PREFERRED = (
    "king", "paris", "dog", "good", "one", "computer", "music", "river", "water", "doctor", "war", "red", "monday",
    "walked", "france", "science", "house", "money", "game",
)  # fmt: skip
HEADINGS = {
    "skipgram": "skip-gram with negative sampling",
    "cbow": "continuous bag of words with negative sampling",
}


@dataclass(frozen=True)
class Report:
    """What `full_report` found and printed.

    ``norms`` are the lengths of the rows of W_in: min, median, mean, max. ``neighbours`` maps each sample word to
    its nearest words with their cosines. ``pictures`` are the files drawn.
    """

    objective: str
    n_words: int
    dimension: int
    norms: dict[str, float]
    neighbours: dict[str, list[tuple[str, float]]]
    analogies: AnalogyReport
    similarity: tuple[SimilarityReport, ...] = ()
    pictures: tuple[Path, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for JSON."""
        return {
            **vars(self),
            "neighbours": {word: [list(pair) for pair in near] for word, near in self.neighbours.items()},
            "analogies": self.analogies.to_dict(),
            "similarity": [report.to_dict() for report in self.similarity],
            "pictures": [str(path) for path in self.pictures],
        }

    def lines(self) -> Iterator[str]:
        """Yield the report line by line, safe for a terminal whatever the words are."""
        title = f"{HEADINGS.get(self.objective, self.objective)}: {self.n_words:,} words x {self.dimension} dimensions"
        yield from ("", title, "=" * len(title))
        yield from ("", "Vector norms (rows of W_in)")
        yield "  " + "   ".join(f"{name} {value:.3f}" for name, value in self.norms.items())
        yield from ("", "Nearest neighbours (cosine)")
        shown = {word: printable(word) for word in self.neighbours}
        width = max(map(columns, shown.values()), default=0)
        for word, near in self.neighbours.items():
            pad = " " * (width - columns(shown[word]))
            yield f"  {shown[word]}{pad}  " + "  ".join(f"{printable(other)} {cosine:.2f}" for other, cosine in near)
        yield from ("", f"Analogies (3CosAdd among the {self.analogies.restrict_vocab:,} most frequent words)")
        if self.analogies.accuracy is None:
            yield f"  none of the {self.analogies.sums[2].skipped:,} questions has all four words among them"
        else:
            yield from (f"  {line}" for line in self.analogies.lines())
        if self.similarity:
            yield from ("", "Word similarity (rank and linear correlation with human judgements)")
            yield from (f"  {report}" for report in self.similarity)

    def __str__(self) -> str:
        return "\n".join(self.lines())


def full_report(
    model: "Word2Vec",
    *,
    plot: bool = False,
    loss_history: Sequence[Any] | None = None,
    out_dir: str | PathLike[str] = "results",
    analogies: str | PathLike[str] | Sequence[AnalogySection] | None = None,
    similarity: Sequence[str | PathLike[str]] = (),
    file: TextIO | None = None,
) -> Report:
    """Evaluate `model`, print what was found, and return it.

    Parameters
    ----------
    model : Word2Vec
    plot : bool
        Also draw ``tsne.png`` and, given `loss_history`, ``loss_curve.png``.
    loss_history : sequence of points, as `parw2v.plots.plot_loss` takes them
    out_dir : directory for the pictures, created if need be
    analogies : file in the format of ``questions-words.txt``, or sections; the built-in questions by default
    similarity : files of word pairs with human judgements
    file : text stream to print to, standard output by default

    Raises
    ------
    EvaluationError
        A file of questions or judgements cannot be used; found before any work is done.
    Parw2vError
        A picture cannot be written; found after the rest was printed.
    """
    if analogies is None:
        sections: Sequence[AnalogySection] = builtin_analogies()
    elif isinstance(analogies, str | PathLike):
        sections = read_analogies(analogies)
    else:
        sections = analogies
    judgements = [(Path(path).stem, read_similarity(path)) for path in similarity]
    stream = sys.stdout if file is None else file

    words, unit_vectors = model.vocab.words, model.unit_vectors
    samples = sample_words(words, model.vocab.index)
    report = Report(
        objective=model.objective,
        n_words=len(words),
        dimension=model.W_in.shape[1],
        norms=vector_norms(model),
        neighbours={word: model.most_similar(word, top_n=N_NEIGHBOURS) for word in samples},
        analogies=evaluate_analogies(unit_vectors, words, sections),
        similarity=tuple(evaluate_similarity(unit_vectors, model.vocab.index, *named) for named in judgements),
    )
    print_lines(report.lines(), stream)
    if plot:
        from parw2v.plots import plot_loss, plot_tsne

        pictures = [plot_tsne(unit_vectors, words, Path(out_dir, "tsne.png"))]
        if loss_history:
            pictures.append(plot_loss(loss_history, Path(out_dir, "loss_curve.png")))
        report = replace(report, pictures=tuple(pictures))
        print_lines(["", "Pictures", *(f"  {printable(str(path))}" for path in pictures)], stream)
    return report


def sample_words(words: Sequence[str], index: "dict[str, int]") -> list[str]:
    """Choose words whose neighbours are worth a look.

    Well-known English words first, in either case, unless they are rare in this corpus; then words spread evenly
    by the logarithm of their rank, past most function words, and made of letters where there are such.
    """
    frequent = max(1000, min(10_000, len(words) // 3))
    forms = ([form for form in (word, word.capitalize()) if form in index] for word in PREFERRED)
    known = [min(form, key=index.__getitem__) for form in forms if form]
    known = [word for word in known if index[word] < frequent]
    first, last = min(50, len(words) // 2), min(5000, len(words))
    ranks = np.geomspace(first + 1, max(last, first + 1), 4 * N_SAMPLES).astype(int) - 1
    spread = [words[rank] for rank in ranks if rank < len(words)]
    content = [word for word in spread if word.isalpha() and (len(word) > 2 or not word.isascii())]
    content = content[:: max(1, len(content) // N_SAMPLES)]
    return list(dict.fromkeys([*known, *content, *spread, *words[:N_SAMPLES]]))[:N_SAMPLES]


def vector_norms(model: "Word2Vec") -> dict[str, float]:
    """Lengths of the rows of W_in: min, median, mean, max."""
    # einsum makes no (V, D) temporary, which np.linalg.norm does
    norms = np.sqrt(np.einsum("vd,vd->v", model.W_in, model.W_in, dtype=np.float64))
    summary = {"min": norms.min(), "median": np.median(norms), "mean": norms.mean(), "max": norms.max()}
    return {name: float(value) for name, value in summary.items()}
