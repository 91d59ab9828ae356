"""Figures of a small suite: the first of each name in a file is drawn, and all where they are looked at."""

import os
import shutil
import subprocess
import sys

import pytest
import quick_figures
from conftest import ROOT

DRAWS = """
import pytest
from matplotlib.figure import Figure
from pathlib import Path

KEPT = Path({kept!r})

@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("name", ["a.png", "a.svg", "b.png"])
def test_it(name, number):
    figure = Figure()
    figure.subplots().plot([number, 2 * number, 0])
    path = KEPT / f".{number}234abcd-{name}"  # as files.write.replacing names it
    figure.savefig(path, dpi=30, metadata={"Date": None} if path.suffix == ".svg" else {})
    path.rename(KEPT / f"{number}-{name}")
"""


def drawn(folder, place, *options):
    """Run a test file that draws each figure twice, of other data; return the names of those that differ."""
    shutil.copy(quick_figures.__file__, folder)
    kept = folder / "kept"
    kept.mkdir()
    path = folder / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(DRAWS.replace("{kept!r}", repr(str(kept))))
    command = [sys.executable, "-m", "pytest", "-p", "quick_figures", "-p", "no:cacheprovider", *options, path]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    for name in ("a.png", "b.png"):
        assert (kept / f"2-{name}").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (kept / "2-a.svg").read_bytes()
    names = ("a.png", "a.svg", "b.png")
    return [name for name in names if (kept / f"1-{name}").read_bytes() != (kept / f"2-{name}").read_bytes()]


ALL = ["a.png", "a.svg", "b.png"]


@pytest.mark.parametrize(
    ("place", "options", "differ"),
    [
        ("test_runs.py", ["--quick-figures"], []),
        ("test_runs.py", [], ALL),
        ("plots/test_runs.py", ["--quick-figures"], ALL),
        ("test_report.py", ["--quick-figures"], ALL),
    ],
)
def test_the_first_of_a_name_stands_for_the_others_where_nobody_looks(tmp_path, place, options, differ):
    assert drawn(tmp_path, place, *options) == differ


def test_what_is_named_is_there():
    assert [name for name in quick_figures.DRAWN if not (ROOT / "tests" / name).exists()] == []
