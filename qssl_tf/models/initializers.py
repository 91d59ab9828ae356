"""PyTorch's default initializers, which the paper used, with a seed for each layer."""

from typing import Any

import keras
import numpy as np


class SeedStream:
    """One integer seed per layer, in the order of construction, so that equal seeds build equal networks."""

    def __init__(self, seed: int, part: int):
        """Start the stream of one part of the model; streams of different parts are independent."""
        self._rng = np.random.default_rng((seed, part))

    def next(self) -> int:
        """Return the next seed."""
        return int(self._rng.integers(2**31))


def conv_kernel(seed: int) -> keras.initializers.Initializer:
    """Return the He normal initializer with fan-out (arXiv:1502.01852), for convolutions before a ReLU."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal", seed=seed)


def dense(units: int, fan_in: int, seeds: SeedStream, use_bias: bool = True, **arguments: Any):
    """Return a Dense layer with weights and biases initialized uniformly in ±1/sqrt(fan_in).

    Args:
        units: Outputs.
        fan_in: Inputs.
        seeds: Seeds of weights and biases.
        use_bias: Whether there are biases.
        **arguments: Of every Keras layer (`name`, `dtype`).
    """
    return keras.layers.Dense(
        units,
        use_bias=use_bias,
        kernel_initializer=keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=seeds.next()),
        bias_initializer=keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5, seed=seeds.next()),
        **arguments,
    )
