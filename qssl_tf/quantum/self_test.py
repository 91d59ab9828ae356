"""A short test of this installation: are the gradients of a small quantum head right, on every simulator there is?"""

import numpy as np
import tensorflow as tf

from qssl_tf.quantum.head import QuantumHead

STEP = 1e-2  # radians; central differences then err by about 1e-4, float32 by 1e-5
TOLERANCE = 2e-3


def gradient_errors(width: int = 3) -> dict[str, float]:
    """Return, for each simulator, the largest error of a gradient by weights and angles against central differences.

    Args:
        width: Qubits of the circuit, a ring of one layer.
    """
    angles = np.random.default_rng(0).uniform(0.2, 2.9, (2, width)).astype(np.float32)
    return {name: _error(QuantumHead(width, "ring", 1, simulator=name, seed=0), angles) for name in ("xla", "tfq")}


def _error(head: QuantumHead, angles: np.ndarray) -> float:
    head.build((None, angles.shape[1]))
    x, coefficients = tf.Variable(angles), np.arange(1.0, angles.shape[1] + 1, dtype=np.float32)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(head(x) * coefficients)
    found = tape.gradient(value, [x, head.parameters.value])
    variables = (x, head.parameters)
    return max(
        abs(float(tf.reshape(gradient, -1)[place]) - _difference(head, coefficients, x, variable, place))
        for gradient, variable in zip(found, variables, strict=True)
        for place in range(int(np.prod(variable.shape)))
    )


def _difference(head: QuantumHead, coefficients: np.ndarray, x: tf.Variable, variable, place: int) -> float:
    """Return the central difference of the weighted expectations by one entry of a variable."""
    before, values = variable.numpy(), []
    for sign in (1, -1):
        moved = before.copy()
        moved.flat[place] += sign * STEP
        variable.assign(moved)
        values.append(float(tf.reduce_sum(head(x) * coefficients)))
    variable.assign(before)
    return (values[0] - values[1]) / (2 * STEP)
