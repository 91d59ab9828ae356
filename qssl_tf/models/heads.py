"""HEADS: the representation layer, the only part in which the quantum model and its classical baselines differ."""

from collections.abc import Callable

import keras

from qssl_tf.config import Config
from qssl_tf.errors import unknown_name
from qssl_tf.models.fourier import FourierFeatures, TrainedCosines
from qssl_tf.models.initializers import SeedStream, dense
from qssl_tf.models.trigonometric import TrigonometricFeatures


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


def trigonometric(config: Config) -> keras.layers.Layer:
    """Return fixed features of the angles: a baseline with the circuit's functions but none of its weights."""
    return TrigonometricFeatures(config.head_features, name="head")


def fourier(config: Config) -> keras.layers.Layer:
    """Return random Fourier features of the angles, drawn with the run's seed and never trained."""
    seed = SeedStream(config.seed, part=1).next()
    return FourierFeatures(head_features(config), config.head_bandwidth, seed, name="head")


def cosines(config: Config) -> keras.layers.Layer:
    """Return cosines whose frequencies and phases are trained: 72 parameters for 8 features of 8 angles."""
    return TrainedCosines(head_features(config), name="head")


def mlp(config: Config) -> keras.layers.Layer:
    """Return `layers` Dense layers with ReLU between them, `head_hidden` units in all but the last."""
    seeds, inputs = SeedStream(config.seed, part=1), config.width
    stack: list[keras.layers.Layer] = [keras.Input((inputs,))]
    for _ in range(config.layers - 1):
        stack += [dense(config.head_hidden, inputs, seeds), keras.layers.ReLU()]
        inputs = config.head_hidden
    return keras.Sequential([*stack, dense(head_features(config), inputs, seeds)], name="head")


HEADS: dict[str, Callable[[Config], keras.layers.Layer]] = {
    "quantum": quantum,
    "classical": classical,
    "trigonometric": trigonometric,
    "fourier": fourier,
    "cosines": cosines,
    "mlp": mlp,
    "identity": identity,
}


def head_features(config: Config) -> int:
    """Return the number of features that the head returns."""
    width = config.width
    if config.head != "quantum":
        return config.head_features or (2 * width if config.head == "trigonometric" else width)
    counts = {"z": width, "z_zz": width * (width + 1) // 2}
    return counts.get(config.observables, config.observables.count(",") + 1)


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
