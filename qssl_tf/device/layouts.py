"""Chooses how a head lies on a device: by its estimated success, and by simulation where the device is simulated."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from qiskit import QuantumCircuit

from qssl_tf.compiler.compile import compile_head
from qssl_tf.compiler.compiled import READ, Compiled
from qssl_tf.device.backends import Device
from qssl_tf.device.counts import expectations
from qssl_tf.device.mitigation import affine_fit
from qssl_tf.device.options import DEFAULT_SHOTS, DeviceOptions

BEST_LAYOUTS = 3  # layouts of equal estimated success differ: the best few are tried with noise
TRIAL_SHOTS = 8192  # enough that the shots of a trial hide no difference; their variance is taken out
LAYOUT_STREAM = 1  # jobs are simulated with the seeds from 1,000 times a run's seed on: 0 of seed 0


@dataclass(frozen=True)
class Calibration:
    """Rows whose exact expectations are known.

    Attributes:
        names: The circuit's parameters in the order of the rows' columns.
        rows: Angles in radians, shape (m, parameters).
        exact: Exact expectations, shape (m, observables).
        members: 1 where a qubit belongs to an observable, shape (width, observables).
    """

    names: list[str]
    rows: np.ndarray
    exact: np.ndarray
    members: np.ndarray


def compiled_for(
    device: Device, circuit: QuantumCircuit, calibration: Calibration, options: DeviceOptions, report: Callable
) -> Compiled:
    """Return the circuit compiled for a device; on noisy simulated ones the best few layouts are tried.

    Args:
        device: Where it will run.
        circuit: From `translate.translated`.
        calibration: Rows on which layouts are tried.
        options: Of the device run.
        report: Called with a line.
    """
    seconds = float("inf") if options.compile_seconds is None else options.compile_seconds
    # Fractional gates exclude gate twirling.
    gates = "standard" if device.gates == "best" and "gate_twirling" in options.suppression else device.gates
    candidates = compile_head(circuit, device.backend, options.seed, gates, seconds, report)
    if not device.is_local or not device.is_noisy:
        return candidates[0]
    different = _different(candidates)
    if len(different) == 1:
        return different[0]
    scores = [_expected_error(device, candidate, calibration, options) for candidate in different]
    report(f"tried {len(scores)} layouts with simulated noise: rms error {', '.join(f'{e:.4f}' for e in scores)}")
    return different[int(np.argmin(scores))]


def _different(candidates: list[Compiled]) -> list[Compiled]:
    """Return the best few layouts on different qubits, none on more than needed: each takes four times the time."""
    fewest = min(candidate.active for candidate in candidates)
    different: list[Compiled] = []
    for candidate in candidates:
        is_known = any(set(candidate.layout) == set(other.layout) for other in different)
        if candidate.active == fewest and not is_known:
            different.append(candidate)
    return different[:BEST_LAYOUTS]


def _expected_error(device: Device, compiled: Compiled, calibration: Calibration, options: DeviceOptions) -> float:
    """Return the rms error of affine mitigation that the shots asked for will leave, by a simulation with many more."""
    names, rows = compiled.values(calibration.names, calibration.rows)
    result = device.simulated([(compiled.circuit, {tuple(names): rows}, TRIAL_SHOTS)], layout_seed(options.seed))
    measured = expectations(result[0].data[READ], calibration.members)
    slope, offset = affine_fit(measured, calibration.exact, TRIAL_SHOTS)
    squares = (slope * measured + offset - calibration.exact) ** 2
    by_shots = slope**2 * (1 - measured**2)  # variance of a mitigated value from one shot
    return float(
        np.sqrt(
            max(0.0, np.mean(squares - by_shots / TRIAL_SHOTS)) + np.mean(by_shots) / (options.shots or DEFAULT_SHOTS)
        )
    )


def layout_seed(seed: int) -> int:
    """Return the simulator's seed for the trials of layouts, whose noise is not that of the rows measured later."""
    return int(np.random.SeedSequence([seed, LAYOUT_STREAM]).generate_state(1)[0]) >> 1  # Aer's has 31 bits
