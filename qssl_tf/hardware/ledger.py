"""The record of a device run: written before anything else can fail, so that no job and no result is ever lost.

A folder holds `record.json` (settings and one entry a job), `circuit.qpy` (the compiled circuits), `values.npz` (what
is run) and `job-NNN.npz` (what came back, packed bits as they came).
"""

import hashlib
import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, qpy

from qssl_tf.errors import UserError
from qssl_tf.files import replacing, write_json


@dataclass
class Ledger:
    """One device run's folder and its record."""

    folder: Path
    record: dict[str, Any]

    @classmethod
    def create(cls, folder: Path, settings: dict, circuits: list[QuantumCircuit], values: dict, jobs: list) -> "Ledger":
        """Write a new folder.

        Args:
            folder: The new folder.
            settings: Plain values that describe the run.
            circuits: Compiled; each job runs all of them on its rows.
            values: Arrays; `rows`, shape (n, parameters), are the values of the circuits' parameters by name.
            jobs: Row numbers of each job.
        """
        folder.mkdir(parents=True)
        with replacing(folder / "circuit.qpy") as temporary, open(temporary, "wb") as file:
            qpy.dump(circuits, file)
        with replacing(folder / "values.npz") as temporary, open(temporary, "wb") as file:
            np.savez(file, **values)
        order = sorted(parameter.name for parameter in circuits[0].parameters)
        entries = [{"rows": rows, "tag": _fresh_tag(), "id": None, "state": "planned"} for rows in jobs]
        record = settings | {
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "parameters": order,
            "checksum": checksum(values["rows"]),
            "jobs": entries,
        }
        ledger = cls(folder, record)
        ledger.save()
        return ledger

    def again(self) -> "Ledger":
        """Return the same device run as its folder has it now."""
        return Ledger.open(self.folder)

    @classmethod
    def open(cls, folder: Path) -> "Ledger":
        """Read a folder and check that its values are those that were recorded.

        Raises:
            UserError: It is missing or damaged.
        """
        try:
            record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
            ledger = cls(folder, record)
            damaged = checksum(ledger.values()["rows"]) != record["checksum"]
        except FileNotFoundError:
            raise UserError(f"{folder} holds no device run; --status lists those of a run.") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"device run {folder} cannot be read ({error}); start a new one.") from None
        if damaged:
            raise UserError(f"{folder / 'values.npz'} is not what its record says; start a new device run.")
        return ledger

    def save(self) -> None:
        """Write the record."""
        write_json(self.folder / "record.json", self.record)

    def note(self, number: int, **entries: Any) -> None:
        """Change the entry of one job and write the record."""
        self.record["jobs"][number] |= entries
        self.save()

    def values(self) -> dict[str, np.ndarray]:
        """Return the arrays the run was made with."""
        with np.load(self.folder / "values.npz", allow_pickle=False) as stored:
            return dict(stored)

    def circuits(self) -> list[QuantumCircuit]:
        """Return the compiled circuits."""
        with open(self.folder / "circuit.qpy", "rb") as file:
            return qpy.load(file)

    def path(self, number: int) -> Path:
        """Return where the result of a job is kept."""
        return self.folder / f"job-{number:03d}.npz"

    def keep(self, number: int, packed: list[np.ndarray]) -> None:
        """Store the packed bits of a job, one array for each circuit."""
        with replacing(self.path(number)) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **{f"circuit_{place}": array for place, array in enumerate(packed)})
        self.note(number, state="done")

    def packed(self, number: int) -> list[np.ndarray]:
        """Return the packed bits of a job."""
        with np.load(self.path(number), allow_pickle=False) as stored:
            return [stored[f"circuit_{place}"] for place in range(len(stored.files))]

    def missing(self) -> list[int]:
        """Return the numbers of the jobs without a result."""
        return [number for number in range(len(self.record["jobs"])) if not self.path(number).exists()]


def _fresh_tag() -> str:
    return f"qssl-{uuid.uuid4().hex[:12]}"


def checksum(values: np.ndarray) -> str:
    """Return the SHA-256 of an array's shape and numbers."""
    return hashlib.sha256(str(values.shape).encode() + np.ascontiguousarray(values).tobytes()).hexdigest()


def planned(rows: int, calibration: int, at_most: int, each: bool) -> list[list[int]]:
    """Return the row numbers of each job: calibration rows come first, in the first job or in each.

    Args:
        rows: All rows; the first `calibration` of them calibrate.
        calibration: How many.
        at_most: Rows that a job may hold.
        each: Calibrate each job, since a device drifts between them; a simulator does not.
    """
    if at_most <= calibration:
        raise UserError(f"a job must hold more than the {calibration} calibration rows; its limits leave {at_most}.")
    first = list(range(calibration))
    jobs: list[list[int]] = []
    wanted = list(range(calibration, rows))
    while wanted or not jobs:
        front = first if each or not jobs else []
        room = at_most - len(front)
        jobs.append(front + wanted[:room])
        wanted = wanted[room:]
    return jobs
