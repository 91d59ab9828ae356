"""From bit strings of a device to expectation values.

Qiskit packs the classical bits of a shot into bytes, the last byte's lowest bit being clbit 0. Clbit i holds qubit i of
the head here, so the order of the bits is turned in `expectations` and nowhere else.
"""

import numpy as np
from qiskit.primitives import BitArray


def expectations(measured: BitArray, members: np.ndarray) -> np.ndarray:
    """Return the mean of each product of Z over the shots of each row, shape (rows, observables).

    Qiskit's own `BitArray.expectation_values` makes a dictionary of counts for each row and takes many times as long.

    Args:
        measured: Shape (rows,).
        members: 1 where a qubit belongs to an observable, shape (width, observables).
    """
    width = measured.num_bits
    padded = np.pad(members[::-1].astype(bool), ((-width % 8, 0), (0, 0)))
    masks = np.packbits(padded, axis=0).T  # (observables, bytes)
    ones = (BitArray(measured.array & mask, width).bitcount() for mask in masks)
    return np.stack([1 - 2 * np.mean(count % 2, axis=-1) for count in ones], axis=1)


def moments(measured: BitArray, members: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return mean and mean square of each product of Z - shift over the shots, shape (rows, 2 * observables).

    A readout that errs by g on 0 and by l on 1 turns the mean z of a qubit into (1 - g - l) z + (l - g). Without the
    shift l - g of each qubit, the mean of a product is the exact one times each 1 - g - l.

    Args:
        measured: Shape (rows,).
        members: 1 where a qubit belongs to an observable, shape (width, observables).
        shift: l - g of each qubit, shape (width,).
    """
    width = measured.num_bits
    bits = np.unpackbits(measured.array, axis=-1)[..., ::-1][..., :width]  # qubit 0 first
    found = []
    for support in members.T:
        product = np.ones(bits.shape[:-1])
        for qubit in np.flatnonzero(support):
            product *= np.array([1.0, -1.0])[bits[..., qubit]] - shift[qubit]
        found.append((product.mean(axis=-1), np.mean(product**2, axis=-1)))
    means, squares = zip(*found, strict=True)
    return np.stack([*means, *squares], axis=1)
