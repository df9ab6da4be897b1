"""How good word vectors are: analogy questions and human judgements of similarity.

Everything here takes arrays and word lists, not a model, so that a snapshot can be scored while training goes on.
Reading a file raises `EvaluationError` if it cannot be read, is not UTF-8, has a line of another form, or is empty.

Figures are those of gensim's ``evaluate_word_analogies`` and ``evaluate_word_pairs`` with ``dummy4unknown=False``,
except in these corners: gensim looks for the answer among the five nearest words only, so it finds none where all five
are variants in case of the question's words, and then counts a question that expects one of its own words as right;
it skips lines that it cannot read, where a file is refused here; it takes a word with a space beside it for another
word; and where nothing can be asked or correlated it gives 0, NaN or an error instead of None.
"""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from os import PathLike, fspath

import numpy as np

from parw2v.arraytypes import FloatArray, IndexArray
from parw2v.errors import EvaluationError
from parw2v.facts import PAIRS

BATCH_BYTES = 32 * 2**20  # largest block of similarities held at a time
EPSILON = 0.001  # keeps 3CosMul from dividing by nothing; as in its paper

Question = tuple[str, str, str, str]
"""``(a, b, c, d)``: a is to b as c is to d."""


@dataclass(frozen=True)
class AnalogySection:
    """Analogy questions of one kind."""

    name: str
    questions: list[Question]


@dataclass(frozen=True)
class SectionScore:
    """Counts for one section, or for several added up.

    ``total`` counts the questions asked, ``skipped`` those with a word outside the restricted vocabulary.
    """

    name: str
    correct: int
    total: int
    skipped: int

    @property
    def kind(self) -> str:
        """``syntactic`` for a name that starts with gram, as in the published set, else ``semantic``."""
        return "syntactic" if self.name.startswith("gram") else "semantic"

    @property
    def accuracy(self) -> float | None:
        """Share of the questions asked that were answered correctly, 0 to 1; None if none could be asked."""
        return self.correct / self.total if self.total else None

    @property
    def coverage(self) -> float | None:
        """Share of the questions that were asked, 0 to 1; None if there is no question."""
        return _share(self.total, self.skipped)

    def to_dict(self) -> dict[str, object]:
        """Return the counts, the accuracy and the coverage, ready for JSON."""
        return {**vars(self), "accuracy": self.accuracy, "coverage": self.coverage}


@dataclass(frozen=True)
class AnalogyReport:
    """Analogy scores by section.

    ``unknown_words`` counts the different words of the questions that are outside the restricted vocabulary.
    """

    sections: tuple[SectionScore, ...]
    restrict_vocab: int
    method: str = "3CosAdd"
    unknown_words: int = 0

    @property
    def sums(self) -> tuple[SectionScore, SectionScore, SectionScore]:
        """Semantic sections added up, syntactic ones, and all of them."""
        parts: dict[str, list[SectionScore]] = {"semantic": [], "syntactic": [], "total": list(self.sections)}
        for section in self.sections:
            parts[section.kind].append(section)
        semantic, syntactic, total = (
            SectionScore(name, sum(s.correct for s in part), sum(s.total for s in part), sum(s.skipped for s in part))
            for name, part in parts.items()
        )
        return semantic, syntactic, total

    @property
    def accuracy(self) -> float | None:
        """Overall accuracy."""
        return self.sums[2].accuracy

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for JSON."""
        sums = {score.name: score.to_dict() for score in self.sums}
        sections = [section.to_dict() for section in self.sections]
        record = {name: value for name, value in vars(self).items() if name != "sections"}
        return {**record, "accuracy": self.accuracy, **sums, "sections": sections}

    def lines(self) -> list[str]:
        """Return an aligned table: a heading, a line for each section, a rule, three lines of sums."""
        rows = [(ascii(score.name)[1:-1], score) for score in (*self.sections, *self.sums)]
        width = max(len(name) for name, _ in rows)
        table = [f"{'section':<{width}}  accuracy  correct    asked  skipped"]
        for name, row in rows:
            share = "-" if row.accuracy is None else f"{row.accuracy:.1%}"
            table.append(f"{name:<{width}}  {share:>8}  {row.correct:7,}  {row.total:7,}  {row.skipped:7,}")
        table.insert(len(self.sections) + 1, "-" * len(table[0]))
        return table

    def __str__(self) -> str:
        return "\n".join(self.lines())


@dataclass(frozen=True)
class SimilarityReport:
    """Agreement with human judgements; a correlation is None where undefined (too few pairs, or all alike)."""

    name: str
    spearman: float | None
    pearson: float | None
    used: int
    out_of_vocabulary: int
    unknown_words: int = 0

    @property
    def coverage(self) -> float | None:
        """Share of the pairs that were used, 0 to 1; None if there is no pair."""
        return _share(self.used, self.out_of_vocabulary)

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for JSON."""
        return {**vars(self), "coverage": self.coverage}

    def __str__(self) -> str:
        spearman, pearson = ("-" if r is None else f"{r:.3f}" for r in (self.spearman, self.pearson))
        counts = f"{self.used:,} pairs, {self.out_of_vocabulary:,} more out of vocabulary"
        return f"{ascii(self.name)[1:-1]}: Spearman {spearman}, Pearson {pearson} ({counts})"


def read_analogies(path: str | PathLike[str]) -> list[AnalogySection]:
    """Read a file in the format of ``questions-words.txt``: ``: name`` starts a section, four words a line."""
    sections: list[AnalogySection] = []
    for where, line in _lines(path):
        if line.startswith(":"):
            sections.append(AnalogySection(line[1:].strip(), []))
            continue
        if not sections:
            raise EvaluationError(f"{where}: a question before the first section; start one with ': name'")
        match line.split():
            case [a, b, c, d]:
                sections[-1].questions.append((a, b, c, d))
            case fields:
                raise EvaluationError(f"{where}: a question has four words, not {len(fields)}: {line[:60]!r}")
    if not any(section.questions for section in sections):
        raise EvaluationError(f"{fspath(path)!r} holds no analogy question; expected four words a line")
    return sections


def builtin_analogies() -> list[AnalogySection]:
    """Return the questions that come with the package: every ordered pair of related pairs in `PAIRS`."""
    return [AnalogySection(name, [(*p, *q) for p, q in permutations(pairs, 2)]) for name, pairs in PAIRS.items()]


def evaluate_analogies(
    unit_vectors: FloatArray,
    words: Sequence[str],
    sections: Sequence[AnalogySection],
    restrict_vocab: int = 30_000,
    lower: bool = True,
    cosmul: bool = False,
) -> AnalogyReport:
    """Answer "a is to b as c is to ?" with the word nearest to b - a + c (3CosAdd: [1]_, equation 3 of [2]_).

    A question with a word outside the `restrict_vocab` most frequent is skipped. Any other of these words can be
    the answer, except those of the question. Ties go to the more frequent word.

    Parameters
    ----------
    unit_vectors : float32 (V, D), rows of length one or zero
    words : sequence of str, length V, most frequent first
    sections : sequence of AnalogySection
    restrict_vocab : int, number of words that take part
    lower : bool
        Ignore case: a question's word stands for its most frequent variant, and no variant of it is an answer.
    cosmul : bool
        Answer with the word d that has the greatest cos(d, b) cos(d, c) / (cos(d, a) + 0.001) instead, each cosine
        brought from (-1, 1) to (0, 1): 3CosMul, equation 4 of [2]_.

    Raises
    ------
    EvaluationError
        `restrict_vocab` is below one, or `words` and `unit_vectors` differ in length.

    References
    ----------
    .. [1] Mikolov, Yih, Zweig, "Linguistic Regularities in Continuous Space Word Representations", NAACL 2013.
    .. [2] Levy, Goldberg, "Linguistic Regularities in Sparse and Explicit Word Representations", CoNLL 2014.
    """
    if restrict_vocab < 1 or len(words) != len(unit_vectors):
        given = f"restrict_vocab={restrict_vocab}, {len(words)} words, {len(unit_vectors)} vectors"
        raise EvaluationError(f"restrict_vocab must be at least 1 and each word have one vector, not {given}")
    vectors = np.ascontiguousarray(unit_vectors[:restrict_vocab], dtype=np.float32)
    variants: dict[str, list[int]] = {}
    for i in range(len(vectors)):
        variants.setdefault(_fold(words[i], lower), []).append(i)

    scores, unknown = [], set[str]()
    block = np.empty((max(1, BATCH_BYTES // (4 * max(1, len(vectors)))), len(vectors)), dtype=np.float32)
    for section in sections:
        folded = [[_fold(word, lower) for word in question] for question in section.questions]
        asked = [question for question in folded if all(word in variants for word in question)]
        unknown.update(word for question in folded for word in question if word not in variants)
        correct = 0
        for start in range(0, len(asked), len(block)):
            batch = asked[start : start + len(block)]
            a, b, c, _ = np.array([[variants[word][0] for word in question] for question in batch]).T
            worth = block[: len(batch)]
            if cosmul:
                np.multiply(_closeness(vectors, b), _closeness(vectors, c), out=worth)
                worth /= _closeness(vectors, a) + np.float32(EPSILON)
            else:
                np.matmul(vectors[b] - vectors[a] + vectors[c], vectors.T, out=worth)
            for row, question in zip(worth, batch, strict=True):
                row[[i for word in question[:3] for i in variants[word]]] = -np.inf
            correct += sum(
                best in variants[question[3]] and question[3] not in question[:3]
                for best, question in zip(worth.argmax(axis=1).tolist(), batch, strict=True)
            )
        scores.append(SectionScore(section.name, correct, len(asked), len(folded) - len(asked)))
    return AnalogyReport(tuple(scores), restrict_vocab, "3CosMul" if cosmul else "3CosAdd", len(unknown))


def _closeness(vectors: FloatArray, rows: IndexArray) -> FloatArray:
    """(n, V) float32: cosines of these rows with all, brought from (-1, 1) to (0, 1)."""
    cosines: FloatArray = vectors[rows] @ vectors.T
    cosines += 1
    cosines /= 2
    return cosines


def read_similarity(path: str | PathLike[str]) -> list[tuple[str, str, float]]:
    """Read word pairs with a judgement each: two words and a number a line, ``#`` starts a comment line.

    Fields are separated by tabs, in a line without one by commas, else by white space. The first line may hold
    the names of the columns.
    """
    rows = [(where, line) for where, line in _lines(path) if not line.startswith("#")]
    pairs: list[tuple[str, str, float]] = []
    for where, line in rows:
        fields = [field.strip() for field in line.split(next((s for s in "\t," if s in line), None))]
        try:
            first, second, score = *fields[:-1], float(fields[-1])
            if not (first and second and math.isfinite(score)):
                raise ValueError
        except ValueError as error:
            if where == rows[0][0] and len(fields) == 3:
                continue
            raise EvaluationError(f"{where}: expected two words and a finite number, not {line[:60]!r}") from error
        pairs.append((first, second, score))
    if not pairs:
        raise EvaluationError(f"{fspath(path)!r} holds no word pair; expected two words and a number a line")
    return pairs


def evaluate_similarity(
    unit_vectors: FloatArray,
    index: Mapping[str, int],
    name: str,
    pairs: Sequence[tuple[str, str, float]],
    restrict_vocab: int | None = None,
    lower: bool = True,
) -> SimilarityReport:
    """Correlate cosines with human judgements, over the pairs with both words in the vocabulary.

    Parameters
    ----------
    unit_vectors : float32 (V, D), rows of length one or zero
    index : mapping of word to row
    name : str, the data set's name for the report
    pairs : sequence of (word, word, judgement)
    restrict_vocab : int, optional
        Number of words that take part, the most frequent; all unless given.
    lower : bool
        Ignore case: of words that differ in nothing else, the one in the lowest row is taken.

    Raises
    ------
    EvaluationError
        `restrict_vocab` is below one.
    """
    from scipy import stats  # slow to import, and not every run needs it

    last = len(unit_vectors) if restrict_vocab is None else restrict_vocab
    if restrict_vocab is not None and restrict_vocab < 1:
        raise EvaluationError(f"restrict_vocab must be at least 1, not {restrict_vocab}")
    rows = {_fold(word, lower): i for word, i in sorted(index.items(), key=lambda item: -item[1]) if i < last}
    folded = [(_fold(a, lower), _fold(b, lower), score) for a, b, score in pairs]
    unknown = {word for a, b, _ in folded for word in (a, b) if word not in rows}
    known = [pair for pair in folded if pair[0] in rows and pair[1] in rows]
    judged = np.array([score for _, _, score in known])
    ids = np.array([(rows[a], rows[b]) for a, b, _ in known], dtype=np.intp).reshape(-1, 2)
    cosines = (unit_vectors[ids[:, 0]] * unit_vectors[ids[:, 1]]).sum(axis=1, dtype=np.float64)
    spearman = pearson = None
    if known and np.ptp(cosines) > 0 and judged.max() > judged.min():
        spearman = float(stats.spearmanr(judged, cosines).statistic)
        judged = np.ldexp(judged, -int(np.frexp(np.abs(judged).max())[1]))  # which may be as large as numbers get
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", stats.NearConstantInputWarning)
            pearson = float(stats.pearsonr(judged, cosines).statistic)
        pearson = pearson if math.isfinite(pearson) else None
    return SimilarityReport(name, spearman, pearson, len(known), len(pairs) - len(known), len(unknown))


def _share(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None


def _fold(word: str, lower: bool = True) -> str:
    # Upper case, as gensim does: the two differ for a few letters, and the figures are to be comparable.
    return word.upper() if lower else word


def _lines(path: str | PathLike[str]) -> Iterator[tuple[str, str]]:
    """Yield (file and line number for messages, stripped line) for each line that is not blank."""
    name = fspath(path)
    try:
        with open(name, encoding="utf-8-sig") as file:
            lines = file.read().split("\n")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise EvaluationError(f"{name!r}, line {line}: not valid UTF-8; convert the file first") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        raise EvaluationError(f"cannot read {name!r}: {getattr(error, 'strerror', None) or error}") from error
    for number, content in enumerate(lines, start=1):
        if stripped := content.strip():
            yield f"{name!r}, line {number}", stripped
