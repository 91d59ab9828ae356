"""What an evaluator yields: pairs of a name and a reading, which is a value with all that puts it into proportion."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from qssl_tf.evaluation.scores import Score, confusion_matrix, score, wilson
from qssl_tf.evaluation.statistics import summary

PERCENT = "%"


@dataclass(frozen=True)
class Reading:
    """One value of an evaluation.

    Attributes:
        value: The value, in `unit`.
        unit: `%` of accuracies and shares, `points` of their differences; empty for plain numbers.
        low: Lower end of the 95 % interval; None where there is none.
        high: Upper end.
        over: What the interval is over: `images`, `draws` or `seeds`; empty where there is none.
        balanced: Of an accuracy, the balanced accuracy in percent: the mean of the per-class accuracies.
        majority: Of an accuracy, the share of the largest class in percent: what always naming it would reach.
        note: How many images, features and the like it is of.
    """

    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    over: str = ""
    balanced: float | None = None
    majority: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `evaluation.json` holds them."""
        return asdict(self)


# What an evaluator yields, one pair after the other.
Readings = Iterator[tuple[str, Reading]]


def judged_labels(labels: np.ndarray, predicted: np.ndarray, classes: int) -> Score:
    """Return the accuracies of predicted labels, both of shape (n,)."""
    return score(confusion_matrix(labels, predicted, classes))


def accuracy(labels: np.ndarray, predicted: np.ndarray, classes: int, note: str = "") -> Reading:
    """Return an accuracy with its interval over the choice of images (Wilson), and its balance of classes.

    Args:
        labels: True labels, shape (n,).
        predicted: Shape (n,).
        classes: Number of classes.
        note: What else is to be known.
    """
    scored = judged_labels(labels, predicted, classes)
    low, high = wilson(int(np.sum(labels == predicted)), len(labels))
    return Reading(scored.accuracy, PERCENT, low, high, "images", scored.balanced, scored.majority, note)


def mean_accuracy(scores: Sequence[Score], over: str, note: str = "") -> Reading:
    """Return the mean of accuracies with Student's interval over draws or seeds, cut off at 0 and 100 %.

    Args:
        scores: Of each draw or seed, of the same images.
        over: `draws` or `seeds`.
        note: What else is to be known.
    """
    accuracies = summary([one.accuracy for one in scores])
    low, high = np.clip(accuracies.interval, 0.0, 100.0).tolist() if accuracies.interval else (None, None)
    balanced = float(np.mean([one.balanced for one in scores]))
    majority = float(np.mean([one.majority for one in scores]))
    return Reading(accuracies.mean, PERCENT, low, high, over, balanced, majority, note)
