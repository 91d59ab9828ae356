"""Hand-worked cases, closed forms and simulations; the published test of the paper."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, stats

from qssl_tf.errors import UserError
from qssl_tf.evaluation.statistics import Summary, holm, paired_difference, smallest_difference, summary, welch


def test_mean_and_spread_worked_by_hand():
    result = summary([2.0, 4.0, 9.0])  # deviations -3, -1, 4: squares 9 + 1 + 16, over 2
    assert (result.n, result.mean, result.sd) == (3, 5.0, pytest.approx(math.sqrt(13)))
    half = 4.302652729911275 * math.sqrt(13 / 3)  # the t table's 97.5 % point with 2 degrees of freedom
    assert result.interval == pytest.approx((5.0 - half, 5.0 + half))


def test_one_value_and_equal_values():
    assert summary([3.5]) == Summary(1, 3.5, None) and summary([3.5]).interval is None
    # Three times 0.1 and six times 46.62, added and divided in floats, are other numbers than 0.1 and 46.62.
    for values in ([3.5, 3.5], [0.1] * 3, [46.62] * 6):
        result = summary(values)
        assert result == Summary(len(values), values[0], 0.0) and result.interval == (values[0], values[0])


@pytest.mark.parametrize("seeds", [2, 3, 6, 10])
def test_the_interval_covers_the_true_mean_in_95_percent(seeds):
    rng, times = np.random.default_rng(seeds), 2000
    intervals = [summary(rng.normal(40.0, 2.0, seeds)).interval for _ in range(times)]
    coverage = np.mean([low < 40.0 < high for low, high in intervals])
    assert coverage == pytest.approx(0.95, abs=5 * math.sqrt(0.95 * 0.05 / times))


def test_paired_t_worked_by_hand():
    """Differences 1, 2, 3, 2: mean 2, variance 2/3, t = 2 / sqrt(2/3 / 4) = 4.899 with 3 degrees of freedom.

    The distribution of t with 3 degrees of freedom is 1/2 + (x / (1 + x^2) + arctan x) / pi at x = t / sqrt(3).
    """
    a, b = {0: 5.0, 1: 7.0, 2: 9.0, 3: 4.0}, {0: 4.0, 1: 5.0, 2: 6.0, 3: 2.0}
    result = paired_difference(a, b, 0.5)
    t = 2 / math.sqrt(2 / 3 / 4)
    x = t / math.sqrt(3)
    below = 0.5 + (x / (1 + x * x) + math.atan(x)) / math.pi
    assert (result.n, result.difference) == (4, 2.0) and result.sd == pytest.approx(math.sqrt(2 / 3))
    assert result.p_t == pytest.approx(2 * (1 - below), rel=1e-9)
    half = 3.182446305284263 * math.sqrt(2 / 3 / 4)  # the t table's 97.5 % point with 3 degrees of freedom
    assert (result.low, result.high) == (pytest.approx(2 - half), pytest.approx(2 + half))
    assert result.p_wilcoxon is None  # four pairs cannot reach .05


def accuracies(hits, images):
    """Seed -> percent of the images, as a probe computes it."""
    return {seed: 100 * float(np.mean(np.arange(images) < right)) for seed, right in enumerate(hits)}


@pytest.mark.parametrize("seed", range(20))
def test_wilcoxon_against_all_signs(seed):
    """Whole images make ties and zeros; the judge works in integers and tries every choice of signs."""
    rng, images = np.random.default_rng(seed), int(np.random.default_rng(seed).choice([300, 360, 5000]))
    theirs = rng.integers(40, 60, rng.integers(6, 11))
    d = rng.integers(-4, 7, len(theirs))
    result = paired_difference(accuracies(theirs + d, images), accuracies(theirs, images), 100 / images)
    other = d[d != 0]
    ranks = stats.rankdata(np.abs(other))
    sums = np.array([np.dot(ranks, signs) for signs in itertools.product((0, 1), repeat=len(other))])
    observed = np.dot(ranks, other > 0)
    far = min(np.mean(sums >= observed), np.mean(sums <= observed))
    expected = min(1.0, 2 * far) if len(other) >= 6 and len(set(d)) > 1 else None
    assert result.p_wilcoxon == (None if expected is None else pytest.approx(expected))


def test_ties_of_many_seeds_agree_with_scipy_on_whole_images():
    rng = np.random.default_rng(0)
    theirs, d = rng.integers(120, 180, 30), rng.integers(-3, 6, 30)
    result = paired_difference(accuracies(theirs + d, 360), accuracies(theirs, 360), 100 / 360)
    assert result.p_wilcoxon == stats.wilcoxon(d).pvalue
    assert result.p_t == pytest.approx(stats.ttest_1samp(d, 0).pvalue)
    assert result.difference == pytest.approx(100 * np.mean(d) / 360)


def test_only_shared_seeds_are_paired():
    result = paired_difference({0: 1.0, 1: 2.0, 7: 99.0}, {1: 1.0, 0: 3.0, 5: -99.0}, 1.0)
    assert (result.n, result.difference) == (2, -0.5)
    with pytest.raises(UserError) as caught:
        paired_difference({0: 1.0}, {1: 1.0}, 1.0)
    assert str(caught.value) == "paired arms must share a seed; got [0] and [1]."


def test_too_few_or_equal_pairs_have_no_p():
    assert paired_difference({0: 1.0}, {0: 3.0}, 0.02).p_t is None
    equal = paired_difference({0: 1.0, 1: 2.0}, {0: 0.5, 1: 1.5}, 0.02)
    assert (equal.difference, equal.sd, equal.low, equal.p_t, equal.detectable) == (0.5, 0.0, 0.5, None, None)


@pytest.mark.parametrize("seeds", [3, 6])
def test_differences_that_differ_by_rounding_alone_are_equal(seeds):
    """56 of 5,000 images each time; taken as floats, three of them have p = 4e-30."""
    mine, theirs = [41.30, 48.56, 47.56] * 2, [40.18, 47.44, 46.44] * 2
    assert len({a - b for a, b in zip(mine, theirs, strict=True)}) > 1
    result = paired_difference(dict(enumerate(mine[:seeds])), dict(enumerate(theirs[:seeds])), 100 / 5000)
    assert (result.difference, result.sd) == (pytest.approx(1.12), 0.0)
    assert result.p_t is result.p_wilcoxon is result.detectable is None


def test_the_smallest_difference_is_found_with_a_power_of_80_percent():
    """Simulated: 6 pairs whose differences have deviation 2."""
    difference = smallest_difference(2.0, 6)
    samples = np.random.default_rng(1).normal(difference, 2.0, (20_000, 6))
    t = samples.mean(axis=1) / (samples.std(axis=1, ddof=1) / math.sqrt(6))
    power = np.mean(np.abs(t) > 2.570581835636314)  # the t table's 97.5 % point with 5 degrees of freedom
    assert power == pytest.approx(0.8, abs=5 * math.sqrt(0.8 * 0.2 / 20_000))
    assert smallest_difference(2.0, 30) < difference and smallest_difference(4.0, 6) == pytest.approx(2 * difference)


@pytest.mark.parametrize("n", [2, 3, 6, 20, 100])
def test_the_smallest_difference_by_integration(n):
    """The chance of missing it given the estimated deviation (normal), averaged over that deviation."""
    critical, shift = stats.t.ppf(0.975, n - 1), smallest_difference(1.0, n) * math.sqrt(n)

    def miss_rate(quantile):
        edge = critical * math.sqrt(stats.chi2.ppf(quantile, n - 1) / (n - 1))
        return stats.norm.cdf(edge - shift) - stats.norm.cdf(-edge - shift)

    # The wrong sign, which the function neglects, has less than 1e-6; the quadrature is accurate to 1e-7.
    assert integrate.quad(miss_rate, 0.0, 1.0, epsabs=1e-7, limit=200)[0] == pytest.approx(0.2, abs=1.1e-6)


def test_holm_worked_by_hand():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == {
        "a": pytest.approx(0.03),  # second smallest: 3 * .01
        "b": pytest.approx(0.06),  # largest: .04, but not below the one before it
        "c": pytest.approx(0.06),  # third: 2 * .03
        "d": pytest.approx(0.02),  # smallest: 4 * .005
    }
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0} and holm({}) == {}


def test_the_papers_comparison():
    """Ring 46.51 +- 1.50 against classical 43.49 +- 1.43, six runs each (arXiv:2103.14653): p = .005."""
    ring, classical = Summary(6, 46.51, 1.50), Summary(6, 43.49, 1.43)
    assert round(welch(ring, classical), 3) == 0.005
    with pytest.raises(UserError, match=r"^Welch's test needs at least 2 values an arm; got 1 and 6\.$"):
        welch(Summary(1, 40.0, None), ring)


def test_without_any_spread_there_is_no_p():
    assert welch(summary([40.1] * 3), summary([39.7] * 3)) is None
    assert 0 < welch(summary([40.1] * 3), summary([39.7, 40.0, 41.0])) < 1


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_bad_values(values):
    with pytest.raises(UserError, match=r"^`values` must be at least one finite number; got "):
        summary(values)
