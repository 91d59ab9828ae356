"""The examples, run as they stand, and the commands that they name."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SHORT = {  # what makes a command of a docstring quick enough for a test
    "trainers/pretrain.py": ["--steps", "3", "--width", "3", "--batch-size", "64"],
    "trainers/linear_eval.py": ["--probe-epochs", "2", "--no-untrained"],
    "qssl_tf.ibmq_infer": ["--backend", "aer", "--images", "20", "--shots", "50"],
    "tuning/search.py": ["--trials", "2", "--steps", "3", "--width", "3", "--probe-epochs", "2", "--layers", "1"],
}


def run(words, folder):
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_runs_and_says_how_good_it_is(path, tmp_path):
    output = run([str(path)], tmp_path)
    found = re.findall(r"^\w+: ([\d.]+) %", output, re.M)
    assert found and float(found[0]) > 30, output  # chance is 10 %


def test_an_own_circuit_goes_through_every_command(tmp_path):
    root = EXAMPLES.parent
    for name in ("trainers", "tuning", "examples"):
        (tmp_path / name).symlink_to(root / name)
    text = (EXAMPLES / "own_circuit.py").read_text()
    commands = re.findall(r"^python (.*)$", text, re.M)
    assert len(commands) == 4
    for command in commands:
        words = command.split()
        short = next(flags for name, flags in SHORT.items() if name in words)
        output = run([*words, *short], tmp_path)
        assert "brick" in output or "tuning" not in command, output
    runs = list((tmp_path / "runs").glob("digits-brick-*"))
    assert len(runs) == 1 and list(runs[0].glob("ibmq/*/result.json"))


def test_without_its_file_an_own_circuit_is_refused_in_one_line(tmp_path):
    command = [sys.executable, str(EXAMPLES.parent / "trainers" / "pretrain.py"), "--ansatz", "brick"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.endswith(
        "got 'brick'. One of your own needs its file: --plugin FILE, or an import before it is used.\n"
    )
