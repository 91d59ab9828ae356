"""Figures of the quantum states and of the device. Each function returns whether there was anything to draw."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.evaluation.published import published_confusion
from qssl_tf.plots.style import BLUE, ORANGE, PAGE, save_figure, styled, subplots
from qssl_tf.studies.records import Record

LABELS = {
    "loss": "NT-Xent loss (nats)",
    "positive_overlap": "overlap of two views\nof an image",
    "hilbert_schmidt_distance": "Hilbert-Schmidt distance\nof a pair to all others",
    "purity_pair": "purity of a pair",
    "purity_others": "purity of all others",
}


@styled
def draw_states(path: Path, records: Sequence[Record], published: Sequence[Mapping[str, float]]) -> bool:
    """Draw loss and geometry of the two-class runs, a line for each seed, and the published points."""
    figure, grid = subplots(2, 3, figsize=(PAGE, 4.2))
    axes = grid.flat
    for axis, (name, label) in zip(axes, LABELS.items(), strict=False):
        for record in records:
            if name == "loss":
                points = list(enumerate(record.losses, start=1))
            else:
                points = [(int(row["step"]), row[name]) for row in record.geometry]
            axis.plot(*zip(*points, strict=True), color=BLUE, alpha=0.7, label=f"ours ({len(records)} seeds)")
        axis.plot(
            [row["batch"] for row in published],
            [row[name] for row in published],
            "d",
            color=ORANGE,
            label="published (1 run)",
        )
        axis.set(xlabel="training batches", ylabel=label)
    handles, labels = axes[0].get_legend_handles_labels()
    handle_of = dict(zip(labels, handles, strict=True))
    axes[len(LABELS)].axis("off")
    axes[len(LABELS)].legend(handle_of.values(), handle_of.keys(), loc="center")
    save_figure(figure, path)
    return bool(records)


@styled
def draw_device(path: Path, device: Mapping[str, Any]) -> bool:
    """Draw the confusion matrices of exact simulation, of the snapshot and of the published device run."""
    published, names = published_confusion("ring")
    panels = {
        f"exact: {device['accuracy_exact']:.1f} %": device["confusion_exact"],
        f"{device['backend']}: {device['accuracy']:.1f} %": device["confusion"],
        f"published, ibmq_paris: {100 * np.trace(published) / np.sum(published):.1f} %": published,
    }
    figure, axes = subplots(1, len(panels), figsize=(PAGE, 3.0), sharey=True)
    for axis, (title, counts) in zip(axes, panels.items(), strict=True):
        matrix = np.array(counts)
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for true, predicted in np.ndindex(matrix.shape):
            axis.text(predicted, true, str(matrix[true, predicted]), ha="center", va="center",
                      color="white" if shares[true, predicted] > 0.5 else "black")  # fmt: skip
        axis.set_title(title)
        axis.set_xlabel("predicted class")
        axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axis.set_yticks(range(len(names)), names)
    axes[0].set_ylabel("true class")
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.6)
    save_figure(figure, path)
    return True
