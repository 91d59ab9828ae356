"""Accuracies of a study by condition and batch, compared with each other and with the published ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qssl_tf.comparison.paired import Comparisons, compare_arms
from qssl_tf.evaluation.statistics import Summary, summary, welch
from qssl_tf.studies.records import Record


@dataclass(frozen=True)
class Accuracies:
    """Accuracies of one condition after one batch, by one probe protocol, in percent of the test images.

    Attributes:
        condition: Name of the condition.
        batch: Training batches before the probe.
        protocol: Of the probe.
        test_images: Their number: accuracies come in steps of 100 / test_images.
        last: Seed -> accuracy after the probe's last epoch.
        best: Seed -> accuracy after its best epoch, chosen on test images.
    """

    condition: str
    batch: int
    protocol: str
    test_images: int
    last: dict[int, float]
    best: dict[int, float]


def accuracies(records: Iterable[Record], condition: str, batch: int, protocol: str) -> Accuracies | None:
    """Return the accuracies of a condition; None if it was not probed after that batch by that protocol."""
    runs = sorted((record for record in records if record.condition == condition), key=lambda record: record.seed)
    last, best = {}, {}
    for record in runs:
        last_epoch, best_epoch = record.accuracy(batch, protocol), record.accuracy(batch, protocol, best=True)
        if last_epoch is not None and best_epoch is not None:
            last[record.seed], best[record.seed] = last_epoch, best_epoch
    return Accuracies(condition, batch, protocol, runs[0].test_images, last, best) if last else None


def summary_rows(records: Sequence[Record]) -> list[dict]:
    """Return the rows of `summary.json`: plain values for each condition, batch and protocol that was probed."""
    keys = {(record.condition, probe.batch, probe.protocol) for record in records for probe in record.probes}
    order = list(dict.fromkeys(record.condition for record in records))
    rows = []
    for condition, batch, protocol in sorted(keys, key=lambda key: (order.index(key[0]), key[2], key[1])):
        by_seed = accuracies(records, condition, batch, protocol)
        if by_seed is None:
            continue
        row: dict = {"arm": condition, "batch": batch, "protocol": protocol}
        for name, values in (("last_epoch", by_seed.last), ("best_epoch", by_seed.best)):
            stats = summary(list(values.values()))
            low, high = stats.interval or (None, None)
            row[name] = {"accuracies": values, "mean": stats.mean, "sd": stats.sd, "low": low, "high": high}
        rows.append(row)
    return rows


@dataclass(frozen=True)
class PublishedComparison:
    """An arm's best-epoch accuracies against the published ones.

    Attributes:
        overlap: Whether Student's 95 % intervals of the two means overlap; None for one run.
        p: Two-sided p of Welch's test; None for one run, or where neither side has a spread.
    """

    overlap: bool | None
    p: float | None


def compare_with_published(ours: Summary, published: Summary) -> PublishedComparison:
    """Compare two means without pairing: of the published runs only mean, deviation and count are known."""
    a, b = ours.interval, published.interval
    if a is None or b is None:
        return PublishedComparison(None, None)
    return PublishedComparison(a[0] <= b[1] and b[0] <= a[1], welch(ours, published))


def compare_with_baseline(
    records: Sequence[Record], baseline: str, conditions: Sequence[str], batch: int, protocol: str = "cached"
) -> Comparisons:
    """Compare last-epoch accuracies of `conditions` with those of `baseline` on the seeds they share."""
    found = {name: accuracies(records, name, batch, protocol) for name in dict.fromkeys((baseline, *conditions))}
    probed = {name: by_seed for name, by_seed in found.items() if by_seed is not None}
    images = next((by_seed.test_images for by_seed in probed.values()), 1)
    return compare_arms({name: by_seed.last for name, by_seed in probed.items()}, baseline, 100 / images)


@dataclass(frozen=True)
class Agreement:
    """Two protocols on the same weights, in percentage points: the paper's minus the cached one's.

    Attributes:
        n: Runs probed by both.
        last: Mean difference of the last epoch's accuracy.
        largest: Largest absolute difference of the last epoch's accuracy.
        best: Mean difference of the best epoch's accuracy.
    """

    n: int
    last: float
    largest: float
    best: float


def agreement(records: Iterable[Record], batch: int) -> Agreement | None:
    """Return how much the two protocols differ; None if no run was probed by both."""
    last, best = [], []
    for record in records:
        paper, cached = (record.accuracy(batch, protocol) for protocol in ("paper", "cached"))
        paper_best, cached_best = (record.accuracy(batch, protocol, best=True) for protocol in ("paper", "cached"))
        if paper is not None and cached is not None and paper_best is not None and cached_best is not None:
            last.append(paper - cached)
            best.append(paper_best - cached_best)
    if not last:
        return None
    return Agreement(len(last), sum(last) / len(last), max(map(abs, last)), sum(best) / len(best))
