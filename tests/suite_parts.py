"""`--part NUMBER/COUNT`: the test files in parts of about the same length, each for a process of its own.

A process keeps what XLA compiled until it ends, so that one for the whole suite would take 7 GB. `make test` runs the
parts, two at a time; `make profile` measures how long the files take, and keeps it in seconds.json.
"""

import collections
import fcntl
import json
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
KEPT = TESTS / "seconds.json"
UNKNOWN = 5.0  # seconds that a file is taken to last which was never measured


def seconds() -> dict[str, float]:
    """Return how long each test file took without its long tests, by its name below `tests/`."""
    return json.loads(KEPT.read_text(encoding="utf-8"))


def files() -> list[str]:
    """Return all test files, by their names below `tests/`."""
    return sorted(str(path.relative_to(TESTS)) for path in TESTS.rglob("test_*.py"))


def parts(count: int) -> list[list[str]]:
    """Return all test files in `count` parts: from the longest on, each goes to the part that is shortest by then."""
    length, sums = seconds(), [0.0] * count
    shared: list[list[str]] = [[] for _ in range(count)]
    for name in sorted(files(), key=lambda name: -length.get(name, UNKNOWN)):
        shortest = min(range(count), key=sums.__getitem__)
        shared[shortest].append(name)
        sums[shortest] += length.get(name, UNKNOWN)
    return shared


def part(text: str) -> tuple[int, int]:
    """Read NUMBER/COUNT; numbers begin with 1."""
    number, count = map(int, text.split("/"))
    if not 1 <= number <= count:
        raise ValueError(text)
    return number, count


def pytest_addoption(parser):
    """Add the two options."""
    group = parser.getgroup("parts of the suite")
    group.addoption("--part", type=part, metavar="NUMBER/COUNT", help="run only the files of one part of several")
    group.addoption("--keep-seconds", type=Path, metavar="FILE", help="add to a file how long the test files took")


def pytest_configure(config):
    """Register what each option does."""
    if config.getoption("part"):
        number, count = config.getoption("part")
        config.pluginmanager.register(Part(parts(count)[number - 1]), "part")
    if config.getoption("keep_seconds"):
        config.pluginmanager.register(Stopwatch(config.rootpath, config.getoption("keep_seconds")), "stopwatch")


def pytest_collection_modifyitems(items):
    """Put the longest files first, so that none is left to one worker at the end; each keeps its tests' order."""
    length = {TESTS / name: took for name, took in seconds().items()}
    items.sort(key=lambda item: -length.get(item.path, UNKNOWN))


class Part:
    """Collects some files only; the others are not even imported."""

    def __init__(self, names: list[str]) -> None:
        """Keep the paths."""
        self.paths = {TESTS / name for name in names}

    def pytest_ignore_collect(self, collection_path):
        """Leave a test file of another part alone."""
        is_other = collection_path.match("test_*.py") and collection_path not in self.paths
        return True if is_other else None


class Stopwatch:
    """Adds up how long the tests of each file took, and keeps it at the end."""

    def __init__(self, root: Path, kept: Path) -> None:
        """Start with nothing."""
        self.root, self.kept, self.took = root, kept, collections.Counter()

    def file(self, test) -> str:
        """Return the name of a test's file."""
        return str((self.root / test.nodeid.split("::")[0]).relative_to(TESTS))

    def pytest_deselected(self, items):
        """Count files of which nothing is run."""
        self.took.update(dict.fromkeys(map(self.file, items), 0.0))

    def pytest_runtest_logreport(self, report):
        """Add setup, call and teardown of a test."""
        self.took[self.file(report)] += report.duration

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self):
        """Add the files that were run to those of other parts, which may end at the same time."""
        with open(self.kept, "a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            before = json.loads(file.read() or "{}")
            rounded = {name: round(took, 1) for name, took in (before | self.took).items()}
            file.truncate(0)
            file.write(json.dumps(dict(sorted(rounded.items())), indent=1) + "\n")
