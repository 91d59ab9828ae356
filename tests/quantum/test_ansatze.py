"""Expected gates and wires at two widths, and unitaries against Qiskit."""

import cirq
import numpy as np
import pytest
from judges.qiskit_circuits import ansatz_circuit
from qiskit.quantum_info import Operator

from qssl_tf.quantum.ansatze import ANSATZE
from qssl_tf.quantum.spec import circuit_spec

ALL = {name: max(2, ansatz.min_width) for name, ansatz in ANSATZE.items()}


def two_qubit_wires(name, width):
    """Wires of the gates on two qubits, in order."""
    spec = circuit_spec(width, name, 1)
    return [tuple(q.col for q in op.qubits) for block in spec.blocks[1:] for op in block.all_operations()
            if len(op.qubits) == 2]  # fmt: skip


# Two-qubit gates of one layer by hand, from the definitions; sorted where Cirq's moments may reorder commuting gates.
WIRES = {
    ("ring", 4): [(0, 1), (1, 2), (2, 3), (3, 0)],
    ("ring", 5): [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)],
    ("sim14_half", 4): [(0, 1), (1, 2), (2, 3), (3, 0)],
    ("sim14_half", 5): [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)],
    ("sim13_half", 4): [(0, 1), (1, 2), (2, 3), (3, 0)],
    ("sim13_half", 5): [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)],
    ("all_to_all", 3): [(0, 1), (0, 2), (1, 2)],
    ("all_to_all", 4): [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)],
    ("sim13", 4): [(3, 0), (2, 3), (1, 2), (0, 1), (3, 2), (0, 3), (1, 0), (2, 1)],
    ("sim13", 5): [(4, 0), (3, 4), (2, 3), (1, 2), (0, 1), (4, 2), (0, 3), (1, 4), (2, 0), (3, 1)],
    ("sim14", 4): [(3, 0), (2, 3), (1, 2), (0, 1), (3, 2), (0, 3), (1, 0), (2, 1)],
    ("sim14", 5): [(4, 0), (3, 4), (2, 3), (1, 2), (0, 1), (4, 2), (0, 3), (1, 4), (2, 0), (3, 1)],
    ("sim15", 4): [(3, 0), (2, 3), (1, 2), (0, 1), (3, 2), (0, 3), (1, 0), (2, 1)],
    ("sim15", 5): [(4, 0), (3, 4), (2, 3), (1, 2), (0, 1), (4, 2), (0, 3), (1, 4), (2, 0), (3, 1)],
    ("sim19", 3): [(2, 0), (1, 2), (0, 1)],
    ("sim19", 4): [(3, 0), (2, 3), (1, 2), (0, 1)],
    ("farhi", 3): [(2, 0), (2, 1), (2, 0), (2, 1)],
    ("farhi", 4): [(3, 0), (3, 1), (3, 2), (3, 0), (3, 1), (3, 2)],
    ("tdcnot", 4): [(0, 1), (2, 3), (1, 2), (3, 0)],
    ("tdcnot", 5): [(0, 1), (2, 3), (1, 2), (3, 4)],
    ("none", 2): [],
    ("none", 5): [],
    ("strongly_entangling", 3): [(0, 1), (1, 2), (2, 0)],
    ("strongly_entangling", 4): [(0, 1), (1, 2), (2, 3), (3, 0)],
}


def test_every_ansatz_is_listed_at_two_widths():
    assert {name for name, _ in WIRES} == set(ANSATZE) and len(WIRES) == 2 * len(ANSATZE)


@pytest.mark.parametrize(("name", "width"), WIRES)
def test_wires(name, width):
    assert sorted(two_qubit_wires(name, width)) == sorted(WIRES[name, width])


@pytest.mark.parametrize("name", ANSATZE)
def test_unitaries_are_qiskits(name):
    for width in (ALL[name], ALL[name] + 1, 5):
        spec = circuit_spec(width, name, layers=3)
        theta = np.random.default_rng(width).uniform(-np.pi, np.pi, len(spec.weights))
        circuit = cirq.resolve_parameters(spec.ansatz, dict(zip(spec.weights, theta, strict=True)))
        ours = circuit.unitary(qubit_order=spec.qubits, qubits_that_should_be_present=spec.qubits)
        judge = Operator(ansatz_circuit(name, width, 3, theta).reverse_bits()).data  # Qiskit is little-endian
        np.testing.assert_allclose(ours, judge, atol=1e-6)


@pytest.mark.parametrize("name", ANSATZE)
def test_the_stated_shape_counts_the_weights(name):
    for width, layers in ((4, 1), (5, 3)):
        spec = circuit_spec(width, name, layers)
        assert cirq.parameter_symbols(spec.ansatz) == set(spec.weights)
        assert len(spec.weights) == np.prod(ANSATZE[name].weight_shape(width, layers))
