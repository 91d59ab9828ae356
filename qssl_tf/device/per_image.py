"""`images.csv` of a device run: measured expectations and predicted classes of each image, for further analysis."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from qssl_tf.device.results import Outcome
from qssl_tf.files.write import write_text

TABLE = "images.csv"


def write_table(folder: Path, outcome: Outcome, class_names: Sequence[str], observables: Sequence[str]) -> None:
    """Write a row for each image, in the order in which they were measured.

    Args:
        folder: The device run's.
        outcome: Of the finished device run.
        class_names: In the order of the labels.
        observables: Name of each, such as `Z0Z1`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["position", "class", "predicted raw", "predicted mitigated", "predicted exact"]
        + [f"probability of {name}" for name in class_names]
        + [f"{kind} {name}" for kind in ("exact", "raw", "mitigated") for name in observables]
    )
    writer.writerows(_rows(outcome, class_names))
    write_text(folder / TABLE, text.getvalue())


def _rows(outcome: Outcome, class_names: Sequence[str]) -> Iterator[list[str]]:
    classifier = outcome.classifier
    expectations = (outcome.exact, outcome.raw, outcome.mitigated)
    positions = [""] * len(outcome.labels) if outcome.positions is None else outcome.positions
    labels = [outcome.labels, *map(classifier.predict, (outcome.raw, outcome.mitigated, outcome.exact))]
    numbers = np.hstack([classifier.probabilities(outcome.mitigated), *expectations])
    for position, classes, values in zip(positions, np.transpose(labels), numbers, strict=True):
        yield [str(position), *(class_names[label] for label in classes), *(f"{value:.8f}" for value in values)]
