import cirq
import numpy as np
import pytest

from qssl_tf.quantum.ansatze import ANSATZE
from qssl_tf.quantum.entanglers import has_entanglers, without_entanglers
from qssl_tf.quantum.inference import matrix_expectations
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.spec import circuit_spec
from qssl_tf.quantum.xla_simulator import xla_expectations


@pytest.mark.parametrize("ansatz", ANSATZE)
def test_only_gates_on_single_qubits_are_left(ansatz):
    spec = circuit_spec(4, ansatz, 2, "zz")
    bare = without_entanglers(spec)
    left = [operation for operation in spec.ansatz.all_operations() if len(operation.qubits) == 1]
    assert has_entanglers(spec) == (ansatz != "none") and not has_entanglers(bare)
    assert sorted(map(str, bare.ansatz.all_operations())) == sorted(map(str, left))
    assert bare.weights == spec.weights and bare.blocks[0] == spec.blocks[0]  # the encoding entangles still


def test_a_ring_without_links_turns_each_qubit_alone():
    """RX(x), RY(a), RY(b) take |0> to <Z> = cos(x) cos(a + b), whatever the angles of the links."""
    spec = without_entanglers(circuit_spec(3, "ring", 2))
    rng = np.random.default_rng(0)
    angles, weights = rng.uniform(0, np.pi, (5, 3)).astype(np.float32), rng.normal(size=12).astype(np.float32)
    by_layer = weights.reshape(2, 2, 3)  # layer, RY or link, qubit
    judge = np.cos(angles) * np.cos(by_layer[:, 0].sum(axis=0))
    np.testing.assert_allclose(matrix_expectations(spec, weights, angles), judge, atol=1e-5)
    simulated = xla_expectations(spec, Measurement())(angles, weights, np.zeros(2, np.int32), np.int32(0))
    np.testing.assert_allclose(simulated, judge, atol=1e-5)


def test_reuploaded_data_is_cirqs_product_of_single_qubits():
    whole = circuit_spec(2, "strongly_entangling", 2, "reuploading")
    spec = without_entanglers(whole)
    rng = np.random.default_rng(1)
    angles = rng.uniform(0, np.pi, (1, len(spec.inputs))).astype(np.float32)
    weights = rng.normal(size=len(spec.weights)).astype(np.float32)
    values = dict(zip(map(str, (*spec.inputs, *spec.weights)), map(float, (*angles[0], *weights)), strict=True))
    judge = []
    for qubit in whole.qubits:  # alone, gate by gate
        alone = [op for op in whole.circuit.all_operations() if op.qubits == (qubit,)]
        state = cirq.Simulator().simulate(cirq.resolve_parameters(cirq.Circuit(alone), values)).final_state_vector
        judge.append(abs(state[0]) ** 2 - abs(state[1]) ** 2)
    found = xla_expectations(spec, Measurement())(angles, weights, np.zeros(2, np.int32), np.int32(0))
    np.testing.assert_allclose(found[0], judge, atol=1e-5)
