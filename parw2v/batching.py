"""One block of the corpus becomes batches of index arrays; all of the block's randomness happens here.

The kept words of a block, in text order, are cut into *segments* of `SEGMENT` consecutive centre words with R
neighbours on both sides. Segments are shuffled, so a batch takes them from all over the block: a word that fills one
article does not fill one batch, which keeps a step computed from one copy of the parameters stable.

::

    kept words        ... e f g [h i j k l m n o] p q r ...       SEGMENT = 8, R = 3 (20 and 5 in earnest)
    centres   (B)                h i j k l m n o
    contexts  (M)          e f g h i j k l m n o p q r            M = B + 2R; centre b sits at context b + R

Noise words, N at a time, are shared by a *group* of centre words. For skip-gram a group is a segment, so that contexts and
noise are one matrix. For CBOW it is a few columns: the b-th centre words of all segments of the batch, for a few b.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from parw2v.arraytypes import FloatArray, IndexArray, TokenArray
from parw2v.windows import SEGMENT, window_masks


class Batch(NamedTuple):
    """What one step is computed from.

    Attributes
    ----------
    inputs : (I,) intp
        Rows of W_in: the centre words (skip-gram) or the contexts (CBOW).
    outputs : (O,) intp
        Rows of W_out: the other of the two, and the noise. Skip-gram: by segment, contexts and noise words (S, M + N).
        CBOW: column by column, contexts (M, S), centre words (B, S), then the noise words group by group.
    reach : int
        R, or the reach of all windows of the batch, drawn from 1..R, where the objective draws it.
    cut : (k,) intp
        The segments with a sentence end in some window.
    left : (k, B, M) or (k, B, M + N) float32
        What is left of each weight there: 1 for a context inside the sentence, else 0; all 0 for a centre that is padding.
        For skip-gram the noise follows: the share of c_i that is left.
    contexts : (k, B, 1) float32
        c_i there, the sum of the weights in a window.
    input_scale, output_scale : (I,) and (O,) float32
        Damping of each row's gradient, at most 1.
    """

    inputs: IndexArray
    outputs: IndexArray
    reach: int
    cut: IndexArray
    left: FloatArray
    contexts: FloatArray
    input_scale: FloatArray
    output_scale: FloatArray


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

    inputs: IndexArray
    outputs: IndexArray
    reach: list[int]
    cut: IndexArray
    left: FloatArray
    contexts: FloatArray
    cut_until: list[int]
    input_scale: FloatArray
    output_scale: FloatArray
    raw_words: int
    kept_words: int

    def __len__(self) -> int:
        return len(self.inputs)

    def __iter__(self) -> Iterator[Batch]:
        for i in range(len(self)):
            cut = slice(self.cut_until[i], self.cut_until[i + 1])
            yield Batch(
                self.inputs[i],
                self.outputs[i],
                self.reach[i],
                self.cut[cut],
                self.left[cut],
                self.contexts[cut],
                self.input_scale[i],
                self.output_scale[i],
            )


def make_batches(
    tokens: TokenArray,
    rng: np.random.Generator,
    *,
    keep: FloatArray,
    noise_table: TokenArray,
    noise_share: FloatArray,
    window: FloatArray,
    n_noise: int,
    groups: int,
    segments: int,
    centres_are_inputs: bool,
    workers: int,
    most: tuple[float, float],
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
    window : (B, M) float32
        Weights of a window of full reach, as in `parw2v.windows`.
    n_noise : int
        N, noise words of a group.
    groups : int
        Groups in a batch.
    segments : int
        S, segments in a batch.
    centres_are_inputs : bool
        True for skip-gram, which weights the whole window; False for CBOW, which draws its reach.
    workers : int
        How many workers train at once; damping counts what all of them do.
    most : (float, float)
        Occurrences of a row of W_in and of W_out, in a batch of each worker together, beyond which damping sets in.
    """
    radius = (window.shape[1] - SEGMENT) // 2
    words, ends = _subsample(tokens, rng, keep)
    n_segments = -(-len(words) // SEGMENT)
    n_batches = -(-n_segments // segments)
    n_filled = n_batches * segments  # the last batch is filled up with segments whose windows are empty
    order = rng.permutation(n_segments)
    reach = np.full(n_batches, radius) if centres_are_inputs else rng.integers(1, radius + 1, n_batches)

    padded = np.zeros(max(n_segments, 1) * SEGMENT + 2 * radius, np.intp)  # a block may have lost all its words
    padded[radius : radius + len(words)] = words
    neighbourhoods = np.lib.stride_tricks.sliding_window_view(padded, SEGMENT + 2 * radius)[::SEGMENT]
    contexts = np.zeros((n_batches, segments, SEGMENT + 2 * radius), np.intp)
    contexts.reshape(n_filled, SEGMENT + 2 * radius)[:n_segments] = neighbourhoods[order]
    centres = contexts[:, :, radius : radius + SEGMENT]
    noise = _draw_noise(rng, n_batches, groups, n_noise, noise_table)
    if centres_are_inputs:
        inputs, outputs = _flat(centres), _flat(np.concatenate([contexts, noise], axis=2))
    else:
        inputs, centres = _flat(contexts.transpose(0, 2, 1)), _flat(centres.transpose(0, 2, 1))
        outputs = np.concatenate([centres, _flat(noise)], axis=1)
    places, left = _cut_windows(ends, order, np.repeat(reach, segments), radius)
    contexts_left = np.einsum("kbm,bm->kb", left, window)[:, :, None]
    if centres_are_inputs:
        left = np.concatenate([left, np.repeat(contexts_left / window[0].sum(), n_noise, axis=2)], axis=2)
    input_factor, output_factor = damping(
        words,
        noise_share,
        noise_rows=groups * n_noise,
        segments=segments,
        radius=radius,
        centres_are_inputs=centres_are_inputs,
        workers=workers,
        most=most,
    )
    return Batches(
        inputs,
        outputs,
        reach.tolist(),
        places % segments,
        left,
        contexts_left,
        np.searchsorted(places, np.arange(n_batches + 1) * segments).tolist(),
        np.take(input_factor, inputs),
        np.take(output_factor, outputs),
        raw_words=len(tokens),
        kept_words=len(words),
    )


def _flat(by_batch: IndexArray) -> IndexArray:
    """(n, ...) to (n, the rest), also for no batches."""
    return by_batch.reshape(len(by_batch), math.prod(by_batch.shape[1:]))


def _subsample(tokens: TokenArray, rng: np.random.Generator, keep: FloatArray) -> tuple[TokenArray, IndexArray]:
    """Drop frequent words at random; returns the kept ids and the positions of the last ones of sentences."""
    ids = tokens ^ (tokens >> 31)  # ~id where negative
    kept = np.flatnonzero(rng.random(len(ids), dtype=np.float32) < np.take(keep, ids, mode="clip"))
    ends = np.unique(np.searchsorted(kept, np.flatnonzero(tokens < 0), side="right")) - 1
    return ids[kept], ends[ends >= 0]


def _cut_windows(ends: IndexArray, order: IndexArray, reach: IndexArray, radius: int) -> tuple[IndexArray, FloatArray]:
    """Find the segments whose windows a sentence end cuts short, and what is left of those.

    Parameters
    ----------
    ends : (e,) intp
        Positions of the last kept words of sentences, ascending; the last is the block's last word.
    order : (n,) intp
        The segment of the text that stands at each place.
    reach : (m,) intp
        By place; those from n on are padding.

    Returns
    -------
    places : (k,) intp
        Ascending.
    masks : (k, B, M) float32
    """
    n_segments, n_places = len(order), len(reach)
    borders = np.concatenate([[-1], ends])  # a border lies after each of these positions
    crossings = np.bincount(np.maximum((borders - radius + 1) // SEGMENT, 0), minlength=n_segments + 1)
    last = np.minimum((borders + radius) // SEGMENT, n_segments - 1) + 1
    crossings = crossings[: n_segments + 1] - np.bincount(last, minlength=n_segments + 1)[: n_segments + 1]
    is_cut = np.ones(n_places, bool)
    is_cut[:n_segments] = np.cumsum(crossings)[order]
    places = np.flatnonzero(is_cut)
    text_segments = np.full(len(places), n_segments)
    in_text = places < n_segments
    text_segments[in_text] = order[places[in_text]]
    position = text_segments[:, None] * SEGMENT + np.arange(SEGMENT)
    sentence = np.searchsorted(ends, position)
    borders = np.append(borders, -1)
    inside = sentence < len(ends)  # what lies behind the last end is padding
    before = position - borders[sentence] - 1
    after = borders[np.minimum(sentence, len(ends)) + 1] - position
    limit = np.where(inside, reach[places, None], 0)
    return places, window_masks(np.minimum(before, limit), np.minimum(after, limit).clip(0), radius)


def _draw_noise(
    rng: np.random.Generator, n_batches: int, groups: int, n_noise: int, noise_table: TokenArray
) -> IndexArray:
    """(n_batches, groups, N) noise words, stratified twice.

    A group has one word from each N-th of the distribution, and of such an N-th the groups of a batch draw from different
    parts, in turn from a random one. Each word is drawn by count^0.75 on the whole, as word2vec's are; stratifying only
    takes away the chance of a group with too many frequent words, or of a rare word that several groups draw at once
    (measured in benchmarks/README.md).
    """
    turn = rng.integers(groups, size=(n_noise, n_batches, 1), dtype=np.int32)
    place = rng.random((n_noise, n_batches, groups), dtype=np.float32)
    place += (turn + np.arange(groups, dtype=np.int32)) % groups
    place += (np.arange(n_noise, dtype=np.float32) * groups)[:, None, None]
    place *= np.float32(len(noise_table) / (n_noise * groups))
    # N-th by N-th: the part of the table in use stays cached.
    words = np.take(noise_table, place.astype(np.int32), mode="clip")
    return np.ascontiguousarray(words.transpose(1, 2, 0), np.intp)


def damping(
    words: TokenArray,
    noise_share: FloatArray,
    *,
    noise_rows: int,
    segments: int,
    radius: int,
    centres_are_inputs: bool,
    workers: int,
    most: tuple[float, float],
) -> tuple[FloatArray, FloatArray]:
    """Scale factors that keep a batch from moving a frequent row too far.

    Every gradient of a batch is computed from the same copy of a row, so a row that occurs n times in it takes one step
    n times as long. From `most` expected occurrences on, the sum is scaled to what that many would give. Workers add
    up: what the others do at the same time is computed from as old a copy (docs/many-cores.md). What is expected follows
    from how often a word occurs in this block, so one that is frequent in this stretch of the text only is damped too.

    Parameters
    ----------
    words : (n,) int32
        The block's kept words.
    noise_share : (V,) float32
        Probability of each word to be drawn as noise.
    noise_rows : int
        Noise words in a batch.
    segments, radius, centres_are_inputs, workers, most
        See `make_batches`.

    Returns
    -------
    input_factor, output_factor : (V,) float32
        For the rows of W_in and of W_out.
    """
    as_centre = np.bincount(words, minlength=len(noise_share)) * (segments * SEGMENT / max(len(words), 1))
    as_context = as_centre * ((SEGMENT + 2 * radius) / SEGMENT)
    as_noise = noise_share * noise_rows
    inputs, targets = (as_centre, as_context) if centres_are_inputs else (as_context, as_centre)

    def factor(expected: FloatArray, most: float) -> FloatArray:
        scaled: FloatArray = (most / np.maximum(most, 1 + workers * expected)).astype(np.float32)
        return scaled

    return factor(inputs, most[0]), factor(targets + as_noise, most[1])
