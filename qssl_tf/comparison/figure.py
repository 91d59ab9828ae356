"""The figure of a comparison: each pair's difference, the mean with its interval, and the margin."""

from pathlib import Path

from qssl_tf.comparison.comparison import Comparison
from qssl_tf.markup import printable
from qssl_tf.plots.style import BLUE, GRAY, ORANGE, PAGE, save_figure, styled, subplots

LABEL_WIDTH = 32  # letters of an arm's name


@styled
def draw_differences(path: Path, comparison: Comparison) -> None:
    """Draw the paired differences of every arm from the baseline."""
    rows = [row for row in comparison.rows if row["pairs"] is not None]
    base = comparison.accuracies[comparison.baseline]
    figure, axis = subplots(figsize=(PAGE, 1.1 + 0.36 * len(rows)))
    axis.axvspan(-comparison.margin, comparison.margin, color=GRAY, alpha=0.15, linewidth=0,
                 label=f"margin, ±{comparison.margin:g} points")  # fmt: skip
    axis.axvline(0.0, color=GRAY, linewidth=0.8)
    for y, row in enumerate(rows):
        values = comparison.accuracies[row["arm"]]
        pairs = [value - base[seed] for seed, value in values.items() if seed in base]
        axis.plot(pairs, [y + 0.2] * len(pairs), "o", color=BLUE, alpha=0.45, markeredgewidth=0, label="one pair")
        if row["difference_low"] is not None:
            ends = (row["difference_low"], row["difference_high"])
            axis.plot(ends, [y, y], color=BLUE, linewidth=1.2, label="95 % interval (Student)")
        if row["equivalence_low"] is not None:
            ends = (row["equivalence_low"], row["equivalence_high"])
            axis.plot(ends, [y, y], color=BLUE, linewidth=3.2, solid_capstyle="butt", label="90 % interval")
        axis.plot(row["difference"], y, "|", color=ORANGE, markersize=13, markeredgewidth=2, label="mean")
    names = [f"{_short(row['arm'])} ({row['pairs']})" for row in rows]
    axis.set_yticks(range(len(rows)), names)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlabel(
        f"test accuracy minus that of {_short(comparison.baseline)} (percentage points), pairs of equal seed"
    )
    handles = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=5)
    save_figure(figure, path)


def _short(name: str) -> str:
    text = printable(name)
    return text if len(text) <= LABEL_WIDTH else f"{text[: LABEL_WIDTH - 3]}..."
