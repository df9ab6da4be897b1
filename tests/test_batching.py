"""A block becomes exactly the pairs that a slow loop draws, and what is random has the right distribution.

The layout is decoded the way the kernels read it, through `window_masks`; nothing here follows how it was made.
"""

from collections import Counter

import numpy as np
import pytest

from parw2v.batching import DAMPING, SEGMENT, damping, make_batches
from parw2v.kernels.windows import window_masks
from parw2v.sampling import noise_share, noise_table

NOISE = 16
"""Noise words of a segment in these tests."""

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
        radius=radius,
        n_noise=NOISE,
        segments=segments,
        centres_are_inputs=skipgram,
        workers=workers,
    )


def decode(batches, radius, segments, skipgram=True):
    """Yield (centre, contexts to the left, contexts to the right) for each centre word that has any weight."""
    masks = window_masks(radius)
    wide = SEGMENT + 2 * radius
    for inputs, outputs, windows, input_scale, output_scale in batches:
        assert inputs.dtype == outputs.dtype == windows.dtype == np.intp
        assert inputs.shape == input_scale.shape
        assert outputs.shape == output_scale.shape
        targets = outputs.reshape(segments, -1)[:, :-NOISE]
        centres, contexts = (
            (inputs.reshape(segments, -1), targets) if skipgram else (targets, inputs.reshape(segments, -1))
        )
        assert centres.shape == (segments, SEGMENT)
        assert contexts.shape == (segments, wide)
        assert (contexts[:, radius : radius + SEGMENT] == centres).all()
        for s, row in enumerate(windows.reshape(segments, SEGMENT)):
            for b, code in enumerate(row):
                mask = masks[code]
                near = [(m - radius - b, int(contexts[s, m])) for m in np.flatnonzero(mask)]
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
        # One radius drawn for the word explains both sides, which only the sentence's ends cut short.
        before, after = centre - same[0], same[-1] - centre
        assert any(len(left) == min(r, before) and len(right) == min(r, after) for r in range(1, radius + 1))
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
        assert not np.array_equal(one[2], three[2])


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
def test_windows_are_uniform(radius):
    n = 40_000
    batches = batches_of(block_of([n], [0] * n), radius=radius, counts=np.array([3, 2, 1]))
    left, right = np.divmod(batches.windows.ravel() // SEGMENT, radius + 1)
    inside = (left > 0) & (left == right)
    assert np.count_nonzero(~inside & (left + right > 0)) <= 2 * radius  # only at the two ends
    assert_frequencies(np.bincount(left[inside], minlength=radius + 1)[1:], [1 / radius] * radius)


def test_each_centre_draws_its_own_window():
    n = 20_000
    batches = batches_of(block_of([n], np.arange(n) % 7), radius=5, segments=1)
    reach = (batches.windows // SEGMENT // 6).ravel()
    assert abs(np.corrcoef(reach[:-1], reach[1:])[0, 1]) < SIGMAS / n**0.5


def noise_of(batches, segments):
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


def test_noise_words_of_one_row_are_independent():
    counts = np.full(160, 5)
    noise = noise_of(batches_of(block_of([60_000], [0] * 60_000), counts=counts), 4)
    correlations = np.corrcoef((noise % 10).T)[np.triu_indices(NOISE, 1)]
    assert np.abs(correlations).max() < SIGMAS / len(noise) ** 0.5


def test_subsampling_rate():
    keep = np.array([0.01, 0.1, 0.5, 0.9, 1.0])
    n = 20_000
    batches = batches_of(block_of([5 * n], np.arange(5 * n) % 5), keep=keep, counts=np.array([5, 4, 3, 2, 1]))
    left, right = np.divmod(batches.windows // SEGMENT, 6)
    kept = np.bincount(batches.inputs[left + right > 0], minlength=5)
    for count, p in zip(kept.tolist(), keep.tolist(), strict=True):
        assert_frequencies([count, n - count], [p, 1 - p])
    assert kept[4] == n
    assert batches.kept_words == kept.sum()


# ---------------------------------------------------------------------------------------------------- damping


def damping_of(words, n_words, *, segments=16, radius=5, skipgram=True, workers=1, share=None):
    share = np.zeros(n_words, np.float32) if share is None else np.asarray(share, np.float32)
    return damping(
        np.asarray(words, np.int32),
        share,
        n_noise=NOISE,
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
    inputs, outputs = damping_of(ids, 9, segments=4, workers=4, share=noise_share(table, 9))
    assert np.array_equal(batches.input_scale, inputs[batches.inputs])
    assert np.array_equal(batches.output_scale, outputs[batches.outputs])
    assert batches.input_scale.min() < 1
