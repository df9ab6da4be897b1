"""A block becomes exactly the pairs that a slow loop draws, and what is random has the right distribution.

The layout is decoded the way the kernels read it; nothing here follows how it was made.
"""

from collections import Counter

import numpy as np
import pytest

from parw2v.batching import damping, make_batches
from parw2v.kernels import KERNELS
from parw2v.sampling import noise_share, noise_table
from parw2v.windows import SEGMENT, whole_windows

NOISE = 16
"""Noise words of a group in these tests."""

GROUPS = 3
"""Groups in a batch of CBOW; skip-gram has one a segment."""

TABLE = NOISE * GROUPS * 200
"""Entries of the noise table: parts of equal size for all groups here."""

MOST = 2.0, 3.0
"""Thresholds of damping for rows of W_in and of W_out."""

SIGMAS = 5
"""Standard errors that a frequency may be off: one check in two million fails by chance, and the seeds are fixed."""

both = pytest.mark.parametrize("skipgram", [True, False], ids=["skipgram", "cbow"])

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


def kernel_of(radius, skipgram):
    none = np.zeros((1, 1), np.float32)
    return KERNELS["skipgram" if skipgram else "cbow"](none, none, radius=radius, negatives=1, segments=1)


def batches_of(tokens, seed=1, *, keep=None, counts=None, radius=5, segments=4, skipgram=True, workers=1):
    n_words = max(int(np.max(np.where(tokens < 0, ~tokens, tokens), initial=0)) + 1, 3)
    counts = np.arange(n_words, 0, -1) if counts is None else counts
    table = noise_table(counts, TABLE)
    return make_batches(
        tokens,
        np.random.default_rng(seed),
        keep=np.ones(len(counts), np.float32) if keep is None else np.asarray(keep, np.float32),
        noise_table=table,
        noise_share=noise_share(table, len(counts)),
        window=kernel_of(radius, skipgram).window,
        n_noise=NOISE,
        groups=segments if skipgram else GROUPS,
        segments=segments,
        centres_are_inputs=skipgram,
        workers=workers,
        most=MOST,
    )


def weights_of(radius, skipgram):
    """(B, M), weights of a whole window: the chance that a reach drawn from 1..R takes a word in, or 1."""
    distance = np.abs(np.arange(SEGMENT + 2 * radius) - radius - np.arange(SEGMENT)[:, None])
    inside = (distance > 0) & (distance <= radius)
    return np.where(inside, (radius + 1 - distance) / radius if skipgram else 1, 0)


def decode(batches, radius, segments, skipgram=True):
    """Yield (centre, contexts to the left, contexts to the right, reach) for each centre word, padding included."""
    wide = SEGMENT + 2 * radius
    expected = weights_of(radius, skipgram)
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
        assert np.isin(masks, [0, 1]).all()
        np.testing.assert_allclose(batch.contexts[:, :, 0], (masks[batch.cut] * expected).sum(axis=2), rtol=1e-5)
        if skipgram:
            share = batch.contexts / expected[0].sum()
            np.testing.assert_allclose(batch.left[:, :, wide:], np.repeat(share, NOISE, axis=2), rtol=1e-5)
        for s in range(segments):
            for b in range(SEGMENT):
                near = [(m - radius - b, int(contexts[s, m])) for m in np.flatnonzero(masks[s, b])]
                yield int(centres[s, b]), [w for o, w in near if o < 0], [w for o, w in near if o > 0], batch.reach


@both
@pytest.mark.parametrize("radius", [1, 2, 5, 20])
@pytest.mark.parametrize("name", SENTENCES)
def test_pairs_are_those_of_a_slow_loop(name, radius, skipgram):
    tokens = block_of(SENTENCES[name])
    sentence_of = np.repeat(np.arange(len(SENTENCES[name])), SENTENCES[name])
    batches = batches_of(tokens, radius=radius, skipgram=skipgram)
    assert batches.raw_words == batches.kept_words == len(tokens)
    assert len(batches) == -(-len(tokens) // (4 * SEGMENT))
    with_context = Counter()
    for centre, left, right, reach in decode(batches, radius, 4, skipgram):
        if not left and not right:
            continue
        with_context[centre] += 1
        same = np.flatnonzero(sentence_of == sentence_of[centre])
        # The reach is that of the batch, and only the sentence's ends cut it short.
        assert left == list(range(max(centre - reach, same[0]), centre))
        assert right == list(range(centre + 1, min(centre + reach, same[-1]) + 1))
    # Each word that has a neighbour at all is a centre once; segments of padding have no pairs.
    expected = [i for i, s in enumerate(sentence_of) if SENTENCES[name][s] > 1]
    assert with_context == Counter(expected)


def assert_only_segments_near_a_sentence_end_are_cut(lengths, radius, skipgram):
    """A segment is cut if a window of full reach in it is; the rest go by the masks that all share."""
    sentence_of = np.repeat(np.arange(len(lengths)), lengths)
    around = np.pad(sentence_of, (radius, radius + SEGMENT), constant_values=-1)
    expected = set()
    for first in range(0, len(sentence_of), SEGMENT):
        for i in range(first, first + SEGMENT):
            if around[i + radius] < 0 or np.any(around[i : i + 2 * radius + 1] != around[i + radius]):
                expected.add(first)
    found, whole = set(), 0
    for batch in batches_of(block_of(lengths), radius=radius, skipgram=skipgram):
        assert (np.diff(batch.cut) > 0).all()
        assert len(batch.cut) == len(batch.left) == len(batch.contexts)
        firsts = batch.inputs[::SEGMENT] if skipgram else batch.outputs[:4]
        found.update(firsts[batch.cut].tolist())
        whole += 4 - len(batch.cut)
    assert found | {0} == expected | {0}  # word 0 also stands for padding
    assert whole == -(-len(sentence_of) // SEGMENT) - len(expected)


@both
@pytest.mark.parametrize("radius", [1, 5, 50])
@pytest.mark.parametrize("name", SENTENCES)
def test_only_segments_near_a_sentence_end_are_cut(name, radius, skipgram):
    assert_only_segments_near_a_sentence_end_are_cut(SENTENCES[name], radius, skipgram)


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_a_sentence_end_anywhere_in_a_segment(radius):
    for end in range(SEGMENT):
        assert_only_segments_near_a_sentence_end_are_cut([2 * SEGMENT + end, 3 * SEGMENT], radius, True)


@both
def test_words_that_repeat_pair_with_each_other_but_not_with_themselves(skipgram):
    batches = batches_of(block_of([4], [7, 7, 7, 7]), radius=1, skipgram=skipgram)
    pairs = [(c, left, right) for c, left, right, _ in decode(batches, 1, 4, skipgram) if left or right]
    assert sorted(pairs) == [(7, [], [7]), (7, [7], []), (7, [7], [7]), (7, [7], [7])]


@both
def test_subsampling_comes_before_windows(skipgram):
    """Dropped words neither are centres nor contexts, nor do they take up a place in a window."""
    lengths = [50, 3, 200, 1, 120, 2, 2]  # nothing is left of the last but one
    n = sum(lengths)
    keep = np.arange(n) % 3 == 0
    keep[[-1, -2]] = True, False
    keep[[-3, -4]] = False
    sentence_of = np.repeat(np.arange(len(lengths)), lengths)
    kept = np.flatnonzero(keep)
    batches = batches_of(block_of(lengths), keep=keep, radius=3, skipgram=skipgram)
    assert batches.raw_words == n
    assert batches.kept_words == len(kept)
    seen = 0
    for centre, left, right, reach in decode(batches, 3, 4, skipgram):
        if left or right:
            same = kept[sentence_of[kept] == sentence_of[centre]].tolist()
            at = same.index(centre)
            assert left == same[max(at - reach, 0) : at]
            assert right == same[at + 1 : at + 1 + reach]
            seen += 1
    assert seen == sum(1 for i in kept if np.count_nonzero(sentence_of[kept] == sentence_of[i]) > 1)


@both
@pytest.mark.parametrize("tokens", [np.zeros(0, np.int32), block_of([3, 5])], ids=["no words", "none kept"])
def test_empty_blocks(tokens, skipgram):
    batches = batches_of(tokens, keep=np.zeros(8), skipgram=skipgram)
    assert len(batches) == 0
    assert list(batches) == []
    assert batches.raw_words == len(tokens)
    assert batches.kept_words == 0


@both
def test_padding_has_no_weight(skipgram):
    """Ten words in a batch of 64 segments: all other centres look at nobody."""
    batches = batches_of(block_of([10]), segments=64, skipgram=skipgram)
    decoded = list(decode(batches, 5, 64, skipgram))
    assert len(decoded) == 64 * SEGMENT
    assert sum(1 for _, left, right, _ in decoded if left or right) == 10
    (batch,) = batches
    assert np.count_nonzero(batch.contexts) == 10
    assert len(batch.cut) == 64
    assert np.isfinite(batches.input_scale).all()
    assert np.isfinite(batches.output_scale).all()


@both
def test_a_generator_decides_everything(skipgram):
    tokens = block_of([40] * 30)
    first, same, other = (batches_of(tokens, seed, skipgram=skipgram) for seed in (1, 1, 2))
    for one, two, three in zip(first, same, other, strict=True):
        for a, b in zip(one, two, strict=True):
            assert np.array_equal(a, b)
        assert not np.array_equal(one.inputs, three.inputs)
        assert not np.array_equal(one.outputs, three.outputs)


@both
def test_segments_are_shuffled(skipgram):
    batches = batches_of(block_of([200 * SEGMENT]), skipgram=skipgram)
    firsts = batches.inputs.reshape(-1, SEGMENT)[:, 0] if skipgram else batches.outputs[:, :4].ravel()
    assert sorted(firsts) == list(range(0, 200 * SEGMENT, SEGMENT))
    assert np.mean(np.diff(firsts) == SEGMENT) < 0.05


# ---------------------------------------------------------------------------------------------------- distributions


def assert_frequencies(counts, probabilities):
    """Counts within `SIGMAS` standard errors of n * p, each."""
    counts, probabilities = np.asarray(counts, float), np.asarray(probabilities, float)
    n = counts.sum()
    errors = np.sqrt(n * probabilities * (1 - probabilities))
    assert np.all(np.abs(counts - n * probabilities) <= SIGMAS * errors + 1e-9)


@pytest.mark.parametrize("radius", [2, 5, 10])
def test_reaches_are_uniform(radius):
    n = 2000 * SEGMENT
    batches = batches_of(block_of([n], [0] * n), radius=radius, segments=1, counts=np.array([3, 2, 1]), skipgram=False)
    assert len(batches) == len(batches.reach) == 2000
    reaches = np.array(batches.reach)
    drawn = np.bincount(reaches, minlength=radius + 1)
    assert drawn[0] == 0
    assert_frequencies(drawn[1:], [1 / radius] * radius)
    assert abs(np.corrcoef(reaches[:-1], reaches[1:])[0, 1]) < SIGMAS / len(reaches) ** 0.5


def noise_of(batches, segments, skipgram=True):
    """(batches, groups, N)"""
    if skipgram:
        return batches.outputs.reshape(len(batches), segments, -1)[:, :, -NOISE:]
    return batches.outputs[:, segments * SEGMENT :].reshape(len(batches), GROUPS, NOISE)


def noise_among(n_words, n_segments, *, segments=4, skipgram=True):
    """Noise of a block where all words are drawn alike."""
    n = n_segments * SEGMENT
    return noise_of(
        batches_of(block_of([n], [0] * n), counts=np.full(n_words, 5), segments=segments, skipgram=skipgram),
        segments,
        skipgram,
    )


@both
def test_noise_follows_counts_to_the_three_quarters(skipgram):
    counts = np.array([5000, 900, 400, 80, 80, 20, 3])
    n = 2000 * SEGMENT
    noise = noise_of(batches_of(block_of([n], [6] * n), counts=counts, skipgram=skipgram), 4, skipgram)
    weights = counts**0.75
    # Stratified draws vary less than independent ones; the table itself is right to half an entry.
    drawn = np.bincount(noise.ravel(), minlength=7)
    error = np.sqrt(noise.size * weights / weights.sum()) * SIGMAS + noise.size / TABLE
    assert np.all(np.abs(drawn - noise.size * weights / weights.sum()) <= error)
    assert drawn.min() > 0


@both
def test_each_noise_word_is_drawn_alike_in_each_group(skipgram):
    """Whatever its place in the batch, a group draws from the whole of each N-th."""
    noise = noise_among(10 * NOISE, 8000, skipgram=skipgram)
    for group in range(noise.shape[1]):
        for place in (0, 1, NOISE - 1):
            drawn = np.bincount(noise[:, group, place] - 10 * place, minlength=10)
            assert len(drawn) == 10
            assert_frequencies(drawn, [0.1] * 10)


@both
def test_noise_is_stratified(skipgram):
    """Each group has one word from each N-th of the distribution."""
    noise = noise_among(10 * NOISE, 250, skipgram=skipgram)
    assert (np.sort(noise, axis=2) // 10 == np.arange(NOISE)).all()


@both
def test_groups_of_a_batch_draw_from_different_parts(skipgram):
    """Of the words in each N-th, each group draws one from a part of its own."""
    groups = 4 if skipgram else GROUPS
    noise = np.sort(noise_among(2 * groups * NOISE, 250, skipgram=skipgram), axis=2)
    parts = np.sort(noise % (2 * groups) // 2, axis=1)
    assert (parts == np.arange(groups)[:, None]).all()


@both
def test_noise_words_of_one_group_are_independent(skipgram):
    noise = noise_among(10 * NOISE, 8000, skipgram=skipgram)
    for group in range(noise.shape[1]):
        correlations = np.corrcoef((noise[:, group] % 10).T)[np.triu_indices(NOISE, 1)]
        assert np.abs(correlations).max() < SIGMAS / len(noise) ** 0.5


@both
def test_batches_draw_their_noise_independently(skipgram):
    noise = noise_among(10 * NOISE, 8000, skipgram=skipgram)[:, 0, 0]
    assert abs(np.corrcoef(noise[:-1], noise[1:])[0, 1]) < SIGMAS / len(noise) ** 0.5


def test_subsampling_rate():
    keep = np.array([0.01, 0.1, 0.5, 0.9, 1.0])
    n = 5000
    batches = batches_of(block_of([5 * n], np.arange(5 * n) % 5), keep=keep, counts=np.array([5, 4, 3, 2, 1]))
    kept = Counter(centre for centre, left, right, _ in decode(batches, 5, 4) if left or right)
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
        most=MOST,
    )


@both
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
        for factor, expected, most in (
            (inputs[i], as_input, MOST[0]),
            (outputs[i], as_target + share[i] * 16 * NOISE, MOST[1]),
        ):
            # The occurrence itself, and those that come on top of it.
            assert factor == pytest.approx(min(1, most / (1 + 3 * expected)), rel=1e-5)
    assert inputs[0] < inputs[1] < inputs[4001]
    assert max(inputs.max(), outputs.max()) <= 1
    assert inputs.dtype == outputs.dtype == np.float32


def test_more_workers_damp_more():
    words = np.arange(1000) % 20
    factors = [damping_of(words, 20, workers=n)[0][0] for n in (1, 2, 4, 8)]
    assert factors == sorted(factors, reverse=True)
    assert len(set(factors)) == 4


def test_a_rare_row_is_not_damped():
    """A word that is alone in 100,000 batches' worth of text, and one that is not in it."""
    words = np.append(np.zeros(100_000, np.int32), 1)
    for factors in damping_of(words, 3, segments=1):
        assert factors[1:].tolist() == pytest.approx([1] * 2, rel=0.01)
        assert factors[0] < 1


def test_damping_of_nothing():
    for factor in damping_of([], 5):
        assert factor.tolist() == [1] * 5


@both
def test_scales_belong_to_their_rows(skipgram):
    ids = np.random.default_rng(1).integers(0, 9, 3000) ** 2 // 9
    counts = np.arange(9, 0, -1)
    batches = batches_of(block_of([100] * 30, ids), workers=4, counts=counts, skipgram=skipgram)
    share = noise_share(noise_table(counts, TABLE), 9)
    noise_rows = (4 if skipgram else GROUPS) * NOISE
    inputs, outputs = damping_of(ids, 9, segments=4, workers=4, share=share, noise_rows=noise_rows, skipgram=skipgram)
    assert np.array_equal(batches.input_scale, inputs[batches.inputs])
    assert np.array_equal(batches.output_scale, outputs[batches.outputs])
    assert batches.input_scale.min() < 1
