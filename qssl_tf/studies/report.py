"""The report of a study, from its records alone: `report.md`, `summary.json` and figures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qssl_tf.evaluation.scores import score
from qssl_tf.files.write import write_json, write_text
from qssl_tf.markup import code
from qssl_tf.studies.comparisons import summary_rows
from qssl_tf.studies.records import Record
from qssl_tf.studies.sections import SECTIONS, ReportData
from qssl_tf.studies.studies import RunSpec, run_specs


def write_report(data: ReportData) -> Path:
    """Write the report with its figures and `summary.json`, and return its path."""
    data.folder.mkdir(parents=True, exist_ok=True)
    write_json(
        data.path("summary", "json"),
        {
            "study": data.name,
            "command": data.command,
            "unit": "percent of the test images; spread is the sample standard deviation, low and high are "
            "Student's 95 % interval of the mean",
            "rows": summary_rows(data.records),
        },
    )
    lines = [f"# {data.study.about[0].upper()}{data.study.about[1:]}", "", *_introduction(data)]
    for heading, section in SECTIONS.items():
        body = section(data)
        if body:
            lines += ["", f"## {heading}", "", *body]
    path = data.path("report", "md")
    write_text(path, "\n".join(lines) + "\n")
    return path


def _balance(records: Sequence[Record]) -> str:
    """Say how balanced the classes of the test images are, with balanced accuracies if they are not."""
    sizes = [[sum(row) for row in record.confusion] for record in records]
    share = max((100 * max(row) / sum(row) for row in sizes), default=0.0)
    if all(min(row) == max(row) for row in sizes):
        return f"All classes have equally many, so these are balanced accuracies too, and a guess gets {share:.1f} %."
    balanced: dict[str, list[float]] = {}
    for record in records:
        balanced.setdefault(record.condition, []).append(score(record.confusion).balanced)
    words = ", ".join(f"{name} {np.mean(values):.1f} %" for name, values in balanced.items())
    return f"The largest class has {share:.1f} % of them; balanced accuracies after the last batch: {words}."


def _introduction(data: ReportData) -> list[str]:
    finished = {(record.condition, record.seed) for record in data.records}
    missing: dict[str, list[RunSpec]] = {}
    for spec in run_specs(data.study):
        if (spec.condition.name, spec.seed) not in finished:
            missing.setdefault(spec.condition.name, []).append(spec)
    images = sorted({(record.train_images, record.test_images) for record in data.records})
    sizes = ", ".join(f"{train:,} training and {test:,} test images" for train, test in images)
    count = f"{len(data.records)} run{'s' if len(data.records) > 1 else ''}"
    lines = [
        f"Made by {code(data.command)} from {count} on {sizes}. Accuracies are percentages of the test "
        "images that a linear classifier on the frozen features gets right. The last epoch's is the honest figure; the "
        "best epoch's is chosen on test images, as the published figures are."
    ]
    lines[0] += f" {_balance(data.records)}"
    if missing:
        words = "; ".join(
            f"{name}: seed {', '.join(str(spec.seed) for spec in specs)}" for name, specs in missing.items()
        )
        lines += ["", f"**Not finished yet:** {words}."]
    return lines
