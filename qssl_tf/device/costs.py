"""What a device run costs: how many rows a job may hold, and how long a real device is busy with it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError

from qssl_tf.device.backends import Device
from qssl_tf.device.options import CALIBRATION_ROWS, JOB_SECONDS
from qssl_tf.device.suppression import is_twirled
from qssl_tf.errors import UserError

REPETITION_DELAY = 250e-6  # seconds between two shots, where a device does not say its own
MAX_EXECUTIONS = 10_000_000  # of a job on IBM Quantum
LOCAL_ROWS = 150  # of a simulated job, so that little is lost when it is killed


@dataclass(frozen=True)
class Cost:
    """What a real device asks for.

    Attributes:
        shot: Seconds for one shot of each circuit, the pause behind it included.
        job: Seconds for a job beside its shots.
    """

    shot: float
    job: float = JOB_SECONDS

    def seconds(self, rows: int, jobs: int, shots: int) -> float:
        """Return about how long a device is busy.

        Args:
            rows: Of all jobs, the calibration rows of each included.
            jobs: How many.
            shots: Of each row.
        """
        return rows * shots * self.shot + jobs * self.job


def cost_on(device: Device, circuits: Sequence[QuantumCircuit]) -> Cost:
    """Return what compiled circuits cost on a device, by its own pause between shots and the durations of its gates."""
    delay = getattr(device.backend, "default_rep_delay", None) or REPETITION_DELAY
    return Cost(sum(delay + _duration(circuit, device.backend.target) for circuit in circuits))


def _duration(circuit: QuantumCircuit, target: Any) -> float:
    """Return how long a circuit takes, in seconds; 0 where the device does not say how long its gates take."""
    try:
        return circuit.estimate_duration(target, unit="s")
    except QiskitError:
        return 0.0


def rows_a_job(device: Device, circuits: int, shots: int, suppression: Sequence[str] = ()) -> int:
    """Return how many rows a job may hold.

    Raises:
        UserError: So many shots that there is no room behind the calibration rows.
    """
    if device.is_local:
        return LOCAL_ROWS
    count = MAX_EXECUTIONS // (most_shots(shots, suppression) * circuits)
    if count <= CALIBRATION_ROWS:
        raise UserError(
            f"`shots` must be fewer on {device.name}, whose jobs run at most {MAX_EXECUTIONS:,} shots and begin with "
            f"{CALIBRATION_ROWS} calibration rows; got {shots:,}."
        )
    return count


def most_shots(shots: int, suppression: Sequence[str] = ()) -> int:
    """Return how many shots of each row a real device may run where `shots` are asked for.

    Twirling runs whole groups of equal random flips, of max(64, shots / 32) shots each (as Qiskit's runtime documents).
    """
    group = max(64, math.ceil(shots / 32)) if is_twirled(suppression) else 1
    return math.ceil(shots / group) * group
