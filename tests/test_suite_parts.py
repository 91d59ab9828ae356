"""The suite in parts: every file is in one of them, they are about as long, and what is measured is kept."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import suite_parts
from conftest import ROOT

PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


@pytest.mark.parametrize("count", [1, 2, 7])
def test_every_file_is_in_one_part(count):
    names = [name for part in suite_parts.parts(count) for name in part]
    there = {str(path.relative_to(ROOT / "tests")) for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(names) == len(set(names)) and set(names) == there


def planned(*words):
    """Return what make would run."""
    words = ["make", "--dry-run", *words]
    return subprocess.run(words, cwd=ROOT, env=PLAIN, capture_output=True, text=True, timeout=60, check=True).stdout


def test_make_test_runs_every_part_and_make_test_all_the_long_tests_too():
    parts = [tuple(map(int, found)) for found in re.findall(r'-m "not long" .*--part=(\d+)/(\d+)', planned("test"))]
    count = len(parts)
    assert count > 1 and parts == [(number, count) for number in range(1, count + 1)]
    everything = planned("test-all")
    assert everything.count("--part=") == count and everything.count("-m long") == 1


def test_parts_are_about_as_long():
    count, length = planned("test").count("--part="), suite_parts.seconds()
    sums = [sum(length.get(name, suite_parts.UNKNOWN) for name in part) for part in suite_parts.parts(count)]
    assert max(sums) - min(sums) <= max(length.values())


@pytest.fixture
def small(tmp_path):
    """A suite of four files of which three were measured, in the order of their seconds."""
    shutil.copy(suite_parts.__file__, tmp_path)
    for name in "abcd":
        (tmp_path / f"test_{name}.py").write_text("import time\n\ndef test_it():\n    time.sleep(0.25)\n")
    kept = {"test_a.py": 9, "test_b.py": 5.5, "test_c.py": 4, "test_gone.py": 7}
    (tmp_path / "seconds.json").write_text(json.dumps(kept))
    return tmp_path


def run(folder, *arguments):
    command = [sys.executable, "-m", "pytest", "-p", "suite_parts", "-p", "no:cacheprovider", *arguments]
    environment = PLAIN | {"PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_part_has_its_files_and_the_longest_come_first(small):
    found = []
    for number in (1, 2):
        done = run(small, "--part", f"{number}/2", "--collect-only", "-q")
        assert done.returncode == 0, done.stdout
        found.append(re.findall(r"^test_(\w)\.py::", done.stdout, re.M))
    assert found == [["a", "c"], ["b", "d"]]  # 9; 5.5; 5, as one that was never measured, to the second; 4 to the first


def test_what_is_run_is_measured_in_parts_that_stay_as_they_are(small):
    """The second part adds to what the first has measured; files of which no test is run take no time."""
    before = (small / "seconds.json").read_bytes()
    for number in (1, 2):
        done = run(small, "--part", f"{number}/2", "--keep-seconds", "new.json", "-k", "test_a or test_b or test_d")
        assert done.returncode == 0, done.stdout
    kept = json.loads((small / "new.json").read_text())
    assert list(kept) == ["test_a.py", "test_b.py", "test_c.py", "test_d.py"] and kept.pop("test_c.py") == 0
    assert all(0.2 <= took < 4 for took in kept.values())
    assert (small / "seconds.json").read_bytes() == before


@pytest.mark.parametrize("words", ["0/3", "4/3", "2", "a/b"])
def test_a_part_that_is_none_is_refused(small, words):
    done = run(small, "--part", words)
    assert done.returncode == 4 and f"argument --part: invalid part value: '{words}'" in done.stderr
