"""One thing beside what may stand in its place: accuracies, and the paired differences."""

from collections.abc import Mapping
from pathlib import Path

from qssl_tf.plots.style import BLUE, GRAY, ORANGE, PAGE, save_figure, styled, subplots

Value = tuple[float, float | None, float | None]  # with the ends of its interval


@styled
def draw_comparison(
    path: Path,
    accuracies: Mapping[str, Value],
    differences: Mapping[str, Value],
    *,
    reference: str,
    majority: float,
    over: str,
) -> None:
    """Draw accuracies with intervals, and beside each the reference minus it.

    Args:
        path: The PNG file; an SVG of the same name is written beside it.
        accuracies: Name -> percent, the reference among them.
        differences: Name -> the reference minus it, in points.
        reference: Name of what the others stand in for.
        majority: Share of the largest class in percent, drawn as a line.
        over: What the intervals of differences are over: `images` or `seeds`.
    """
    figure, (left, right) = subplots(1, 2, figsize=(PAGE, 1.0 + 0.3 * len(accuracies)), sharey=True)
    for y, (name, value) in enumerate(accuracies.items()):
        _draw(left, y, value, ORANGE if name == reference else BLUE)
        left.annotate(f"{value[0]:.1f}", (value[0], y), (0, 5), textcoords="offset points", ha="center", fontsize=7)
        if name in differences:
            _draw(right, y, differences[name], BLUE)
    left.axvline(majority, color=GRAY, linestyle=":", linewidth=1, label=f"largest class ({majority:.1f} %)")
    right.axvline(0, color=GRAY, linewidth=1, label=f"{reference} adds nothing")
    left.set_yticks(range(len(accuracies)), list(accuracies))
    left.set_ylim(len(accuracies) - 0.5, -0.7)
    left.set_xlabel("linear-probe accuracy (%), 95 % interval")
    right.set_xlabel(f"{reference} minus each (points), paired over {over}")
    figure.legend(*_handles(left, right), loc="outside upper right", ncols=2)
    save_figure(figure, path)


def _draw(axis, y: int, value: Value, colour: str) -> None:
    centre, low, high = value
    if low is not None and high is not None:
        axis.plot([low, high], [y, y], color=colour, linewidth=1.5)
    axis.plot(centre, y, "o", color=colour)


def _handles(*axes):
    pairs = [axis.get_legend_handles_labels() for axis in axes]
    return [handle for handles, _ in pairs for handle in handles], [label for _, labels in pairs for label in labels]
