"""TensorFlow Quantum's PQC on Keras 3, built from a CircuitSpec; only imported where it can be used."""

from typing import Any

import tensorflow as tf
import tensorflow_quantum as tfq

from qssl_tf.quantum.spec import CircuitSpec


class PQCLayer(tfq.layers.PQC):
    """`tfq.layers.PQC` with a circuit's weights, and with the exact expectations of the whole circuit.

    Args:
        spec: The circuit.
        **kwargs: `initializer`, `regularizer` and `constraint` of the weights, and arguments of every Keras layer.
    """

    def __init__(self, spec: CircuitSpec, **kwargs: Any):
        """Build the layer; its differentiator is exact."""
        super().__init__(
            spec.ansatz, list(spec.observables), differentiator=tfq.differentiators.Adjoint(), **kwargs
        )  # fmt: skip
        self._executor.dtype_policy = "float32"  # a layer too, which would otherwise cast by the global policy
        self._circuit = tfq.convert_to_tensor([spec.circuit])
        self._names = tf.constant([str(symbol) for symbol in spec.inputs + spec.weights])

    def add_weight(self, name=None, shape=None, **kwargs):
        """Add a weight without autocast; PQC passes the name first, where Keras 3 expects the shape."""
        return super().add_weight(shape=shape, name=name, autocast=False, **kwargs)

    def exact(self, values: tf.Tensor) -> tf.Tensor:
        """Return TensorFlow Quantum's exact expectations for rows of (input symbols, weights)."""
        n = tf.shape(values)[0]
        return self._executor(
            tf.repeat(self._circuit, n),
            symbol_names=self._names,
            symbol_values=values,
            operators=tf.repeat(self._operators, n, axis=0),
        )
