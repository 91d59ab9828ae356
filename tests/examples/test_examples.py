"""The examples, run as they stand, and the commands that they name."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import run_here

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_runs_and_says_how_good_it_is(path, tmp_path, own_words):
    done = run_here(path, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^\w+: ([\d.]+) %", done.stdout, re.M)
    assert found and float(found[0]) > 30, done.stdout  # chance is 10 %


def test_the_commands_of_an_own_circuit_are_those_of_the_docs():
    """tests/docs/test_pages.py runs them there, with the same circuit."""
    page = (EXAMPLES.parent / "docs/how-to/own-circuit.md").read_text()
    commands = re.findall(r"^python .*$", (EXAMPLES / "own_circuit.py").read_text(), re.M)
    assert len(commands) == 4
    assert [command for command in commands if command.replace("examples/own_circuit.py", "mine.py") not in page] == []


def test_without_its_file_an_own_circuit_is_refused_in_one_line(tmp_path):
    command = [sys.executable, str(EXAMPLES.parent / "trainers" / "pretrain.py"), "--ansatz", "brick"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.endswith(
        "got 'brick'. One of your own needs its file: --plugin FILE, or an import before it is used.\n"
    )
