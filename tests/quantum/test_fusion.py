"""Which gates end up in which step; that the steps make the circuit's state is in test_statevector.py."""

import cirq
import numpy as np
import pytest

from qssl_tf.quantum.ansatze import ANSATZE
from qssl_tf.quantum.fusion import DENSE_WIRES, Dense, Dephased, Permutation, Phases, program
from qssl_tf.quantum.gates import embedded
from qssl_tf.quantum.spec import circuit_spec
from qssl_tf.quantum.splitting import split


def fused(width, ansatz, layers=2, encoding="angle", all_by_row=False):
    spec = circuit_spec(width, ansatz, layers, encoding)
    gates = split(spec.circuit, spec.inputs + spec.weights)
    by_row = np.any(gates.matrix[: len(spec.inputs)], axis=0) | all_by_row
    return program(gates, spec.qubits, np.flatnonzero(by_row).tolist())


@pytest.mark.parametrize("wires", [(0, 1), (1, 0), (2, 0), (0, 2)])
def test_embedding_is_cirqs_kronecker_product(wires):
    qubits, matrix = cirq.LineQubit.range(3), cirq.testing.random_unitary(4, random_state=1)
    circuit = cirq.Circuit(cirq.I.on_each(*qubits), cirq.MatrixGate(matrix)(*(qubits[wire] for wire in wires)))
    np.testing.assert_allclose(embedded(matrix, wires, range(3)), circuit.unitary(), atol=1e-9)


def test_two_layers_of_the_ring_on_eight_qubits_are_four_matrices():
    ring = fused(8, "ring")
    assert [type(step) for step in ring.steps] == [Dense] * 4
    assert ring.steps[0].wires == (0, 1, 2, 3, 4)
    assert ring.start == tuple(range(8))


def test_a_dense_circuit_of_cx_is_a_permutation():
    steps = fused(8, "all_to_all").steps
    assert sum(isinstance(step, Permutation) for step in steps) == 2
    assert all(step.is_real for step in steps[1:] if isinstance(step, Dense) and 0 not in step.wires)


@pytest.mark.parametrize("ansatz", ANSATZE)
@pytest.mark.parametrize(("encoding", "all_by_row"), [("angle", False), ("reuploading", False), ("zz", True)])
def test_every_angle_stands_in_one_place(ansatz, encoding, all_by_row):
    found = fused(6, ansatz, encoding=encoding, all_by_row=all_by_row)
    angles = [gate for gate in found.start if gate is not None]
    for step in found.steps:
        if isinstance(step, Dense):
            assert len(step.wires) <= DENSE_WIRES
            angles += [angle for block in step.blocks for angle in block.angles if angle is not None]
        elif isinstance(step, Phases):
            angles += [rotation.angle for rotation in step.rotations]
    assert sorted(angles) == list(range(found.count))


def test_measurements_between_layers_double_the_states():
    spec = circuit_spec(5, "ring", 2, measured_between=True)
    gates = split(spec.circuit, spec.inputs + spec.weights)
    found = program(gates, spec.qubits, range(5))
    assert [step.wires for step in found.steps if isinstance(step, Dephased)] == [(0, 2, 4)]
    assert found.copies == 8
