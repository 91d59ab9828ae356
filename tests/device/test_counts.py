"""Bit arithmetic against Qiskit's own counting."""

import numpy as np
import pytest
from qiskit.primitives import BitArray
from qiskit.quantum_info import SparsePauliOp

from qssl_tf.device.counts import expectations
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
