"""A pool of processes, one job each, that end with this process, however it ends."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qssl_tf.environment import usable_cores
from qssl_tf.files.write import replacing
from qssl_tf.studies.jobs import Job

SPACE_TEST = 1 << 16  # bytes; if they cannot be written, the disk is full
USER_ERROR = 2  # exit code of a command that ends with a UserError


@dataclass
class Task:
    """A job and its process.

    Attributes:
        job: The job.
        expected: Estimated duration in seconds.
        state: waiting, running, done, failed or left out.
        start: Its start, by the monotonic clock.
        seconds: Its duration, once it has ended.
        process: Its process.
        message: The last line of its output, once it has failed.
        log_offset: Bytes in its log that earlier processes wrote.
    """

    job: Job
    expected: float
    state: str = "waiting"
    start: float = 0.0
    seconds: float = 0.0
    process: subprocess.Popen | None = None
    message: str = ""
    log_offset: int = 0

    @property
    def name(self) -> str:
        """The run and, unless it is trained and probed, the kind of the job."""
        return self.job.spec.name if self.job.kind == "run" else f"{self.job.spec.name} {self.job.kind}"


class TaskRefused(Exception):
    """A job ended with a user's error, which the others would meet as well."""


def run_all(
    tasks: Sequence[Task],
    processes: int,
    command: Callable[[Job], list[str]],
    logs: Path,
    budget: float | None = None,
    on_change: Callable[[Task | None], None] = lambda task: None,
) -> None:
    """Run every task, at most `processes` at a time, in order.

    Args:
        tasks: The tasks; their states are updated.
        processes: Number of tasks that run at once and share the cores.
        command: Returns the arguments of `python` for a job.
        logs: Folder for the output of each, `<name>.log`.
        budget: Seconds for all; a task that is not expected to end in time is left out.
        on_change: Called with each task that starts or ends, and several times a second with None.

    Raises:
        TaskRefused: A task ended with a user's error; the others are stopped.
        KeyboardInterrupt: Ctrl-C; the tasks have saved their state and ended.
    """
    start = time.monotonic()
    try:
        while any(task.state in ("waiting", "running") for task in tasks):
            for task in [task for task in tasks if task.state == "running"]:
                if task.process is not None and task.process.poll() is not None:
                    _finish(task, logs)
                    on_change(task)
                    if task.process.returncode == USER_ERROR:
                        raise TaskRefused(task.message)
            while sum(task.state == "running" for task in tasks) < processes:
                waiting = next((task for task in tasks if task.state == "waiting"), None)
                if waiting is None:
                    break
                fits = budget is None or time.monotonic() - start + waiting.expected <= budget
                if fits:
                    _start(waiting, command(waiting.job), logs, processes)
                else:
                    waiting.state = "left out"
                on_change(waiting)
            on_change(None)
            time.sleep(0.3)
    except KeyboardInterrupt:
        for task in tasks:
            if task.state == "running" and task.process is not None:
                task.process.terminate()  # Ctrl-C reaches children too, SIGTERM does not; a second signal does no harm
        _wait(tasks)  # while they save their state
        raise
    finally:
        _end(tasks)


def _start(task: Task, arguments: list[str], logs: Path, processes: int) -> None:
    logs.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    if processes > 1:
        cores = usable_cores()
        threads = str(max(1, cores // processes))
        environment |= {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads}
    with open(_log(task, logs), "ab") as log:
        task.log_offset = log.tell()
        task.process = subprocess.Popen(
            [sys.executable, *arguments, "--end-with-parent"],
            stdin=subprocess.PIPE,  # the system closes it when this process ends, which ends the child
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    task.start, task.state = time.monotonic(), "running"


def _finish(task: Task, logs: Path) -> None:
    code = task.process.returncode if task.process else 0
    task.state = "done" if code == 0 else "failed"
    task.seconds = time.monotonic() - task.start
    if code:
        last_line = _last_line(_log(task, logs), task.log_offset, code)
        task.message = last_line if code > 0 else f"its process was killed by signal {-code}"


def _log(task: Task, logs: Path) -> Path:
    return logs / f"{task.name.replace(' ', '-')}.log"


def _last_line(log: Path, offset: int, code: int) -> str:
    """Return the last line that a failed process wrote to its log, or why it could not write one."""
    lines = log.read_bytes()[offset:].decode(errors="replace").strip().splitlines() if log.exists() else []
    complete = bool(lines) and (code != USER_ERROR or lines[-1].startswith("error: "))
    try:
        if not complete:  # on a full disk the line that says so is lost
            with replacing(log.with_suffix(".room")) as test_file:
                test_file.write_bytes(bytes(SPACE_TEST))
            log.with_suffix(".room").unlink()
    except OSError as error:
        return f"error: {log.parent}: {error.strerror or error}; make room or permission there and try again."
    return lines[-1].strip() if lines else f"it said nothing and ended with code {code}; see {log}"


def _wait(tasks: Sequence[Task], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    for task in tasks:
        if task.state == "running" and task.process is not None:
            try:
                task.process.wait(max(0.1, deadline - time.monotonic()))
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
