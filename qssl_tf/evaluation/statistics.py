"""Statistics of accuracies over seeds: spread, intervals, paired tests and the smallest detectable difference.

Runs of two arms with the same seed share initial encoder, data order and views, so arms are compared seed by seed.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from qssl_tf.errors import UserError

LEVEL = 0.95
POWER = 0.8
T_TEST_MIN_PAIRS = 2
WILCOXON_MIN_PAIRS = 6  # with a difference other than 0: with fewer, no ranking has p below .05


@dataclass(frozen=True)
class Summary:
    """Mean and spread of one arm over seeds, in the values' own unit (percent for accuracies).

    Attributes:
        n: Number of values.
        mean: Their mean.
        sd: Sample standard deviation (divided by n - 1); None for one value.
    """

    n: int
    mean: float
    sd: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean (Student's t); None for one value.

        A bootstrap of so few values is too narrow: it covers the true mean in 50 of 100 cases with two seeds, and in
        85 with six.
        """
        if self.sd is None:
            return None
        half = _half_width(self.sd, self.n)
        return self.mean - half, self.mean + half


def summary(values: Sequence[float]) -> Summary:
    """Return mean and spread of `values`.

    Raises:
        UserError: There are no values, or one is not finite.
    """
    # `statistics` computes in exact fractions: equal values have spread 0, not a rounding error that a test would use.
    x = [float(value) for value in _finite_vector(values)]
    return Summary(len(x), statistics.mean(x), statistics.stdev(x) if len(x) > 1 else None)


def _half_width(sd: float, n: int) -> float:
    return float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * sd / math.sqrt(n)


@dataclass(frozen=True)
class PairedDifference:
    """Arm a minus arm b over the seeds they share.

    Attributes:
        n: Pairs.
        difference: Mean of a - b.
        sd: Sample standard deviation of the differences; None for one pair.
        low: Lower end of the 95 % interval of the difference (Student's t); None for one pair.
        high: Upper end.
        p_t: Two-sided p of the paired t test; None for one pair, or if all differences are equal.
        p_wilcoxon: Two-sided p of Wilcoxon's signed-rank test; None with fewer than 6 pairs that differ, or if all
            differences are equal.
        detectable: Smallest true difference that the t test finds with a power of 80 %; None where p_t is.
    """

    n: int
    difference: float
    sd: float | None
    low: float | None
    high: float | None
    p_t: float | None
    p_wilcoxon: float | None
    detectable: float | None


def paired_difference(a: Mapping[int, float], b: Mapping[int, float], resolution: float) -> PairedDifference:
    """Compare two arms, each given as seed -> value.

    Args:
        a: One arm.
        b: The other.
        resolution: The smallest step between values, in their unit: 100 / test images for accuracies in percent.
            Differences are rounded to whole steps, so that rounding errors break no ties.

    Raises:
        UserError: They share no seed, or a value is not finite.
    """
    seeds = sorted(a.keys() & b.keys())
    if not seeds:
        raise UserError(f"paired arms must share a seed; got {sorted(a)} and {sorted(b)}.")
    d = _finite_vector([a[seed] for seed in seeds]) - _finite_vector([b[seed] for seed in seeds])
    steps = np.rint(d / resolution)
    in_steps = summary(steps)
    n, mean, sd = in_steps.n, in_steps.mean * resolution, None if in_steps.sd is None else in_steps.sd * resolution
    if sd is None or sd == 0.0:
        edge = None if sd is None else mean
        return PairedDifference(n, mean, sd, edge, edge, None, None, None)
    half = _half_width(sd, n)
    p_t = float(stats.ttest_1samp(steps, 0.0).pvalue)
    p_wilcoxon = float(stats.wilcoxon(steps).pvalue) if np.count_nonzero(steps) >= WILCOXON_MIN_PAIRS else None
    return PairedDifference(n, mean, sd, mean - half, mean + half, p_t, p_wilcoxon, smallest_difference(sd, n))


def smallest_difference(sd: float, n: int) -> float:
    """Return the smallest mean difference that a two-sided paired t test at 5 % finds with a probability of 80 %.

    The chance of finding it with the wrong sign, at most one in a million, is neglected.

    Args:
        sd: Standard deviation of the differences.
        n: Pairs; at least 2.
    """
    critical = stats.t.ppf((1 + LEVEL) / 2, n - 1)
    return float(special.nctdtrinc(n - 1, 1 - POWER, critical)) * sd / math.sqrt(n)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p values adjusted for multiple tests (Holm 1979): the k-th smallest of m times m - k + 1, in order."""
    adjusted, highest = {}, 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p_values}


def welch(a: Summary, b: Summary) -> float | None:
    """Return the two-sided p of Welch's t test from means, deviations and counts: for published figures without seeds.

    None where neither arm has any spread.

    Raises:
        UserError: An arm has fewer than 2 values.
    """
    if a.sd is None or b.sd is None:
        raise UserError(f"Welch's test needs at least 2 values an arm; got {a.n} and {b.n}.")
    if a.sd == b.sd == 0.0:
        return None
    return float(stats.ttest_ind_from_stats(a.mean, a.sd, a.n, b.mean, b.sd, b.n, equal_var=False).pvalue)


def _finite_vector(values: Sequence[float]) -> np.ndarray:
    x = np.asarray(values, float)
    if x.ndim != 1 or len(x) == 0 or not np.all(np.isfinite(x)):
        raise UserError(f"`values` must be at least one finite number; got {list(values)}.")
    return x
