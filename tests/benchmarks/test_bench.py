"""The benchmarks' command and the results they left; what they measure is never judged by time here."""

import json
import re
import sys
from pathlib import Path

import pytest
from environments import NEEDED

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "benchmarks/results"  # those of noise and precision are of other machines than the rest
RESULTS = json.loads((KEPT / "latest.json").read_text(encoding="utf-8"))
for name in ("noise", "precision"):
    RESULTS += json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8"))["results"]
FIELDS = ["what", "qubits", "batch", "shots", "ours_s", "peer", "peer_s", "ratio"]
PINS = sorted((ROOT / "benchmarks" / "pins").glob("*.txt"))


def test_results_have_their_fields_and_ratios():
    for result in RESULTS:
        assert list(result) in (FIELDS, [*FIELDS, "versions"])  # of earlier figures the versions were not written down
        assert result["ratio"] == pytest.approx(result["peer_s"] / result["ours_s"])


def test_the_documentation_quotes_the_results():
    """Each row of the tables of ratios in docs/benchmarks.md ends in one that stands in the results."""
    text = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    tables = re.findall(r"^\|.*\| ratio \|\n((?:\|.*\|\n)+)", text, re.M)
    rows = re.findall(r"^\| .*\| ([\d.]+) \|$", "".join(tables), re.M)
    known = {f"{result['ratio']:.{digits}f}" for result in RESULTS for digits in (0, 1, 2)}
    assert len(rows) > 10
    assert set(rows) <= known


def test_an_unknown_section_is_refused_in_one_line(script):
    done = script("benchmarks/bench.py", "--sections", "head")
    assert done.returncode == 2
    sentence = "`sections` must be one of heads, noise, steps, precision, peers; got 'head'. Did you mean 'heads'?"
    assert done.stderr == f"error: {sentence}\n"


def test_every_environment_is_pinned():
    """Each package that a worker imports, and whatever comes with it, by one version."""
    assert {path.stem for path in PINS} == set(NEEDED)
    for path in PINS:
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.+]*( ; .+)?", line) for line in lines), path
        pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}
        assert {"numpy", *NEEDED[path.stem][1]} <= pinned


def test_the_benchmark_says_which_environments_are_broken_and_why(script, tmp_path):
    """One is there and lacks its packages, as after an update that no longer brings NumPy; the others are not built."""
    python = tmp_path / "torch" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # without site-packages
    python.chmod(0o755)
    done = script("benchmarks/bench.py", "--sections", "peers,heads", "--environments", tmp_path)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr == (
        f"error: environments of peers in {tmp_path} are missing or broken (tensorcircuit: not built; pennylane: not "
        "built; qiskit: not built; torch: ModuleNotFoundError: No module named 'numpy'); remove them and build the "
        f"peers: sh benchmarks/peers.sh {tmp_path}\n"
    )


def test_peers_need_a_folder(script):
    done = script("benchmarks/bench.py", "--sections", "peers")
    assert done.returncode == 2
    assert done.stderr == "error: `--environments` must name the folder that benchmarks/peers.sh filled; got none.\n"
