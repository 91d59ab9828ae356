"""What is left to do of a comparison: a job for each run that is not trained or not probed yet."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from qssl_tf.config import Config
from qssl_tf.data.sources import load
from qssl_tf.errors import UserError
from qssl_tf.studies.costs import expected_seconds, megabytes
from qssl_tf.studies.jobs import Job
from qssl_tf.studies.pool import Task
from qssl_tf.studies.records import read_record
from qssl_tf.studies.storage import Storage, existing_run
from qssl_tf.studies.studies import Condition, RunSpec
from qssl_tf.studies.workload import Workload, work_off
from qssl_tf.training.metadata import read_image_metadata
from qssl_tf.training.schedule import Schedule, schedule

IMAGES = ("dataset", "classes", "data_dir", "train_images", "validation_fraction", "image_size", "skip_broken_images")


def comparison_workload(
    specs: Sequence[RunSpec],
    storage: Storage,
    batch: int | None = None,
    processes: int = 1,
    budget: float | None = None,
) -> Workload:
    """Return what is left of the runs of a comparison.

    Args:
        specs: The runs, those whose folders and records are theirs.
        storage: Where they are kept.
        batch: Training batches after which they are probed; None takes the last.
        processes: Jobs at a time.
        budget: Seconds for all jobs; None for no limit.

    Raises:
        UserError: Images that say how long an epoch is cannot be found.
    """
    records = [record for spec in specs if (record := read_record(storage.results, spec)) is not None]
    plans = _Plans(storage)
    jobs = [job for spec in specs if (job := _job(spec, storage, plans, batch)) is not None]
    return Workload(
        [Task(job, expected_seconds(job, records)) for job in jobs],
        runs=len(specs),
        measured=bool(records),
        megabytes=sum(megabytes(job, _checkpoints(plans.of(job.spec))) for job in jobs),
        folder=storage.folder,
        results=storage.results,
        processes=processes,
        budget=budget,
        command=lambda job: _command(job, storage, batch),
    )


class InProcesses:
    """Trains and probes what is left of runs in processes of their own, as `trained_arms.compare_trained` asks.

    Args:
        processes: Runs at a time.
        budget: Seconds for all; runs that are not expected to end in time are left out. None for no limit.

    Attributes:
        failed: Number of runs that failed.
    """

    def __init__(self, processes: int, budget: float | None = None):
        """Keep the limits."""
        self.processes, self.budget, self.failed = processes, budget, 0

    def __call__(self, specs: Sequence[RunSpec], storage: Storage, batch: int | None) -> None:
        """Do what is left.

        Raises:
            UserError: A run ended with an error that the user has to fix.
        """
        self.failed = work_off(comparison_workload(specs, storage, batch, self.processes, self.budget))

    def say_failed(self, folder: Path) -> None:
        """Raise what a command says at its end where runs failed.

        Raises:
            UserError: They did.
        """
        if self.failed:
            raise UserError(
                f"{self.failed} of the runs failed; their output is in {folder}/*.log, and the same command goes on "
                "from there."
            )


def _job(spec: RunSpec, storage: Storage, plans: "_Plans", batch: int | None) -> Job | None:
    """Return what is left of one run; None if that is nothing."""
    record, protocol = read_record(storage.results, spec), spec.config.probe_protocol
    if record is not None and not record.unprobed([record.steps if batch is None else batch], protocol):
        return None
    total = plans.of(spec).steps
    has_weights = record is not None and (storage.folder / spec.name).is_dir()  # without them it is trained again
    probed = total if batch is None else batch
    return Job("run", spec, 0 if has_weights else total, (probed,), total, (probed, protocol))


class _Plans:
    """How many steps runs take: as their settings say, else by the number of their images, which are loaded once."""

    def __init__(self, storage: Storage):
        self.storage = storage
        self.images: dict[tuple, int] = {}

    def of(self, spec: RunSpec) -> Schedule:
        config = spec.config
        run = existing_run(spec, self.storage.folder)
        metadata = read_image_metadata(run) if run else None
        if metadata is not None:
            return schedule(config, metadata["train_images"])
        key = tuple(getattr(config, name) for name in IMAGES)
        if key not in self.images:
            self.images[key] = len(load(replace(config, seed=0)).train)
        return schedule(config, self.images[key])


def _checkpoints(plan: Schedule) -> int:
    """Return how many weights files a run keeps, with those of the untrained network."""
    return 1 + sum(plan.keeps(step) for step in range(1, plan.steps + 1))


def _command(job: Job, storage: Storage, batch: int | None) -> list[str]:
    spec = job.spec
    arguments = ["-m", "qssl_tf.cli.compare_task", spec.condition.name, str(spec.seed)]
    arguments += ["--settings", json.dumps(spec.condition.config.to_dict())]
    arguments += ["--folder", str(storage.folder), "--results", str(storage.results)]
    return arguments if batch is None else [*arguments, "--batch", str(batch)]


def spec_of(name: str, seed: int, settings: str) -> RunSpec:
    """Return the run that the arguments of such a command describe."""
    return RunSpec(Condition(name, name, None, Config.from_dict(json.loads(settings)), 1), seed)
