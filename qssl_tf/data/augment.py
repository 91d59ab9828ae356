"""AUGMENTATIONS: recipes that make a view of an image (SimCLR, arXiv:2002.05709, Appendix A), as Keras layers."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from qssl_tf.data.geometric import RandomBlur, RandomFlip, RandomResizedCrop
from qssl_tf.data.photometric import RandomColorJitter, RandomGrayscale
from qssl_tf.data.transform import RandomTransform


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


def simclr_blur(size: int, probing: bool = False) -> Augmentation:
    """Return `simclr` with SimCLR's blur, which the paper leaves out since its images are small."""
    kernel = max(3, size // 10 // 2 * 2 + 1)  # a tenth of the image's side, odd
    return Augmentation([*simclr(size, probing).transforms, RandomBlur(kernel)])


def digits(size: int, probing: bool = False) -> Augmentation:
    """Return a recipe for characters, whose meaning a flip or a hue would change: crop and intensity jitter."""
    return Augmentation(
        [
            RandomResizedCrop(size, 0.8 if probing else 0.5, ratio=4 / 3),
            RandomColorJitter(brightness=0.4, contrast=0.4, saturation=0.0, hue=0.0),
        ]
    )


# Recipe name -> function of the views' side and whether they are for probing.
AUGMENTATIONS = {"digits": digits, "simclr": simclr, "simclr_blur": simclr_blur}
