"""Two one-sided tests of equivalence (TOST; Schuirmann 1987): is a difference smaller than a margin stated before?"""

import math
from dataclasses import dataclass

from scipy import stats

from qssl_tf.commands import argument
from qssl_tf.errors import UserError, shown
from qssl_tf.evaluation.statistics import LEVEL, PairedDifference

ALPHA = 1 - LEVEL  # of each of the two tests


@dataclass(frozen=True)
class Equivalence:
    """Whether a mean difference lies within a margin.

    Attributes:
        margin: Differences of less than this, in the values' own unit, count as none.
        low: Lower end of the 90 % interval of the difference (Student's t).
        high: Upper end. Where both lie within the margin, and only there, `p` is below .05.
        p: The larger p of the two one-sided paired t tests, against a difference of at most -margin and of at least
            margin.
    """

    margin: float
    low: float
    high: float
    p: float


def equivalence(pair: PairedDifference, margin: float) -> Equivalence | None:
    """Test whether two arms are equivalent; None for one pair, or if all differences are equal.

    Args:
        pair: Their differences.
        margin: Above 0, in the same unit.

    Raises:
        UserError: The margin is not above 0.
    """
    check_margin(margin)
    if pair.sd is None or pair.sd == 0.0:
        return None
    error, freedom = pair.sd / math.sqrt(pair.n), pair.n - 1
    half = float(stats.t.ppf(1 - ALPHA, freedom)) * error
    above_low = float(stats.t.sf((pair.difference + margin) / error, freedom))
    below_high = float(stats.t.cdf((pair.difference - margin) / error, freedom))
    return Equivalence(margin, pair.difference - half, pair.difference + half, max(above_low, below_high))


def check_margin(margin: float) -> None:
    """Refuse a margin within which nothing can lie.

    Raises:
        UserError: It is not a finite number above 0.
    """
    if not (margin > 0 and math.isfinite(margin)):
        raise UserError(f"{argument('margin')} must be above 0 percentage points; got {shown(margin)}.")
