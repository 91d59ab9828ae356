"""The head against Cirq's own simulator and central differences in double precision."""

import cirq
import keras
import numpy as np
import pytest
import tensorflow as tf

from qssl_tf.quantum.circuits import ANSATZE
from qssl_tf.quantum.head import QuantumHead


def expectations(head, angles, weights):
    """Z expectations by Cirq's state-vector simulator in double precision, shape (n, width)."""
    spec, simulator = head.spec, cirq.Simulator(dtype=np.complex128)
    rows = []
    for row in np.asarray(angles, float):
        values = dict(zip(spec.inputs + spec.weights, [*row, *weights], strict=True))
        state = simulator.simulate(spec.circuit, values, qubit_order=spec.qubits).final_state_vector
        order = {qubit: index for index, qubit in enumerate(spec.qubits)}
        rows.append([op.expectation_from_state_vector(state, order).real for op in spec.observables])
    return np.array(rows)


def random_angles(rows, width, seed=0):
    return np.random.default_rng(seed).uniform(0, np.pi, (rows, width)).astype(np.float32)


CASES = [(name, width, rows) for name in ANSATZE for width, rows in ((2, 1), (3, 5), (5, 4))]


@pytest.mark.parametrize(("ansatz", "width", "rows"), CASES)
def test_expectations_are_cirqs(ansatz, width, rows):
    head = QuantumHead(width, ansatz, layers=3, seed=1)  # 12 weights or more: names must not sort as 1, 10, 2
    angles = random_angles(rows, width)
    judge = expectations(head, angles, head.parameters.numpy())
    np.testing.assert_allclose(head(angles), judge, atol=1e-5)


@pytest.mark.parametrize("ansatz", ANSATZE)
def test_gradients_are_central_differences(ansatz):
    head = QuantumHead(3, ansatz, layers=2, seed=2)
    angles = random_angles(2, 3, seed=1)
    mix = np.random.default_rng(3).normal(size=(2, 3))
    inputs = tf.constant(angles)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(head(inputs) * tf.constant(mix, tf.float32))
    by_inputs, by_weights = tape.gradient(total, [inputs, head.parameters])

    def value(x, w):
        return float(np.sum(mix * expectations(head, x, w)))

    weights, step = head.parameters.numpy().astype(float), 1e-4
    for index in range(len(weights)):
        shift = np.eye(len(weights))[index] * step
        slope = (value(angles, weights + shift) - value(angles, weights - shift)) / (2 * step)
        assert abs(by_weights[index] - slope) < 1e-4
    for place in np.ndindex(angles.shape):
        shift = np.zeros(angles.shape)
        shift[place] = step
        slope = (value(angles + shift, weights) - value(angles - shift, weights)) / (2 * step)
        assert abs(by_inputs[place] - slope) < 1e-4


def test_initial_weights_follow_the_paper():
    weights = np.concatenate([QuantumHead(8, "ring", 2, seed=seed).parameters.numpy() for seed in range(60)])
    assert abs(weights.std() - 8**-0.5) < 4 * 8**-0.5 / np.sqrt(2 * len(weights))
    assert abs(weights.mean()) < 4 * 8**-0.5 / np.sqrt(len(weights))


def test_equal_seeds_make_equal_heads():
    first, second, other = (QuantumHead(4, seed=seed).parameters.numpy() for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, second)
    assert np.all(first != other)


@pytest.mark.parametrize("functional", [True, False])
def test_it_trains_saves_and_reloads_in_a_keras_model(tmp_path, functional):
    head = QuantumHead(3, "ring", 1, seed=0)
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
