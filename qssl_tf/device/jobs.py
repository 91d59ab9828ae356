"""Runs the jobs of a ledger: each is submitted once and waited for, and its result is stored unchanged."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from qiskit.primitives import BitArray

from qssl_tf.commands import command
from qssl_tf.compiler.compiled import READ
from qssl_tf.device.backends import Device
from qssl_tf.device.counts import expectations, moments
from qssl_tf.device.job_bar import JobBar
from qssl_tf.device.ledger import Ledger
from qssl_tf.device.records import circuit_count
from qssl_tf.device.refusals import is_gone
from qssl_tf.device.service import answers, billed_seconds, told_apart, warned
from qssl_tf.errors import UserError, pass_on_interrupt
from qssl_tf.interrupts import how_to_go_on

POLL_SECONDS = 5.0
FAILED = ("ERROR", "CANCELLED", "FAILED")
Report = Callable[[str], None]


def run_jobs(ledger: Ledger, device: Device, report: Report, client: Any = None) -> None:
    """Run every job that has no result yet, in order.

    Args:
        ledger: The plan.
        device: Where its circuits were compiled for.
        report: Called with a line when something changed that no bar on the terminal shows.
        client: The service, to find jobs again; only for real devices.
    """
    circuits, rows = ledger.circuits(), ledger.values()["rows"]
    missing = ledger.missing()
    with JobBar(ledger, device.is_local, report) as shown:
        _run_missing(ledger, device, client, missing, circuits, rows, shown)


def _run_missing(
    ledger: Ledger, device: Device, client: Any, missing: list[int], circuits: list, rows: np.ndarray, shown: JobBar
) -> None:
    if not device.is_local:  # all jobs queue at once
        how_to_go_on(
            f"jobs that were submitted go on; fetch them with: {resuming(ledger)}, or cancel them with: "
            f"{resuming(ledger, '--cancel')}"
        )
        for number in missing:
            _submit(ledger, device, client, number, circuits, rows, shown.line)
    for number in missing:
        if device.is_local:
            seed = ledger.record["seed"] * 1000 + number
            results = device.simulated(_pubs(ledger, number, circuits, rows), seed)
        else:
            results = _fetched(ledger, number, client, shown)
        ledger.keep(number, [_bits(result).array for result in results])
        if not device.is_local:
            ledger.note(number, billed=billed_seconds(client, ledger.record["jobs"][number]["id"]))
        total, shots = len(ledger.record["jobs"]), ledger.shots(number)
        shown.done(number)
        line = f"job {total - len(ledger.missing())}/{total} done"
        if shots == ledger.asked:
            shown.passing(line)
        else:
            shown.line(f"{line}; {shots:,} shots came back for each row, {ledger.asked:,} were asked for")


def _pubs(ledger: Ledger, number: int, circuits: list, rows: np.ndarray) -> list[tuple]:
    names = tuple(ledger.record["parameters"])  # by name: Qiskit sorts parameters in another order than Cirq
    values = rows[ledger.record["jobs"][number]["rows"]]
    return [(circuit, {names: values}, ledger.record["shots"]) for circuit in circuits]


def resuming(ledger: Ledger, flag: str = "--resume") -> str:
    """Return the command that goes on with a device run, or does with it what another flag says."""
    return command("device", ledger.folder.parent.parent, flag, ledger.folder.name)


def _fetched(ledger: Ledger, number: int, client: Any, shown: JobBar) -> Any:
    """Wait for a submitted job and return its result; the job itself outlives a lost network."""
    try:
        job = client.job(ledger.record["jobs"][number]["id"])
        wait(job, ledger, number, shown)
        return job.result()
    except UserError:
        raise
    except Exception as error:
        if is_gone(error):
            raise told_apart(error) from None
        message = str(told_apart(error)).rstrip(".")
        raise UserError(f"{message}; the job goes on, fetch it with {resuming(ledger)}.") from None


def _bits(result: Any) -> BitArray:
    return result.data[READ]  # there may be another, of a measurement between layers


def _submit(
    ledger: Ledger, device: Device, client: Any, number: int, circuits: list, rows: np.ndarray, report: Report = print
) -> None:
    """Submit a job unless it already is: its tag was written before, so that it is found again after a crash."""
    entry = ledger.record["jobs"][number]
    if entry["id"]:
        return
    if entry["state"] == "submitting":
        with answers():
            job_ids = [job.job_id() for job in client.jobs(job_tags=[entry["tag"]], limit=1)]
        if job_ids:
            ledger.note(number, id=job_ids[0], state="submitted")
            return
    ledger.note(number, state="submitting")
    sampler = device.sampler(ledger.record["seed"], ledger.record.get("suppression", ()))
    sampler.options.environment.job_tags = [entry["tag"]]
    with answers(), warned(report):
        job_id = sampler.run(_pubs(ledger, number, circuits, rows)).job_id()
    ledger.note(number, id=job_id, state="submitted")


def wait(job: Any, ledger: Ledger, number: int, shown: JobBar, seconds: float = POLL_SECONDS) -> None:
    """Wait until a job has ended well.

    Raises:
        UserError: It failed or was cancelled; with its message and how to go on.
    """
    before = None
    while True:
        status = job.status()
        name = status if isinstance(status, str) else status.name  # an enum on simulated jobs
        if name != before:
            shown.passing(f"job {job.job_id()}: {name.lower()}")
            before = name
        shown.waits(job, name)
        if name == "DONE":
            return
        if name in FAILED:
            ledger.note(number, id=None, state=name.lower())
            message, took_too_long = _failure(job) if name != "CANCELLED" else ("", False)
            ended = f"job {job.job_id()} ended as {name.lower()}{f' ({message})' if message else ''}"
            if took_too_long:
                raise UserError(f"{ended}; it would again, so start a new device run with fewer --job-rows or --shots.")
            raise UserError(f"{ended}; submit it again with {resuming(ledger)}.")
        time.sleep(seconds)


def _failure(job: Any) -> tuple[str, bool]:
    """Return why a job failed, on one line, and whether that was its limit of time, which has a class of its own."""
    from qiskit_ibm_runtime.exceptions import RuntimeJobMaxTimeoutError

    try:
        job.result()
    except RuntimeJobMaxTimeoutError as error:
        return error.message.rstrip("."), True
    except Exception as error:
        pass_on_interrupt(error)
    lines = [line.strip() for line in (job.error_message() or "").splitlines() if line.strip()]
    told = lines[1:] or lines  # the client's first line says which job it was
    if told and told[0].startswith("Traceback"):  # of the service's own program
        told = told[-1:]
    return (told[0].rstrip(".") if told else ""), False


def cancel_jobs(ledger: Ledger, client: Any) -> int:
    """Cancel the submitted jobs that have no result; return how many."""
    waiting = [number for number in ledger.missing() if ledger.record["jobs"][number]["id"]]
    for number in waiting:
        with answers():
            client.job(ledger.record["jobs"][number]["id"]).cancel()
        ledger.note(number, id=None, state="cancelled")
    return len(waiting)


def collected(ledger: Ledger, members: np.ndarray, shift: np.ndarray | None = None) -> list[np.ndarray]:
    """Return each circuit's expectations for all rows, shape (rows, observables); a row of several jobs is averaged.

    Args:
        ledger: Finished.
        members: 1 where a qubit belongs to an observable, shape (width, observables).
        shift: Of each qubit's readout; what is returned are then the `moments` around it, twice as many columns.
    """
    columns = members.shape[1] * (1 if shift is None else 2)
    weights = [row_shots(ledger, circuit) for circuit in range(circuit_count(ledger.record))]
    totals = [np.zeros((len(by_row), columns)) for by_row in weights]
    for number, entry in enumerate(ledger.record["jobs"]):
        for circuit, packed in enumerate(ledger.packed(number)):
            bits = BitArray(packed, len(members))
            values = expectations(bits, members) if shift is None else moments(bits, members, shift)
            totals[circuit][entry["rows"]] += values * ledger.shots(number, circuit)
    return [total / by_row[:, np.newaxis] for total, by_row in zip(totals, weights, strict=True)]


def row_shots(ledger: Ledger, circuit: int = 0) -> np.ndarray:
    """Return how often each row was measured with a circuit, over all jobs that hold it, shape (rows,)."""
    totals = np.zeros(len(ledger.values()["rows"]), int)
    for number, entry in enumerate(ledger.record["jobs"]):
        totals[entry["rows"]] += ledger.shots(number, circuit)
    return totals
