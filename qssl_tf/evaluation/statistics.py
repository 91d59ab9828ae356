"""What accuracies of several seeds say: spread, intervals, paired tests, and what could have been seen at all.

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
TEST_MINIMUM = 2  # pairs for a t test
WILCOXON_MINIMUM = 6  # pairs that differ: with fewer even the clearest order has p above .05


@dataclass(frozen=True)
class Summary:
    """Values of one arm over seeds, in their own unit (percent for accuracies).

    Attributes:
        n: How many.
        mean: Their mean.
        sd: Sample standard deviation (divided by n - 1); None for one value.
    """

    n: int
    mean: float
    sd: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean (Student's t); None for one value.

        A bootstrap of so few values is too narrow: of 100 such intervals of a mean of two seeds 50 hold the truth, of
        six 85.
        """
        if self.sd is None:
            return None
        half = _half_width(self.sd, self.n)
        return self.mean - half, self.mean + half


def summary(values: Sequence[float]) -> Summary:
    """Return mean and spread of `values`.

    Raises:
        UserError: There are no values, or one is no finite number.
    """
    # In exact fractions: of equal values the spread is 0, and no rounding error that a test would take for one.
    x = [float(value) for value in _checked(values)]
    return Summary(len(x), statistics.mean(x), statistics.stdev(x) if len(x) > 1 else None)


def _half_width(sd: float, n: int) -> float:
    return float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * sd / math.sqrt(n)


@dataclass(frozen=True)
class Paired:
    """Arm a against arm b over the seeds that both have.

    Attributes:
        n: Pairs.
        difference: Mean of a - b.
        sd: Sample standard deviation of the differences; None for one pair.
        low: Lower end of the 95 % interval of the difference (Student's t); None for one pair.
        high: Upper end.
        p_t: Two-sided p of the paired t test; None with fewer than 2 pairs, or if all differences are equal.
        p_wilcoxon: Two-sided p of Wilcoxon's signed-rank test; None with fewer than 6 pairs that differ, or if all
            differences are equal.
        detectable: Smallest true difference that the t test would find in 80 of 100 such experiments; None as p_t.
    """

    n: int
    difference: float
    sd: float | None
    low: float | None
    high: float | None
    p_t: float | None
    p_wilcoxon: float | None
    detectable: float | None


def paired(a: Mapping[int, float], b: Mapping[int, float], resolution: float) -> Paired:
    """Compare two arms, each given as seed -> value.

    Args:
        a: One arm.
        b: The other.
        resolution: The step in which values come, in their unit: 100 / test images for accuracies in percent.
            Differences are taken in whole steps, so that those that are equal, or ties, stay so whatever was rounded.

    Raises:
        UserError: They share no seed, or a value is no finite number.
    """
    seeds = sorted(a.keys() & b.keys())
    if not seeds:
        raise UserError(f"paired arms must share a seed; got {sorted(a)} and {sorted(b)}.")
    d = _checked([a[seed] for seed in seeds]) - _checked([b[seed] for seed in seeds])
    steps = np.rint(d / resolution)
    found = summary(steps)
    n, mean, sd = found.n, found.mean * resolution, None if found.sd is None else found.sd * resolution
    if sd is None or sd == 0.0:
        edge = None if sd is None else mean
        return Paired(n, mean, sd, edge, edge, None, None, None)
    half = _half_width(sd, n)
    p_t = float(stats.ttest_1samp(steps, 0.0).pvalue)
    p_wilcoxon = float(stats.wilcoxon(steps).pvalue) if np.count_nonzero(steps) >= WILCOXON_MINIMUM else None
    return Paired(n, mean, sd, mean - half, mean + half, p_t, p_wilcoxon, smallest_difference(sd, n))


def smallest_difference(sd: float, n: int) -> float:
    """Return the smallest mean difference that a two-sided paired t test at 5 % finds with a probability of 80 %.

    The chance to find it with the wrong sign, at most one in a million, is left out.

    Args:
        sd: Standard deviation of the differences.
        n: Pairs; at least 2.
    """
    critical = stats.t.ppf((1 + LEVEL) / 2, n - 1)
    return float(special.nctdtrinc(n - 1, 1 - POWER, critical)) * sd / math.sqrt(n)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p values adjusted for how many they are (Holm 1979): the k-th smallest of m times m - k + 1, in order."""
    adjusted, highest = {}, 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p_values}


def welch(a: Summary, b: Summary) -> float | None:
    """Return the two-sided p of Welch's t test from means, deviations and counts: for published figures without seeds.

    None where neither arm has any spread to judge by.

    Raises:
        UserError: An arm has fewer than 2 values.
    """
    if a.sd is None or b.sd is None:
        raise UserError(f"Welch's test needs at least 2 values an arm; got {a.n} and {b.n}.")
    if a.sd == b.sd == 0.0:
        return None
    return float(stats.ttest_ind_from_stats(a.mean, a.sd, a.n, b.mean, b.sd, b.n, equal_var=False).pvalue)


def _checked(values: Sequence[float]) -> np.ndarray:
    x = np.asarray(values, float)
    if x.ndim != 1 or len(x) == 0 or not np.all(np.isfinite(x)):
        raise UserError(f"`values` must be at least one finite number; got {list(values)}.")
    return x
