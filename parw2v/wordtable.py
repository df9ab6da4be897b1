"""Numbers for words: a hash table that takes the words of a text thousands at a time.

A word is taken in chunks of 8 bytes, each of them one integer. A *state* is what has been seen of a word so far: state 0
is nothing, and each pair of a state and the chunk that follows it has a state of its own. So one table of pairs holds words
of any length, a word's number is the state it ends in, and most words are one look-up. Each look-up is made for all words
of a piece of text at once, in a few array operations. A dictionary of byte strings needs three times as long: it waits for
memory word by word.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parw2v.arraytypes import IndexArray, TokenArray
from parw2v.text import MAX_WORD_CHARACTERS

ChunkArray = npt.NDArray[np.uint64]
"""Eight bytes of a word in each element, zeros after its end."""

_MASKS: ChunkArray = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)
"""What keeps the first n bytes of a chunk."""

_LONGEST = 4 * MAX_WORD_CHARACTERS
"""In bytes; no longer word can be in a vocabulary."""

_ODD = [np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93)]
"""Multipliers with many mixed bits, for the hash."""


class WordTable:
    """Words and their numbers, in no particular order; some numbers belong to beginnings of words only.

    Number 0 is that of all words which are too long for a vocabulary, so memory does not hold debris.
    """

    def __init__(self) -> None:
        self._size = 1
        # By state: the state before its last chunk, and that chunk.
        self._before = np.zeros(1 << 12, np.int32)
        self._chunks = np.zeros(1 << 12, np.uint64)
        # By hash: a state, 0 if free. A pair whose slot is taken is in the next that was free.
        self._slots = np.zeros(1 << 12, np.int32)

    def __len__(self) -> int:
        """One more than the highest number."""
        return self._size

    def number(self, text: bytes) -> TokenArray:
        """The numbers of the words in a text; words not seen before are taken in.

        Parameters
        ----------
        text : bytes
            Words with spaces between them; every other byte but 0 belongs to a word.

        Returns
        -------
        (n,) int32
            In the order of the text.
        """
        if not text.endswith(b" "):
            text += b" "
        memory = np.zeros(len(text) // 8 + 2, "<u8")
        characters = memory.view(np.uint8)[: len(text)]
        characters[:] = np.frombuffer(text, np.uint8)
        ends = np.flatnonzero(characters == 32)
        left = ends.copy()  # bytes still to be looked up, of each word
        left[1:] -= ends[:-1]
        left[1:] -= 1
        if not left.all():
            words = np.flatnonzero(left)
            ends, left = ends[words], left[words]
        starts = ends - left
        left[left > _LONGEST] = 0
        numbers = self._follow(np.zeros(len(left), np.int32), _chunks_at(memory, starts, left))
        words = np.flatnonzero(left > 8)
        starts, left = starts[words], left[words]
        while len(words):
            starts, left = starts + 8, left - 8
            numbers[words] = self._follow(numbers[words], _chunks_at(memory, starts, left))
            more = left > 8
            words, starts, left = words[more], starts[more], left[more]
        return numbers

    def words(self, numbers: IndexArray) -> list[str]:
        """The words with these numbers."""
        found = [b""] * len(numbers)
        places, states = np.arange(len(numbers)), self._before[numbers]
        chunks = self._chunks[numbers, None].astype("<u8")
        while len(places):  # the words of one chunk, then those of two, and so on
            whole = states == 0
            for place, word in zip(
                places[whole].tolist(), chunks[whole].view(f"S{chunks[0].nbytes}")[:, 0].tolist(), strict=True
            ):
                found[place] = word
            places, states = places[~whole], states[~whole]
            chunks = np.concatenate([self._chunks[states, None].astype("<u8"), chunks[~whole]], axis=1)
            states = self._before[states]
        return b" ".join(found).decode().split(" ")

    def links(self) -> tuple[TokenArray, ChunkArray]:
        """All that a table holds, for `take_over`: for each number the state before its last chunk, and that chunk."""
        return self._before[: self._size], self._chunks[: self._size]

    def take_over(self, before: TokenArray, chunks: ChunkArray) -> TokenArray:
        """Take in all words of another table, as its `links`; returns the number here for each number there."""
        self._make_room(len(before))
        numbers = np.zeros(len(before), np.int32)
        known = np.zeros(len(before), bool)
        known[0] = True
        waiting = np.arange(1, len(before))
        while len(waiting):
            ready = known[before[waiting]]
            now, waiting = waiting[ready], waiting[~ready]
            numbers[now] = self._follow(numbers[before[now]], chunks[now])
            known[now] = True
        return numbers

    # ------------------------------------------------------------------------------------------ pairs and their states

    def _follow(self, before: TokenArray, chunks: ChunkArray) -> TokenArray:
        """The states after these: for each pair the one it has, or a new one."""
        states = self._slots.take(self._slot(before, chunks))
        at = states.astype(np.intp)
        wrong = self._chunks.take(at) != chunks
        wrong |= self._before.take(at) != before
        if len(others := np.flatnonzero(wrong)):
            states[others] = self._search(before[others], chunks[others])
        return states

    def _search(self, before: TokenArray, chunks: ChunkArray) -> TokenArray:
        """`_follow` for pairs that are not in their own slot: look in the next ones, take the first that is free."""
        self._make_room(len(chunks))
        states = np.zeros(len(chunks), np.int32)
        slots = self._slot(before, chunks)
        pending = np.arange(len(chunks))
        while len(pending):
            found = self._slots[slots]
            if len(free := np.flatnonzero((found == 0) & (chunks != 0))):
                new = self._claim(slots, free, free)
                fresh = np.arange(self._size, self._size + len(new), dtype=np.int32)
                self._slots[slots[new]] = fresh
                self._before[fresh], self._chunks[fresh] = before[new], chunks[new]
                self._size += len(new)
                found = self._slots[slots]
            right = (self._chunks[found] == chunks) & (self._before[found] == before)
            states[pending[right]] = found[right]
            wrong = ~right
            pending, before, chunks = pending[wrong], before[wrong], chunks[wrong]
            slots = (slots[wrong] + 1) & (len(self._slots) - 1)
        return states

    def _claim(self, slots: IndexArray, claimants: IndexArray, marks: npt.NDArray[np.integer]) -> IndexArray:
        """Write marks into slots, several of which may be the same; returns those whose mark stayed: the first of each.

        Which one stays makes no difference but in speed: frequent words come first, and find their own slot free.
        """
        self._slots[slots[claimants[::-1]]] = marks[::-1]
        stayed: IndexArray = claimants[self._slots[slots[claimants]] == marks]
        return stayed

    def _make_room(self, n: int) -> None:
        """See that `n` more states find room, and slots enough for one in four to be taken at most."""
        if self._size + n > len(self._chunks):
            more = np.zeros(self._size + 2 * n, np.int32)
            self._before, self._chunks = np.append(self._before, more), np.append(self._chunks, more.astype(np.uint64))
        if 4 * (self._size + n) <= len(self._slots):
            return
        self._slots = np.zeros(1 << (4 * (self._size + n)).bit_length(), np.int32)
        states = np.arange(1, self._size, dtype=np.int32)
        slots = self._slot(self._before[states], self._chunks[states])
        while len(states):
            free = np.flatnonzero(self._slots[slots] == 0)
            self._claim(slots, free, states[free])
            homeless = self._slots[slots] != states
            states, slots = states[homeless], (slots[homeless] + 1) & (len(self._slots) - 1)

    def _slot(self, before: TokenArray, chunks: ChunkArray) -> IndexArray:
        """The slot of its own that each pair has: the highest bits of a hash."""
        h = chunks * _ODD[0]
        h ^= before.astype(np.uint64) * _ODD[1]
        h ^= h >> np.uint64(32)
        h *= _ODD[2]
        h >>= np.uint64(65 - len(self._slots).bit_length())
        slots: IndexArray = h.astype(np.intp)
        return slots


def _chunks_at(memory: ChunkArray, starts: IndexArray, left: IndexArray) -> ChunkArray:
    """Up to 8 bytes of each word from `starts` on, of which `left` bytes are left.

    Each comes from two neighbouring elements of `memory`: reading it there at once, unaligned, is slower in NumPy.
    """
    at, bits = starts >> 3, ((starts & 7) << 3).astype(np.uint64)
    chunks = memory.take(at) >> bits
    chunks |= (memory.take(at + 1) << np.uint64(1)) << (np.uint64(63) - bits)
    chunks &= _MASKS.take(left, mode="clip")
    return chunks
