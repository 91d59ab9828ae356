"""What accuracies of several seeds say: spread, intervals, paired tests, and what could have been seen at all.

Runs of two arms with the same seed share initial encoder, data order and views, so arms are compared seed by seed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import integrate, optimize, stats

from qssl_tf.errors import UserError

LEVEL = 0.95
RESAMPLES = 9_999
TEST_MINIMUM = 2  # pairs for a t test
WILCOXON_MINIMUM = 6  # pairs: with fewer even the clearest order has p above .05


@dataclass(frozen=True)
class Summary:
    """Values of one arm over seeds, in their own unit (percent for accuracies).

    Attributes:
        n: How many.
        mean: Their mean.
        sd: Sample standard deviation (divided by n - 1); None for one value.
        low: Lower end of the 95 % interval of the mean (bootstrap, bias-corrected and accelerated); None for one value.
        high: Upper end.
    """

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None


def summary(values: Sequence[float], seed: int = 0) -> Summary:
    """Return mean, spread and interval of `values`; equal seeds of the bootstrap give equal intervals.

    Raises:
        UserError: There are no values, or one is no finite number.
    """
    x = _checked(values)
    if len(x) == 1:
        return Summary(1, float(x[0]), None, None, None)
    mean, sd = float(x.mean()), float(x.std(ddof=1))
    if sd == 0.0:
        return Summary(len(x), mean, 0.0, mean, mean)
    drawn = stats.bootstrap(
        (x,), np.mean, confidence_level=LEVEL, n_resamples=RESAMPLES, method="BCa", rng=np.random.default_rng(seed)
    )
    interval = drawn.confidence_interval
    return Summary(len(x), mean, sd, float(interval.low), float(interval.high))


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
        p_wilcoxon: Two-sided p of Wilcoxon's signed-rank test; None with fewer than 6 pairs.
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


def paired(a: Mapping[int, float], b: Mapping[int, float]) -> Paired:
    """Compare two arms, each given as seed -> value.

    Raises:
        UserError: They share no seed, or a value is no finite number.
    """
    seeds = sorted(a.keys() & b.keys())
    if not seeds:
        raise UserError(f"paired arms must share a seed; got {sorted(a)} and {sorted(b)}.")
    d = _checked([a[seed] for seed in seeds]) - _checked([b[seed] for seed in seeds])
    n, mean = len(d), float(d.mean())
    sd = float(d.std(ddof=1)) if n >= TEST_MINIMUM else None
    if sd is None or sd == 0.0:
        edge = None if sd is None else mean
        return Paired(n, mean, sd, edge, edge, None, None, None)
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * sd / math.sqrt(n)
    p_t = float(stats.ttest_1samp(d, 0.0).pvalue)
    p_wilcoxon = float(stats.wilcoxon(d).pvalue) if n >= WILCOXON_MINIMUM and np.any(d) else None
    return Paired(n, mean, sd, mean - half, mean + half, p_t, p_wilcoxon, smallest_difference(sd, n))


def smallest_difference(sd: float, n: int, power: float = 0.8, level: float = LEVEL) -> float:
    """Return the smallest mean difference that a two-sided paired t test finds with probability `power`.

    Args:
        sd: Standard deviation of the differences; above 0.
        n: Pairs; at least 2.
        power: Probability of finding it.
        level: 1 minus the test's level.
    """
    critical = float(stats.t.ppf((1 + level) / 2, n - 1))

    def overlooked(shift: float) -> float:
        """Return the probability that |t| stays below its critical value, the mean lying `shift` errors from 0.

        SciPy's own noncentral t has no values far from 0, so it is averaged over the estimated deviation here.
        """

        def given(share: float) -> float:
            edge = critical * math.sqrt(stats.chi2.ppf(share, n - 1) / (n - 1))
            return float(stats.norm.cdf(edge - shift) - stats.norm.cdf(-edge - shift))

        return integrate.quad(given, 0.0, 1.0, limit=200)[0]

    high = 1.0
    while overlooked(high) > 1 - power:
        high *= 2
    shift = optimize.brentq(lambda shift: overlooked(shift) - (1 - power), 0.0, high, xtol=1e-6)
    return float(shift) * sd / math.sqrt(n)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p values adjusted for how many they are (Holm 1979): the k-th smallest of m times m - k + 1, in order."""
    adjusted, highest = {}, 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p_values}


def welch(a: Summary, b: Summary) -> float:
    """Return the two-sided p of Welch's t test from means, deviations and counts: for published figures without seeds.

    Raises:
        UserError: An arm has fewer than 2 values.
    """
    if a.sd is None or b.sd is None:
        raise UserError(f"Welch's test needs at least 2 values an arm; got {a.n} and {b.n}.")
    return float(stats.ttest_ind_from_stats(a.mean, a.sd, a.n, b.mean, b.sd, b.n, equal_var=False).pvalue)


def _checked(values: Sequence[float]) -> np.ndarray:
    x = np.asarray(values, float)
    if x.ndim != 1 or len(x) == 0 or not np.all(np.isfinite(x)):
        raise UserError(f"`values` must be at least one finite number; got {list(values)}.")
    return x
