"""MITIGATIONS: estimates of the exact expectations from the measured ones, with their standard errors.

Each takes the measured expectations z (rows, observables) and their calibration, and returns the estimates and their
standard errors, both of the shape of z.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

TINY = 1e-12  # a spread of nothing but rounding


@dataclass(frozen=True)
class Products:
    """Products of readouts over the shots, from each of which the shift of its qubit was taken.

    Attributes:
        means: Shape (n, observables).
        squares: Their mean squares, same shape; 1 without a shift.
    """

    means: np.ndarray
    squares: np.ndarray | float = 1.0


@dataclass(frozen=True)
class Measured:
    """Expectations from one device run.

    Attributes:
        rows: The rows that are wanted, shape (n, observables).
        calibration: Rows whose exact values are known, shape (m, observables).
        exact: Those values, shape (m, observables).
        contrast: 1 - 2 (readout error) of each observable's qubits, multiplied, shape (observables,).
        shots: Measurements of each row, each of which gives 1 or -1 for an observable.
        amplified: The wanted rows with all two-qubit gates three times, for extrapolation; else None.
        calibration_shots: Measurements of each calibration row, which several jobs repeat; None where it is `shots`.
        amplified_shots: Measurements of each amplified row; None where it is `shots`.
        apart: The wanted rows without the shift between both readout errors; None where none is known.
        amplified_apart: The same of the amplified rows.
    """

    rows: np.ndarray
    calibration: np.ndarray
    exact: np.ndarray
    contrast: np.ndarray
    shots: int
    amplified: np.ndarray | None = None
    calibration_shots: int | None = None
    amplified_shots: int | None = None
    apart: Products | None = None
    amplified_apart: Products | None = None

    def calibration_noise(self) -> np.ndarray:
        """Return the variance that the shots give each calibration value."""
        return _shot_noise(self.calibration, self.calibration_shots or self.shots)


Estimates = tuple[np.ndarray, np.ndarray]


def none(measured: Measured) -> Estimates:
    """Return the rows as they are."""
    return measured.rows, np.sqrt(_variance(measured.rows, measured.shots))


def readout(measured: Measured) -> Estimates:
    """Undo independent readout errors g of 0 and l of 1: without its shift l - g, a readout shrinks by 1 - g - l."""
    seen = measured.apart or Products(measured.rows)
    errors = np.sqrt(_variance(seen.means, measured.shots, seen.squares)) / measured.contrast
    return np.clip(seen.means / measured.contrast, -1, 1), errors


def zne(measured: Measured) -> Estimates:
    """Undo readout errors, then extrapolate linearly from gate noise times 1 and 3 to 0 (arXiv:1611.09301)."""
    assert measured.amplified is not None
    once, thrice = measured.apart or Products(measured.rows), measured.amplified_apart or Products(measured.amplified)
    estimates = (1.5 * once.means - 0.5 * thrice.means) / measured.contrast
    single = _variance(once.means, measured.shots, once.squares)
    triple = _variance(thrice.means, measured.amplified_shots or measured.shots, thrice.squares)
    return np.clip(estimates, -1, 1), np.sqrt(1.5**2 * single + 0.5**2 * triple) / measured.contrast


def affine(measured: Measured) -> Estimates:
    """Map each observable by the line z = a z' + b that the calibration rows show.

    The standard error has three parts: the shots of the row itself, the line's own uncertainty (the sandwich estimate
    of its estimating equations, which asks for no model of the residuals), and how far exact values scatter around the
    line beyond the shots of the calibration rows, where a device's error is no line.
    """
    calibrated = measured.calibration_shots or measured.shots
    slope, offset = affine_fit(measured.calibration, measured.exact, calibrated)
    count = len(measured.calibration)
    off_line = slope * measured.calibration + offset - measured.exact
    shots = slope**2 * _variance(measured.rows, measured.shots)
    free = max(1, count - 2)
    scatter = np.sum(off_line**2, axis=0) / free
    scatter -= slope**2 * np.mean(measured.calibration_noise(), axis=0)
    variance = shots + np.maximum(scatter, 0.0) + _line_variance(measured, slope, off_line) * count / free
    return np.clip(slope * measured.rows + offset, -1, 1), np.sqrt(variance)


def affine_fit(measured: np.ndarray, exact: np.ndarray, shots: int) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and offset of each observable's line from measured values, free of shot noise, to exact ones.

    A least-squares line through noisy measured values is too flat: their spread holds the variance of the shots, which
    is known and taken out here (errors in variables; Fuller, Measurement Error Models, 1987, section 1.2).

    Args:
        measured: Shape (m, observables).
        exact: Same shape.
        shots: Measurements behind each measured value.
    """
    centre, target = measured.mean(axis=0), exact.mean(axis=0)
    products = np.sum((measured - centre) * (exact - target), axis=0)
    return products / _spread(measured, shots), target - products / _spread(measured, shots) * centre


def _spread(measured: np.ndarray, shots: int) -> np.ndarray:
    """Return the sum of squares around the mean that the values would have without shot noise.

    Of m values with shot variance v the noise adds (m - 1) v. Taking out 2 v less makes the slope, a ratio, right to
    first order in 1/m: its mean is off by 1 + (4 - 2) v / spread from the terms of second order. What is left is at
    least one standard deviation of the noise's own sum of squares, sqrt(2 (m - 1)) v: below, nothing was seen.
    """
    noise, count = np.mean(_shot_noise(measured, shots), axis=0), len(measured)
    squares = np.sum((measured - measured.mean(axis=0)) ** 2, axis=0) - max(0, count - 3) * noise
    return np.maximum(squares, np.sqrt(2 * max(1, count - 1)) * noise + TINY)


def _line_variance(measured: Measured, slope: np.ndarray, off_line: np.ndarray) -> np.ndarray:
    """Return the variance of the line at each row: the sum of squares of what each calibration row did to it there."""
    centred = measured.calibration - measured.calibration.mean(axis=0)
    noise = max(0, len(centred) - 3) / len(centred) * measured.calibration_noise()
    spread = _spread(measured.calibration, measured.calibration_shots or measured.shots)
    on_slope = (slope * noise - centred * off_line) / spread
    on_mean = -off_line / len(centred)
    away = measured.rows - measured.calibration.mean(axis=0)
    mixed = np.sum(on_slope * on_mean, axis=0)
    return np.sum(on_mean**2, axis=0) + 2 * away * mixed + away**2 * np.sum(on_slope**2, axis=0)


def _shot_noise(means: np.ndarray, shots: int) -> np.ndarray:
    """Return the unbiased estimate of the variance of means of `shots` measurements of 1 or -1."""
    return (1 - means**2) / max(1, shots - 1)


def _variance(means: np.ndarray, shots: int, squares: np.ndarray | float = 1.0) -> np.ndarray:
    """Return the variance of such means for an interval: with two more measurements of either kind.

    Without them an interval around a mean near 1 is much too narrow (Agresti and Coull, Am. Stat. 52, 1998). `squares`
    is what the squares of single measurements are on average.
    """
    return (squares - (means * shots / (shots + 4)) ** 2) / shots


MITIGATIONS: dict[str, Callable[[Measured], Estimates]] = {
    "none": none,
    "readout": readout,
    "affine": affine,
    "zne": zne,
}
