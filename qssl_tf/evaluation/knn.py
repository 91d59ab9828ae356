"""Classification by nearest neighbours in feature space: a first look at a representation, without any training."""

import numpy as np

from qssl_tf.data.images import ImageData
from qssl_tf.data.splits import Split
from qssl_tf.evaluation.features import frozen_features
from qssl_tf.evaluation.scores import Score, confusion_matrix, score
from qssl_tf.models.simclr import SimCLR

NEIGHBOURS = 20


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


def knn_score(model: SimCLR, data: ImageData, split: Split) -> tuple[Score, int]:
    """Return how well the labelled training images classify those of `split`, and the number of features."""
    train = data.train.labelled()
    train_features, features = frozen_features(model, train.images), frozen_features(model, split.images)
    predicted = knn_labels(train_features, train.labels, features)
    return score(confusion_matrix(split.labels, predicted, len(data.class_names))), features.shape[1]
