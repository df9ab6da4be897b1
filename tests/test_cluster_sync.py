"""What nodes tell one another becomes one, and all end with the same rows."""

import numpy as np
import pytest

from parw2v.cluster.settings import Cluster
from parw2v.cluster.sync import COMBINERS, HOT_SHARE, Mirror, OutOfStepError, agreeing, averaged, summed, words_due
from parw2v.errors import SettingsError


def test_frequent_words_go_often_and_all_of_them_at_times():
    assert [words_due(number, 1600) for number in range(1, 17)] == [
        100, 200, 100, 400, 100, 200, 100, 800, 100, 200, 100, 400, 100, 200, 100, 1600
    ]  # fmt: skip
    assert words_due(32, 1600) == 1600
    assert all(words_due(HOT_SHARE * i, n) == n for i in (1, 3) for n in (2, 15, 16, 17, 1601))
    assert words_due(1, 3) == 1


def test_rows_told_in_a_cycle_are_few():
    """Half a hot share more for each doubling, as against all rows in every round."""
    told = sum(words_due(number, 1600) for number in range(1, HOT_SHARE + 1))
    assert told == 100 * (HOT_SHARE + 4 * HOT_SHARE // 2)


@pytest.mark.parametrize("combine", COMBINERS.values())
def test_one_node_is_left_alone(combine):
    change = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
    change[2] = 0
    assert np.allclose(combine([change]), change, rtol=1e-6)
    assert combine([change]).dtype == np.float32


def test_the_three_rules_by_hand():
    a = np.float32([[1, 0], [1, 0], [0, 0], [1, 0]])
    b = np.float32([[1, 0], [0, 1], [2, 0], [-1, 0]])
    assert summed([a, b]).tolist() == [[2, 0], [1, 1], [2, 0], [0, 0]]
    assert averaged([a, b]).tolist() == [[1, 0], [0.5, 0.5], [2, 0], [0, 0]]
    assert agreeing([a, b]).tolist() == [[1, 0], [1, 1], [2, 0], [0, 0]]


@pytest.mark.parametrize("n", [2, 3, 8])
def test_agreeing_lies_between_mean_and_sum(n):
    rng = np.random.default_rng(n)
    same = rng.normal(size=(1, 5)).astype(np.float32)
    assert np.allclose(agreeing([same] * n), same, rtol=1e-5)
    apart = [np.eye(n, dtype=np.float32)[i : i + 1] for i in range(n)]
    assert np.allclose(agreeing(apart), summed(apart))
    mixed = [same + 0.5 * rng.normal(size=(1, 5)).astype(np.float32) for _ in range(n)]
    assert np.linalg.norm(averaged(mixed)) <= np.linalg.norm(agreeing(mixed)) <= np.linalg.norm(summed(mixed))


@pytest.mark.parametrize("rule", COMBINERS)
def test_all_nodes_end_with_the_same_rows_while_training_goes_on(rule):
    """Rounds that overlap: what is told in one is taken in two rounds later, and rows change meanwhile."""
    rng = np.random.default_rng(7)
    start = rng.normal(size=(64, 3)).astype(np.float32)
    nodes = [Mirror(start.copy()) for _ in range(3)]
    on_the_way = []

    def a_round(number, n_words, train=True):
        if len(on_the_way) == 2 or (on_the_way and not train):
            told, parts = on_the_way.pop(0)
            for node in nodes:
                node.take_in(told, COMBINERS[rule](parts))
        if train:
            for node in nodes:
                node.W[rng.integers(0, 64, 20)] += rng.normal(size=3).astype(np.float32)
        if n_words:
            on_the_way.append((number, [node.changes(number, n_words) for node in nodes]))

    for number in range(1, 40):
        a_round(number, words_due(number, 32))
    a_round(40, 32)
    while on_the_way:
        a_round(41, 0, train=False)
    for node in nodes:
        assert np.allclose(node.W, nodes[0].W, atol=1e-4)
        assert np.array_equal(node.W, node.mark)
    assert not np.allclose(nodes[0].W, start, atol=0.5)


def test_the_sum_of_overlapping_rounds_is_what_one_node_would_have():
    """Nothing is lost and nothing counts twice."""
    rng = np.random.default_rng(3)
    nodes = [Mirror(np.zeros((8, 2), np.float32)) for _ in range(2)]
    whole = np.zeros((8, 2), np.float32)
    on_the_way = []
    for number in range(1, 20):
        if len(on_the_way) == 2:
            total = summed(on_the_way.pop(0))
            for node in nodes:
                node.take_in(number - 2, total)
        for node in nodes:
            change = rng.integers(-4, 5, (8, 2)).astype(np.float32)
            node.W += change
            whole += change
        on_the_way.append([node.changes(number, words_due(number, 4)) for node in nodes])
    on_the_way.append([node.changes(20, 4) for node in nodes])
    for number, told in enumerate(on_the_way, start=18):
        for node in nodes:
            node.take_in(number, summed(told))
    for node in nodes:
        assert np.array_equal(node.W, whole)


def test_a_node_that_starts_anew_waits_for_nothing():
    old, new = (Mirror(np.zeros((4, 2), np.float32)) for _ in range(2))
    old.W += 1
    old.changes(1, 2)
    new.W += 5
    new.changes(1, 1)
    old.forget_told()
    new.reset(old.mark)
    total = summed([old.changes(2, 2), new.changes(2, 2)])
    for node in (old, new):
        node.take_in(2, total)
        assert np.array_equal(node.W, np.ones((4, 2)))


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_round_out_of_step_changes_nothing(number):
    node = Mirror(np.zeros((4, 2), np.float32))
    with pytest.raises(OutOfStepError):
        node.take_in(1, np.ones((4, 2), np.float32))
    node.W += 1
    node.changes(2, 2)
    with pytest.raises(OutOfStepError):
        node.take_in(number, np.zeros((4, 2), np.float32))
    assert np.array_equal(node.W, node.mark)
    node.take_in(2, np.zeros((4, 2), np.float32))
    assert not node.W.any()


def test_settings_out_of_range():
    with pytest.raises(SettingsError, match="nodes is 0"):
        Cluster(nodes=0)
    with pytest.raises(SettingsError, match="sync_words is 0"):
        Cluster(sync_words=0)
    with pytest.raises(SettingsError, match="combine is 'median'"):
        Cluster(combine="median")
