"""Words on a plane: where each is drawn, and which are drawn in one colour. Arrays only; pictures and pages share it."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from parw2v.errors import SettingsError

METHODS = ("tsne", "pca")
TSNE_STEPS = 1000
"""Steps of gradient descent, scikit-learn's default."""

_FEWEST_FOR_TSNE = 5
_FEW = 2000
"""Beyond, distant points are summed up more coarsely: a third faster at 4,000, trustworthiness .917 instead of .919."""


def describe(method: str, n: int) -> str:
    """What `lay_out` does with `n` vectors, for a caption: "t-SNE" or "PCA"."""
    return "t-SNE" if method == "tsne" and n >= _FEWEST_FOR_TSNE else "PCA"


def lay_out(
    vectors: npt.NDArray[np.float64],
    method: str = "tsne",
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> npt.NDArray[np.float64]:
    """Place vectors on a plane, similar ones together.

    Parameters
    ----------
    vectors : (n, D) float64
        Unit vectors, for which Euclidean distance orders neighbours as the cosine does. n is at least 1.
    method : {"tsne", "pca"}
        t-SNE [1]_ from a start at the principal components, or the first two principal components themselves,
        which are also what fewer than five vectors get.
    seed : int
        The same seed gives the same places.
    progress : callable, optional
        Told the number of steps that t-SNE has made of `TSNE_STEPS`, every 50. Standard output is caught meanwhile.

    Returns
    -------
    (n, 2) float64

    Raises
    ------
    SettingsError
        There is no such method.

    References
    ----------
    .. [1] van der Maaten, Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008; start and learning rate as in Kobak,
       Berens, "The art of using t-SNE for single-cell transcriptomics", Nature Communications 10, 2019.
    """
    if method not in METHODS:
        raise SettingsError(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
    from threadpoolctl import threadpool_limits

    # One thread: sums taken in another order would draw another picture.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no variance, where all vectors are equal
        xy = _principal_components(vectors, seed)
        if describe(method, len(vectors)) != "t-SNE":
            return xy
        return _tsne(vectors, xy, seed, progress)


def clusters(vectors: npt.NDArray[np.float64], most: int, seed: int = 0) -> npt.NDArray[np.intp]:
    """Sort vectors into at most `most` groups, about twelve to a group where there are few (k-means).

    Returns
    -------
    (n,) intp
        The number of each one's group; group 0 is the largest.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    n = len(vectors)
    if n < _FEWEST_FOR_TSNE:
        return np.arange(n) % most
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct rows than clusters
        k = min(most, max(2, n // 12))
        label = KMeans(k, n_init=4, random_state=seed).fit_predict(vectors)
    rank = np.empty(k, np.intp)
    rank[np.argsort(-np.bincount(label, minlength=k), kind="stable")] = np.arange(k)
    ranked: npt.NDArray[np.intp] = rank[label]
    return ranked


def _principal_components(vectors: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    """Return (n, 2); zeros where there are fewer than two components."""
    from sklearn.decomposition import PCA

    n, dim = vectors.shape
    xy = np.zeros((n, 2))
    k = min(n, dim, 2)
    if n > 1:
        xy[:, :k] = PCA(k, random_state=seed).fit_transform(vectors)
    return xy


def _tsne(
    vectors: npt.NDArray[np.float64],
    xy: npt.NDArray[np.float64],
    seed: int,
    progress: Callable[[int], None] | None,
) -> npt.NDArray[np.float64]:
    from sklearn.manifold import TSNE

    n = len(vectors)
    # The start t-SNE asks for: principal components scaled to 1e-4; the noise parts words with equal vectors.
    start = 1e-4 * xy / (xy[:, 0].std() or 1.0) + np.random.default_rng(seed).normal(0, 1e-6, (n, 2))
    tsne = TSNE(
        perplexity=min(30.0, (n - 1) / 3),
        init=start.astype(np.float32),
        random_state=seed,
        angle=0.5 if n <= _FEW else 0.8,
        verbose=2 if progress else 0,
    )
    with contextlib.redirect_stdout(_Steps(progress)) if progress else contextlib.nullcontext():
        return np.asarray(tsne.fit_transform(vectors), dtype=np.float64)


class _Steps(io.TextIOBase):
    """Takes what scikit-learn prints and passes the numbers of steps on; there is no other way to learn of them."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self.progress = progress

    def write(self, text: str) -> int:
        if found := re.search(r"Iteration (\d+)", text):
            self.progress(int(found[1]))
        return len(text)
