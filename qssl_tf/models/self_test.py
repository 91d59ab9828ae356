"""A short self-test of the installation: the gradients of a small quantum head on every simulator there is."""

import numpy as np
import tensorflow as tf

from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.tfq_availability import tensorflow_quantum

STEP = 1e-2  # radians; central differences then err by about 1e-4, float32 by 1e-5
TOLERANCE = 2e-3


def gradient_errors(width: int = 3) -> dict[str, float]:
    """Return each simulator's largest gradient error, in weights and angles, against central differences.

    Args:
        width: Qubits of the circuit, a ring of one layer.
    """
    angles = np.random.default_rng(0).uniform(0.2, 2.9, (2, width)).astype(np.float32)
    names = ("xla", "tfq", "pauli") if tensorflow_quantum() else ("xla", "pauli")
    heads = {name: QuantumHead(width, "ring", 1, simulator=name, seed=0) for name in names}
    return {name: _largest_error(head, angles) for name, head in heads.items()}


def _largest_error(head: QuantumHead, angles: np.ndarray) -> float:
    head.build((None, angles.shape[1]))
    x, coefficients = tf.Variable(angles), np.arange(1.0, angles.shape[1] + 1, dtype=np.float32)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(head(x) * coefficients)
    gradients = tape.gradient(value, [x, head.parameters.value])
    variables = (x, head.parameters)
    return max(
        abs(float(tf.reshape(gradient, -1)[index]) - _central_difference(head, coefficients, x, variable, index))
        for gradient, variable in zip(gradients, variables, strict=True)
        for index in range(int(np.prod(variable.shape)))
    )


def _central_difference(head: QuantumHead, coefficients: np.ndarray, x: tf.Variable, variable, index: int) -> float:
    """Return the central difference of the weighted expectations in one entry of a variable."""
    original, values = variable.numpy(), []
    for sign in (1, -1):
        shifted_values = original.copy()
        shifted_values.flat[index] += sign * STEP
        variable.assign(shifted_values)
        values.append(float(tf.reduce_sum(head(x) * coefficients)))
    variable.assign(original)
    return (values[0] - values[1]) / (2 * STEP)
