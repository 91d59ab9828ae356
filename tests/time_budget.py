"""`--time-budget SECONDS`: tests that have not begun by then are left out, which is no failure, and named at the end.

`--turn NUMBER` says which file comes first, so that a budget that never reaches the last file reaches another in turn.
"""

import time

import pytest

LEFT_OUT = "left out"  # the outcome, as pytest counts and names it
END = "time_budget_end"  # of the workers' input


def pytest_addoption(parser):
    """Add the two options."""
    group = parser.getgroup("time budget")
    group.addoption("--time-budget", type=float, metavar="SECONDS", help="leave out tests that begin later than that")
    group.addoption("--turn", type=int, default=0, metavar="NUMBER", help="begin with that file, counted round")


def pytest_configure(config):
    """Fix the end once, in the process that the user started; workers of xdist are told it."""
    seconds = config.getoption("time_budget")
    if seconds is not None:
        end = getattr(config, "workerinput", {}).get(END, time.time() + seconds)
        config.pluginmanager.register(TimeBudget(seconds, end), "time budget")


@pytest.hookimpl(trylast=True)  # of those that are selected, in their order
def pytest_collection_modifyitems(config, items):
    """Turn the order of the files; each keeps its tests in their order."""
    files = list(dict.fromkeys(item.path for item in items))
    first = config.getoption("turn") % max(len(files), 1)
    places = {path: place for place, path in enumerate(files[first:] + files[:first])}
    items.sort(key=lambda item: places[item.path])


class TimeBudget:
    """Leaves tests out after the end, and says which."""

    def __init__(self, seconds: float, end: float) -> None:
        """Keep the budget and the time at which it is used up."""
        self.seconds, self.end = seconds, end

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node):
        """Tell a worker of xdist the same end, however late it starts."""
        node.workerinput[END] = self.end

    @pytest.hookimpl(tryfirst=True)  # before fixtures
    def pytest_runtest_setup(self, item):
        """Skip a test that begins too late."""
        if time.time() >= self.end:
            item.user_properties.append((LEFT_OUT, self.seconds))
            pytest.skip(f"the time budget of {self.seconds:g} s was used up")

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report):
        """Count such a test apart from those that are skipped."""
        if (LEFT_OUT, self.seconds) in map(tuple, report.user_properties):
            return (LEFT_OUT, "l", "LEFT OUT") if report.when == "setup" else ("", "", "")
        return None

    def pytest_terminal_summary(self, terminalreporter):
        """Name each test that was left out."""
        names = [report.nodeid for report in terminalreporter.stats.get(LEFT_OUT, ())]
        terminalreporter.section(f"time budget of {self.seconds:g} s: {len(names)} tests left out")
        for name in sorted(names):
            terminalreporter.write_line(name)
