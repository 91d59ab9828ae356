"""Classes by the nearest neighbours in feature space: a first look at a representation that trains nothing."""

import numpy as np

NEIGHBOURS = 20


def knn_labels(
    train_features: np.ndarray, train_labels: np.ndarray, features: np.ndarray, neighbours: int = NEIGHBOURS
) -> np.ndarray:
    """Return the label for which the nearest neighbours of each row of `features` by cosine distance vote, shape (m,).

    Args:
        train_features: Shape (n, d).
        train_labels: Shape (n,).
        features: Shape (m, d).
        neighbours: How many vote, each with equal weight; at most n.
    """
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import normalize

    # On unit vectors Euclidean distance orders as cosine distance does, and scikit-learn need not keep all distances.
    vote = KNeighborsClassifier(min(neighbours, len(train_labels)), algorithm="brute", metric="euclidean")
    vote.fit(normalize(train_features), train_labels)
    return vote.predict(normalize(features))
