import math

import numpy as np
import pytest
from scipy import stats

from qssl_tf.evaluation.paired import mcnemar, paired_interval


def answers(n=400, seed=0):
    rng = np.random.default_rng(seed)
    right = rng.random(n) < 0.8
    return right, np.where(rng.random(n) < 0.15, rng.random(n) < 0.5, right)


def test_the_interval_is_scipys_bootstrap_of_pairs():
    right, other = answers()
    judge = stats.bootstrap(
        (right.astype(float), other.astype(float)), lambda a, b, axis: np.mean(a - b, axis=axis), paired=True,
        vectorized=True, method="percentile", n_resamples=9999, rng=1,
    ).confidence_interval  # fmt: skip
    assert paired_interval(right, other) == pytest.approx(tuple(judge), abs=0.003)


def test_the_interval_of_many_images_is_the_normal_one():
    right, other = answers(20_000)
    mean_of_draws = (other.astype(float) + np.roll(other, 1)) / 2  # shares of draws, not only 0 and 1
    difference = right - mean_of_draws
    half = 1.96 * np.std(difference) / np.sqrt(len(difference))
    low, high = paired_interval(right, mean_of_draws)
    assert (low, high) == pytest.approx((difference.mean() - half, difference.mean() + half), abs=0.0004)


def test_equal_answers_have_no_interval():
    right, _ = answers()
    assert paired_interval(right, right) == (0.0, 0.0) and mcnemar(right, right) == 1.0


def test_mcnemar_is_the_binomial_sum():
    right, other = answers()
    first, second = int(np.sum(right & ~other)), int(np.sum(~right & other))
    fewer, both = min(first, second), first + second
    judge = min(1.0, 2 * sum(math.comb(both, k) for k in range(fewer + 1)) / 2**both)
    assert fewer > 0 and mcnemar(right, other) == pytest.approx(judge)
