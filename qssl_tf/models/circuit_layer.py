"""What a quantum head is built on: TensorFlow Quantum's PQC where it can be used, elsewhere a plain layer like it."""

from typing import Any

import keras
import sympy

from qssl_tf.quantum.spec import CircuitSpec
from qssl_tf.quantum.tfq_availability import tensorflow_quantum


class CircuitLayer(keras.layers.Layer):
    """A Keras layer that holds a circuit's weights as `tfq.layers.PQC` does: same names, numbers and files.

    Args:
        spec: The circuit.
        initializer: Of the weights, in radians.
        regularizer: Of the weights.
        constraint: Of the weights.
        **kwargs: Arguments of every Keras layer.
    """

    def __init__(self, spec: CircuitSpec, *, initializer: Any, regularizer: Any = None, constraint: Any = None,
                 **kwargs: Any):  # fmt: skip
        """Make the weights, whose number does not depend on the inputs."""
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)
        self.constraint = keras.constraints.get(constraint)
        self._symbol_names = [str(symbol) for symbol in spec.weights]
        self.parameters = self.add_weight(
            name="parameters",
            shape=(len(spec.weights),),
            initializer=self.initializer,
            regularizer=self.regularizer,
            constraint=self.constraint,
            dtype="float32",
            autocast=False,
        )

    @property
    def symbols(self) -> list[sympy.Symbol]:
        """The symbols of the weights, in their order."""
        return [sympy.Symbol(name) for name in self._symbol_names]

    def symbol_values(self) -> dict[sympy.Symbol, float]:
        """Return each symbol's weight."""
        return dict(zip(self.symbols, self.parameters.numpy(), strict=True))


def circuit_layer() -> Any:
    """Return the class to build on; a dynamic base class has no static type."""
    if tensorflow_quantum() is None:
        return CircuitLayer
    from qssl_tf.models.pqc_layer import PQCLayer

    return PQCLayer
