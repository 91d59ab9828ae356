"""The device runs in a run folder: open one by its name, list them, resume or cancel one."""

from collections.abc import Sequence
from pathlib import Path

from qssl_tf.commands import argument, command
from qssl_tf.compiler.fractional import check_gates
from qssl_tf.device.backends import Device, device
from qssl_tf.device.jobs import cancel_jobs
from qssl_tf.device.ledger import Ledger
from qssl_tf.device.own_backend import begin_again, is_own
from qssl_tf.device.plan import say
from qssl_tf.device.results import billed
from qssl_tf.errors import UserError, counted
from qssl_tf.files.links import LATEST, pointed

RESULT = "result.json"


def chosen(folder: Path, name: str) -> Ledger:
    """Open the device run called `name`, or the newest that is unfinished and can go on.

    Raises:
        UserError: There is none.
    """
    if name:
        return named(folder, name)
    paths = records(folder)
    if not paths:
        raise UserError(f"{folder} holds no device run; start one without {argument('resume')}.")
    for path in _newest_first(folder, paths):
        if not (path.parent / RESULT).exists():
            ledger = Ledger.open(path.parent)
            if not (is_own(ledger.record["backend"]) and ledger.missing()):
                return ledger
    raise UserError(
        f"{folder} holds no device run that is unfinished and can go on; `{command('device', '--status')}` lists all, "
        f"and {argument('resume')} with a name takes any."
    )


def _newest_first(folder: Path, paths: Sequence[Path]) -> list[Path]:
    """Return records by their last change, but first that of the newest device run, where `latest` says which it is."""
    newest = pointed(folder) if (folder / LATEST).is_dir() else None  # runs of older versions have no such link
    return sorted(paths, key=lambda path: (path.parent == newest, path.stat().st_mtime), reverse=True)


def named(folder: Path, name: str) -> Ledger:
    """Open the device run called `name`.

    Raises:
        UserError: The name is that of another place, or the device run is missing or damaged.
    """
    if name != Path(name).name or name in (".", "..", LATEST):
        raise UserError(f"a device run is named as `{command('device', '--status')}` lists it; got {name!r:.80}.")
    return Ledger.open(folder / name)


def records(folder: Path) -> list[Path]:
    """Return the records of a run's device runs, by name."""
    return sorted(path for path in folder.glob("*/record.json") if path.parent.name != LATEST)


def reopened(ledger: Ledger) -> tuple[Device, bool]:
    """Return the device of another process's run, and whether going on submits jobs that cost something."""
    missing = ledger.missing()
    say(f"{ledger.folder}: {len(missing)} of {len(ledger.record['jobs'])} jobs left on {ledger.record['backend']}")
    name = ledger.record["backend"]
    # With all counts kept, nothing is left for a backend to do.
    target = (
        Device(name, None, True)
        if is_own(name) and not missing
        else device(name, ledger.record.get("gates", "standard"))
    )
    if missing:
        for circuit in ledger.circuits():
            check_gates(circuit, target.backend, name)
    return target, not target.is_local and any(ledger.record["jobs"][number]["id"] is None for number in missing)


def show_status(folder: Path) -> None:
    """Print each device run with its jobs."""
    paths = records(folder)
    if not paths:
        say(f"{folder} holds no device run")
    for path in paths:
        ledger = Ledger.open(path.parent)
        say(f"{path.parent.name}: {_progress(ledger)}")
        for number, entry in enumerate(ledger.record["jobs"]):
            price = f", billed {entry['billed']:.0f} s" if entry.get("billed") else ""
            say(f"  job {number}: {entry['id'] or '-'}, {entry['state']}, {counted(len(entry['rows']), 'row')}{price}")
        if (seconds := billed(ledger.record)) is not None and ledger.record.get("device_seconds"):
            say(f"  device time: billed {seconds:.0f} s, estimated {ledger.record['device_seconds']:.0f} s")


def _progress(ledger: Ledger) -> str:
    """Return how far a device run has come, and what goes on with it."""
    jobs, missing, name = ledger.record["jobs"], ledger.missing(), ledger.record["backend"]
    done = f"{len(jobs) - len(missing)}/{len(jobs)} jobs done"
    if (ledger.folder / RESULT).exists():
        return f"{done}; result written"
    if is_own(name) and missing:
        return f"{done}; {begin_again(name)}"
    if all(entry["state"] == "planned" for entry in jobs):
        done += f", none begun, as after {argument('dry_run')}"
    return f"{done}; {argument('resume', ledger.folder.name)}"


def cancel(folder: Path, name: str) -> None:
    """Cancel the waiting jobs of the device run called `name`."""
    ledger = named(folder, name)
    if is_own(ledger.record["backend"]) or device(ledger.record["backend"]).is_local:
        raise UserError(f"{name} runs on this machine, where Ctrl-C stops it; only real jobs are cancelled.")
    from qssl_tf.device.service import service

    say(f"{counted(cancel_jobs(ledger, service()), 'job')} cancelled")
