"""The progress of jobs: a live table on a terminal, elsewhere a line for each task that starts or ends."""

import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from qssl_tf.durations import duration
from qssl_tf.studies.pool import Task
from qssl_tf.studies.records import read_record

MAX_FINISHED, MAX_WAITING = 8, 6  # rows of the table


class Progress(AbstractContextManager):
    """Shows the tasks of a study or a comparison.

    Args:
        tasks: The tasks.
        folder: Folder of the runs, whose `history.csv` says how far they are.
        results: Folder of the records.
        processes: Number of tasks that run at once.
    """

    def __init__(self, tasks: Sequence[Task], folder: Path, results: Path, processes: int):
        """Open the table."""
        self.tasks, self.folder, self.results, self.processes = tasks, folder, results, processes
        self.console = Console(markup=False)  # messages contain what users typed
        self.live = Live(console=self.console, refresh_per_second=2) if sys.stdout.isatty() else None

    def __enter__(self):
        """Show the table."""
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *error):
        """Leave the last table standing."""
        if self.live:
            self.live.update(self.table())
            self.live.stop()

    def changed(self, task: Task | None) -> None:
        """Show that a task started or ended, or, with None, that time has passed."""
        if self.live:
            self.live.update(self.table())
        elif task is not None:
            self._print_line(task)

    def table(self) -> Table:
        """Return the tasks that ended last, those that run and those that come next."""
        unfinished = any(task.state in ("waiting", "running") for task in self.tasks)
        rest = f", about {self.time_left()} left" if unfinished else ""
        table = Table(title=f"{self._count('done')} of {len(self.tasks)} done{rest}")
        for name in ("arm", "seed", "state", "accuracy", "left"):
            table.add_column(name, justify="right" if name in ("seed", "accuracy", "left") else "left")
        finished = [task for task in self.tasks if task.state in ("done", "failed", "left out")]
        waiting = [task for task in self.tasks if task.state == "waiting"]
        running = [task for task in self.tasks if task.state == "running"]
        for task in [*finished[-MAX_FINISHED:], *running, *waiting[:MAX_WAITING]]:
            table.add_row(*self._row(task))
        if len(waiting) > MAX_WAITING:
            table.add_row("...", "", f"{len(waiting) - MAX_WAITING} more waiting", "", "")
        return table

    def time_left(self) -> str:
        """Return the estimated time until all tasks have ended."""
        seconds = sum(self._expected(task) for task in self.tasks if task.state == "waiting")
        seconds += sum(self._remaining(task) for task in self.tasks if task.state == "running")
        return duration(seconds / self.processes)

    def _expected(self, task: Task) -> float:
        """Return the estimated seconds of a task, scaled by how far off the estimates of its kind have been."""
        ratios = [other.seconds / other.expected for other in self.tasks if self._is_done_like(other, task)]
        return task.expected * (statistics.median(ratios) if ratios else 1.0)

    @staticmethod
    def _is_done_like(other: Task, task: Task) -> bool:
        return other.state == "done" and other.job.kind == task.job.kind

    def _count(self, state: str) -> int:
        return sum(task.state == state for task in self.tasks)

    def _remaining(self, task: Task) -> float:
        return max(0.0, self._expected(task) - (time.monotonic() - task.start))

    def _row(self, task: Task) -> tuple[str, ...]:
        spec = task.job.spec
        rest = {"waiting": duration(self._expected(task)), "running": duration(self._remaining(task))}.get(
            task.state, ""
        )
        return spec.condition.name, str(spec.seed), self._state(task), self._accuracy(task), rest

    def _state(self, task: Task) -> str:
        kind = "" if task.job.kind == "run" else f" ({task.job.kind.replace('_', ' ')})"
        if task.state == "failed":
            return f"failed{kind}: {task.message}"
        if task.state == "running" and task.job.kind == "run":
            path = self.folder / task.job.spec.name / "history.csv"
            step = max(0, path.read_bytes().count(b"\n") - 1) if path.is_file() else 0
            steps, probes = task.job.total, task.job.probes
            if step < steps:
                return f"step {step} of {steps}"
            return "probing" if probes == 1 else f"probing {probes} checkpoints"
        return task.state + kind

    def _accuracy(self, task: Task) -> str:
        if task.state != "done" or task.job.shown is None:
            return ""
        record = read_record(self.results, task.job.spec)
        accuracy = record.accuracy(*task.job.shown) if record else None
        return "" if accuracy is None else f"{accuracy:.1f} %"

    def _print_line(self, task: Task) -> None:
        arm, seed, state, accuracy, _ = self._row(task)
        parts = [f"{arm} seed {seed}: {'begins' if task.state == 'running' else state}"]
        if task.state == "running" and task.job.kind != "run":
            parts = [f"{arm} seed {seed}: {task.job.kind.replace('_', ' ')} begins"]
        if accuracy and task.job.shown:
            parts.append(f"{accuracy} after batch {task.job.shown[0]}")
        if task.state in ("done", "failed"):
            parts.append(f"{duration(task.seconds)}; about {self.time_left()} left in all")
        self.console.print(", ".join(parts), highlight=False, soft_wrap=True)
