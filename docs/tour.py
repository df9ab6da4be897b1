# %% [markdown]
# # A tour
#
# Train word vectors on the built-in text, look at them, score them, draw them, write them for other programs, train them
# further. It takes well under a minute. The text is 240,000 words of plain English written from templates, so small that it
# is learnt in seconds; on real text everything works the same way.

# %%
import parw2v
from parw2v import Trainer, TrainSettings, Vocabulary, Word2Vec

tokens = parw2v.load_sample_corpus()
vocab = Vocabulary(min_count=2).build(tokens)
corpus = vocab.encode(tokens)
print(" ".join(tokens[:12]), "...")
print(f"{len(corpus):,} words, {len(vocab):,} different ones; the most frequent: {', '.join(vocab.words[:8])}")

# %% [markdown]
# ## Train
#
# One worker here, so that the result is the same to the bit at every run; all cores unless told. The function looks on after
# each epoch.


# %%
def look(epoch, loss, snapshot):
    if (epoch + 1) % 5 == 0:
        nearest = ", ".join(word for word, _ in snapshot().most_similar("king", top_n=3))
        print(f"epoch {epoch + 1:2}: loss {loss:.3f}, king is near {nearest}")


model = Word2Vec(vocab, embed_dim=50)
trainer = Trainer(model, vocab, corpus, settings=TrainSettings(epochs=20, workers=1))
_ = trainer.train(quiet=True, on_epoch=[look])

# %% [markdown]
# ## The loss
#
# It is measured before each step, so it starts at (1 + K) ln 2 = 4.16 for K = 5: all scores are 0 then (see [the
# mathematics](maths.md#the-sigmoid-and-the-loss)). The first record is a mean over the first few steps.

# %%
from parw2v.plots import plot_loss


def show(picture):
    """In a notebook the picture, elsewhere its name."""
    try:
        from IPython.display import Image, display
    except ImportError:
        print(picture)
    else:
        display(Image(filename=str(picture), width=600))


history = trainer.loss_history
first, last = history[0], history[-1]
print(f"first {first.loss:.3f}, last {last.loss:.3f}, learning rate {first.lr:.4f} to {last.lr:.4f}")
show(plot_loss(history, "loss.png"))

# %% [markdown]
# ## Ask

# %%
for word in ("king", "paris", "walked"):
    print(f"{word:8}", ", ".join(f"{other} {cosine:.2f}" for other, cosine in model.most_similar(word, top_n=5)))

# %%
print("king - man + woman =", model.analogy("king", "man", "woman")[0][0])
print("paris - france + italy =", model.most_similar(["paris", "italy"], ["france"], top_n=1)[0][0])
print("the odd one:", model.doesnt_match(["cat", "dog", "horse", "france"]))
for other in ("queen", "bread"):
    print(f"king and {other}: {model.similarity('king', other):.2f}")

# %% [markdown]
# ## Score
#
# The built-in analogies; files in the form of questions-words.txt are read by `read_analogies`.

# %%
from parw2v.evaluation import builtin_analogies

report = parw2v.evaluate_analogies(model.unit_vectors, model.words, builtin_analogies())
print(report)

# %% [markdown]
# ## Draw
#
# The most frequent words on a plane. `write_view` makes a page to look around in, as `parw2v view` does.

# %%
from parw2v.plots import plot_tsne

show(plot_tsne(model.unit_vectors, model.words, "words.png", n_words=200))
page = parw2v.write_view(model, "words.html", max_words=300, method="pca")
print(f"words.html: {page.stat().st_size // 1000} kB")

# %% [markdown]
# ## Write, and read
#
# `save` keeps all in one NumPy archive. `export_vectors` writes what other programs read: here word2vec's binary format.

# %%
model.save("model")
parw2v.export_vectors(model, "vectors.bin", fvocab="counts.txt")
again = parw2v.load_vectors("vectors.bin")
print(Word2Vec.load("model"), "and", again)
print("the same vectors:", bool((again.W_in == model.W_in).all()))

# %% [markdown]
# ## Go on
#
# A new text brings new words, quokka and sleeps. `updated_model` keeps all vectors, adds up counts and takes new words in;
# training goes on from there.

# %%
sentences = [["the", animal, "sleeps", "in", "the", "house"] for animal in ("cat", "dog", "quokka")] * 50
text = Vocabulary(min_count=1).build(sentences)
newer, more = parw2v.updated_model(model, text, text.encode(sentences))
Trainer(newer, newer.vocab, more, settings=TrainSettings(epochs=10, workers=1, sample=0)).train(quiet=True)
print(f"{len(model):,} words, now {len(newer):,}")
print("quokka:", ", ".join(word for word, _ in newer.most_similar("quokka", top_n=4)))
