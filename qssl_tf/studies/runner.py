"""A study from what is asked to its report."""

import os
from pathlib import Path

from qssl_tf.errors import UserError
from qssl_tf.studies.costs import Job, duration, expected, megabytes, size
from qssl_tf.studies.folders import held, require_weights
from qssl_tf.studies.pool import Refused, Task, run_all
from qssl_tf.studies.records import Record
from qssl_tf.studies.request import Order, jobs
from qssl_tf.studies.studies import Pair


def run_study(order: Order) -> int:
    """Do what is left of a study.

    Returns:
        How many jobs failed.

    Raises:
        UserError: A folder holds something else, or a job met what the user has to mend.
        KeyboardInterrupt: Ctrl-C.
    """
    from qssl_tf.studies.progress import Progress

    tasks = _tasks(order, order.records())
    if not tasks:
        print(f"nothing is left to do: {len(order.wanted)} runs are finished", flush=True)
        return 0
    print(_said(order, tasks), flush=True)
    try:
        with Progress(order.study, tasks, order.folder, order.results, order.processes) as progress:
            run_all(
                tasks,
                order.processes,
                lambda job: _command(order, job),
                order.folder,
                order.budget,
                progress.changed,
            )
    except Refused as refused:
        raise UserError(str(refused).removeprefix("error: ")) from None
    left = [task for task in tasks if task.state == "left out"]
    if left:
        seconds = sum(task.expected for task in left)
        print(f"{len(left)} jobs ({duration(seconds)}) did not fit the budget; the same command goes on with them")
    for task in tasks:
        if task.state == "failed":
            print(f"failed: {task.name}: {task.message}")
    return sum(task.state == "failed" for task in tasks)


def show_costs(order: Order) -> None:
    """Print what is left to do, how long it takes and how much room.

    Raises:
        UserError: What the study itself would refuse.
    """
    records = order.records()
    tasks = _tasks(order, records)
    for kind, words in (("run", "train and probe"), ("paper_probe", "probe as the paper does"), ("device", "device")):
        of_kind = [task for task in tasks if task.job.kind == kind]
        for cell in dict.fromkeys(task.job.pair.cell for task in of_kind):
            own = [task for task in of_kind if task.job.pair.cell == cell]
            seeds = ", ".join(str(task.job.pair.seed) for task in own)
            print(f"{cell.name:36s} seed {seeds:18s} {words:24s} {duration(sum(task.expected for task in own)):>8s}")
    done = len(order.wanted) - sum(task.job.kind == "run" for task in tasks)
    print(f"{done} of {len(order.wanted)} runs are finished; {_said(order, tasks)}")
    print(f"the times are {'measured on the runs that are finished' if records else 'guessed for two cores'}")


def report(order: Order) -> Path:
    """Write the report on what is there.

    Raises:
        UserError: There is nothing to report on.
    """
    records = order.records()
    if not records:
        raise UserError(f"{order.results} holds no finished run of {order.name}; run the study without --report first.")
    from qssl_tf.studies.device import read_device
    from qssl_tf.studies.findings import Findings
    from qssl_tf.studies.report import write_report

    device = read_device(order.results)
    in_order = sorted(records.items(), key=lambda item: (order.study.cells.index(item[0].cell), item[0].seed))
    path = write_report(Findings(order.name, [record for _, record in in_order], device, order.results))
    print(f"report: {path}")
    return path


def _tasks(order: Order, records: dict[Pair, Record]) -> list[Task]:
    """Return what is left to do, none of it begun.

    Raises:
        UserError: A folder holds something else, or weights to be probed are gone.
    """
    left = jobs(order, records, (order.results / "device.json").is_file())
    for pair in order.wanted:
        run = held(pair, order.folder)
        lacking = [batch for job in left if job.pair == pair and pair in records for batch in job.batches]
        if run is not None and lacking:
            require_weights(run, lacking)
    finished = list(records.values())
    return [Task(job, expected(job, finished)) for job in left]


def _said(order: Order, tasks: list[Task]) -> str:
    runs = [task.job for task in tasks if task.job.kind == "run"]
    seconds = sum(task.expected for task in tasks) / order.processes
    limit = f", of which {duration(order.budget)} now" if order.budget is not None and order.budget < seconds else ""
    return (
        f"left to do: {len(runs)} to train and probe, {len(tasks) - len(runs)} more; about {duration(seconds)} on "
        f"{len(os.sched_getaffinity(0))} cores{limit}, {_room(order, runs)} in {order.folder}"
    )


def _room(order: Order, runs: list[Job]) -> str:
    """Return what the runs leave, with the weights that those at work keep until they are probed."""
    ends = len({0, order.study.table, order.study.batches[-1]})
    done = sum(megabytes(job, job.probes + 1 if order.keep_weights else ends) for job in runs)
    at_work = sorted((job.probes * size(job.pair.config).weights for job in runs), reverse=True)[: order.processes]
    room = done + (0.0 if order.keep_weights else sum(at_work))
    return f"{room:.0f} MB" if room < 1000 else f"{room / 1000:.1f} GB"


def _command(order: Order, job: Job) -> list[str]:
    words = ["-m", "qssl_tf.cli.task", job.kind, order.name, job.pair.cell.name, str(job.pair.seed)]
    words += ["--folder", str(order.folder), "--results", str(order.results), "--batches", order.batches]
    words += ["--data-dir", order.data_dir] if order.data_dir else []
    return [*words, "--keep-weights"] if order.keep_weights else words
