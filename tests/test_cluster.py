"""Real nodes of a real Ray cluster on this machine; skipped where Ray is not installed (``make test-ray`` installs it)."""

import contextlib
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import until

from parw2v import Trainer, TrainSettings, Word2Vec
from parw2v.cluster.driver import ClusterCrew
from parw2v.cluster.settings import Cluster
from parw2v.errors import SettingsError, WorkerError
from parw2v.evaluation import builtin_analogies, evaluate_analogies
from parw2v.progress import (
    CheckpointFailed,
    CheckpointSaved,
    EpochEnd,
    Finished,
    NodeJoined,
    Started,
    Stopped,
    WorkerReplaced,
)

ray = pytest.importorskip("ray")
from ray.cluster_utils import Cluster as RayCluster  # noqa: E402

GOOD_ACCURACY = 0.95
EPOCHS = 12


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Ray's own processes come and go in their own time."""


@pytest.fixture
def cluster():
    """A head without cores, and a function that adds nodes of one core."""
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    own = RayCluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        yield own
    finally:
        ray.shutdown()
        own.shutdown()


def trainer_of(text, cluster, nodes, directory=None, *, sync_words=20_000, shared=True, resume=False, **settings):
    vocab, corpus = text
    model = Word2Vec(vocab, 50)
    place = Cluster(cluster.address, nodes, sync_words, shared_corpus=shared)
    settings = TrainSettings(**{"workers": 1, "epochs": EPOCHS, **settings})
    return Trainer(model, vocab, corpus, settings=settings, checkpoint_dir=directory, resume=resume, cluster=place)


def accuracy_of(model):
    return evaluate_analogies(model.unit_vectors, model.vocab.words, builtin_analogies()).accuracy


def of_kind(kind, reports):
    return [report for report in reports if isinstance(report, kind)]


@pytest.mark.parametrize(("nodes", "shared"), [(1, True), (2, True), (3, False)])
def test_nodes_train_every_word_once_and_well(sample, cluster, nodes, shared):
    for _ in range(nodes):
        cluster.add_node(num_cpus=1)
    trainer = trainer_of(sample, cluster, nodes, shared=shared)
    reports = list(trainer.reports())
    end = reports[-1]
    assert isinstance(end, Finished)
    assert of_kind(Started, reports)[0].n_workers == nodes
    assert end.raw_words == len(sample[1]) * EPOCHS
    assert end.blocks == trainer.plan.n_blocks * EPOCHS
    assert [report.epoch for report in of_kind(EpochEnd, reports)] == list(range(EPOCHS))
    assert accuracy_of(trainer.model) > GOOD_ACCURACY


def test_a_lost_node_is_gone_on_without(sample, cluster):
    nodes = [cluster.add_node(num_cpus=1) for _ in range(3)]
    trainer = trainer_of(sample, cluster, 3, epochs=EPOCHS, max_restarts=3)
    reports = []
    with contextlib.closing(trainer.reports()) as running:
        for report in running:
            reports.append(report)
            if isinstance(report, EpochEnd) and report.epoch in (1, 4):
                cluster.remove_node(nodes.pop(), allow_graceful=False)
    lost = [report for report in of_kind(WorkerReplaced, reports) if "was lost" in report.cause]
    assert {report.pid for report in lost} == {0}
    assert len({report.worker for report in lost}) == 2
    assert reports[-1].blocks == trainer.plan.n_blocks * EPOCHS
    assert accuracy_of(trainer.model) > GOOD_ACCURACY


def test_nodes_killed_again_and_again_cost_no_block(sample, cluster, times):
    """Each is replaced by a new one, which joins before the next is killed."""
    kills = times(2, 10)
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    trainer = trainer_of(sample, cluster, 2, epochs=120 * kills, max_restarts=2 * kills)
    reports, n_killed = [], 0
    for report in trainer.reports():
        reports.append(report)
        if not isinstance(report, EpochEnd):
            continue
        if len(of_kind(NodeJoined, reports)) < n_killed:
            time.sleep(0.5)  # what is left of the text must last until the new node has come
        elif n_killed < kills:
            cluster.remove_node(nodes.pop(0), allow_graceful=False)
            nodes.append(cluster.add_node(num_cpus=1, wait=False))
            n_killed += 1
    assert n_killed == len(of_kind(NodeJoined, reports)) == kills
    lost = [report for report in of_kind(WorkerReplaced, reports) if "was lost (" in report.cause]
    assert len({report.worker for report in lost}) == kills
    assert reports[-1].blocks == trainer.plan.n_blocks * 120 * kills
    assert reports[-1].raw_words == len(sample[1]) * 120 * kills
    assert accuracy_of(trainer.model) > GOOD_ACCURACY


def test_a_node_that_joins_takes_part(sample, cluster):
    cluster.add_node(num_cpus=1)
    trainer = trainer_of(sample, cluster, None, epochs=60)
    reports, joined_at = [], None
    for report in trainer.reports():
        reports.append(report)
        if isinstance(report, EpochEnd) and report.epoch == 0:
            cluster.add_node(num_cpus=1, wait=False)
        if isinstance(report, NodeJoined):
            joined_at = len(reports)
            trainer.request_stop()
    assert joined_at, "nobody joined"
    assert isinstance(reports[-1], Stopped)


def test_a_node_that_joins_a_node_alone_gets_what_that_one_has_learnt(sample, cluster):
    """So the vectors are good although the first node is lost before the second could have learnt them."""
    first = cluster.add_node(num_cpus=1)
    trainer = trainer_of(sample, cluster, None, epochs=400)
    reports = []
    for report in trainer.reports():
        reports.append(report)
        if isinstance(report, EpochEnd) and report.epoch == 2 * EPOCHS:
            cluster.add_node(num_cpus=1, wait=False)
        if isinstance(report, EpochEnd) and report.epoch > 2 * EPOCHS and not of_kind(NodeJoined, reports):
            time.sleep(0.5)
        if isinstance(report, NodeJoined):
            cluster.remove_node(first, allow_graceful=False)
            n_before = len(of_kind(EpochEnd, reports))
            trainer.request_stop()
    assert len(of_kind(EpochEnd, reports)) < n_before + EPOCHS // 2
    assert accuracy_of(trainer.model) > GOOD_ACCURACY


def test_no_node_left_is_an_error_and_the_checkpoint_is_gone_on_from(sample, cluster, tmp_path):
    node = cluster.add_node(num_cpus=1)
    trainer = trainer_of(sample, cluster, 1, tmp_path / "c", checkpoint_every=0)

    def run():
        for report in trainer.reports():
            if isinstance(report, EpochEnd) and report.epoch == 2:
                cluster.remove_node(node, allow_graceful=False)

    with pytest.raises(WorkerError, match="no node is left"):
        run()
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    again = trainer_of(sample, cluster, 2, tmp_path / "c", resume=True)
    assert again.state.next_task > 0
    reports = list(again.reports())
    assert reports[-1].raw_words == len(sample[1]) * EPOCHS
    assert accuracy_of(again.model) > GOOD_ACCURACY


def test_a_node_that_does_not_answer_is_named(sample, cluster):
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    trainer = trainer_of(sample, cluster, 2, hang_timeout=5)
    reports = []
    for report in trainer.reports():
        reports.append(report)
        if isinstance(report, EpochEnd) and report.epoch == 1:
            os.kill(_actor_pids()[0], signal.SIGSTOP)
    [cause] = [report.cause for report in of_kind(WorkerReplaced, reports) if "did not answer for 5 s" in report.cause]
    assert "pid" in cause
    assert reports[-1].blocks == trainer.plan.n_blocks * EPOCHS


def _actor_pids():
    """Processes of the nodes' actors, as Ray names them."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().startswith(b"ray::NodeActor"):
                found.append(int(entry.name))
    return found


def test_a_stopped_run_goes_on_without_a_cluster(sample, cluster, tmp_path):
    cluster.add_node(num_cpus=1)
    trainer = trainer_of(sample, cluster, 1, tmp_path / "c")
    for report in trainer.reports():
        if isinstance(report, EpochEnd) and report.epoch == 3:
            trainer.request_stop()
    vocab, corpus = sample
    settings = TrainSettings(workers=1, epochs=EPOCHS)
    again = Trainer(Word2Vec(vocab, 50), vocab, corpus, settings=settings, checkpoint_dir=tmp_path / "c", resume=True)
    assert list(again.reports())[-1].raw_words == len(corpus) * EPOCHS
    assert accuracy_of(again.model) > GOOD_ACCURACY


def test_what_was_told_is_not_told_again_for_a_checkpoint(sample, cluster, tmp_path, monkeypatch):
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    orders, order = [], ClusterCrew._order

    def note(crew, *, tell, train=True):
        nothing_left = not any(member.n_unfinished for member in crew._team)
        told_all = crew._combined is not None and crew._combined.is_all
        orders.append((nothing_left and told_all, tell))
        order(crew, tell=tell, train=train)

    monkeypatch.setattr(ClusterCrew, "_order", note)
    reports = list(trainer_of(sample, cluster, 2, tmp_path).reports())
    assert of_kind(CheckpointSaved, reports)
    assert {tell for known, tell in orders if known} == {0}
    assert len(sample[0]) in {tell for known, tell in orders if not known}


def fetched_later(monkeypatch, first):
    """Has the writer of checkpoints call `first(crew)` before it fetches the first vectors, and wait for three more rounds.

    Returns a list, to which the vectors are added as all nodes had them when they were asked for, and as they came.
    """
    seen, snapshot, fetched = [], ClusterCrew.snapshot, ClusterCrew._fetched

    def note(crew, into=None):
        if not seen:
            seen.append(crew.vectors())
            crew.rounds_before = crew._number
        return snapshot(crew, into)

    def wait(crew, copy, into):
        if len(seen) != 1:
            return fetched(crew, copy, into)
        seen.append(None)
        until(lambda: crew._number > crew.rounds_before + 2)
        first(crew)
        seen[1] = [one.copy() for one in fetched(crew, copy, into)]
        return seen[1]

    monkeypatch.setattr(ClusterCrew, "snapshot", note)
    monkeypatch.setattr(ClusterCrew, "_fetched", wait)
    return seen


def test_a_checkpoint_is_what_all_had_while_training_goes_on(sample, cluster, tmp_path, monkeypatch):
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    seen = fetched_later(monkeypatch, lambda crew: None)
    trainer = trainer_of(sample, cluster, 2, tmp_path, epochs=60)
    assert of_kind(CheckpointSaved, trainer.reports())
    (W_in, W_out), (W_in_fetched, W_out_fetched) = seen
    assert np.array_equal(W_in, W_in_fetched)
    assert np.array_equal(W_out, W_out_fetched)
    assert not np.allclose(W_in, trainer.model.W_in, atol=0.01)


def test_a_checkpoint_whose_node_is_lost_fails_and_training_goes_on(sample, cluster, tmp_path, monkeypatch):
    nodes = {node.node_id: node for node in (cluster.add_node(num_cpus=1) for _ in range(2))}

    def lose(crew):
        cluster.remove_node(nodes[next(iter(crew._team)).node_id], allow_graceful=False)

    fetched_later(monkeypatch, lose)
    trainer = trainer_of(sample, cluster, 2, tmp_path, epochs=60)
    reports = list(trainer.reports())
    [failed] = of_kind(CheckpointFailed, reports)
    assert "was lost while its vectors were fetched" in failed.reason
    assert of_kind(WorkerReplaced, reports)
    assert reports[-1].blocks == trainer.plan.n_blocks * 60


def test_the_command_line(python, cluster, small_text):
    cluster.add_node(num_cpus=1)
    done = python.cli(
        *("--corpus", small_text, "--min_count", "2", "--epochs", "3", "--workers", "1", "--ray", cluster.address),
        *("--nodes", "1", "--out", "m", "--log_json", "log"),
    )
    assert done.returncode == 0, done.stderr
    assert "with 1 worker on 1 node, here in about" in done.stderr
    assert np.isfinite(Word2Vec.load(python.directory / "m").W_in).all()
    last = json.loads((python.directory / "log").read_text().splitlines()[-1])
    assert (last["event"], last["restarts"]) == ("done", 0)


def test_a_cluster_that_is_not_there_is_one_line(python, small_text):
    started = time.monotonic()
    done = python.cli("--corpus", small_text, "--ray", "127.0.0.1:1", "--out", "m")
    assert done.returncode == 2
    assert "nobody answers at 127.0.0.1:1" in done.stderr.splitlines()[-1]
    assert time.monotonic() - started < 30
    assert not (python.directory / "m.npz").exists()


def test_ctrl_c_saves_and_stops(python, cluster, small_text):
    cluster.add_node(num_cpus=1)
    log = python.directory / "log"
    flags = ("--corpus", small_text, "--min_count", "2", "--epochs", "100000", "--workers", "1", "--out", "m")
    process = python.start_cli(*flags, "--ray", cluster.address, "--log_json", log)
    until(lambda: log.exists() and '"epoch"' in log.read_text())
    process.send_signal(signal.SIGINT)
    done = python.finish(process)
    assert done.returncode == 130, done.stderr
    assert "continue with --resume" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((python.directory / "m-checkpoints").iterdir())


def test_settings_name_what_is_wrong():
    with pytest.raises(SettingsError, match="nobody answers"):
        list(trainer_of_nothing().reports())


def trainer_of_nothing():
    from parw2v import Vocabulary
    from parw2v.corpus import Corpus

    vocab = Vocabulary.from_lists(["a", "b"], [20, 10])
    corpus = Corpus(np.array([0, 1, ~0] * 10, np.int32))
    return Trainer(Word2Vec(vocab, 4), vocab, corpus, cluster=Cluster("127.0.0.1:1"))
