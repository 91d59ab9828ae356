"""All gradients of the quantum head on state vectors, as functions that XLA compiles.

They map the encoding's angles (n, input symbols), the weights (weights,), a seed (two integers) and the index of the
first row in the whole batch to expectations (n, observables). The last two only matter for shots and perturbations,
which are the same for a row in any chunk and on any replica. All angles are in radians.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from qssl_tf.quantum.batched_states import BatchedStates, eigenvalues, probabilities
from qssl_tf.quantum.gradient_rules import FOUR_TERMS, SPSA_STEP, TWO_TERMS
from qssl_tf.quantum.sampling import uniform
from qssl_tf.quantum.simulation import Simulation

Expectations = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
Terms = Sequence[tuple[float, float]]


def with_adjoint_gradient(run: Simulation) -> Expectations:
    """Return expectations, exact or from shots, with the gradient of the exact ones."""

    def expectations(inputs, weights, seed, first_row):
        states = run.states(*run.angles(inputs, weights))
        true = run.exact(states)
        return true if run.shots is None else true + tf.stop_gradient(run.estimate(states, seed, first_row) - true)

    return expectations


def with_shift_gradient(run: Simulation, exact: bool = True) -> Expectations:
    """Return expectations differentiated by parameter shifts, each term estimated from new shots.

    Args:
        run: The circuit.
        exact: Use four terms for controlled gates, see `gradient_rules.shift_terms`.
    """
    row_gates = list(run.program.row_gates)
    to_rows = np.eye(len(run.gates.names), dtype=np.float32)[row_gates]  # (row gates, gates)
    shared_gates = 1 - to_rows.sum(axis=0)  # (gates,)
    controlled = run.gates.controlled
    # Without controls, the rotations by pi and -pi differ only in sign: one run of the circuit serves both.
    kinds = (
        (np.flatnonzero(~controlled), TWO_TERMS, (1.0,)),
        (np.flatnonzero(controlled), FOUR_TERMS if exact else TWO_TERMS, (1.0, -1.0)),
    )

    @tf.custom_gradient
    def of_angles(rows, shared, seed, first_row):
        states = run.states(rows, shared)

        def backward(upstream):
            order, _ = probabilities(states)
            values = tf.matmul(eigenvalues(run.support_mask, order), upstream, transpose_b=True)  # (2^width, n)

            def slope(gate: tf.Tensor, terms: Terms, signs: Sequence[float]) -> tf.Tensor:
                shared_turn = math.pi * tf.one_hot(gate, len(shared_gates))
                row_turn = tf.linalg.matvec(to_rows, shared_turn)

                def rotated_by(sign: tf.Tensor) -> tf.Tensor:
                    return run.states(rows + sign * row_turn, shared + sign * shared_turn).values

                rotated = tf.map_fn(rotated_by, tf.constant(signs))
                ahead, back = rotated[0], rotated[1] if len(signs) == 2 else -rotated[0]
                distributions = [probabilities(_shifted_states(shift, states, ahead, back))[1] for shift, _ in terms]
                gate_seed = tf.random.experimental.stateless_fold_in(seed, gate)
                means = run.weighted_means(distributions, values, gate_seed, first_row)
                return tf.linalg.matvec(means, [factor for _, factor in terms], transpose_a=True)  # (n,)

            by_gate = _slopes(slope, kinds)  # (gates, n)
            by_row = tf.matmul(by_gate, to_rows, transpose_a=True, transpose_b=True)  # (n, row gates)
            return by_row, tf.reduce_sum(by_gate, axis=1) * shared_gates, None, None

        return run.estimate(states, seed, first_row), backward

    return lambda inputs, weights, seed, first_row: of_angles(*run.angles(inputs, weights), seed, first_row)


def _shifted_states(shift: float, states: BatchedStates, ahead: tf.Tensor, back: tf.Tensor) -> BatchedStates:
    """Return the states with one gate shifted by `shift`, given those with shifts of 0, pi and -pi.

    A gate T_0 + cos(angle/2) T_1 + sin(angle/2) T_2 is affine in the cosine and sine of half its shift, so three
    shifts determine it, and all terms of a gate share two runs of the circuit. Their shots are independent.
    """
    cosine, sine = math.cos(shift / 2), math.sin(shift / 2)
    even = (1 - cosine) / 2
    values = cosine * states.values + (even + sine / 2) * ahead + (even - sine / 2) * back
    return BatchedStates(states.order, values)


def _slopes(slope: Callable[..., tf.Tensor], kinds) -> tf.Tensor:
    """Return the slope for each gate, shape (gates, n), one gate at a time to bound memory."""
    parts = [
        tf.map_fn(lambda gate, rule=rule: slope(gate, *rule), tf.constant(gates), fn_output_signature=tf.float32)
        for gates, *rule in kinds
        if len(gates)
    ]
    gate_order = np.argsort(np.concatenate([gates for gates, *_ in kinds]))
    return tf.gather(tf.concat(parts, axis=0), gate_order)


def with_spsa_gradient(run: Simulation, by_row: Simulation) -> Expectations:
    """Return expectations differentiated by simultaneous perturbation, as `tfq_gradients.with_spsa_gradient`.

    Args:
        run: The circuit.
        by_row: The same circuit with a separate angle for each row in every gate, since each row has its own signs.
    """

    @tf.custom_gradient
    def expectations(inputs, weights, seed, first_row):
        def backward(upstream):
            n, count = tf.shape(inputs)[0], inputs.shape[1] + weights.shape[0]
            seeds = [tf.random.experimental.stateless_fold_in(seed, number) for number in (1, 2, 3)]
            coins = uniform(seeds[0], first_row, n, count)
            signs = 2.0 * tf.cast(coins < 0.5, tf.float32) - 1.0
            by_inputs, by_weights = tf.split(signs, [inputs.shape[1], weights.shape[0]], axis=1)

            def rotated(sign, key):
                step = sign * SPSA_STEP
                angles = by_row.angles(inputs + step * by_inputs, weights + step * by_weights)
                return by_row.estimate(by_row.states(*angles), key, first_row)

            ahead, back = rotated(1.0, seeds[1]), rotated(-1.0, seeds[2])
            slope = tf.reduce_sum((ahead - back) * upstream, axis=1, keepdims=True) / (2.0 * SPSA_STEP)  # (n, 1)
            return slope * by_inputs, tf.reduce_sum(slope * by_weights, axis=0), None, None

        return run.estimate(run.states(*run.angles(inputs, weights)), seed, first_row), backward

    return expectations


def in_chunks(expectations: Expectations, rows_at_once: int) -> Expectations:
    """Return the same function, evaluated on at most `rows_at_once` rows at a time.

    The backward pass repeats the forward pass of each chunk. A batch that fits into one chunk is not split.
    """

    @tf.custom_gradient
    def chunked(inputs, weights, seed, first_row):
        n = tf.shape(inputs)[0]
        count = tf.maximum(1, -(-n // rows_at_once))  # one chunk of no rows for an empty batch
        rows = -(-n // count)  # equal chunks, since a small last one would cost as much as a full one

        def in_equal_chunks(values: tf.Tensor) -> tf.Tensor:
            return tf.reshape(tf.pad(values, [[0, count * rows - n], [0, 0]]), (count, rows, values.shape[1]))

        chunks = in_equal_chunks(inputs)
        numbers = tf.range(count)

        def chunk_expectations(chunk, number):
            return expectations(chunk, weights, seed, first_row + number * rows)

        def backward(upstream):
            def gradients(entry):
                chunk, number, above = entry
                with tf.GradientTape() as tape:
                    tape.watch([chunk, weights])
                    values = chunk_expectations(chunk, number)
                return tuple(tape.gradient(values, [chunk, weights], above))

            kinds = (tf.float32, tf.float32)
            by_inputs, by_weights = tf.map_fn(
                gradients, (chunks, numbers, in_equal_chunks(upstream)), fn_output_signature=kinds
            )
            by_inputs = tf.reshape(by_inputs, (-1, inputs.shape[1]))[:n]
            return by_inputs, tf.reduce_sum(by_weights, axis=0), None, None

        values = tf.map_fn(lambda entry: chunk_expectations(*entry), (chunks, numbers), fn_output_signature=tf.float32)
        return tf.reshape(values, (-1, values.shape[-1]))[:n], backward

    def maybe_chunked(inputs, weights, seed, first_row):
        n = inputs.shape[0]
        return (expectations if n is not None and n <= rows_at_once else chunked)(inputs, weights, seed, first_row)

    return maybe_chunked
