"""One block of the corpus becomes batches of index arrays; all of the block's randomness happens here.

The kept words of a block, in text order, are cut into *segments* of `SEGMENT` consecutive centre words with R
neighbours on both sides. Segments are shuffled, so a batch takes them from all over the block: a word that fills one
article does not fill one batch, which keeps a step computed from one copy of the parameters stable. Each segment gets
`n_noise` noise words that its centre words share.

::

    kept words        ... e f g [h i j k l m n o] p q r ...       SEGMENT = 8, R = 3 (20 and 5 in earnest)
    centres   (B)                h i j k l m n o
    contexts  (M)          e f g h i j k l m n o p q r            M = B + 2R; centre b sits at context b + R
    noise     (N)          x y z ...                               drawn by count^0.75, weighted to K for each pair
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from parw2v.arraytypes import CountArray, FloatArray, IndexArray, TokenArray

SEGMENT = 20
"""B, centre words in a segment. Larger wastes more of the products on pairs outside any window, smaller gathers more
context rows for each centre word and leaves the products too small (benchmarks/README.md)."""

DAMPING = 2.0
"""Occurrences of a row in one batch (of all workers together) from which on its gradient is scaled down."""


@dataclass(frozen=True)
class Batches:
    """The batches of one block: row numbers and weights, in the order they are trained.

    Attributes
    ----------
    inputs : (n, I) intp
        Rows of W_in for each batch: its centre words (skip-gram) or its contexts (CBOW), segment by segment.
    outputs : (n, O) intp
        Rows of W_out: the other of the two, then the noise, segment by segment.
    windows : (n, S * B) intp
        For each centre word the row of a kernel's weight table: which of its M neighbours are in its window.
    input_scale, output_scale : (n, I) and (n, O) float32
        Damping of each row's gradient, at most 1.
    raw_words : int
        Words of the block before subsampling.
    kept_words : int
        Words after it.
    """

    inputs: IndexArray
    outputs: IndexArray
    windows: IndexArray
    input_scale: FloatArray
    output_scale: FloatArray
    raw_words: int
    kept_words: int

    def __len__(self) -> int:
        return len(self.windows)

    def __iter__(self) -> Iterator[tuple[IndexArray, IndexArray, IndexArray, FloatArray, FloatArray]]:
        return zip(self.inputs, self.outputs, self.windows, self.input_scale, self.output_scale, strict=True)


def make_batches(
    tokens: TokenArray,
    rng: np.random.Generator,
    *,
    keep: FloatArray,
    noise_table: TokenArray,
    noise_share: FloatArray,
    radius: int,
    n_noise: int,
    segments: int,
    centres_are_inputs: bool,
    workers: int = 1,
) -> Batches:
    """Subsample, draw windows and noise, shuffle, and lay out the row numbers of every batch of a block.

    Parameters
    ----------
    tokens : (n,) int32
        A block: word ids, the last of each sentence as ``~id``.
    rng : Generator
        The block's own.
    keep : (V,) float32
        Probability of each word to be kept.
    noise_table : (T,) int32
        See `parw2v.sampling.noise_table`.
    noise_share : (V,) float32
        The share of the table that each word has.
    radius : int
        R; each centre word draws its window uniformly from 1..R, as word2vec.c does.
    n_noise : int
        N, noise words shared by a segment.
    segments : int
        S, segments in a batch.
    centres_are_inputs : bool
        True for skip-gram, False for CBOW.
    workers : int
        How many workers train at once; damping counts what all of them do.
    """
    words, lengths = _subsample(tokens, rng, keep)
    left, right = _draw_windows(lengths, rng, radius)

    # Cut into segments and shuffle; the last batch is filled up with segments of weight zero.
    reach = SEGMENT + 2 * radius
    n_segments = -(-len(words) // SEGMENT)
    n_batches = -(-n_segments // segments)
    n_filled = n_batches * segments
    order = rng.permutation(n_segments)
    padded = np.zeros(max(n_segments, 1) * SEGMENT + 2 * radius, np.intp)  # a block may have lost all its words
    padded[radius : radius + len(words)] = words
    neighbourhoods = np.lib.stride_tricks.sliding_window_view(padded, reach)[::SEGMENT]
    window = np.zeros(n_segments * SEGMENT, np.intp)
    window[: len(words)] = left * (radius + 1) + right
    windows = np.zeros((n_filled, SEGMENT), np.intp)
    windows[:n_segments] = window.reshape(n_segments, SEGMENT)[order]
    windows *= SEGMENT
    windows += np.arange(SEGMENT)

    # Each row of `outputs` is a segment's targets and its noise; contexts are written where they are needed, once.
    outputs = np.zeros((n_filled, (reach if centres_are_inputs else SEGMENT) + n_noise), np.intp)
    outputs[:, -n_noise:] = _draw_noise(rng, n_filled, n_noise, noise_table)
    contexts = outputs[:, :reach] if centres_are_inputs else np.zeros((n_filled, reach), np.intp)
    contexts[:n_segments] = neighbourhoods[order]
    centres = contexts[:, radius : radius + SEGMENT]
    if centres_are_inputs:
        inputs = np.ascontiguousarray(centres)
    else:
        inputs = contexts
        outputs[:, :SEGMENT] = centres

    inputs, outputs, windows = (
        rows.reshape(n_batches, segments * rows.shape[1]) for rows in (inputs, outputs, windows)
    )
    input_factor, output_factor = damping(
        words,
        noise_share,
        n_noise=n_noise,
        segments=segments,
        radius=radius,
        centres_are_inputs=centres_are_inputs,
        workers=workers,
    )
    return Batches(
        inputs,
        outputs,
        windows,
        np.take(input_factor, inputs),
        np.take(output_factor, outputs),
        raw_words=len(tokens),
        kept_words=len(words),
    )


def _subsample(tokens: TokenArray, rng: np.random.Generator, keep: FloatArray) -> tuple[TokenArray, CountArray]:
    """Drop frequent words at random; returns the kept ids and the number of them in each sentence that has any."""
    ids = tokens ^ (tokens >> 31)  # ~id where negative
    kept = np.flatnonzero(rng.random(len(ids), dtype=np.float32) < np.take(keep, ids, mode="clip"))
    kept_until_end = np.searchsorted(kept, np.flatnonzero(tokens < 0), side="right")
    lengths = np.diff(kept_until_end, prepend=0)
    return ids[kept], lengths[lengths > 0]


def _draw_windows(lengths: CountArray, rng: np.random.Generator, radius: int) -> tuple[TokenArray, TokenArray]:
    """Context words to the left and right of each kept word: the drawn radius, cut at the sentence's ends."""
    lengths = lengths.astype(np.int32)
    firsts = np.cumsum(lengths, dtype=np.int32) - lengths
    position = np.arange(lengths.sum(), dtype=np.int32)
    drawn = rng.integers(1, radius + 1, len(position), dtype=np.int32)
    before = position - np.repeat(firsts, lengths)
    after = np.repeat(firsts + lengths - 1, lengths) - position
    return np.minimum(drawn, before), np.minimum(drawn, after)


def _draw_noise(rng: np.random.Generator, n: int, n_noise: int, noise_table: TokenArray) -> TokenArray:
    """(n, N) noise words, stratified: one from each N-th of the distribution.

    Each is drawn by count^0.75 over the whole row, as word2vec's are; stratifying only takes away the chance of a row
    with too many or too few frequent words (measured: 1.5 points of analogy accuracy after one epoch).
    """
    stratum = len(noise_table) / n_noise
    draws = rng.random((n_noise, n), dtype=np.float32)  # stratum by stratum: the part of the table in use stays cached
    draws *= np.float32(stratum)
    draws += (np.arange(n_noise) * stratum).astype(np.float32)[:, None]
    return np.take(noise_table, draws.astype(np.int32), mode="clip").T


def damping(
    words: TokenArray,
    noise_share: FloatArray,
    *,
    n_noise: int,
    segments: int,
    radius: int,
    centres_are_inputs: bool,
    workers: int,
) -> tuple[FloatArray, FloatArray]:
    """Scale factors that keep a batch from moving a frequent row too far.

    Every gradient of a batch is computed from the same copy of a row, so a row that occurs n times in it takes one step
    n times as long. From `DAMPING` expected occurrences on, the sum is scaled to what that many would give. Workers add
    up: what the others do at the same time is computed from as old a copy. What is expected follows from how often a
    word occurs in this block, so one that is frequent in this stretch of the text only is damped too.

    Parameters
    ----------
    words : (n,) int32
        The block's kept words.
    noise_share : (V,) float32
        Probability of each word to be drawn as noise.
    n_noise, segments, radius, centres_are_inputs, workers
        See `make_batches`.

    Returns
    -------
    input_factor, output_factor : (V,) float32
        For the rows of W_in and of W_out.
    """
    as_centre = np.bincount(words, minlength=len(noise_share)) * (segments * SEGMENT / max(len(words), 1))
    as_context = as_centre * ((SEGMENT + 2 * radius) / SEGMENT)
    as_noise = noise_share * (segments * n_noise)
    inputs, targets = (as_centre, as_context) if centres_are_inputs else (as_context, as_centre)

    def factor(expected: FloatArray) -> FloatArray:
        scaled: FloatArray = (DAMPING / np.maximum(DAMPING, 1 + workers * expected)).astype(np.float32)
        return scaled

    return factor(inputs), factor(targets + as_noise)
