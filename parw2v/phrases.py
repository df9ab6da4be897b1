"""Phrases: words that stand together more often than chance would have it, made one word.

References
----------
[1] T. Mikolov, I. Sutskever, K. Chen, G. Corrado, J. Dean: Distributed Representations of Words and Phrases and their
    Compositionality, 2013, section 4.
[2] G. Bouma: Normalized (Pointwise) Mutual Information in Collocation Extraction, 2009.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from parw2v.config import available_cores
from parw2v.corpus import Corpus, encode_text, on_disk
from parw2v.errors import PhrasesError, SettingsError
from parw2v.files import atomic_write
from parw2v.phrasetext import Pairs, PhraseText
from parw2v.scratch import ScratchDirectory
from parw2v.text import MAX_WORD_CHARACTERS, Tokens
from parw2v.vocabulary import Vocabulary

_FORMAT = "parw2v phrases 1"
_SPACE = re.compile("[\n \t\r\v\f]")


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is known about a phrase."""

    score: float
    count: int
    """How often the words stood together, in the text of the pass in which they were joined."""


def _default_scores(pairs: Pairs, min_count: int) -> npt.NDArray[np.float64]:
    """[1] equation 6, times the number of distinct words and pairs; that makes a threshold fit texts of any size."""
    expected = pairs.first_counts.astype(np.float64) * pairs.second_counts
    scores: npt.NDArray[np.float64] = (pairs.counts - min_count) / expected * pairs.n_kinds
    return scores


def _npmi_scores(pairs: Pairs, min_count: int) -> npt.NDArray[np.float64]:
    """[2]: from -1 to 1, 0 for what chance would have it; of probabilities that are counts over the words of the text."""
    first, second, both = (counts / pairs.n_words for counts in (pairs.first_counts, pairs.second_counts, pairs.counts))
    scores: npt.NDArray[np.float64] = np.log(both / (first * second)) / -np.log(both)
    return scores


SCORINGS = {"default": _default_scores, "npmi": _npmi_scores}
"""How pairs are scored, by name; the same figures as those of gensim's scorers of these names."""


@dataclass
class Phrases:
    """Pairs of words that are phrases, learnt from a text in one or more passes.

    A pass joins two words; the next one may join what it joined, so that two passes find up to four words.

    Parameters
    ----------
    min_count : int
        Pairs that occur less often are no phrases. The default score also takes it off each count.
    threshold : float
        A pair is a phrase if its score is higher: above 0, or from -1 to 1 with npmi.
    scoring : "default" or "npmi"
        ``(count(ab) - min_count) / (count(a) count(b)) * kinds``, where kinds is the number of distinct words and pairs; or
        the normalised pointwise mutual information.
    delimiter : str
        One character, which goes between the words of a phrase.
    passes : list of dict
        Phrases of each pass by their two words, the highest scores first.

    Raises
    ------
    SettingsError
        A setting is outside its range.
    """

    min_count: int = 5
    threshold: float = 10.0
    scoring: str = "default"
    delimiter: str = "_"
    passes: list[dict[tuple[str, str], Phrase]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.min_count < 1:
            raise SettingsError(f"min_count is {self.min_count}; it must be at least 1")
        if self.scoring not in SCORINGS:
            raise SettingsError(f"scoring is {self.scoring!r}; it must be one of {', '.join(SCORINGS)}")
        if self.scoring == "npmi" and not -1 <= self.threshold <= 1:
            raise SettingsError(f"threshold is {self.threshold}; with npmi it must be from -1 to 1, say 0.5")
        if self.scoring == "default" and not 0 < self.threshold < math.inf:
            raise SettingsError(f"threshold is {self.threshold}; it must be a number above 0")
        if len(self.delimiter) != 1 or self.delimiter.isspace() or self.delimiter == "\0":
            raise SettingsError(f"delimiter is {self.delimiter!r}; it must be one character, and no space")

    @classmethod
    def learn(
        cls,
        source: str | Path | Iterable[str] | Iterable[Iterable[str]],
        *,
        min_count: int = 5,
        threshold: float = 10.0,
        passes: int = 1,
        scoring: str = "default",
        delimiter: str = "_",
        raw: bool = False,
        out: str | Path | BinaryIO | None = None,
        workers: int | None = None,
        progress: Callable[[str], None] = lambda text: None,
    ) -> Phrases:
        """Find the phrases of a text.

        Memory holds the distinct words, those pairs that occur often enough and, with more than one pass, those that a
        word with the delimiter is part of; the rest is on disk, 12 to 16 bytes a word. What is found does not depend on the
        number of workers.

        Parameters
        ----------
        source : path, or words
            A text as `parw2v.text.read_tokens` takes it; or lists of words, `Tokens`, or one long list of words.
        min_count, threshold, scoring, delimiter
            See `Phrases`.
        passes : int
            As many at most: there are fewer if one finds no phrase.
        raw : bool
            Take the words of a file as they stand between spaces instead of cleaning them.
        out : path or binary stream, optional
            Where the text with its phrases joined goes, a sentence a line; packed if the path ends in .gz, .bz2 or .xz.
        workers : int, optional
            Processes; all cores unless told.
        progress : callable
            Told in a line what has been done.

        Raises
        ------
        SettingsError
            A setting is outside its range.
        CorpusError, VocabularyError
            The text cannot be read, or has fewer than two different words; or the disk is full.
        PhrasesError
            `out` is asked for, but there are words with spaces in them.
        """
        phrases = cls(min_count, threshold, scoring, delimiter)
        if passes < 1:
            raise SettingsError(f"passes is {passes}; it must be at least 1")
        if workers is not None and workers < 1:
            raise SettingsError(f"workers is {workers}; it must be at least 1, or left out for all cores")
        n_workers = available_cores() if workers is None else workers
        out = Path(out) if isinstance(out, str) else out
        where = out.absolute().parent if isinstance(out, Path) else Path(tempfile.gettempdir())
        with ScratchDirectory(where) as scratch:
            vocabulary, corpus = _encoded(source, scratch, raw, n_workers)
            if out is not None:
                _check_words(vocabulary.words)
            progress(f"read {len(corpus):,} words of {len(vocabulary):,} kinds")
            with on_disk(corpus) as corpus, PhraseText(corpus, vocabulary, scratch, delimiter, n_workers) as text:
                for number in range(1, passes + 1):
                    found = phrases._learn_pass(text)
                    progress(f"pass {number}: {found:,} phrases")
                    if not found:
                        break
                if out is not None:
                    text.write(out)
        return phrases

    def _learn_pass(self, text: PhraseText) -> int:
        pairs = text.count(self.min_count)
        scores = SCORINGS[self.scoring](pairs, self.min_count)
        accepted = np.flatnonzero((scores > self.threshold) & (pairs.counts >= self.min_count))
        # The names are known only now, and the longest would be left out of a vocabulary.
        short = [
            len(text.words[a]) + 1 + len(text.words[b]) <= MAX_WORD_CHARACTERS
            for a, b in zip(pairs.first[accepted].tolist(), pairs.second[accepted].tolist(), strict=True)
        ]
        accepted = accepted[np.array(short, bool)]
        accepted = accepted[np.argsort(-scores[accepted], kind="stable")]
        first, second = pairs.first[accepted], pairs.second[accepted]
        columns = (first, second, scores[accepted], pairs.counts[accepted])
        phrases = {
            (text.words[a], text.words[b]): Phrase(score, count)
            for a, b, score, count in zip(*(column.tolist() for column in columns), strict=True)
        }
        if phrases:
            self.passes.append(phrases)
            text.join(first, second)
        return len(phrases)

    def __len__(self) -> int:
        """Phrases of all passes."""
        return sum(map(len, self.passes))

    def __getitem__(self, tokens: Iterable[str]) -> list[str]:
        """See `join`."""
        return self.join(tokens)

    def join(self, tokens: Iterable[str]) -> list[str]:
        """The words of one sentence, phrases joined from left to right, pass by pass."""
        words = list(tokens)
        for phrases in self.passes:
            joined, i = [], 0
            while i < len(words):
                if i + 1 < len(words) and (words[i], words[i + 1]) in phrases:
                    joined.append(self.delimiter.join(words[i : i + 2]))
                    i += 2
                else:
                    joined.append(words[i])
                    i += 1
            words = joined
        return words

    @property
    def scores(self) -> dict[str, float]:
        """Phrase -> score; see `export`."""
        return {phrase: found.score for phrase, found in self.export().items()}

    def export(self) -> dict[str, Phrase]:
        """Phrase -> score and count, in the order of the passes; of those found in several ways, the highest score."""
        found: dict[str, Phrase] = {}
        for phrases in self.passes:
            for pair, phrase in phrases.items():
                name = self.delimiter.join(pair)
                if name not in found or found[name].score < phrase.score:
                    found[name] = phrase
        return found

    def save(self, path: str | Path) -> Path:
        """Write settings and phrases as JSON, atomically; returns the path."""
        record = {
            "format": _FORMAT,
            "min_count": self.min_count,
            "threshold": self.threshold,
            "scoring": self.scoring,
            "delimiter": self.delimiter,
            "passes": [
                [[*pair, phrase.score, phrase.count] for pair, phrase in phrases.items()] for phrases in self.passes
            ],
        }
        text = json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")
        return atomic_write(Path(path), lambda file: file.write(text))

    @classmethod
    def load(cls, path: str | Path) -> Phrases:
        """Read what `save` wrote.

        Raises
        ------
        PhrasesError
            The file is missing, or is something else.
        """
        try:
            record = json.loads(Path(path).read_bytes().decode("utf-8", "surrogatepass"))
            if record["format"] != _FORMAT:
                raise ValueError(f"format {record['format']!r}")
            passes = [
                {_pair(a, b): Phrase(_finite(score), int(count)) for a, b, score, count in phrases}
                for phrases in record["passes"]
            ]
            if not isinstance(record["delimiter"], str):
                raise ValueError("the delimiter is not a string")
            settings = int(record["min_count"]), float(record["threshold"]), record["scoring"], record["delimiter"]
            return cls(*settings, passes)
        except OSError as error:
            raise PhrasesError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
        except (SettingsError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
            raise PhrasesError(f"{path}: is no file of phrases saved by parw2v ({error}); make it anew") from error


def _finite(score: float) -> float:
    if not math.isfinite(score):
        raise ValueError(f"a score is {score}")
    return float(score)


def _pair(first: object, second: object) -> tuple[str, str]:
    if not (isinstance(first, str) and isinstance(second, str)):
        raise ValueError(f"{first!r} and {second!r} are not two words")
    return first, second


def _encoded(
    source: str | Path | Iterable[str] | Iterable[Iterable[str]], scratch: Path, raw: bool, readers: int
) -> tuple[Vocabulary, Corpus]:
    """A text as ids of all its words."""
    if isinstance(source, str | Path):
        return encode_text(source, scratch, min_count=1, raw=raw, readers=readers)
    tokens = source if isinstance(source, Tokens) else [x if isinstance(x, str) else list(x) for x in source]
    vocabulary = Vocabulary(min_count=1).build(tokens)
    return vocabulary, vocabulary.encode(tokens)


def _check_words(words: Iterable[str]) -> None:
    """Words from files have no space in them, but those in lists may."""
    if spaced := next(filter(_SPACE.search, words), None):
        raise PhrasesError(f"{spaced!r}: has a space in it, so it would be several words in a text; take it out first")
