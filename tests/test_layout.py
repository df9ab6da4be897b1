"""Similar words lie together, whatever the method, however few there are."""

import numpy as np
import pytest

from parw2v.errors import SettingsError
from parw2v.layout import TSNE_STEPS, clusters, describe, lay_out


def unit_rows(n, dimension, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, dimension))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


OWN = np.repeat(np.arange(4), 30)


def clustered(dimension=20):
    """Four clusters of thirty vectors."""
    return unit_rows(4, dimension)[OWN] + 0.4 * unit_rows(120, dimension, seed=1)


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_similar_words_lie_together(method):
    xy = lay_out(clustered(), method)
    distances = np.linalg.norm(xy[:, None] - xy, axis=2) + np.diag(np.full(120, np.inf))
    assert (OWN[distances.argmin(axis=1)] == OWN).mean() > (0.99 if method == "tsne" else 0.9)


def test_principal_components_by_hand():
    vectors = clustered()
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    xy = lay_out(vectors, "pca")
    np.testing.assert_allclose(abs(xy), abs(centred @ axes[:, :-3:-1]), atol=1e-10)


def test_the_same_seed_gives_the_same_places():
    a, b, c = (lay_out(clustered(), seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize("method", ["tsne", "pca"])
@pytest.mark.parametrize(("n", "dimension"), [(1, 1), (1, 5), (2, 3), (4, 4), (5, 1), (5, 4), (12, 1), (12, 2)])
def test_few(method, n, dimension):
    xy = lay_out(unit_rows(n, dimension), method)
    assert xy.shape == (n, 2)
    assert np.isfinite(xy).all()
    assert describe(method, n) == ("t-SNE" if method == "tsne" and n >= 5 else "PCA")


@pytest.mark.parametrize("method", ["tsne", "pca"])
@pytest.mark.parametrize("n", [3, 40])
def test_equal_vectors(method, n, recwarn):
    assert np.isfinite(lay_out(np.zeros((n, 4)), method)).all()
    assert set(clusters(np.zeros((n, 4)), 12)) <= set(range(12))
    assert not recwarn.list


def test_progress_tells_every_step_and_prints_nothing(capfd):
    told = []
    quiet = lay_out(clustered(), seed=3)
    assert np.array_equal(lay_out(clustered(), seed=3, progress=told.append), quiet)
    assert told == sorted(told)
    assert told[0] == 50
    assert 500 <= told[-1] <= TSNE_STEPS  # it may stop early
    assert capfd.readouterr() == ("", "")


def test_an_unknown_method_is_refused():
    with pytest.raises(SettingsError, match=r"method is 'umap'; it must be one of tsne, pca"):
        lay_out(unit_rows(9, 3), "umap")


def test_groups():
    rows = np.concatenate([np.flatnonzero(OWN == 2), np.arange(120)])  # the third cluster is twice as large
    label = clusters(clustered()[rows], 4)
    assert all(len(set(label[OWN[rows] == k])) == 1 for k in range(4))
    assert sorted(set(label)) == [0, 1, 2, 3]
    assert label[0] == 0, "the largest comes first"


@pytest.mark.parametrize(
    ("n", "most", "expected"), [(1, 12, 1), (4, 12, 4), (4, 2, 2), (5, 12, 2), (60, 12, 5), (600, 12, 12)]
)
def test_number_of_groups(n, most, expected):
    assert len(set(clusters(unit_rows(n, 6), most))) == expected
