"""The style of all figures: readable at column width and with colour-blind eyes, saved as PNG and SVG."""

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

# Okabe and Ito's eight colours, the most distinct first, and two more as distinct, for ten classes; each has a marker,
# for prints without colour.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442", "#8F00FF", "#661100",
)  # fmt: skip
BLUE, ORANGE, GREEN = COLOURS[:3]
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
GRAY = "#777777"
OUTLINE, OUTLINE_WIDTH = "#333333", 0.25  # points; light colours need an outline on white
COLUMN, PAGE = 3.4, 7.0  # inches: the width of one column of a paper, and of both
DPI = 200
STYLE: Any = {
    "figure.dpi": DPI,
    "font.size": 8,
    "text.parse_math": False,  # names of classes and devices may contain `$`
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
    "svg.hashsalt": "qssl_tf",  # makes equal figures equal files
}

Params = ParamSpec("Params")
Result = TypeVar("Result")


def styled(draw: Callable[Params, Result]) -> Callable[Params, Result]:
    """Decorate a function that draws, so that it uses this style and leaves the caller's settings alone."""

    @functools.wraps(draw)
    def within(*arguments: Params.args, **options: Params.kwargs) -> Result:
        with matplotlib.rc_context(STYLE):
            return draw(*arguments, **options)

    return within


def subplots(rows: int = 1, columns: int = 1, *, figsize: tuple[float, float], **options: Any) -> tuple[Figure, Any]:
    """Return a figure and its axes, as `pyplot.subplots` does, without pyplot.

    So a notebook's or a program's own figures and backend are not affected.

    Args:
        rows: Of axes.
        columns: Of axes.
        figsize: Width and height in inches.
        **options: As for `matplotlib.figure.Figure.subplots`.
    """
    figure = Figure(figsize=figsize, layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


class PlainLogFormatter(LogFormatter):
    """Labels a logarithmic axis with plain numbers; matplotlib's own labels are formulas, which this style disables."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of one tick."""
        return f"{x:,g}" if super().__call__(x, pos) else ""


def log_ticks(axis: Axis) -> None:
    """Give a logarithmic axis labels of plain numbers."""
    axis.set_major_formatter(PlainLogFormatter())
    axis.set_minor_formatter(PlainLogFormatter(minor_thresholds=(1, 0.4)))


def class_style(number: int) -> dict[str, Any]:
    """Return colour and marker of the class or line with that number."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[(number + number // len(COLOURS)) % len(MARKERS)],
    }


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as PNG to `path` and as SVG beside it, each atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options: dict[Path, dict[str, Any]] = {path: {}, path.with_suffix(".svg"): {"metadata": {"Date": None}}}
    for target, format_options in options.items():
        with replacing(target) as temporary:
            figure.savefig(temporary, dpi=DPI, bbox_inches="tight", pad_inches=0.05, **format_options)
