"""The record of a device run, written before anything is submitted, so that no job and no result is ever lost.

A folder holds `record.json` (settings and one entry a job), `circuit.qpy` (the compiled circuits), `values.npz` (what
is run) and `job-NNN.npz` (what came back, packed bits as they came).
"""

import hashlib
import math
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, qpy

from qssl_tf.commands import command
from qssl_tf.device.options import CALIBRATION_ROWS
from qssl_tf.device.records import check_circuits, check_record, check_rows, check_values, circuit_count
from qssl_tf.errors import UserError, reason
from qssl_tf.files.read import open_regular, read_arrays, read_json
from qssl_tf.files.write import making, npz, replacing, write_json

MAX_CIRCUITS = 1 << 28  # bytes
MAX_COUNTS = 1 << 32  # bytes of one job's bits
SAFE_QPY = 13  # older formats could hold a pickle (CVE-2025-2000)


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
        order = sorted(parameter.name for parameter in circuits[0].parameters)
        entries = [{"rows": rows, "tag": _fresh_tag(), "id": None, "state": "planned"} for rows in jobs]
        record = settings | {
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "parameters": order,
            "checksum": checksum(values["rows"]),
            "jobs": entries,
        }
        with making(folder) as begun:
            with replacing(begun / "circuit.qpy") as temporary, open(temporary, "wb") as file:
                qpy.dump(circuits, file)
            (begun / "values.npz").write_bytes(npz(values))
            cls(begun, record).save()
        return cls(folder, record)

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
            record = read_json(folder / "record.json")
            check_record(record)
            ledger = cls(folder, record)
            stored = ledger.values()
            check_values(record, stored)
            damaged = checksum(stored["rows"]) != record["checksum"]
            check_rows(record, len(stored["rows"]))
        except FileNotFoundError:
            raise UserError(
                f"{folder} holds no device run; `{command('device', '--status')}` lists those of a run."
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"device run {folder} cannot be read ({reason(error)}); start a new one.") from None
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
        return read_arrays(self.folder / "values.npz")

    def circuits(self) -> list[QuantumCircuit]:
        """Return the compiled circuits.

        Raises:
            UserError: The file is damaged, or of a format that could hold code.
        """
        path = self.folder / "circuit.qpy"
        try:
            with open_regular(path, MAX_CIRCUITS) as file:
                magic, version = file.read(6), file.read(1)
                if magic != b"QISKIT" or not version or version[0] < SAFE_QPY:
                    raise ValueError("it is no QPY file of this program")
                file.seek(0)
                circuits = qpy.load(file)
            check_circuits(self.record, circuits)
            return circuits
        except OSError:
            raise
        except Exception as error:  # a damaged file can raise anything from Qiskit
            raise UserError(f"{path} is damaged ({reason(error)}); start a new device run.") from None

    def path(self, number: int) -> Path:
        """Return where the result of a job is kept."""
        return self.folder / f"job-{number:03d}.npz"

    def keep(self, number: int, packed: list[np.ndarray]) -> None:
        """Store the packed bits of a job, one array for each circuit, of as many shots as came back for each."""
        first, *others = (array.shape[1] for array in packed)
        counted: dict[str, Any] = {"shots": first}
        if any(count != first for count in others):
            counted["circuit_shots"] = [first, *others]
        self.note(number, **counted)  # first, so that no result lies here without its number
        arrays = {f"circuit_{place}": array for place, array in enumerate(packed)}
        with replacing(self.path(number)) as temporary:
            temporary.write_bytes(npz(arrays, compressed=True))
        self.note(number, state="done")

    def shots(self, number: int, circuit: int = 0) -> int:
        """Return how often a job measured each row with a circuit: twirling rounds the number up that was asked for."""
        entry = self.record["jobs"][number]
        return entry["circuit_shots"][circuit] if "circuit_shots" in entry else entry.get("shots", self.asked)

    @property
    def asked(self) -> int:
        """Number of shots that each job is asked for."""
        return self.record["shots"]

    @property
    def calibration(self) -> int:
        """Number of rows that calibrate; they come first."""
        return self.record.get("calibration", CALIBRATION_ROWS)

    def packed(self, number: int) -> list[np.ndarray]:
        """Return the packed bits of a job, shape (rows, shots, bytes) for each circuit.

        Raises:
            UserError: The file is damaged.
        """
        path, rows = self.path(number), len(self.record["jobs"][number]["rows"])
        width = (len(self.record["layout"]) + 7) // 8  # bytes a shot
        try:
            right = [(rows, self.shots(number, place), width) for place in range(circuit_count(self.record))]
            size = sum(map(math.prod, right))
            stored = read_arrays(path, at_most=min(size, MAX_COUNTS))
            arrays = [stored[f"circuit_{place}"] for place in range(len(stored))]
            if [array.shape for array in arrays] != right or any(array.dtype != np.uint8 for array in arrays):
                raise ValueError(f"its arrays have the shapes {[array.shape for array in arrays]}, not {right}")
        except (ValueError, KeyError, IndexError) as error:
            raise UserError(
                f"{path} is damaged ({reason(error)}); move it away, "
                f"and `{command('device', '--resume', self.folder.name)}` runs that job again."
            ) from None
        return arrays

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
    queue = list(range(calibration, rows))
    while queue or not jobs:
        front = first if each or not jobs else []
        room = at_most - len(front)
        jobs.append(front + queue[:room])
        queue = queue[room:]
    return jobs
