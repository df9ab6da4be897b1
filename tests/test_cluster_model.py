"""The simulation of a cluster: its arithmetic is that of the package, and it behaves as a cluster must."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import cluster_model  # noqa: E402
import cluster_rounds  # noqa: E402
import events  # noqa: E402
from cluster_rounds import Case, Costs, cycle, simulate  # noqa: E402

from parw2v.cluster import sync  # noqa: E402
from parw2v.cluster.rounds import Member  # noqa: E402
from parw2v.cluster.team import Team  # noqa: E402
from parw2v.cluster.wire import BYTES_A_NUMBER, packed  # noqa: E402
from parw2v.corpus import MAX_BLOCK_WORDS, BlockPlan  # noqa: E402

COSTS = Costs()
FREE = COSTS.free_sync()
SMALL = Case(nodes=4, workers=4, machines=4, cores=4, vocabulary=70_000, dim=100, sync_words=2_000_000)

CLOSE = 0.01
"""Of a speed: between the last look at it and the next, rounds begin and end."""


# ------------------------------------------------------------------------------------------------ bytes


@pytest.mark.parametrize("vocabulary", [1, 15, 16, 67_867, 3_000_000])
def test_bytes_of_a_round_are_those_that_the_package_tells(vocabulary):
    row_bytes = packed(np.zeros((2, 100), np.float32)).nbytes  # a word has two rows
    for number, nodes in itertools.product(range(1, 300), (2, 3)):
        told = cluster_rounds.told_bytes(number, vocabulary, 100, nodes)
        assert told == sync.words_due(number, vocabulary, nodes) * row_bytes


def test_the_mean_of_a_cycle():
    both = 2 * 16_000 * 100 * BYTES_A_NUMBER
    assert cycle(16_000, 2) == 64
    assert cluster_rounds.mean_told_bytes(16_000, 100, 2) == both / 64 * 4  # six lengths of rounds; then all words
    assert cycle(16_000, 3) == 32
    assert cluster_rounds.mean_told_bytes(16_000, 100, 3) == both / 32 * 3.5
    words = 8 * 128 * sync.MOST_HOT + 3_000_000  # eight lengths of rounds, each in half as many; then all words
    assert cycle(3_000_000, 2) == cycle(3_000_000, 3) == 256
    assert cluster_rounds.mean_told_bytes(3_000_000, 100, 2) == pytest.approx(words * 200 * BYTES_A_NUMBER / 256)


def test_what_leaves_a_node_is_counted_as_it_travels():
    case = replace(SMALL, sync_words=20_000_000)
    rounds = cluster_rounds.Rounds(case, COSTS)
    played = rounds.run()
    shape = case.vocabulary, case.dim, case.nodes
    told = sum(cluster_rounds.told_bytes(number, *shape) for number in range(1, rounds.n_rounds))
    assert played.bytes_of_node == pytest.approx(cluster_rounds.sent_bytes(told, case.nodes))


def test_a_node_alone_tells_nothing_and_loses_only_what_ray_takes_for_itself():
    costs = replace(COSTS, ray_cores=0.1, head_cores=0.3)
    found = simulate(replace(SMALL, nodes=1, machines=1, vocabulary=3_000_000), costs)
    assert found["bytes_a_round"] == found["bytes_per_second"] == found["driver_bytes_per_second"] == 0
    assert found["words_per_second"] == pytest.approx(0.9 * found["ideal"], rel=CLOSE)  # 3.6 of 4 cores
    assert found["copy_ms"] == found["link_ms"] == 0


def test_small_ranges_go_through_the_driver():
    many = replace(SMALL, nodes=64, machines=64, vocabulary=20_000)
    assert simulate(many, COSTS)["driver_bytes_per_second"] > 0
    assert simulate(SMALL, COSTS)["driver_bytes_per_second"] == 0


# ------------------------------------------------------------------------------------------------ speed


def test_one_node_whose_rounds_cost_nothing_loses_nothing():
    found = simulate(replace(SMALL, nodes=1, machines=1), FREE)
    assert found["words_per_second"] == pytest.approx(found["ideal"], rel=CLOSE)


def test_without_a_cluster_there_is_nothing_to_lose():
    found = simulate(replace(SMALL, nodes=1, machines=1, cluster=False), COSTS)
    assert found["words_per_second"] == found["ideal"] == pytest.approx(4 * COSTS.words_per_second * COSTS.together)
    assert found["sync_share"] == 0


@pytest.mark.parametrize("nodes", [2, 4, 16])
def test_with_free_rounds_n_nodes_are_n_times_as_fast(nodes):
    one = simulate(replace(SMALL, nodes=1, machines=1), FREE)["words_per_second"]
    many = simulate(replace(SMALL, nodes=nodes, machines=nodes, gigabits=1e9), FREE)["words_per_second"]
    assert many == pytest.approx(nodes * one, rel=CLOSE)


@pytest.mark.parametrize("vocabulary", [70_000, 3_000_000])
def test_more_bandwidth_makes_rounds_shorter(vocabulary):
    cases = [replace(SMALL, vocabulary=vocabulary, gigabits=gigabits) for gigabits in (0.1, 1, 10, 25, 100)]
    times = [simulate(replace(case, sync_words=500_000), COSTS)["round_ms"] for case in cases]
    assert all(longer >= shorter * (1 - CLOSE) for longer, shorter in itertools.pairwise(times))
    assert times[0] > 5 * times[-1]


def test_rounds_hold_the_words_that_were_asked_for_or_more():
    for sync_words in (100_000, 10_000_000, 100_000_000):
        found = simulate(replace(SMALL, sync_words=sync_words), COSTS)
        assert found["words_a_round"] >= sync_words * (1 - CLOSE)
    assert found["words_a_round"] == pytest.approx(sync_words, rel=0.1)


@pytest.mark.parametrize("round_words", [0, 400_000, 30_000_000])
def test_nodes_have_the_blocks_that_the_driver_gives_them(round_words):
    team = Team(BlockPlan(5000 * MAX_BLOCK_WORDS, seed=1), lambda n_nodes: SMALL.sync_words, max_restarts=0)
    for number in range(SMALL.nodes):
        team.add(Member(number, "", None, SMALL.workers, "", round_words=round_words))
    given = team.free(depth=2).count(0)
    ahead = cluster_rounds.Rounds(SMALL, COSTS).ahead(round_words)
    assert ahead == (given - SMALL.workers / 2) * MAX_BLOCK_WORDS


LARGE = replace(SMALL, workers=32, cores=32, vocabulary=3_000_000, sync_words=500_000)


def test_a_node_that_runs_out_of_blocks_stands_still():
    """In a round of all rows, which is longer than the ones before, by which it was given them."""
    changes = ({"trains_on": True}, cluster_model.OTHERS["on"])
    held_up, going = (simulate(replace(LARGE, **change), COSTS) for change in changes)
    assert held_up["longest_ms"] > 5 * held_up["round_ms"]
    assert held_up["sync_share"] > 3 * going["sync_share"]
    assert going["words_a_round"] > held_up["words_a_round"]


def test_a_round_is_longer_by_what_is_not_known_of_and_by_what_is_trained_before_workers_wait():
    late = SMALL.nodes * SMALL.workers * cluster_rounds.words_a_report() / 2
    found = simulate(SMALL, replace(FREE, fetch_ms=100.0))
    assert found["words_a_round"] == pytest.approx(SMALL.sync_words + 2 * late, rel=0.001)


def test_a_worker_that_has_waited_has_lost_its_caches():
    warm, cold = (replace(COSTS, look_ms=0.0, cold_ms=ms) for ms in (0.0, 50.0))
    before, after = simulate(SMALL, warm), simulate(SMALL, cold)
    assert after["round_ms"] - before["round_ms"] == pytest.approx(50, abs=1)
    assert after["words_a_round"] == pytest.approx(before["words_a_round"])
    two = replace(SMALL, nodes=2, machines=2)  # whose workers do not wait
    assert simulate(two, cold) == simulate(two, warm)


def test_more_workers_than_cores_share_them_and_get_in_each_others_way():
    few, many = replace(SMALL, nodes=1, machines=1, cores=4), replace(SMALL, nodes=2, machines=1, cores=4)
    costs = replace(FREE, crowded=0.5)
    for case, speed in ((few, 1.0), (many, 0.5)):
        ideal = simulate(case, FREE if case is few else replace(FREE, crowded=1.0))["ideal"]
        assert simulate(case, costs)["words_per_second"] == pytest.approx(speed * ideal, rel=CLOSE)


def test_what_is_fetched_is_late():
    before, after = (simulate(SMALL, replace(COSTS, fetch_ms=ms)) for ms in (0.0, 30.0))
    assert after["round_ms"] - before["round_ms"] == pytest.approx(
        2 * 30, abs=COSTS.look_ms
    )  # ranges, and what they came to


def test_with_fewer_hot_rows_rounds_are_shorter(monkeypatch):
    short = simulate(LARGE, COSTS)["round_ms"]
    monkeypatch.setattr(sync, "MOST_HOT", 3_000_000)
    assert cycle(LARGE.vocabulary, LARGE.nodes) == sync.HOT_SHARE
    assert short < 0.8 * simulate(LARGE, COSTS)["round_ms"]


def test_workers_that_wait_lose_what_travels():
    waiting, going = (simulate(replace(SMALL, trains_on=on), COSTS) for on in (False, True))
    assert waiting["words_a_round"] < going["words_a_round"]
    assert waiting["sync_share"] > going["sync_share"]


def test_rounds_of_one_length_tell_as_much_and_hold_nobody_up():
    uneven, even = simulate(LARGE, COSTS), simulate(replace(LARGE, even=True), COSTS)
    assert even["bytes_a_round"] == uneven["bytes_a_round"]
    assert even["longest_ms"] < 0.1 * uneven["longest_ms"]
    assert even["sync_share"] == pytest.approx(uneven["sync_share"], rel=0.1)  # workers wait for all of them
    even, uneven = (simulate(replace(LARGE, trains_on=True, even=even), COSTS) for even in (True, False))
    assert even["sync_share"] < 0.3 * uneven["sync_share"]


# ------------------------------------------------------------------------------------------------ accuracy


def test_rounds_between_two_tellings_follow_the_schedule():
    between = [cluster_rounds.rounds_between(rank, 3200, 2) for rank in (1, 50, 51, 100, 101, 200, 201, 400, 401, 800)]
    assert between == [1, 1, 2, 2, 4, 4, 8, 8, 16, 16]


def test_updates_between_tellings_grow_with_the_words_between_rounds():
    few, many = (cluster_model.updates_between(70_000, words, nodes=4) for words in (500_000, 5_000_000))
    for a, b in zip(few, many, strict=True):
        assert b["of_all"] == pytest.approx(10 * a["of_all"])
        assert b["of_all"] == 4 * b["of_one"]
    assert few[0]["rank"] == 1
    assert few[0]["of_all"] == max(one["of_all"] for one in few)


# ------------------------------------------------------------------------------------------------ events


def test_what_is_shared_is_shared_evenly():
    clock, ends = events.Clock(), {}
    cores = events.Shared(clock, 2.0)
    cores.start(1.0, 1.0, lambda: ends.setdefault("short", clock.now))
    cores.start(4.0, 3.0, lambda: ends.setdefault("wide", clock.now))
    clock.run()
    # Half of what each wants until 2.0, when the short one ends and 3 of 4 units are done; then two a second.
    assert ends["short"] == pytest.approx(2.0)
    assert ends["wide"] == pytest.approx(2.5)


# ------------------------------------------------------------------------------------------------ the command


def test_the_file_of_measurements_is_as_described():
    measured = json.loads(cluster_model.MEASURED.read_text())
    costs = cluster_model.costs_of(measured["costs"], [])
    assert measured["assumed"].keys() <= vars(costs).keys()
    for run in measured["runs"]:
        assert {"case", "words_per_second"} | vars(Case.of(run)).keys() >= run.keys()
    by_hand = cluster_model.costs_of(measured["costs"], ["tell_ns=1.5"])
    assert by_hand == replace(costs, tell_ns=1.5)
    with pytest.raises(SystemExit, match="tell is not a cost"):
        cluster_model.costs_of(measured["costs"], ["tell=1"])


def test_the_guide_has_the_tables_of_the_results():
    record = json.loads(cluster_model.MEASURED.with_name("cluster-model.json").read_text())
    guide = cluster_model.GUIDE.read_text()
    assert re.findall(r"makes this table: (\w+)", guide) == list(cluster_model.GUIDE_TABLES)
    assert cluster_model.with_tables(guide, record) == guide
    spoilt = guide.replace("70,000", "80,000")
    assert cluster_model.with_tables(spoilt, record).count("| 70,000") == guide.count("| 70,000")


def test_from_the_command_to_its_files(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "cluster_model.py"), "--quick", "--results", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "cluster-model.json").read_text())
    assert {run["kind"] for run in record["runs"]} == {"measured", "predicted", "on", "even", "updates"}
    assert "## Predicted" in (tmp_path / "cluster-model.md").read_text()
    assert (tmp_path / "cluster-model.png").read_bytes()[:4] == b"\x89PNG"
