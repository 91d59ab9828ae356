"""Reports on synthetic records: their numbers are checked against the records, their figures by format."""

import dataclasses
import json
import re
import statistics

import pytest

from qssl_tf.studies.records import ProbeRecord
from qssl_tf.studies.report import write_report
from qssl_tf.studies.sections import ReportData
from qssl_tf.studies.studies import STUDIES

RING, CLASSICAL = [46.0, 47.5, 44.8, 48.1, 46.6, 45.2], [43.0, 44.1, 44.9, 42.2, 43.8, 41.0]
DEVICE = {
    "run": "ring-s0", "class_names": list("abcde"), "backend": "fake_paris", "images": 900, "shots": 8192,
    "mitigation": "affine", "accuracy": 45.0, "accuracy_interval": [41.8, 48.3], "accuracy_exact": 46.0,
    "rms_error": 0.02, "rms_error_raw": 0.15, "two_qubit_gates": 64, "step": 194, "seconds": 50.0,
    "confusion": [[81, 25, 25, 25, 24]] * 5, "confusion_exact": [[83, 25, 24, 24, 24]] * 5,
}  # fmt: skip


def row_of(text, *starts):
    line = next(line for line in text.splitlines() if line.startswith("| " + " | ".join(starts) + " |"))
    return [part.strip() for part in line.strip("|").split("|")]


@pytest.fixture
def paper(make_record):
    records = []
    for arm, values in (("ring", RING), ("classical", CLASSICAL)):
        for seed, value in enumerate(values):
            probes = {(batch, "cached"): (value - 0.01 * (176 - batch), value) for batch in STUDIES["paper"].batches}
            records.append(make_record("paper", arm, seed, probes | {(176, "paper"): (value + 0.2, value + 0.4)}))
    return records


def test_the_papers_report(paper, tmp_path):
    path = write_report(ReportData("paper", paper, DEVICE, tmp_path))
    text = path.read_text()
    ring = row_of(text, "ring", "6")
    deviation = f"± {statistics.stdev(RING):.2f}"
    assert ring[2:4] == [f"{statistics.mean(RING) + more:.2f} {deviation}" for more in (0.2, 0.4)]
    assert ring[5] == "46.51 ± 1.50 (6)" and ring[7] == "yes"
    difference = row_of(text, "classical", "6", "-3.20")
    assert difference[3] == "-5.3 to -1.1"  # statistics.test_comparisons holds the same numbers to SciPy's
    assert "gives +0.20 points more" in text and "423 of 900 (47.0 %)" in text and "416 of 900 (46.2 %)" in text
    assert "**Not finished yet:**" in text and "identity: seed 0, 1, 2, 3, 4, 5" in text
    figures = re.findall(r"\]\((figures/[a-z-]+\.png)\)", text)
    assert len(figures) == 4 and all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in figures)
    rows = json.loads((tmp_path / "summary.json").read_text())["rows"]
    assert len(rows) == 2 * (17 + 1)


def test_the_introduction_says_how_the_classes_are_balanced_and_with_which_plugins(paper, tmp_path, monkeypatch):
    """4 and 6 images: balanced accuracy is the mean of 3/4 and 4/6; of equal classes it is the accuracy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QSSL_TF_PLUGINS", f"{tmp_path / 'my circuits.py'}:/elsewhere/b.py")
    text = write_report(ReportData("paper", paper, None, tmp_path)).read_text()
    assert "The largest class has 60.0 % of them; balanced accuracies after the last batch: ring 70.8 %, " in text
    assert "`qssl reproduce --plugin 'my circuits.py' --plugin /elsewhere/b.py`" in text
    equal = [dataclasses.replace(record, confusion=[[3, 2], [1, 4]]) for record in paper]
    text = write_report(ReportData("paper", equal, None, tmp_path)).read_text()
    assert "All classes have equally many, so these are balanced accuracies too, and a guess gets 50.0 %." in text


def test_an_arm_outside_the_published_interval_is_marked(paper, tmp_path):
    low = []
    for record in paper:
        probe = ProbeRecord(176, "cached", 35.0 + record.seed, 35.0 + record.seed, 1.0)
        if record.condition == "ring":
            low.append(dataclasses.replace(record, probes=[probe]))
    text = write_report(ReportData("paper", low, None, tmp_path)).read_text()
    assert row_of(text, "ring", "6")[7] == "**no**"


def test_one_run_is_enough_for_a_report(paper, tmp_path):
    text = write_report(ReportData("paper", paper[:1], None, tmp_path)).read_text()
    assert row_of(text, "ring", "1") == ["ring", "1", "46.20", "46.40", "46.51 ± 1.50 (6)", "44.9 to 48.1"]
    assert "overlap" not in text and "## Seed by seed" not in text


@pytest.mark.parametrize("name", [name for name in STUDIES if name != "paper"])
def test_reports_of_the_other_studies(make_record, tmp_path, name):
    study = STUDIES[name]
    records = [
        make_record(name, condition.name, seed, {(batch, "cached"): (40.0 + seed, 41.0) for batch in study.batches})
        for condition in study.conditions
        for seed in range(min(condition.seeds, 3) - 1)
    ]
    path = write_report(ReportData(name, records, None, tmp_path))
    text = path.read_text()
    assert path.name == f"report-{name}.md" and f"qssl reproduce {name}" in text
    assert "40.50 ± 0.71" in text or name == "states"
    for figure in re.findall(r"\]\((figures/[a-z-]+\.png)\)", text):
        assert (tmp_path / figure).read_bytes().startswith(b"\x89PNG")
    assert "](figures/" in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [[part.strip() for part in line.strip("|").split("|")] for line in table.splitlines()]
        for column in zip(*rows, strict=True):
            assert set(column[2:]) - {"", "-"}, f"nothing in the column {column[0]!r}"


def test_the_legend_names_what_is_drawn(make_record, paper, tmp_path):
    """Published figures stand beside the paper's arms only, an interval beside two seeds or more."""
    digits = [make_record("digits", "digits-ring", 0, {(120, "cached"): (80.0, 81.0)})]
    for name, records, words in (
        ("paper", paper, ["one seed", "interval", "published"]),
        ("digits", digits, ["one seed"]),
    ):
        data = ReportData(name, records, None, tmp_path / name)
        write_report(data)
        svg = data.path("figures/arms", "svg").read_text()
        legend = svg[svg.index('id="legend_1"') :]
        assert [word for word in ("one seed", "interval", "published") if word in legend] == words


def test_equal_records_give_equal_reports(paper, tmp_path):
    first, second = (write_report(ReportData("paper", paper, DEVICE, tmp_path / part)) for part in ("a", "b"))
    assert first.read_text() == second.read_text()
