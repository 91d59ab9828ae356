"""Overlaps of states against Cirq's state vectors and density matrices, closed forms and finite differences."""

from dataclasses import replace

import cirq
import numpy as np
import pytest
import tensorflow as tf
from judges.cirq_values import symbol_values

from qssl_tf.errors import UserError
from qssl_tf.quantum.overlaps import angle_overlap, mixed_overlaps, pure_overlaps, state_rows
from qssl_tf.quantum.spec import circuit_spec

SIMULATOR = cirq.Simulator(dtype=np.complex128)


def drawn(spec, rows, seed=0):
    rng = np.random.default_rng(seed)
    inputs = rng.uniform(0, np.pi, (rows, spec.input_size)).astype(np.float32)
    return inputs, rng.normal(size=len(spec.weights)).astype(np.float32)


def cirq_states(spec, inputs, weights):
    return [
        SIMULATOR.simulate(spec.circuit, values, qubit_order=spec.qubits).final_state_vector
        for values in symbol_values(spec, inputs, weights)
    ]


def our_overlaps(spec, inputs, weights, kept=()):
    angles = spec.encoding.angles(inputs, np, len(spec.qubits)).astype(np.float32)
    rows = state_rows(spec, kept)(tf.constant(angles), tf.constant(weights))
    return (mixed_overlaps if kept else pure_overlaps)(rows, rows).numpy()


@pytest.mark.parametrize(
    ("ansatz", "encoding"),
    [("ring", "angle"), ("sim19", "angle_y"), ("farhi", "zz"), ("strongly_entangling", "reuploading"),
     ("all_to_all", "amplitude"), ("none", "angle")],
)  # fmt: skip
def test_overlaps_of_all_qubits_are_those_of_cirqs_state_vectors(ansatz, encoding):
    spec = circuit_spec(3, ansatz, 2, encoding)
    inputs, weights = drawn(spec, 4)
    vectors = np.array(cirq_states(spec, inputs, weights))
    np.testing.assert_allclose(our_overlaps(spec, inputs, weights), abs(vectors.conj() @ vectors.T) ** 2, atol=1e-5)


@pytest.mark.parametrize("kept", [(0,), (2,), (0, 2), (1, 2)])
def test_overlaps_of_some_qubits_are_those_of_cirqs_density_matrices(kept):
    spec = circuit_spec(3, "sim19", 2, "reuploading")
    inputs, weights = drawn(spec, 4)
    rhos = [
        cirq.density_matrix_from_state_vector(vector, indices=kept) for vector in cirq_states(spec, inputs, weights)
    ]
    judge = [[np.trace(a @ b).real for b in rhos] for a in rhos]
    np.testing.assert_allclose(our_overlaps(spec, inputs, weights, kept), judge, atol=1e-5)


@pytest.mark.parametrize("encoding", ["angle", "angle_y"])
def test_behind_an_angle_encoding_the_ansatz_cancels(encoding):
    spec = circuit_spec(4, "strongly_entangling", 2, encoding)
    inputs, weights = drawn(spec, 5)
    ours = our_overlaps(spec, inputs, weights)
    closed = np.array([angle_overlap(inputs, row[np.newaxis]) for row in inputs])
    np.testing.assert_allclose(ours, closed, atol=1e-5)
    np.testing.assert_allclose(our_overlaps(spec, inputs, 3 * weights + 1), closed, atol=1e-5)


@pytest.mark.parametrize("kept", [(), (0, 1)])
def test_gradients_are_finite_differences_of_cirqs_overlaps(kept):
    spec = circuit_spec(3, "ring", 2, "reuploading")
    inputs, weights = drawn(spec, 2, seed=3)

    def overlap(inputs, weights):
        a, b = cirq_states(spec, inputs, weights)
        if not kept:
            return abs(np.vdot(a, b)) ** 2
        rho, sigma = (cirq.density_matrix_from_state_vector(vector, indices=kept) for vector in (a, b))
        return np.trace(rho @ sigma).real

    def slope(index, place):
        shifted = [np.array(part, float) for part in (inputs, weights)]
        ends = []
        for step in (1e-4, -1e-4):
            moved = [part.copy() for part in shifted]
            moved[index][place] += step
            ends.append(overlap(*moved))
        return (ends[0] - ends[1]) / 2e-4

    of_rows, variables = state_rows(spec, kept), [tf.constant(inputs), tf.constant(weights)]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        rows = of_rows(*variables)
        value = (mixed_overlaps if kept else pure_overlaps)(rows[:1], rows[1:])
    for index, gradient in enumerate(tape.gradient(value, variables)):
        judge = np.reshape([slope(index, place) for place in np.ndindex(*gradient.shape)], gradient.shape)
        np.testing.assert_allclose(gradient, judge, atol=2e-4)


def test_a_circuit_without_angles_has_one_state_for_all_rows():
    spec = circuit_spec(2, "ring", 1)
    without_data = replace(spec, blocks=spec.blocks[1:])
    rows = state_rows(without_data)(tf.zeros((3, 2)), tf.ones(len(spec.weights)))
    np.testing.assert_allclose(pure_overlaps(rows, rows), np.ones((3, 3)), atol=1e-6)


def test_impossible_qubits_and_mixed_states_are_refused():
    spec = circuit_spec(3)
    for kept in ((3,), (0, 0), (-1,)):
        with pytest.raises(UserError, match="`overlap_qubits` must be different qubits from 0 to 2 at `width` 3; got"):
            state_rows(spec, kept)
    with pytest.raises(UserError, match="`partial_measurement` must be false for overlaps of states"):
        state_rows(circuit_spec(4, mid_circuit_measurement=True))
