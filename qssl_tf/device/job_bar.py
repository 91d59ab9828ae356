"""How far the jobs of a device run are: a bar on a terminal; in a file or a pipe lines alone."""

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from tqdm import tqdm

from qssl_tf.device.ledger import Ledger
from qssl_tf.errors import pass_on_interrupt
from qssl_tf.streams import Bar

# Whether it is simulated here -> what is counted, and how the bar looks; both fit into 80 columns.
LOOKS = {
    True: ("row", "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} rows [{elapsed}<{remaining}, {rate_fmt}]"),
    False: ("job", "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} jobs [{elapsed}{postfix}]"),
}


class JobBar(AbstractContextManager):
    """Shows the jobs of a ledger: of a simulated device the rows that are done, of a real one jobs and their state.

    Args:
        ledger: The device run.
        is_local: Whether it is simulated here.
        report: Called with a line of text.
    """

    def __init__(self, ledger: Ledger, is_local: bool, report: Callable[[str], None]):
        """Count what is done already; nothing is shown yet."""
        self.ledger, self.is_local, self.report = ledger, is_local, report
        self.bar: Bar | None = None

    def __enter__(self) -> "JobBar":
        """Show the bar where stderr is a terminal."""
        if not is_terminal():
            return self
        jobs = range(len(self.ledger.record["jobs"]))
        unit, layout = LOOKS[self.is_local]
        self.bar = Bar(
            total=sum(map(self._size, jobs)),
            initial=sum(map(self._size, set(jobs) - set(self.ledger.missing()))),
            unit=unit,
            bar_format=layout,
            mininterval=0.0,  # a job takes seconds
        )
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the bar standing as it is."""
        if self.bar:
            self.bar.close()

    def done(self, number: int) -> None:
        """Count a job whose result is kept."""
        if self.bar:
            self.bar.update(self._size(number))

    def waits(self, job: Any, state: str) -> None:
        """Show the state of a real job, and its position in the queue where the client knows it."""
        if not self._is_shown():
            return
        position = queue_position(job) if state == "QUEUED" else None
        words = f"job {job.job_id()} {state.lower()}{'' if position is None else f', position {position}'}"
        assert self.bar
        self.bar.update(0, words)

    def passing(self, line: str) -> None:
        """Say what the bar shows, where there is none: also in a file, while the bar is on the terminal."""
        if not self._is_shown() or not sys.stdout.isatty():
            self.report(line)

    def line(self, line: str) -> None:
        """Say something above the bar."""
        with tqdm.external_write_mode():
            self.report(line)

    def _size(self, number: int) -> int:
        return len(self.ledger.record["jobs"][number]["rows"]) if self.is_local else 1

    def _is_shown(self) -> bool:
        return self.bar is not None and self.bar.shown is not None


def is_terminal() -> bool:
    """Return whether stderr is a terminal that says how large it is; tqdm shows nothing on one of no lines."""
    try:
        return sys.stderr.isatty() and 0 not in os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):  # it is closed, or no file
        return False


def queue_position(job: Any) -> int | None:
    """Return a job's place in the queue of its device; None where the client does not know it."""
    try:
        position = job.metrics().get("position_in_queue")
    except Exception as error:  # a nicety: whatever the service answers, the job is waited for
        pass_on_interrupt(error)
        return None
    return position if isinstance(position, int) else None
