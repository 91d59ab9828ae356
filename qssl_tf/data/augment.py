"""SimCLR augmentation (arXiv:2002.05709, Appendix A) as Keras layers with torchvision's semantics.

A layer draws nothing itself: `call(images, draws)` gets one row of uniform numbers in [0, 1) for each image, so that
a view is a pure function of its image and its draws. Images are float32 in [0, 1], shape (n, height, width, channels).
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from qssl_tf.data.resample import crop_and_resize
from qssl_tf.xla import compiled

GRAY_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R 601, as PIL and torchvision
ATTEMPTS = 10  # torchvision's tries for a crop that fits before it falls back to the centre


def uniform(draws: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Map draws of [0, 1) to [low, high)."""
    return low + draws * (high - low)


def grayscale(images: tf.Tensor) -> tf.Tensor:
    """Return the luminance of `images`, shape (n, height, width, 1); one channel is its own luminance."""
    if images.shape[-1] == 1:
        return images
    return tf.tensordot(images, tf.constant(GRAY_WEIGHTS), 1)[..., tf.newaxis]


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


@keras.saving.register_keras_serializable(package="qssl_tf")
class RandomResizedCrop(RandomTransform):
    """Crop a random part of each image and resize it to `size` x `size` pixels (bilinear, antialiased).

    Args:
        size: Side of the result in pixels.
        min_area: Smallest part of the image's area; the largest is 1.
        ratio: The crop's width / height lies in [1 / ratio, ratio], log-uniformly.
    """

    n_draws = 2 * ATTEMPTS + 2

    def __init__(self, size: int, min_area: float = 0.2, ratio: float = 4 / 3, **kwargs: Any):
        """Store the ranges."""
        super().__init__(**kwargs)
        self.size, self.min_area, self.ratio = size, min_area, ratio

    def boxes(self, draws: tf.Tensor, height: int, width: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return each crop's top, left, height and width in whole pixels, float32, shape (n,) each.

        The first of ten tries that fits is taken, else the whole image (its largest centred part of allowed ratio).
        """
        area = uniform(draws[:, :ATTEMPTS], self.min_area, 1.0) * (height * width)  # (n, tries)
        log_ratio = uniform(draws[:, ATTEMPTS : 2 * ATTEMPTS], -math.log(self.ratio), math.log(self.ratio))
        widths = tf.round(tf.sqrt(area * tf.exp(log_ratio)))
        heights = tf.round(tf.sqrt(area * tf.exp(-log_ratio)))
        fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
        first = tf.argmax(tf.cast(fits, tf.int32), axis=1)  # (n,) the first try that fits
        any_fits = tf.reduce_any(fits, axis=1)
        whole_height = round(min(height, width * self.ratio))
        whole_width = round(min(width, height * self.ratio))
        crop_height = tf.where(any_fits, tf.gather(heights, first, batch_dims=1), float(whole_height))
        crop_width = tf.where(any_fits, tf.gather(widths, first, batch_dims=1), float(whole_width))
        place_y, place_x = draws[:, -2], draws[:, -1]
        top = tf.where(any_fits, tf.floor(place_y * (height - crop_height + 1)), (height - whole_height) // 2)
        left = tf.where(any_fits, tf.floor(place_x * (width - crop_width + 1)), (width - whole_width) // 2)
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
class RandomColorJitter(RandomTransform):
    """With `probability`, change brightness, contrast, saturation and hue in a random order.

    The first three are multiplicative, with a factor in [1 - strength, 1 + strength] (at least 0); hue is turned by
    up to `hue` of a full circle. Values are clipped to [0, 1] after each change. On images with one channel
    saturation and hue do nothing.
    """

    n_draws = 9  # one for the probability, four amounts, four ranks

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
        order = tf.argsort(draws[:, 5:9], axis=1)  # (n, 4): which change comes at each place; 3 is hue
        hue_place = tf.argmax(tf.cast(tf.equal(order, 3), tf.int32), axis=1, output_type=tf.int32)
        # Hue is the dear one, so it is computed once: the blends before it, then hue, then the blends after it.
        changed = images
        for place in range(3):
            changed = self._blend(changed, order[:, place], factors, place < hue_place)
        if images.shape[-1] == 3 and self.hue > 0.0:
            changed = turn_hue(changed, uniform(draws[:, 4], -self.hue, self.hue))
        for place in range(1, 4):
            changed = self._blend(changed, order[:, place], factors, place > hue_place)
        return chosen(active, changed, images)

    @staticmethod
    def _blend(images: tf.Tensor, change: tf.Tensor, factors: tf.Tensor, now: tf.Tensor) -> tf.Tensor:
        """Blend each image with black (change 0), its mean luminance (1) or its luminance (2) where `now` is true."""
        factor = tf.where(now & (change < 3), tf.gather(factors, tf.minimum(change, 2), batch_dims=1), 1.0)
        factor = factor[:, tf.newaxis, tf.newaxis, tf.newaxis]
        change = change[:, tf.newaxis, tf.newaxis, tf.newaxis]
        gray = grayscale(images)
        mean = tf.reduce_mean(gray, axis=(1, 2), keepdims=True)
        other = tf.where(change == 0, 0.0, tf.where(change == 1, mean, gray))
        return tf.clip_by_value(factor * images + (1.0 - factor) * other, 0.0, 1.0)

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {
            "brightness": self.brightness,
            "contrast": self.contrast,
            "saturation": self.saturation,
            "hue": self.hue,
            "probability": self.probability,
        }


def turn_hue(images: tf.Tensor, turns: tf.Tensor) -> tf.Tensor:
    """Turn the hue of each RGB image by `turns` (n,), in full circles."""
    hue, saturation, value = tf.unstack(tf.image.rgb_to_hsv(images), axis=-1)
    hue = tf.math.floormod(hue + turns[:, tf.newaxis, tf.newaxis], 1.0)
    return tf.image.hsv_to_rgb(tf.stack([hue, saturation, value], axis=-1))


@keras.saving.register_keras_serializable(package="qssl_tf")
class RandomGrayscale(RandomTransform):
    """With `probability`, replace every channel by the luminance."""

    def __init__(self, probability: float = 0.2, **kwargs: Any):
        """Store the probability."""
        super().__init__(**kwargs)
        self.probability = probability

    def call(self, images, draws):
        """Take the colour from images whose draw is below the probability."""
        return chosen(draws[:, 0] < self.probability, tf.broadcast_to(grayscale(images), tf.shape(images)), images)

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"probability": self.probability}


@keras.saving.register_keras_serializable(package="qssl_tf")
class RandomFlip(RandomTransform):
    """With `probability`, mirror the image left to right."""

    def __init__(self, probability: float = 0.5, **kwargs: Any):
        """Store the probability."""
        super().__init__(**kwargs)
        self.probability = probability

    def call(self, images, draws):
        """Mirror images whose draw is below the probability."""
        return chosen(draws[:, 0] < self.probability, tf.reverse(images, axis=[2]), images)

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"probability": self.probability}


@keras.saving.register_keras_serializable(package="qssl_tf")
class RandomBlur(RandomTransform):
    """With `probability`, blur by a Gaussian of standard deviation in [0.1, 2] pixels, as SimCLR does for large images.

    Args:
        kernel_size: Odd side of the kernel in pixels; SimCLR takes a tenth of the image's side.
        probability: Part of the images that is blurred.
    """

    n_draws = 2
    SIGMA = (0.1, 2.0)

    def __init__(self, kernel_size: int = 3, probability: float = 0.5, **kwargs: Any):
        """Store the kernel's size and the probability."""
        super().__init__(**kwargs)
        self.kernel_size, self.probability = kernel_size, probability

    def call(self, images, draws):
        """Blur each image by its own Gaussian, edges mirrored."""
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
        return chosen(draws[:, 0] < self.probability, blurred, images)

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"kernel_size": self.kernel_size, "probability": self.probability}


@keras.saving.register_keras_serializable(package="qssl_tf")
class Augmentation(RandomTransform):
    """Transforms in a row, each with its own columns of the draws.

    Args:
        transforms: The RandomTransform layers, in order.
    """

    def __init__(self, transforms: Sequence[RandomTransform], **kwargs: Any):
        """Store the transforms."""
        super().__init__(**kwargs)
        self.transforms = list(transforms)
        self.n_draws = sum(transform.n_draws for transform in self.transforms)

    def call(self, images, draws):
        """Apply the transforms in order."""
        ends = np.cumsum([transform.n_draws for transform in self.transforms])
        for transform, end in zip(self.transforms, ends, strict=True):
            images = transform(images, draws[:, end - transform.n_draws : end])
        return images

    def compute_output_shape(self, images_shape, draws_shape=None):
        """Return the shape after the last transform."""
        for transform in self.transforms:
            images_shape = transform.compute_output_shape(images_shape)
        return images_shape

    def get_config(self):
        """Return the constructor's arguments."""
        transforms = [keras.saving.serialize_keras_object(transform) for transform in self.transforms]
        return super().get_config() | {"transforms": transforms}

    @classmethod
    def from_config(cls, config):
        """Rebuild the transforms and the layer."""
        transforms = [keras.saving.deserialize_keras_object(item) for item in config.pop("transforms")]
        return cls(transforms, **config)


def simclr(size: int, probing: bool = False) -> Augmentation:
    """Return the paper's recipe for colour images (arXiv:2103.14653, Section 4): crop, jitter, grayscale, flip.

    Args:
        size: Side of the views in pixels.
        probing: The linear probe crops down to 8 % of the area, pretraining to 20 %.
    """
    min_area = 0.08 if probing else 0.2
    return Augmentation([RandomResizedCrop(size, min_area), RandomColorJitter(), RandomGrayscale(), RandomFlip()])


def digits(size: int, probing: bool = False) -> Augmentation:
    """Return a recipe for characters, whose meaning a flip or a hue would change: crop and intensity jitter."""
    return Augmentation(
        [
            RandomResizedCrop(size, 0.8 if probing else 0.5, ratio=4 / 3),
            RandomColorJitter(brightness=0.4, contrast=0.4, saturation=0.0, hue=0.0),
        ]
    )


# Recipe name -> function of the views' side and whether they are for probing.
AUGMENTATIONS = {"simclr": simclr, "digits": digits}
