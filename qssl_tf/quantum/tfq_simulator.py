"""The quantum head on TensorFlow Quantum's simulators: every gradient and channel, on the CPU."""

from collections.abc import Callable

import tensorflow as tf

from qssl_tf.quantum.gatewise import gatewise
from qssl_tf.quantum.inputs import wrapped_angles
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.observables import basis_change, support_mask
from qssl_tf.quantum.spec import CircuitSpec
from qssl_tf.quantum.tfq_gradients import (
    exact_estimator,
    sampled_estimator,
    with_adjoint_gradient,
    with_shift_gradient,
    with_spsa_gradient,
)

Expectations = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def tfq_expectations(
    spec: CircuitSpec, measurement: Measurement, exact: Callable[[tf.Tensor], tf.Tensor]
) -> Expectations:
    """Return (angles (n, input symbols), weights (weights,) or (n, weights), seed, first row) -> (n, observables).

    Seed and first row only determine SPSA's signs; TFQ's shots have no seed.

    Args:
        spec: The circuit.
        measurement: Shots, gradient and noise.
        exact: Values of all symbols (n, symbols) -> exact expectations, with their gradient.
    """

    def symbol_values(angles, weights):
        rows = weights if len(weights.shape) == 2 else tf.tile(weights[tf.newaxis], (tf.shape(angles)[0], 1))
        return tf.concat([wrapped_angles(angles), rows], axis=1)  # (n, symbols)

    if measurement.gradient == "adjoint" and measurement.shots is None:
        return lambda angles, weights, *_: exact(symbol_values(angles, weights))
    symbols = spec.inputs + spec.weights
    if measurement.shots is None:
        gates = gatewise(spec.circuit, symbols)
        estimate = exact_estimator(gates, spec.observables)
    else:
        run = measurement.executed_circuit(spec) + basis_change(spec.observables) + measurement.readout_circuit(spec)
        gates, noisy = gatewise(run, symbols), measurement.partial_measurement or bool(measurement.channels)
        estimate = sampled_estimator(gates, support_mask(spec.observables, spec.qubits), measurement.shots, noisy)
    if measurement.gradient == "spsa":
        with_spsa = with_spsa_gradient(estimate, gates)
        return lambda angles, weights, seed, first_row: with_spsa(symbol_values(angles, weights), seed, first_row)
    choices = {
        "adjoint": lambda: with_adjoint_gradient(estimate, gates, exact),
        "parameter_shift": lambda: with_shift_gradient(estimate, gates),
        "two_term": lambda: with_shift_gradient(estimate, gates, exact=False),
    }
    expectations = choices[measurement.gradient]()
    return lambda angles, weights, *_: expectations(symbol_values(angles, weights))
