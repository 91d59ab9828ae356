"""What is left of many runs, listed, or done in processes of its own: for `qssl reproduce` and `qssl compare`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qssl_tf.durations import duration
from qssl_tf.environment import usable_cores
from qssl_tf.errors import UserError, counted
from qssl_tf.studies.jobs import Job
from qssl_tf.studies.pool import Task, TaskRefused, run_all
from qssl_tf.studies.progress import Progress

# Kind of a job -> what it does, in the order in which lists have them.
KINDS = {
    "run": "train and probe",
    "paper_probe": "probe as the paper does",
    "device": "device",
    "noise": "read on noisy devices",
}


@dataclass(frozen=True)
class Workload:
    """Jobs that are left to do, and how they are done.

    Attributes:
        tasks: A task for each job.
        runs: Number of runs, with those that are finished.
        measured: Whether some are finished, from which the times are estimated.
        megabytes: Disk space that the jobs will take.
        folder: Folder of the run folders, and of the output of each job.
        results: Folder of the records.
        processes: Jobs at a time.
        budget: Seconds for all; jobs that are not expected to end in time are left out. None for no limit.
        command: Returns the arguments of `python` for a job.
    """

    tasks: list[Task]
    runs: int
    measured: bool
    megabytes: float
    folder: Path
    results: Path
    processes: int
    budget: float | None
    command: Callable[[Job], list[str]]

    @property
    def unfinished(self) -> int:
        """The number of runs that are not finished."""
        return sum(task.job.kind == "run" for task in self.tasks)

    def summary(self) -> str:
        """Return a line that says how much is left, how long it takes, and how much disk space."""
        seconds = sum(task.expected for task in self.tasks) / self.processes
        more = len(self.tasks) - self.unfinished
        what = f"{self.unfinished} to train and probe" + (f", {more} more" if more else "")
        cores = usable_cores()
        limit = f", of which {duration(self.budget)} now" if self.budget is not None and self.budget < seconds else ""
        space = f"{self.megabytes:.0f} MB" if self.megabytes < 1000 else f"{self.megabytes / 1000:.1f} GB"
        return (
            f"left to do: {what}; about {duration(seconds)} on {counted(cores, 'core')}{limit}, {space} "
            f"in {self.folder}"
        )


def list_jobs(workload: Workload) -> None:
    """Print the remaining jobs with estimates of time and disk space."""
    conditions = list(dict.fromkeys(task.job.spec.condition for task in workload.tasks))
    width = max([36, *(len(condition.name) for condition in conditions)])
    for kind, words in KINDS.items():
        for condition in conditions:
            group = [t for t in workload.tasks if t.job.kind == kind and t.job.spec.condition == condition]
            if group:
                seeds = ", ".join(str(task.job.spec.seed) for task in group)
                time = duration(sum(task.expected for task in group))
                print(f"{condition.name:{width}s} seed {seeds:18s} {words:24s} {time:>8s}")
    print(f"{workload.runs - workload.unfinished} of {workload.runs} runs are finished; {workload.summary()}")
    print(f"the times are {'measured on the runs that are finished' if workload.measured else 'guessed for two cores'}")


def work_off(workload: Workload) -> int:
    """Do the remaining jobs, and say how far they are.

    Returns:
        Number of failed jobs.

    Raises:
        UserError: A job ended with an error that the user has to fix.
        KeyboardInterrupt: Ctrl-C.
    """
    tasks = workload.tasks
    if not tasks:
        print(f"nothing is left to do: {counted(workload.runs, 'run')} finished", flush=True)
        return 0
    print(workload.summary(), flush=True)
    try:
        with Progress(tasks, workload.folder, workload.results, workload.processes) as progress:
            run_all(tasks, workload.processes, workload.command, workload.folder, workload.budget, progress.changed)
    except TaskRefused as error:
        raise UserError(str(error).removeprefix("error: ")) from None
    skipped = [task for task in tasks if task.state == "left out"]
    if skipped:
        seconds = sum(task.expected for task in skipped)
        jobs = counted(len(skipped), "job")
        print(f"{jobs} ({duration(seconds)}) did not fit the budget; the same command goes on with them")
    for task in tasks:
        if task.state == "failed":
            print(f"failed: {task.name}: {task.message}")
    return sum(task.state == "failed" for task in tasks)
