"""`report.md`, `summary.json` and the figures of a study, from its records alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qssl_tf.evaluation.scores import score
from qssl_tf.files.write import write_json, write_text
from qssl_tf.markup import code
from qssl_tf.studies.comparisons import summary_rows
from qssl_tf.studies.findings import Findings
from qssl_tf.studies.records import Record
from qssl_tf.studies.sections import SECTIONS
from qssl_tf.studies.studies import Pair, pairs


def write_report(found: Findings) -> Path:
    """Write the report with its figures and `summary.json`, and return its path."""
    found.folder.mkdir(parents=True, exist_ok=True)
    write_json(
        found.path("summary", "json"),
        {
            "study": found.name,
            "command": found.command,
            "unit": "percent of the test images; spread is the sample standard deviation, low and high are "
            "Student's 95 % interval of the mean",
            "rows": summary_rows(found.records),
        },
    )
    lines = [f"# {found.study.about[0].upper()}{found.study.about[1:]}", "", *_opening(found)]
    for heading, write in SECTIONS.items():
        body = write(found)
        if body:
            lines += ["", f"## {heading}", "", *body]
    path = found.path("report", "md")
    write_text(path, "\n".join(lines) + "\n")
    return path


def _balance(records: Sequence[Record]) -> str:
    """Say how the classes share the test images, and what accuracies are where all classes weigh alike."""
    sizes = [[sum(row) for row in record.confusion] for record in records]
    share = max((100 * max(row) / sum(row) for row in sizes), default=0.0)
    if all(min(row) == max(row) for row in sizes):
        return f"All classes have equally many, so these are balanced accuracies too, and a guess gets {share:.1f} %."
    after: dict[str, list[float]] = {}
    for record in records:
        after.setdefault(record.cell, []).append(score(record.confusion).balanced)
    words = ", ".join(f"{name} {np.mean(values):.1f} %" for name, values in after.items())
    return f"The largest class has {share:.1f} % of them; balanced accuracies after the last batch: {words}."


def _opening(found: Findings) -> list[str]:
    finished = {(record.cell, record.seed) for record in found.records}
    missing: dict[str, list[Pair]] = {}
    for pair in pairs(found.study):
        if (pair.cell.name, pair.seed) not in finished:
            missing.setdefault(pair.cell.name, []).append(pair)
    images = sorted({(record.train_images, record.test_images) for record in found.records})
    seen = ", ".join(f"{train:,} training and {test:,} test images" for train, test in images)
    count = f"{len(found.records)} run{'s' if len(found.records) > 1 else ''}"
    lines = [
        f"Made by {code(found.command)} from {count} on {seen}. Accuracies are percentages of the test "
        "images that a linear classifier on the frozen features gets right. The last epoch's is the honest figure; the "
        "best epoch's is chosen on test images, as the published figures are."
    ]
    lines[0] += f" {_balance(found.records)}"
    if missing:
        words = "; ".join(
            f"{name}: seed {', '.join(str(pair.seed) for pair in left)}" for name, left in missing.items()
        )
        lines += ["", f"**Not finished yet:** {words}."]
    return lines
