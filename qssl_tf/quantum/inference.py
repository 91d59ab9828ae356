"""A head with fixed weights as one matrix, hundreds of times faster than gate by gate; probes use it."""

from functools import reduce

import cirq
import numpy as np

from qssl_tf.quantum.batched_states import eigenvalues
from qssl_tf.quantum.observables import basis_change, support_mask
from qssl_tf.quantum.spec import CircuitSpec

CHUNK = 4096  # rows at a time, so that memory stays bounded by 2^width * CHUNK numbers
MAX_MATRIX_WIDTH = 11  # the matrix holds 2 * 4^width numbers: 34 MB here, four times as much for each further qubit


def ansatz_matrix(spec: CircuitSpec, weights: np.ndarray) -> np.ndarray:
    """Return the ansatz as a real matrix that takes real product states to amplitudes.

    RX(x) takes |0> to cos(x/2)|0> - i sin(x/2)|1>. The phases (-i)^(number of ones) of a product of such states do not
    depend on x, so they are absorbed into the ansatz's unitary and the states become real.

    Args:
        spec: A circuit whose encoding is one RX on each qubit.
        weights: In the order of `spec.weights`, in radians.

    Returns:
        float32, shape (2^width, 2 * 2^width): real parts of all amplitudes, then their imaginary parts.
    """
    outcome_values = dict(zip(spec.weights, map(float, weights), strict=True))
    circuit = cirq.resolve_parameters(spec.ansatz + basis_change(spec.observables), outcome_values)
    unitary = circuit.unitary(qubit_order=spec.qubits, qubits_that_should_be_present=spec.qubits)
    ones = np.array([bin(index).count("1") for index in range(2 ** len(spec.qubits))])
    real_unitary = (unitary * (-1j) ** ones).T  # (states in, amplitudes out)
    return np.concatenate([real_unitary.real, real_unitary.imag], axis=1).astype(np.float32)


def product_states(angles: np.ndarray) -> np.ndarray:
    """Return the real product states of RX angles, shape (n, 2^width); qubit 0 is the most significant bit."""
    half = angles / 2
    qubits = np.stack([np.cos(half), np.sin(half)], axis=2)  # (n, width, 2)
    return reduce(lambda left, right: (left[:, :, None] * right[:, None, :]).reshape(len(angles), -1),
                  qubits.transpose(1, 0, 2))  # fmt: skip


def matrix_expectations(spec: CircuitSpec, weights: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Return the expectation of each observable for each row of angles, float32, shape (n, observables)."""
    matrix, size = ansatz_matrix(spec, weights), 2 ** len(spec.qubits)
    support = support_mask(spec.observables, spec.qubits)
    outcome_values = eigenvalues(support, range(len(spec.qubits)))  # (2^width, observables)
    rows = []
    for start in range(0, len(angles), CHUNK):
        amplitudes = product_states(np.asarray(angles[start : start + CHUNK], np.float32)) @ matrix
        probabilities = amplitudes[:, :size] ** 2 + amplitudes[:, size:] ** 2  # (rows, 2^width)
        rows.append(probabilities @ outcome_values)
    return np.concatenate(rows)
