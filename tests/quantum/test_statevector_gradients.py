"""Shifted states, chunks and seeds of the XLA gradients, whose values test_tfq_gradients.py checks."""

import math

import numpy as np
import pytest
import tensorflow as tf

from qssl_tf.quantum.simulation import simulation
from qssl_tf.quantum.spec import circuit_spec
from qssl_tf.quantum.statevector_gradients import (
    _shifted_states,
    in_chunks,
    with_adjoint_gradient,
    with_shift_gradient,
    with_spsa_gradient,
)

SEED = tf.constant([1, 2])


def random_run(shots=None, width=3):
    spec = circuit_spec(width, "ring", 2)
    run = simulation(spec, spec.circuit, shots)
    rng = np.random.default_rng(0)
    inputs = tf.constant(rng.uniform(0.2, 2.9, (7, width)), tf.float32)
    return run, inputs, tf.constant(rng.normal(size=len(spec.weights)), tf.float32)


def values_and_gradients(function, inputs, weights):
    with tf.GradientTape() as tape:
        tape.watch([inputs, weights])
        values = function(inputs, weights, SEED, 0)
        total = tf.reduce_sum(values * tf.sin(tf.range(float(tf.size(values)))[:, tf.newaxis])[: values.shape[0]])
    return [values, *tape.gradient(total, [inputs, weights])]


@pytest.mark.parametrize("shift", [math.pi / 2, -math.pi / 2, 3 * math.pi / 2, 0.7])
def test_three_runs_give_the_state_at_any_shift(shift):
    run, inputs, weights = random_run()
    rows, shared = run.angles(inputs, weights)
    for gate, controlled in enumerate(run.gates.controlled):
        turn = tf.one_hot(gate, len(run.gates.names))
        row_turn = tf.gather(turn, list(run.program.row_gates))

        def shifted_states(angle, turn=turn, row_turn=row_turn):
            return run.states(rows + angle * row_turn, shared + angle * turn)

        ahead = shifted_states(math.pi).values
        back = shifted_states(-math.pi).values if controlled else -ahead
        np.testing.assert_allclose(
            _shifted_states(shift, shifted_states(0.0), ahead, back).values, shifted_states(shift).values, atol=2e-6
        )


@pytest.mark.parametrize(
    ("mode", "rows"),
    [
        *((with_adjoint_gradient, rows) for rows in (1, 2, 3, 7, 100)),
        *((with_shift_gradient, rows) for rows in (4, 7, 100)),
    ],
)
def test_chunks_do_not_change_exact_values_or_gradients(mode, rows):
    run, inputs, weights = random_run()
    all_rows = values_and_gradients(mode(run), inputs, weights)
    parts = values_and_gradients(in_chunks(mode(run), rows), inputs, weights)
    for ours, judge in zip(parts, all_rows, strict=True):
        np.testing.assert_allclose(ours, judge, atol=2e-6)


def test_chunks_of_unknown_batches():
    run, inputs, weights = random_run()
    for rows in (2, 1000):
        chunked_run = in_chunks(with_adjoint_gradient(run), rows)
        traced_run = tf.function(
            lambda x, chunked_run=chunked_run: chunked_run(x, weights, SEED, 0)
        ).get_concrete_function(tf.TensorSpec((None, 3)))
        np.testing.assert_allclose(traced_run(inputs), with_adjoint_gradient(run)(inputs, weights, SEED, 0), atol=2e-6)


def test_every_row_draws_its_own_shots():
    run, inputs, weights = random_run(shots=1)
    same = tf.tile(inputs[:1], (400, 1))
    samples = in_chunks(with_adjoint_gradient(run), 200)(same, weights, SEED, 0).numpy()
    assert np.mean(samples[:200] == samples[200:]) < 0.95


def spsa(run):
    spec = circuit_spec(3, "ring", 2)
    return with_spsa_gradient(run, simulation(spec, spec.circuit, run.shots, all_by_row=True))


@pytest.mark.parametrize(
    ("mode", "rows"), [(with_adjoint_gradient, 1), (with_adjoint_gradient, 3), (with_shift_gradient, 4), (spsa, 3)]
)
def test_shots_and_signs_of_a_row_do_not_depend_on_its_chunk(mode, rows):
    """Estimates are multiples of 1/4, so any other shots would show."""
    run, inputs, weights = random_run(shots=8)
    all_rows = values_and_gradients(mode(run), inputs, weights)
    parts = values_and_gradients(in_chunks(mode(run), rows), inputs, weights)
    for ours, judge in zip(parts, all_rows, strict=True):
        np.testing.assert_allclose(ours, judge, atol=1e-4)


@pytest.mark.parametrize("mode", [with_adjoint_gradient, with_shift_gradient, spsa])
def test_shots_and_signs_of_a_row_do_not_depend_on_the_rows_before_it(mode):
    run, inputs, weights = random_run(shots=8)
    all_rows = mode(run)(inputs, weights, SEED, 0).numpy()
    np.testing.assert_allclose(mode(run)(inputs[4:], weights, SEED, 4).numpy(), all_rows[4:], atol=1e-4)


def test_equal_seeds_draw_equal_shots_and_others_do_not():
    run, inputs, weights = random_run(shots=20)
    first, again = (with_adjoint_gradient(run)(inputs, weights, SEED, 0).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != with_adjoint_gradient(run)(inputs, weights, SEED + 1, 0).numpy())
