"""MITIGATIONS: from what a device measured to an estimate of what it should have measured.

Each takes measured expectations z (rows, observables) and what was learnt beside them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Measured:
    """Expectations from one device run.

    Attributes:
        rows: The rows that are wanted, shape (n, observables).
        calibration: Rows whose exact values are known, shape (m, observables).
        exact: Those values, shape (m, observables).
        contrast: 1 - 2 (readout error) of each observable's qubits, multiplied, shape (observables,).
        amplified: The wanted rows with all two-qubit gates three times, for extrapolation; else None.
    """

    rows: np.ndarray
    calibration: np.ndarray
    exact: np.ndarray
    contrast: np.ndarray
    amplified: np.ndarray | None = None


def none(measured: Measured) -> np.ndarray:
    """Return the rows as they are."""
    return measured.rows


def readout(measured: Measured) -> np.ndarray:
    """Undo independent symmetric readout errors: a product of k qubits shrinks by the product of 1 - 2 p."""
    return np.clip(measured.rows / measured.contrast, -1, 1)


def zne(measured: Measured) -> np.ndarray:
    """Undo readout errors, then extrapolate linearly from gate noise times 1 and 3 to 0 (arXiv:1611.09301)."""
    assert measured.amplified is not None
    return np.clip((1.5 * measured.rows - 0.5 * measured.amplified) / measured.contrast, -1, 1)


def affine_fit(measured: np.ndarray, exact: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and offset of each observable's least-squares line from measured to exact values."""
    centre, target = measured.mean(axis=0), exact.mean(axis=0)
    spread = np.sum((measured - centre) ** 2, axis=0)
    slope = np.sum((measured - centre) * (exact - target), axis=0) / np.maximum(spread, 1e-12)
    return slope, target - slope * centre


def affine(measured: Measured) -> np.ndarray:
    """Map each observable by the line fitted on the calibration rows, z = a z' + b."""
    slope, offset = affine_fit(measured.calibration, measured.exact)
    return np.clip(slope * measured.rows + offset, -1, 1)


MITIGATIONS: dict[str, Callable[[Measured], np.ndarray]] = {
    "none": none,
    "readout": readout,
    "affine": affine,
    "zne": zne,
}


def standard_errors(method: str, measured: Measured, shots: int, resamples: int = 200, seed: int = 0) -> np.ndarray:
    """Return the standard error of each mitigated value, shape (n, observables), by bootstrap.

    Each resample draws the shots of every row anew from the measured means, and the calibration rows with replacement.

    Args:
        method: Key of MITIGATIONS.
        measured: The run.
        shots: Shots of each row.
        resamples: How many.
        seed: Of the draws.
    """
    rng, n = np.random.default_rng(seed), len(measured.calibration)

    def drawn(means: np.ndarray) -> np.ndarray:
        return 2 * rng.binomial(shots, np.clip((1 + means) / 2, 0, 1)) / shots - 1

    found = []
    for _ in range(resamples):
        chosen = rng.integers(n, size=n)
        again = Measured(
            drawn(measured.rows),
            drawn(measured.calibration[chosen]),
            measured.exact[chosen],
            measured.contrast,
            None if measured.amplified is None else drawn(measured.amplified),
        )
        found.append(MITIGATIONS[method](again))
    return np.std(found, axis=0, ddof=1)
