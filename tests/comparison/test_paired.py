"""The statistics of paired arms against statsmodels, SciPy, loops written by hand, and simulations."""

import math

import numpy as np
import pytest
from scipy import stats

from qssl_tf.comparison.equivalence import equivalence
from qssl_tf.comparison.paired import compare_arms
from qssl_tf.errors import UserError
from qssl_tf.evaluation.statistics import PairedDifference, paired_difference, smallest_difference, summary

RING, IDENTITY = [46.9, 47.2, 43.9, 44.0, 43.2, 46.2], [48.1, 48.2, 44.9, 47.3, 47.5, 46.7]


def by_seed(values):
    return dict(enumerate(values))


def pair(a, b):
    return paired_difference(by_seed(a), by_seed(b), 0.02)


@pytest.mark.parametrize(
    ("a", "b", "margin", "p"),
    [
        # statsmodels 0.15.0, stats.weightstats.ttost_paired(a, b, -margin, margin)[0]
        (RING, IDENTITY, 1.5, 0.7162060157035564),
        (RING, IDENTITY, 3.0, 0.06747692196810635),
        (RING, IDENTITY, 5.0, 0.0021023937318644507),
        ([62.84, 62.70, 62.46], [62.94, 63.62, 62.68], 1.5, 0.02557709804576033),
    ],
)
def test_equivalence_is_that_of_statsmodels(a, b, margin, p):
    assert equivalence(pair(a, b), margin).p == pytest.approx(p, rel=1e-6)
    assert equivalence(pair(b, a), margin).p == pytest.approx(p, rel=1e-6)  # whichever is called the baseline


@pytest.mark.parametrize("seed", range(30))
def test_arms_are_equivalent_where_the_90_percent_interval_lies_within_the_margin(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(45.6, 1.0, (2, int(rng.integers(3, 12))))
    found = equivalence(paired_difference(by_seed(a), by_seed(b), 1e-9), 1.0)
    judge = stats.ttest_rel(a, b).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((judge.low, judge.high))
    assert (found.p < 0.05) == (judge.low > -1.0 and judge.high < 1.0)


@pytest.mark.parametrize("pairs", [3, 10])
def test_arms_that_differ_by_the_margin_are_called_equivalent_in_5_percent(pairs):
    """Simulated. The bound, stated before: of 2,000 at the edge 5 % and three standard errors of that."""
    times, margin = 2000, 1.5
    d = np.random.default_rng(pairs).normal(margin, 1.2, (times, pairs))
    made = zip(d.mean(axis=1), d.std(axis=1, ddof=1), strict=True)
    called = np.mean([
        equivalence(PairedDifference(pairs, mean, sd, *[None] * 5), margin).p < 0.05 for mean, sd in made
    ])  # fmt: skip
    assert called <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / times)


def test_one_pair_and_equal_differences_have_no_test_of_equivalence():
    assert equivalence(pair([40.0], [41.0]), 1.0) is None
    assert equivalence(pair([40.0, 42.0], [41.0, 43.0]), 5.0) is None


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, math.inf])
def test_margins_that_nothing_lies_in(margin):
    with pytest.raises(UserError) as caught:
        compare_arms({"a": by_seed([1.0, 2.0]), "b": by_seed([1.0, 3.0])}, "a", 0.02, margin)
    assert str(caught.value) == f"`margin` must be above 0 percentage points; got {margin}."


def holm_by_hand(p_values):
    """Holm (1979): the smallest against alpha / m, the next against alpha / (m - 1), until one is not rejected.

    The adjusted p is the smallest alpha at which that procedure rejects; found by going through the alphas.
    """
    order = sorted(p_values, key=p_values.get)
    adjusted = {}
    for name in order:
        for alpha in sorted({min(1.0, (len(order) - k) * p_values[other]) for k, other in enumerate(order)}):
            rejected = set()
            for k, other in enumerate(order):
                if p_values[other] > alpha / (len(order) - k) * (1 + 1e-12):
                    break
                rejected.add(other)
            if name in rejected or alpha == 1.0:
                adjusted[name] = alpha
                break
    return adjusted


@pytest.mark.parametrize("seed", range(5))
def test_both_families_of_tests_are_corrected_as_holm_says(seed):
    rng = np.random.default_rng(seed)
    base = rng.normal(45.0, 1.5, 8)
    arms = {"base": by_seed(base)} | {f"arm {k}": by_seed(base + rng.normal(0.4 * k, 1.0, 8)) for k in range(5)}
    found = compare_arms(arms, "base", 1e-9, 1.5)
    plain = {name: stats.ttest_rel(list(arms[name].values()), base).pvalue for name in arms if name != "base"}
    assert found.adjusted == pytest.approx(holm_by_hand(plain))
    same = {name: test.p for name, test in found.equivalences.items()}
    assert found.adjusted_equivalences == pytest.approx(holm_by_hand(same))


def test_the_smallest_difference_is_that_of_statsmodels():
    """statsmodels 0.15.0, TTestPower().solve_power(nobs=6, alpha=0.05, power=0.8): 1.4345451395119289 deviations."""
    assert smallest_difference(1.0, 6) == pytest.approx(1.4345451395119289, rel=1e-5)


def test_verdicts_say_what_the_corrected_tests_say():
    """Differences of deviation 0.2 or 4 around 0, 1 and 6 points, with a margin of 1.5."""
    wiggle = np.array([-1.0, 1.0, -0.5, 0.5, 1.5, -1.5, 0.3, -0.3])
    arms = {"base": by_seed([45.0] * 8)} | {
        name: by_seed(45.0 + mean + spread * wiggle)
        for name, mean, spread in (("same", 0.0, 0.2), ("near", 1.0, 0.2), ("far", 6.0, 0.2), ("vague", 0.5, 4.0))
    }
    found = compare_arms(arms, "base", 1e-9, 1.5)
    assert {name: found.verdict(name) for name in found.differences} == {
        "same": "equivalent", "near": "different, within the margin", "far": "different", "vague": "open",
    }  # fmt: skip
    without = compare_arms(arms, "base", 1e-9)
    assert not without.equivalences and without.verdict("same") == "open"
    assert summary(list(arms["same"].values())).n == 8
