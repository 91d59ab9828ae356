"""Expectations on TFQ's simulators with gradients that a device could measure.

An estimator maps angles (n, gates) to expectations (n, observables) without a gradient; the functions here add one.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_quantum as tfq
from tensorflow_quantum.core.ops import tfq_simulate_ops
from tensorflow_quantum.core.ops.noise import noisy_samples_op

from qssl_tf.quantum.gatewise import GatewiseCircuit
from qssl_tf.quantum.gradient_rules import SPSA_STEP, shift_terms
from qssl_tf.quantum.sampling import uniform

Estimator = Callable[[tf.Tensor], tf.Tensor]


def exact_estimator(circuit: GatewiseCircuit, observables) -> Estimator:
    """Return an exact estimator on TFQ's state-vector simulator."""
    program, names = tfq.convert_to_tensor([circuit.circuit]), tf.constant(circuit.names)
    operators = tfq.convert_to_tensor([list(observables)])

    def estimate(angles: tf.Tensor) -> tf.Tensor:
        n = tf.shape(angles)[0]
        return tfq_simulate_ops.tfq_simulate_expectation(
            tf.repeat(program, n), names, angles, tf.repeat(operators, n, axis=0)
        )

    return estimate


def sampled_estimator(circuit: GatewiseCircuit, support_mask: np.ndarray, shots: int, noisy: bool) -> Estimator:
    """Return an estimator from shots that all observables share.

    TFQ's sampled expectation draws new shots for each observable, which costs more and loses their covariance; so bit
    strings are sampled instead, and the observables computed from them.

    Args:
        circuit: Ends in the basis in which each observable is a product of Z; may hold channels if `noisy`.
        support_mask: 1 where a qubit belongs to an observable, shape (width, observables).
        shots: Bit strings per row.
        noisy: Whether the circuit has channels, which are sampled as trajectories, a new one for each shot.
    """
    program, names = tfq.convert_to_tensor([circuit.circuit]), tf.constant(circuit.names)
    sample = noisy_samples_op.samples if noisy else tfq_simulate_ops.tfq_simulate_samples
    support = tf.constant(support_mask, tf.float32)

    def estimate(angles: tf.Tensor) -> tf.Tensor:
        n = tf.shape(angles)[0]
        bits = sample(tf.repeat(program, n), names, angles, tf.constant([shots], tf.int32))
        dense = bits.to_tensor() if isinstance(bits, tf.RaggedTensor) else bits
        bits = tf.cast(dense, tf.float32)  # (n, shots, width), qubit 0 first
        ones = tf.tensordot(bits, support, 1)  # (n, shots, observables)
        return tf.reduce_mean(1.0 - 2.0 * tf.math.floormod(ones, 2.0), axis=1)

    return estimate


def with_shift_gradient(
    estimate: Estimator, circuit: GatewiseCircuit, exact: bool = True
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return values (n, symbols) -> expectations (n, observables), differentiated by parameter shifts.

    Each term of the gradient is a new estimate. `exact` selects the rule for controlled gates, see `shift_terms`.
    """
    matrix, offset = tf.constant(circuit.matrix), tf.constant(circuit.offset)
    gates, shifts, coefficients = (tf.constant(part) for part in shift_terms(circuit, exact))
    count = len(circuit.names)

    @tf.custom_gradient
    def expectations(values: tf.Tensor):
        angles = tf.matmul(values, matrix) + offset  # (n, gates)

        def backward(upstream: tf.Tensor) -> tf.Tensor:
            def term(entry) -> tf.Tensor:
                gate, shift, coefficient = entry
                shifted_expectations = estimate(angles + shift * tf.one_hot(gate, count))
                return coefficient * tf.reduce_sum(shifted_expectations * upstream, axis=1)  # (n,)

            # One term at a time, so that only the shots of one batch are in memory.
            parts = tf.map_fn(term, (gates, shifts, coefficients), fn_output_signature=tf.float32)  # (terms, n)
            by_gate = tf.math.unsorted_segment_sum(parts, gates, count)  # (gates, n)
            return tf.matmul(by_gate, matrix, transpose_a=True, transpose_b=True)  # (n, symbols)

        return estimate(angles), backward

    return expectations


def with_spsa_gradient(
    estimate: Estimator, circuit: GatewiseCircuit
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return (values, seed of shape (2,), first row) -> expectations, differentiated by simultaneous perturbation.

    This is SPSA (Spall, IEEE TAC 37, 1992): all symbols of a row are shifted at once by ±SPSA_STEP with random signs,
    so two estimates suffice for any circuit. The bias is of second order in the step; the variance grows with the
    number of symbols.

    Args:
        estimate: The estimator.
        circuit: Its gates.
    """
    matrix, offset = tf.constant(circuit.matrix), tf.constant(circuit.offset)

    @tf.custom_gradient
    def expectations(values: tf.Tensor, seed: tf.Tensor, first_row: tf.Tensor):
        def backward(upstream: tf.Tensor):
            coins = uniform(seed, first_row, tf.shape(values)[0], values.shape[1])  # those of a row on any replica
            signs = 2.0 * tf.cast(coins < 0.5, tf.float32) - 1.0
            ahead, behind = (
                estimate(tf.matmul(values + way * SPSA_STEP * signs, matrix) + offset) for way in (1.0, -1.0)
            )
            slope = tf.reduce_sum((ahead - behind) * upstream, axis=1, keepdims=True) / (2.0 * SPSA_STEP)  # (n, 1)
            return slope * signs, None, None

        return estimate(tf.matmul(values, matrix) + offset), backward

    return expectations


def with_adjoint_gradient(estimate: Estimator, circuit: GatewiseCircuit, exact: Callable[[tf.Tensor], tf.Tensor]):
    """Return values -> expectations from shots, with the gradient of the exact ones.

    Args:
        estimate: The sampling estimator.
        circuit: Its gates.
        exact: values -> exact expectations, with their own gradient.
    """
    matrix, offset = tf.constant(circuit.matrix), tf.constant(circuit.offset)

    def expectations(values: tf.Tensor) -> tf.Tensor:
        exact_values = exact(values)
        return exact_values + tf.stop_gradient(estimate(tf.matmul(values, matrix) + offset) - exact_values)

    return expectations
