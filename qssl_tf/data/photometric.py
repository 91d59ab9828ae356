"""Photometric transforms: colour jitter, grayscale."""

from typing import Any

import keras
import tensorflow as tf

from qssl_tf.data.transform import RandomTransform, select, uniform

GRAY_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R 601, as in PIL and torchvision


def grayscale(images: tf.Tensor) -> tf.Tensor:
    """Return the luminance of `images`, shape (n, height, width, 1); a single channel is the luminance."""
    if images.shape[-1] == 1:
        return images
    return tf.tensordot(images, tf.constant(GRAY_WEIGHTS), 1)[..., tf.newaxis]


@keras.saving.register_keras_serializable(package="qssl_tf")
class RandomColorJitter(RandomTransform):
    """With `probability`, change brightness, contrast, saturation and hue in a random order.

    The first three are multiplicative, with a factor in [1 - strength, 1 + strength] (at least 0); hue is rotated by
    up to `hue` of a full circle. Values are clipped to [0, 1] after each change. Saturation and hue have no effect on
    images with one channel.
    """

    n_draws = 9  # one for the probability, four strengths, four for the order

    def __init__(
        self,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.4,
        hue: float = 0.1,
        probability: float = 0.8,
        **kwargs: Any,
    ):
        """Store the strengths."""
        super().__init__(**kwargs)
        self.brightness, self.contrast, self.saturation, self.hue = brightness, contrast, saturation, hue
        self.probability = probability

    def call(self, images, draws):
        """Jitter each image by its draws."""
        active = draws[:, 0] < self.probability
        strengths = (self.brightness, self.contrast, self.saturation)
        factors = tf.stack(
            [uniform(draws[:, 1 + k], max(0.0, 1.0 - s), 1.0 + s) for k, s in enumerate(strengths)], axis=1
        )  # (n, 3)
        order = tf.argsort(draws[:, 5:9], axis=1)  # (n, 4): the change at each position; 3 is hue
        hue_place = tf.argmax(tf.cast(tf.equal(order, 3), tf.int32), axis=1, output_type=tf.int32)
        # Hue is expensive, so it is computed once: the blends before it, then hue, then the blends after it.
        transformed = images
        for position in range(3):
            transformed = self._blend(transformed, order[:, position], factors, position < hue_place)
        if images.shape[-1] == 3 and self.hue > 0.0:
            transformed = rotate_hue(transformed, uniform(draws[:, 4], -self.hue, self.hue))
        for position in range(1, 4):
            transformed = self._blend(transformed, order[:, position], factors, position > hue_place)
        return select(active, transformed, images)

    @staticmethod
    def _blend(images: tf.Tensor, change: tf.Tensor, factors: tf.Tensor, is_active: tf.Tensor) -> tf.Tensor:
        """Blend images with black (change 0), their mean luminance (1) or their luminance (2) where `is_active`."""
        factor = tf.where(is_active & (change < 3), tf.gather(factors, tf.minimum(change, 2), batch_dims=1), 1.0)
        factor = factor[:, tf.newaxis, tf.newaxis, tf.newaxis]
        change = change[:, tf.newaxis, tf.newaxis, tf.newaxis]
        gray = grayscale(images)
        mean = tf.reduce_mean(gray, axis=(1, 2), keepdims=True)
        target = tf.where(change == 0, 0.0, tf.where(change == 1, mean, gray))
        return tf.clip_by_value(factor * images + (1.0 - factor) * target, 0.0, 1.0)

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {
            "brightness": self.brightness,
            "contrast": self.contrast,
            "saturation": self.saturation,
            "hue": self.hue,
            "probability": self.probability,
        }


def rotate_hue(images: tf.Tensor, rotations: tf.Tensor) -> tf.Tensor:
    """Rotate the hue of each RGB image by `rotations` (n,), in full circles."""
    hue, saturation, value = tf.unstack(tf.image.rgb_to_hsv(images), axis=-1)
    hue = tf.math.floormod(hue + rotations[:, tf.newaxis, tf.newaxis], 1.0)
    return tf.image.hsv_to_rgb(tf.stack([hue, saturation, value], axis=-1))


@keras.saving.register_keras_serializable(package="qssl_tf")
class RandomGrayscale(RandomTransform):
    """With `probability`, replace every channel by the luminance."""

    def __init__(self, probability: float = 0.2, **kwargs: Any):
        """Store the probability."""
        super().__init__(**kwargs)
        self.probability = probability

    def call(self, images, draws):
        """Remove the colour of images whose draw is below the probability."""
        return select(draws[:, 0] < self.probability, tf.broadcast_to(grayscale(images), tf.shape(images)), images)

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"probability": self.probability}
