"""A linear classifier that was trained on frozen features."""

import hashlib
from dataclasses import dataclass

import numpy as np
from scipy import special


@dataclass(frozen=True)
class LinearFit:
    """A trained classifier.

    Attributes:
        kernel: Shape (features, classes).
        bias: Shape (classes,).
        test_accuracy: In percent, after each epoch.
    """

    kernel: np.ndarray
    bias: np.ndarray
    test_accuracy: list[float]

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the label of each row of features, shape (n,)."""
        return np.argmax(features @ self.kernel + self.bias, axis=1)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return the softmax over the classes for each row of features, shape (n, classes)."""
        return special.softmax(features @ self.kernel + self.bias, axis=1)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the weights, by which a probe's result identifies its classifier."""
        return hashlib.sha256(self.kernel.tobytes() + self.bias.tobytes()).hexdigest()
