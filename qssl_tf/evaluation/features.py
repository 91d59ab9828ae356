"""The frozen representation: the head's output for every image, and a proof that nothing moved."""

import hashlib
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from qssl_tf.data.augment import Augmentation
from qssl_tf.data.pipeline import image_batches
from qssl_tf.models.simclr import SimCLR
from qssl_tf.quantum.head import QuantumHead

BATCH = 512


def frozen_features(
    model: SimCLR, images: np.ndarray, augmentation: Augmentation | None = None, seed: int = 0, number: int = 0
) -> np.ndarray:
    """Return the head's output for `images` in inference mode.

    Args:
        model: The learner; it is not changed.
        images: uint8, shape (n, height, width, channels).
        augmentation: Makes one view of each image first; None takes images as they are.
        seed: Seed of the views.
        number: Which augmented pass this is.

    Returns:
        float32, shape (n, features).
    """
    return features_of(model, image_batches(images, BATCH, augmentation, seed, number))


def features_of(model: SimCLR, batches: Iterable[tf.Tensor]) -> np.ndarray:
    """Return the head's output for batches of float32 images in [0, 1], shape (n, features), in inference mode."""
    angles = np.concatenate([model.frozen_angles(batch).numpy() for batch in batches])  # (n, width)
    if isinstance(model.head, QuantumHead):
        return model.head.frozen(angles)
    return model.head(angles, training=False).numpy()


def fingerprint(model: SimCLR) -> str:
    """Return the SHA-256 of every weight and batch statistic of encoder and head."""
    digest = hashlib.sha256()
    for variable in [*model.encoder.weights, *model.head.weights]:
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()
