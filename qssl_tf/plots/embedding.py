"""The map of a representation: images as points in two dimensions."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from qssl_tf.data.splits import UNLABELLED
from qssl_tf.errors import UserError, unknown_name
from qssl_tf.markup import printable
from qssl_tf.plots.style import COLUMN, GRAY, OUTLINE, OUTLINE_WIDTH, mark, save_figure, styled, subplots

SHOWN = 2000  # points; more hide each other
LEAST = 4  # images


def _pca(features: np.ndarray, seed: int) -> tuple[np.ndarray, tuple[str, str]]:
    from sklearn.decomposition import PCA

    found = PCA(n_components=2, random_state=seed).fit(features)
    shares = 100 * found.explained_variance_ratio_
    first, second = (f"component {place} ({share:.0f} % of the variance)" for place, share in enumerate(shares, 1))
    return found.transform(features), (first, second)


def _tsne(features: np.ndarray, seed: int) -> tuple[np.ndarray, tuple[str, str]]:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(features) - 1) / 3)
    points = TSNE(n_components=2, init="pca", perplexity=perplexity, random_state=seed).fit_transform(features)
    return points, ("t-SNE, first axis (no unit)", "t-SNE, second axis (no unit)")


# Method -> function (features, seed) -> points, shape (n, 2), and the labels of the axes.
METHODS: dict[str, Callable[[np.ndarray, int], tuple[np.ndarray, tuple[str, str]]]] = {"pca": _pca, "tsne": _tsne}


def no_map(features: np.ndarray) -> str | None:
    """Return why features have no map, in a clause; None where they have one."""
    images, count = features.shape
    if images < LEAST or count < 2:
        return f"a map needs at least {LEAST} images and 2 features; got {images} and {count}"
    if not np.isfinite(features).all():
        return "the features are not finite"
    # Differences that rounding makes have no axes; t-SNE divides by their standard deviation, and crashes.
    if np.ptp(features, axis=0).max() <= 1e-6 * np.abs(features).max():
        return "all features are equal"
    return None


@styled
def embedding_map(
    path: Path, features: np.ndarray, labels: np.ndarray, names: Sequence[str], method: str = "pca", seed: int = 0
) -> np.ndarray:
    """Draw features as points, coloured and marked by class; at most 2,000 of them, the same for each seed.

    Args:
        path: The PNG file; an SVG of the same name is written beside it.
        features: Shape (n, features), n at least 4.
        labels: Shape (n,): places in `names`, or UNLABELLED; where there are no names all points are alike.
        names: Of the classes.
        method: `pca` (linear; distances mean something) or `tsne` (neighbours mean something, distances do not).
        seed: Of the choice of points and of t-SNE.

    Returns:
        The points that were drawn, shape (m, 2).

    Raises:
        UserError: An unknown method, fewer than 4 images or 2 features, or features that are all equal.
    """
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    if reason := no_map(features):
        raise UserError(f"`features` of a map must be of {LEAST} images or more, finite and not all equal; {reason}.")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(features))[:SHOWN])
    points, axis_names = METHODS[method](features[chosen], seed)
    figure, axis = subplots(figsize=(COLUMN, COLUMN * 0.9))
    kept = labels[chosen]
    looks = {number: (name, mark(number)) for number, name in enumerate(names or ("images",))}
    if names and (kept == UNLABELLED).any():
        looks = {UNLABELLED: ("unlabelled", {"color": GRAY, "marker": "."})} | looks
    drawn = {}
    for number, (_, look) in looks.items():
        rows = kept == number if names else np.full(len(kept), True)
        x, y = points[rows].T
        drawn[number] = axis.scatter(
            x, y, 7, alpha=0.8, edgecolors=OUTLINE, linewidths=OUTLINE_WIDTH, rasterized=True, **look
        )
    axis.set(xlabel=axis_names[0], ylabel=axis_names[1])
    if names:
        shown = [printable(name) for name, _ in looks.values()]
        axis.legend(
            drawn.values(), shown, markerscale=1.8, handletextpad=0.1, loc="center left", bbox_to_anchor=(1, 0.5)
        )
    save_figure(figure, path)
    return points
