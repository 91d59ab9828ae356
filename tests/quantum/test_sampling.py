"""Shots against the multinomial distribution, judged by SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from qssl_tf.quantum.sampling import outcomes


@pytest.mark.parametrize("width", [1, 3, 6])
def test_counts_are_multinomial(width):
    rng = np.random.default_rng(width)
    chances = rng.dirichlet(np.ones(2**width), size=2).T.astype(np.float32)  # (2^width, 2 columns)
    drawn = outcomes(tf.constant(chances), 200_000, tf.constant([3, width])).numpy()
    for column in range(2):
        counts = np.bincount(drawn[:, column], minlength=2**width)
        exact = chances[:, column].astype(float)
        assert stats.chisquare(counts, 200_000 * exact / exact.sum()).pvalue > 1e-5


def test_variance_of_a_count_is_binomial():
    """A Gaussian approximation would have the variance, but not the skewness."""
    chances = np.tile(np.array([[0.96], [0.04]], np.float32), (1, 20_000))
    ones = outcomes(tf.constant(chances), 25, tf.constant([1, 2])).numpy().sum(axis=0)
    judge = stats.binom(25, 0.04)
    seen = np.bincount(ones, minlength=26)
    expected = 20_000 * judge.pmf(np.arange(26))
    kept = expected > 5
    assert stats.chisquare(seen[kept], expected[kept] * seen[kept].sum() / expected[kept].sum()).pvalue > 1e-5
    assert np.all(ones == np.round(ones)) and ones.min() == 0


def test_impossible_outcomes_are_never_drawn():
    chances = tf.constant([[0.0], [0.5], [0.0], [0.5]])
    assert set(outcomes(chances, 50_000, tf.constant([0, 9])).numpy().ravel()) == {1, 3}


def test_columns_and_seeds_are_independent():
    chances = tf.fill((2, 4000), 0.5)
    first = outcomes(chances, 1, tf.constant([0, 1])).numpy()[0]
    again, other = (outcomes(chances, 1, tf.constant([0, seed])).numpy()[0] for seed in (1, 2))
    np.testing.assert_array_equal(first, again)
    for left, right in ((first, other), (first[:-1], first[1:])):
        assert abs(np.corrcoef(left, right)[0, 1]) < 5 / np.sqrt(4000)
