"""Shots against the multinomial distribution, judged by SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from qssl_tf.quantum.sampling import outcomes, uniform


def drawn_from(chances, shots, seed):
    return outcomes(tf.constant(chances), uniform(tf.constant(seed), 0, chances.shape[1], shots)).numpy()


@pytest.mark.parametrize("width", [1, 3, 6])
def test_counts_are_multinomial(width):
    rng = np.random.default_rng(width)
    chances = rng.dirichlet(np.ones(2**width), size=2).T.astype(np.float32)  # (2^width, 2 columns)
    drawn = drawn_from(chances, 200_000, [3, width])
    for column in range(2):
        counts = np.bincount(drawn[:, column], minlength=2**width)
        exact = chances[:, column].astype(float)
        assert stats.chisquare(counts, 200_000 * exact / exact.sum()).pvalue > 1e-5


def test_variance_of_a_count_is_binomial():
    """A Gaussian approximation would have the variance, but not the skewness."""
    chances = np.tile(np.array([[0.96], [0.04]], np.float32), (1, 20_000))
    ones = drawn_from(chances, 25, [1, 2]).sum(axis=0)
    judge = stats.binom(25, 0.04)
    seen = np.bincount(ones, minlength=26)
    expected = 20_000 * judge.pmf(np.arange(26))
    kept = expected > 5
    assert stats.chisquare(seen[kept], expected[kept] * seen[kept].sum() / expected[kept].sum()).pvalue > 1e-5
    assert np.all(ones == np.round(ones)) and ones.min() == 0


def test_impossible_outcomes_are_never_drawn():
    chances = np.array([[0.0], [0.5], [0.0], [0.5]], np.float32)
    assert set(drawn_from(chances, 50_000, [0, 9]).ravel()) == {1, 3}


def test_columns_and_seeds_are_independent():
    chances = np.full((2, 4000), 0.5, np.float32)
    first = drawn_from(chances, 1, [0, 1])[0]
    again, other = (drawn_from(chances, 1, [0, seed])[0] for seed in (1, 2))
    np.testing.assert_array_equal(first, again)
    for left, right in ((first, other), (first[:-1], first[1:])):
        assert abs(np.corrcoef(left, right)[0, 1]) < 5 / np.sqrt(4000)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("count", [1, 4, 7])
def test_a_row_has_its_numbers_in_whatever_part_of_the_batch_it_is_drawn(count, jit):
    drawn = tf.function(uniform, jit_compile=jit)
    seed = tf.constant([5, 7])
    whole = drawn(seed, tf.constant(0), 10, count).numpy()
    parts = [drawn(seed, tf.constant(first), rows, count).numpy() for first, rows in ((0, 3), (3, 5), (8, 2))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert len(np.unique(whole)) == whole.size  # 24 bits: two equal ones of 70 have a chance of 1 in 7,000


def test_numbers_are_uniform():
    numbers = uniform(tf.constant([2, 3]), 2**31 - 20_000, 20_000, 5).numpy()  # up to the last row there can be
    assert stats.kstest(numbers.ravel(), "uniform").pvalue > 1e-5
    assert np.abs(np.corrcoef(numbers.T) - np.eye(5)).max() < 5 / np.sqrt(20_000)
