"""Cosines of sums of the angles: random Fourier features (Rahimi and Recht 2007), and a series that is trained."""

import math
from typing import Any

import keras
import numpy as np

PHASES = (0.0, -math.pi / 2)  # cos(x), and cos(x - pi/2) = sin(x)


@keras.saving.register_keras_serializable(package="qssl_tf")
class FourierFeatures(keras.layers.Layer):
    """Random Fourier features of the angles, drawn once and never trained.

    Feature k is sqrt(2) cos(w_k x + b_k) with w_k normal of standard deviation 1 / bandwidth and b_k uniform in
    [0, 2 pi). The mean over the features of the products of two rows tends to the Gaussian kernel
    exp(-|x - y|^2 / (2 bandwidth^2)) as their number grows (Rahimi and Recht, Random Features for Large-Scale Kernel
    Machines, NIPS 2007, Algorithm 1, without its factor 1 / sqrt(features), which a linear classifier does not need).

    Input: angles in radians, shape (n, width). Output: shape (n, features), within [-sqrt(2), sqrt(2)].

    Args:
        features: Their number.
        bandwidth: Length scale of the kernel in radians. Of angle encoding prod cos^2((x_i - y_i) / 2), the overlap of
            two encoded states, is near equal angles the Gaussian of sqrt(2).
        seed: Of frequencies and phases.
        **kwargs: Arguments of every Keras layer.
    """

    def __init__(self, features: int, bandwidth: float = 1.414, seed: int = 0, **kwargs: Any):
        """Keep the arguments."""
        super().__init__(**kwargs)
        self.features, self.bandwidth, self.seed = features, bandwidth, seed

    def build(self, input_shape):
        """Draw frequencies and phases; they are kept with the weights of the model."""
        draw = keras.initializers
        normal = draw.RandomNormal(0.0, 1 / self.bandwidth, seed=self.seed)
        uniform = draw.RandomUniform(0.0, 2 * math.pi, seed=self.seed + 1)
        shape = (input_shape[-1], self.features)
        self.frequencies = self.add_weight(name="frequencies", shape=shape, initializer=normal, trainable=False)
        self.phases = self.add_weight(name="phases", shape=shape[1:], initializer=uniform, trainable=False)

    def call(self, inputs):
        """Return the features."""
        return math.sqrt(2) * keras.ops.cos(keras.ops.matmul(inputs, self.frequencies) + self.phases)

    def compute_output_shape(self, input_shape):
        """Return (n, features)."""
        return (input_shape[0], self.features)

    def get_config(self):
        """Return the arguments."""
        return super().get_config() | {"features": self.features, "bandwidth": self.bandwidth, "seed": self.seed}


@keras.saving.register_keras_serializable(package="qssl_tf")
class TrainedCosines(keras.layers.Layer):
    """Cosines with trained frequencies and phases: feature k is cos(w_k x + b_k).

    They begin as the Fourier series of each angle alone, in the order of `harmonics`: with as many features as angles
    the cosines, with twice as many the cosines and sines of `TrigonometricFeatures`. Training then turns and mixes
    them; a circuit's Fourier series (arXiv:2008.08605) has fixed frequencies and trained coefficients.

    Input: angles in radians, shape (n, width). Output: shape (n, features), within [-1, 1].

    Args:
        features: Their number.
        **kwargs: Arguments of every Keras layer.
    """

    def __init__(self, features: int, **kwargs: Any):
        """Keep the arguments."""
        super().__init__(**kwargs)
        self.features = features

    def build(self, input_shape):
        """Make the weights, (width + 1) * features numbers."""
        frequencies, phases = harmonics(input_shape[-1], self.features)
        for name, start in (("frequencies", frequencies), ("phases", phases)):
            # A function and not keras.initializers.Constant, which takes a single number in some versions of Keras.
            weight = self.add_weight(name=name, shape=start.shape, initializer=_constant(start))
            setattr(self, name, weight)

    def call(self, inputs):
        """Return the features."""
        return keras.ops.cos(keras.ops.matmul(inputs, self.frequencies) + self.phases)

    def compute_output_shape(self, input_shape):
        """Return (n, features)."""
        return (input_shape[0], self.features)

    def get_config(self):
        """Return the arguments."""
        return super().get_config() | {"features": self.features}


def _constant(values: np.ndarray):
    return lambda shape, dtype=None: keras.ops.convert_to_tensor(values, dtype)


def harmonics(width: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies (width, features) and phases (features,) of cos x_i, sin x_i, cos 2 x_i, sin 2 x_i and so on.

    Each of these takes all angles in turn before the next begins.
    """
    block, angle = np.divmod(np.arange(features), width)
    frequencies = np.zeros((width, features))
    frequencies[angle, np.arange(features)] = 1 + block // len(PHASES)
    return frequencies, np.array(PHASES)[block % len(PHASES)]
