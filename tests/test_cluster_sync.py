"""What nodes tell one another becomes one, and all end with the same rows."""

import numpy as np
import pytest

from parw2v.cluster.settings import Cluster
from parw2v.cluster.sync import SAFE_RATE, Mirror, OutOfStepError, boost, combine, combined, words_due
from parw2v.cluster.wire import BYTES_A_NUMBER, packed, unpacked
from parw2v.errors import SettingsError


def test_frequent_words_go_often_and_all_of_them_at_times():
    assert [words_due(number, 3200, 2) for number in range(1, 17)] == [
        50, 100, 50, 200, 50, 100, 50, 400, 50, 100, 50, 200, 50, 100, 50, 800
    ]  # fmt: skip
    assert words_due(64, 6400, 2) == words_due(128, 6400, 2) == 6400
    assert all(words_due(64 * i, n, 2) == n for i in (1, 3) for n in (2, 63, 64, 65, 6401))
    assert words_due(1, 3, 2) == 1


def test_more_than_two_nodes_tell_more_words():
    assert [words_due(number, 6400, 3) for number in range(1, 9)] == [200, 400, 200, 800, 200, 400, 200, 1600]
    assert all(words_due(32 * i, n, nodes) == n for i in (1, 3) for n in (2, 31, 32, 33, 6401) for nodes in (3, 64))


def test_rows_told_in_a_cycle_are_few():
    """Half a hot share more for each doubling, as against all rows in every round."""
    told = sum(words_due(number, 6400, 2) for number in range(1, 65))
    assert told == 100 * (64 + 6 * 64 // 2)


def test_the_rate_follows_the_nodes_as_far_as_it_is_safe():
    assert boost(1, 0.025, "skipgram") == 1
    assert boost(3, 0.025, "skipgram") == 3
    assert boost(64, 0.025, "skipgram") == pytest.approx(SAFE_RATE["skipgram"] / 0.025)
    assert boost(8, 0.5, "cbow") == 1
    assert boost(8, 0.0, "cbow") == 1


def test_changes_are_combined_by_hand():
    a = np.float32([[1, 0], [1, 0], [0, 0], [1, 0]])
    b = np.float32([[1, 0], [0, 1], [2, 0], [-1, 0]])
    assert combined([a, b], boost=2).tolist() == [[1, 0], [0.5, 0.5], [1, 0], [0, 0]]
    assert combined([a, b], boost=1).tolist() == [[1, 0], [1, 1], [2, 0], [0, 0]]
    assert combined([a, b, 0 * a, 0 * a], boost=2).tolist() == [[1, 0], [0.5, 0.5], [1, 0], [0, 0]]


@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize("boost", [1.0, 1.5, 8.0])
def test_a_combination_lies_between_mean_and_sum(n, boost):
    rng = np.random.default_rng(n)
    same = rng.normal(size=(1, 5)).astype(np.float32)
    assert np.allclose(combined([same] * n, boost), same * n / max(n, boost), rtol=1e-5)
    apart = [np.eye(n, dtype=np.float32)[i : i + 1] for i in range(n)]
    assert np.allclose(combined(apart, boost), sum(apart) / boost)
    mixed = [same + 0.5 * rng.normal(size=(1, 5)).astype(np.float32) for _ in range(n)]
    whole, length = np.linalg.norm(sum(mixed)), np.linalg.norm(combined(mixed, boost))
    assert whole / max(n, boost) * 0.999 <= length <= whole / boost * 1.001
    assert combined(mixed, boost).dtype == np.float32


def test_changes_are_combined_as_they_travel():
    changes = [np.random.default_rng(i).normal(size=(600, 5)).astype(np.float32) for i in range(3)]
    halves = [packed(change) for change in changes]
    together = combine(halves, 2.0)
    assert np.array_equal(together, packed(combined([unpacked(half) for half in halves], 2.0)))
    assert np.allclose(unpacked(together), combined(changes, 2.0), atol=0.05)


@pytest.mark.parametrize("factor", [1.0, 2.0, 3.0])
def test_all_nodes_end_with_the_same_rows_while_training_goes_on(factor):
    """What is told in one round is taken in later, and rows change meanwhile."""
    rng = np.random.default_rng(7)
    start = rng.normal(size=(64, 3)).astype(np.float32)
    nodes = [Mirror(start.copy()) for _ in range(3)]
    on_the_way = []

    def a_round(number, n_words, train=True):
        if len(on_the_way) == 2 or (on_the_way and not train):
            told, parts = on_the_way.pop(0)
            for node in nodes:
                node.take_in(told, np.array_split(combine(parts, factor), 3))
        if train:
            for node in nodes:
                node.set_boost(factor)
                node.W[rng.integers(0, 64, 20)] += rng.normal(size=3).astype(np.float32)
        if n_words:
            on_the_way.append((number, [node.changes(number, n_words, 3) for node in nodes]))

    for number in range(1, 80):
        a_round(number, words_due(number, 32, 3))
    a_round(80, 32)
    while on_the_way:
        a_round(81, 0, train=False)
    for node in nodes:
        assert np.allclose(node.W, nodes[0].W, atol=1e-4)
        assert np.allclose(node.W, node.mark, atol=1e-5)
    assert not np.allclose(nodes[0].W, start, atol=0.5)


@pytest.mark.parametrize("delay", [0, 1, 2])
def test_two_nodes_at_twice_the_rate_come_to_what_one_node_would_have(delay):
    """Nothing is lost and nothing counts twice; what one node alone sees of it, on the way, is as long as it should be."""
    rng = np.random.default_rng(3)
    nodes = [Mirror(np.zeros((8, 2), np.float32)) for _ in range(2)]
    whole = np.zeros((8, 2), np.float32)
    on_the_way = []
    for node in nodes:
        node.set_boost(2.0)
    for number in range(1, 20):
        if len(on_the_way) > delay:
            total = combine(on_the_way.pop(0), 2.0)
            for node in nodes:
                node.take_in(number - 1 - delay, [total])
        for node in nodes:
            change = rng.integers(-4, 5, (8, 2)).astype(np.float32)
            node.W += 2 * change
            whole += change
        if number == 1:
            assert np.array_equal(nodes[1].vectors(), change)
        on_the_way.append([node.changes(number, words_due(number, 4, 2), 2) for node in nodes])
        assert np.array_equal(nodes[1].W[:2], nodes[1].mark[:2])
        if number == 1:
            assert np.array_equal(nodes[1].vectors()[:2], change[:2])
    first = 20 - len(on_the_way)
    on_the_way.append([node.changes(20, 4, 2) for node in nodes])
    for number, told in enumerate(on_the_way, start=first):
        for node in nodes:
            node.take_in(number, [combine(told, 2.0)])
    for node in nodes:
        assert np.array_equal(node.W, whole)
        assert np.array_equal(node.vectors(), whole)


def test_another_rate_makes_changes_that_were_not_told_as_long_as_it_would_have():
    node = Mirror(np.zeros((4, 2), np.float32))
    node.set_boost(4.0)
    node.W += 4
    node.set_boost(2.0)
    assert np.array_equal(node.W, np.full((4, 2), 2))
    assert np.array_equal(node.vectors(), np.ones((4, 2)))
    node.set_boost(1.0)
    assert np.array_equal(node.W, np.ones((4, 2)))
    assert not node.mark.any()


def test_a_node_that_starts_anew_waits_for_nothing():
    old, new = (Mirror(np.zeros((4, 2), np.float32)) for _ in range(2))
    for node in (old, new):
        node.set_boost(2.0)
    old.W += 2
    old.changes(1, 2, 2)
    new.W += 5
    new.changes(1, 1, 2)
    old.forget_told()
    new.reset(old.mark)
    total = combine([old.changes(2, 2, 2), new.changes(2, 2, 2)], 2.0)
    for node in (old, new):
        node.take_in(2, [total])
        assert np.array_equal(node.W, np.ones((4, 2)))


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_round_out_of_step_changes_nothing(number):
    node = Mirror(np.zeros((4, 2), np.float32))
    with pytest.raises(OutOfStepError):
        node.take_in(1, [packed(np.ones((4, 2), np.float32))])
    node.W += 1
    node.changes(2, 2, 1)
    with pytest.raises(OutOfStepError):
        node.take_in(number, [packed(np.zeros((4, 2), np.float32))])
    assert np.array_equal(node.W, node.mark)
    node.take_in(2, [packed(np.zeros((4, 2), np.float32))])
    assert not node.W.any()


def test_what_travels_is_half_as_long_and_right_to_one_in_256():
    rng = np.random.default_rng(2)
    changes = (rng.normal(size=(50, 7)) * 10.0 ** rng.integers(-30, 30, (50, 7))).astype(np.float32)
    halves = packed(changes)
    near = unpacked(halves)
    assert halves.nbytes == changes.nbytes // 2 == changes.size * BYTES_A_NUMBER
    assert np.abs(near / changes - 1).max() <= 1 / 256
    assert abs((near / changes - 1).mean()) < 1 / 5000  # neither way more than the other
    assert np.array_equal(packed(near), halves)


def test_what_is_no_number_stays_so_on_its_way():
    odd = np.float32([0, -1, np.inf, -np.inf, np.nan, -np.nan])
    assert np.array_equal(unpacked(packed(odd)), odd, equal_nan=True)
    assert unpacked(packed(np.float32([1e-45]))) == 0


def test_a_node_keeps_nothing_that_the_others_are_not_told():
    """What rounding takes away is gone here too: after telling all, a node has what it told and no more."""
    node = Mirror(np.zeros((6, 5), np.float32))
    node.W += np.random.default_rng(4).normal(size=(6, 5)).astype(np.float32)
    told = node.changes(1, 3, 2)
    assert np.array_equal(node.mark, unpacked(told) / 2)
    assert np.allclose(node.W, node.mark, rtol=0, atol=1e-6)


def test_many_rows_are_told_and_taken_in_as_few_are():
    """Rows are computed some at a time; where one stretch ends and the next begins shows nowhere."""
    rng = np.random.default_rng(5)
    start, end = (rng.normal(size=(2500, 3)).astype(np.float32) for _ in range(2))
    nodes = [Mirror(start.copy()) for _ in range(2)]
    for node in nodes:
        node.set_boost(2.0)
    nodes[0].W[...] = end
    assert np.allclose(nodes[0].vectors(), (start + end) / 2, atol=1e-6)
    told = [node.changes(1, 1250, 2) for node in nodes]
    nodes[0].take_in_whole(1, told)
    nodes[1].take_in(1, np.array_split(combine(told, 2.0), 3))
    for node in nodes:
        assert np.abs(node.W - (start + end) / 2).max() < np.abs(end - start).max() / 256


def test_settings_out_of_range():
    with pytest.raises(SettingsError, match="nodes is 0"):
        Cluster(nodes=0)
    with pytest.raises(SettingsError, match="sync_words is 0"):
        Cluster(sync_words=0)


def test_more_nodes_tell_more_often_and_longer_runs_have_longer_rounds():
    assert [Cluster().words_between(n, 1_000_000) for n in (1, 2, 4, 8, 64)] == [
        2_000_000,
        2_000_000,
        250_000,
        125_000,
        125_000,
    ]
    assert Cluster().words_between(4, 4_000_000_000) == 10_000_000
    assert Cluster(sync_words=7).words_between(4, 4_000_000_000) == 7


@pytest.mark.parametrize("flag", ["--nodes", "--sync_words"])
def test_flags_of_a_cluster_want_its_address(python, flag):
    done = python.cli("--corpus", "sample", flag, "2", "--out", "m")
    assert done.returncode == 2
    assert done.stderr == f"parw2v: error: {flag} is for a cluster; give its address with --ray\n"
