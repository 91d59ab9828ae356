"""Figures of a study. Each function returns whether there was anything to draw."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.evaluation.published import published_accuracies
from qssl_tf.evaluation.statistics import summary
from qssl_tf.plots.style import BLUE, COLOURS, COLUMN, GRAY, MARKERS, PAGE, save_figure, styled, subplots
from qssl_tf.studies.arms import arm
from qssl_tf.studies.comparisons import accuracies
from qssl_tf.studies.records import Record
from qssl_tf.studies.studies import Study

STYLED_SERIES = ("ring", "classical", "identity", "all_to_all", "ring_100_shots")
STYLES = dict(zip(STYLED_SERIES, zip(COLOURS, MARKERS, strict=True), strict=False))
OTHER_STYLE = (GRAY, "x")  # of arms that the user registered
CHANCE = 20.0  # percent, for five classes with equally many test images
COLUMNS = 3


@styled
def draw_accuracy(path: Path, records: Sequence[Record], study: Study) -> bool:
    """Draw accuracy against batches for each published arm: ours in colour, the published runs in grey behind."""
    conditions = [
        condition
        for condition in study.conditions
        if arm(condition.series).published and _curve(records, condition.name, study)
    ]
    if not conditions:
        return False
    rows = -(-len(conditions) // COLUMNS)
    columns = min(COLUMNS, len(conditions))
    figure, axes = subplots(
        rows, columns, figsize=(PAGE / 3 * columns, 2.1 * rows + 0.4), sharey=True,
        squeeze=False,
    )  # fmt: skip
    for axis, condition in zip(axes.flat, conditions, strict=False):
        published = published_accuracies(condition.series)
        _band(axis, list(published), [(value.mean, value.sd or 0.0) for value in published.values()], GRAY, "--",
              "published: best epoch of the probe, mean ± deviation")  # fmt: skip
        curve = _curve(records, condition.name, study)
        steps = [point.batch for point in curve]
        axis.plot(
            steps, [np.mean(list(point.best.values())) for point in curve], ":", color=BLUE, label="ours: best epoch"
        )
        spreads = [(float(np.mean(v)), float(np.std(v, ddof=1)) if len(v) > 1 else 0.0)
                   for v in (list(point.last.values()) for point in curve)]  # fmt: skip
        _band(axis, steps, spreads, BLUE, "-", "ours: last epoch, mean ± deviation")
        runs = max(len(point.last) for point in curve)
        axis.set_title(
            f"{condition.name.replace('_', ' ')}\n{runs} seeds, {published[study.table_batch].n} published runs"
        )
    for axis in axes.flat[len(conditions) :]:
        axis.axis("off")
    figure.supxlabel("training batches")
    figure.supylabel("linear-probe test accuracy (%)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    save_figure(figure, path)
    return True


def _band(axis, x: Sequence[int], spreads: Sequence[tuple[float, float]], colour: str, style: str, label: str) -> None:
    """Draw means with a band of one standard deviation."""
    mean, deviation = np.array(spreads).T
    axis.plot(x, mean, style, color=colour, label=label)
    axis.fill_between(x, mean - deviation, mean + deviation, color=colour, alpha=0.25, linewidth=0)


def _curve(records: Sequence[Record], condition: str, study: Study) -> list:
    return [point for batch in study.batches if (point := accuracies(records, condition, batch, "cached"))]


@styled
def draw_arms(path: Path, records: Sequence[Record], study: Study) -> bool:
    """Draw every seed of each arm after the table's batch, with mean and interval, and the published means."""
    rows = [
        (condition, points)
        for condition in study.conditions
        if (points := accuracies(records, condition.name, study.table_batch, "cached"))
    ]
    if not rows:
        return False
    figure, axis = subplots(figsize=(PAGE, 0.8 + 0.3 * len(rows)))
    for y, (condition, points) in enumerate(rows):
        values = list(points.last.values())
        stats = summary(values)
        axis.plot(values, [y + 0.22] * len(values), "o", color=BLUE, alpha=0.45, markeredgewidth=0,
                  label="one seed, last epoch")  # fmt: skip
        if stats.interval is not None:
            axis.plot(stats.interval, [y, y], color=BLUE, linewidth=2, label="mean, 95 % interval")
        axis.plot(stats.mean, y, "|", color=BLUE, markersize=14, markeredgewidth=2)
        if condition.name == condition.series and arm(condition.series).published:
            published = published_accuracies(condition.series)[study.table_batch]
            axis.errorbar(published.mean, y - 0.22, xerr=published.sd, fmt="d", color=GRAY, linewidth=1,
                          label="published mean ± deviation, best epoch")  # fmt: skip
    axis.set_yticks(range(len(rows)), [f"{condition.name} ({len(points.last)})" for condition, points in rows])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xlabel(f"linear-probe test accuracy after batch {study.table_batch} (%)")
    handles = {label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), fontsize=7, loc="outside upper center", ncols=3)
    save_figure(figure, path)
    return True


@styled
def draw_losses(path: Path, records: Sequence[Record], study: Study) -> bool:
    """Draw the mean loss of each series, or of those in STYLES where a study has more than there are colours."""
    if study.axis or not records:
        return False
    figure, axis = subplots(figsize=(COLUMN, 2.6))
    others = dict.fromkeys(condition.series for condition in study.conditions)
    colours = {} if len(others) > len(COLOURS) else dict(zip(others, COLOURS, strict=False))
    colours |= {series: colour for series, (colour, _) in STYLES.items()}
    for condition in study.conditions:
        losses = [record.losses for record in records if record.condition == condition.name]
        if losses and condition.series in colours:
            mean = np.mean(losses, axis=0)
            label = f"{condition.series} ({len(losses)})"
            axis.plot(np.arange(1, len(mean) + 1), mean, color=colours[condition.series], linewidth=1, label=label)
    axis.set(xlabel="training batches", ylabel="NT-Xent loss (nats), mean over seeds")
    axis.legend()
    save_figure(figure, path)
    return True


@styled
def draw_sweep(path: Path, records: Sequence[Record], study: Study) -> bool:
    """Draw accuracy against the varied setting, a line for each series and a point for each seed."""
    figure, axis = subplots(figsize=(COLUMN, 2.6))
    has_points = False
    for series in dict.fromkeys(condition.series for condition in study.conditions):
        points = [
            (condition.value, list(by_seed.last.values()))
            for condition in study.conditions
            if condition.series == series
            and (by_seed := accuracies(records, condition.name, study.table_batch, "cached"))
        ]
        _line(axis, points, series)
        has_points = has_points or bool(points)
    axis.set(xlabel=study.axis, ylabel="linear-probe test accuracy (%)")
    return _finish(figure, axis, path, has_points)


@styled
def draw_epochs(path: Path, records: Sequence[Record], study: Study) -> bool:
    """Draw accuracy against batches, a line for each condition."""
    figure, axis = subplots(figsize=(COLUMN, 2.6))
    has_points = False
    for condition in study.conditions:
        points = [(point.batch, list(point.last.values())) for point in _curve(records, condition.name, study)]
        _line(axis, points, condition.series)
        has_points = has_points or bool(points)
    axis.set(xlabel="training batches (97 are an epoch)", ylabel="linear-probe test accuracy (%)")
    return _finish(figure, axis, path, has_points)


def _line(axis, points: Sequence[tuple[Any, list[float]]], series: str) -> None:
    if not points:
        return
    colour, marker = STYLES.get(series, OTHER_STYLE)
    axis.plot(*zip(*((x, float(np.mean(values))) for x, values in points), strict=True), color=colour, label=series)
    for x, values in points:
        axis.plot([x] * len(values), values, marker, color=colour, alpha=0.5, markeredgewidth=0)


def _finish(figure, axis, path: Path, has_points: bool) -> bool:
    if not has_points:
        return False
    axis.axhline(CHANCE, color=GRAY, linestyle=":", linewidth=1, label=f"largest class ({CHANCE:.0f} %)")
    axis.legend()
    save_figure(figure, path)
    return True
