"""Bit arithmetic against Qiskit's own counting."""

import numpy as np
import pytest
from qiskit.primitives import BitArray
from qiskit.quantum_info import SparsePauliOp

from qssl_tf.device.counts import expectations, moments
from qssl_tf.quantum.observables import support_mask
from qssl_tf.quantum.spec import circuit_spec


@pytest.mark.parametrize("width", [3, 8, 11])
def test_expectations_are_qiskits(width):
    rng = np.random.default_rng(width)
    shots = rng.random((4, 100, width)) < np.linspace(0.1, 0.7, width)  # clbit 0 first
    packed = np.packbits(np.pad(shots[..., ::-1], ((0, 0), (0, 0), (-width % 8, 0))), axis=-1)
    measured = BitArray(packed, width)
    spec = circuit_spec(width, "none", 1, measure="z_zz")
    ours = expectations(measured, support_mask(spec.observables, spec.qubits))
    place = {qubit: i for i, qubit in enumerate(spec.qubits)}
    for column, product in enumerate(spec.observables):
        operator = SparsePauliOp.from_sparse_list(
            [("Z" * len(product), [place[qubit] for qubit in product.qubits], 1.0)], num_qubits=width
        )
        np.testing.assert_allclose(ours[:, column], measured.expectation_values(operator), atol=1e-12)
    signs = 1.0 - 2.0 * shots
    products = [np.prod(signs[..., [place[q] for q in product.qubits]], axis=-1) for product in spec.observables]
    np.testing.assert_allclose(ours, np.mean(products, axis=-1).T, atol=1e-12)


def test_products_without_the_shift_are_those_of_the_inverse_confusion_matrix():
    """The judge inverts the matrix of all 2^3 outcomes, built of each qubit's own, on the histogram of the shots."""
    rng, width, shots = np.random.default_rng(3), 3, 500
    gained, lost = np.array([0.02, 0.1, 0.0]), np.array([0.2, 0.05, 0.3])
    bits = (rng.random((2, shots, width)) < [0.3, 0.6, 0.8]).astype(np.uint8)
    measured = BitArray(np.packbits(np.pad(bits[..., ::-1], ((0, 0), (0, 0), (5, 0))), axis=-1), width)
    members = np.array([[1, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1]], float)
    found = moments(measured, members, lost - gained)
    confusion = np.ones((1, 1))
    for up, down in zip(gained, lost, strict=True):  # qubit 0 is the lowest digit of an outcome
        confusion = np.kron(np.array([[1 - up, down], [up, 1 - down]]), confusion)
    signs = 1 - 2 * (np.arange(8)[:, np.newaxis] >> np.arange(width) & 1)
    values = np.stack([np.prod(signs[:, support > 0], axis=1) for support in members.T], axis=1)
    scale = np.prod(np.where(members > 0, (1 - gained - lost)[:, np.newaxis], 1.0), axis=0)
    for row in range(2):
        histogram = np.bincount(bits[row] @ [1, 2, 4], minlength=8) / shots
        np.testing.assert_allclose(found[row, :4] / scale, np.linalg.solve(confusion, histogram) @ values)
    # A product's square, written out for each shot.
    first = 1 - 2.0 * bits[0] - (lost - gained)
    np.testing.assert_allclose(found[0, 4 + 2], np.mean((first[:, 0] * first[:, 1]) ** 2))


def test_without_a_shift_products_are_the_expectations():
    rng = np.random.default_rng(4)
    measured = BitArray(rng.integers(0, 256, (3, 40, 2), dtype=np.uint8), 11)
    members = rng.integers(0, 2, (11, 5)).astype(float)
    # Bits above the eleventh are nobody's.
    found = moments(measured, members, np.zeros(11))
    np.testing.assert_allclose(found, np.hstack([expectations(measured, members), np.ones((3, 5))]))
