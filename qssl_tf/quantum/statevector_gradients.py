"""Every mode of the quantum head by state vectors, as functions for XLA to compile.

They take the encoding's angles (n, input symbols), the weights (weights,), a seed (two integers) and the number of the
first row in the whole batch to expectations (n, observables). Only shots and perturbations read the last two: a row has
the same ones in any chunk and on any replica. All angles are in radians.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from qssl_tf.quantum.rows import Rows, probabilities, signs
from qssl_tf.quantum.sampling import uniform
from qssl_tf.quantum.simulation import Simulation
from qssl_tf.quantum.splitting import FOUR_TERMS, SPSA_STEP, TWO_TERMS

Expectations = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
Terms = Sequence[tuple[float, float]]


def differentiated(run: Simulation) -> Expectations:
    """Return expectations whose gradient is that of the exact ones."""

    def expectations(inputs, weights, seed, first_row):
        states = run.states(*run.angles(inputs, weights))
        true = run.exact(states)
        return true if run.shots is None else true + tf.stop_gradient(run.estimate(states, seed, first_row) - true)

    return expectations


def shifted(run: Simulation, exact: bool = True) -> Expectations:
    """Return expectations differentiated by parameter shifts, each term from fresh shots.

    Args:
        run: The circuit.
        exact: Take four terms for controlled gates, see `splitting.shift_terms`.
    """
    own = list(run.program.row_gates)
    to_rows = np.eye(len(run.gates.names), dtype=np.float32)[own]  # (row gates, gates)
    not_own = 1 - to_rows.sum(axis=0)  # (gates,)
    controlled = run.gates.controlled
    # An uncontrolled rotation by -pi is that by pi with another sign: one run through the circuit is enough.
    kinds = (
        (np.flatnonzero(~controlled), TWO_TERMS, (1.0,)),
        (np.flatnonzero(controlled), FOUR_TERMS if exact else TWO_TERMS, (1.0, -1.0)),
    )

    @tf.custom_gradient
    def of_angles(rows, shared, seed, first_row):
        states = run.states(rows, shared)

        def backward(upstream):
            order, _ = probabilities(states)
            values = tf.matmul(signs(run.members, order), upstream, transpose_b=True)  # (2^width, n)

            def slope(gate: tf.Tensor, terms: Terms, ways: Sequence[float]) -> tf.Tensor:
                turn = math.pi * tf.one_hot(gate, len(not_own))
                row_turn = tf.linalg.matvec(to_rows, turn)

                def turned_by(way: tf.Tensor) -> tf.Tensor:
                    return run.states(rows + way * row_turn, shared + way * turn).values

                turned = tf.map_fn(turned_by, tf.constant(ways))
                ahead, back = turned[0], turned[1] if len(ways) == 2 else -turned[0]
                chances = [probabilities(_at(shift, states, ahead, back))[1] for shift, _ in terms]
                own_seed = tf.random.experimental.stateless_fold_in(seed, gate)
                means = run.weighted(chances, values, own_seed, first_row)
                return tf.linalg.matvec(means, [factor for _, factor in terms], transpose_a=True)  # (n,)

            by_gate = _of_each(slope, kinds)  # (gates, n)
            by_row = tf.matmul(by_gate, to_rows, transpose_a=True, transpose_b=True)  # (n, row gates)
            return by_row, tf.reduce_sum(by_gate, axis=1) * not_own, None, None

        return run.estimate(states, seed, first_row), backward

    return lambda inputs, weights, seed, first_row: of_angles(*run.angles(inputs, weights), seed, first_row)


def _at(shift: float, states: Rows, ahead: tf.Tensor, back: tf.Tensor) -> Rows:
    """Return the states with one gate turned by `shift`, from those with it turned by 0, pi and -pi.

    A gate T_0 + cos(angle/2) T_1 + sin(angle/2) T_2 is a linear function of the cosine and sine of half its shift, and
    three shifts fix it; so all terms of a gate share two runs through the circuit. Their shots are fresh.
    """
    cosine, sine = math.cos(shift / 2), math.sin(shift / 2)
    even = (1 - cosine) / 2
    values = cosine * states.values + (even + sine / 2) * ahead + (even - sine / 2) * back
    return Rows(states.order, values)


def _of_each(slope: Callable[..., tf.Tensor], kinds) -> tf.Tensor:
    """Return the slope by each gate, shape (gates, n), one gate after the other so that memory stays bounded."""
    parts = [
        tf.map_fn(lambda gate, how=how: slope(gate, *how), tf.constant(gates), fn_output_signature=tf.float32)
        for gates, *how in kinds
        if len(gates)
    ]
    place = np.argsort(np.concatenate([gates for gates, *_ in kinds]))
    return tf.gather(tf.concat(parts, axis=0), place)


def perturbed(run: Simulation, by_row: Simulation) -> Expectations:
    """Return expectations differentiated by simultaneous perturbation, as `shift_rules.perturbed`.

    Args:
        run: The circuit.
        by_row: The same with an angle for each row in every gate, since each row has its own signs.
    """

    @tf.custom_gradient
    def expectations(inputs, weights, seed, first_row):
        def backward(upstream):
            n, count = tf.shape(inputs)[0], inputs.shape[1] + weights.shape[0]
            seeds = [tf.random.experimental.stateless_fold_in(seed, number) for number in (1, 2, 3)]
            coins = uniform(seeds[0], first_row, n, count)
            signs = 2.0 * tf.cast(coins < 0.5, tf.float32) - 1.0
            by_inputs, by_weights = tf.split(signs, [inputs.shape[1], weights.shape[0]], axis=1)

            def turned(way, key):
                step = way * SPSA_STEP
                angles = by_row.angles(inputs + step * by_inputs, weights + step * by_weights)
                return by_row.estimate(by_row.states(*angles), key, first_row)

            ahead, back = turned(1.0, seeds[1]), turned(-1.0, seeds[2])
            slope = tf.reduce_sum((ahead - back) * upstream, axis=1, keepdims=True) / (2.0 * SPSA_STEP)  # (n, 1)
            return slope * by_inputs, tf.reduce_sum(slope * by_weights, axis=0), None, None

        return run.estimate(run.states(*run.angles(inputs, weights)), seed, first_row), backward

    return expectations


def in_chunks(expectations: Expectations, rows_at_once: int) -> Expectations:
    """Return the same function with at most `rows_at_once` rows in memory, their forward pass repeated for gradients.

    A batch of one chunk is passed on as it is.
    """

    @tf.custom_gradient
    def chunked(inputs, weights, seed, first_row):
        n = tf.shape(inputs)[0]
        count = -(-n // rows_at_once)
        rows = -(-n // count)  # chunks of equal size: a last one of few rows would cost as much as the others

        def parted(values: tf.Tensor) -> tf.Tensor:
            return tf.reshape(tf.pad(values, [[0, count * rows - n], [0, 0]]), (count, rows, values.shape[1]))

        chunks = parted(inputs)
        numbers = tf.range(count)

        def of_chunk(chunk, number):
            return expectations(chunk, weights, seed, first_row + number * rows)

        def backward(upstream):
            def gradients(entry):
                chunk, number, above = entry
                with tf.GradientTape() as tape:
                    tape.watch([chunk, weights])
                    values = of_chunk(chunk, number)
                return tuple(tape.gradient(values, [chunk, weights], above))

            kinds = (tf.float32, tf.float32)
            by_inputs, by_weights = tf.map_fn(gradients, (chunks, numbers, parted(upstream)), fn_output_signature=kinds)
            by_inputs = tf.reshape(by_inputs, (-1, inputs.shape[1]))[:n]
            return by_inputs, tf.reduce_sum(by_weights, axis=0), None, None

        values = tf.map_fn(lambda entry: of_chunk(*entry), (chunks, numbers), fn_output_signature=tf.float32)
        return tf.reshape(values, (-1, values.shape[-1]))[:n], backward

    def chosen(inputs, weights, seed, first_row):
        n = inputs.shape[0]
        return (expectations if n is not None and n <= rows_at_once else chunked)(inputs, weights, seed, first_row)

    return chosen
