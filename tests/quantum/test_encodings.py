import cirq
import keras
import numpy as np
import pytest
import tensorflow as tf
from judges.qiskit_circuits import encoding_circuit

from qssl_tf.quantum.encodings import ENCODINGS
from qssl_tf.quantum.spec import circuit_spec


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_states_are_qiskits(name, width):
    from qiskit.quantum_info import Statevector

    spec = circuit_spec(width, "none", 1, encoding=name)
    features = np.random.default_rng(width).uniform(0.1, np.pi, (1, spec.features)).astype(np.float32)
    values = ENCODINGS[name].values(features, np, width)[0]
    circuit = cirq.resolve_parameters(spec.blocks[0], dict(zip(spec.inputs, map(float, values), strict=True)))
    ours = circuit.final_state_vector(qubit_order=spec.qubits, dtype=np.complex128)
    judge = Statevector(encoding_circuit(name, width, features[0])).reverse_qargs().data
    assert abs(abs(np.vdot(ours, judge)) - 1) < 1e-5  # up to a global phase


@pytest.mark.parametrize("name", ENCODINGS)
def test_values_are_the_same_on_tensors_and_differentiable(name):
    width, count = 3, ENCODINGS[name].features(3)
    features = np.random.default_rng(0).uniform(0.2, 3, (4, count)).astype(np.float32)
    tensor = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        values = ENCODINGS[name].values(tensor, keras.ops, width)
        total = tf.reduce_sum(tf.sin(values))
    np.testing.assert_allclose(values, ENCODINGS[name].values(features, np, width), atol=1e-5)
    gradient = tape.gradient(total, tensor).numpy()
    for place in [(0, 0), (3, count - 1)]:
        shift = np.zeros(features.shape)
        shift[place] = 1e-4
        ahead, behind = (np.sin(ENCODINGS[name].values(features + s * shift, np, width)).sum() for s in (1, -1))
        assert abs(gradient[place] - (ahead - behind) / 2e-4) < 1e-3


def test_reuploading_stands_before_each_layer():
    spec = circuit_spec(3, "ring", 2, encoding="reuploading")
    assert len(spec.blocks) == 4 and spec.blocks[0] == spec.blocks[2] != spec.blocks[1]
    assert len(circuit_spec(3, "ring", 2).blocks) == 3


def test_amplitude_survives_zeros():
    features = tf.constant([[0.0, 0.0, 0.0, 1.0]])
    with tf.GradientTape() as tape:
        tape.watch(features)
        values = ENCODINGS["amplitude"].values(features, keras.ops, 2)
    assert np.all(np.isfinite(values)) and np.all(np.isfinite(tape.gradient(values, features)))
