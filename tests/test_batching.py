"""A block becomes exactly the pairs that a slow loop draws, and what is random has the right distribution.

The layout is decoded the way the kernels read it; nothing here follows how it was made.
"""

from collections import Counter

import numpy as np
import pytest

from parw2v.batching import DAMPING, damping, make_batches
from parw2v.sampling import noise_share, noise_table
from parw2v.windows import SEGMENT, whole_windows

NOISE = 16
"""Noise words of a group in these tests."""

GROUPS = 4
"""Groups in a batch of CBOW; skip-gram has one a segment."""

SIGMAS = 5
"""Standard errors that a frequency may be off: one check in two million fails by chance, and the seeds are fixed."""

SENTENCES = {
    "one word": [1],
    "one word a sentence": [1] * 40,
    "short": [3, 1, 2, 5, 1, 1, 4],
    "one segment": [SEGMENT],
    "a word more": [SEGMENT + 1],
    "a batch to the word": [SEGMENT * 4] * 3,
    "mixed": [1, 30, 2, 17, 16, 1000, 3, 1, 64],
    "one long": [777],
}


def block_of(lengths, ids=None):
    """Token i is word i, unless given: every token can be told apart."""
    tokens = np.arange(sum(lengths), dtype=np.int32) if ids is None else np.array(ids, np.int32)
    ends = np.cumsum(lengths) - 1
    tokens[ends] = ~tokens[ends]
    return tokens


def batches_of(tokens, seed=1, *, keep=None, counts=None, radius=5, segments=4, skipgram=True, workers=1):
    n_words = max(int(np.max(np.where(tokens < 0, ~tokens, tokens), initial=0)) + 1, 3)
    counts = np.arange(n_words, 0, -1) if counts is None else counts
    table = noise_table(counts, 10_000)
    return make_batches(
        tokens,
        np.random.default_rng(seed),
        keep=np.ones(len(counts), np.float32) if keep is None else np.asarray(keep, np.float32),
        noise_table=table,
        noise_share=noise_share(table, len(counts)),
        window=whole_windows(radius)[1:].mean(axis=0) if skipgram else whole_windows(radius)[radius],
        n_noise=NOISE,
        groups=segments if skipgram else GROUPS,
        segments=segments,
        centres_are_inputs=skipgram,
        workers=workers,
    )


def decode(batches, radius, segments, skipgram=True):
    """Yield (centre, contexts to the left, contexts to the right) for each centre word, padding included."""
    wide = SEGMENT + 2 * radius
    expected = whole_windows(radius)[1:].mean(axis=0)
    for batch in batches:
        assert batch.inputs.dtype == batch.outputs.dtype == batch.cut.dtype == np.intp
        assert batch.inputs.shape == batch.input_scale.shape
        assert batch.outputs.shape == batch.output_scale.shape
        if skipgram:
            assert batch.reach == radius
            centres, contexts = batch.inputs.reshape(segments, -1), batch.outputs.reshape(segments, -1)[:, :-NOISE]
        else:
            assert 1 <= batch.reach <= radius
            centres = batch.outputs[: segments * SEGMENT].reshape(SEGMENT, segments).T
            contexts = batch.inputs.reshape(wide, segments).T
        assert contexts.shape == (segments, wide)
        assert (contexts[:, radius : radius + SEGMENT] == centres).all()
        masks = np.repeat(whole_windows(radius)[batch.reach][None], segments, axis=0)
        masks[batch.cut] = batch.left[:, :, :wide]
        weights = expected if skipgram else np.ones_like(expected)
        np.testing.assert_allclose(batch.contexts[:, :, 0], (masks[batch.cut] * weights).sum(axis=2), rtol=1e-5)
        if skipgram:
            share = batch.contexts / expected[0].sum()
            np.testing.assert_allclose(batch.left[:, :, wide:], np.repeat(share, NOISE, axis=2), rtol=1e-5)
        for s in range(segments):
            for b in range(SEGMENT):
                near = [(m - radius - b, int(contexts[s, m])) for m in np.flatnonzero(masks[s, b])]
                yield int(centres[s, b]), [w for o, w in near if o < 0], [w for o, w in near if o > 0]


@pytest.mark.parametrize("skipgram", [True, False])
@pytest.mark.parametrize("radius", [1, 2, 5, 20])
@pytest.mark.parametrize("name", SENTENCES)
def test_pairs_are_those_of_a_slow_loop(name, radius, skipgram):
    tokens = block_of(SENTENCES[name])
    sentence_of = np.repeat(np.arange(len(SENTENCES[name])), SENTENCES[name])
    batches = batches_of(tokens, radius=radius, skipgram=skipgram)
    assert batches.raw_words == batches.kept_words == len(tokens)
    assert len(batches) == -(-len(tokens) // (4 * SEGMENT))
    with_context = Counter()
    for centre, left, right in decode(batches, radius, 4, skipgram):
        if not left and not right:
            continue
        with_context[centre] += 1
        same = np.flatnonzero(sentence_of == sentence_of[centre])
        # One reach explains both sides, which only the sentence's ends cut short.
        before, after = centre - same[0], same[-1] - centre
        reaches = [radius] if skipgram else range(1, radius + 1)
        assert any(len(left) == min(r, before) and len(right) == min(r, after) for r in reaches)
        assert left == list(range(centre - len(left), centre))
        assert right == list(range(centre + 1, centre + 1 + len(right)))
    # Each word that has a neighbour at all is a centre once; segments of padding have no pairs.
    expected = [i for i, s in enumerate(sentence_of) if SENTENCES[name][s] > 1]
    assert with_context == Counter(expected)


def test_words_that_repeat_pair_with_each_other_but_not_with_themselves():
    batches = batches_of(block_of([4], [7, 7, 7, 7]), radius=1)
    pairs = [(c, left, right) for c, left, right in decode(batches, 1, 4) if left or right]
    assert sorted(pairs) == [(7, [], [7]), (7, [7], []), (7, [7], [7]), (7, [7], [7])]


def test_subsampling_comes_before_windows():
    """Dropped words neither are centres nor contexts, nor do they take up a place in a window."""
    lengths = [50, 3, 200, 1, 120]
    n = sum(lengths)
    keep = np.arange(n) % 3 == 0
    sentence_of = np.repeat(np.arange(len(lengths)), lengths)
    kept = np.flatnonzero(keep)
    batches = batches_of(block_of(lengths), keep=keep, radius=2)
    assert batches.raw_words == n
    assert batches.kept_words == len(kept)
    seen = 0
    for centre, left, right in decode(batches, 2, 4):
        if left or right:
            same = kept[sentence_of[kept] == sentence_of[centre]].tolist()
            at = same.index(centre)
            assert left == same[max(at - len(left), 0) : at]
            assert right == same[at + 1 : at + 1 + len(right)]
            assert len(left) >= min(1, at)
            assert len(right) >= min(1, len(same) - 1 - at)
            seen += 1
    assert seen == sum(1 for i in kept if np.count_nonzero(sentence_of[kept] == sentence_of[i]) > 1)


@pytest.mark.parametrize("skipgram", [True, False])
@pytest.mark.parametrize("tokens", [np.zeros(0, np.int32), block_of([3, 5])], ids=["no words", "none kept"])
def test_empty_blocks(tokens, skipgram):
    batches = batches_of(tokens, keep=np.zeros(8), skipgram=skipgram)
    assert len(batches) == 0
    assert list(batches) == []
    assert batches.raw_words == len(tokens)
    assert batches.kept_words == 0


def test_padding_has_no_weight():
    """Ten words in a batch of 64 segments: all other centres look at nobody."""
    batches = batches_of(block_of([10]), segments=64)
    decoded = list(decode(batches, 5, 64))
    assert len(decoded) == 64 * SEGMENT
    assert sum(1 for _, left, right in decoded if left or right) == 10
    assert np.isfinite(batches.input_scale).all()
    assert np.isfinite(batches.output_scale).all()


def test_a_generator_decides_everything():
    tokens = block_of([40] * 30)
    first, same, other = (batches_of(tokens, seed) for seed in (1, 1, 2))
    for one, two, three in zip(first, same, other, strict=True):
        for a, b in zip(one, two, strict=True):
            assert np.array_equal(a, b)
        assert not np.array_equal(one.inputs, three.inputs)
        assert not np.array_equal(one.outputs, three.outputs)


def test_segments_are_shuffled():
    batches = batches_of(block_of([1000] * 4))
    firsts = batches.inputs.reshape(-1, SEGMENT)[:, 0]
    order = [first for first in firsts if first % SEGMENT == 0]
    assert np.mean(np.diff(order) == SEGMENT) < 0.05


# ---------------------------------------------------------------------------------------------------- distributions


def assert_frequencies(counts, probabilities):
    """Counts within `SIGMAS` standard errors of n * p, each."""
    counts, probabilities = np.asarray(counts, float), np.asarray(probabilities, float)
    n = counts.sum()
    errors = np.sqrt(n * probabilities * (1 - probabilities))
    assert np.all(np.abs(counts - n * probabilities) <= SIGMAS * errors + 1e-9)


@pytest.mark.parametrize("radius", [2, 5, 10])
def test_reaches_are_uniform(radius):
    batches = batches_of(block_of([200_000], [0] * 200_000), radius=radius, counts=np.array([3, 2, 1]), skipgram=False)
    assert_frequencies(np.bincount(batches.reach, minlength=radius + 1)[1:], [1 / radius] * radius)


def noise_of(batches, segments):
    """(groups of all batches, N) of a skip-gram block."""
    return batches.outputs.reshape(len(batches) * segments, -1)[:, -NOISE:]


def test_noise_follows_counts_to_the_three_quarters():
    counts = np.array([5000, 900, 400, 80, 80, 20, 3])
    n = 50_000
    batches = batches_of(block_of([n], [6] * n), counts=counts)
    noise = noise_of(batches, 4)
    weights = counts**0.75
    # Stratified draws vary less than independent ones; the table itself is right to half an entry of 10,000.
    drawn = np.bincount(noise.ravel(), minlength=7)
    error = np.sqrt(noise.size * weights / weights.sum()) * SIGMAS + noise.size / 10_000
    assert np.all(np.abs(drawn - noise.size * weights / weights.sum()) <= error)
    assert drawn.min() > 0


def test_noise_is_stratified():
    """Each row has one word from each sixteenth of the distribution."""
    counts = np.full(160, 5)
    noise = noise_of(batches_of(block_of([5000], [0] * 5000), counts=counts), 4)
    assert (np.sort(noise, axis=1) // 10 == np.arange(NOISE)).all()


def test_groups_of_a_batch_draw_from_different_parts():
    """Of the ten words in each sixteenth, five groups draw one each from a fifth of them."""
    counts = np.full(160, 5)
    noise = noise_of(batches_of(block_of([5000], [0] * 5000), counts=counts, segments=5), 5)
    parts = np.sort(noise.reshape(-1, 5, NOISE) % 10 // 2, axis=1)
    assert (parts == np.arange(5)[:, None]).all()


def test_cbow_noise_stands_by_group_behind_the_targets():
    counts = np.full(160, 5)
    batches = batches_of(block_of([5000], [0] * 5000), counts=counts, skipgram=False)
    noise = batches.outputs[:, 4 * SEGMENT :].reshape(-1, NOISE)
    assert len(noise) == len(batches) * GROUPS
    assert (noise // 10 == np.arange(NOISE)).all()


def test_noise_words_of_one_row_are_independent():
    counts = np.full(160, 5)
    noise = noise_of(batches_of(block_of([60_000], [0] * 60_000), counts=counts), 4)
    correlations = np.corrcoef((noise % 10).T)[np.triu_indices(NOISE, 1)]
    assert np.abs(correlations).max() < SIGMAS / len(noise) ** 0.5


def test_subsampling_rate():
    keep = np.array([0.01, 0.1, 0.5, 0.9, 1.0])
    n = 20_000
    batches = batches_of(block_of([5 * n], np.arange(5 * n) % 5), keep=keep, counts=np.array([5, 4, 3, 2, 1]))
    kept = Counter(centre for centre, left, right in decode(batches, 5, 4) if left or right)
    kept = np.array([kept[i] for i in range(5)])
    for count, p in zip(kept.tolist(), keep.tolist(), strict=True):
        assert_frequencies([count, n - count], [p, 1 - p])
    assert kept[4] == n
    assert batches.kept_words == kept.sum()


# ---------------------------------------------------------------------------------------------------- damping


def damping_of(words, n_words, *, segments=16, radius=5, skipgram=True, workers=1, share=None, noise_rows=None):
    share = np.zeros(n_words, np.float32) if share is None else np.asarray(share, np.float32)
    return damping(
        np.asarray(words, np.int32),
        share,
        noise_rows=16 * NOISE if noise_rows is None else noise_rows,
        segments=segments,
        radius=radius,
        centres_are_inputs=skipgram,
        workers=workers,
    )


@pytest.mark.parametrize("skipgram", [True, False])
def test_damping_against_the_expectation(skipgram):
    """Word 0 fills half of the block, 1 a tenth; the rest occur once."""
    words = np.concatenate([np.zeros(5000), np.ones(1000), np.arange(2, 4002)]).astype(np.int32)
    share = np.zeros(4002)
    share[:3] = 0.2, 0.3, 0.00001
    inputs, outputs = damping_of(words, 4002, skipgram=skipgram, workers=3, share=share)
    centres = 16 * SEGMENT
    for i in (0, 1, 2, 4001):
        as_centre = np.count_nonzero(words == i) / len(words) * centres
        as_context = as_centre * (SEGMENT + 10) / SEGMENT
        as_input, as_target = (as_centre, as_context) if skipgram else (as_context, as_centre)
        for factor, expected in ((inputs[i], as_input), (outputs[i], as_target + share[i] * 16 * NOISE)):
            # The occurrence itself, and those that come on top of it.
            assert factor == pytest.approx(min(1, DAMPING / (1 + 3 * expected)), rel=1e-5)
    assert inputs[4001] == outputs[4001] == 1
    assert inputs[0] < inputs[1] < 1
    assert inputs.dtype == outputs.dtype == np.float32


def test_more_workers_damp_more():
    words = np.arange(1000) % 20
    factors = [damping_of(words, 20, workers=n)[0][0] for n in (1, 2, 4, 8)]
    assert factors == sorted(factors, reverse=True)
    assert len(set(factors)) == 4
    assert factors[3] * 8 == pytest.approx(factors[2] * 4, rel=0.05)


def test_damping_of_nothing():
    for factor in damping_of([], 5):
        assert factor.tolist() == [1] * 5


def test_scales_belong_to_their_rows():
    ids = np.random.default_rng(1).integers(0, 9, 3000) ** 2 // 9
    batches = batches_of(block_of([100] * 30, ids), workers=4, counts=np.arange(9, 0, -1))
    table = noise_table(np.arange(9, 0, -1), 10_000)
    inputs, outputs = damping_of(ids, 9, segments=4, workers=4, share=noise_share(table, 9), noise_rows=4 * NOISE)
    assert np.array_equal(batches.input_scale, inputs[batches.inputs])
    assert np.array_equal(batches.output_scale, outputs[batches.outputs])
    assert batches.input_scale.min() < 1
