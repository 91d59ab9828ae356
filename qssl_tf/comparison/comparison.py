"""A comparison of arms: what was compared, what came of it, and the tables that show it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from qssl_tf.comparison.equivalence import check_margin
from qssl_tf.comparison.observations import Observation, comparable, unpaired
from qssl_tf.comparison.paired import Comparisons, compare_arms
from qssl_tf.comparison.table import aligned, interval, markdown, p_value, spread
from qssl_tf.errors import UserError, unknown_name
from qssl_tf.evaluation.statistics import Summary, summary
from qssl_tf.markup import plain

MIN_PAIRS = 2


@dataclass(frozen=True)
class Comparison:
    """Arms compared with a baseline, seed by seed, on the same test images.

    Attributes:
        accuracies: Arm -> seed -> test accuracy after the probe's last epoch, in percent.
        baseline: The arm that the others are compared with.
        margin: Percentage points below which a difference counts as none; it was stated before.
        test_images: The number of test images.
        dataset: Name of the data set.
        omissions: Sentences that name the runs, seeds and tests that were left out, and why.
        folder: Where its tables and figure are; None if nothing was written.
    """

    accuracies: Mapping[str, Mapping[int, float]]
    baseline: str
    margin: float
    test_images: int
    dataset: str
    omissions: list[str]
    folder: Path | None = field(default=None)

    @cached_property
    def statistics(self) -> Comparisons:
        """The paired statistics of each arm but the baseline."""
        return compare_arms(self.accuracies, self.baseline, 100 / self.test_images, self.margin)

    def summary(self, arm: str) -> Summary:
        """Return mean, sample standard deviation and Student's interval of an arm over its seeds."""
        return summary(list(self.accuracies[arm].values()))

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Everything about each arm as plain values, the baseline's first; None where there is nothing to say."""
        others = [name for name in self.accuracies if name != self.baseline]
        return [self._row(name) for name in (self.baseline, *others)]

    def _row(self, arm: str) -> dict[str, Any]:
        values, tests = self.summary(arm), self.statistics
        low, high = values.interval or (None, None)
        row: dict[str, Any] = {
            "arm": arm, "seeds": list(self.accuracies[arm]), "accuracies": list(self.accuracies[arm].values()),
            "mean": values.mean, "sd": values.sd, "low": low, "high": high,
        }  # fmt: skip
        pair, same = tests.differences.get(arm), tests.equivalences.get(arm)
        row |= {
            "baseline": self.baseline if pair else None,
            "pairs": pair.n if pair else None,
            "difference": pair.difference if pair else None,
            "difference_sd": pair.sd if pair else None,
            "difference_low": pair.low if pair else None,
            "difference_high": pair.high if pair else None,
            "p_t": pair.p_t if pair else None,
            "p_t_holm": tests.adjusted.get(arm),
            "p_wilcoxon": pair.p_wilcoxon if pair else None,
            "detectable": pair.detectable if pair else None,
            "margin": self.margin if pair else None,
            "equivalence_low": same.low if same else None,
            "equivalence_high": same.high if same else None,
            "p_equivalence": same.p if same else None,
            "p_equivalence_holm": tests.adjusted_equivalences.get(arm),
            "verdict": tests.verdict(arm) if pair and pair.p_t is not None else None,
        }
        return row

    def arms_table(self, shown: Callable[[str], str] = str) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the table of accuracies; `shown` makes of a name what the table's kind can hold."""
        rows = []
        for row in self.rows:
            values = self.summary(row["arm"])
            seeds = ", ".join(f"{value:.1f}" for value in row["accuracies"])
            rows.append([shown(row["arm"]), str(values.n), spread(values), interval(values), seeds])
        return ["arm", "seeds", "accuracy (%)", "95 % of the mean", "each seed"], rows

    def differences_table(self, shown: Callable[[str], str] = str) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the table of paired differences; `shown` as for `arms_table`."""
        rows = []
        for row in self.rows:
            if row["pairs"] is None:
                continue
            ranges = [
                "-" if row[f"{name}_low"] is None else f"{row[f'{name}_low']:+.1f} to {row[f'{name}_high']:+.1f}"
                for name in ("difference", "equivalence")
            ]
            mean = Summary(row["pairs"], row["difference"], row["difference_sd"])
            difference = f"{mean.mean:+.2f}" + ("" if mean.sd is None else f" ± {mean.sd:.2f}")
            tests = [p_value(row[name]) for name in ("p_t", "p_t_holm", "p_wilcoxon", "p_equivalence_holm")]
            detectable = "-" if row["detectable"] is None else f"{row['detectable']:.1f}"
            rows.append(
                [shown(row["arm"]), str(mean.n), difference, *ranges, *tests, detectable, row["verdict"] or "-"]
            )
        head = [
            "arm", "pairs", f"minus {shown(self.baseline)} (points)", "95 %", "90 %", "p (t)", "p (t, Holm)",
            "p (Wilcoxon)", f"p (within ±{self.margin:g}, Holm)", "detectable", "verdict",
        ]  # fmt: skip
        return head, rows

    @property
    def markdown(self) -> str:
        """Both tables in Markdown, and what was left out."""
        parts = ["\n".join(markdown(*table)) for table in (self.arms_table(plain), self.differences_table(plain))]
        if self.omissions:
            parts.append("\n".join(f"- {plain(sentence)}" for sentence in self.omissions))
        return "\n\n".join(part for part in parts if part)

    def _repr_markdown_(self) -> str:
        return self.markdown  # a notebook shows it

    def __str__(self) -> str:
        """Return the tables for a terminal, and what was left out; one table of all columns would be too wide."""
        head, rows = self.arms_table()
        accuracies = aligned(head[:-1], [row[:-1] for row in rows])  # a line for each seed's would be too long
        head, rows = self.differences_table()
        tests = head.index("p (t)")  # between the differences and the verdict
        differences = aligned([*head[:tests], head[-1]], [[*row[:tests], row[-1]] for row in rows])
        p_values = aligned([head[0], *head[tests:-1]], [[row[0], *row[tests:-1]] for row in rows])
        tables = ["\n".join(table) for table in (accuracies, differences, p_values) if table]
        return "\n\n".join([*tables, *(["\n".join(self.omissions)] if self.omissions else [])])


def refuse_too_few_pairs(arms: Mapping[str, Collection[int]], first: str, sentences: Sequence[str]) -> None:
    """Refuse arms of which none has pairs enough with the first.

    Args:
        arms: The seeds of each arm by its name.
        first: Name of the baseline.
        sentences: About the runs that were left out.

    Raises:
        UserError: With the number of pairs of each.
    """
    pairs = {name: len(set(arms[first]) & set(seeds)) for name, seeds in arms.items() if name != first}
    if max(pairs.values()) < MIN_PAIRS:
        counts = ", ".join(f"{count} of {name}" for name, count in pairs.items())
        why = f": {' '.join(sentences)}" if sentences else "."
        raise UserError(
            f"an arm must share at least {MIN_PAIRS} seeds with {first}, since one pair has no spread; "
            f"got {counts}{why}"
        )


def compared(
    observations: list[Observation], baseline: str | None, margin: float, omissions: list[str] | None = None
) -> Comparison:
    """Compare runs.

    Args:
        observations: The runs.
        baseline: The arm that others are compared with; None takes that of the first run.
        margin: Percentage points below which a difference counts as none.
        omissions: Sentences about runs that were left out before.

    Raises:
        UserError: The margin is not above 0, there are fewer than two arms, the baseline is none of them, runs were
            judged on different images, or no arm has two pairs.
    """
    check_margin(margin)
    names = list(dict.fromkeys(one.arm for one in observations))
    if baseline is not None and baseline not in names:
        raise unknown_name("baseline", baseline, names)
    if len(names) < 2:
        raise UserError(
            f"a comparison must have at least two arms; got {names[0] if names else 'none'}; give runs of "
            f"others as well{'; ' + ' '.join(omissions) if omissions else '.'}"
        )
    arms, left_out = comparable(observations)
    first = baseline or names[0]
    sentences = [*(omissions or []), *left_out, *unpaired(arms, first)]
    refuse_too_few_pairs(arms, first, sentences)
    data = observations[0].data
    filled = {name: by_seed for name, by_seed in arms.items() if by_seed}
    comparison = Comparison(filled, first, float(margin), data[1], data[0], sentences)
    sentences += comparison.statistics.omissions
    return comparison
