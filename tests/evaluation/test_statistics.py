"""Hand-worked cases, closed forms and simulations; the published test of the paper."""

import itertools
import math

import numpy as np
import pytest

from qssl_tf.errors import UserError
from qssl_tf.evaluation.statistics import Summary, holm, paired, smallest_difference, summary, welch


def test_mean_and_spread_worked_by_hand():
    found = summary([2.0, 4.0, 9.0])  # deviations -3, -1, 4: squares 9 + 1 + 16, over 2
    assert (found.n, found.mean, found.sd) == (3, 5.0, pytest.approx(math.sqrt(13)))
    assert found.low < 5.0 < found.high
    assert summary([2.0, 4.0, 9.0]) == found  # the bootstrap is seeded


def test_one_value_and_equal_values():
    assert summary([3.5]) == Summary(1, 3.5, None, None, None)
    assert summary([3.5, 3.5]) == Summary(2, 3.5, 0.0, 3.5, 3.5)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(120):
        found = summary(rng.normal(40.0, 2.0, 30))
        held += found.low < 40.0 < found.high
    assert held / 120 == pytest.approx(0.95, abs=5 * math.sqrt(0.95 * 0.05 / 120))


def test_paired_t_worked_by_hand():
    """Differences 1, 2, 3, 2: mean 2, variance 2/3, t = 2 / sqrt(2/3 / 4) = 4.899 with 3 degrees of freedom.

    The distribution of t with 3 degrees of freedom is 1/2 + (x / (1 + x^2) + arctan x) / pi at x = t / sqrt(3).
    """
    a, b = {0: 5.0, 1: 7.0, 2: 9.0, 3: 4.0}, {0: 4.0, 1: 5.0, 2: 6.0, 3: 2.0}
    found = paired(a, b)
    t = 2 / math.sqrt(2 / 3 / 4)
    x = t / math.sqrt(3)
    below = 0.5 + (x / (1 + x * x) + math.atan(x)) / math.pi
    assert (found.n, found.difference) == (4, 2.0) and found.sd == pytest.approx(math.sqrt(2 / 3))
    assert found.p_t == pytest.approx(2 * (1 - below), rel=1e-9)
    half = 3.182446305284263 * math.sqrt(2 / 3 / 4)  # the t table's 97.5 % point with 3 degrees of freedom
    assert (found.low, found.high) == (pytest.approx(2 - half), pytest.approx(2 + half))
    assert found.p_wilcoxon is None  # four pairs cannot reach .05


def test_wilcoxon_against_all_signs():
    differences = [1.5, -0.5, 2.5, 3.5, 4.5, -6.0, 7.0]
    ranks = [2, 1, 3, 4, 5, 6, 7]
    observed = sum(rank for rank, d in zip(ranks, differences, strict=True) if d > 0)
    sums = [sum(itertools.compress(ranks, signs)) for signs in itertools.product((0, 1), repeat=7)]
    far = sum(total >= observed for total in sums) / len(sums)
    found = paired(dict(enumerate(differences)), dict.fromkeys(range(7), 0.0))
    assert found.p_wilcoxon == pytest.approx(2 * far)


def test_only_shared_seeds_are_paired():
    found = paired({0: 1.0, 1: 2.0, 7: 99.0}, {1: 1.0, 0: 3.0, 5: -99.0})
    assert (found.n, found.difference) == (2, -0.5)
    with pytest.raises(UserError) as caught:
        paired({0: 1.0}, {1: 1.0})
    assert str(caught.value) == "paired arms must share a seed; got [0] and [1]."


def test_too_few_or_equal_pairs_have_no_p():
    assert paired({0: 1.0}, {0: 3.0}).p_t is None
    equal = paired({0: 1.0, 1: 2.0}, {0: 0.5, 1: 1.5})
    assert (equal.difference, equal.sd, equal.low, equal.p_t, equal.detectable) == (0.5, 0.0, 0.5, None, None)


def test_the_smallest_difference_is_found_as_often_as_it_says():
    """Simulated: 6 pairs whose differences have deviation 2."""
    difference = smallest_difference(2.0, 6)
    drawn = np.random.default_rng(1).normal(difference, 2.0, (20_000, 6))
    t = drawn.mean(axis=1) / (drawn.std(axis=1, ddof=1) / math.sqrt(6))
    found = np.mean(np.abs(t) > 2.570581835636314)  # the t table's 97.5 % point with 5 degrees of freedom
    assert found == pytest.approx(0.8, abs=5 * math.sqrt(0.8 * 0.2 / 20_000))
    assert smallest_difference(2.0, 30) < difference and smallest_difference(4.0, 6) == pytest.approx(2 * difference)


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
    ring, classical = Summary(6, 46.51, 1.50, None, None), Summary(6, 43.49, 1.43, None, None)
    assert round(welch(ring, classical), 3) == 0.005
    with pytest.raises(UserError, match=r"^Welch's test needs at least 2 values an arm; got 1 and 6\.$"):
        welch(Summary(1, 40.0, None, None, None), ring)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_bad_values(values):
    with pytest.raises(UserError, match=r"^`values` must be at least one finite number; got "):
        summary(values)
