"""Accuracy of a classifier, beside the accuracy that needs no look at an image: that of the largest class."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qssl_tf.files.schema import MAX_COUNT


@dataclass(frozen=True)
class Score:
    """Accuracies on some images, all in percent.

    Attributes:
        accuracy: Share of images classified correctly.
        balanced: Mean of the per-class accuracies.
        majority: Share of the largest class: the accuracy of always predicting it.
    """

    accuracy: float
    balanced: float
    majority: float

    def __str__(self) -> str:
        """Return the three in words, the accuracy first."""
        return f"{self.accuracy:.1f} % ({self.beside})"

    @property
    def beside(self) -> str:
        """What puts an accuracy into proportion, in words."""
        return f"balanced {self.balanced:.1f} %, largest class {self.majority:.1f} %"


def score(confusion: Sequence[Sequence[int]] | np.ndarray) -> Score:
    """Return the accuracies of a confusion matrix; classes without images do not count.

    Args:
        confusion: Counts, rows true classes, columns predicted ones; at least one image.
    """
    from sklearn.metrics import balanced_accuracy_score

    counts = np.asarray(confusion)
    true, predicted = np.nonzero(counts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes without images, and of a single class
        balanced = balanced_accuracy_score(true, predicted, sample_weight=counts[true, predicted])
    total = counts.sum()
    return Score(
        100 * float(np.trace(counts) / total), 100 * float(balanced), 100 * float(counts.sum(axis=1).max() / total)
    )


def with_class_balance(values: Any) -> Any:
    """Add `balanced_accuracy` and `majority_share` to a result read from a file, where an older version wrote neither.

    The file may come from anybody: values without a valid confusion matrix are returned as they are.
    """
    try:
        counts = np.array(values["confusion"], np.int64)
    except (ValueError, TypeError, KeyError, OverflowError):
        return values
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size or not counts.min() >= 0:
        return values
    if counts.max() > MAX_COUNT or not counts.any():
        return values
    scores = score(counts)
    return {"balanced_accuracy": scores.balanced, "majority_share": scores.majority} | values


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return counts, shape (classes, classes): rows true, columns predicted."""
    from sklearn.metrics import confusion_matrix as count

    return count(labels, predicted, labels=np.arange(classes))


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of an accuracy, in percent, over the choice of images (Wilson, JASA 22, 1927).

    Args:
        hits: Images classified correctly.
        count: All images.
    """
    from scipy import stats  # here, so that `--help` does not wait for SciPy

    interval = stats.binomtest(hits, count).proportion_ci(0.95, method="wilson")
    return max(0.0, float(100 * interval.low)), min(100.0, float(100 * interval.high))
