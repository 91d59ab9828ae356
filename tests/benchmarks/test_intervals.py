"""The kept coverage of intervals: what docs say of it, and what it must be."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEPT = json.loads((ROOT / "benchmarks/results/intervals.json").read_text(encoding="utf-8"))
NORMAL = {row["seeds"]: row for row in KEPT["table"] if row["distribution"] == "normal"}


def test_students_interval_keeps_its_word_where_accuracies_are_normal():
    """It is exact there, so every coverage lies within the simulation's error of 95 %."""
    assert all(abs(row["student"] - 95) < 95 - KEPT["keeps_its_word_from"] for row in NORMAL.values())


def test_no_bootstrap_keeps_its_word_so_none_is_shown():
    assert all(row[method] < KEPT["keeps_its_word_from"] for row in KEPT["table"] for method in ("percentile", "BCa"))


def test_the_documentation_quotes_the_results():
    text = (ROOT / "docs/concepts/comparing.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", text, re.M)
    assert [int(row[0]) for row in rows] == list(NORMAL)
    for seeds, *values in rows:
        kept = [NORMAL[int(seeds)][method] for method in ("student", "percentile", "BCa")]
        assert [float(value) for value in values] == pytest.approx(kept, abs=0.0501)
