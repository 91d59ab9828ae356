"""From bit strings of a device to expectation values, by bit arithmetic.

Qiskit packs the classical bits of a shot into bytes, the last byte's lowest bit being clbit 0. Clbit i holds qubit i of
the head here, so the order of the bits is turned in `bits` and nowhere else.
"""

from typing import Any

import numpy as np

CHUNK = 2**25  # unpacked bits at a time


def bits(packed: np.ndarray, width: int) -> np.ndarray:
    """Return each shot's bits, qubit 0 first.

    Args:
        packed: uint8, shape (..., shots, bytes), as `BitArray.array`.
        width: Number of clbits.

    Returns:
        uint8, shape (..., shots, width).
    """
    return np.unpackbits(packed, axis=-1)[..., ::-1][..., :width]


def expectations(measured: Any, members: np.ndarray) -> np.ndarray:
    """Return the mean of each product of Z over the shots of each row, shape (rows, observables).

    Args:
        measured: Qiskit's `BitArray` of shape (rows,).
        members: 1 where a qubit belongs to an observable, shape (width, observables).
    """
    rows, shots, _ = measured.array.shape
    at_once = max(1, CHUNK // (shots * measured.num_bits))
    found = []
    for start in range(0, rows, at_once):
        ones = bits(measured.array[start : start + at_once], measured.num_bits).astype(np.float32) @ members
        found.append(1 - 2 * np.mean(ones % 2, axis=1))
    return np.concatenate(found)
