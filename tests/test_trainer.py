"""A run gives the same bits again, can be cut anywhere, survives its workers and tells its loss truly."""

import dataclasses
import json
import math
import os
import random
import signal
import threading
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from conftest import runs, segments_of, until, workers_of

from parw2v import Trainer, TrainSettings, Vocabulary, Word2Vec
from parw2v.balance import balance
from parw2v.checkpoint import KEEP, save_checkpoint
from parw2v.corpus import Corpus
from parw2v.crew import Crew
from parw2v.errors import CorpusError, DivergedError, ModelError, Parw2vError, SettingsError, WorkerError
from parw2v.evaluation import builtin_analogies, evaluate_analogies
from parw2v.progress import (
    CheckpointFailed,
    CheckpointSaved,
    EpochEnd,
    Finished,
    Logged,
    Progress,
    Started,
    Stopped,
    WorkerReplaced,
)

OBJECTIVES = ("skipgram", "cbow")
DIMENSION = 16
EPOCHS = 3

UNTRAINED = 0.01
"""Relative; the first block's loss may differ from (1 + K) ln 2 by this, since it is measured while it is learnt."""

FIVE_SECONDS = 5
"""From the last death to the error."""

GOOD_ACCURACY = 0.8
"""Of the built-in questions; ten epochs give 0.99 and more."""


def trainer_of(text, directory=None, *, objective="skipgram", resume=False, dim=DIMENSION, neg=5, **settings):
    settings = TrainSettings(**{"workers": 1, "epochs": EPOCHS, **settings})
    vocab, corpus = text
    model = Word2Vec(vocab, dim, neg, objective, settings.seed)
    return Trainer(model, vocab, corpus, settings=settings, checkpoint_dir=directory, resume=resume)


def drain(trainer, stop=lambda report: False):
    """Run to the end, asking for a stop when a report says so; returns the reports."""
    reports = []
    for report in trainer.reports():
        reports.append(report)
        if stop(report):
            trainer.request_stop()
    return reports


def of_kind(kind, reports):
    return [report for report in reports if isinstance(report, kind)]


def after(kind, number):
    """A condition that holds at the `number`-th report of a kind."""
    seen = []

    def condition(report):
        seen.extend([report] if isinstance(report, kind) else [])
        return isinstance(report, kind) and len(seen) == number

    return condition


def same(a, b):
    return np.array_equal(a.model.W_in, b.model.W_in) and np.array_equal(a.model.W_out, b.model.W_out)


def end_loss(trainer):
    return trainer.loss_history[-1].loss


@pytest.fixture(scope="module")
def whole(small):
    """Uninterrupted runs: objective -> (trainer, Finished)."""

    def run(objective):
        trainer = trainer_of(small, objective=objective, log_every=1)
        return trainer, drain(trainer)[-1]

    return {objective: run(objective) for objective in OBJECTIVES}


# ---------------------------------------------------------------------------------------------- a script

SCRIPT = """
from parw2v import Vocabulary, Word2Vec, Trainer, load_sample_corpus, full_report
tokens = load_sample_corpus()
vocab = Vocabulary(min_count=2).build(tokens)
corpus = vocab.encode(tokens)
model = Word2Vec(vocab=vocab, embed_dim=100, n_negatives=5)
trainer = Trainer(model=model, vocab=vocab, corpus=corpus, n_epochs=10)
trainer.train()
near = model.most_similar("king", top_n=5)
queen = model.analogy("king", "man", "woman", top_n=5)
model.save("results/model")
vocab.save("results/vocab.json")
report = full_report(model, plot={plot}, loss_history=trainer.loss_history)
import json
print(json.dumps([near, queen, report.analogies.accuracy, len(trainer.loss_history)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_script_without_a_main_guard(python, tmp_path, objective):
    code = SCRIPT.format(plot=objective == "skipgram")
    (tmp_path / "script.py").write_text(code.replace("n_negatives=5", f"n_negatives=5, objective={objective!r}"))
    done = python.run("script.py")
    assert done.returncode == 0, done.stderr
    near, queen, accuracy, points = json.loads(done.stdout.splitlines()[-1])
    assert len(near) == len(queen) == 5
    assert queen[0][0] == "queen"
    assert accuracy > GOOD_ACCURACY
    assert points > 10
    assert "epoch 10/10: loss" in done.stderr
    assert "Traceback" not in done.stderr
    model = Word2Vec.load(tmp_path / "results" / "model")
    assert model.analogy("king", "man", "woman")[0][0] == "queen"
    assert Vocabulary.load(tmp_path / "results" / "vocab.json").words == model.vocab.words
    pictures = {path.name for path in (tmp_path / "results").glob("*.png")}
    assert pictures == ({"tsne.png", "loss_curve.png"} if objective == "skipgram" else set())


# ---------------------------------------------------------------------------------------------- the same bits


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_one_worker_gives_the_same_bits_again(small, whole, objective):
    first, _ = whole[objective]
    again = trainer_of(small, objective=objective, log_every=1)
    again.train(quiet=True)
    assert same(first, again)
    assert again.loss_history == first.loss_history


def test_another_seed_gives_other_bits(small, whole):
    first, _ = whole["skipgram"]
    other = trainer_of(small, seed=43)
    other.model.W_in[:] = Word2Vec(small[0], DIMENSION, seed=42).W_in  # the order and the noise alone
    other.train(quiet=True)
    assert not same(first, other)


def test_a_run_from_ids_in_memory_and_one_from_a_file_are_the_same(small, whole, tmp_path):
    vocab, corpus = small
    first, _ = whole["skipgram"]
    again = trainer_of((vocab, corpus.save(tmp_path / "corpus.i32")), log_every=1)
    again.train(quiet=True)
    assert same(first, again)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("cut", ["in mid-epoch", "at an epoch's end", "before the first block"])
def test_stop_and_resume_give_the_same_bits(small, whole, tmp_path, objective, cut):
    first, finished = whole[objective]
    n_blocks = first.plan.n_blocks
    assert n_blocks > 2
    kind, number = {
        "in mid-epoch": (Logged, n_blocks + 1),
        "at an epoch's end": (EpochEnd, 1),
        "before the first block": (Started, 1),
    }[cut]
    part = trainer_of(small, tmp_path / "c", objective=objective, log_every=1)
    reports = drain(part, after(kind, number))
    assert isinstance(reports[-1], Stopped)
    assert 0 <= reports[-1].done_words < part.total_words
    assert reports[-1].checkpoint_dir == tmp_path / "c"
    assert of_kind(CheckpointSaved, reports)[-1].done_words == reports[-1].done_words

    rest = trainer_of(small, tmp_path / "c", objective=objective, log_every=1, resume=True)
    assert rest.warnings == []
    assert rest.state.raw_words == reports[-1].done_words
    stopped = rest.model.with_vectors(rest.model.W_in.copy(), rest.model.W_out.copy())
    balance(stopped.W_in, stopped.W_out)  # the form in which a run gives its vectors
    assert np.array_equal(part.model.W_in, stopped.W_in)
    assert np.array_equal(part.model.W_out, stopped.W_out)
    more = drain(rest)
    assert more[0].done_words == reports[-1].done_words
    assert same(first, rest)
    assert rest.loss_history == first.loss_history
    end = more[-1]
    assert (end.raw_words, end.kept_words, end.loss) == (finished.raw_words, finished.kept_words, finished.loss)
    ends = [(report.epoch, report.loss) for report in of_kind(EpochEnd, reports + more)]
    assert [epoch for epoch, _ in ends] == list(range(EPOCHS))
    if cut != "before the first block":
        again = trainer_of(small, objective=objective)
        assert ends == [(report.epoch, report.loss) for report in of_kind(EpochEnd, drain(again))]


def test_the_loss_history_is_the_same_with_200_records_a_run(small, tmp_path):
    """The stretch of a record must not depend on where the run was cut."""
    epochs = 100
    first = trainer_of(small, dim=4, epochs=epochs)
    drain(first)
    assert 100 < len(first.loss_history) < 300
    for number in range(2):
        drain(trainer_of(small, tmp_path / "c", dim=4, epochs=epochs, resume=number > 0), after(Logged, 20 + number))
    rest = trainer_of(small, tmp_path / "c", dim=4, epochs=epochs, resume=True)
    assert 0 < rest.state.next_task < rest.plan.n_blocks * epochs
    drain(rest)
    assert same(first, rest)
    assert rest.loss_history == first.loss_history


def test_checkpoints_in_mid_epoch_change_nothing(small, whole, tmp_path):
    first, _ = whole["skipgram"]
    trainer = trainer_of(small, tmp_path / "c", log_every=1, checkpoint_every=0)
    reports = drain(trainer)
    saved = of_kind(CheckpointSaved, reports)
    assert len(saved) == first.plan.n_blocks * EPOCHS - 1
    words = [report.done_words for report in saved]
    assert words == sorted(set(words))
    assert same(first, trainer)
    left = sorted((tmp_path / "c").iterdir())
    assert len(left) == KEEP
    rest = trainer_of(small, tmp_path / "c", log_every=1, resume=True)
    assert rest.state.next_task == first.plan.n_blocks * EPOCHS - 1
    drain(rest)
    assert same(first, rest)
    assert rest.loss_history == first.loss_history


def test_checkpoints_of_short_epochs_are_few(small, whole, tmp_path, monkeypatch):
    """The first epoch's end has one, later ones only when it has paid."""
    first, _ = whole["skipgram"]
    monkeypatch.setattr("parw2v.coordinator._CHECKPOINT_SHARE", 1e9)
    trainer = trainer_of(small, tmp_path / "c")
    saved = of_kind(CheckpointSaved, drain(trainer))
    assert [report.done_words for report in saved] == [first.total_words // EPOCHS]
    assert same(first, trainer)


def test_without_a_checkpoint_directory_a_stop_keeps_the_vectors(small):
    trainer = trainer_of(small)
    before = trainer.model.W_in.copy()
    reports = drain(trainer, after(Logged, 2))
    assert isinstance(reports[-1], Stopped)
    assert reports[-1].checkpoint_dir is None
    assert not of_kind(CheckpointSaved, reports)
    assert not np.array_equal(trainer.model.W_in, before)
    assert np.isfinite(trainer.model.W_in).all()


def test_two_workers_train_every_word_once_across_stops(small, whole, tmp_path):
    """What a block keeps depends on its number alone, so the sum tells whether each was trained once."""
    _, finished = whole["skipgram"]
    total = len(small[1]) * EPOCHS
    assert finished.raw_words == total
    reports = drain(trainer_of(small, tmp_path / "c", workers=2), after(Logged, 3))
    while not isinstance(reports[-1], Finished):
        assert isinstance(reports[-1], Stopped)
        reports = drain(trainer_of(small, tmp_path / "c", workers=2, resume=True), after(Logged, 3))
    assert (reports[-1].raw_words, reports[-1].kept_words) == (total, finished.kept_words)


def test_the_number_of_workers_may_change_on_resume(small, whole, tmp_path):
    _, finished = whole["skipgram"]
    drain(trainer_of(small, tmp_path / "c", workers=1), after(Logged, 3))
    reports = drain(trainer_of(small, tmp_path / "c", workers=2, resume=True))
    assert reports[-1].kept_words == finished.kept_words


def test_a_new_run_takes_the_place_of_an_older_ones_checkpoints(small, tmp_path):
    """Else the older, further on, would displace the new ones and be what is resumed."""
    drain(trainer_of(small, tmp_path / "c", seed=1), after(Logged, 9))
    drain(trainer_of(small, tmp_path / "c", seed=2), after(Logged, 3))
    rest = trainer_of(small, tmp_path / "c", seed=2, resume=True)
    assert rest.state.next_task == 3


def test_a_damaged_checkpoint_is_passed_over_with_a_warning(small, whole, tmp_path):
    first, _ = whole["skipgram"]
    drain(trainer_of(small, tmp_path / "c", log_every=1, checkpoint_every=0), after(Logged, 5))
    newest = max((tmp_path / "c").iterdir())
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    rest = trainer_of(small, tmp_path / "c", log_every=1, resume=True)
    [warning] = rest.warnings
    assert newest.name in warning
    assert 0 < rest.state.next_task < 5
    drain(rest)
    assert same(first, rest)
    assert rest.loss_history == first.loss_history


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 7}, "seed 42, this run has 7"),
        ({"lr": 0.5}, "lr 0.025, this run has 0.5"),
        ({"window": 3}, "window 5, this run has 3"),
        ({"dim": 17}, "dim 16, this run has 17"),
        ({"neg": 6}, "neg 5, this run has 6"),
        ({"objective": "cbow"}, "model skipgram, this run has cbow"),
        ({"epochs": 2}, "epochs 3, this run has 2"),
    ],
)
def test_a_resume_with_changed_settings_names_the_difference(small, tmp_path, change, named):
    drain(trainer_of(small, tmp_path / "c"), after(Started, 1))
    with pytest.raises(ModelError, match=named):
        trainer_of(small, tmp_path / "c", resume=True, **change)


CONSTANT = {"lr": 0.01, "lr_min": 0.01}
"""A rate that does not depend on how many epochs there are to be."""


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("stopped", [True, False])
def test_more_epochs_go_on_where_the_run_was(small, tmp_path, objective, stopped):
    """With a rate that stays the same, to the bits of a run that was to have so many from the start; but a finished run's
    vectors are in their symmetric form, from which training goes on a little differently."""
    long = trainer_of(small, objective=objective, epochs=4, **CONSTANT)
    long.train(quiet=True)
    part = trainer_of(small, tmp_path / "c", objective=objective, epochs=2, **CONSTANT)
    drain(part, after(Logged, part.plan.n_blocks + 1) if stopped else lambda report: False)
    source = True
    if not stopped:
        part.model.save(tmp_path / "m")
        for path in (tmp_path / "c").iterdir():
            path.unlink()
        source = Word2Vec.load(tmp_path / "m")
    rest = trainer_of(small, tmp_path / "c", objective=objective, epochs=4, resume=source, **CONSTANT)
    assert (rest.epochs_before, rest.settings.epochs) == (2, 4)
    assert rest.state.symmetric  # also where it comes from the model
    assert rest.state.raw_words == (part.state.raw_words if stopped else part.total_words)
    reports = drain(rest)
    if stopped:
        assert same(long, rest)
    else:
        assert end_loss(rest) == pytest.approx(end_loss(long), rel=0.05)
    end = reports[-1]
    assert (end.raw_words, end.kept_words) == (long.total_words, long.state.kept_words)
    assert end.words_before == (0 if stopped else part.total_words)
    assert end.words_per_second == (end.raw_words - end.words_before) / end.train_seconds
    assert [report.epoch for report in of_kind(EpochEnd, reports)] == [1, 2, 3][not stopped :]
    assert rest.model.settings == long.model.settings


def test_the_rate_goes_on_along_the_line_of_the_new_number_of_epochs(small, tmp_path):
    first = trainer_of(small, epochs=2)
    first.train(quiet=True)
    assert first.loss_history[-1].lr == first.settings.lr_min
    rest = trainer_of(small, epochs=4, resume=first.model, log_every=1)
    assert rest.lr_now == pytest.approx(0.025 / 2)
    assert same(first, rest)
    assert rest.loss_history == []
    rest.train(quiet=True)
    rates = [point.lr for point in rest.loss_history]
    assert rates == sorted(rates, reverse=True)
    assert 0.025 / 4 < rates[0] < 0.025 / 2
    assert rates[-1] == rest.settings.lr_min
    assert rest.loss_history[0].words > first.total_words
    assert rest.loss_history[-1].words == 2 * first.total_words


def test_a_continuation_that_is_stopped_can_be_resumed(small, tmp_path):
    first = trainer_of(small, epochs=1)
    first.train(quiet=True)
    whole = trainer_of(small, epochs=3, resume=first.model)
    end = drain(whole)[-1]
    drain(trainer_of(small, tmp_path / "c", epochs=3, resume=first.model), after(EpochEnd, 1))
    rest = trainer_of(small, tmp_path / "c", epochs=3, resume=first.model)
    assert rest.epochs_before == 3  # from the checkpoint, which is further on than the model
    again = drain(rest)[-1]
    assert same(whole, rest)
    assert (again.raw_words, again.kept_words, again.words_before) == (end.raw_words, end.kept_words, end.words_before)


def test_a_finished_run_has_to_be_given_more_epochs(small):
    first = trainer_of(small, epochs=1)
    first.train(quiet=True)
    with pytest.raises(ModelError, match="has had its 1 epochs; give more --epochs"):
        trainer_of(small, epochs=1, resume=first.model)
    with pytest.raises(ModelError, match="seed 42, this run has 43"):
        trainer_of(small, epochs=2, seed=43, resume=first.model)
    with pytest.raises(ModelError, match="not that of a finished run"):
        trainer_of(small, epochs=2, resume=Word2Vec(small[0], DIMENSION))


def test_a_resume_with_another_text_is_refused(small, tmp_path):
    vocab, corpus = small
    drain(trainer_of(small, tmp_path / "c"), after(Started, 1))
    ids = corpus.ids[::-1].copy()
    ids[-1] = ~ids[-1]
    with pytest.raises(ModelError, match="was trained with corpus"):
        trainer_of((vocab, Corpus(ids)), tmp_path / "c", resume=True)


@pytest.mark.parametrize("change", [{"embed_dim": 7}, {"vocab": Vocabulary.from_lists(["a", "b"], [2, 1])}])
def test_a_checkpoint_of_other_vectors_than_its_run_has(small, tmp_path, change):
    """A whole file, of the same run by its word, that would give training vectors that do not fit the corpus."""
    trainer = trainer_of(small)
    state = replace(trainer.state, next_task=1)
    other = Word2Vec(**({"vocab": trainer.vocab, "embed_dim": trainer.model.embed_dim} | change))
    save_checkpoint(tmp_path / "c", other, state)
    with pytest.raises(ModelError, match="not those of its run; remove it to start anew"):
        trainer_of(small, tmp_path / "c", resume=True)


# ---------------------------------------------------------------------------------------------- loss and reports


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("neg", [1, 5, 12])
def test_the_loss_starts_at_that_of_untrained_vectors(small, objective, neg):
    # A small rate: the first record is of a whole block, which trains while it is measured.
    trainer = trainer_of(small, objective=objective, neg=neg, log_every=1, epochs=1, lr=0.001)
    drain(trainer, after(Logged, 1))
    assert trainer.loss_history[0].loss == pytest.approx((1 + neg) * math.log(2), rel=UNTRAINED)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_history_ascends_to_the_last_word_and_the_loss_falls(whole, objective):
    trainer, finished = whole[objective]
    words = [point.words for point in trainer.loss_history]
    assert words == sorted(set(words))
    assert words[-1] == trainer.total_words == finished.raw_words
    assert trainer.loss_history[-1].loss < 0.9 * trainer.loss_history[0].loss
    rates = [point.lr for point in trainer.loss_history]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] < trainer.lr
    assert rates[-1] == trainer.settings.lr_min
    epochs = [point.epoch for point in trainer.loss_history]
    assert epochs == sorted(epochs)
    assert set(epochs) == set(range(EPOCHS))
    assert finished.loss == trainer.loss_history[-1].loss


def test_reports_come_in_order_and_agree(sample):
    trainer = trainer_of(sample, workers=2, epochs=2)
    reports = drain(trainer)
    assert isinstance(reports[0], Started)
    assert (reports[0].total_words, reports[0].done_words, reports[0].n_workers) == (trainer.total_words, 0, 2)
    assert len(of_kind(Started, reports)) == 1
    assert [report.epoch for report in of_kind(EpochEnd, reports)] == [0, 1]
    end = reports[-1]
    assert isinstance(end, Finished)
    assert end.raw_words == len(sample[1]) * 2
    assert 0 < end.kept_words < end.raw_words
    assert end.train_seconds > 0
    assert end.stretch_seconds == end.train_seconds
    assert end.words_per_second == end.raw_words / end.train_seconds
    assert end.peak_memory > 2 * trainer.model.W_in.nbytes
    logged = of_kind(Logged, reports)
    assert [report.point for report in logged] == trainer.loss_history
    for report in of_kind(Progress, reports):
        assert 0 <= report.done_words <= report.total_words == trainer.total_words
        assert 0 <= report.epoch < 2


def test_epochs_end_in_order():
    """Also where one of a single block is done before the one that began earlier."""
    sentences = [["a", "b", "c", "d"]] * 1000
    vocab = Vocabulary(min_count=1).build(sentences)
    trainer = trainer_of((vocab, vocab.encode(sentences)), dim=2, workers=3, epochs=300, sample=0)
    assert trainer.plan.n_blocks == 1
    assert [report.epoch for report in of_kind(EpochEnd, drain(trainer))] == list(range(300))


def test_vectors_can_be_copied_at_an_epochs_end(small):
    trainer = trainer_of(small)
    copies = []
    for report in trainer.reports():
        if isinstance(report, EpochEnd):
            copies.append(report.copy_vectors())
    assert len(copies) == EPOCHS
    assert np.array_equal(copies[-1], trainer.model.W_in)
    assert not np.array_equal(copies[0], copies[-1])


def test_what_a_run_gives_is_in_its_symmetric_form_but_checkpoints_are_not(small, tmp_path):
    """They are the run itself, which has to go on with the same bits."""

    def sides(W_in, W_out):
        return W_in.T.astype(float) @ W_in, W_out.T.astype(float) @ W_out

    trainer = trainer_of(small, tmp_path / "checkpoints", checkpoint_every=0)
    saved, copies = None, []
    for report in trainer.reports():
        if isinstance(report, CheckpointSaved):
            saved = Word2Vec.load(report.path)
        if isinstance(report, EpochEnd):
            copies.append(report.copy_matrices())
    for W_in, W_out in [*copies, (trainer.model.W_in, trainer.model.W_out)]:
        inputs, outputs = sides(W_in, W_out)
        np.testing.assert_allclose(inputs, outputs, rtol=1e-3, atol=1e-4 * np.trace(inputs))
    assert saved is not None
    inputs, outputs = sides(saved.W_in, saved.W_out)
    assert not np.allclose(inputs, outputs, rtol=1e-3, atol=1e-2 * np.trace(inputs))


def test_vectors_from_elsewhere_stay_in_the_form_they_have(small):
    """Also where the run goes on, and for more epochs."""
    first = trainer_of(small)
    first.train(quiet=True)
    second = trainer_of(small, lr=1e-30, lr_min=0.0)
    second.model.W_in, second.model.W_out = first.model.W_in * 2, first.model.W_out / 2
    assert first.state.symmetric
    assert not second.model.is_new
    before = second.model.W_in.copy()
    second.train(quiet=True)
    np.testing.assert_allclose(second.model.W_in, before)


def test_unit_vectors_follow_training(small):
    trainer = trainer_of(small)
    before = trainer.model.unit_vectors.copy()
    trainer.train(quiet=True)
    assert not np.array_equal(before, trainer.model.unit_vectors)
    assert trainer.model.settings["seed"] == 42


# ---------------------------------------------------------------------------------------------- callbacks


@pytest.mark.parametrize("workers", [1, 2])
def test_callbacks_get_the_epoch_its_loss_and_a_copy_of_the_model(small, tmp_path, workers):
    trainer = trainer_of(small, workers=workers)
    before = trainer.model.W_in.copy()
    calls, snapshots = [], []

    def first(epoch, loss, snapshot):
        calls.append(("first", epoch, loss))

    def second(epoch, loss, snapshot):
        calls.append(("second", epoch, loss))
        snapshots.append(snapshot())
        assert snapshot() is snapshots[-1]
        assert trainer.model.W_in.tobytes() == before.tobytes()  # the model itself gets the result at the end

    trainer.train(quiet=True, on_epoch=[first, second])
    again = trainer_of(small)
    losses = [report.loss for report in of_kind(EpochEnd, drain(again))]
    assert [call[:2] for call in calls] == [(name, epoch) for epoch in range(EPOCHS) for name in ("first", "second")]
    if workers == 1:
        assert [call[2] for call in calls[::2]] == losses
        assert same(again, trainer)  # looking on changes nothing
    assert not np.array_equal(snapshots[0].W_in, snapshots[-1].W_in)
    assert np.array_equal(snapshots[-1].W_in, trainer.model.W_in)
    assert np.array_equal(snapshots[-1].W_out, trainer.model.W_out)
    assert snapshots[0].vocab is trainer.vocab
    loaded = Word2Vec.load(snapshots[0].save(tmp_path / "m"))
    assert loaded.settings["epochs"] == EPOCHS
    with pytest.raises(ModelError, match="not that of a finished run"):
        trainer_of(small, epochs=EPOCHS + 1, resume=loaded)


def test_a_snapshot_is_not_made_unless_asked_for_nor_after_the_call(small, monkeypatch):
    kept, copies = [], []
    made = Word2Vec.with_vectors
    monkeypatch.setattr(Word2Vec, "with_vectors", lambda *given: copies.append(1) or made(*given))
    trainer_of(small).train(quiet=True, on_epoch=[lambda epoch, loss, snapshot: kept.append(snapshot)])
    assert len(kept) == EPOCHS
    assert not copies
    with pytest.raises(SettingsError, match="while the callback runs"):
        kept[0]()


@pytest.mark.parametrize("error", [ValueError("from a callback"), KeyboardInterrupt()])
def test_an_error_in_a_callback_ends_the_run_and_surfaces(small, error):
    trainer = trainer_of(small, epochs=1000, workers=2)
    before = trainer.model.W_in.copy()
    calls = []

    def broken(epoch, loss, snapshot):
        calls.append(epoch)
        if epoch == 1:
            raise error

    with pytest.raises(type(error)) as caught:
        trainer.train(quiet=True, on_epoch=[broken, lambda *given: calls.append("after")])
    assert caught.value is error
    assert calls == [0, "after", 1]
    assert not workers_of(os.getpid())
    assert not segments_of([os.getpid()])
    assert not np.array_equal(trainer.model.W_in, before)


def test_a_callback_may_stop_the_run(small, tmp_path):
    trainer = trainer_of(small, tmp_path / "c", epochs=1000)

    def enough(epoch, loss, snapshot):
        if epoch == 2:
            trainer.request_stop()

    with pytest.raises(KeyboardInterrupt):
        trainer.train(quiet=True, on_epoch=[enough])
    assert trainer_of(small, tmp_path / "c", epochs=1000, resume=True).state.next_task >= 3 * trainer.plan.n_blocks


# ---------------------------------------------------------------------------------------------- deaths


def test_killed_workers_are_replaced_and_no_word_is_lost(sample):
    vocab, corpus = sample
    epochs, kills = 10, 3
    model = Word2Vec(vocab, 50)
    trainer = Trainer(model, vocab, corpus, settings=TrainSettings(epochs=epochs, workers=2))
    over = threading.Event()
    rng = random.Random(5)
    killed = []

    def kill_now_and_then():
        while len(killed) < kills and not over.wait(rng.uniform(0.05, 0.2)):
            if victims := [pid for pid in workers_of(os.getpid()) if runs(pid)]:
                killed.append(rng.choice(victims))
                os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        reports = drain(trainer)
    finally:
        over.set()
        killer.join()
    assert killed
    replaced = of_kind(WorkerReplaced, reports)
    assert {report.pid for report in replaced} <= set(killed)
    assert replaced
    assert all("signal 9 (SIGKILL" in report.cause for report in replaced)
    end = reports[-1]
    assert end.raw_words == len(corpus) * epochs
    accuracy = evaluate_analogies(model.unit_vectors, vocab.words, builtin_analogies()).accuracy
    assert accuracy > GOOD_ACCURACY


def test_a_block_lost_with_its_worker_is_trained_again(small, whole):
    """Kills at each of many moments; what was kept in all tells that each block counted once."""
    _, finished = whole["skipgram"]
    rng = random.Random(1)
    for _ in range(3):
        trainer = trainer_of(small, workers=2, epochs=EPOCHS)
        moment = after(Logged, rng.randint(1, 10))
        reports = []
        for report in trainer.reports():
            reports.append(report)
            if moment(report):
                os.kill(rng.choice(workers_of(os.getpid())), signal.SIGKILL)
        assert (reports[-1].raw_words, reports[-1].kept_words) == (finished.raw_words, finished.kept_words)


def test_a_worker_killed_while_it_starts_is_replaced(small, whole):
    trainer = trainer_of(small)
    for report in trainer.reports():
        if isinstance(report, Started):
            [pid] = until(lambda: workers_of(os.getpid()))
            os.kill(pid, signal.SIGKILL)
        if isinstance(report, WorkerReplaced):
            assert report.pid == pid
    assert same(whole["skipgram"][0], trainer)


@pytest.mark.parametrize(("number", "words"), [(signal.SIGKILL, "SIGKILL"), (signal.SIGBUS, "SIGBUS")])
def test_too_many_deaths_stop_the_run_within_five_seconds(small, tmp_path, number, words):
    trainer = trainer_of(small, tmp_path / "c", workers=2, epochs=10_000, max_restarts=1)
    killed, when = [], []

    def run():
        for report in trainer.reports():
            if isinstance(report, Logged | WorkerReplaced) and len(killed) < 2:
                killed.append(workers_of(os.getpid())[0])
                os.kill(killed[-1], number)
                when.append(time.monotonic())

    with pytest.raises(WorkerError) as caught:
        run()
    assert time.monotonic() - when[-1] < FIVE_SECONDS
    assert f"pid {killed[-1]}" in str(caught.value) or f"pid {killed[-2]}" in str(caught.value)
    assert f"signal {int(number)} ({words}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not workers_of(os.getpid())
    assert np.isfinite(trainer.model.W_in).all()


def test_a_corpus_that_vanishes_is_named(small, tmp_path):
    vocab, corpus = small
    path = tmp_path / "corpus.i32"
    trainer = trainer_of((vocab, corpus.save(path)), epochs=1000)

    def run():
        for report in trainer.reports():
            if isinstance(report, EpochEnd):
                path.unlink(missing_ok=True)

    with pytest.raises(WorkerError, match=r"CorpusError: .*corpus\.i32.*changed or vanished"):
        run()


# ---------------------------------------------------------------------------------------------- other ends


def test_an_absurd_rate_diverges_with_a_remedy(small):
    trainer = trainer_of(small, lr=1000.0, epochs=20)
    before = trainer.model.W_in.copy()
    with pytest.raises(DivergedError, match=r"lower --lr, which is 1000") as caught:
        drain(trainer)
    assert "\n" not in str(caught.value)
    assert np.array_equal(trainer.model.W_in, before)


def test_a_bad_state_never_displaces_a_good_checkpoint(small, tmp_path):
    drain(trainer_of(small, tmp_path / "c", lr=1000.0), after(Started, 1))
    [good] = (tmp_path / "c").iterdir()
    trainer = trainer_of(small, tmp_path / "c", lr=1000.0, epochs=3, resume=True, checkpoint_every=0)
    with pytest.raises(DivergedError, match="last checkpoint is kept"):
        drain(trainer)
    for path in (tmp_path / "c").iterdir():
        model = Word2Vec.load(path)
        assert np.isfinite(model.W_in).all()
    assert good.exists()


def test_an_error_in_the_consumer_ends_the_run_at_once(small, monkeypatch):
    """Not only when the exception, which holds on to every frame, is forgotten."""

    class Broken:
        def isatty(self):
            return False

        def write(self, text):
            if "epoch 2" in text:
                raise OSError(5, "no terminal")

        def flush(self):
            pass

    monkeypatch.setattr("sys.stderr", Broken())
    trainer = trainer_of(small, epochs=1000)
    before = trainer.model.W_in.copy()
    with pytest.raises(OSError, match="no terminal") as caught:
        trainer.train()
    assert caught.traceback
    assert not workers_of(os.getpid())
    assert not segments_of([os.getpid()])
    assert not np.array_equal(trainer.model.W_in, before)


def test_closing_the_reports_ends_the_run(small):
    trainer = trainer_of(small, epochs=1000)
    before = trainer.model.W_in.copy()
    with closing(trainer.reports()) as reports:
        until(lambda: isinstance(next(reports), Logged))
        assert len(workers_of(os.getpid())) == 1
    assert not workers_of(os.getpid())
    assert not segments_of([os.getpid()])
    assert not np.array_equal(trainer.model.W_in, before)
    assert trainer.model.settings["epochs"] == 1000


def test_closing_the_reports_waits_for_a_checkpoint_to_be_fetched(small, tmp_path, monkeypatch):
    """On a cluster its vectors may be on their way still, from a crew that would be gone."""
    asked, events, leave = threading.Event(), [], Crew.__exit__

    def snapshot(crew, into=None):
        def fetch():
            asked.set()
            time.sleep(0.5)
            events.append("fetched")
            return crew.vectors(into)

        return fetch

    def note(crew, *error):
        events.append("left")
        leave(crew, *error)

    monkeypatch.setattr(Crew, "snapshot", snapshot)
    monkeypatch.setattr(Crew, "__exit__", note)
    trainer = trainer_of(small, tmp_path / "c", epochs=1000)
    with closing(trainer.reports()) as reports:
        until(lambda: next(reports) and asked.is_set())
    assert events == ["fetched", "left"]
    trainer_of(small, tmp_path / "c", epochs=1000, resume=True)  # it is there, and whole


def test_train_raises_keyboard_interrupt_when_stopped(small):
    trainer = trainer_of(small)
    trainer.request_stop()
    with pytest.raises(KeyboardInterrupt):
        trainer.train(quiet=True)


def test_training_goes_on_where_a_checkpoint_cannot_be_written(small, whole, tmp_path):
    (tmp_path / "file").touch()
    trainer = trainer_of(small, tmp_path / "file" / "c", epochs=EPOCHS, checkpoint_every=0)
    failures = of_kind(CheckpointFailed, drain(trainer))
    assert len(failures) > 1
    assert all("c/0000" in failure.reason and "cannot be written" in failure.reason for failure in failures)
    assert same(whole["skipgram"][0], trainer)


def test_a_last_checkpoint_that_cannot_be_written_is_an_error(small, tmp_path):
    (tmp_path / "file").touch()
    trainer = trainer_of(small, tmp_path / "file" / "c")
    trainer.request_stop()
    with pytest.raises(Parw2vError, match="cannot be written"):
        drain(trainer)
    assert not workers_of(os.getpid())


def test_a_hanging_worker_is_replaced(small, whole):
    trainer = trainer_of(small, epochs=EPOCHS, hang_timeout=1)
    moment, reports = after(Logged, 3), []
    for report in trainer.reports():
        reports.append(report)
        if moment(report):
            os.kill(workers_of(os.getpid())[0], signal.SIGSTOP)
    [replaced] = of_kind(WorkerReplaced, reports)
    assert "hung" in replaced.cause
    end, finished = reports[-1], whole["skipgram"][1]
    assert (end.raw_words, end.kept_words, end.blocks) == (finished.raw_words, finished.kept_words, finished.blocks)
    assert (end.restarts, end.blocks_again) == (1, end.blocks_again)
    assert 1 <= end.blocks_again <= 2


def test_what_cannot_be_trained_is_refused(small, small_tokens):
    vocab, corpus = small
    model = Word2Vec(vocab, 8)
    with pytest.raises(SettingsError, match="another vocabulary"):
        Trainer(model, Vocabulary(min_count=5).build(small_tokens), corpus)
    with pytest.raises(CorpusError, match="has 0 words"):
        Trainer(model, vocab, vocab.encode([]))
    with pytest.raises(SettingsError, match="checkpoint_dir"):
        Trainer(model, vocab, corpus, resume=True)
    with pytest.raises(SettingsError, match="epochs is 0"):
        Trainer(model, vocab, corpus, n_epochs=0)
    with pytest.raises(SettingsError, match=r"lr_min is 0\.5, more than"):
        Trainer(model, vocab, corpus, settings=TrainSettings(lr_min=0.5))


def test_n_epochs_takes_the_place_of_the_settings(small):
    vocab, corpus = small
    trainer = Trainer(Word2Vec(vocab, 8), vocab, corpus, n_epochs=7, settings=TrainSettings(epochs=2, window=3))
    assert (trainer.settings.epochs, trainer.settings.window) == (7, 3)
    assert trainer.total_words == 7 * len(corpus)


@pytest.mark.parametrize("text", ["a b", "a b a b\na\n", "a b c d e f g h " * 50])
def test_a_tiny_text_trains(text):
    """Also where subsampling leaves nothing of a block."""
    sentences = [line.split() for line in text.splitlines()]
    vocab = Vocabulary(min_count=1).build(sentences)
    trainer = trainer_of((vocab, vocab.encode(sentences)), workers=2)
    end = drain(trainer)[-1]
    assert end.raw_words == len(text.split()) * EPOCHS
    assert math.isfinite(end.loss)
    assert np.isfinite(trainer.model.W_in).all()


def test_settings_are_whole():
    """Every field is either part of a run's identity or listed as without effect."""
    from parw2v import trainer

    names = {field.name for field in dataclasses.fields(TrainSettings)}
    assert set(trainer._WITHOUT_EFFECT) <= names


def test_a_corpus_of_another_vocabulary_is_refused(small, tmp_path):
    """Not trained as if its ids were other words."""
    vocab, corpus = small
    few = Vocabulary.from_lists(vocab.words[:10], vocab.counts[:10].tolist())
    trainer = Trainer(Word2Vec(few, 4), few, corpus, n_epochs=1, settings=TrainSettings(workers=1))
    with pytest.raises(WorkerError, match="ids beyond the vocabulary"):
        trainer.train(quiet=True)


def test_a_trainer_trains_once(small):
    vocab, corpus = small
    trainer = Trainer(Word2Vec(vocab, 4), vocab, corpus, n_epochs=1, settings=TrainSettings(workers=1))
    trainer.train(quiet=True)
    with pytest.raises(SettingsError, match="has finished"):
        trainer.train(quiet=True)
