"""A small encoder and a circuit of one's own, with which the runs of this folder were made."""

import cirq
import keras

import qssl_tf as q


@q.register_encoder("tiny")
def tiny(image_shape):
    """Return a network of 40 weights."""
    return keras.Sequential(
        [keras.Input(image_shape), keras.layers.Conv2D(4, 3, 2, activation="relu"), keras.layers.Flatten()]
    )


@q.register_ansatz("brick")
def brick(qubits, weights, layer):
    """Yield a layer of rotations and controlled phases."""
    for qubit in qubits:
        yield cirq.ry(next(weights))(qubit)
    for first in range(layer % 2, len(qubits) - 1, 2):
        yield cirq.CZ(qubits[first], qubits[first + 1])
