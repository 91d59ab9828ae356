"""Tables of a report, in Markdown."""

from collections.abc import Iterable, Mapping, Sequence

from qssl_tf.evaluation.published import published_accuracies
from qssl_tf.evaluation.statistics import PairedDifference, Summary, summary
from qssl_tf.markup import plain
from qssl_tf.quantum.counting import training_circuits
from qssl_tf.studies.arms import arm
from qssl_tf.studies.comparisons import Comparisons, accuracies, against_published
from qssl_tf.studies.records import Record
from qssl_tf.studies.studies import Study


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table, [] without rows; a column in which no row has anything to say is left out."""
    columns = zip(head, *rows, strict=True)
    said = [column for column in columns if set(column[1:]) - {"", "-"}]
    if not said:
        return []
    first, *others = zip(*said, strict=True)
    lines = [f"| {' | '.join(first)} |", f"|{'---|' * len(first)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in others)]


def spread(values: Summary) -> str:
    """Return a mean and its sample standard deviation, as in 46.51 ± 1.50."""
    return f"{values.mean:.2f}" if values.sd is None else f"{values.mean:.2f} ± {values.sd:.2f}"


def _interval(values: Summary) -> str:
    return "-" if values.interval is None else "{:.1f} to {:.1f}".format(*values.interval)


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def published_table(records: Sequence[Record], study: Study, protocol: str) -> list[str]:
    """Return the paper's table: published arms beside the published figures; [] if none was probed."""
    rows = []
    for cell in study.cells:
        found = accuracies(records, cell.name, study.table, protocol)
        if found is None or not arm(cell.series).published:
            continue
        last, best = (summary(list(values.values())) for values in (found.last, found.best))
        theirs = published_accuracies(cell.series)[study.table]
        judged = against_published(best, theirs)
        rows.append([
            cell.name, str(best.n), spread(last), spread(best), _interval(best),
            f"{spread(theirs)} ({theirs.n})", _interval(theirs),
            {True: "yes", False: "**no**", None: "-"}[judged.overlap], _p(judged.p),
        ])  # fmt: skip
    head = ["arm", "seeds", "last epoch (%)", "best epoch (%)", "its 95 %", "published, best epoch (runs)", "its 95 %",
            "overlap", "Welch p"]  # fmt: skip
    return markdown(head, rows)


def arms_table(records: Sequence[Record], study: Study, batch: int) -> list[str]:
    """Return last-epoch accuracies of every cell after `batch`, by the cached protocol."""
    rows = []
    for cell in study.cells:
        found = accuracies(records, cell.name, batch, "cached")
        if found is None:
            continue
        said = summary(list(found.last.values()))
        values = ", ".join(f"{value:.1f}" for value in found.last.values())
        rows.append([cell.name, arm(cell.series).about, str(said.n), spread(said), _interval(said), values])
    return markdown(["arm", "what it is", "seeds", "last epoch (%)", "95 % of the mean", "each seed"], rows)


def comparison_table(found: Comparisons) -> list[str]:
    """Return cells against the baseline; [] if there is nothing to compare."""
    rows = [[cell, *_paired_words(pair), _p(found.adjusted.get(cell))] for cell, pair in found.found.items()]
    head = ["arm", "pairs", f"minus {found.baseline} (points)", "95 %", "p (t)", "p (Wilcoxon)", "detectable",
            "p (t, Holm)"]  # fmt: skip
    return markdown(head, rows)


def _paired_words(pair: PairedDifference) -> list[str]:
    interval = "-" if pair.low is None or pair.high is None else f"{pair.low:+.1f} to {pair.high:+.1f}"
    detectable = "-" if pair.detectable is None else f"{pair.detectable:.1f}"
    return [str(pair.n), f"{pair.difference:+.2f}", interval, _p(pair.p_t), _p(pair.p_wilcoxon), detectable]


def curve_table(records: Sequence[Record], study: Study) -> list[str]:
    """Return mean last-epoch accuracy of each series (rows) by what varies along it (columns)."""
    values = sorted({cell.value for cell in study.cells if cell.value is not None})
    columns: Mapping = {
        value: {cell.series: cell.name for cell in study.cells if cell.value == value} for value in values
    }
    rows = []
    for series in dict.fromkeys(cell.series for cell in study.cells):
        row = [series]
        for value in values:
            name = columns[value].get(series)
            found = accuracies(records, name, study.table, "cached") if name else None
            row.append(f"{spread(summary(list(found.last.values())))} ({len(found.last)})" if found else "-")
        rows.append(row)
    return markdown([f"{study.axis} →", *map(str, values)], rows)


def batches_table(records: Sequence[Record], study: Study) -> list[str]:
    """Return mean last-epoch accuracy of each cell (rows) by training batches (columns)."""
    rows = []
    for cell in study.cells:
        found = [accuracies(records, cell.name, batch, "cached") for batch in study.batches]
        if any(found):
            words = [f"{spread(summary(list(one.last.values())))} ({len(one.last)})" if one else "-" for one in found]
            rows.append([cell.series, *words])
    return markdown(["after batch →", *map(str, study.batches)], rows)


def states_table(records: Sequence[Record], theirs: Sequence[Mapping[str, float]]) -> list[str]:
    """Return loss and geometry at the published batches, ours (mean over seeds) before the published figure.

    Geometry is measured every third batch of an epoch; where that misses a published batch the nearest one stands in.
    """
    rows = []
    for row in theirs:
        batch = int(row["batch"])
        nearest = min((int(kept["step"]) for kept in records[0].geometry), key=lambda step: abs(step - batch))
        words = [str(batch) if nearest == batch else f"{batch} (states: {nearest})"]
        for name in list(row)[1:]:
            if name == "loss":
                values = [record.losses[batch - 1] for record in records]
            else:
                values = [kept[name] for record in records for kept in record.geometry if int(kept["step"]) == nearest]
            words.append(f"{sum(values) / len(values):.2f} / {row[name]:.2f}")
        rows.append(words)
    return markdown([name.replace("_", " ") for name in theirs[0]], rows)


def cost_table(records: Sequence[Record], study: Study) -> list[str]:
    """Return what each cell took: parameters, circuits, wall time."""
    rows = []
    for cell in study.cells:
        own = [record for record in records if record.cell == cell.name]
        if not own:
            continue
        circuits = training_circuits(cell.config, own[0].steps)
        shots = cell.config.shots
        probes = [probe.seconds for record in own for probe in record.probes if probe.protocol == "cached"]
        rows.append([
            cell.name, f"{own[0].parameters[0]:,}", f"{own[0].parameters[1]:,}", f"{circuits:,}" if circuits else "-",
            f"{circuits * shots:.1e}" if shots else "exact" if circuits else "-",
            f"{_median([record.train_seconds for record in own]):.0f}", f"{_median(probes):.1f}",
        ])  # fmt: skip
    head = ["arm", "head's weights", "all weights", "circuits", "measured shots", "training (s)", "one probe (s)"]
    return markdown(head, rows)


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def versions_table(records: Sequence[Record]) -> list[str]:
    """Return the versions of everything that made the records, more than one where they differ."""
    names = dict.fromkeys(name for record in records for name in record.versions)
    rows = []
    for name in names:
        found = sorted({record.versions[name] for record in records if name in record.versions})
        rows.append([plain(name), plain(", ".join(found))])
    return markdown(["what", "version"], rows)
