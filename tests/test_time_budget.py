"""A small suite under a budget, on a clock that its own tests set: what is late is left out, named, and no failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CLOCK = """
import pathlib, types
import time_budget

def now():
    return float(pathlib.Path("clock").read_text())

time_budget.time = types.SimpleNamespace(time=now)
"""
# The second of the first file begins when the budget is used up; a test that has begun by then ends as it would.
FIRST = """
import pathlib, time

def test_early():
    while {waits} and not pathlib.Path("begun").exists():
        time.sleep(0.01)
    pathlib.Path("clock").write_text("11")

def test_late():
    raise RuntimeError("it must not begin")
"""
SECOND = """
import pathlib, time
import pytest

@pytest.fixture
def costly():
    pathlib.Path("costly").touch()

def test_begun():
    pathlib.Path("begun").touch()
    while pathlib.Path("clock").read_text() != "11":
        time.sleep(0.01)

def test_late_too(costly):
    pass
"""


def run(folder, *arguments, waits=False):
    """Run the small suite in a process of its own; return its status and output."""
    for name, text in {"conftest": CLOCK, "test_a": FIRST.format(waits=waits), "test_b": SECOND}.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "clock").write_text("0")
    command = [sys.executable, "-m", "pytest", "-p", "time_budget", "-p", "no:cacheprovider", "-q", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def left_out(output):
    """The names below the line that counts them."""
    head, _, names = output.partition("time budget of 10 s: ")
    count, *lines = names.splitlines()
    named = [line for line in lines if line.startswith("test_")]
    assert int(count.split()[0]) == len(named)
    return named


def test_what_begins_too_late_is_left_out_and_named(tmp_path):
    code, output = run(tmp_path, "--time-budget", "10")
    assert code == 0
    assert left_out(output) == ["test_a.py::test_late", "test_b.py::test_begun", "test_b.py::test_late_too"]
    assert "1 passed, 3 left out" in output and "failed" not in output
    assert not (tmp_path / "costly").exists()


def test_workers_keep_to_one_end(tmp_path):
    """Each has begun one test when the clock passes the end, and begins none after it."""
    code, output = run(tmp_path, "--time-budget", "10", "-n", "2", "--dist", "loadfile", waits=True)
    assert code == 0 and left_out(output) == ["test_a.py::test_late", "test_b.py::test_late_too"]
    assert "2 passed, 2 left out" in output


def test_without_a_budget_nothing_is_left_out(tmp_path):
    code, output = run(tmp_path)
    assert code == 1 and "1 failed, 3 passed" in output and "left out" not in output


@pytest.mark.parametrize(
    ("turn", "first"), [(0, "test_a.py"), (1, "test_b.py"), (2, "test_a.py"), (1764000001, "test_b.py")]
)
def test_another_file_comes_first_by_turns(tmp_path, turn, first):
    _, output = run(tmp_path, "--turn", str(turn), "--collect-only", "--time-budget", "10")
    names = [line for line in output.splitlines() if "::" in line]
    assert len(names) == 4 and names[0].startswith(first)
    files = [name.split("::")[0] for name in names]
    assert files == sorted(files, key=files.index)  # each keeps its tests together
