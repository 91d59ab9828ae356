"""Schemas of a device run's files, checked on reading: the files may have been edited, or come from somebody else."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator
from qiskit import QuantumCircuit

from qssl_tf.compiler.compiled import READ
from qssl_tf.device.mitigation import MITIGATIONS
from qssl_tf.device.options import CALIBRATION_ROWS, GATES, MAX_SEED
from qssl_tf.device.suppression import SUPPRESSIONS
from qssl_tf.files.schema import (
    LARGEST,
    MAX_COUNT,
    Confusion,
    Count,
    Interval,
    Names,
    Percent,
    Positive,
    Rms,
    Schema,
    Seconds,
    Sha256,
    Word,
    check,
    check_confusion,
    check_finite_arrays,
)

MAX_SHOTS = 10_000_000  # as many as a job of IBM Quantum may run
MAX_ANGLE = 1e6  # radians
ROUNDING = 1e-4  # by which an exact expectation may be above 1
MAX_BITS = 1024  # qubits of a device that are read

Shots = Annotated[int, Field(ge=1, le=MAX_SHOTS)]
Contrast = Annotated[float, Field(ge=-1, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Qubits = Annotated[list[Count], Field(min_length=1, max_length=MAX_BITS)]


class Job(Schema):
    """One job of a device run."""

    rows: Annotated[list[Count], Field(min_length=1)]
    tag: Word
    id: Word | None
    state: Word
    shots: Shots = 1
    billed: Seconds | None = None
    circuit_shots: list[Shots] | None = None  # where a job's circuits came back with unequal numbers

    @model_validator(mode="after")
    def _different(self) -> "Job":
        if len(set(self.rows)) < len(self.rows):
            raise ValueError("its rows must be different ones")
        return self


class DeviceRecord(Schema):
    """`record.json` of a device run."""

    backend: Annotated[Word, Field(min_length=1)]
    instance: Word | None = None
    shots: Shots
    mitigation: Word
    suppression: list[Word] = []
    gates: Word = "standard"
    device_seconds: Seconds | None = None  # as estimated
    calibration: Annotated[int, Field(ge=1, le=CALIBRATION_ROWS)] = CALIBRATION_ROWS
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)]
    step: Count
    two_qubit_gates: Count
    depth: Count
    initial_layout: Qubits | None = None
    layout: Qubits  # on which each qubit of the head is read
    estimated_success: Share | None  # of noise without a calibration nobody can say it
    contrast: Annotated[list[Contrast], Field(min_length=1)]
    shift: list[Contrast] | None = None  # of device runs that knew both readout errors of a qubit as one, none
    class_names: Annotated[Names, Field(min_length=1)]
    seconds: Seconds
    created: Word | None = None
    versions: dict[Word, Word] | None = None
    parameters: list[Word]
    checksum: Sha256
    jobs: Annotated[list[Job], Field(min_length=1, max_length=MAX_COUNT)]

    @model_validator(mode="after")
    def _belongs_together(self) -> "DeviceRecord":
        if self.mitigation not in MITIGATIONS:
            raise ValueError(f"its mitigation must be one of {', '.join(MITIGATIONS)}; got {self.mitigation[:40]!r}")
        if self.gates not in GATES:
            raise ValueError(f"its gates must be one of {', '.join(GATES)}; got {self.gates[:40]!r}")
        if not set(self.suppression) <= set(SUPPRESSIONS):
            raise ValueError(f"its suppression must be of {', '.join(SUPPRESSIONS)}")
        circuits = circuit_count({"mitigation": self.mitigation})
        if any(job.circuit_shots is not None and len(job.circuit_shots) != circuits for job in self.jobs):
            raise ValueError(f"its circuit_shots must be {circuits} numbers, one for each circuit")
        if len(set(self.layout)) < len(self.layout) or len(set(self.parameters)) < len(self.parameters):
            raise ValueError("its layout and its parameters must name each but once")
        if len(self.contrast) != len(self.layout) or 0.0 in self.contrast:
            raise ValueError("its contrast must be a number other than 0 for each qubit of its layout")
        if self.shift is not None and len(self.shift) != len(self.layout):
            raise ValueError("its shift must be a number for each qubit of its layout")
        return self


class DeviceResult(Schema):
    """`result.json` of a device run and `device.json` of a study, of this version or an earlier one."""

    run: Word | None = None
    class_names: Names | None = None
    backend: Word
    images: Positive
    shots: Shots
    mitigation: Word
    two_qubit_gates: Count
    accuracy: Percent
    accuracy_exact: Percent
    rms_error: Rms
    balanced_accuracy: Percent | None = None
    balanced_accuracy_exact: Percent | None = None
    majority_share: Percent | None = None
    agreement: Percent | None = None
    accuracy_interval: Interval | None = None
    shots_asked: Shots | None = None
    calibration: Count | None = None
    jobs: list[Word] | None = None
    rms_error_raw: Rms | None = None
    rms_error_by_observable: list[Rms] | None = None
    standard_error: Annotated[float, Field(ge=0, le=1e9)] | None = None
    confusion: Confusion | None = None
    confusion_exact: Confusion | None = None
    depth: Count | None = None
    initial_layout: Qubits | None = None
    final_layout: Qubits | None = None
    estimated_success: Share | None = None
    step: Count | None = None
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = None
    seconds: Seconds | None = None
    device_seconds: Seconds | None = None
    device_seconds_billed: Seconds | None = None

    @model_validator(mode="after")
    def _of_its_classes(self) -> "DeviceResult":
        for counts in (self.confusion, self.confusion_exact):
            if counts is not None and self.class_names is not None:
                check_confusion(counts, self.class_names)
        return self


def check_record(record: Any) -> None:
    """Refuse what cannot be the record of a device run.

    Raises:
        ValueError: It names the key, and what stands there.
    """
    check(DeviceRecord, record)


def check_rows(record: dict[str, Any], count: int) -> None:
    """Refuse jobs that do not measure the `count` rows that are kept, each of them and no other.

    Raises:
        ValueError: It names the job, or what is left out.
    """
    measured: set[int] = set()
    for number, job in enumerate(record["jobs"]):
        if not all(0 <= row < count for row in job["rows"]):
            raise ValueError(f"its job {number} has rows outside of 0 to {count - 1}")
        measured.update(job["rows"])
    if len(measured) < count:
        raise ValueError(f"its jobs leave out {count - len(measured)} of {count} rows")


def check_values(record: dict[str, Any], stored: Mapping[str, np.ndarray]) -> None:
    """Refuse arrays of a device run that are not what its record speaks of.

    Raises:
        ValueError: It names the array.
    """
    if "rows" not in stored or stored["rows"].ndim != 2 or stored["rows"].shape[1] != len(record["parameters"]):
        raise ValueError(f"its rows must have {len(record['parameters'])} columns, one for each parameter")
    limits = {"rows": MAX_ANGLE, "exact": 1 + ROUNDING, "kernel": LARGEST, "bias": LARGEST}
    for name, at_most in limits.items():
        if name in stored:
            check_finite_arrays({name: stored[name]}, at_most)
    labels, classes = stored.get("labels"), len(record["class_names"])
    if labels is not None and (labels.dtype.kind not in "iu" or np.any((labels < 0) | (labels >= classes))):
        raise ValueError(f"its labels must be places of its {classes} classes")
    positions = stored.get("positions")
    if positions is not None and (
        positions.dtype.kind not in "iu" or labels is None or positions.shape != labels.shape or np.any(positions < 0)
    ):
        raise ValueError("its positions must be a place among the test images for each label")


def circuit_count(record: dict[str, Any]) -> int:
    """Return how many circuits each job of a device run runs: extrapolation needs one more."""
    return 2 if record["mitigation"] == "zne" else 1


def check_circuits(record: dict[str, Any], circuits: Any) -> None:
    """Refuse compiled circuits that are not what the record speaks of.

    Raises:
        ValueError: It says in what.
    """
    count = circuit_count(record)
    if len(circuits) != count or not all(isinstance(circuit, QuantumCircuit) for circuit in circuits):
        raise ValueError(f"it must hold {count} circuits for mitigation {record['mitigation']}; got {len(circuits)}")
    for circuit in circuits:
        registers = {register.name: register.size for register in circuit.cregs}
        if {parameter.name for parameter in circuit.parameters} != set(record["parameters"]):
            raise ValueError("its parameters are not those of the record")
        if registers.get(READ) != len(record["layout"]):
            raise ValueError(f"it must read {len(record['layout'])} qubits into the bits {READ!r}")
