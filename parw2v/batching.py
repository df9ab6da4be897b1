"""One block of the corpus becomes batches of index arrays; all of the block's randomness happens here.

The kept words of a block, in text order, are cut into runs (`parw2v.windows`), and the runs into S parts of equal length. A
batch has one run of each part, the next batch the runs that follow: a word that fills one article does not fill one batch,
and the words of an article, which come again and again, are still in the cache (4 % of the speed). Shuffling is left to the
corpus, whose blocks are made of chunks from all over the text.

Both parameter matrices are one array of 2V rows, row 2v for word v in W_in and row 2v + 1 in W_out, so that what a batch
reads and writes is one list of row numbers. Noise words, N at a time, are shared by a *group* of centre words::

    skip-gram    inputs of the S L centre words, then outputs: block, noise, block, block, noise, block, ...
    CBOW         inputs of the S L words, the noise of each group, outputs of the S L words

For skip-gram twins (`parw2v.windows`) have their N noise words between them, so that all a block is compared with is one
stretch of rows, from the last R words of the block before to the first R of the one behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from parw2v.arraytypes import FloatArray, IndexArray, ThresholdArray, TokenArray
from parw2v.windows import RUN_BLOCKS, Layout, sums_and_means

_COUNTED_AT_ONCE = 1 << 17
"""Bins that words are counted in at a time: the counts stay in the cache."""


class Batch(NamedTuple):
    """What one step is computed from.

    Attributes
    ----------
    rows : (n,) intp
        Rows of the parameters, laid out as above.
    scale : (n,) float32
        Damping of each row's gradient, at most 1.
    reach : int
        R, or the reach of all windows of the batch, drawn from 1..R, where the objective draws it.
    cut : (k,) intp
        The blocks with a sentence end, or the end of the text, in some window.
    left : (k, B, C) or (k, 2, B, B + 2R) float32
        What is left of each window there: 1 for a context inside the sentence, else 0; all 0 for a centre that is padding.
        For skip-gram the share of the noise stands where the noise does (`Layout.stretches`). For CBOW it is followed by
        the same divided by c_i.
    contexts : (k, B, 1) float32
        c_i there, the sum of the weights in a window.
    """

    rows: IndexArray
    scale: FloatArray
    reach: int
    cut: IndexArray
    left: FloatArray
    contexts: FloatArray


@dataclass(frozen=True)
class Batches:
    """The batches of one block, in the order they are trained: arrays as in `Batch`, one row a batch.

    Attributes
    ----------
    cut, left, contexts
        Of all batches together; those of batch i are ``[cut_until[i] : cut_until[i + 1]]``.
    raw_words : int
        Words of the block before subsampling.
    kept_words : int
        Words after it.
    """

    rows: IndexArray
    scale: FloatArray
    reach: list[int]
    cut: IndexArray
    left: FloatArray
    contexts: FloatArray
    cut_until: list[int]
    raw_words: int
    kept_words: int

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        start, whole = 0, (self.cut[:0], self.left[:0], self.contexts[:0])
        for rows, scale, reach, end in zip(self.rows, self.scale, self.reach, self.cut_until[1:], strict=True):
            cut = (self.cut[start:end], self.left[start:end], self.contexts[start:end]) if end > start else whole
            yield Batch(rows, scale, reach, *cut)
            start = end


def make_batches(
    tokens: TokenArray,
    rng: np.random.Generator,
    *,
    keep: ThresholdArray,
    noise_table: TokenArray,
    layout: Layout,
    n_noise: int,
    noise_groups: int,
    predicts_contexts: bool,
    workers: int,
    most: float,
) -> Batches:
    """Subsample, cut into runs, draw noise and reaches, and lay out the row numbers of every batch of a block.

    Parameters
    ----------
    tokens : (n,) int32
        A block: word ids, the last of each sentence as ``~id``.
    rng : Generator
        The block's own.
    keep : (V,) uint16
        See `parw2v.sampling.thresholds`.
    noise_table : (T,) int32
        See `parw2v.sampling.noise_table`.
    layout : Layout
    n_noise : int
        N, noise words of a centre word.
    noise_groups : int
        How many times N words a batch draws: S for CBOW; for skip-gram, which uses them in turn, any number.
    predicts_contexts : bool
        True for skip-gram, which weights the whole window; False for CBOW, which draws its reach.
    workers : int
        How many workers train at once; damping counts what all of them do.
    most : float
        Occurrences of a word, in a batch of each worker together, beyond which damping sets in.
    """
    words, sentence = _subsample(tokens, rng, keep)
    n_runs = -(-len(words) // layout.length)
    n_batches = -(-n_runs // layout.runs)
    order = np.arange(n_batches * layout.runs).reshape(layout.runs, n_batches).T.ravel()
    text = _runs(words, len(order), layout)[order].reshape(n_batches, layout.n_centres)
    cut, left = _cut_blocks(_runs(sentence, len(order), layout)[order], layout)
    noise = _draw_noise(rng, n_batches, noise_groups, n_noise, noise_table)
    drawn = np.concatenate([text, noise.reshape(n_batches, noise_groups * n_noise)], axis=1)
    scale = damping(drawn, rng, len(keep), workers, most)
    n, block = layout.n_centres, cut % RUN_BLOCKS
    inputs, targets, noise_places = np.arange(n), np.arange(n), np.arange(n, drawn.shape[1])
    if predicts_contexts:
        reach = np.full(n_batches, layout.radius)
        weights = layout.window_weights()
        contexts = np.einsum("kbm,kbm->kb", left, weights[block])[:, :, None]
        left = layout.stretches(left, contexts / weights.sum(axis=2, keepdims=True)[block], n_noise, block)
        outputs = _between_noise(targets, noise_places, layout, n_noise)
    else:
        reach = rng.integers(1, layout.radius + 1, n_batches)
        masks = np.stack([layout.window_masks(reach) for reach in range(layout.radius + 1)])
        left *= masks[reach[cut // layout.n_blocks], block]
        contexts = left.sum(axis=2, keepdims=True)
        left = sums_and_means(left, contexts)
        outputs = np.concatenate([noise_places, targets])
    places = np.concatenate([inputs, outputs])
    rows = np.maximum(drawn, 0, dtype=np.intp)  # padding takes the rows of word 0, which it leaves as they are
    rows += rows
    rows = np.take(rows, places, axis=1)  # in the order of batches, which indexing would not keep
    rows[:, n:] += 1
    return Batches(
        rows,
        np.take(scale, places, axis=1),
        reach.tolist(),
        cut % layout.n_blocks,
        left,
        contexts,
        np.searchsorted(cut, np.arange(n_batches + 1) * layout.n_blocks).tolist(),
        raw_words=len(tokens),
        kept_words=len(words),
    )


def _subsample(tokens: TokenArray, rng: np.random.Generator, keep: ThresholdArray) -> tuple[TokenArray, TokenArray]:
    """Drop frequent words at random; returns the kept ids and the number of the sentence that each belongs to."""
    ids = tokens ^ (tokens >> 31)  # ~id where negative
    drawn = rng.bit_generator.random_raw(-(-len(ids) // 4)).view(np.uint16)[: len(ids)]
    kept = np.flatnonzero(drawn <= np.take(keep, ids, mode="clip"))
    ends = np.searchsorted(kept, np.flatnonzero(tokens < 0), side="right")  # of sentences, counted in kept words
    lengths = np.diff(ends, prepend=0, append=len(kept))
    return ids[kept], np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)


def _runs(text: TokenArray, n_runs: int, layout: Layout) -> TokenArray:
    """(n_runs, L) int32: what belongs to the kept words of a text, run by run, filled up with -1."""
    runs = np.full((n_runs, layout.length), -1, np.int32)
    runs.reshape(-1)[: len(text)] = text
    return runs


def _cut_blocks(sentence: TokenArray, layout: Layout) -> tuple[IndexArray, FloatArray]:
    """Find the blocks whose windows a sentence end cuts short, and what is left of those.

    Parameters
    ----------
    sentence : (n_runs, L) int32
        The number of each word's sentence, ascending in a run; -1 for padding.

    Returns
    -------
    blocks : (k,) intp
        Ascending.
    left : (k, B, B + 2R) float32
    """
    B, R = layout.block, layout.radius
    starts = np.arange(RUN_BLOCKS) * B
    first = sentence[:, np.maximum(starts - R, 0)]
    last = sentence[:, np.minimum(starts + B + R, layout.length) - 1]
    blocks = np.flatnonzero((first != last) | (last < 0))
    padded = np.pad(sentence, ((0, 0), (R, R)), constant_values=-1)
    neighbourhoods = np.lib.stride_tricks.sliding_window_view(padded, layout.n_neighbours, axis=1)[:, ::B]
    neighbours = neighbourhoods[np.divmod(blocks, RUN_BLOCKS)][:, None, :]
    centres = neighbours[:, 0, R : R + B, None]
    left = ((neighbours == centres) & (centres >= 0)).astype(np.float32)
    return blocks, left


def _draw_noise(
    rng: np.random.Generator, n_batches: int, groups: int, n_noise: int, noise_table: TokenArray
) -> TokenArray:
    """(n_batches, groups, N) noise words, stratified twice.

    A group has one word from each N-th of the distribution, and of such an N-th the groups of a batch draw from different
    parts, in turn from a random one. Each word is drawn by count^0.75 on the whole, as word2vec's are; stratifying only
    takes away the chance of a group with too many frequent words, or of a rare word that several groups draw at once
    (measured in benchmarks/README.md).
    """
    turn = rng.integers(groups, size=(n_noise, n_batches, 1), dtype=np.int32)
    place = rng.random((n_noise, n_batches, groups), dtype=np.float32)
    part = turn + np.arange(groups, dtype=np.int32)
    part -= np.int32(groups) * (part >= groups).astype(np.int32)  # modulo would divide
    place += part
    place += (np.arange(n_noise, dtype=np.float32) * groups)[:, None, None]
    place *= np.float32(len(noise_table) / (n_noise * groups))
    # N-th by N-th: the part of the table in use stays cached.
    words = np.take(noise_table, place.astype(np.int32), mode="clip")
    return np.ascontiguousarray(words.transpose(1, 2, 0))


def _between_noise(targets: IndexArray, noise: IndexArray, layout: Layout, n_noise: int) -> IndexArray:
    """The outputs of skip-gram in their order: block, noise, block.

    Groups of noise words are used in turn: in different texts each, and a row that is used again is still in the cache.
    """
    groups, blocks = noise.reshape(-1, n_noise), targets.reshape(layout.n_twins, 2, layout.block)
    turns = groups[np.arange(layout.n_twins) % len(groups)]
    return np.concatenate([blocks[:, 0], turns, blocks[:, 1]], axis=1).ravel()


def damping(words: TokenArray, rng: np.random.Generator, n_words: int, workers: int, most: float) -> FloatArray:
    """Scale factors that keep a batch from moving a row too far.

    Every gradient of a batch is computed from the same copy of a row, so a row that occurs n times in it takes one step
    n times as long. From `most` occurrences on, the sum is scaled to what that many would give. Occurrences are counted
    batch by batch, since a word that is rare in the text may fill a sentence. Workers add up: what the others do at the
    same time is computed from as old a copy (docs/many-cores.md); of theirs, what is expected from this block is counted.

    Words are counted by a hash that changes from block to block: two words of a batch with the same one count as one,
    which is rare and errs to the safe side.

    Parameters
    ----------
    words : (n_batches, n) int32
        Words of each batch, noise included; -1 for padding.
    n_words : int
        V.

    Returns
    -------
    (n_batches, n) float32
    """
    bits = words.shape[1].bit_length() + 2
    hashed = words.astype(np.uint32) * np.uint32(2 * rng.integers(1 << 31) + 1) >> np.uint32(32 - bits)
    scale = np.empty(words.shape, np.float32)
    at_once = max(_COUNTED_AT_ONCE >> bits, 1)
    for start in range(0, len(words), at_once):
        some = slice(start, start + at_once)
        places = hashed[some].astype(np.intp)
        places += (np.arange(len(places)) << bits)[:, None]
        scale[some] = np.take(np.bincount(places.ravel()), places)
    if workers > 1 and len(words):
        others = np.bincount(words.ravel() + 1, minlength=n_words + 1) * ((workers - 1) / len(words))
        scale += np.take(others.astype(np.float32), words + 1)
    np.maximum(scale, np.float32(most), out=scale)
    return np.divide(np.float32(most), scale, out=scale)
