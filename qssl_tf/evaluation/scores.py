"""How often a classifier is right, beside what it takes to be right that often without looking at an image."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Score:
    """Accuracies on some images, all in percent.

    Attributes:
        accuracy: Images told right.
        balanced: Mean over the classes of the share of their images that was told right.
        majority: Images of the largest class: the accuracy of always naming it.
    """

    accuracy: float
    balanced: float
    majority: float

    def __str__(self) -> str:
        """Return the three in words, the accuracy first."""
        return f"{self.accuracy:.1f} % ({self.beside})"

    @property
    def beside(self) -> str:
        """What belongs beside an accuracy, in words."""
        return f"balanced {self.balanced:.1f} %, largest class {self.majority:.1f} %"


def score(confusion: Sequence[Sequence[int]] | np.ndarray) -> Score:
    """Return what a confusion matrix says; classes without images do not count.

    Args:
        confusion: Counts, rows true classes, columns predicted ones; at least one image.
    """
    from sklearn.metrics import balanced_accuracy_score

    counts = np.asarray(confusion)
    true, predicted = np.nonzero(counts)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
        balanced = balanced_accuracy_score(true, predicted, sample_weight=counts[true, predicted])
    total = counts.sum()
    return Score(
        100 * float(np.trace(counts) / total), 100 * float(balanced), 100 * float(counts.sum(axis=1).max() / total)
    )


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return counts, shape (classes, classes): rows true, columns predicted."""
    from sklearn.metrics import confusion_matrix as count

    return count(labels, predicted, labels=np.arange(classes))
