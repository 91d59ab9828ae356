"""VICTIMS: commands that faults.py kills, how each goes on, and what must come out however often it was killed."""

import csv
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from qssl_tf.device.ledger import Ledger
from qssl_tf.errors import UserError
from qssl_tf.evaluation.probe_files import read_probe
from qssl_tf.training.checkpoints import CHECKSUM_KEY
from qssl_tf.training.history import read_history
from qssl_tf.training.runs import open_run
from qssl_tf.training.verify import damaged_files

ROOT = Path(__file__).resolve().parents[1]
Command = list[str]
# Every step is kept, so that many moments fall into writing.
TRAINING = [
    "--width", "3", "--layers", "1", "--steps", "40", "--batch-size", "64", "--checkpoint-every", "1",
    "--shots", "20", "--gradient", "parameter_shift", "--probe-epochs", "30",
]  # fmt: skip
TRIALS = [
    "--head", "identity", "--steps", "24", "--batch-size", "128", "--probe-epochs", "3", "--checkpoint-every", "4",
    "--vary", "width=3,4", "--trials", "2",
]  # fmt: skip
# Workers add in another order than one process: at this rate the difference stays in the last digits.
SHARED = [
    "--width", "3", "--layers", "1", "--steps", "20", "--batch-size", "64", "--checkpoint-every", "2",
    "--learning-rate", "2e-5",
]  # fmt: skip


@dataclass(frozen=True)
class Victim:
    """A command that is killed.

    Attributes:
        prepare: Makes what the command needs, in a new folder.
        first: The folder's first commands; several are workers of one run.
        again: The commands after a kill.
        result: What came out, wall times aside.
        problems: One sentence for each thing in the folder that is damaged; after every kill there must be none.
        same: Whether two results are the same.
    """

    prepare: Callable[[Path], None]
    first: Callable[[Path], list[Command]]
    again: Callable[[Path], list[Command]]
    result: Callable[[Path], Any]
    problems: Callable[[Path], Iterator[str]]
    same: Callable[[Any, Any], bool] = lambda a, b: a == b


def script(*words: object) -> Command:
    """Return the command line of a script of the project."""
    return [sys.executable, *map(str, words)]


def nothing(folder: Path) -> None:
    """Prepare nothing."""
    folder.mkdir(parents=True)


def untimed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows without their wall times."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def run_problems(folder: Path) -> Iterator[str]:
    """Yield what is damaged in the run `run` of a folder, if it is there."""
    if (folder / "run").exists():
        try:
            yield from damaged_files(open_run(folder / "run"))
        except UserError as error:
            yield str(error)


# Pretraining


def pretrain(folder: Path) -> list[Command]:
    """Train a run with shots."""
    return [script("trainers/pretrain.py", "--runs-dir", folder, "--name", "run", *TRAINING)]


def pretrain_again(folder: Path) -> list[Command]:
    """Go on, or begin where nothing was begun."""
    begun = (folder / "run").exists()
    return [script("trainers/pretrain.py", "--resume", folder / "run")] if begun else pretrain(folder)


def trained(folder: Path) -> Any:
    """Return the steps, the states' geometry, and the checksums of all kept weights."""
    run = open_run(folder / "run")
    checksums = []
    for step in run.checkpoint_steps():
        with h5py.File(run.checkpoint(step)) as file:
            checksums.append(file.attrs[CHECKSUM_KEY])
    return untimed(read_history(run.history)), (run.folder / "geometry.csv").read_text(), checksums


# Probing and device runs begin with a run that is trained, and probed by fewer epochs.


def trained_and_probed(folder: Path) -> None:
    """Train and probe a run, once for all folders beside each other."""
    origin = folder.parent / "trained"
    if not origin.exists():
        nothing(origin)
        for (command,) in (pretrain(origin), probe(origin, "--probe-epochs", "4")):
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    shutil.copytree(origin, folder, symlinks=True)


def probe(folder: Path, *more: str) -> list[Command]:
    """Probe the untrained network and the last weights."""
    return [script("trainers/linear_eval.py", "--run", folder / "run", *more)]


def probed(folder: Path) -> Any:
    """Return the probe's result."""
    values = read_probe(folder / "run" / "probe.json")
    return untimed(values.pop("checkpoints")), untimed([values])


def probe_problems(folder: Path) -> Iterator[str]:
    """Yield what is damaged, and where no probe's result is there any more."""
    yield from run_problems(folder)
    try:
        read_probe(folder / "run" / "probe.json")
    except UserError as error:
        yield str(error)


def device(folder: Path) -> list[Command]:
    """Run a head on a snapshot, in several jobs."""
    flags = ["--backend", "fake_manila", "--shots", "200", "--images", "200", "--job-rows", "60"]
    return [script("-m", "qssl_tf.ibmq_infer", "--run", folder / "run", *flags)]


def device_again(folder: Path) -> list[Command]:
    """Go on, or begin where nothing was begun."""
    begun = any((folder / "run" / "ibmq").glob("*/record.json"))
    return [[*device(folder)[0][:5], "--resume"]] if begun else device(folder)


def inferred(folder: Path) -> Any:
    """Return the device's result without the tags of its jobs."""
    values = json.loads((folder / "run" / "ibmq" / "latest" / "result.json").read_text())
    return {key: value for key, value in values.items() if key not in ("seconds", "jobs")}


def device_problems(folder: Path) -> Iterator[str]:
    """Yield what is damaged in the device runs of a folder."""
    yield from run_problems(folder)
    for path in (folder / "run" / "ibmq").glob("[!.]*"):
        try:
            ledger = Ledger.open(path)
            ledger.circuits()
            for number in set(range(len(ledger.record["jobs"]))) - set(ledger.missing()):
                ledger.packed(number)
        except UserError as error:
            yield str(error)


# Searching


def search(folder: Path) -> list[Command]:
    """Search with two trials."""
    return [script("tuning/search.py", "--searches-dir", folder, "--name", "run", *TRIALS)]


def search_again(folder: Path) -> list[Command]:
    """Go on, or begin where nothing was begun."""
    begun = (folder / "run").exists()
    return [script("tuning/search.py", "--resume", folder / "run")] if begun else search(folder)


def searched(folder: Path) -> Any:
    """Return the table of trials and the best settings."""
    with open(folder / "run" / "trials.csv", newline="") as file:
        return untimed(list(csv.DictReader(file))), (folder / "run" / "best.json").read_text()


def search_problems(folder: Path) -> Iterator[str]:
    """Yield what is damaged in the trials."""
    for path in (folder / "run" / "trials").glob("[!.]*/config.json"):
        yield from damaged_files(open_run(path.parent))


# Several workers


def workers(folder: Path) -> list[Command]:
    """Train a run with two processes."""
    flags = ["--runs-dir", folder, "--name", "run", *SHARED]
    return [script("trainers/pretrain.py", *flags, *place) for place in places()]


def workers_again(folder: Path) -> list[Command]:
    """Go on with two processes, or begin where nothing was begun."""
    if not (folder / "run").exists():
        return workers(folder)
    return [script("trainers/pretrain.py", "--resume", folder / "run", *place) for place in places()]


def places() -> list[list[str]]:
    """Return the flags of two workers on free ports."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = ",".join(f"127.0.0.1:{each.getsockname()[1]}" for each in held)
    for each in held:
        each.close()
    common = ["--strategy", "multi_worker", "--workers", addresses, "--worker-number"]
    return [[*common, "0"], [*common, "1"]]


def shared(folder: Path) -> Any:
    """Return losses and the last weights."""
    run = open_run(folder / "run")
    found: list[np.ndarray] = [np.array([float(row["loss"]) for row in read_history(run.history)])]
    with h5py.File(run.checkpoint(max(run.checkpoint_steps()))) as file:
        file.visititems(lambda name, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return found


def close(a: Any, b: Any) -> bool:
    """Return whether losses and weights differ by less than 1e-4."""
    return len(a) == len(b) and all(
        x.shape == y.shape and np.allclose(x, y, atol=1e-4) for x, y in zip(a, b, strict=True)
    )


VICTIMS: dict[str, Victim] = {
    "pretraining": Victim(nothing, pretrain, pretrain_again, trained, run_problems),
    "probing": Victim(trained_and_probed, probe, probe, probed, probe_problems),
    "searching": Victim(nothing, search, search_again, searched, search_problems),
    "device run": Victim(trained_and_probed, device, device_again, inferred, device_problems),
    "one of two workers": Victim(nothing, workers, workers_again, shared, run_problems, close),
}
