"""The suite itself: what `make test` leaves out is there, and each kind of it has a shorter test that stays."""

import ast
import fnmatch

import pytest
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
    assert not is_long("docs/test_pages.py::test_a_page_does_what_it_says[start]")
    assert is_long("distributed/test_strategies.py::test_nt_xent_over_all_rows_and_its_gradient[4, tfq]")
    assert not is_long("distributed/test_strategies.py::test_nt_xent_over_all_rows_and_its_gradient[2, xla]")
