"""Prepares a trained head for a device: translation, layout, limits of a job, and an estimate of the device time."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from qiskit import QuantumCircuit

from qssl_tf.compiler.compile import READ, Compiled, compile_head
from qssl_tf.compiler.translate import to_qiskit
from qssl_tf.device.backends import Device
from qssl_tf.device.counts import expectations
from qssl_tf.device.mitigation import affine_fit
from qssl_tf.device.options import CALIBRATION_ROWS
from qssl_tf.errors import UserError
from qssl_tf.quantum.spec import CircuitSpec

BEST_LAYOUTS, SCORE_SHOTS = 3, 1024  # layouts of equal estimated success differ: the best few are tried with noise
LAYOUT_STREAM = 1  # jobs are simulated with the seeds from 1,000 times a run's seed on: 0 of seed 0
SHOT_SECONDS, JOB_SECONDS = 250e-6, 5.0  # a shot with its reset, as IBM's devices repeat them; a job's own overhead
MAX_EXECUTIONS = 10_000_000  # of a job on IBM Quantum
LOCAL_ROWS = 150  # of a simulated job, so that little is lost when it is killed


def translated(spec: CircuitSpec, weights: np.ndarray) -> QuantumCircuit:
    """Return the head's circuit in Qiskit, its weights bound and its data as parameters, in the measured basis.

    A measurement between layers is one there too; see `to_qiskit`.
    """
    return to_qiskit(spec.bind(weights), spec.qubits)[0]


def compiled_for(
    device: Device, circuit: QuantumCircuit, names: list[str], rows: np.ndarray, exact: np.ndarray,
    members: np.ndarray, seed: int, report: Callable[[str], None],
) -> Compiled:  # fmt: skip
    """Return the circuit compiled for a device; on noisy ones the best few layouts are tried on calibration rows.

    Args:
        device: Where it will run.
        circuit: From `translated`.
        names: The parameters in the order of the rows' columns.
        rows: Calibration rows, shape (m, parameters).
        exact: Their exact expectations, shape (m, observables).
        members: 1 where a qubit belongs to an observable, shape (width, observables).
        seed: Of transpiler and simulation.
        report: Called with one line.
    """
    candidates = compile_head(circuit, device.backend, seed)
    if not device.is_local or not device.is_noisy:
        return candidates[0]
    fewest = min(candidate.active for candidate in candidates)
    different: list[Compiled] = []
    for candidate in candidates:
        is_known = any(set(candidate.layout) == set(other.layout) for other in different)
        if candidate.active == fewest and not is_known:  # each qubit more costs four times
            different.append(candidate)
    different = different[:BEST_LAYOUTS]
    if len(different) == 1:
        return different[0]
    scores: list[float] = []
    for candidate in different:
        trial = (candidate.circuit, {tuple(names): rows}, SCORE_SHOTS)
        result = device.simulated([trial], layout_seed(seed))
        measured = expectations(result[0].data[READ], members)
        slope, offset = affine_fit(measured, exact, SCORE_SHOTS)
        scores.append(float(np.sqrt(np.mean((slope * measured + offset - exact) ** 2))))
    report(f"tried {len(scores)} layouts with simulated noise: rms error {', '.join(f'{e:.4f}' for e in scores)}")
    return different[int(np.argmin(scores))]


def layout_seed(seed: int) -> int:
    """Return the simulator's seed for the trials of layouts, whose noise is not that of the rows measured later."""
    return int(np.random.SeedSequence([seed, LAYOUT_STREAM]).generate_state(1)[0]) >> 1  # Aer's has 31 bits


def quantum_seconds(jobs: list[list[int]], circuits: int, shots: int) -> float:
    """Return about how long a real device is busy."""
    return sum(len(rows) for rows in jobs) * circuits * shots * SHOT_SECONDS + JOB_SECONDS * len(jobs)


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
    group = max(64, math.ceil(shots / 32)) if "twirling" in suppression else 1
    return math.ceil(shots / group) * group
