"""The head against the simulators of Cirq and Qiskit in double precision; gradients are in test_tfq_gradients.py."""

import keras
import numpy as np
import pytest
from judges import qiskit_circuits
from judges.cirq_values import expectations

from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.ansatze import ANSATZE
from qssl_tf.quantum.encodings import ENCODINGS


def random_angles(rows, width, seed=0):
    return np.random.default_rng(seed).uniform(0, np.pi, (rows, width)).astype(np.float32)


# XLA takes a second to compile each head; test_statevector.py checks its states at more widths.
CASES = [
    (simulator, ansatz, encoding, width, rows)
    for ansatz in ANSATZE
    for encoding in ENCODINGS
    for simulator, width, rows in (("tfq", 2, 1), ("tfq", 3, 5), ("tfq", 4, 2), ("tfq", 5, 3), ("xla", 5, 3))
    if width >= ANSATZE[ansatz].min_width
]


@pytest.mark.parametrize(("simulator", "ansatz", "encoding", "width", "rows"), CASES)
def test_expectations_are_cirqs_and_qiskits(simulator, ansatz, encoding, width, rows):
    layers = 3  # 12 weights or more: names must not sort as 1, 10, 2
    head = QuantumHead(width, ansatz, layers, encoding, simulator=simulator, seed=1)
    angles = random_angles(rows, head.spec.input_size)
    weights = head.parameters.numpy().astype(float)
    ours = head(angles).numpy()
    np.testing.assert_allclose(ours, expectations(head.spec, angles, weights), atol=1e-5)
    final = qiskit_circuits.state(ansatz, encoding, width, layers, angles[0].astype(float), weights)
    np.testing.assert_allclose(ours[0], qiskit_circuits.z_expectations(final, width), atol=1e-5)


def test_initial_weights_follow_the_paper():
    weights = np.concatenate([QuantumHead(8, "ring", 2, seed=seed).parameters.numpy() for seed in range(60)])
    assert abs(weights.std() - 8**-0.5) < 4 * 8**-0.5 / np.sqrt(2 * len(weights))
    assert abs(weights.mean()) < 4 * 8**-0.5 / np.sqrt(len(weights))


def test_equal_seeds_make_equal_heads():
    first, second, other = (QuantumHead(4, seed=seed).parameters.numpy() for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, second)
    assert np.all(first != other)


@pytest.mark.parametrize("simulator", ["tfq", "xla"])
@pytest.mark.parametrize("functional", [True, False])
def test_it_trains_saves_and_reloads_in_a_keras_model(tmp_path, functional, simulator):
    head = QuantumHead(3, "ring", 1, simulator=simulator, seed=0)
    if functional:
        inputs = keras.Input((3,))
        model = keras.Model(inputs, head(inputs))
    else:
        model = keras.Sequential([keras.Input((3,)), head])
    model.compile("adam", "mse")
    angles = random_angles(8, 3)
    before = head.parameters.numpy().copy()
    model.fit(angles, np.zeros((8, 3)), epochs=2, verbose=0)
    assert np.all(head.parameters.numpy() != before)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(angles), model(angles))


@pytest.mark.parametrize("ansatz", ANSATZE)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_combination_reloads_and_predicts_the_same(ansatz, encoding, tmp_path):
    head = QuantumHead(4, ansatz, 1, encoding, "z_zz", simulator="tfq", seed=3)
    model = keras.Sequential([keras.Input((head.spec.input_size,)), head])
    model.save(tmp_path / "model.keras")
    angles = random_angles(2, head.spec.input_size)
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(angles), model(angles))
