"""The base of the augmentation's transforms: a function of images and of random numbers that it is given.

A layer draws nothing itself: `call(images, draws)` gets one row of uniform numbers in [0, 1) for each image, so that
a view is a pure function of its image and its draws. Images are float32 in [0, 1], shape (n, height, width, channels).
"""

import functools
from collections.abc import Callable

import keras
import tensorflow as tf

from qssl_tf.xla import compiled


def uniform(draws: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Map draws of [0, 1) to [low, high)."""
    return low + draws * (high - low)


def chosen(mask: tf.Tensor, changed: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Take `changed` where the image's `mask` (n,) is true, else the image untouched."""
    return tf.where(mask[:, tf.newaxis, tf.newaxis, tf.newaxis], changed, images)


class RandomTransform(keras.layers.Layer):
    """Base of the transforms: `n_draws` numbers an image, `call(images, draws)`."""

    n_draws = 1

    @functools.cached_property
    def compiled(self) -> Callable[..., tf.Tensor]:
        """The same function compiled by XLA, once for each shape: it fuses what else are dozens of passes."""
        return compiled(self)

    def compute_output_shape(self, images_shape, draws_shape=None):
        """Return the shape of the changed images."""
        return images_shape
