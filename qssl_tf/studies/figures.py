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

_SERIES = ("ring", "classical", "identity", "all_to_all", "ring_100_shots")
STYLES = dict(zip(_SERIES, zip(COLOURS, MARKERS, strict=True), strict=False))
OWN_STYLE = (GRAY, "x")  # of arms that the user registered
CHANCE = 20.0  # percent, of five classes with as many test images each


COLUMNS = 3


@styled
def draw_accuracy(path: Path, records: Sequence[Record], study: Study) -> bool:
    """Draw accuracy against batches for each published arm: ours in colour, the published runs in grey behind."""
    cells = [cell for cell in study.cells if arm(cell.series).published and _curve(records, cell.name, study)]
    if not cells:
        return False
    rows = -(-len(cells) // COLUMNS)
    columns = min(COLUMNS, len(cells))
    figure, axes = subplots(
        rows, columns, figsize=(PAGE / 3 * columns, 2.1 * rows + 0.4), sharey=True,
        squeeze=False,
    )  # fmt: skip
    for axis, cell in zip(axes.flat, cells, strict=False):
        theirs = published_accuracies(cell.series)
        _band(axis, list(theirs), [(value.mean, value.sd or 0.0) for value in theirs.values()], GRAY, "--",
              "published: best epoch of the probe, mean ± deviation")  # fmt: skip
        found = _curve(records, cell.name, study)
        steps = [one.batch for one in found]
        axis.plot(steps, [np.mean(list(one.best.values())) for one in found], ":", color=BLUE, label="ours: best epoch")
        spreads = [(float(np.mean(v)), float(np.std(v, ddof=1)) if len(v) > 1 else 0.0)
                   for v in (list(one.last.values()) for one in found)]  # fmt: skip
        _band(axis, steps, spreads, BLUE, "-", "ours: last epoch, mean ± deviation")
        runs = max(len(one.last) for one in found)
        axis.set_title(f"{cell.name.replace('_', ' ')}\n{runs} seeds, {theirs[study.table].n} published runs")
    for axis in axes.flat[len(cells) :]:
        axis.axis("off")
    figure.supxlabel("training batches")
    figure.supylabel("linear-probe test accuracy (%)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    save_figure(figure, path)
    return True


def _band(axis, x: Sequence[int], spreads: Sequence[tuple[float, float]], colour: str, style: str, label: str) -> None:
    """Draw means with one deviation to each side."""
    mean, deviation = np.array(spreads).T
    axis.plot(x, mean, style, color=colour, label=label)
    axis.fill_between(x, mean - deviation, mean + deviation, color=colour, alpha=0.25, linewidth=0)


def _curve(records: Sequence[Record], cell: str, study: Study) -> list:
    return [found for batch in study.batches if (found := accuracies(records, cell, batch, "cached"))]


@styled
def draw_arms(path: Path, records: Sequence[Record], study: Study) -> bool:
    """Draw each seed of each arm after the table's batch, with mean and interval, and the published means."""
    rows = [(cell, found) for cell in study.cells if (found := accuracies(records, cell.name, study.table, "cached"))]
    if not rows:
        return False
    figure, axis = subplots(figsize=(PAGE, 0.8 + 0.3 * len(rows)))
    for place, (cell, found) in enumerate(rows):
        values = list(found.last.values())
        said = summary(values)
        axis.plot(values, [place + 0.22] * len(values), "o", color=BLUE, alpha=0.45, markeredgewidth=0,
                  label="one seed, last epoch")  # fmt: skip
        if said.interval is not None:
            axis.plot(said.interval, [place, place], color=BLUE, linewidth=2, label="mean, 95 % interval")
        axis.plot(said.mean, place, "|", color=BLUE, markersize=14, markeredgewidth=2)
        if cell.name == cell.series and arm(cell.series).published:
            theirs = published_accuracies(cell.series)[study.table]
            axis.errorbar(theirs.mean, place - 0.22, xerr=theirs.sd, fmt="d", color=GRAY, linewidth=1,
                          label="published mean ± deviation, best epoch")  # fmt: skip
    axis.set_yticks(range(len(rows)), [f"{cell.name} ({len(found.last)})" for cell, found in rows])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xlabel(f"linear-probe test accuracy after batch {study.table} (%)")
    shown = {label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(shown.values(), shown.keys(), fontsize=7, loc="outside upper center", ncols=3)
    save_figure(figure, path)
    return True


@styled
def draw_losses(path: Path, records: Sequence[Record], study: Study) -> bool:
    """Draw the mean loss of each series with a colour of its own."""
    if study.axis or not records:
        return False
    figure, axis = subplots(figsize=(COLUMN, 2.6))
    for cell in study.cells:
        own = [record.losses for record in records if record.cell == cell.name]
        if own and cell.series in STYLES:
            mean = np.mean(own, axis=0)
            label = f"{cell.series} ({len(own)})"
            axis.plot(np.arange(1, len(mean) + 1), mean, color=STYLES[cell.series][0], linewidth=1, label=label)
    axis.set(xlabel="training batches", ylabel="NT-Xent loss (nats), mean over seeds")
    axis.legend()
    save_figure(figure, path)
    return True


@styled
def draw_varied(path: Path, records: Sequence[Record], study: Study) -> bool:
    """Draw accuracy against what varies, a line for each series, each seed a point."""
    figure, axis = subplots(figsize=(COLUMN, 2.6))
    drawn = False
    for series in dict.fromkeys(cell.series for cell in study.cells):
        points = [
            (cell.value, list(found.last.values()))
            for cell in study.cells
            if cell.series == series and (found := accuracies(records, cell.name, study.table, "cached"))
        ]
        _line(axis, points, series)
        drawn = drawn or bool(points)
    axis.set(xlabel=study.axis, ylabel="linear-probe test accuracy (%)")
    return _finish(figure, axis, path, drawn)


@styled
def draw_epochs(path: Path, records: Sequence[Record], study: Study) -> bool:
    """Draw accuracy against batches, a line for each cell."""
    figure, axis = subplots(figsize=(COLUMN, 2.6))
    drawn = False
    for cell in study.cells:
        points = [(found.batch, list(found.last.values())) for found in _curve(records, cell.name, study)]
        _line(axis, points, cell.series)
        drawn = drawn or bool(points)
    axis.set(xlabel="training batches (97 are an epoch)", ylabel="linear-probe test accuracy (%)")
    return _finish(figure, axis, path, drawn)


def _line(axis, points: Sequence[tuple[Any, list[float]]], series: str) -> None:
    if not points:
        return
    colour, marker = STYLES.get(series, OWN_STYLE)
    axis.plot(*zip(*((x, float(np.mean(values))) for x, values in points), strict=True), color=colour, label=series)
    for x, values in points:
        axis.plot([x] * len(values), values, marker, color=colour, alpha=0.5, markeredgewidth=0)


def _finish(figure, axis, path: Path, drawn: bool) -> bool:
    if not drawn:
        return False
    axis.axhline(CHANCE, color=GRAY, linestyle=":", linewidth=1, label=f"largest class ({CHANCE:.0f} %)")
    axis.legend()
    save_figure(figure, path)
    return True
