"""The suite itself: what `make test` leaves out is there and run elsewhere, and each kind of it has a shorter test."""

import ast
import fnmatch
import os
import re
import subprocess

import pytest
import yaml
from conftest import LONG, ROOT, is_long


@pytest.mark.parametrize("pattern", LONG)
def test_each_long_test_exists_and_its_file_has_others_or_is_named_whole(pattern):
    name, test = pattern.split("::")
    tree = ast.parse((ROOT / "tests" / name).read_text())
    tests = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    meant = [one for one in tests if fnmatch.fnmatchcase(one, test.split("[[]")[0])]
    assert meant, pattern
    assert test == "*" or "[[]" in test or len(meant) < len(tests)


def test_parameters_are_told_apart():
    assert is_long("docs/test_pages.py::test_a_page_does_what_it_says[own-data]")
    assert not is_long("docs/test_pages.py::test_a_page_does_what_it_says[quantum-head]")
    assert is_long("distributed/test_strategies.py::test_nt_xent_over_all_rows_and_its_gradient[4, tfq]")
    assert not is_long("distributed/test_strategies.py::test_nt_xent_over_all_rows_and_its_gradient[2, xla]")


@pytest.fixture
def integration(tmp_path):
    """A function (seconds) -> what .ci/run asks of make if it began so long ago; one target may fail."""
    asked = tmp_path / "asked"
    for name, script in {
        "make": f'printf "%s|" "$@" >> {asked}; echo >> {asked}; [ "$1" != "$FAILS" ]',
        "sh": "",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)

    def begun(seconds, fails=""):
        path = f"{tmp_path}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "SECONDS": str(seconds), "FAILS": fails}
        done = subprocess.run(["bash", ROOT / ".ci" / "run"], env=environment, check=False)
        lines = asked.read_text().splitlines()
        asked.unlink()
        return done.returncode, lines

    return begun


@pytest.mark.parametrize(("seconds", "budget"), [(0, 1260), (600, 660), (1000, 260), (1400, -140)])
def test_integration_gives_the_long_tests_what_time_is_left(integration, seconds, budget):
    code, (first, second, third) = integration(seconds)
    assert (code, first, second) == (0, "test|", "check|")
    given, turn = re.fullmatch(r"test-long\|ARGS=--time-budget (-?\d+) --turn (\d+)\|", third).groups()
    assert budget - 5 <= int(given) <= budget and int(turn) > 0


def test_integration_ends_with_what_fails(integration):
    code, asked = integration(0, fails="check")
    assert code != 0 and asked == ["test|", "check|"]


def test_the_workflow_runs_integration_on_each_push_and_everything_each_night():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())
    assert {"push", "pull_request", "schedule"} <= workflow[True].keys()  # YAML reads `on` as true
    steps = {step["run"]: step["if"] for step in workflow["jobs"]["tests"]["steps"] if "run" in step}
    (by_push,) = [run for run, when in steps.items() if when == "github.event_name != 'schedule'"]
    (by_night,) = [run for run, when in steps.items() if when == "github.event_name == 'schedule'"]
    assert by_push == "bash .ci/run" and "make --keep-going test-all check" in by_night
