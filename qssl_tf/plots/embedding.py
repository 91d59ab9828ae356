"""Two-dimensional maps of features, one point for each image."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from qssl_tf.data.splits import UNLABELLED
from qssl_tf.errors import UserError, unknown_name
from qssl_tf.markup import printable
from qssl_tf.plots.style import COLUMN, GRAY, OUTLINE, OUTLINE_WIDTH, class_style, save_figure, styled, subplots

MAX_POINTS = 2000  # more would hide each other
MIN_IMAGES = 4


def _pca(features: np.ndarray, seed: int) -> tuple[np.ndarray, tuple[str, str]]:
    from sklearn.decomposition import PCA

    pca = PCA(n_components=2, random_state=seed).fit(features)
    shares = 100 * pca.explained_variance_ratio_
    first, second = (f"component {number} ({share:.0f} % of the variance)" for number, share in enumerate(shares, 1))
    return pca.transform(features), (first, second)


def _tsne(features: np.ndarray, seed: int) -> tuple[np.ndarray, tuple[str, str]]:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(features) - 1) / 3)
    points = TSNE(n_components=2, init="pca", perplexity=perplexity, random_state=seed).fit_transform(features)
    return points, ("t-SNE, first axis (no unit)", "t-SNE, second axis (no unit)")


# Method -> function (features, seed) -> points, shape (n, 2), and the labels of the axes.
METHODS: dict[str, Callable[[np.ndarray, int], tuple[np.ndarray, tuple[str, str]]]] = {"pca": _pca, "tsne": _tsne}


def why_no_map(features: np.ndarray) -> str | None:
    """Return the reason, a clause, why features cannot be mapped; None if they can."""
    images, count = features.shape
    if images < MIN_IMAGES or count < 2:
        return f"a map needs at least {MIN_IMAGES} images and 2 features; got {images} and {count}"
    if not np.isfinite(features).all():
        return "the features are not finite"
    # Features that differ by rounding alone have no principal axes; t-SNE divides by their deviation and crashes.
    if np.ptp(features, axis=0).max() <= 1e-6 * np.abs(features).max():
        return "all features are equal"
    return None


@styled
def embedding_map(
    path: Path, features: np.ndarray, labels: np.ndarray, names: Sequence[str], method: str = "pca", seed: int = 0
) -> np.ndarray:
    """Draw features as points, coloured and marked by class; at most 2,000, chosen by `seed`.

    Args:
        path: The PNG file; an SVG of the same name is written beside it.
        features: Shape (n, features), n at least 4.
        labels: Shape (n,): indices into `names`, or UNLABELLED.
        names: Of the classes; without any, all points look alike.
        method: `pca` (linear: distances are meaningful) or `tsne` (neighbours are meaningful, distances are not).
        seed: Of the choice of points and of t-SNE.

    Returns:
        The points, shape (m, 2).

    Raises:
        UserError: The method is unknown, there are fewer than 4 images or 2 features, or all features are equal.
    """
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    if reason := why_no_map(features):
        raise UserError(
            f"`features` of a map must be of {MIN_IMAGES} images or more, finite and not all equal; {reason}."
        )
    chosen = np.sort(np.random.default_rng(seed).permutation(len(features))[:MAX_POINTS])
    points, axis_names = METHODS[method](features[chosen], seed)
    figure, axis = subplots(figsize=(COLUMN, COLUMN * 0.9))
    point_labels = labels[chosen]
    styles = {number: (name, class_style(number)) for number, name in enumerate(names or ("images",))}
    if names and (point_labels == UNLABELLED).any():
        styles = {UNLABELLED: ("unlabelled", {"color": GRAY, "marker": "."})} | styles
    handles = []
    for number, (_, style) in styles.items():
        rows = point_labels == number if names else np.full(len(point_labels), True)
        x, y = points[rows].T
        handles.append(
            axis.scatter(x, y, 7, alpha=0.8, edgecolors=OUTLINE, linewidths=OUTLINE_WIDTH, rasterized=True, **style)
        )
    axis.set(xlabel=axis_names[0], ylabel=axis_names[1])
    if names:
        class_names = [printable(name) for name, _ in styles.values()]
        axis.legend(
            handles, class_names, markerscale=1.8, handletextpad=0.1, loc="center left", bbox_to_anchor=(1, 0.5)
        )
    save_figure(figure, path)
    return points
