"""Figures of a run: its training, views and probes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from qssl_tf.markup import printable
from qssl_tf.plots.style import BLUE, COLUMN, GRAY, GREEN, ORANGE, PAGE, save_figure, styled, subplots


@styled
def loss_curve(path: Path, rows: Sequence[dict[str, str]], title: str, equal_loss: float | None) -> None:
    """Draw loss and contrastive accuracy against the training step, and that of the online probe where there is one.

    Args:
        path: The PNG file; an SVG of the same name is written beside it.
        rows: Rows of `history.csv`.
        title: Name of the loss, with its unit if it has one.
        equal_loss: Loss if all embeddings are equal, drawn as a line; None draws none.
    """
    steps = [int(row["step"]) for row in rows]
    figure, (left, right) = subplots(1, 2, figsize=(PAGE, 2.6))
    left.plot(steps, [float(row["loss"]) for row in rows], color=BLUE, linewidth=1)
    if equal_loss is not None:
        left.axhline(equal_loss, color=GRAY, linestyle="--", linewidth=1, label="all embeddings equal")
        left.legend()
    left.set(xlabel="training step", ylabel=title)
    contrastive = "contrastive top-1"
    right.plot(steps, _percent(rows, "contrastive_accuracy"), color=ORANGE, linewidth=1, label=contrastive)
    if "online_accuracy" in rows[0]:
        online = "online probe, views of the batch"
        right.plot(steps, _percent(rows, "online_accuracy"), color=GREEN, linewidth=1, label=online)
        right.legend()
        contrastive = ""
    right.set(xlabel="training step", ylabel=f"{contrastive} accuracy (%)".lstrip(), ylim=(0, None))
    _whole_steps(left, right)
    save_figure(figure, path)


def _percent(rows: Sequence[dict[str, str]], column: str) -> list[float]:
    return [100 * float(row[column]) for row in rows]


def _whole_steps(*axes: Axes) -> None:
    """Let no tick of an axis of steps stand between two of them."""
    for axis in axes:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


@styled
def view_sheet(path: Path, images: np.ndarray, view_a: np.ndarray, view_b: np.ndarray) -> None:
    """Draw images above their two augmented views; floats in [0, 1], shape (n, height, width, channels)."""
    figure, axes = subplots(3, len(images), figsize=(PAGE, 0.1 + 3.1 * PAGE / len(images)))
    for row, (name, sheet) in enumerate((("image", images), ("view a", view_a), ("view b", view_b))):
        for column, picture in enumerate(sheet):
            axis = axes[row, column]
            axis.imshow(picture[..., 0] if picture.shape[-1] == 1 else picture, cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
        axes[row, 0].set_ylabel(name)
    save_figure(figure, path)


@styled
def confusion(path: Path, counts: np.ndarray, names: Sequence[str], title: str) -> None:
    """Draw a confusion matrix: each row is a true class, shaded by its share and labelled with its counts."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 1.4 + 0.34 * len(names)
    figure, axis = subplots(figsize=(side + 0.8, side))
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true, predicted in np.ndindex(counts.shape):
        colour = "white" if shares[true, predicted] > 0.5 else "black"
        axis.text(predicted, true, str(counts[true, predicted]), ha="center", va="center", color=colour, fontsize=7)
    names = [printable(name) for name in names]  # those of a shared run may hold any characters
    ticks, is_slanted = range(len(names)), max(map(len, names)) > 2
    axis.set_xticks(ticks, names, rotation=45 if is_slanted else 0, ha="right" if is_slanted else "center")
    axis.set_yticks(ticks, names)
    axis.set(xlabel="predicted class", ylabel="true class", title=title)
    figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.8)
    save_figure(figure, path)


@styled
def accuracy_curve(
    path: Path, steps: Sequence[int], last: Sequence[float], best: Sequence[float], majority: float, split: str
) -> None:
    """Draw probe accuracy on `split` against the training step of the checkpoint, in percent.

    Args:
        path: The PNG file; an SVG of the same name is written beside it.
        steps: Of the checkpoints.
        last: Accuracy after the last epoch of each probe.
        best: Accuracy after its best epoch.
        majority: Share of the largest class in the evaluated images, drawn as a line.
        split: The evaluated split.
    """
    figure, axis = subplots(figsize=(COLUMN, 2.6))
    axis.plot(steps, last, "o-", color=BLUE, label="last epoch")
    axis.plot(steps, best, "o--", color=ORANGE, markersize=3, linewidth=1, label=f"best epoch (chosen on {split} data)")
    axis.axhline(majority, color=GRAY, linestyle=":", linewidth=1, label=f"largest class ({majority:.1f} %)")
    axis.set(xlabel="training step of the checkpoint", ylabel=f"linear-probe {split} accuracy (%)")
    _whole_steps(axis)
    axis.legend()
    save_figure(figure, path)
