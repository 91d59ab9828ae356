"""Base class of the augmentation's transforms: pure functions of images and random numbers.

A layer has no random state: `call(images, draws)` gets a row of uniform numbers in [0, 1) for each image, so a view is
a pure function of its image and its draws. Images are float32 in [0, 1], shape (n, height, width, channels).
"""

import functools
from collections.abc import Callable

import keras
import tensorflow as tf

from qssl_tf.xla import compiled


def uniform(draws: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Map draws from [0, 1) to [low, high)."""
    return low + draws * (high - low)


def select(mask: tf.Tensor, transformed: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Return `transformed` for images whose `mask` (n,) is true, else the image itself."""
    return tf.where(mask[:, tf.newaxis, tf.newaxis, tf.newaxis], transformed, images)


class RandomTransform(keras.layers.Layer):
    """Base of the transforms, which take `n_draws` numbers per image: `call(images, draws)`."""

    n_draws = 1

    @functools.cached_property
    def compiled(self) -> Callable[..., tf.Tensor]:
        """The layer compiled by XLA, once per shape, which fuses dozens of passes over the images."""
        return compiled(self)

    def compute_output_shape(self, images_shape, draws_shape=None):
        """Return the shape of the transformed images."""
        return images_shape
