"""Tables and figure of trained circuits on noisy devices, from the files `noise/<run>.json` of a study."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.comparison.table import markdown
from qssl_tf.evaluation.statistics import paired_difference, summary
from qssl_tf.markup import plain
from qssl_tf.plots.style import PAGE, class_style, save_figure, styled, subplots
from qssl_tf.studies.studies import RunSpec

Readings = Mapping[RunSpec, Mapping[str, Any]]
# Field of a reading -> its heading.
KINDS = {
    "accuracy_raw": "as measured",
    "accuracy_mitigated": "mitigated",
    "accuracy_refitted": "classifier fitted on the device",
}


def by_device(readings: Readings, field: str) -> dict[str, dict[str, dict[int, float]]]:
    """Return a field of the readings as device -> series -> seed -> value."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    for spec, result in readings.items():
        for reading in result["readings"]:
            series = found.setdefault(reading["device"], {}).setdefault(spec.condition.series, {})
            series[spec.seed] = reading[field]
    return found


def accuracy_table(readings: Readings, field: str) -> list[str]:
    """Return mean and deviation of an accuracy by device (rows) and by how the circuit was trained (columns)."""
    table = by_device(readings, field)
    series = list(dict.fromkeys(name for columns in table.values() for name in columns))
    rows = [[plain(device), *(_spread(columns.get(name)) for name in series)] for device, columns in table.items()]
    return markdown(["device", *series], rows)


def _spread(by_seed: Mapping[int, float] | None) -> str:
    if not by_seed:
        return "-"
    values = summary(list(by_seed.values()))
    return f"{values.mean:.2f}" if values.sd is None else f"{values.mean:.2f} ± {values.sd:.2f}"


def difference_table(readings: Readings, baseline: str, series: str) -> list[str]:
    """Return, for each device and reading, by how much a series is more accurate than the baseline, seed by seed."""
    resolution = 100 / min(result["test_images"] for result in readings.values())
    tables = {heading: by_device(readings, field) for field, heading in KINDS.items()}
    rows = []
    for device in next(iter(tables.values())):
        row = [plain(device)]
        for table in tables.values():
            ours, theirs = table[device].get(series, {}), table[device].get(baseline, {})
            if not ours.keys() & theirs.keys():
                row.append("-")
                continue
            pair = paired_difference(ours, theirs, resolution)
            row.append(
                f"{pair.difference:+.2f}" + ("" if pair.low is None else f" ({pair.low:+.1f} to {pair.high:+.1f})")
            )
        rows.append(row)
    return markdown(["device", *tables], rows) if any(set(row[1:]) != {"-"} for row in rows) else []


def error_table(readings: Readings) -> list[str]:
    """Return the rms error of an expectation against the noiseless one, as measured / mitigated."""
    raw, mitigated = by_device(readings, "rms_raw"), by_device(readings, "rms_mitigated")
    series = list(dict.fromkeys(name for columns in raw.values() for name in columns))
    rows = []
    for device in raw:
        row = [plain(device)]
        for name in series:
            means = [
                float(np.mean(list(table[device][name].values())))
                for table in (raw, mitigated)
                if name in table[device]
            ]
            row.append(" / ".join(f"{mean:.3f}" for mean in means) or "-")
        rows.append(row)
    return markdown(["device", *series], rows)


def layout_sentence(readings: Readings) -> str:
    """Say whether exact noise would have chosen the layout that the estimated success chose."""
    chosen, best, same = [], [], 0
    for result in readings.values():
        errors = [score["rms_mitigated"] for score in result["layouts"]]
        first = max(range(len(errors)), key=lambda place: result["layouts"][place]["estimated_success"])
        chosen.append(errors[first])
        best.append(min(errors))
        same += result["layouts"][first]["layout"] == result["layouts"][int(np.argmin(errors))]["layout"]
    return (
        "The layout of the highest estimated success is also that of the least error under exact noise, mitigated and "
        f"without shots, for {same} of {len(chosen)} circuits; its rms error is {np.mean(chosen):.4f} on average, that "
        f"of the best of up to {max(len(result['layouts']) for result in readings.values())} layouts "
        f"{np.mean(best):.4f}."
    )


@styled
def draw_devices(path: Path, readings: Readings) -> bool:
    """Draw accuracies by device, a panel for each reading: each seed, and the mean of each series."""
    if not readings:
        return False
    figure, axes = subplots(1, len(KINDS), figsize=(PAGE, 3.2), sharey=True)
    for axis, (field, heading) in zip(axes, KINDS.items(), strict=True):
        _draw_panel(axis, by_device(readings, field))
        axis.set_title(heading)
    axes[0].set_ylabel("test accuracy (%)")
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=4)
    save_figure(figure, path)
    return True


def _draw_panel(axis: Any, table: Mapping[str, Mapping[str, Mapping[int, float]]]) -> None:
    devices: Sequence[str] = list(table)
    series = list(dict.fromkeys(name for columns in table.values() for name in columns))
    for number, name in enumerate(series):
        style, shift = class_style(number), 0.22 * (number - (len(series) - 1) / 2)
        for place, device in enumerate(devices):
            values = list(table[device].get(name, {}).values())
            axis.plot([place + shift] * len(values), values, "_", color=style["color"], alpha=0.5)
            label = {"label": name.replace("_", " ")} if place == 0 else {}
            axis.plot([place + shift], [np.mean(values)], linestyle="none", **style, **label)
    names = [device.partition(", ")[2] or device for device in devices]  # a drift is of the device before it
    axis.set_xticks(range(len(devices)), names, rotation=60, ha="right")
    axis.grid(axis="y")
