"""The bar of a device run's jobs, on a pseudo-terminal of 80 columns."""

import fcntl
import io
import os
import re
import struct
import sys
import termios
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import pytest
import requests
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from tqdm import tqdm

from qssl_tf.device import jobs
from qssl_tf.device.job_bar import JobBar, is_terminal, queue_position

ROWS = [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9]]


class Plan:
    """A ledger of three jobs, the first of which is done."""

    record = {"jobs": [{"rows": rows} for rows in ROWS]}

    def missing(self):
        return [1, 2]


@pytest.fixture
def terminal(monkeypatch):
    """A function (lines) that makes a terminal stdout and stderr, and returns a function () -> what it got so far.

    It is called within the test, before whose beginning pytest puts its own streams in place.
    """
    ends = []

    def begin(lines=24):
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, 80, 0, 0))
        os.set_blocking(ours, False)
        stream, kept = os.fdopen(theirs, "w", buffering=1), []
        ends.extend((stream, os.fdopen(ours, "rb", buffering=0)))
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)

        def shown():
            with suppress(BlockingIOError):
                while True:
                    kept.append(os.read(ours, 65536))
            return b"".join(kept).decode()

        return shown

    yield begin
    for end in ends:
        end.close()


def say(line):
    print(line, flush=True)


def test_rows_of_a_simulated_device(terminal):
    seen = terminal()
    with JobBar(Plan(), True, say) as bar:
        bar.passing("job 2/3 done")
        bar.done(1)
        bar.line("24 shots came back")
        bar.done(2)
    shown = seen()
    counts = re.findall(r"\s*(\d+)%\|.*?\| (\d+)/10 rows \[", shown)
    assert list(dict.fromkeys(counts)) == [("30", "3"), ("70", "7"), ("100", "10")]
    assert max(len(part) for part in re.split(r"[\r\n]", shown)) <= 80
    assert "job 2/3 done" not in shown  # the bar says it
    assert re.search(r"\r {70,}\r24 shots came back\r\n", shown)  # in a line of its own


def test_jobs_of_a_real_device_and_their_place_in_the_queue(terminal):
    seen = terminal()
    states, places = iter(["QUEUED", "QUEUED", "RUNNING", "DONE"]), iter([12, 3])
    job = SimpleNamespace(
        job_id=lambda: "d3xk", status=lambda: next(states), metrics=lambda: {"position_in_queue": next(places)}
    )
    with JobBar(Plan(), False, say) as bar:
        jobs.wait(job, Plan(), 1, bar, 0.0)
        bar.done(1)
    shown = seen()
    said = re.findall(r"\| (\d)/3 jobs \[\d\d:\d\d, (job d3xk [a-z]+(?:, position \d+)?)\]", shown)
    assert list(dict.fromkeys(said)) == [
        ("1", "job d3xk queued, position 12"),
        ("1", "job d3xk queued, position 3"),
        ("1", "job d3xk running"),
        ("1", "job d3xk done"),
        ("2", "job d3xk done"),
    ]


def test_a_job_whose_place_nobody_knows_is_waited_for_all_the_same():
    def lost():
        raise requests.exceptions.ConnectionError("gone")

    def refused():
        raise RequestsApiError("404 Client Error", 404)

    for metrics in (lost, refused, dict, lambda: {"position_in_queue": None}, lambda: None):
        assert queue_position(SimpleNamespace(metrics=metrics)) is None
    assert queue_position(SimpleNamespace()) is None  # an older client

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        queue_position(SimpleNamespace(metrics=interrupted))


def test_a_file_gets_every_line_while_the_bar_is_on_the_terminal(terminal, monkeypatch, tmp_path):
    seen = terminal()
    with open(tmp_path / "log", "w") as log:
        monkeypatch.setattr(sys, "stdout", log)
        with JobBar(Plan(), True, say) as bar:
            bar.passing("job 2/3 done")
            bar.done(1)
            bar.line("24 shots came back")
    assert (tmp_path / "log").read_text() == "job 2/3 done\n24 shots came back\n"
    assert "7/10 rows" in seen()


def test_without_a_terminal_there_are_lines_alone(capsys):
    assert not is_terminal()
    with JobBar(Plan(), True, say) as bar:
        bar.passing("job 2/3 done")
        bar.done(1)
        bar.waits(SimpleNamespace(), "QUEUED")  # asks the client nothing
        bar.line("24 shots came back")
    assert capsys.readouterr() == ("job 2/3 done\n24 shots came back\n", "")


def test_a_terminal_without_a_size_gets_lines(terminal):
    seen = terminal(lines=0)
    with JobBar(Plan(), True, say) as bar:
        bar.passing("job 2/3 done")
        bar.done(1)
    assert seen() == "job 2/3 done\r\n"


def test_jobs_need_no_bar(terminal):
    """The terminal was closed meanwhile."""
    terminal()
    with JobBar(Plan(), True, say) as bar:

        def closed(*given):
            raise OSError(28, "No space left on device")  # tqdm itself bears with a terminal that was closed

        bar.bar.shown.update = closed
        bar.done(1)
        bar.done(2)
    assert bar.bar.shown is None


def test_a_bar_that_cannot_be_written_locks_no_bar_of_another_thread(monkeypatch):
    """tqdm takes its lock before it writes, and keeps it where that fails."""

    class Closed(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")  # tqdm itself bears with a terminal that was closed

    monkeypatch.setattr(sys, "stderr", Closed())
    monkeypatch.setattr("qssl_tf.device.job_bar.is_terminal", lambda: True)
    ledger = SimpleNamespace(record={"jobs": [{"rows": [0, 1]}]}, missing=lambda: [0])
    with JobBar(ledger, True, print) as shown:
        shown.done(0)
    assert shown.bar.shown is None
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(tqdm.get_lock().acquire, timeout=10).result()
        pool.submit(tqdm.get_lock().release).result()
