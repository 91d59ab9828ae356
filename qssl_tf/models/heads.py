"""HEADS: the representation layer, the only part in which the quantum model and its classical baselines differ."""

from collections.abc import Callable

import keras

from qssl_tf.config import Config
from qssl_tf.errors import unknown_name
from qssl_tf.models.initializers import SeedStream, dense


def quantum(config: Config) -> keras.layers.Layer:
    """Return a parametrized quantum circuit, whose features are expectations in [-1, 1]."""
    from qssl_tf.models.quantum_head import QuantumHead

    seed = SeedStream(config.seed, part=1).next()
    return QuantumHead(
        config.width,
        config.ansatz,
        config.layers,
        encoding=config.encoding,
        observables=config.observables,
        shots=config.shots,
        gradient=config.gradient,
        noise=config.noise,
        noise_level=config.noise_level,
        partial_measurement=config.partial_measurement,
        simulator=config.simulator,
        seed=seed,
        name="head",
    )


def classical(config: Config) -> keras.layers.Layer:
    """Return `layers` Dense layers of equal width with LeakyReLU(0.01): 144 parameters at width 8 with 2 layers."""
    seeds = SeedStream(config.seed, part=1)
    stack: list[keras.layers.Layer] = [keras.Input((config.width,))]
    for _ in range(config.layers):
        stack += [dense(config.width, config.width, seeds), keras.layers.LeakyReLU(negative_slope=0.01)]
    return keras.Sequential(stack, name="head")


def identity(config: Config) -> keras.layers.Layer:
    """Return the identity: the features are the encoder's angles."""
    return keras.layers.Identity(name="head")


@keras.saving.register_keras_serializable(package="qssl_tf")
class TrigonometricFeatures(keras.layers.Layer):
    """The cosines of all angles, then their sines: the functions that a circuit combines, without any weights.

    Input: angles in radians, shape (n, width). Output: shape (n, 2 * width).
    """

    def call(self, inputs):
        """Return cosines and sines."""
        return keras.ops.concatenate([keras.ops.cos(inputs), keras.ops.sin(inputs)], axis=1)

    def compute_output_shape(self, input_shape):
        """Return (n, 2 * width)."""
        return (input_shape[0], 2 * input_shape[1])


def trigonometric(config: Config) -> keras.layers.Layer:
    """Return fixed features of the angles: a baseline with the circuit's functions but none of its weights."""
    return TrigonometricFeatures(name="head")


HEADS: dict[str, Callable[[Config], keras.layers.Layer]] = {
    "quantum": quantum,
    "classical": classical,
    "trigonometric": trigonometric,
    "identity": identity,
}


def head_inputs(config: Config) -> int:
    """Return how many outputs of the encoder the head takes."""
    from qssl_tf.quantum.encodings import ENCODINGS

    return ENCODINGS[config.encoding].input_size(config.width) if config.head == "quantum" else config.width


def build_head(config: Config) -> keras.layers.Layer:
    """Return the head that `config` names: a layer from angles (n, width) to features (n, features)."""
    if config.head not in HEADS:
        raise unknown_name("head", config.head, HEADS)
    head = HEADS[config.head](config)
    head.trainable = config.train_head
    return head
