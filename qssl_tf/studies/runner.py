"""`qssl reproduce`: run what is left of a study, list its costs, write its report."""

from pathlib import Path

from qssl_tf.commands import argument
from qssl_tf.errors import UserError
from qssl_tf.studies.costs import expected_seconds, megabytes, typical_cost
from qssl_tf.studies.jobs import Job, remaining_jobs
from qssl_tf.studies.options import StudyOptions
from qssl_tf.studies.pool import Task
from qssl_tf.studies.readings import read_readings
from qssl_tf.studies.records import Record
from qssl_tf.studies.storage import existing_run, require_weights
from qssl_tf.studies.studies import RunSpec
from qssl_tf.studies.workload import Workload, list_jobs, work_off


def run_study(options: StudyOptions) -> int:
    """Run the remaining jobs of a study.

    Returns:
        Number of failed jobs.

    Raises:
        UserError: A folder holds something else, or a job ended with an error that the user has to fix.
        KeyboardInterrupt: Ctrl-C.
    """
    return work_off(_workload(options))


def show_costs(options: StudyOptions) -> None:
    """Print the remaining jobs with estimates of time and disk space.

    Raises:
        UserError: For whatever `run_study` refuses.
    """
    list_jobs(_workload(options))


def report(options: StudyOptions) -> Path:
    """Write the report on the finished runs.

    Raises:
        UserError: No run is finished.
    """
    records = options.records()
    if not records:
        raise UserError(
            f"{options.results} holds no finished run of {options.name}; "
            f"run the study without {argument('report')} first."
        )
    from qssl_tf.studies.device import read_device
    from qssl_tf.studies.report import write_report
    from qssl_tf.studies.sections import ReportData

    device = read_device(options.results)
    conditions = options.study.conditions
    specs = sorted(records, key=lambda spec: (conditions.index(spec.condition), spec.seed))
    found = {spec: read_readings(options.results, spec) for spec in specs if options.study.on_devices}
    readings = {spec: values for spec, values in found.items() if values is not None}
    path = write_report(ReportData(options.name, [records[spec] for spec in specs], device, options.results, readings))
    print(f"report: {path}")
    return path


def _tasks(options: StudyOptions, records: dict[RunSpec, Record]) -> list[Task]:
    """Return a task for each remaining job.

    Raises:
        UserError: A folder holds something else, or weights to be probed are gone.
    """
    jobs = remaining_jobs(options, records, (options.results / "device.json").is_file())
    for spec in options.specs:
        run = existing_run(spec, options.folder)
        missing = [batch for job in jobs if job.spec == spec and spec in records for batch in job.batches]
        if run is not None and missing:
            require_weights(run, missing)
    finished_runs = list(records.values())
    return [Task(job, expected_seconds(job, finished_runs)) for job in jobs]


def _workload(options: StudyOptions) -> Workload:
    """Return what is left of a study.

    Raises:
        UserError: As `_tasks` says.
    """
    records = options.records()
    tasks = _tasks(options, records)
    runs = [task.job for task in tasks if task.job.kind == "run"]
    return Workload(
        tasks,
        runs=len(options.specs),
        measured=bool(records),
        megabytes=_megabytes(options, runs),
        folder=options.folder,
        results=options.results,
        processes=options.processes,
        budget=options.budget,
        command=lambda job: _command(options, job),
    )


def _megabytes(options: StudyOptions, runs: list[Job]) -> float:
    """Return the disk space of the finished runs, plus the checkpoints that running ones keep until they are probed."""
    final = len({0, options.study.table_batch, options.study.batches[-1]})
    total = sum(megabytes(job, job.probes + 1 if options.keep_weights else final) for job in runs)
    checkpoints = sorted((job.probes * typical_cost(job.spec.config).weights for job in runs), reverse=True)
    return total + (0.0 if options.keep_weights else sum(checkpoints[: options.processes]))


def _command(options: StudyOptions, job: Job) -> list[str]:
    arguments = ["-m", "qssl_tf.cli.task", job.kind, options.name, job.spec.condition.name, str(job.spec.seed)]
    arguments += ["--folder", str(options.folder), "--results", str(options.results), "--batches", options.batches]
    arguments += ["--data-dir", options.data_dir] if options.data_dir else []
    return [*arguments, "--keep-weights"] if options.keep_weights else arguments
