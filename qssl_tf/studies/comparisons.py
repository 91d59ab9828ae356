"""What the records of a study say: accuracies by arm and batch, arms against each other and against the paper."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qssl_tf.evaluation.statistics import (
    T_TEST_MIN_PAIRS,
    WILCOXON_MIN_PAIRS,
    PairedDifference,
    Summary,
    holm,
    paired_difference,
    summary,
    welch,
)
from qssl_tf.studies.records import Record


@dataclass(frozen=True)
class Accuracies:
    """One cell after one batch, by one protocol; accuracies in percent of the test images.

    Attributes:
        cell: Name of the cell.
        batch: Training batches before the probes.
        protocol: Of the probes.
        test_images: How many judged it: accuracies come in steps of 100 / test images.
        last: Seed -> accuracy after the probe's last epoch.
        best: Seed -> accuracy after its best epoch, chosen on test images.
    """

    cell: str
    batch: int
    protocol: str
    test_images: int
    last: dict[int, float]
    best: dict[int, float]


def accuracies(records: Iterable[Record], cell: str, batch: int, protocol: str) -> Accuracies | None:
    """Return what was probed of a cell; None if nothing was."""
    own = sorted((record for record in records if record.cell == cell), key=lambda record: record.seed)
    last, best = {}, {}
    for record in own:
        found, top = record.accuracy(batch, protocol), record.accuracy(batch, protocol, best=True)
        if found is not None and top is not None:
            last[record.seed], best[record.seed] = found, top
    return Accuracies(cell, batch, protocol, own[0].test_images, last, best) if last else None


def summary_rows(records: Sequence[Record]) -> list[dict]:
    """Return a row of plain values for each cell, batch and protocol that was probed: what `summary.json` holds."""
    keys = {(record.cell, probe.batch, probe.protocol) for record in records for probe in record.probes}
    order = list(dict.fromkeys(record.cell for record in records))
    rows = []
    for cell, batch, protocol in sorted(keys, key=lambda key: (order.index(key[0]), key[2], key[1])):
        found = accuracies(records, cell, batch, protocol)
        if found is None:
            continue
        row: dict = {"arm": cell, "batch": batch, "protocol": protocol}
        for name, values in (("last_epoch", found.last), ("best_epoch", found.best)):
            said = summary(list(values.values()))
            low, high = said.interval or (None, None)
            row[name] = {"accuracies": values, "mean": said.mean, "sd": said.sd, "low": low, "high": high}
        rows.append(row)
    return rows


@dataclass(frozen=True)
class AgainstPublished:
    """An arm's best-epoch accuracies beside the published ones.

    Attributes:
        overlap: Whether the 95 % intervals of both means overlap (Student's for both); None for one run.
        p: Two-sided p of Welch's test; None for one run, or where neither side has a spread.
    """

    overlap: bool | None
    p: float | None


def against_published(ours: Summary, theirs: Summary) -> AgainstPublished:
    """Compare means of which nothing but mean, deviation and count is known on one side."""
    mine, other = ours.interval, theirs.interval
    if mine is None or other is None:
        return AgainstPublished(None, None)
    return AgainstPublished(mine[0] <= other[1] and other[0] <= mine[1], welch(ours, theirs))


@dataclass(frozen=True)
class Comparisons:
    """Cells against a baseline, seed by seed.

    Attributes:
        baseline: Name of the baseline's cell.
        found: Cell -> accuracy of the cell minus the baseline's.
        adjusted: Cell -> p of the paired t test, corrected for how many there are (Holm).
        left_out: Sentences that say which tests were left out, and why.
    """

    baseline: str
    found: dict[str, PairedDifference]
    adjusted: dict[str, float]
    left_out: list[str]


def compared(
    records: Sequence[Record], baseline: str, cells: Sequence[str], batch: int, protocol: str = "cached"
) -> Comparisons:
    """Compare last-epoch accuracies of `cells` with those of `baseline` on the seeds that both have."""
    found: dict[str, PairedDifference] = {}
    left_out: list[str] = []
    base = accuracies(records, baseline, batch, protocol)
    for cell in cells:
        other = accuracies(records, cell, batch, protocol)
        if cell == baseline or other is None:
            continue
        if base is None or not base.last.keys() & other.last.keys():
            left_out.append(f"{cell} is not compared: it shares no finished seed with {baseline}.")
            continue
        found[cell] = paired_difference(other.last, base.last, 100 / base.test_images)
    without_t = [cell for cell, pair in found.items() if pair.p_t is None]
    without_wilcoxon = [cell for cell, pair in found.items() if pair.p_wilcoxon is None]
    left_out += _left_out("t", f"{T_TEST_MIN_PAIRS} pairs", without_t)
    left_out += _left_out("Wilcoxon", f"{WILCOXON_MIN_PAIRS} pairs that differ", without_wilcoxon)
    adjusted = holm({cell: pair.p_t for cell, pair in found.items() if pair.p_t is not None})
    return Comparisons(baseline, found, adjusted, left_out)


def _left_out(test: str, needed: str, cells: Sequence[str]) -> list[str]:
    if not cells:
        return []
    return [f"No {test} test of {', '.join(cells)}: it needs {needed}, and differences that are not all equal."]


@dataclass(frozen=True)
class Agreement:
    """Two protocols on the same weights, in percentage points: the paper's minus the cached one's.

    Attributes:
        n: Runs probed by both.
        last: Mean difference of the last epoch's accuracy.
        largest: The largest absolute difference of it.
        best: Mean difference of the best epoch's accuracy.
    """

    n: int
    last: float
    largest: float
    best: float


def agreement(records: Iterable[Record], batch: int) -> Agreement | None:
    """Return how far the paper's protocol and the cached one are apart; None if no run was probed by both."""
    last, best = [], []
    for record in records:
        pairs = [[record.accuracy(batch, protocol, top) for protocol in ("paper", "cached")] for top in (False, True)]
        (mine, cached), (mine_best, cached_best) = pairs
        if mine is not None and cached is not None and mine_best is not None and cached_best is not None:
            last.append(mine - cached)
            best.append(mine_best - cached_best)
    if not last:
        return None
    return Agreement(len(last), sum(last) / len(last), max(map(abs, last)), sum(best) / len(best))
