"""Final states against Cirq's simulator in double precision, amplitude by amplitude."""

import cirq
import numpy as np
import pytest
import tensorflow as tf
from judges.cirq_values import symbol_values

from qssl_tf.quantum.ansatze import ANSATZE
from qssl_tf.quantum.batched_states import RE_IM, eigenvalues, probabilities, wires_to_front
from qssl_tf.quantum.encodings import ENCODINGS
from qssl_tf.quantum.observables import observables, support_mask
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
    inputs = rng.uniform(0.1, 3.0, (rows, spec.input_size))
    return inputs, rng.normal(size=len(spec.weights))


def cirq_states(spec, inputs, weights):
    simulator = cirq.Simulator(dtype=np.complex128)
    values = symbol_values(spec, inputs, weights)
    return [simulator.simulate(spec.circuit, v, qubit_order=spec.qubits).final_state_vector for v in values]


def amplitudes(states, width):
    """Complex amplitudes in Cirq's order, shape (n, 2^width)."""
    order, values = wires_to_front(states, (RE_IM, *range(width)) if RE_IM in states.order else tuple(range(width)))
    values = values.numpy()[:, 0]
    size = 2**width
    return (values[:size] + 1j * values[size:] if order[0] == RE_IM else values + 0j).T


@pytest.mark.parametrize(("ansatz", "encoding", "width", "all_by_row"), CASES)
def test_states_are_cirqs(ansatz, encoding, width, all_by_row):
    spec = circuit_spec(width, ansatz, 2, encoding)
    inputs, weights = random_case(spec, rows=3)
    run = simulation(spec, spec.circuit, shots=None, all_by_row=all_by_row)
    angles = tf.constant([[v[symbol] for symbol in spec.inputs] for v in symbol_values(spec, inputs, weights)])
    parameters = np.tile(weights, (3, 1)) if all_by_row else weights
    states = run.states(*run.angles(tf.cast(angles, tf.float32), tf.constant(parameters, tf.float32)))
    ours = np.broadcast_to(amplitudes(states, width), (3, 2**width))
    # Equal up to a global phase, which is divided out.
    for state, judge in zip(ours, cirq_states(spec, inputs, weights), strict=True):
        phase = np.vdot(state, judge) / abs(np.vdot(state, judge))
        np.testing.assert_allclose(state * phase, judge, atol=2e-6)


def test_probabilities_add_up_over_measured_outcomes():
    spec = circuit_spec(4, "ring", 2, mid_circuit_measurement=True)
    inputs, weights = random_case(spec, rows=2)
    run = simulation(spec, spec.circuit, shots=None)
    states = run.states(*run.angles(tf.constant(inputs, tf.float32), tf.constant(weights, tf.float32)))
    order, outcome_probabilities = probabilities(states)
    for row, values in enumerate(symbol_values(spec, inputs, weights)):
        density = cirq.DensityMatrixSimulator(dtype=np.complex128).simulate(
            spec.circuit, values, qubit_order=spec.qubits
        )
        judge = np.diag(density.final_density_matrix).real.reshape([2] * 4).transpose(order).ravel()
        np.testing.assert_allclose(outcome_probabilities[:, row], judge, atol=2e-6)


def test_eigenvalues_follow_the_order_of_the_wires():
    qubits = cirq.GridQubit.rect(1, 3)
    support = support_mask(observables("Z0,Z2,Z0Z2", qubits), qubits)
    values = eigenvalues(support, order=(2, 0, 1))
    # Outcome 0b100: wire 2 is 1, wires 0 and 1 are 0.
    assert values[0b100].tolist() == [1.0, -1.0, -1.0]
    assert values[0b010].tolist() == [-1.0, 1.0, -1.0]
    assert values[0b111].tolist() == [-1.0, -1.0, 1.0]
