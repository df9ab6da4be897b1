"""Sixteen real workers, on however many cores there are: nothing is lost, done twice or left behind, and it learns.

And the simulation of more workers than cores (benchmarks/many_cores.py): with one it is the real thing.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from parw2v import Trainer, TrainSettings, Word2Vec
from parw2v.config import BATCH_SIZE
from parw2v.coordinator import Coordinator
from parw2v.evaluation import builtin_analogies, evaluate_analogies
from parw2v.progress import EpochEnd, Finished, WorkerReplaced

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import many_cores

WORKERS = 16
EPOCHS = 5
DIMENSION = 50

LOST_ACCURACY = 0.1
"""Share of the built-in questions that sixteen workers may answer less than one. Among 1,300 words sixteen batches have
nearly all rows in common, more than on any real text."""

LOSS_RATIO = 0.7
"""Of the last point of the loss to the first."""


@pytest.fixture
def finished_blocks(monkeypatch):
    """Every result that a coordinator takes, as it comes."""
    results = []
    take = Coordinator._finished_block

    def note(self, event):
        results.append(event)
        return take(self, event)

    monkeypatch.setattr(Coordinator, "_finished_block", note)
    return results


def trained(text, objective, workers):
    vocab, corpus = text
    model = Word2Vec(vocab, DIMENSION, objective=objective)
    trainer = Trainer(model, vocab, corpus, settings=TrainSettings(epochs=EPOCHS, workers=workers))
    return trainer, list(trainer.reports())


def accuracy_of(trainer):
    questions = builtin_analogies()
    return evaluate_analogies(trainer.model.unit_vectors, trainer.vocab.words, questions).accuracy


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["skipgram", "cbow"])
def test_sixteen_workers_do_what_one_does(sample, objective, finished_blocks):
    alone, reports_alone = trained(sample, objective, 1)
    finished_blocks.clear()
    trainer, reports = trained(sample, objective, WORKERS)

    n_blocks = trainer.plan.n_blocks
    tasks = Counter((event.task.epoch, event.task.block) for event in finished_blocks)
    assert tasks == {(epoch, block): 1 for epoch in range(EPOCHS) for block in range(n_blocks)}
    assert {event.worker for event in finished_blocks} == set(range(WORKERS))
    assert all(event.task.worker == event.worker for event in finished_blocks)
    # What is kept of a block depends on the block alone, so equal sums mean that the same words were trained.
    end, end_alone = reports[-1], reports_alone[-1]
    assert isinstance(end, Finished)
    assert end.raw_words == len(sample[1]) * EPOCHS == end_alone.raw_words
    assert end.kept_words == end_alone.kept_words == sum(event.value.kept_words for event in finished_blocks)
    assert sorted(report.epoch for report in reports if isinstance(report, EpochEnd)) == list(range(EPOCHS))
    assert not any(isinstance(report, WorkerReplaced) for report in reports)

    losses = [point.loss for point in trainer.loss_history]
    assert losses[-1] < LOSS_RATIO * losses[0]
    assert accuracy_of(trainer) > accuracy_of(alone) - LOST_ACCURACY


# ---------------------------------------------------------------------------------------------- the simulation

SAME = {"rtol": 1e-3, "atol": 1e-4}
"""Workers may take another code path of BLAS than this process; after an epoch the last digits differ."""


def simulated(text, directory, objective, workers, damping="following", lr=0.025):
    vocab, corpus = text
    return many_cores.simulate(
        vocab,
        corpus.save(directory / "corpus.i32"),
        model=objective,
        workers=workers,
        damping=damping,
        lr=lr,
        batch_size=BATCH_SIZE,
        epochs=1,
        seed=1,
        dim=DIMENSION,
    )


@pytest.mark.parametrize("objective", ["skipgram", "cbow"])
def test_one_simulated_worker_is_a_real_one(small, tmp_path, objective):
    vocab, corpus = small
    real = Word2Vec(vocab, DIMENSION, objective=objective, seed=1)
    settings = TrainSettings(epochs=1, workers=1, lr=0.025, seed=1, sample_rule=many_cores.RULE)
    Trainer(real, vocab, corpus, settings=settings).train(quiet=True)
    model, _, loss = simulated(small, tmp_path, objective, 1)
    np.testing.assert_allclose(model.W_in, real.W_in, **SAME)
    np.testing.assert_allclose(model.W_out, real.W_out, **SAME)
    assert loss > 0


def test_simulated_workers_do_not_see_each_others_batches(small, tmp_path, monkeypatch):
    """W_out starts at zero, so a first batch that sees nothing of the others leaves W_in as it was."""
    moved = []
    settle = many_cores.Twin.settle

    def note(self):
        moves = [not np.array_equal(self.live[start::2], self.copy[start::2]) for start in (0, 1)]
        moved.append((int(self.differ.sum()), *moves))
        settle(self)
        assert np.array_equal(self.live, self.copy)

    monkeypatch.setattr(many_cores.Twin, "settle", note)
    simulated(small, tmp_path, "skipgram", 4)
    (n_inputs, inputs_moved, outputs_moved), *later = moved
    assert n_inputs > 240
    assert not inputs_moved
    assert outputs_moved
    assert all(change for n, *change in later[:-1] if n)


def test_a_simulation_gives_the_same_bits_again(small, tmp_path):
    first, again = (simulated(small, tmp_path, "cbow", 3, "own")[0] for _ in range(2))
    assert np.array_equal(first.W_in, again.W_in)


def test_undamped_workers_diverge(small, tmp_path):
    model, _, _ = simulated(small, tmp_path, "skipgram", 4, "none", lr=1.0)
    assert not np.abs(model.W_in).max() < many_cores.DIVERGED_NORM


def test_an_error_in_a_simulated_worker_is_raised():
    def life(baton):
        baton.pause()
        raise ValueError("from the thread")

    baton = many_cores.Baton(life)
    baton.start()
    assert baton.turn()
    with pytest.raises(ValueError, match="from the thread"):
        baton.turn()


# ---------------------------------------------------------------------------------------------- the arithmetic


def test_rates_add_up(sample):
    vocab, _ = sample
    for objective, rows in (("skipgram", (1, 1.75)), ("cbow", (1, 1.17))):
        rates = many_cores.Rates.of(vocab, objective)
        assert rates.inputs.sum() == pytest.approx(rows[0])
        assert rates.outputs.sum() == pytest.approx(rows[1], abs=0.02)
        assert 0 < rates.kept_share < 1


def test_collisions_grow_with_the_pairs_of_workers(sample):
    workers = many_cores.arithmetic(sample[0], "skipgram", 100, 1e6)["workers"]
    assert workers["1"]["overlaps"] == workers["1"]["stale_adds"] == 0
    assert workers["16"]["overlaps"] == pytest.approx(120 * workers["2"]["overlaps"])
    assert workers["64"]["messages"] == pytest.approx(2 * 64e6 / 2**18)
    assert all(found["message_seconds"] > 0 for found in workers.values())
