"""Geometric transforms: crop, flip, blur."""

import math
from typing import Any

import keras
import tensorflow as tf

from qssl_tf.data.resample import crop_and_resize
from qssl_tf.data.transform import RandomTransform, select, uniform

ATTEMPTS = 10  # at a crop that fits, before the centre is used instead, as in torchvision


@keras.saving.register_keras_serializable(package="qssl_tf")
class RandomResizedCrop(RandomTransform):
    """Crop a random part of each image and resize it to `size` x `size` pixels (bilinear, antialiased).

    Args:
        size: Side of the result in pixels.
        min_area: Smallest fraction of the image's area; the largest is 1.
        ratio: The aspect ratio is log-uniform in [1 / ratio, ratio].
    """

    n_draws = 2 * ATTEMPTS + 2

    def __init__(self, size: int, min_area: float = 0.2, ratio: float = 4 / 3, **kwargs: Any):
        """Store the ranges."""
        super().__init__(**kwargs)
        self.size, self.min_area, self.ratio = size, min_area, ratio

    def boxes(self, draws: tf.Tensor, height: int, width: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return each crop's top, left, height and width in whole pixels, float32, shape (n,) each.

        This is the first of ten attempts that fits, or else the largest centred crop with an allowed aspect ratio.
        """
        area = uniform(draws[:, :ATTEMPTS], self.min_area, 1.0) * (height * width)  # (n, attempts)
        log_ratio = uniform(draws[:, ATTEMPTS : 2 * ATTEMPTS], -math.log(self.ratio), math.log(self.ratio))
        widths = tf.round(tf.sqrt(area * tf.exp(log_ratio)))
        heights = tf.round(tf.sqrt(area * tf.exp(-log_ratio)))
        fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
        first = tf.argmax(tf.cast(fits, tf.int32), axis=1)  # (n,): the first attempt that fits
        any_fits = tf.reduce_any(fits, axis=1)
        whole_height = round(min(height, width * self.ratio))
        whole_width = round(min(width, height * self.ratio))
        crop_height = tf.where(any_fits, tf.gather(heights, first, batch_dims=1), float(whole_height))
        crop_width = tf.where(any_fits, tf.gather(widths, first, batch_dims=1), float(whole_width))
        offset_y, offset_x = draws[:, -2], draws[:, -1]
        top = tf.where(any_fits, tf.floor(offset_y * (height - crop_height + 1)), (height - whole_height) // 2)
        left = tf.where(any_fits, tf.floor(offset_x * (width - crop_width + 1)), (width - whole_width) // 2)
        return top, left, crop_height, crop_width

    def call(self, images, draws):
        """Crop and resize each image by its draws."""
        top, left, height, width = self.boxes(draws, images.shape[1], images.shape[2])
        return crop_and_resize(images, top, left, height, width, self.size)

    def compute_output_shape(self, images_shape, draws_shape=None):
        """Return (n, size, size, channels)."""
        return (images_shape[0], self.size, self.size, images_shape[3])

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"size": self.size, "min_area": self.min_area, "ratio": self.ratio}


@keras.saving.register_keras_serializable(package="qssl_tf")
class RandomFlip(RandomTransform):
    """With `probability`, mirror the image left to right."""

    def __init__(self, probability: float = 0.5, **kwargs: Any):
        """Store the probability."""
        super().__init__(**kwargs)
        self.probability = probability

    def call(self, images, draws):
        """Mirror images whose draw is below the probability."""
        return select(draws[:, 0] < self.probability, tf.reverse(images, axis=[2]), images)

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"probability": self.probability}


@keras.saving.register_keras_serializable(package="qssl_tf")
class RandomBlur(RandomTransform):
    """With `probability`, blur by a Gaussian of standard deviation in [0.1, 2] pixels, as in SimCLR for large images.

    Args:
        kernel_size: Side of the kernel in pixels, odd; a tenth of the image's side in SimCLR.
        probability: Probability that an image is blurred.
    """

    n_draws = 2
    SIGMA = (0.1, 2.0)

    def __init__(self, kernel_size: int = 3, probability: float = 0.5, **kwargs: Any):
        """Store the kernel's size and the probability."""
        super().__init__(**kwargs)
        self.kernel_size, self.probability = kernel_size, probability

    def call(self, images, draws):
        """Blur each image by its own Gaussian, with mirrored edges."""
        half = self.kernel_size // 2
        sigma = uniform(draws[:, 1:2], *self.SIGMA)  # (n, 1)
        offsets = tf.range(-half, half + 1, dtype=tf.float32)
        kernel = tf.nn.softmax(-0.5 * (offsets / sigma) ** 2)  # (n, kernel): Gaussian weights that sum to 1
        blurred = images
        for axis in (1, 2):
            padding = [[half, half] if a == axis else [0, 0] for a in range(4)]
            padded = tf.pad(blurred, padding, mode="REFLECT")
            length = images.shape[axis]
            blurred = tf.add_n(
                [
                    kernel[:, k, tf.newaxis, tf.newaxis, tf.newaxis]
                    * tf.gather(padded, tf.range(k, k + length), axis=axis)
                    for k in range(self.kernel_size)
                ]
            )
        return select(draws[:, 0] < self.probability, blurred, images)

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"kernel_size": self.kernel_size, "probability": self.probability}
