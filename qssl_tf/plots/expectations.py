"""What each feature of a head says: the distribution of every expectation over images, and the means of the classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.markup import printable
from qssl_tf.plots.style import GRAY, OUTLINE, OUTLINE_WIDTH, PAGE, mark, save_figure, styled, subplots


@styled
def expectation_distributions(
    path: Path, features: np.ndarray, labels: np.ndarray, names: Sequence[str], feature_names: Sequence[str]
) -> None:
    """Draw the distribution of each feature over all images, with the mean of each class.

    A feature whose class means lie together tells no classes apart; one whose whole distribution is narrow carries
    little at all.

    Args:
        path: The PNG file; an SVG of the same name is written beside it.
        features: Shape (n, features); expectations in [-1, 1] of a quantum head.
        labels: Shape (n,): places in `names`, or UNLABELLED.
        names: Of the classes; none draws the distributions alone.
        feature_names: Such as `Z0`, in order.
    """
    count = features.shape[1]
    figure, axis = subplots(figsize=(PAGE, 2.6))
    places = np.arange(count)
    moving = [place for place in places if np.ptp(features[:, place]) > 0]  # of a constant there is no density
    if moving:
        bodies: Any = axis.violinplot([features[:, place] for place in moving], moving, widths=0.8, showextrema=False)
        for body in bodies["bodies"]:
            body.set(facecolor=GRAY, alpha=0.35)
    drawn, shown = [], []  # handed to the legend, which by itself leaves out names that begin with `_`
    for number, name in enumerate(names):
        rows = labels == number
        if rows.any():
            drawn += axis.plot(
                places, features[rows].mean(axis=0), linestyle="none", markersize=3.5, markeredgecolor=OUTLINE,
                markeredgewidth=OUTLINE_WIDTH, **mark(number),
            )  # fmt: skip
            shown.append(printable(name))
    axis.set_xticks(places, feature_names, rotation=90 if count > 12 else 0)
    is_expectation = np.abs(features).max() <= 1 + 1e-6
    axis.set(xlabel="feature", ylabel="expectation (no unit)" if is_expectation else "feature (no unit)")
    if is_expectation:
        axis.set_ylim(-1.05, 1.05)
    if drawn:
        axis.legend(drawn, shown, title="mean of class", loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0.1)
    save_figure(figure, path)
