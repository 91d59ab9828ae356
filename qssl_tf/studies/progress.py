"""What a user sees while a study runs: a table on a terminal, a line for each change elsewhere."""

import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from qssl_tf.studies.costs import duration
from qssl_tf.studies.pool import Task
from qssl_tf.studies.records import read_record
from qssl_tf.studies.studies import Study

SHOWN_DONE, SHOWN_WAITING = 8, 6


class Progress(AbstractContextManager):
    """Follows the tasks of a study.

    Args:
        study: The study.
        tasks: Its tasks, whose states change.
        folder: Where the runs are, whose history says how far they are.
        results: Where the records are.
        processes: How many tasks run at once.
    """

    def __init__(self, study: Study, tasks: Sequence[Task], folder: Path, results: Path, processes: int):
        """Open the table."""
        self.study, self.tasks, self.folder, self.results, self.processes = study, tasks, folder, results, processes
        self.console = Console(markup=False)  # messages hold what users typed
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
        """Show that a task began or ended, or that a second has passed."""
        if self.live:
            self.live.update(self.table())
        elif task is not None:
            self._say(task)

    def table(self) -> Table:
        """Return what ended last, what runs and what comes next."""
        unfinished = any(task.state in ("waiting", "running") for task in self.tasks)
        rest = f", about {self.left()} left" if unfinished else ""
        made = Table(title=f"{self._count('done')} of {len(self.tasks)} done{rest}")
        for name in ("arm", "seed", "state", "accuracy", "left"):
            made.add_column(name, justify="right" if name in ("seed", "accuracy", "left") else "left")
        ended = [task for task in self.tasks if task.state in ("done", "failed", "left out")]
        waiting = [task for task in self.tasks if task.state == "waiting"]
        running = [task for task in self.tasks if task.state == "running"]
        for task in [*ended[-SHOWN_DONE:], *running, *waiting[:SHOWN_WAITING]]:
            made.add_row(*self._row(task))
        if len(waiting) > SHOWN_WAITING:
            made.add_row("...", "", f"{len(waiting) - SHOWN_WAITING} more waiting", "", "")
        return made

    def left(self) -> str:
        """Return how long the rest will take, as a user reads it."""
        seconds = sum(self._expected(task) for task in self.tasks if task.state == "waiting")
        seconds += sum(self._rest(task) for task in self.tasks if task.state == "running")
        return duration(seconds / self.processes)

    def _expected(self, task: Task) -> float:
        """Return what a task is expected to take, by how wrong that was of those of its kind that are done."""
        done = [other.took / other.expected for other in self.tasks if self._alike(other, task)]
        return task.expected * (statistics.median(done) if done else 1.0)

    @staticmethod
    def _alike(other: Task, task: Task) -> bool:
        return other.state == "done" and other.job.kind == task.job.kind

    def _count(self, state: str) -> int:
        return sum(task.state == state for task in self.tasks)

    def _rest(self, task: Task) -> float:
        return max(0.0, self._expected(task) - (time.monotonic() - task.began))

    def _row(self, task: Task) -> tuple[str, ...]:
        pair = task.job.pair
        rest = {"waiting": duration(self._expected(task)), "running": duration(self._rest(task))}.get(task.state, "")
        return pair.cell.name, str(pair.seed), self._state(task), self._accuracy(task), rest

    def _state(self, task: Task) -> str:
        doing = "" if task.job.kind == "run" else f" ({task.job.kind.replace('_', ' ')})"
        if task.state == "failed":
            return f"failed{doing}: {task.message}"
        if task.state == "running" and task.job.kind == "run":
            path = self.folder / task.job.pair.name / "history.csv"
            done = max(0, path.read_bytes().count(b"\n") - 1) if path.is_file() else 0
            steps = self._steps(task)
            return f"step {done} of {steps}" if done < steps else f"probing {task.job.probes} checkpoints"
        return task.state + doing

    def _steps(self, task: Task) -> int:
        return task.job.pair.config.steps or self.study.batches[-1]

    def _accuracy(self, task: Task) -> str:
        if task.state != "done" or task.job.kind == "device":
            return ""
        record = read_record(self.results, task.job.pair)
        protocol = "paper" if task.job.kind == "paper_probe" else "cached"
        found = record.accuracy(self.study.table, protocol) if record else None
        return "" if found is None else f"{found:.1f} %"

    def _say(self, task: Task) -> None:
        arm, seed, state, accuracy, _ = self._row(task)
        begun = "begins" if task.state == "running" else state
        words = [f"{arm} seed {seed}: {begun}"]
        if task.state == "running" and task.job.kind != "run":
            words = [f"{arm} seed {seed}: {task.job.kind.replace('_', ' ')} begins"]
        if accuracy:
            words.append(f"{accuracy} after batch {self.study.table}")
        if task.state in ("done", "failed"):
            words.append(f"{duration(task.took)}; about {self.left()} left in all")
        self.console.print(", ".join(words), highlight=False, soft_wrap=True)
