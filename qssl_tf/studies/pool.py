"""A bounded number of processes, each at one job; they end with this process, however it ends."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qssl_tf.files.write import replacing
from qssl_tf.studies.costs import Job

ROOM = 1 << 16  # bytes; where they cannot be written, the disk is full
USER_MISTAKE = 2  # exit code of a command that refuses what it was asked


@dataclass
class Task:
    """A job on its way.

    Attributes:
        job: What is to be done.
        expected: Seconds it is expected to take.
        state: waiting, running, done, failed or left out.
        began: When it was started, by the monotonic clock.
        took: Seconds it took, once it ended.
        process: Its process.
        message: The last line it said, once it failed.
        log_began: Bytes of its log that are of earlier processes.
    """

    job: Job
    expected: float
    state: str = "waiting"
    began: float = 0.0
    took: float = 0.0
    process: subprocess.Popen | None = None
    message: str = ""
    log_began: int = 0

    @property
    def name(self) -> str:
        """What it does to which run."""
        return self.job.pair.name if self.job.kind == "run" else f"{self.job.pair.name} {self.job.kind}"


class Refused(Exception):
    """A job met what a user has to mend; the others would as well."""


def run_all(
    tasks: Sequence[Task],
    processes: int,
    command: Callable[[Job], list[str]],
    logs: Path,
    budget: float | None = None,
    changed: Callable[[Task | None], None] = lambda task: None,
) -> None:
    """Run every task, at most `processes` at a time, in order.

    Args:
        tasks: What to do; their states are kept up to date.
        processes: At most that many run at once; they share the cores.
        command: Gives the arguments of `python` for a job.
        logs: Folder where each leaves its output, `<name>.log`.
        budget: Seconds after which nothing more is begun; a task that would not end within it is left out.
        changed: Called with each task that began or ended, and with None about once a second.

    Raises:
        Refused: A task ended with a user's mistake; the others are stopped.
        KeyboardInterrupt: Ctrl-C; the tasks have kept their state and ended.
    """
    began = time.monotonic()
    try:
        while any(task.state in ("waiting", "running") for task in tasks):
            for task in [task for task in tasks if task.state == "running"]:
                if task.process is not None and task.process.poll() is not None:
                    _ended(task, logs)
                    changed(task)
                    if task.process.returncode == USER_MISTAKE:
                        raise Refused(task.message)
            while sum(task.state == "running" for task in tasks) < processes:
                waiting = next((task for task in tasks if task.state == "waiting"), None)
                if waiting is None:
                    break
                fits = budget is None or time.monotonic() - began + waiting.expected <= budget
                if fits:
                    _start(waiting, command(waiting.job), logs, processes)
                else:
                    waiting.state = "left out"
                changed(waiting)
            changed(None)
            time.sleep(0.3)
    except KeyboardInterrupt:
        for task in tasks:
            if task.state == "running" and task.process is not None:
                task.process.terminate()  # Ctrl-C reached them as well, SIGTERM did not; twice is no harm
        _wait(tasks)  # they keep their state first
        raise
    finally:
        _end(tasks)


def _start(task: Task, arguments: list[str], logs: Path, processes: int) -> None:
    logs.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    if processes > 1:
        cores = len(os.sched_getaffinity(0))
        threads = str(max(1, cores // processes))
        environment |= {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads}
    with open(_log(task, logs), "ab") as log:
        task.log_began = log.tell()
        task.process = subprocess.Popen(
            [sys.executable, *arguments, "--end-with-parent"],
            stdin=subprocess.PIPE,  # closed by the system when this process ends, which ends the child
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    task.began, task.state = time.monotonic(), "running"


def _ended(task: Task, logs: Path) -> None:
    code = task.process.returncode if task.process else 0
    task.state = "done" if code == 0 else "failed"
    task.took = time.monotonic() - task.began
    if code:
        said = _last_words(_log(task, logs), task.log_began, code)
        task.message = said if code > 0 else f"its process was killed by signal {-code}"


def _log(task: Task, logs: Path) -> Path:
    return logs / f"{task.name.replace(' ', '-')}.log"


def _last_words(log: Path, began: int, code: int) -> str:
    """Return the last line that a failed process wrote, or why it could write none."""
    said = log.read_bytes()[began:].decode(errors="replace").strip().splitlines() if log.exists() else []
    complete = bool(said) and (code != USER_MISTAKE or said[-1].startswith("error: "))
    try:
        if not complete:  # a full disk swallows the line that says so
            with replacing(log.with_suffix(".room")) as probe:
                probe.write_bytes(bytes(ROOM))
            log.with_suffix(".room").unlink()
    except OSError as error:
        return f"error: {log.parent}: {error.strerror or error}; make room or permission there and try again."
    return said[-1].strip() if said else f"it said nothing and ended with code {code}; see {log}"


def _wait(tasks: Sequence[Task], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    for task in tasks:
        if task.state == "running" and task.process is not None:
            try:
                task.process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                return


def _end(tasks: Sequence[Task]) -> None:
    for task in tasks:
        if task.process is not None:
            if task.process.poll() is None:
                task.process.terminate()
                task.process.wait()
            if task.process.stdin is not None:
                task.process.stdin.close()
