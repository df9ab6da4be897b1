"""A block becomes exactly the pairs that a slow loop draws, and what is random has the right distribution.

The layout is decoded the way the kernels read it; nothing here follows how it was made.
"""

from collections import Counter

import numpy as np
import pytest

from parw2v.batching import damping, make_batches
from parw2v.sampling import noise_table, thresholds
from parw2v.windows import BLOCK, RUN_BLOCKS, Layout

NOISE = 16
"""Noise words of a group in these tests."""

RUNS = 5
"""Runs in a batch, unless a test says otherwise: odd, so that groups of noise and blocks do not come out even."""

TABLE = NOISE * 12 * 50
"""Entries of the noise table: parts of equal size for all groups here."""

MOST = 3.0
"""Threshold of damping."""

EXACT = {"rtol": 1e-5}
"""Sums of a few float32 weights; factors that are one float32 division."""

SIGMAS = 5
"""Standard errors that a frequency may be off: one check in two million fails by chance, and the seeds are fixed."""

NEARLY_ALL = {1: 0.98, 16: 0.92}
"""Share of the words of ordinary batches whose factor no collision of hashes changes, by number of workers: where others
are counted too, more words are near the threshold."""

SAFE_SIDE = 0.01
"""Share of the steps of ordinary batches, summed, that collisions may cost."""

TIME_AND_AGAIN = 0.5
"""Share of the blocks in which one word may be damped for others that have its hash."""

both = pytest.mark.parametrize("skipgram", [True, False], ids=["skipgram", "cbow"])
any_runs = pytest.mark.parametrize("runs", [1, 4, 5])


def sentences(length):
    """Lengths of the sentences of texts, by name; `length` is that of a run."""
    block = length // RUN_BLOCKS
    chance = np.random.default_rng(length)
    return {
        "one word": [1],
        "one word a sentence": [1] * 60,
        "short": [3, 1, 2, 5, 1, 1, 4],
        "one block": [block],
        "one run": [length],
        "a word more": [length + 1],
        "ends of blocks": [block] * 3 + [2 * block] * 4,
        "ends of runs": [length] * 4 + [2 * length],
        "a batch to the word": [length * RUNS] * 3,
        "mixed": [1, 30, 2, 17, 16, 1000, 3, 1, 64],
        "one long": [777],
        "by chance": chance.integers(1, 2 * block, 40).tolist(),
        "mostly long": chance.geometric(1 / length, 12).tolist(),
    }


NAMES = list(sentences(RUN_BLOCKS))


def block_of(lengths, ids=None):
    """Token i is word i, unless given: every token can be told apart."""
    tokens = np.arange(sum(lengths), dtype=np.int32) if ids is None else np.array(ids, np.int32)
    ends = np.cumsum(lengths) - 1
    tokens[ends] = ~tokens[ends]
    return tokens


def batches_of(tokens, layout, seed=1, *, keep=None, counts=None, skipgram=True, workers=1):
    n_words = max(int(np.max(np.where(tokens < 0, ~tokens, tokens), initial=0)) + 1, 3)
    counts = np.arange(n_words, 0, -1) if counts is None else counts
    return make_batches(
        tokens,
        np.random.default_rng(seed),
        keep=thresholds(np.ones(len(counts)) if keep is None else np.asarray(keep)),
        noise_table=noise_table(counts, TABLE),
        layout=layout,
        n_noise=NOISE,
        noise_groups=n_groups(layout.runs, skipgram),
        predicts_contexts=skipgram,
        workers=workers,
        most=MOST,
    )


def weights_of(layout, skipgram):
    """(n_blocks, B, M), weights of a window that only its run's ends cut.

    The chance that a reach drawn from 1..R takes a word in, by that of a run to hold both words; or 1.
    """
    B, R, L = layout.block, layout.radius, layout.length
    place = np.arange(-R, L + R)
    distance = np.abs(place - np.arange(L)[:, None])
    inside = (distance > 0) & (distance <= R) & (place >= 0) & (place < L)
    together = np.maximum(L - distance, 1) / L
    weights = np.where(inside, (R + 1 - distance) / R / together if skipgram else 1, 0)
    blocks = [weights[start : start + B, start : start + B + 2 * R] for start in range(0, L, B)]
    return np.tile(blocks, (layout.runs, 1, 1))


def places_of(layout, skipgram):
    """(inputs, noise, targets, neighbours): where in a batch's rows they are.

    Neighbours are (n_blocks, M), those of each block of centres; -1 for what is not in the batch. Noise is given by
    twins, (n_blocks / 2, N), for skip-gram and by group, (S, N), for CBOW.
    """
    B, R, n = layout.block, layout.radius, layout.n_centres
    inputs = np.arange(n)
    if skipgram:
        outputs = (n + np.arange(layout.n_blocks // 2 * (2 * B + NOISE))).reshape(layout.n_blocks // 2, -1)
        noise = outputs[:, B : B + NOISE]
        targets = np.setdiff1d(outputs, noise)
    else:
        noise = (n + np.arange(layout.runs * NOISE)).reshape(layout.runs, NOISE)
        targets = n + layout.runs * NOISE + np.arange(n)
    padded = np.pad(targets if skipgram else inputs, R, constant_values=-1)
    neighbours = np.stack([padded[k * B : k * B + B + 2 * R] for k in range(layout.n_blocks)])
    return inputs, noise, targets, neighbours


def decode(batches, layout, skipgram=True):
    """Yield (centre, contexts to the left, contexts to the right, reach) for each centre word, padding included."""
    B, R = layout.block, layout.radius
    whole = weights_of(layout, skipgram)
    inputs, noise, targets, neighbours = places_of(layout, skipgram)
    for batch in batches:
        assert batch.rows.dtype == batch.cut.dtype == np.intp
        assert batch.scale.dtype == batch.left.dtype == batch.contexts.dtype == np.float32
        assert batch.rows.shape == batch.scale.shape == (len(inputs) + noise.size + len(targets),)
        # Row 2v is word v as input, 2v + 1 as output, and each centre word is there as both.
        assert (batch.rows[inputs] % 2 == 0).all()
        assert (batch.rows[noise] % 2 == 1).all()
        assert (batch.rows[targets] == batch.rows[inputs] + 1).all()
        left, masks = batch.left, np.tile(layout.window_masks(batch.reach), (layout.runs, 1, 1))
        if skipgram:
            assert batch.reach == R
            assert left.shape == (len(batch.cut), B, B + 2 * R + NOISE)
            share = np.repeat(batch.contexts / whole[batch.cut].sum(axis=2, keepdims=True), NOISE, axis=2)
            starts = [R if block % 2 else R + B for block in batch.cut.tolist()]
            for k, start in enumerate(starts):
                np.testing.assert_allclose(left[k, :, start : start + NOISE], share[k], **EXACT)
            left = np.array(
                [np.delete(one, range(start, start + NOISE), 1) for one, start in zip(left, starts, strict=True)]
            )
            left = left.reshape(len(batch.cut), B, B + 2 * R)
        else:
            assert 1 <= batch.reach <= R
            assert left.shape == (len(batch.cut), 2, B, B + 2 * R)
            left, means = left[:, 0], left[:, 1]
            np.testing.assert_allclose(means, left / np.maximum(left.sum(axis=2, keepdims=True), 1), **EXACT)
            assert (left <= masks[batch.cut]).all()
        assert np.isin(left, [0, 1]).all()
        masks[batch.cut] *= left
        np.testing.assert_allclose(
            batch.contexts, (masks[batch.cut] * whole[batch.cut]).sum(axis=2, keepdims=True), **EXACT
        )
        words = np.append(batch.rows // 2, -1)
        for i, centre in enumerate(words[inputs].tolist()):
            k, b = divmod(i, B)
            near = [(m - R - b, int(words[neighbours[k, m]])) for m in np.flatnonzero(masks[k, b])]
            yield centre, [w for o, w in near if o < 0], [w for o, w in near if o > 0], batch.reach


def contexts_of(i, reach, sentence_of, length):
    """Places in the text of the contexts of word i, to the left and to the right; each is looked at."""

    def together(j):
        return 0 <= j < len(sentence_of) and sentence_of[j] == sentence_of[i] and j // length == i // length

    return [j for j in range(i - reach, i) if together(j)], [j for j in range(i + 1, i + reach + 1) if together(j)]


@both
@pytest.mark.parametrize("radius", [1, 2, 5, 20])
@pytest.mark.parametrize("name", NAMES)
def test_pairs_are_those_of_a_slow_loop(name, radius, skipgram):
    layout = Layout(radius, RUNS)
    lengths = sentences(layout.length)[name]
    tokens = block_of(lengths)
    sentence_of = np.repeat(np.arange(len(lengths)), lengths).tolist()
    batches = batches_of(tokens, layout, skipgram=skipgram)
    assert batches.raw_words == batches.kept_words == len(tokens)
    assert len(batches) == -(-len(tokens) // layout.n_centres)
    centres, with_context = Counter(), Counter()
    for centre, left, right, reach in decode(batches, layout, skipgram):
        centres[centre] += 1
        if not left and not right:
            continue
        with_context[centre] += 1
        # The reach is that of the batch, and only the ends of the sentence and of the run cut it short.
        assert (left, right) == contexts_of(centre, reach, sentence_of, layout.length)
    # Each word is a centre once, with contexts if it has a neighbour at all; padding is word 0 and has none.
    assert with_context == Counter(
        i for i in range(len(tokens)) if contexts_of(i, 1, sentence_of, layout.length) != ([], [])
    )
    assert centres == Counter({**dict.fromkeys(range(len(tokens)), 1), 0: 1 - len(tokens) + centres.total()})


def assert_only_blocks_near_a_sentence_end_are_cut(lengths, layout, skipgram):
    """A block is cut if a window of full reach in it is, or is none; the rest go by the masks that all share."""
    sentence_of = np.repeat(np.arange(len(lengths)), lengths)
    n_batches = -(-len(sentence_of) // layout.n_centres)
    padded = np.full(n_batches * layout.n_centres, -1)
    padded[: len(sentence_of)] = sentence_of
    expected = Counter()
    for run in range(0, len(padded), layout.length):
        text = padded[run : run + layout.length]
        for start in range(0, layout.length, layout.block):
            for i in range(start, start + layout.block):
                window = text[max(i - layout.radius, 0) : i + layout.radius + 1]
                if text[i] < 0 or np.any(window != text[i]):
                    expected[run + start if text[start] >= 0 else 0] += 1  # word 0 also stands for padding
                    break
    found, whole = Counter(), 0
    for batch in batches_of(block_of(lengths), layout, skipgram=skipgram):
        assert (np.diff(batch.cut) > 0).all()
        assert len(batch.cut) == len(batch.left) == len(batch.contexts)
        firsts = batch.rows[: layout.n_centres : layout.block] // 2
        found.update(firsts[batch.cut].tolist())
        whole += layout.n_blocks - len(batch.cut)
    assert found == expected
    assert whole == n_batches * layout.n_blocks - expected.total()


@both
@pytest.mark.parametrize("radius", [1, 5, BLOCK, 50])
@pytest.mark.parametrize("name", NAMES)
def test_only_blocks_near_a_sentence_end_are_cut(name, radius, skipgram):
    layout = Layout(radius, RUNS)
    assert_only_blocks_near_a_sentence_end_are_cut(sentences(layout.length)[name], layout, skipgram)


@both
@pytest.mark.parametrize("radius", [1, 2, 5, BLOCK])
def test_a_sentence_end_anywhere_in_a_run(radius, skipgram):
    layout = Layout(radius, RUNS)
    for end in range(layout.length):
        lengths = [layout.length + end, 2 * layout.length]
        assert_only_blocks_near_a_sentence_end_are_cut(lengths, layout, skipgram)


@both
def test_words_that_repeat_pair_with_each_other_but_not_with_themselves(skipgram):
    layout = Layout(1, RUNS)
    batches = batches_of(block_of([4], [7, 7, 7, 7]), layout, skipgram=skipgram)
    pairs = [(c, left, right) for c, left, right, _ in decode(batches, layout, skipgram) if left or right]
    assert sorted(pairs) == [(7, [], [7]), (7, [7], []), (7, [7], [7]), (7, [7], [7])]


@both
def test_subsampling_comes_before_windows(skipgram):
    """Dropped words neither are centres nor contexts, nor do they take up a place in a window or in a run."""
    layout = Layout(3, RUNS)
    lengths = [50, 3, 200, 1, 120, 2, 2]  # nothing is left of the last but one
    n = sum(lengths)
    keep = np.arange(n) % 3 == 0
    keep[[-1, -2]] = True, False
    keep[[-3, -4]] = False
    sentence_of = np.repeat(np.arange(len(lengths)), lengths)[keep].tolist()
    kept = np.flatnonzero(keep).tolist()
    assert len(kept) > 2 * layout.length
    batches = batches_of(block_of(lengths), layout, keep=keep, skipgram=skipgram)
    assert batches.raw_words == n
    assert batches.kept_words == len(kept)
    seen = []
    for centre, left, right, reach in decode(batches, layout, skipgram):
        if left or right:
            i = kept.index(centre)
            expected = contexts_of(i, reach, sentence_of, layout.length)
            assert (left, right) == tuple([kept[j] for j in side] for side in expected)
            seen.append(i)
    alone = [i for i in range(len(kept)) if contexts_of(i, 1, sentence_of, layout.length) == ([], [])]
    assert sorted(seen + alone) == list(range(len(kept)))
    assert 0 < len(alone) < 5


def test_what_the_ends_of_runs_cost_is_made_up_for():
    """Cut at each of the L phases, a pair of a long text counts on average (R + 1 - d) / R."""
    layout = Layout(3, RUNS)
    length, radius = layout.length, layout.radius
    total = np.zeros((length, 2 * radius + 1))
    for phase in range(length):
        # A sentence of `phase` words moves the text behind it on by as many places.
        tokens = block_of([phase] * (phase > 0) + [3 * length])
        first = phase + length  # of the words in the middle of the text
        for centre, left, right, _ in decode(batches_of(tokens, layout), layout):
            if first <= centre < first + length:
                for context in left + right:
                    d = abs(context - centre)
                    weight = (radius + 1 - d) / radius * length / (length - d)
                    total[centre - first, context - centre + radius] += weight
    expected = [(radius + 1 - abs(d)) / radius if d else 0 for d in range(-radius, radius + 1)]
    np.testing.assert_allclose(total / length, np.tile(expected, (length, 1)), **EXACT)


@both
@pytest.mark.parametrize("tokens", [np.zeros(0, np.int32), block_of([3, 5])], ids=["no words", "none kept"])
def test_empty_blocks(tokens, skipgram):
    batches = batches_of(tokens, Layout(5, RUNS), keep=np.zeros(8), skipgram=skipgram)
    assert len(batches) == 0
    assert list(batches) == []
    assert batches.raw_words == len(tokens)
    assert batches.kept_words == 0


@both
def test_padding_has_no_weight(skipgram):
    """Ten words in a batch of 16 runs: all other centres look at nobody."""
    layout = Layout(5, 16)
    batches = batches_of(block_of([10]), layout, skipgram=skipgram)
    decoded = list(decode(batches, layout, skipgram))
    assert len(decoded) == layout.n_centres
    assert sum(1 for _, left, right, _ in decoded if left or right) == 10
    (batch,) = batches
    assert np.count_nonzero(batch.contexts) == 10
    assert len(batch.cut) == layout.n_blocks
    of_padding = np.count_nonzero(batch.contexts[:, :, 0], axis=1) == 0
    assert np.count_nonzero(batch.left[of_padding]) == 0
    assert np.isfinite(batches.scale).all()


@both
@pytest.mark.parametrize("n_runs", [1, RUNS, RUNS + 1, 7 * RUNS - 1, 7 * RUNS])
def test_padding_fills_up_less_than_a_batch(n_runs, skipgram):
    """Whole runs are filled up to whole batches, none of which is of padding only."""
    layout = Layout(5, RUNS)
    batches = batches_of(block_of([n_runs * layout.length]), layout, skipgram=skipgram)
    words = batches.rows[:, : layout.n_centres].reshape(len(batches), RUNS, layout.length) // 2
    padding = (words == 0).all(axis=2)
    assert np.count_nonzero(padding) == -n_runs % RUNS
    assert not padding.all(axis=1).any()


@both
def test_a_generator_decides_everything(skipgram):
    """Which words are kept, the noise, the reaches and the hash."""
    tokens, layout = block_of([40] * 100), Layout(5, RUNS)
    first, same, other = (batches_of(tokens, layout, seed, keep=[0.5] * 4000, skipgram=skipgram) for seed in (1, 1, 2))
    for one, two in zip(first, same, strict=True):
        for a, b in zip(one, two, strict=True):
            assert np.array_equal(a, b)
    noise = places_of(layout, skipgram)[1]
    for one, two in zip(first, other, strict=False):
        assert not np.array_equal(one.rows[: layout.n_centres], two.rows[: layout.n_centres])
        assert not np.array_equal(one.rows[noise], two.rows[noise])
    assert skipgram or first.reach != other.reach


@both
def test_a_batch_takes_its_runs_from_all_over_the_block(skipgram):
    """Each run is in one batch; runs that follow each other in the text are in different ones."""
    layout = Layout(5, 4)
    batches = batches_of(block_of([200 * layout.length]), layout, skipgram=skipgram)
    firsts = batches.rows[:, : layout.n_centres : layout.length] // 2
    assert sorted(firsts.ravel()) == list(range(0, 200 * layout.length, layout.length))
    assert (np.diff(np.sort(firsts, axis=1)) > layout.length).all()


@both
@pytest.mark.parametrize("n_runs", [1, 2, RUNS + 1, 20 * RUNS, 20 * RUNS + 1])
def test_a_batch_has_one_run_of_each_part(n_runs, skipgram):
    """The text in S parts of equal length: the first batch has the first run of each, the next the runs that follow."""
    layout = Layout(5, RUNS)
    batches = batches_of(block_of([n_runs * layout.length]), layout, skipgram=skipgram)
    for i, batch in enumerate(batches):
        for s in range(RUNS):
            run = i + s * len(batches)
            expected = np.arange(run * layout.length, (run + 1) * layout.length) if run < n_runs else 0  # padding
            assert (batch.rows[s * layout.length : (s + 1) * layout.length] // 2 == expected).all()


# ---------------------------------------------------------------------------------------------------- distributions


def assert_frequencies(counts, probabilities):
    """Counts within `SIGMAS` standard errors of n * p, each."""
    counts, probabilities = np.asarray(counts, float), np.asarray(probabilities, float)
    n = counts.sum()
    errors = np.sqrt(n * probabilities * (1 - probabilities))
    assert np.all(np.abs(counts - n * probabilities) <= SIGMAS * errors + 1e-9)


@pytest.mark.parametrize("radius", [2, 5, 10])
def test_reaches_are_uniform(radius):
    layout = Layout(radius, 1)
    n = 2000 * layout.length
    batches = batches_of(block_of([n], [0] * n), layout, counts=np.array([3, 2, 1]), skipgram=False)
    assert len(batches) == len(batches.reach) == 2000
    reaches = np.array(batches.reach)
    drawn = np.bincount(reaches, minlength=radius + 1)
    assert drawn[0] == 0
    assert_frequencies(drawn[1:], [1 / radius] * radius)
    assert abs(np.corrcoef(reaches[:-1], reaches[1:])[0, 1]) < SIGMAS / len(reaches) ** 0.5


def noise_drawn(counts, n_batches, *, runs=RUNS, skipgram=True):
    """Noise words of a block, (n_batches, n_blocks / 2, N) for skip-gram and (n_batches, S, N) for CBOW."""
    layout = Layout(5, runs)
    n = n_batches * layout.n_centres
    batches = batches_of(block_of([n], [0] * n), layout, counts=np.asarray(counts), skipgram=skipgram)
    assert len(batches) == n_batches
    return batches.rows[:, places_of(layout, skipgram)[1]] // 2


def n_groups(runs, skipgram=True):
    """N noise words are drawn so many times for a batch."""
    return max(runs // 2, 1) if skipgram else runs


def groups_drawn(counts, n_batches, *, runs=RUNS, skipgram=True):
    """(n_batches, groups, N) noise words, ascending in a group."""
    noise = noise_drawn(counts, n_batches, runs=runs, skipgram=skipgram)
    return np.sort(noise[:, : n_groups(runs, skipgram)], axis=2)


TEN_EACH = np.full(10 * NOISE, 5)
"""Counts of words that are drawn alike, ten in each N-th of the distribution."""


@both
def test_noise_follows_counts_to_the_three_quarters(skipgram):
    counts = np.array([5000, 900, 400, 80, 80, 20, 3])
    noise = groups_drawn(counts, 500, skipgram=skipgram)
    weights = counts**0.75
    # Stratified draws vary less than independent ones; the table itself is right to half an entry.
    drawn = np.bincount(noise.ravel(), minlength=7)
    error = np.sqrt(noise.size * weights / weights.sum()) * SIGMAS + noise.size / TABLE
    assert np.all(np.abs(drawn - noise.size * weights / weights.sum()) <= error)
    assert drawn.min() > 0


@both
def test_each_noise_word_is_drawn_alike_in_each_group(skipgram):
    """Whatever its place in the batch, a group draws from the whole of each N-th."""
    noise = groups_drawn(TEN_EACH, 2000, skipgram=skipgram)
    for group in range(n_groups(RUNS, skipgram)):
        for place in range(NOISE):
            drawn = np.bincount(noise[:, group, place] - 10 * place, minlength=10)
            assert len(drawn) == 10
            assert_frequencies(drawn, [0.1] * 10)


@both
@any_runs
def test_noise_is_stratified(runs, skipgram):
    """Each group has one word from each N-th of the distribution."""
    noise = groups_drawn(TEN_EACH, 100, runs=runs, skipgram=skipgram)
    assert (noise // 10 == np.arange(NOISE)).all()


@both
@any_runs
def test_groups_of_a_batch_draw_from_different_parts(runs, skipgram):
    """Of the words in each N-th, each group draws one from a part of its own."""
    groups = n_groups(runs, skipgram)
    noise = groups_drawn(np.full(2 * groups * NOISE, 5), 250, runs=runs, skipgram=skipgram)
    parts = np.sort(noise % (2 * groups) // 2, axis=1)
    assert (parts == np.arange(groups)[:, None]).all()


@both
def test_parts_go_round_from_a_random_one(skipgram):
    """Each group has each part of an N-th alike, and one N-th's turn says nothing of the next one's."""
    groups = n_groups(RUNS, skipgram)
    noise = groups_drawn(np.full(groups * NOISE, 5), 2000, skipgram=skipgram) % groups
    for group in range(groups):
        for place in range(NOISE):
            assert_frequencies(np.bincount(noise[:, group, place], minlength=groups), [1 / groups] * groups)
    for place in range(NOISE - 1):
        two = noise[:, 0, place] * groups + noise[:, 0, place + 1]
        assert_frequencies(np.bincount(two, minlength=groups**2), [1 / groups**2] * groups**2)


@any_runs
def test_groups_of_noise_are_used_in_turn(runs):
    """All of different words; the first comes again when all have been used."""
    groups = n_groups(runs)
    noise = noise_drawn(np.full(4 * groups * NOISE, 5), 100, runs=runs)
    n_twins = noise.shape[1]
    assert n_twins == runs * RUN_BLOCKS // 2
    assert (noise == noise[:, np.arange(n_twins) % groups]).all()
    for words in noise:
        assert len(np.unique(words[:groups])) == groups * NOISE


def assert_uncorrelated(draws):
    """Columns of (n, words), each pair."""
    correlations = np.corrcoef(draws.T)[np.triu_indices(draws.shape[1], 1)]
    assert np.abs(correlations).max() < SIGMAS / len(draws) ** 0.5


@both
def test_noise_words_of_one_group_are_independent(skipgram):
    noise = groups_drawn(TEN_EACH, 2000, skipgram=skipgram) % 10
    for group in range(n_groups(RUNS, skipgram)):
        assert_uncorrelated(noise[:, group])


@both
def test_batches_draw_their_noise_independently(skipgram):
    noise = groups_drawn(TEN_EACH, 2000, skipgram=skipgram) % 10
    for place in range(NOISE):
        one, next_one = noise[:-1, 0, place], noise[1:, 0, place]
        assert abs(np.corrcoef(one, next_one)[0, 1]) < SIGMAS / len(noise) ** 0.5


@both
def test_subsampling_rate(skipgram):
    keep = np.array([0.01, 0.1, 0.5, 0.9, 1.0])
    n, layout = 5000, Layout(5, RUNS)
    ids, counts = np.arange(5 * n) % 5, np.array([5, 4, 3, 2, 1])
    batches = batches_of(block_of([5 * n], ids), layout, keep=keep, counts=counts, skipgram=skipgram)
    centres = batches.rows[:, : layout.n_centres].ravel() // 2
    kept = np.bincount(centres, minlength=5)
    kept[0] -= len(centres) - batches.kept_words  # padding
    for count, p in zip(kept.tolist(), keep.tolist(), strict=True):
        assert_frequencies([count, n - count], [p, 1 - p])
    assert kept[4] == n
    assert batches.raw_words == 5 * n


# ---------------------------------------------------------------------------------------------------- damping


def damping_of(words, seed=1, *, n_words=None, workers=1, most=MOST):
    words = np.asarray(words, np.int32)
    n_words = int(words.max(initial=0)) + 1 if n_words is None else n_words
    return damping(words, np.random.default_rng(seed), n_words, workers, most)


def exact_damping(words, workers, most=MOST):
    """The same by counting, word by word."""
    batches = [Counter(batch) for batch in np.asarray(words).tolist()]
    mean = Counter()
    for batch in batches:
        mean.update(batch)
    factors = np.empty(np.shape(words))
    for i, batch in enumerate(np.asarray(words).tolist()):
        for j, word in enumerate(batch):
            expected = batches[i][word] + (workers - 1) * mean[word] / len(batches)
            factors[i, j] = most / max(most, expected)
    return factors


def assert_damped(factors, exact, nearly_all=1.0):
    """Two words that are counted as one are damped more, never less; factors are exact for `nearly_all` words."""
    assert factors.dtype == np.float32
    assert factors.shape == exact.shape
    assert (factors <= exact * (1 + EXACT["rtol"])).all()
    assert (factors > 0).all()
    assert np.isclose(factors, exact, **EXACT).mean() >= nearly_all


def zipf(seed, shape, n_words):
    """Words as frequent as a text's: the r-th in proportion to 1 / (r + 10), the most frequent being subsampled."""
    share = 1 / (np.arange(n_words) + 10)
    return np.random.default_rng(seed).choice(n_words, shape, p=share / share.sum())


@pytest.mark.parametrize("workers", [1, 2, 16])
@pytest.mark.parametrize("n_batches", [1, 2, 64, 65, 200])
def test_damping_is_that_of_a_count(n_batches, workers):
    """A few words, in blocks of few batches and of many: no two are counted as one."""
    words = np.random.default_rng(n_batches).integers(0, 7, (n_batches, 30)) ** 2 // 7
    factors = damping_of(words, workers=workers)
    assert_damped(factors, exact_damping(words, workers))
    assert factors.min() < 1


@pytest.mark.parametrize("workers", NEARLY_ALL)
@pytest.mark.parametrize(("n", "most"), [(680, 8.0), (680, 16.0), (300, 4.0)])
def test_words_are_rarely_counted_as_one(n, most, workers):
    """Batches and thresholds of ordinary size, a vocabulary many times that of the hash."""
    for seed in range(5):
        words = zipf(seed, (70, n), 30_000)
        factors = damping_of(words, seed, workers=workers, most=most)
        exact = exact_damping(words, workers, most)
        assert_damped(factors, exact, NEARLY_ALL[workers])
        assert factors.sum(dtype=float) >= exact.sum() * (1 - SAFE_SIDE)
        assert factors.min() < 1


def test_words_counted_as_one_are_damped_more_and_not_less():
    """Batches of more different words than there are hashes."""
    words = np.tile(np.arange(5000), (2, 1))
    factors = damping_of(words, most=1.0)
    assert_damped(factors, np.ones(words.shape), nearly_all=0)
    assert factors.min() < 1


@pytest.mark.parametrize("step", [1, 2, 1024, 99_991])
def test_words_counted_as_one_change_from_block_to_block(step):
    """No word is damped for another's occurrences time and again."""
    words = np.arange(200)[None] * step
    damped = np.array([damping_of(words, seed, most=1.0)[0] < 1 for seed in range(60)])
    assert damped.any()
    assert damped.mean(axis=0).max() < TIME_AND_AGAIN


def test_more_workers_damp_more():
    words = np.tile(np.arange(40) % 20, (10, 1))
    factors = [damping_of(words, workers=n)[0, 0] for n in (1, 2, 4, 8)]
    assert factors == sorted(factors, reverse=True)
    assert len(set(factors)) == 4


def test_one_worker_damps_by_the_batch_alone():
    """A word that fills one batch of a hundred is damped there; for the rest it is what the other workers may be doing."""
    words = np.ones((100, 20), np.int32)
    words[:, 0] = 0
    words[7] = 0
    alone, with_others = (damping_of(words, workers=workers) for workers in (1, 11))
    assert alone[:7, 0].tolist() == [1] * 7
    assert alone[7, 0] == pytest.approx(MOST / 20, rel=EXACT["rtol"])
    mean = 1 + 19 / 100
    assert with_others[6, 0] == pytest.approx(MOST / (1 + 10 * mean), rel=EXACT["rtol"])
    assert with_others[7, 0] == pytest.approx(MOST / (20 + 10 * mean), rel=EXACT["rtol"])


@pytest.mark.parametrize("workers", [1, 64])
def test_a_rare_row_is_not_damped(workers):
    """A word that is there once in a thousand batches, among one that fills them."""
    words = np.zeros((1000, 50), np.int32)
    words[500, 20] = 1
    factors = damping_of(words, workers=workers)
    assert factors[500, 20] == 1
    assert (np.delete(factors.ravel(), 500 * 50 + 20) < 1).all()


@pytest.mark.parametrize("most", [1.0, 2.5, 8.0])
def test_damping_sets_in_beyond_the_threshold(most):
    """Up to `most` occurrences a row takes the whole sum, from there on what that many would give."""
    for n in range(1, 20):
        factors = damping_of(np.full((1, n), 3), most=most)
        np.testing.assert_allclose(factors * n, min(n, most), **EXACT)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("n", [0, 60])
def test_damping_of_nothing(n, workers):
    factors = damping_of(np.zeros((0, n)), n_words=5, workers=workers)
    assert factors.shape == (0, n)


@both
@pytest.mark.parametrize("workers", [1, 4])
def test_scales_belong_to_their_rows(workers, skipgram):
    """Of a word, the input row and the output row have one factor, whichever of a batch's places they are at.

    It counts the centre words and the words drawn as noise, each draw once, however often its group is used.
    """
    layout = Layout(5, RUNS)
    n = 20 * layout.n_centres
    ids = np.random.default_rng(1).integers(0, 30, n) ** 2 // 30
    batches = batches_of(
        block_of([100] * (n // 100), ids), layout, workers=workers, counts=np.arange(30, 0, -1), skipgram=skipgram
    )
    inputs, noise, _, _ = places_of(layout, skipgram)
    draws = noise[: n_groups(RUNS, skipgram)].ravel()
    counted = batches.rows[:, np.concatenate([inputs, draws])] // 2
    exact = exact_damping(counted, workers)
    factors = np.empty_like(exact, shape=batches.rows.shape)
    for i, batch in enumerate(batches):
        of_word = dict(zip(counted[i].tolist(), exact[i].tolist(), strict=True))
        factors[i] = [of_word[row // 2] for row in batch.rows.tolist()]
        for word in of_word:
            assert len(set(batch.scale[batch.rows // 2 == word].tolist())) == 1
    assert_damped(batches.scale, factors)
    assert batches.scale.min() < 1
