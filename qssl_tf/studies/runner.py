"""`qssl reproduce`: run what is left of a study, list its costs, write its report."""

from pathlib import Path

from qssl_tf.commands import argument
from qssl_tf.durations import duration
from qssl_tf.environment import usable_cores
from qssl_tf.errors import UserError, counted
from qssl_tf.studies.costs import expected_seconds, megabytes, typical_cost
from qssl_tf.studies.jobs import Job, remaining_jobs
from qssl_tf.studies.options import StudyOptions
from qssl_tf.studies.pool import Task, TaskRefused, run_all
from qssl_tf.studies.readings import read_readings
from qssl_tf.studies.records import Record
from qssl_tf.studies.storage import existing_run, require_weights
from qssl_tf.studies.studies import RunSpec


def run_study(options: StudyOptions) -> int:
    """Run the remaining jobs of a study.

    Returns:
        Number of failed jobs.

    Raises:
        UserError: A folder holds something else, or a job ended with an error that the user has to fix.
        KeyboardInterrupt: Ctrl-C.
    """
    from qssl_tf.studies.progress import Progress

    tasks = _tasks(options, options.records())
    if not tasks:
        print(f"nothing is left to do: {counted(len(options.specs), 'run')} finished", flush=True)
        return 0
    print(_workload(options, tasks), flush=True)
    try:
        with Progress(options.study, tasks, options.folder, options.results, options.processes) as progress:
            run_all(
                tasks,
                options.processes,
                lambda job: _command(options, job),
                options.folder,
                options.budget,
                progress.changed,
            )
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


def show_costs(options: StudyOptions) -> None:
    """Print the remaining jobs with estimates of time and disk space.

    Raises:
        UserError: For whatever `run_study` refuses.
    """
    records = options.records()
    tasks = _tasks(options, records)
    for kind, words in (("run", "train and probe"), ("paper_probe", "probe as the paper does"), ("device", "device"),
                        ("noise", "read on noisy devices")):  # fmt: skip
        of_kind = [task for task in tasks if task.job.kind == kind]
        for condition in dict.fromkeys(task.job.spec.condition for task in of_kind):
            group = [task for task in of_kind if task.job.spec.condition == condition]
            seeds = ", ".join(str(task.job.spec.seed) for task in group)
            time = duration(sum(task.expected for task in group))
            print(f"{condition.name:36s} seed {seeds:18s} {words:24s} {time:>8s}")
    done = len(options.specs) - sum(task.job.kind == "run" for task in tasks)
    print(f"{done} of {len(options.specs)} runs are finished; {_workload(options, tasks)}")
    print(f"the times are {'measured on the runs that are finished' if records else 'guessed for two cores'}")


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


def _workload(options: StudyOptions, tasks: list[Task]) -> str:
    runs = [task.job for task in tasks if task.job.kind == "run"]
    seconds = sum(task.expected for task in tasks) / options.processes
    budget = options.budget
    limit = f", of which {duration(budget)} now" if budget is not None and budget < seconds else ""
    return (
        f"left to do: {len(runs)} to train and probe, {len(tasks) - len(runs)} more; about {duration(seconds)} on "
        f"{usable_cores()} cores{limit}, {_disk_space(options, runs)} in {options.folder}"
    )


def _disk_space(options: StudyOptions, runs: list[Job]) -> str:
    """Return the disk space of the finished runs, plus the checkpoints that running ones keep until they are probed."""
    final = len({0, options.study.table_batch, options.study.batches[-1]})
    total = sum(megabytes(job, job.probes + 1 if options.keep_weights else final) for job in runs)
    checkpoints = sorted((job.probes * typical_cost(job.spec.config).weights for job in runs), reverse=True)
    total += 0.0 if options.keep_weights else sum(checkpoints[: options.processes])
    return f"{total:.0f} MB" if total < 1000 else f"{total / 1000:.1f} GB"


def _command(options: StudyOptions, job: Job) -> list[str]:
    arguments = ["-m", "qssl_tf.cli.task", job.kind, options.name, job.spec.condition.name, str(job.spec.seed)]
    arguments += ["--folder", str(options.folder), "--results", str(options.results), "--batches", options.batches]
    arguments += ["--data-dir", options.data_dir] if options.data_dir else []
    return [*arguments, "--keep-weights"] if options.keep_weights else arguments
