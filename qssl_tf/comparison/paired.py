"""Arms against a baseline, seed by seed: the statistics that `qssl compare` and `qssl reproduce` both show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from qssl_tf.comparison.equivalence import ALPHA, Equivalence, equivalence
from qssl_tf.evaluation.statistics import (
    T_TEST_MIN_PAIRS,
    WILCOXON_MIN_PAIRS,
    PairedDifference,
    holm,
    paired_difference,
)

BySeed = Mapping[int, float]


@dataclass(frozen=True)
class Comparisons:
    """Arms against a baseline.

    Attributes:
        baseline: Name of the baseline.
        differences: Arm -> its accuracy minus the baseline's.
        adjusted: Arm -> p of the paired t test, corrected for multiple tests (Holm).
        omissions: Sentences that say which tests were omitted, and why.
        equivalences: Arm -> its test of equivalence; none without a margin.
        adjusted_equivalences: Arm -> p of that test, corrected in the same way.
    """

    baseline: str
    differences: dict[str, PairedDifference]
    adjusted: dict[str, float]
    omissions: list[str]
    equivalences: dict[str, Equivalence] = field(default_factory=dict)
    adjusted_equivalences: dict[str, float] = field(default_factory=dict)

    def verdict(self, arm: str) -> str:
        """Return what the corrected tests of an arm say together, at 5 %; `open` where neither says anything."""
        differs = self.adjusted.get(arm, 1.0) < ALPHA
        is_equivalent = self.adjusted_equivalences.get(arm, 1.0) < ALPHA
        if differs and is_equivalent:
            return "different, within the margin"
        return "different" if differs else "equivalent" if is_equivalent else "open"


def compare_arms(
    arms: Mapping[str, BySeed], baseline: str, resolution: float, margin: float | None = None
) -> Comparisons:
    """Compare arms with a baseline on the seeds that each shares with it.

    Args:
        arms: Arm -> seed -> accuracy in percent; the baseline may be missing.
        baseline: Name of the baseline.
        resolution: The smallest step between accuracies: 100 / test images.
        margin: Percentage points below which a difference counts as none; None asks nothing of that kind.

    Raises:
        UserError: The margin is not above 0.
    """
    differences: dict[str, PairedDifference] = {}
    omissions: list[str] = []
    base = arms.get(baseline, {})
    for name, values in arms.items():
        if name == baseline:
            continue
        if not base.keys() & values.keys():
            omissions.append(f"{name} is not compared: it shares no finished seed with {baseline}.")
            continue
        differences[name] = paired_difference(values, base, resolution)
    without_t = [name for name, pair in differences.items() if pair.p_t is None]
    without_wilcoxon = [name for name, pair in differences.items() if pair.p_wilcoxon is None]
    omissions += _omitted_test("t", f"{T_TEST_MIN_PAIRS} pairs", without_t)
    omissions += _omitted_test("Wilcoxon", f"{WILCOXON_MIN_PAIRS} pairs that differ", without_wilcoxon)
    adjusted = holm({name: pair.p_t for name, pair in differences.items() if pair.p_t is not None})
    tests = {} if margin is None else {name: equivalence(pair, margin) for name, pair in differences.items()}
    known = {name: test for name, test in tests.items() if test is not None}
    adjusted_tests = holm({name: test.p for name, test in known.items()})
    return Comparisons(baseline, differences, adjusted, omissions, known, adjusted_tests)


def _omitted_test(test: str, requirement: str, arms: Sequence[str]) -> list[str]:
    if not arms:
        return []
    return [f"No {test} test of {', '.join(arms)}: it needs {requirement}, and differences that are not all equal."]
