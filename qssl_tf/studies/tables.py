"""The tables of a report, in Markdown."""

from collections.abc import Mapping, Sequence

from qssl_tf.comparison.paired import Comparisons
from qssl_tf.comparison.table import interval, markdown, p_value, spread
from qssl_tf.evaluation.published import published_accuracies
from qssl_tf.evaluation.statistics import PairedDifference, summary
from qssl_tf.markup import plain
from qssl_tf.quantum.gradient_rules import training_circuits
from qssl_tf.studies.arms import arm
from qssl_tf.studies.comparisons import Accuracies, accuracies, compare_with_published
from qssl_tf.studies.records import Record
from qssl_tf.studies.studies import Study


def published_table(records: Sequence[Record], study: Study, protocol: str) -> list[str]:
    """Return the paper's table: our accuracies beside the published ones; [] if no published arm was probed."""
    rows = []
    for condition in study.conditions:
        by_seed = accuracies(records, condition.name, study.table_batch, protocol)
        if by_seed is None or not arm(condition.series).published:
            continue
        last, best = (summary(list(values.values())) for values in (by_seed.last, by_seed.best))
        published = published_accuracies(condition.series)[study.table_batch]
        comparison = compare_with_published(best, published)
        rows.append([
            condition.name, str(best.n), spread(last), spread(best), interval(best),
            f"{spread(published)} ({published.n})", interval(published),
            {True: "yes", False: "**no**", None: "-"}[comparison.overlap], p_value(comparison.p),
        ])  # fmt: skip
    head = ["arm", "seeds", "last epoch (%)", "best epoch (%)", "its 95 %", "published, best epoch (runs)", "its 95 %",
            "overlap", "Welch p"]  # fmt: skip
    return markdown(head, rows)


def arms_table(records: Sequence[Record], study: Study, batch: int) -> list[str]:
    """Return last-epoch accuracies of every condition after `batch`, by the cached protocol."""
    rows = []
    for condition in study.conditions:
        by_seed = accuracies(records, condition.name, batch, "cached")
        if by_seed is None:
            continue
        stats = summary(list(by_seed.last.values()))
        values = ", ".join(f"{value:.1f}" for value in by_seed.last.values())
        rows.append([condition.name, arm(condition.series).about, str(stats.n), spread(stats), interval(stats), values])
    return markdown(["arm", "what it is", "seeds", "last epoch (%)", "95 % of the mean", "each seed"], rows)


def comparison_table(comparisons: Comparisons) -> list[str]:
    """Return conditions against the baseline; [] if there is nothing to compare."""
    rows = [
        [condition, *_paired_columns(difference), p_value(comparisons.adjusted.get(condition))]
        for condition, difference in comparisons.differences.items()
    ]
    head = ["arm", "pairs", f"minus {comparisons.baseline} (points)", "95 %", "p (t)", "p (Wilcoxon)", "detectable",
            "p (t, Holm)"]  # fmt: skip
    return markdown(head, rows)


def _paired_columns(pair: PairedDifference) -> list[str]:
    ends = "-" if pair.low is None or pair.high is None else f"{pair.low:+.1f} to {pair.high:+.1f}"
    detectable = "-" if pair.detectable is None else f"{pair.detectable:.1f}"
    return [str(pair.n), f"{pair.difference:+.2f}", ends, p_value(pair.p_t), p_value(pair.p_wilcoxon), detectable]


def curve_table(records: Sequence[Record], study: Study) -> list[str]:
    """Return the mean last-epoch accuracy of each series (rows) by the varied setting (columns)."""
    values = sorted({condition.value for condition in study.conditions if condition.value is not None})
    names: Mapping = {
        value: {condition.series: condition.name for condition in study.conditions if condition.value == value}
        for value in values
    }
    rows = []
    for series in dict.fromkeys(condition.series for condition in study.conditions):
        row = [series]
        for value in values:
            name = names[value].get(series)
            row.append(_spread_of_seeds(accuracies(records, name, study.table_batch, "cached") if name else None))
        rows.append(row)
    return markdown([f"{study.axis} →", *map(str, values)], rows)


def _spread_of_seeds(by_seed: Accuracies | None) -> str:
    return f"{spread(summary(list(by_seed.last.values())))} ({len(by_seed.last)})" if by_seed else "-"


def batches_table(records: Sequence[Record], study: Study) -> list[str]:
    """Return the mean last-epoch accuracy of each condition (rows) by training batches (columns)."""
    rows = []
    for condition in study.conditions:
        curve = [accuracies(records, condition.name, batch, "cached") for batch in study.batches]
        if any(curve):
            rows.append([condition.series, *map(_spread_of_seeds, curve)])
    return markdown(["after batch →", *map(str, study.batches)], rows)


def states_table(records: Sequence[Record], published: Sequence[Mapping[str, float]]) -> list[str]:
    """Return loss and geometry at the published batches: our mean over seeds / the published value.

    We measure geometry at every third batch of an epoch; the nearest of these stands for a published batch.
    """
    rows = []
    for row in published:
        batch = int(row["batch"])
        nearest = min((int(point["step"]) for point in records[0].geometry), key=lambda step: abs(step - batch))
        columns = [str(batch) if nearest == batch else f"{batch} (states: {nearest})"]
        for name in list(row)[1:]:
            if name == "loss":
                values = [record.losses[batch - 1] for record in records]
            else:
                points = [point for record in records for point in record.geometry if int(point["step"]) == nearest]
                values = [point[name] for point in points]
            columns.append(f"{sum(values) / len(values):.2f} / {row[name]:.2f}")
        rows.append(columns)
    return markdown([name.replace("_", " ") for name in published[0]], rows)


def cost_table(records: Sequence[Record], study: Study) -> list[str]:
    """Return what each condition costs: parameters, circuits, wall time."""
    rows = []
    for condition in study.conditions:
        runs = [record for record in records if record.condition == condition.name]
        if not runs:
            continue
        circuits = training_circuits(condition.config, runs[0].steps)
        shots = condition.config.shots
        probes = [probe.seconds for record in runs for probe in record.probes if probe.protocol == "cached"]
        rows.append([
            condition.name, *(f"{count:,}" for count in runs[0].parameters), f"{circuits:,}" if circuits else "-",
            f"{circuits * shots:.1e}" if shots else "exact" if circuits else "-",
            f"{_median([record.train_seconds for record in runs]):.0f}", f"{_median(probes):.1f}",
        ])  # fmt: skip
    head = ["arm", "head's weights", "all weights", "circuits", "measured shots", "training (s)", "one probe (s)"]
    return markdown(head, rows)


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def versions_table(records: Sequence[Record]) -> list[str]:
    """Return the versions of all software behind the records, several where they differ."""
    names = dict.fromkeys(name for record in records for name in record.versions)
    rows = []
    for name in names:
        versions = sorted({record.versions[name] for record in records if name in record.versions})
        rows.append([plain(name), plain(", ".join(versions))])
    return markdown(["what", "version"], rows)
