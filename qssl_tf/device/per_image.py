"""`images.csv` of a device run: measured expectations and predicted classes of each image, for further analysis.

Spreadsheets run cells such as `=1+1` as formulas. A class of such a name has an apostrophe in front in the columns of
classes (`files/spreadsheet.py`); the heads of the probabilities begin with a word of ours and hold each name unchanged,
in the order of the labels, as `class_names` of `result.json` does.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from qssl_tf.device.results import Outcome
from qssl_tf.files.spreadsheet import cell, csv_text
from qssl_tf.files.write import write_text

TABLE = "images.csv"


def write_table(folder: Path, outcome: Outcome, class_names: Sequence[str], observables: Sequence[str]) -> None:
    """Write a row for each image, in the order in which they were measured.

    Standard errors are those of the mitigated expectations.

    Args:
        folder: The device run's.
        outcome: Of the finished device run.
        class_names: In the order of the labels.
        observables: Name of each, such as `Z0Z1`.
    """
    head = (
        ["position", "class", "predicted raw", "predicted mitigated", "predicted exact"]
        + [f"probability of {name}" for name in class_names]
        + [f"{kind} {name}" for kind in ("exact", "raw", "mitigated", "standard error of") for name in observables]
    )
    write_text(folder / TABLE, csv_text(head, _rows(outcome, class_names)))


def _rows(outcome: Outcome, class_names: Sequence[str]) -> Iterator[list[str]]:
    classifier, cells = outcome.classifier, [cell(name) for name in class_names]
    expectations = (outcome.exact, outcome.raw, outcome.mitigated, outcome.errors)
    positions = [""] * len(outcome.labels) if outcome.positions is None else outcome.positions
    labels = [outcome.labels, *map(classifier.predict, (outcome.raw, outcome.mitigated, outcome.exact))]
    numbers = np.hstack([classifier.probabilities(outcome.mitigated), *expectations])
    for position, classes, values in zip(positions, np.transpose(labels), numbers, strict=True):
        yield [str(position), *(cells[label] for label in classes), *(f"{value:.8f}" for value in values)]
