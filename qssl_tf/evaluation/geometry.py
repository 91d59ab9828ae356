"""How features lie in their space, without labels: alignment, uniformity, effective rank, CKA between two runs."""

import numpy as np
from scipy.spatial.distance import pdist
from scipy.special import entr, logsumexp

EXPONENT, SHARPNESS = 2, 2.0  # alpha of alignment and t of uniformity, as published


def unit_rows(features: np.ndarray) -> np.ndarray:
    """Return float64 rows of length 1, shape (n, d); rows of zeros stay zeros."""
    from sklearn.preprocessing import normalize

    return normalize(np.asarray(features, np.float64))


def alignment(features: np.ndarray, other_features: np.ndarray) -> float:
    """Return the mean squared distance of two views' features on the unit sphere (arXiv:2005.10242, Section 4.1.2).

    0 where the two views of each image have the same direction, 2 for unrelated directions of many dimensions, at most
    4.

    Args:
        features: Of one view of each image, shape (n, d).
        other_features: Of another view of the same images, shape (n, d).
    """
    distances = np.linalg.norm(unit_rows(features) - unit_rows(other_features), axis=1)
    return float(np.mean(distances**EXPONENT))


def uniformity(features: np.ndarray) -> float:
    """Return the log of the mean Gaussian potential of all pairs on the unit sphere (arXiv:2005.10242, Section 4.1.2).

    0 where all features have the same direction, less the more evenly they cover the sphere; not below -8.

    Args:
        features: Shape (n, d), n at least 2.
    """
    squares = pdist(unit_rows(features), "sqeuclidean")
    return float(logsumexp(-SHARPNESS * squares) - np.log(len(squares)))


def effective_rank(features: np.ndarray) -> float:
    """Return RankMe (arXiv:2210.02885, equations 2 and 3): the exponential of the entropy of the singular values.

    From 1 to min(n, d): the number of directions that features use, each counted by its share. The features are taken
    as they are, as published; take away their mean first for the rank of what differs between images.

    Args:
        features: Shape (n, d), not all zero.
    """
    values = np.linalg.svd(np.asarray(features, np.float64), compute_uv=False)
    return float(np.exp(np.sum(entr(values / np.sum(values)))))


def linear_cka(features: np.ndarray, other_features: np.ndarray) -> float:
    """Return linear CKA (arXiv:1905.00414, Section 3): the similarity of two representations of the same images.

    From 0 to 1; 1 where one is a rotation and a multiple of the other, up to a shift. Columns are centred.

    Args:
        features: Shape (n, d), not all rows equal.
        other_features: Of the same images in the same order, shape (n, e), not all rows equal.
    """
    x, y = (
        np.asarray(part, np.float64) - np.mean(part, axis=0, dtype=np.float64) for part in (features, other_features)
    )
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)  # a scale cancels, and products of tiny numbers would not
    return float(np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))
