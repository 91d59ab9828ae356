"""`--quick-figures`: in each test file the first figure of a name is drawn; later ones are written as that one.

A quarter of the time of commands goes into drawing, and few tests look at what is drawn: those of DRAWN, where nothing
is spared. `make test` spares it, `make test-all` and `make test-long` do not.
"""

import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure

# Files and folders below `tests/` whose tests look at figures, or at what is drawn of hostile words.
DRAWN = (
    "cli/test_circuit.py", "plots", "search/test_results.py", "studies/test_report.py", "test_arguments.py",
    "test_hostile.py", "test_markup.py", "test_report.py", "test_strange_folders.py", "test_wrong_meaning.py",
)  # fmt: skip
TESTS = Path(__file__).resolve().parent


def pytest_addoption(parser):
    """Add the option."""
    parser.getgroup("quick figures").addoption(
        "--quick-figures", action="store_true", help="draw the first figure of each name in a test file, and copy it"
    )


def pytest_configure(config):
    """Register what the option does."""
    if config.getoption("quick_figures"):
        config.pluginmanager.register(QuickFigures(Figure.savefig), "quick figures")


class QuickFigures:
    """Stands for `Figure.savefig` while a test runs."""

    def __init__(self, savefig) -> None:
        """Keep what draws."""
        self.savefig, self.file, self.drawn = savefig, Path(), {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item):
        """Forget the figures of another file; draw all where they are looked at."""
        if item.path != self.file:
            self.file, self.drawn = item.path, {}
            place = self.file.relative_to(TESTS).as_posix() if self.file.is_relative_to(TESTS) else ""
            is_looked_at = any(place == name or place.startswith(f"{name}/") for name in DRAWN)
            Figure.savefig = self.savefig if is_looked_at else self.quick

    def pytest_unconfigure(self):
        """Give back what draws."""
        Figure.savefig = self.savefig

    @property
    def quick(self):
        """What stands for `savefig`: of a file's first figure of a name it keeps the bytes, and writes them again."""

        def savefig(figure, target, **options):
            path = Path(target)
            name = re.sub(r"^\.[0-9a-f]{8}-", "", path.name)  # that of files.write.replacing
            if name in self.drawn:
                path.write_bytes(self.drawn[name])
                return
            self.savefig(figure, target, **options)
            self.drawn[name] = path.read_bytes()

        return savefig
