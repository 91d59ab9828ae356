"""Parts of the XLA modes that the head's tests do not see; test_shift_rules.py judges the gradients themselves."""

import math

import numpy as np
import pytest
import tensorflow as tf

from qssl_tf.quantum.simulation import simulation
from qssl_tf.quantum.spec import circuit_spec
from qssl_tf.quantum.statevector_gradients import _at, differentiated, in_chunks, perturbed, shifted

SEED = tf.constant([1, 2])


def a_run(shots=None, width=3):
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
    run, inputs, weights = a_run()
    rows, shared = run.angles(inputs, weights)
    for gate, controlled in enumerate(run.gates.controlled):
        turn = tf.one_hot(gate, len(run.gates.names))
        row_turn = tf.gather(turn, list(run.program.row_gates))

        def turned(by, turn=turn, row_turn=row_turn):
            return run.states(rows + by * row_turn, shared + by * turn)

        ahead = turned(math.pi).values
        back = turned(-math.pi).values if controlled else -ahead
        np.testing.assert_allclose(_at(shift, turned(0.0), ahead, back).values, turned(shift).values, atol=2e-6)


@pytest.mark.parametrize(
    ("mode", "rows"),
    [*((differentiated, rows) for rows in (1, 2, 3, 7, 100)), *((shifted, rows) for rows in (4, 7, 100))],
)
def test_chunks_do_not_change_exact_values_or_gradients(mode, rows):
    run, inputs, weights = a_run()
    whole = values_and_gradients(mode(run), inputs, weights)
    parts = values_and_gradients(in_chunks(mode(run), rows), inputs, weights)
    for ours, judge in zip(parts, whole, strict=True):
        np.testing.assert_allclose(ours, judge, atol=2e-6)


def test_chunks_of_unknown_batches():
    run, inputs, weights = a_run()
    for rows in (2, 1000):
        chunked = in_chunks(differentiated(run), rows)
        traced = tf.function(lambda x, chunked=chunked: chunked(x, weights, SEED, 0)).get_concrete_function(
            tf.TensorSpec((None, 3))
        )
        np.testing.assert_allclose(traced(inputs), differentiated(run)(inputs, weights, SEED, 0), atol=2e-6)


def test_every_row_draws_its_own_shots():
    run, inputs, weights = a_run(shots=1)
    same = tf.tile(inputs[:1], (400, 1))
    drawn = in_chunks(differentiated(run), 200)(same, weights, SEED, 0).numpy()
    assert np.mean(drawn[:200] == drawn[200:]) < 0.95


def spsa(run):
    spec = circuit_spec(3, "ring", 2)
    return perturbed(run, simulation(spec, spec.circuit, run.shots, all_by_row=True))


@pytest.mark.parametrize(("mode", "rows"), [(differentiated, 1), (differentiated, 3), (shifted, 4), (spsa, 3)])
def test_shots_and_signs_of_a_row_do_not_depend_on_its_chunk(mode, rows):
    """Estimates are multiples of 1/4, so that another draw would show."""
    run, inputs, weights = a_run(shots=8)
    whole = values_and_gradients(mode(run), inputs, weights)
    parts = values_and_gradients(in_chunks(mode(run), rows), inputs, weights)
    for ours, judge in zip(parts, whole, strict=True):
        np.testing.assert_allclose(ours, judge, atol=1e-4)


@pytest.mark.parametrize("mode", [differentiated, shifted, spsa])
def test_shots_and_signs_of_a_row_do_not_depend_on_the_rows_before_it(mode):
    run, inputs, weights = a_run(shots=8)
    whole = mode(run)(inputs, weights, SEED, 0).numpy()
    np.testing.assert_allclose(mode(run)(inputs[4:], weights, SEED, 4).numpy(), whole[4:], atol=1e-4)


def test_equal_seeds_draw_equal_shots_and_others_do_not():
    run, inputs, weights = a_run(shots=20)
    first, again = (differentiated(run)(inputs, weights, SEED, 0).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != differentiated(run)(inputs, weights, SEED + 1, 0).numpy())
