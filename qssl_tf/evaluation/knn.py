"""Classification by nearest neighbours in feature space: a first look at a representation, without any training."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from qssl_tf.data.images import ImageData
from qssl_tf.data.splits import Split
from qssl_tf.evaluation.features import frozen_features
from qssl_tf.evaluation.scores import Score, confusion_matrix, score
from qssl_tf.models.simclr import SimCLR

NEIGHBOURS = 20
# Images that a first look takes at most: the time goes with their product.
TRAIN_IMAGES, JUDGED_IMAGES = 100_000, 30_000


def knn_labels(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    features: np.ndarray,
    neighbours: int = NEIGHBOURS,
    temperature: float | None = None,
) -> np.ndarray:
    """Return the label with most votes among the nearest training rows, by cosine, of each row; shape (m,).

    Args:
        train_features: Shape (n, d).
        train_labels: Shape (n,).
        features: Shape (m, d).
        neighbours: How many rows vote; all n where there are fewer.
        temperature: Votes weigh exp(cosine / temperature) (arXiv:1805.01978, Section 3.4); None weighs all alike.
    """
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import normalize

    # On unit vectors Euclidean and cosine distance give the same order, and scikit-learn need not store all distances.
    classifier = KNeighborsClassifier(
        min(neighbours, len(train_labels)),
        weights="uniform" if temperature is None else partial(_votes, temperature=temperature),
        algorithm="brute",
        metric="euclidean",
    )
    classifier.fit(normalize(train_features), train_labels)
    return classifier.predict(normalize(features))


def _votes(distances: np.ndarray, temperature: float) -> np.ndarray:
    """Return exp((cosine - 1) / temperature), as |a - b|^2 = 2 - 2 cosine on unit vectors; none is too large."""
    return np.exp(-(distances**2) / (2 * temperature))


@dataclass(frozen=True)
class Neighbourhood:
    """Features of labelled training images, and of the images that they classify.

    Attributes:
        train_features: Shape (n, d).
        train_labels: Shape (n,).
        features: Shape (m, d).
        labels: Shape (m,).
        drawn: A clause that says how many images were drawn where there are too many; else empty.
    """

    train_features: np.ndarray
    train_labels: np.ndarray
    features: np.ndarray
    labels: np.ndarray
    drawn: str

    def predicted(self, neighbours: int = NEIGHBOURS, temperature: float | None = None) -> np.ndarray:
        """Return the label of each judged image, as `knn_labels` does."""
        return knn_labels(self.train_features, self.train_labels, self.features, neighbours, temperature)


def neighbourhood(model: SimCLR, data: ImageData, split: Split) -> Neighbourhood:
    """Return the features by which the labelled training images classify those of `split`."""
    labelled = data.train.labelled()
    train, judged = _drawn(labelled, TRAIN_IMAGES), _drawn(split, JUDGED_IMAGES)
    parts = ((train, labelled, "training images"), (judged, split, "judged"))
    drawn = [f"{len(part)} of {len(whole)} {what}" for part, whole, what in parts if len(part) < len(whole)]
    train_features, features = frozen_features(model, train.images), frozen_features(model, judged.images)
    return Neighbourhood(train_features, train.labels, features, judged.labels, ", ".join(drawn))


def knn_score(model: SimCLR, data: ImageData, split: Split) -> tuple[Score, int, str]:
    """Return how well the labelled training images classify those of `split`.

    Returns:
        The score, the number of features, and a clause that says how many images were drawn where there are too many.
    """
    found = neighbourhood(model, data, split)
    scored = score(confusion_matrix(found.labels, found.predicted(), len(data.class_names)))
    return scored, found.features.shape[1], f" ({found.drawn})" if found.drawn else ""


def _drawn(split: Split, count: int) -> Split:
    """Return a split of at most `count` images, drawn at random but always the same ones."""
    if len(split) <= count:
        return split
    return split.take(np.sort(np.random.default_rng(0).permutation(len(split))[:count]))
