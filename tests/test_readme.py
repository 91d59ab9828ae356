"""The README's commands and code, run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", README, re.S) for line in block.splitlines()]
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)


def shell(command, folder):
    # What the make that runs these tests was told is not for the make of the command.
    own = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKEOVERRIDES", "ARGS")}
    return subprocess.run(
        command, shell=True, cwd=folder, env=own, capture_output=True, text=True, timeout=600, check=False
    )


def test_the_first_two_commands_reach_85_percent(tmp_path):
    """A copy of the project without its runs, as after a clone; the installed environment is shared."""
    listing = f"git -C {ROOT} ls-files -z --cached --others --exclude-standard"
    subprocess.run(f"{listing} | xargs -0 -I@ cp --parents @ {tmp_path}", shell=True, cwd=ROOT, check=True)
    environment = Path(sys.prefix)
    (tmp_path / ".venv").symlink_to(environment)
    (environment / ".installed").touch()
    assert "make pretrain PRESET=paper" in COMMANDS  # tests/docs/test_pages.py runs it
    # tests/test_package.py does the first three with a wheel.
    assert COMMANDS[:3] == ["pip install -c constraints.txt .", "qssl pretrain", "qssl probe"]
    assert COMMANDS[3:6] == ["make pretrain", "python trainers/linear_eval.py", "python -m qssl_tf.ibmq_infer"]
    first = shell(COMMANDS[3], tmp_path)
    assert first.returncode == 0, first.stderr
    second = shell(COMMANDS[4].replace("python ", f"{sys.executable} ", 1), tmp_path)
    assert second.returncode == 0, second.stderr
    accuracy = float(re.search(r"step 500: ([\d.]+) %", second.stdout)[1])
    assert accuracy >= 85, second.stdout
    third = shell(f"{sys.executable} -m qssl_tf.ibmq_infer", tmp_path)
    assert third.returncode == 0, third.stderr
    device, exact = (
        float(figure) for figure in re.search(r"accuracy ([\d.]+) %.*exact ([\d.]+) %", third.stdout).groups()
    )
    assert exact == pytest.approx(accuracy, abs=0.1) and device > exact - 10


@pytest.mark.parametrize("code", PYTHON)
def test_code_blocks_run(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # runs of the code stay out of the project
    exec(compile(code, "README.md", "exec"), {})


def test_named_targets_and_files_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z-]+)", README)):
        assert re.search(rf"^{target}\b.*:", makefile, re.M), target
    named = re.findall(r"`((?:qssl_tf|trainers|tuning|docs)/[\w/.-]+)`", README)
    for path in named + re.findall(r"\]\((docs/[^)]+)\)", README):
        assert (ROOT / path).exists(), path


def test_reproduce_lists_what_it_would_do(tmp_path):
    done = shell(f"make reproduce ARGS='--list --folder {tmp_path}'", ROOT)
    assert done.returncode == 0 and "0 of 51 runs are finished" in done.stdout, done.stderr
