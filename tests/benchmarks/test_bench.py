"""The benchmarks' command and the results they left; what they measure is never judged by time here."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESULTS = json.loads((ROOT / "benchmarks/results/latest.json").read_text(encoding="utf-8"))
FIELDS = ["what", "qubits", "batch", "shots", "ours_s", "peer", "peer_s", "ratio"]


def test_results_have_their_fields_and_ratios():
    for result in RESULTS:
        assert list(result) == FIELDS
        assert result["ratio"] == pytest.approx(result["peer_s"] / result["ours_s"])


def test_the_documentation_quotes_the_results():
    """Each row of the tables in docs/benchmarks.md ends in a ratio that stands in latest.json."""
    rows = re.findall(r"^\| .*\| ([\d.]+) \|$", (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8"), re.M)
    known = {f"{result['ratio']:.{digits}f}" for result in RESULTS for digits in (0, 1, 2)}
    assert len(rows) > 10
    assert set(rows) <= known


def test_an_unknown_section_is_refused_in_one_line(script):
    done = script("benchmarks/bench.py", "--sections", "head")
    assert done.returncode == 2
    assert done.stderr == "error: `sections` must be one of heads, steps, peers; got 'head'. Did you mean 'heads'?\n"


def test_peers_need_their_environments(script, tmp_path):
    done = script("benchmarks/bench.py", "--sections", "peers", "--environments", tmp_path / "none")
    assert done.returncode == 2
    assert done.stderr.endswith(f"build the peers: sh benchmarks/peers.sh {tmp_path / 'none'}\n")
    assert "Traceback" not in done.stderr
