"""Rows follow their words from one vocabulary to another, and a new text joins the old counts."""

import numpy as np
import pytest

from parw2v import Corpus, Trainer, TrainSettings, Vocabulary, Word2Vec, start_from, updated_model
from parw2v.errors import CorpusError, ModelError


def model_of(words, dim=4, seed=1, **options):
    """A model whose vectors are all different from those of another seed."""
    counts = [100 - i for i in range(len(words))]
    model = Word2Vec(Vocabulary.from_lists(words, counts), dim, seed=seed, **options)
    model.W_out += np.random.default_rng(seed + 1000).random(model.W_out.shape, np.float32)
    return model


def test_words_in_common_take_both_vectors():
    model, other = model_of(["a", "b", "c", "d"], seed=1), model_of(["x", "d", "a"], seed=2, objective="cbow")
    before = model.with_vectors(model.W_in.copy(), model.W_out.copy())
    units = model.unit_vectors.copy()
    assert start_from(model, other) == 2
    for word in "ad":
        ours, theirs = model.vocab.index[word], other.vocab.index[word]
        assert np.array_equal(model.W_in[ours], other.W_in[theirs])
        assert np.array_equal(model.W_out[ours], other.W_out[theirs])
    for word in "bc":
        place = model.vocab.index[word]
        assert np.array_equal(model.W_in[place], before.W_in[place])
        assert np.array_equal(model.W_out[place], before.W_out[place])
    assert not np.array_equal(model.unit_vectors, units)
    assert model.objective == "skipgram"
    model.W_in += 1
    assert not np.shares_memory(model.W_in, other.W_in)


def test_what_does_not_fit_is_refused_and_changes_nothing():
    model = model_of(["a", "b"])
    before = model.W_in.copy()
    with pytest.raises(ModelError, match=r"have 5 dimensions, the model 4; give --dim 5") as caught:
        start_from(model, model_of(["a", "b"], dim=5))
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="none of the 2 words of the model is among the 3"):
        start_from(model, model_of(["x", "y", "z"]))
    assert np.array_equal(model.W_in, before)


HOSTILE = ["</script>", "\x1b[31m", "$x", "\u202ertl", "😀", "a\nb", "'", '"', "\\"]


def test_hostile_words_are_words():
    model = model_of(HOSTILE, seed=1)
    assert start_from(model, model_of(HOSTILE[::-1], seed=2)) == len(HOSTILE)
    text = Vocabulary(1).build([HOSTILE[:3], ["new one"] * 200])
    new, _ = updated_model(model, text, text.encode([HOSTILE[:3]]), min_count=2)
    assert set(new.vocab.words) == {*HOSTILE, "new one"}
    assert new.vocab.words[0] == "new one"


def slowly(sentences, vocab):
    """Ids of the words of a vocabulary, sentence by sentence; those left with nothing go."""
    found = [[vocab.index[word] for word in sentence if word in vocab] for sentence in sentences]
    return [sentence for sentence in found if sentence]


@pytest.mark.parametrize("on_disk", [False, True])
def test_an_update_keeps_rows_adds_counts_and_takes_in_new_words(tmp_path, on_disk):
    old = model_of(["the", "cat", "dog", "rare"], objective="cbow", n_negatives=7)
    old_counts = dict(zip(old.vocab.words, old.vocab.counts.tolist(), strict=True))
    sentences = [["the", "new", "dog", "once"], ["once", "odd"], ["new", "dog", "new"], ["dog"] * 50, ["odd"], ["rare"]]
    text = Vocabulary(1).build(sentences)
    path = tmp_path / "ids.i32" if on_disk else None
    model, corpus = updated_model(old, text, text.encode(sentences), min_count=2, seed=9, path=path)
    # once and odd occur twice each, new three times.
    counts = {"dog": 98 + 52, "the": 101, "cat": 99, "rare": 98, "new": 3, "odd": 2, "once": 2}
    assert old_counts == {"the": 100, "cat": 99, "dog": 98, "rare": 97}
    assert dict(zip(model.vocab.words, model.vocab.counts.tolist(), strict=True)) == counts
    assert model.vocab.words == ["dog", "the", "cat", "rare", "new", "odd", "once"]
    assert (model.objective, model.n_negatives, model.embed_dim, model.vocab.min_count) == ("cbow", 7, 4, 2)
    for word in old.vocab.words:
        assert np.array_equal(model[word], old[word])
        assert np.array_equal(model.W_out[model.vocab.index[word]], old.W_out[old.vocab.index[word]])
    fresh = Word2Vec(model.vocab, 4, seed=9)
    for word in ("new", "odd", "once"):
        assert np.array_equal(model[word], fresh[word])
        assert not model.W_out[model.vocab.index[word]].any()
    assert [sentence.tolist() for sentence in corpus.sentences()] == slowly(sentences, model.vocab)
    assert corpus.path == path


def test_new_words_that_are_rare_are_left_out_and_known_ones_are_not():
    old = model_of(["a", "b"])
    sentences = [["x", "a", "y"], ["z"], ["y", "x"], ["x"]]
    text = Vocabulary(1).build(sentences)
    model, corpus = updated_model(old, text, text.encode(sentences), min_count=3)
    assert model.vocab.words == ["a", "b", "x"]
    assert [sentence.tolist() for sentence in corpus.sentences()] == [[2, 0], [2], [2]]


def test_a_text_that_has_nothing_for_the_model():
    old = model_of(["a", "b"])
    text = Vocabulary(1).build([["x", "y"]])
    model, corpus = updated_model(old, text, text.encode([["x", "y"]]), min_count=2)
    assert (len(corpus), model.vocab.words) == (0, ["a", "b"])
    with pytest.raises(CorpusError, match="has 0 words"):
        Trainer(model, model.vocab, corpus)


def test_an_updated_model_learns_the_new_words_and_forgets_the_old_ones_not(small_tokens):
    """Trained on one half of a text and then on the other, in which some words are called otherwise."""
    lengths = small_tokens.sentence_lengths
    ends = np.cumsum(lengths).tolist()
    sentences = [small_tokens[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    first, second = sentences[::2], [["neo" + w if w == "king" else w for w in s] for s in sentences[1::2]]
    vocab = Vocabulary(2).build(first)
    settings = TrainSettings(epochs=10, workers=1)
    model = Word2Vec(vocab, 16)
    Trainer(model, vocab, vocab.encode(first), settings=settings).train(quiet=True)
    text = Vocabulary(1).build(second)
    new, corpus = updated_model(model, text, text.encode(second), min_count=2)
    assert "neoking" in new
    untrained = new.W_in.copy()
    start = Trainer(new, new.vocab, corpus, settings=settings)
    start.train(quiet=True)
    assert not np.array_equal(new.W_in, untrained)
    alone = Trainer(Word2Vec(new.vocab, 16), new.vocab, corpus, settings=settings)
    alone.train(quiet=True)
    # What it knew already shows in the loss from the first words on.
    assert start.loss_history[0].loss < 0.8 * alone.loss_history[0].loss
    assert new.similarity("neoking", "king") > 0.5


def test_any_corpus_of_ids_can_be_renumbered_to_nothing():
    corpus = Corpus(np.array([0, ~1, ~0], np.int32))
    assert len(corpus.renumbered(np.array([-1, -1], np.int32))) == 0
