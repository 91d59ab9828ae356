import cirq
import numpy as np
import pytest

from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.ansatze import ANSATZE
from qssl_tf.quantum.inference import CHUNK, matrix_expectations, product_states
from qssl_tf.quantum.spec import circuit_spec


@pytest.mark.parametrize("ansatz", ANSATZE)
@pytest.mark.parametrize(("width", "rows", "observables"), [(2, 1, "z_zz"), (4, 7, "z"), (5, 3, "X0Y1,Z2")])
def test_predictions_are_what_tfq_computes(ansatz, width, rows, observables):
    width = max(width, ANSATZE[ansatz].min_width)
    head = QuantumHead(width, ansatz, layers=2, observables=observables, simulator="tfq", seed=3)
    angles = np.random.default_rng(0).uniform(0, np.pi, (rows, width)).astype(np.float32)
    np.testing.assert_allclose(head.predict(angles), head(angles), atol=1e-5)


def test_product_states_are_cirqs_up_to_the_absorbed_phase():
    spec = circuit_spec(3, "ring", 1)
    angles = np.array([[0.3, 1.1, 2.9]])
    circuit = cirq.resolve_parameters(spec.blocks[0], dict(zip(spec.inputs, angles[0], strict=True)))
    judge = circuit.final_state_vector(qubit_order=spec.qubits, dtype=np.complex128)
    ones = np.array([bin(index).count("1") for index in range(8)])
    np.testing.assert_allclose(product_states(angles)[0] * (-1j) ** ones, judge, atol=1e-12)


def test_rows_beyond_a_chunk():
    spec = circuit_spec(2, "ring", 1)
    weights = np.linspace(-1, 1, 4)
    angles = np.random.default_rng(1).uniform(0, np.pi, (CHUNK + 5, 2))
    values = matrix_expectations(spec, weights, angles)
    np.testing.assert_allclose(values[-5:], matrix_expectations(spec, weights, angles[-5:]), atol=1e-6)


@pytest.mark.parametrize("encoding", ["angle_y", "zz", "reuploading"])
def test_other_encodings_are_run_in_batches(encoding):
    head = QuantumHead(3, "ring", 2, encoding, seed=3)
    angles = np.random.default_rng(0).uniform(0, np.pi, (515, 3)).astype(np.float32)
    np.testing.assert_allclose(head.predict(angles), head(angles), atol=1e-5)


def test_sampled_expectations_stay_sampled():
    head = QuantumHead(2, "ring", 1, shots=10, gradient="parameter_shift", seed=3)
    estimates = head.predict(np.full((200, 2), 1.0, np.float32))
    np.testing.assert_allclose(estimates * 5, np.round(estimates * 5), atol=1e-4)  # multiples of 2 / shots
    assert estimates.std(axis=0).min() > 0.05
