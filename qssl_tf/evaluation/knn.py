"""Accuracy of the nearest neighbours in feature space: a first look at a representation that trains nothing."""

import numpy as np

NEIGHBOURS = 20


def knn_accuracy(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    neighbours: int = NEIGHBOURS,
) -> float:
    """Return the percentage of `features` whose nearest neighbours by cosine distance vote for the right label.

    Args:
        train_features: Shape (n, d).
        train_labels: Shape (n,).
        features: Shape (m, d).
        labels: Shape (m,).
        neighbours: How many vote, each with equal weight; at most n.

    Returns:
        Accuracy in percent.
    """
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import normalize

    # On unit vectors Euclidean distance orders as cosine distance does, and scikit-learn need not keep all distances.
    vote = KNeighborsClassifier(min(neighbours, len(train_labels)), algorithm="brute", metric="euclidean")
    vote.fit(normalize(train_features), train_labels)
    return 100.0 * float(vote.score(normalize(features), labels))
