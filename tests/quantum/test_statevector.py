"""Final states against Cirq's simulator in double precision, amplitude by amplitude."""

import cirq
import numpy as np
import pytest
import tensorflow as tf
from judges.cirq_values import symbol_values

from qssl_tf.quantum.ansatze import ANSATZE
from qssl_tf.quantum.encodings import ENCODINGS
from qssl_tf.quantum.observables import members, observables
from qssl_tf.quantum.rows import RE_IM, front, probabilities, signs
from qssl_tf.quantum.simulation import simulation
from qssl_tf.quantum.spec import circuit_spec

CASES = [
    (ansatz, encoding, width, all_by_row)
    for ansatz in ANSATZE
    for encoding in ENCODINGS
    for width, all_by_row in ((2, False), (3, True), (4, False), (6, False))
    if width >= ANSATZE[ansatz].min_width
]


def random_case(spec, rows, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.uniform(0.1, 3.0, (rows, spec.features))
    return features, rng.normal(size=len(spec.weights))


def judged(spec, features, weights):
    simulator = cirq.Simulator(dtype=np.complex128)
    values = symbol_values(spec, features, weights)
    return [simulator.simulate(spec.circuit, v, qubit_order=spec.qubits).final_state_vector for v in values]


def amplitudes(states, width):
    """Complex amplitudes in Cirq's order, shape (n, 2^width)."""
    order, values = front(states, (RE_IM, *range(width)) if RE_IM in states.order else tuple(range(width)))
    values = values.numpy()[:, 0]
    size = 2**width
    return (values[:size] + 1j * values[size:] if order[0] == RE_IM else values + 0j).T


@pytest.mark.parametrize(("ansatz", "encoding", "width", "all_by_row"), CASES)
def test_states_are_cirqs(ansatz, encoding, width, all_by_row):
    spec = circuit_spec(width, ansatz, 2, encoding)
    features, weights = random_case(spec, rows=3)
    run = simulation(spec, spec.circuit, shots=None, all_by_row=all_by_row)
    inputs = tf.constant([[v[symbol] for symbol in spec.inputs] for v in symbol_values(spec, features, weights)])
    parameters = np.tile(weights, (3, 1)) if all_by_row else weights
    states = run.states(*run.angles(tf.cast(inputs, tf.float32), tf.constant(parameters, tf.float32)))
    ours = np.broadcast_to(amplitudes(states, width), (3, 2**width))
    # A global phase has no meaning; Cirq's is divided out of both.
    for own, judge in zip(ours, judged(spec, features, weights), strict=True):
        phase = np.vdot(own, judge) / abs(np.vdot(own, judge))
        np.testing.assert_allclose(own * phase, judge, atol=2e-6)


def test_probabilities_add_up_over_measured_outcomes():
    spec = circuit_spec(4, "ring", 2, measured_between=True)
    features, weights = random_case(spec, rows=2)
    run = simulation(spec, spec.circuit, shots=None)
    states = run.states(*run.angles(tf.constant(features, tf.float32), tf.constant(weights, tf.float32)))
    order, chances = probabilities(states)
    for row, values in enumerate(symbol_values(spec, features, weights)):
        density = cirq.DensityMatrixSimulator(dtype=np.complex128).simulate(
            spec.circuit, values, qubit_order=spec.qubits
        )
        judge = np.diag(density.final_density_matrix).real.reshape([2] * 4).transpose(order).ravel()
        np.testing.assert_allclose(chances[:, row], judge, atol=2e-6)


def test_signs_follow_the_order_of_the_wires():
    qubits = cirq.GridQubit.rect(1, 3)
    belongs = members(observables("Z0,Z2,Z0Z2", qubits), qubits)
    found = signs(belongs, order=(2, 0, 1))
    # Outcome 0b100: wire 2 is 1, wires 0 and 1 are 0.
    assert found[0b100].tolist() == [1.0, -1.0, -1.0]
    assert found[0b010].tolist() == [-1.0, 1.0, -1.0]
    assert found[0b111].tolist() == [-1.0, -1.0, 1.0]
