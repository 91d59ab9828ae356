"""The files of a comparison: Markdown, CSV, LaTeX, JSON and a figure, each written in one step."""

from dataclasses import replace
from pathlib import Path

from qssl_tf.comparison.comparison import Comparison
from qssl_tf.comparison.figure import draw_differences
from qssl_tf.comparison.table import latex
from qssl_tf.files.spreadsheet import cell, csv_text
from qssl_tf.files.write import write_json, write_text
from qssl_tf.markup import code, plain

STEM = "comparison"
EXPLANATION = (
    "Accuracies are those after the probe's last epoch, with their sample standard deviation; intervals are Student's. "
    "Runs of equal seed share data order and views, and the initial encoder where arms have the same one, so arms are "
    "compared in pairs. Both p values that say Holm are corrected for the number of arms. `different` and `equivalent` "
    "are what these say at 5 %, `open` is neither: no evidence of a difference, and none of equality. The detectable "
    "difference is the one that the t test finds in 80 of 100 such experiments."
)


def write_comparison(folder: Path, comparison: Comparison, command: str | None = None) -> Comparison:
    """Write `comparison.md`, `.csv`, `.tex`, `.json` and `figures/comparison.png`, and return it with their folder.

    Args:
        folder: Where to; it is made if it is not there.
        comparison: The comparison.
        command: The command that makes them again; None where there is none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw_differences(folder / "figures" / f"{STEM}.png", comparison)
    write_json(
        folder / f"{STEM}.json",
        {
            "unit": "percent of the test images after the probe's last epoch; low and high are Student's 95 % interval",
            "dataset": comparison.dataset,
            "test_images": comparison.test_images,
            "baseline": comparison.baseline,
            "margin": comparison.margin,
            "command": command,
            "arms": comparison.rows,
            "omissions": comparison.omissions,
        },
    )
    write_text(folder / f"{STEM}.csv", _csv(comparison))
    write_text(folder / f"{STEM}.tex", _latex(comparison))
    write_text(folder / f"{STEM}.md", _page(comparison, command))
    return replace(comparison, folder=folder)


def _page(comparison: Comparison, command: str | None) -> str:
    made = f"Made by {code(command)}. " if command else ""
    on = f"{made}{comparison.test_images:,} test images of {plain(comparison.dataset)}; the margin within which arms "
    on += f"count as equal is {comparison.margin:g} percentage points."
    figure = f"![Paired differences from {plain(comparison.baseline)}](figures/{STEM}.png)"
    return "\n\n".join([
        f"# Arms against {plain(comparison.baseline)}", on, comparison.markdown, figure, EXPLANATION
    ]) + "\n"  # fmt: skip


def _csv(comparison: Comparison) -> str:
    """Return everything about each arm as a table with full precision; seeds and accuracies are parted by spaces."""
    rows = [
        [
            "" if value is None else " ".join(map(str, value)) if isinstance(value, list) else _cell(value)
            for value in row.values()
        ]
        for row in comparison.rows
    ]
    return csv_text(list(comparison.rows[0]), rows)


def _cell(value: str | float) -> str:
    return cell(value) if isinstance(value, str) else repr(value)


def _latex(comparison: Comparison) -> str:
    head, rows = comparison.arms_table()
    accuracies = latex(head[:-1], [row[:-1] for row in rows])
    differences = latex(*comparison.differences_table())
    return "\n".join([r"% Needs \usepackage{booktabs}.", *accuracies, "", *differences]) + "\n"
