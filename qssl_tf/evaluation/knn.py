"""Classification by nearest neighbours in feature space: a first look at a representation, without any training."""

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
    train_features: np.ndarray, train_labels: np.ndarray, features: np.ndarray, neighbours: int = NEIGHBOURS
) -> np.ndarray:
    """Return the majority label among the nearest training rows, by cosine distance, of each row; shape (m,).

    Args:
        train_features: Shape (n, d).
        train_labels: Shape (n,).
        features: Shape (m, d).
        neighbours: How many rows vote, with equal weights; all n where there are fewer.
    """
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import normalize

    # On unit vectors Euclidean and cosine distance give the same order, and scikit-learn need not store all distances.
    classifier = KNeighborsClassifier(min(neighbours, len(train_labels)), algorithm="brute", metric="euclidean")
    classifier.fit(normalize(train_features), train_labels)
    return classifier.predict(normalize(features))


def knn_score(model: SimCLR, data: ImageData, split: Split) -> tuple[Score, int, str]:
    """Return how well the labelled training images classify those of `split`.

    Returns:
        The score, the number of features, and a clause that says how many images were drawn where there are too many.
    """
    labelled = data.train.labelled()
    train, judged = _drawn(labelled, TRAIN_IMAGES), _drawn(split, JUDGED_IMAGES)
    parts = ((train, labelled, "training images"), (judged, split, "judged"))
    drawn = [f"{len(part)} of {len(whole)} {what}" for part, whole, what in parts if len(part) < len(whole)]
    train_features, features = frozen_features(model, train.images), frozen_features(model, judged.images)
    predicted = knn_labels(train_features, train.labels, features)
    scored = score(confusion_matrix(judged.labels, predicted, len(data.class_names)))
    return scored, features.shape[1], f" ({', '.join(drawn)})" if drawn else ""


def _drawn(split: Split, count: int) -> Split:
    """Return a split of at most `count` images, drawn at random but always the same ones."""
    if len(split) <= count:
        return split
    return split.take(np.sort(np.random.default_rng(0).permutation(len(split))[:count]))
