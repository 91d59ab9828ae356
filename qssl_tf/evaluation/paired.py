"""Two classifiers on the same images: the interval of their difference, and an exact test."""

import numpy as np

LEVEL = 0.95
RESAMPLES = 9999


def paired_interval(right: np.ndarray, other_right: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of mean(right - other_right) over the choice of images: bootstrap, percentiles.

    Images are drawn in pairs. Their differences take few values, so a resample is a multinomial draw of how often each
    comes, which is the same distribution. Where no image differs, both ends are 0.

    Args:
        right: Whether each image was classified correctly, or in which share of draws, from 0 to 1, shape (n,).
        other_right: Likewise, of the same images.
        seed: Of the resamples.
    """
    values, counts = np.unique(np.asarray(right, np.float64) - other_right, return_counts=True)
    resampled = np.random.default_rng(seed).multinomial(counts.sum(), counts / counts.sum(), RESAMPLES)
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    low, high = np.quantile(resampled @ values / counts.sum(), tails)
    return float(low), float(high)


def mcnemar(right: np.ndarray, other_right: np.ndarray) -> float:
    """Return the exact two-sided p of McNemar's test (Psychometrika 12, 1947) for two classifiers.

    Args:
        right: Whether each image was classified correctly, bool, shape (n,).
        other_right: Likewise, of the same images.
    """
    from scipy import stats

    first, second = np.sum(right & ~other_right), np.sum(other_right & ~right)
    return float(stats.binomtest(int(first), int(first + second)).pvalue) if first + second else 1.0
