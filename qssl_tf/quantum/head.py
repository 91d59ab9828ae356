"""QuantumHead: TensorFlow Quantum's PQC layer on Keras 3, fed with angles instead of circuits."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_quantum as tfq

from qssl_tf.quantum.circuits import circuit_spec
from qssl_tf.quantum.frozen import frozen_expectations


@keras.saving.register_keras_serializable(package="qssl_tf")
class QuantumHead(tfq.layers.PQC):
    """A parametrized quantum circuit between angles and expectation values (arXiv:2103.14653, Fig. 2).

    Input: float32, shape (n, width): one angle for each qubit, in radians.
    Output: float32, shape (n, width): the expectation of Z of each qubit, in [-1, 1], in the order of the qubits.

    The expectations are exact and their gradients, to angles and weights, come from TFQ's adjoint differentiation.
    Weights start from a normal distribution with standard deviation 1 / sqrt(width), as the paper's.

    Args:
        width: Number of qubits.
        ansatz: Name in `circuits.ANSATZE`.
        layers: Layers of the ansatz.
        seed: Seed of the initial weights; None draws one.

    Raises:
        UserError: The ansatz does not exist or not on this width.
    """

    def __init__(self, width: int = 8, ansatz: str = "ring", layers: int = 2, seed: int | None = None, **kwargs: Any):
        """Build the circuit and the weights."""
        self.spec = circuit_spec(width, ansatz, layers)
        super().__init__(
            self.spec.ansatz,
            list(self.spec.observables),
            differentiator=tfq.differentiators.Adjoint(),
            initializer=keras.initializers.RandomNormal(stddev=width**-0.5, seed=seed),
            **kwargs,
        )
        self.width, self.ansatz, self.layers, self.seed = width, ansatz, layers, seed
        self._circuit = tfq.convert_to_tensor([self.spec.circuit])
        self._names = tf.constant([str(symbol) for symbol in self.spec.inputs + self.spec.weights])
        self.supports_jit = False  # TFQ's operations have no XLA kernels

    def add_weight(self, name=None, shape=None, **kwargs):
        """Add a weight; PQC passes the name first, where Keras 3 expects the shape."""
        return super().add_weight(shape=shape, name=name, **kwargs)

    def call(self, inputs):
        """Return the expectations for each row of angles."""
        n = tf.shape(inputs)[0]
        values = tf.concat([inputs, tf.tile(self.parameters[tf.newaxis], (n, 1))], axis=1)  # (n, inputs + weights)
        return self._executor(
            tf.repeat(self._circuit, n),
            symbol_names=self._names,
            symbol_values=values,
            operators=tf.repeat(self._operators, n, axis=0),
        )

    def frozen(self, angles: np.ndarray) -> np.ndarray:
        """Return what `call` returns, for weights that stand still: fast, without gradients, for any number of rows."""
        return frozen_expectations(self.spec, self.parameters.numpy(), angles)

    def compute_output_shape(self, input_shape):
        """Return (n, number of observables)."""
        return (input_shape[0], len(self.spec.observables))

    def get_config(self):
        """Return the constructor's arguments: names and integers, no circuit."""
        config = keras.layers.Layer.get_config(self)
        return config | {"width": self.width, "ansatz": self.ansatz, "layers": self.layers, "seed": self.seed}
