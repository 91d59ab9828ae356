"""The distribution of each feature over images, with the means of the classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.markup import printable
from qssl_tf.plots.style import GRAY, OUTLINE, OUTLINE_WIDTH, PAGE, class_style, save_figure, styled, subplots


@styled
def expectation_distributions(
    path: Path, features: np.ndarray, labels: np.ndarray, names: Sequence[str], feature_names: Sequence[str]
) -> None:
    """Draw the distribution of each feature over all images, with the mean of each class.

    A feature whose class means coincide does not separate the classes; one with a narrow distribution carries little
    information at all.

    Args:
        path: The PNG file; an SVG of the same name is written beside it.
        features: Shape (n, features); expectations in [-1, 1] of a quantum head.
        labels: Shape (n,): indices into `names`, or UNLABELLED.
        names: Of the classes; without any, the distributions are drawn alone.
        feature_names: Such as `Z0`, in order.
    """
    count = features.shape[1]
    figure, axis = subplots(figsize=(PAGE, 2.6))
    columns = np.arange(count)
    varying = [column for column in columns if np.ptp(features[:, column]) > 0]  # a constant has no density
    if varying:
        violins: Any = axis.violinplot(
            [features[:, column] for column in varying], varying, widths=0.8, showextrema=False
        )
        for body in violins["bodies"]:
            body.set(facecolor=GRAY, alpha=0.35)
    handles, shown_names = [], []  # passed to the legend, which would skip labels that begin with `_`
    for number, name in enumerate(names):
        rows = labels == number
        if rows.any():
            handles += axis.plot(
                columns, features[rows].mean(axis=0), linestyle="none", markersize=3.5, markeredgecolor=OUTLINE,
                markeredgewidth=OUTLINE_WIDTH, **class_style(number),
            )  # fmt: skip
            shown_names.append(printable(name))
    axis.set_xticks(columns, feature_names, rotation=90 if count > 12 else 0)
    is_expectation = np.abs(features).max() <= 1 + 1e-6
    axis.set(xlabel="feature", ylabel="expectation (no unit)" if is_expectation else "feature (no unit)")
    if is_expectation:
        axis.set_ylim(-1.05, 1.05)
    if handles:
        axis.legend(
            handles, shown_names, title="mean of class", loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0.1
        )
    save_figure(figure, path)
