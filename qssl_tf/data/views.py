"""Sample views for inspection, made as in training."""

import numpy as np
import tensorflow as tf

from qssl_tf.arguments import checks_arguments
from qssl_tf.config import Config
from qssl_tf.data.augment import augmentation
from qssl_tf.data.images import ImageData
from qssl_tf.data.pipeline import as_float, view_maker
from qssl_tf.data.resizing import resize_to_square
from qssl_tf.errors import UserError


@checks_arguments
def sample_views(
    data: ImageData, config: Config | None = None, count: int = 8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the first training images with two augmented views of each, as in the first step of training.

    Args:
        data: The images.
        config: Settings with the augmentation, its seed and the image size; None uses the preset `digits`.
        count: Number of images, from 1 to all.

    Returns:
        Images, first views and second views: float32 in [0, 1], shape (count, height, width, channels).

    Raises:
        UserError: There are fewer images, or they are not square and the settings have no image size.
    """
    if not 1 <= count <= len(data.train):
        raise UserError(f"`count` must be from 1 to the {len(data.train)} training images; got {count}.")
    config = config or Config()
    pixels = resize_to_square(np.asarray(data.train.images[:count]), config.image_size, data.name)
    images, make = as_float(tf.constant(pixels)), view_maker(augmentation(config, pixels.shape[1:]), config.seed)
    view_a, view_b = make(images, tf.constant(0), tf.range(count))
    return images.numpy(), view_a.numpy(), view_b.numpy()
