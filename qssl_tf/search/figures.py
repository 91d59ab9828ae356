"""The pictures of a search: accuracy against each parameter, and against what it costs."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator, StrMethodFormatter

from qssl_tf.plots.style import BLUE, GRAY, ORANGE, PAGE, log_ticks, save_figure, styled, subplots
from qssl_tf.search.plan import Plan
from qssl_tf.search.results import Row
from qssl_tf.search.space import Range
from qssl_tf.search.trials import OBJECTIVES

LABELS = {
    "validation_accuracy": "validation accuracy (%)",
    "balanced_accuracy": "balanced validation accuracy (%)",
    "contrastive_accuracy": "contrastive top-1 accuracy (%)",
    "loss": "loss of the last step",
    "parameters": "parameters of encoder and head",
    "seconds": "training and probe (s)",
}
COLUMNS = 4


@styled
def draw_search(folder: Path, plan: Plan, rows: Sequence[Row]) -> list[Path]:
    """Draw the completed trials; return the figures' paths, none before there is a trial."""
    done = [row for row in rows if row.state == "completed" and {"parameters", "seconds"} <= row.figures.keys()]
    if not done:
        return []
    paths = [folder / "figures" / "parameters.png", folder / "figures" / "cost.png"]
    _draw_parameters(paths[0], plan, done)
    _draw_costs(paths[1], plan, done)
    return paths


def _draw_parameters(path: Path, plan: Plan, rows: Sequence[Row]) -> None:
    """Draw one panel a parameter; trials in which it does not matter are left out."""
    names = list(plan.parameters)
    lines = math.ceil(len(names) / COLUMNS)
    columns = min(len(names), COLUMNS)
    figure, axes = subplots(lines, columns, figsize=(0.4 + 1.7 * columns, 1.9 * lines), sharey=True, squeeze=False)
    for axis, name in zip(axes.flat, names, strict=False):
        _draw_parameter(axis, plan, name, rows)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel(LABELS[plan.objective])
    save_figure(figure, path)


def _draw_parameter(axis: Any, plan: Plan, name: str, rows: Sequence[Row]) -> None:
    parameter = plan.parameters[name]
    points = [(row.settings[name], row.figures[plan.objective], row.share) for row in rows if name in row.settings]
    if isinstance(parameter, Range):
        places = [value for value, _, _ in points]
        if parameter.log:
            axis.set_xscale("log")
            axis.set_xticks(np.geomspace(parameter.low, parameter.high, 4))
            axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2g}"))
            axis.xaxis.set_minor_locator(NullLocator())
        else:
            axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.set_xlim(parameter.low, parameter.high)
    else:
        places = [parameter.values.index(value) for value, _, _ in points]
        words = ["none" if value is None else str(value) for value in parameter.values]
        slanted = max(map(len, words)) > 5
        axis.set_xticks(range(len(words)), words, rotation=30 if slanted else 0, ha="right" if slanted else "center")
        axis.set_xlim(-0.5, len(words) - 0.5)
    # Shorter trials (hyperband's first rungs) are smaller: their figures are lower for that reason alone.
    axis.scatter(places, [y for _, y, _ in points], s=[16 * share for _, _, share in points], color=BLUE, alpha=0.75)
    axis.set_xlabel(name)
    axis.grid(axis="y")


def _draw_costs(path: Path, plan: Plan, rows: Sequence[Row]) -> None:
    figure, axes = subplots(1, 2, figsize=(PAGE, 2.8), sharey=True)
    for axis, cost in zip(axes, ("parameters", "seconds"), strict=True):
        points = [(row.figures[cost], row.figures[plan.objective]) for row in rows]
        axis.scatter(*zip(*points, strict=True), s=14, color=GRAY, label="trial")
        front = pareto(points, OBJECTIVES[plan.objective] == "max")
        axis.step(*zip(*front, strict=True), where="post", color=ORANGE, marker="o", label="Pareto front")
        for row in rows:
            place = (row.figures[cost], row.figures[plan.objective])
            if place in front:
                axis.annotate(str(row.trial), place, textcoords="offset points", xytext=(4, 4))
        costs = [place for place, _ in points]
        if max(costs) > 5 * min(costs):
            axis.set_xscale("log")
            log_ticks(axis.xaxis)
        else:
            axis.xaxis.set_major_locator(MaxNLocator(4))
            axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axis.set_xlabel(LABELS[cost])
        axis.margins(0.08)
        axis.grid()
    axes[0].set_ylabel(LABELS[plan.objective])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    save_figure(figure, path)


def pareto(points: Sequence[tuple[float, float]], larger_is_better: bool = True) -> list[tuple[float, float]]:
    """Return the points (cost, value) that no other beats in one and matches in the other, cheapest first."""
    sign = 1 if larger_is_better else -1
    front: list[tuple[float, float]] = []
    for cost, value in sorted(set(points), key=lambda point: (point[0], -sign * point[1])):
        if not front or sign * value > sign * front[-1][1]:
            front.append((cost, value))
    return front
