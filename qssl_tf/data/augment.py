"""AUGMENTATIONS: recipes for the views of images (SimCLR, arXiv:2002.05709, Appendix A), as Keras layers."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from qssl_tf.arguments import checks_arguments
from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.data.geometric import RandomBlur, RandomFlip, RandomResizedCrop
from qssl_tf.data.photometric import RandomColorJitter, RandomGrayscale
from qssl_tf.data.transform import RandomTransform


@keras.saving.register_keras_serializable(package="qssl_tf")
class Augmentation(RandomTransform):
    """A sequence of transforms, each with its own columns of random numbers.

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


def simclr(size: int, min_area: float = 0.2, strength: float = 1.0) -> Augmentation:
    """Return the paper's recipe for colour images (arXiv:2103.14653, Section 4): crop, jitter, grayscale, flip.

    Args:
        size: Side of the views in pixels.
        min_area: Smallest fraction of the image's area in a crop.
        strength: Multiple of the jitter's strengths; at most 2.5, at which contrast may vanish.
    """
    jitter = RandomColorJitter(0.4 * strength, 0.4 * strength, 0.4 * strength, 0.1 * strength)
    return Augmentation([RandomResizedCrop(size, min_area), jitter, RandomGrayscale(), RandomFlip()])


def simclr_blur(size: int, min_area: float = 0.2, strength: float = 1.0) -> Augmentation:
    """Return `simclr` with SimCLR's blur, which the paper omits for its small images."""
    kernel = max(3, size // 10 // 2 * 2 + 1)  # an odd number near a tenth of the image's side
    return Augmentation([*simclr(size, min_area, strength).transforms, RandomBlur(kernel)])


def digits(size: int, min_area: float = 0.5, strength: float = 1.0) -> Augmentation:
    """Return a recipe for characters, whose meaning flips could change: crop and intensity jitter."""
    jitter = RandomColorJitter(0.4 * strength, 0.4 * strength, saturation=0.0, hue=0.0)
    return Augmentation([RandomResizedCrop(size, min_area, ratio=4 / 3), jitter])


# Recipe name -> function of the views' side, the smallest crop and the jitter's strength.
AUGMENTATIONS = {"digits": digits, "simclr": simclr, "simclr_blur": simclr_blur}
AUTO = "auto"  # the word for the recipe that suits the images
SUITED = {1: "digits", 3: "simclr"}  # channels -> recipe
# Recipe name -> the smallest crop of the linear probe (the paper's for `simclr`).
PROBE_AREAS = {"digits": 0.8, "simclr": 0.08, "simclr_blur": 0.08}


def recipe(config: Config, image_shape: Sequence[int]) -> str:
    """Return the key of AUGMENTATIONS that `config` selects for images of shape (height, width, channels)."""
    return SUITED[image_shape[-1]] if config.augmentation == AUTO else config.augmentation


def say_recipe(config: Config, image_shape: Sequence[int]) -> None:
    """Print which recipe was chosen automatically for colour images, and how to choose another."""
    if config.augmentation == AUTO and image_shape[-1] == 3:
        print(
            f"the images are in colour: views by the recipe {recipe(config, image_shape)} (crop, colour, gray, flip); "
            f"where a mirrored image means something else, choose {argument('augmentation', 'digits')}",
            flush=True,
        )


@checks_arguments
def augmentation(config: Config, image_shape: Sequence[int], probing: bool = False) -> Augmentation:
    """Return the augmentation that `config` describes.

    Args:
        config: The run's settings.
        image_shape: Height, width (equal, in pixels) and channels.
        probing: Whether it is for the training images of the linear probe instead of pretraining.
    """
    name = recipe(config, image_shape)
    area = PROBE_AREAS[name] if probing else config.crop_area
    return _views(name, image_shape[0], config.jitter, area)


@functools.lru_cache(maxsize=64)
def _views(name: str, size: int, strength: float, area: float | None) -> Augmentation:
    """Return one recipe, cached: it has no state, and XLA never frees compiled code."""
    areas = {} if area is None else {"min_area": area}
    return AUGMENTATIONS[name](size, strength=strength, **areas)
