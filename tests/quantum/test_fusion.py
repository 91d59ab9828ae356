"""The gates of each fused step; test_statevector.py checks the resulting states."""

import cirq
import numpy as np
import pytest

from qssl_tf.quantum.ansatze import ANSATZE
from qssl_tf.quantum.fusion import DENSE_WIRES, Dense, DephasingStep, Permutation, Phases, fuse
from qssl_tf.quantum.gates import embed
from qssl_tf.quantum.gatewise import gatewise
from qssl_tf.quantum.spec import circuit_spec


def fused_program(width, ansatz, layers=2, encoding="angle", all_by_row=False):
    spec = circuit_spec(width, ansatz, layers, encoding)
    gates = gatewise(spec.circuit, spec.inputs + spec.weights)
    by_row = np.any(gates.matrix[: len(spec.inputs)], axis=0) | all_by_row
    return fuse(gates, spec.qubits, np.flatnonzero(by_row).tolist())


@pytest.mark.parametrize("wires", [(0, 1), (1, 0), (2, 0), (0, 2)])
def test_embedding_is_cirqs_kronecker_product(wires):
    qubits, matrix = cirq.LineQubit.range(3), cirq.testing.random_unitary(4, random_state=1)
    circuit = cirq.Circuit(cirq.I.on_each(*qubits), cirq.MatrixGate(matrix)(*(qubits[wire] for wire in wires)))
    np.testing.assert_allclose(embed(matrix, wires, range(3)), circuit.unitary(), atol=1e-9)


def test_two_layers_of_the_ring_on_eight_qubits_are_four_matrices():
    ring = fused_program(8, "ring")
    assert [type(step) for step in ring.steps] == [Dense] * 4
    assert ring.steps[0].wires == (0, 1, 2, 3, 4)
    assert ring.start == tuple(range(8))


def test_a_dense_circuit_of_cx_is_a_permutation():
    steps = fused_program(8, "all_to_all").steps
    assert sum(isinstance(step, Permutation) for step in steps) == 2
    assert all(step.is_real for step in steps[1:] if isinstance(step, Dense) and 0 not in step.wires)


@pytest.mark.parametrize("ansatz", ANSATZE)
@pytest.mark.parametrize(("encoding", "all_by_row"), [("angle", False), ("reuploading", False), ("zz", True)])
def test_every_angle_appears_exactly_once(ansatz, encoding, all_by_row):
    fused = fused_program(6, ansatz, encoding=encoding, all_by_row=all_by_row)
    angles = [gate for gate in fused.start if gate is not None]
    for step in fused.steps:
        if isinstance(step, Dense):
            assert len(step.wires) <= DENSE_WIRES
            angles += [angle for block in step.blocks for angle in block.angles if angle is not None]
        elif isinstance(step, Phases):
            angles += [rotation.angle for rotation in step.rotations]
    assert sorted(angles) == list(range(fused.count))


def test_measurements_between_layers_double_the_states():
    spec = circuit_spec(5, "ring", 2, mid_circuit_measurement=True)
    gates = gatewise(spec.circuit, spec.inputs + spec.weights)
    fused = fuse(gates, spec.qubits, range(5))
    assert [step.wires for step in fused.steps if isinstance(step, DephasingStep)] == [(0, 2, 4)]
    assert fused.copies == 8
