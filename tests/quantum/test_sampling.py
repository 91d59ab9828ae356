"""Shots against the multinomial distribution, judged by SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from qssl_tf.quantum.sampling import sample_outcomes, uniform


def sample(distributions, shots, seed):
    return sample_outcomes(
        tf.constant(distributions), uniform(tf.constant(seed), 0, distributions.shape[1], shots)
    ).numpy()


@pytest.mark.parametrize("width", [1, 3, 6])
def test_counts_are_multinomial(width):
    rng = np.random.default_rng(width)
    distributions = rng.dirichlet(np.ones(2**width), size=2).T.astype(np.float32)  # (2^width, 2 columns)
    samples = sample(distributions, 200_000, [3, width])
    for column in range(2):
        counts = np.bincount(samples[:, column], minlength=2**width)
        exact = distributions[:, column].astype(float)
        assert stats.chisquare(counts, 200_000 * exact / exact.sum()).pvalue > 1e-5


def test_variance_of_a_count_is_binomial():
    """A Gaussian approximation would have the variance, but not the skewness."""
    distributions = np.tile(np.array([[0.96], [0.04]], np.float32), (1, 20_000))
    ones = sample(distributions, 25, [1, 2]).sum(axis=0)
    judge = stats.binom(25, 0.04)
    counts = np.bincount(ones, minlength=26)
    expected_counts = 20_000 * judge.pmf(np.arange(26))
    frequent = expected_counts > 5
    scaled = expected_counts[frequent] * counts[frequent].sum() / expected_counts[frequent].sum()
    assert stats.chisquare(counts[frequent], scaled).pvalue > 1e-5
    assert np.all(ones == np.round(ones)) and ones.min() == 0


def test_impossible_outcomes_are_never_sampled():
    distributions = np.array([[0.0], [0.5], [0.0], [0.5]], np.float32)
    assert set(sample(distributions, 50_000, [0, 9]).ravel()) == {1, 3}


def test_columns_and_seeds_are_independent():
    distributions = np.full((2, 4000), 0.5, np.float32)
    first = sample(distributions, 1, [0, 1])[0]
    again, other = (sample(distributions, 1, [0, seed])[0] for seed in (1, 2))
    np.testing.assert_array_equal(first, again)
    for left, right in ((first, other), (first[:-1], first[1:])):
        assert abs(np.corrcoef(left, right)[0, 1]) < 5 / np.sqrt(4000)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("count", [1, 4, 7])
def test_the_numbers_of_a_row_do_not_depend_on_how_the_batch_is_split(count, jit):
    draw = tf.function(uniform, jit_compile=jit)
    seed = tf.constant([5, 7])
    all_rows = draw(seed, tf.constant(0), 10, count).numpy()
    parts = [draw(seed, tf.constant(first), rows, count).numpy() for first, rows in ((0, 3), (3, 5), (8, 2))]
    np.testing.assert_array_equal(np.concatenate(parts), all_rows)
    assert len(np.unique(all_rows)) == all_rows.size  # two of 70 numbers with 24 bits are equal once in 7,000


def test_numbers_are_uniform():
    numbers = uniform(tf.constant([2, 3]), 2**31 - 20_000, 20_000, 5).numpy()  # up to the largest possible row
    assert stats.kstest(numbers.ravel(), "uniform").pvalue > 1e-5
    assert np.abs(np.corrcoef(numbers.T) - np.eye(5)).max() < 5 / np.sqrt(20_000)
