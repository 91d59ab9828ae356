"""The quantum head by TensorFlow Quantum's own simulators: every mode, every channel, on the CPU."""

from collections.abc import Callable

import tensorflow as tf

from qssl_tf.quantum.inputs import folded
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.observables import basis_change, members
from qssl_tf.quantum.shift_rules import exact_estimator, perturbed, sampled_estimator, sampled_forward, shifted
from qssl_tf.quantum.spec import CircuitSpec
from qssl_tf.quantum.splitting import split

Expectations = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def tfq_expectations(spec: CircuitSpec, measured: Measurement, exact: Callable[[tf.Tensor], tf.Tensor]) -> Expectations:
    """Return (angles (n, input symbols), weights (weights,) or (n, weights), seed, first row) -> (n, observables).

    Seed and number of the first row are for SPSA's signs; TFQ draws its shots without a seed.

    Args:
        spec: The circuit.
        measured: How it is executed.
        exact: Values of all symbols (n, symbols) -> exact expectations, with their gradient.
    """

    def joined(angles, weights):
        rows = weights if len(weights.shape) == 2 else tf.tile(weights[tf.newaxis], (tf.shape(angles)[0], 1))
        return tf.concat([folded(angles), rows], axis=1)  # (n, symbols)

    if measured.gradient == "adjoint" and measured.shots is None:
        return lambda angles, weights, *_: exact(joined(angles, weights))
    symbols = spec.inputs + spec.weights
    if measured.shots is None:
        gates = split(spec.circuit, symbols)
        estimate = exact_estimator(gates, spec.observables)
    else:
        run = measured.executed(spec) + basis_change(spec.observables) + measured.readout(spec)
        gates, noisy = split(run, symbols), measured.partial_measurement or bool(measured.channels)
        estimate = sampled_estimator(gates, members(spec.observables, spec.qubits), measured.shots, noisy)
    if measured.gradient == "spsa":
        turned = perturbed(estimate, gates)
        return lambda angles, weights, seed, first_row: turned(joined(angles, weights), seed, first_row)
    choices = {
        "adjoint": lambda: sampled_forward(estimate, gates, exact),
        "parameter_shift": lambda: shifted(estimate, gates),
        "two_term": lambda: shifted(estimate, gates, exact=False),
    }
    chosen = choices[measured.gradient]()
    return lambda angles, weights, *_: chosen(joined(angles, weights))
