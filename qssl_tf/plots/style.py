"""One look for pictures: readable at the width of a column, told apart by colour-blind eyes, as PNG and as vectors."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
from cycler import cycler
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from qssl_tf.files.write import replacing

# Okabe and Ito's eight colours, the most different first, and two as different from them, for ten classes; a marker
# goes with each, for prints without colour.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442", "#8F00FF", "#661100",
)  # fmt: skip
BLUE, ORANGE = COLOURS[:2]
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
GRAY = "#777777"
OUTLINE, OUTLINE_WIDTH = "#333333", 0.25  # points; light colours need one on white
COLUMN, PAGE = 3.4, 7.0  # inches: one column of a paper, and both
PIXELS_AN_INCH = 200
STYLE: Any = {
    "figure.dpi": PIXELS_AN_INCH,
    "font.size": 8,
    "text.parse_math": False,  # classes and devices have names of any kind, `$` among them
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "figure.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=COLOURS),
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "svg.hashsalt": "qssl_tf",  # equal pictures are equal files
}

Given = ParamSpec("Given")
Drawn = TypeVar("Drawn")


def styled(draw: Callable[Given, Drawn]) -> Callable[Given, Drawn]:
    """Let a function draw in this style, whatever else is set."""

    @functools.wraps(draw)
    def within(*arguments: Given.args, **words: Given.kwargs) -> Drawn:
        with matplotlib.rc_context(STYLE):
            return draw(*arguments, **words)

    return within


def subplots(rows: int = 1, columns: int = 1, *, figsize: tuple[float, float], **words: Any) -> tuple[Figure, Any]:
    """Return a figure and its axes, as pyplot's function of that name does.

    A notebook's or a program's own pyplot, its windows and the choice of its backend, are left alone.

    Args:
        rows: Of axes.
        columns: Of axes.
        figsize: Width and height in inches.
        **words: As for `matplotlib.figure.Figure.subplots`.
    """
    figure = Figure(figsize=figsize, layout="constrained")
    return figure, figure.subplots(rows, columns, **words)


class PlainLog(LogFormatter):
    """Labels a logarithmic axis where matplotlib would, with plain numbers; its own are formulas, shown raw here."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of one tick."""
        return f"{x:,g}" if super().__call__(x, pos) else ""


def log_ticks(axis: Axis) -> None:
    """Give a logarithmic axis labels of plain numbers."""
    axis.set_major_formatter(PlainLog())
    axis.set_minor_formatter(PlainLog(minor_thresholds=(1, 0.4)))


def mark(number: int) -> dict[str, Any]:
    """Return colour and marker of the class or line with that number."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[(number + number // len(COLOURS)) % len(MARKERS)],
    }


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as PNG to `path` and as SVG beside it, each in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds: dict[Path, dict[str, Any]] = {path: {}, path.with_suffix(".svg"): {"metadata": {"Date": None}}}
    for target, words in kinds.items():
        with replacing(target) as temporary:
            figure.savefig(temporary, dpi=PIXELS_AN_INCH, bbox_inches="tight", pad_inches=0.05, **words)
