"""Words of a vocabulary spelt nearly like one that is not in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import chain, islice

MOST_FREQUENT = 50_000
"""Words that are compared one by one, which is what takes time; rarer words are seldom meant."""

_LONGEST = 40  # longer ones have too many neighbours to make, and are no typing mistake


def close_spellings(word: str, words: Sequence[str], index: Mapping[str, int], n: int = 3) -> list[str]:
    """At most `n` words that may have been meant.

    Other cases of the word come first, then words that one insertion, deletion, replacement or exchange away, most
    frequent first, wherever in the vocabulary they are: they are looked up, so a million words cost nothing. If there
    are fewer than `n`, difflib's matches among the 50,000 most frequent with the same initial follow.

    Parameters
    ----------
    words : (V,) sequence of str, most frequent first
    index : mapping of word to position
    """
    if len(word) > _LONGEST:
        return []
    found = list(dict.fromkeys(other for other in (word.lower(), word.capitalize(), word.upper()) if other in index))
    one_edit = {other for other in _one_edit(word, words) if other in index}.difference(found)
    found = (found + sorted(one_edit, key=index.__getitem__))[:n]
    if len(found) < n:
        initials = {word[:1].lower(), word[:1].upper()}
        lengths = range(len(word) - 2, len(word) + 3)
        alike = [w for w in islice(words, MOST_FREQUENT) if w[:1] in initials and len(w) in lengths]
        matches = get_close_matches(word, alike, n=n + len(found))
        found += [match for match in matches if match not in found][: n - len(found)]
    return found


def _one_edit(word: str, words: Sequence[str]) -> Iterator[str]:
    """Strings one edit away. Words of one or two letters have none: any other such word would be among them."""
    if len(word) < 3:
        return
    alphabet = sorted(set(chain.from_iterable(words[:1000])).union(word))
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        for letter in alphabet:
            yield head + letter + tail
            yield head + letter + tail[1:]
