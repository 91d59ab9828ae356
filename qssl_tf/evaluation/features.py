"""Features of a frozen model, the head's output for every image, and a fingerprint that shows it stayed frozen."""

import hashlib
from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from qssl_tf.data.augment import Augmentation
from qssl_tf.data.pipeline import image_batches
from qssl_tf.data.store.images import Images, plain_errors
from qssl_tf.errors import UserError
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.models.simclr import SimCLR

BATCH = 512


def frozen_features(
    model: SimCLR, images: Images, augmentation: Augmentation | None = None, seed: int = 0, number: int = 0
) -> np.ndarray:
    """Return the head's output for `images` in inference mode.

    Args:
        model: The learner; it is not changed.
        images: uint8, shape (n, height, width, channels), in memory or in a store.
        augmentation: Applied once to each image; None takes images as they are.
        seed: Seed of the views.
        number: Of the augmented pass; each has views of its own.

    Returns:
        float32, shape (n, features).
    """
    return features_of(model, image_batches(images, BATCH, augmentation, seed, number))


def features_of(model: SimCLR, batches: Iterable[tf.Tensor]) -> np.ndarray:
    """Return the head's output for batches of float32 images in [0, 1], shape (n, features), in inference mode.

    Raises:
        UserError: As `angles_of` and `check_finite`.
    """
    features = head_outputs(model.head, angles_of(model, batches))
    check_finite(features)
    return features


def head_outputs(head: keras.layers.Layer, angles: np.ndarray) -> np.ndarray:
    """Return what a head makes of the encoder's output, shape (n, features), in inference mode."""
    return head.predict(angles) if isinstance(head, QuantumHead) else head(angles, training=False).numpy()


def angles_of(model: SimCLR, batches: Iterable[tf.Tensor]) -> np.ndarray:
    """Return the encoder's output for batches of float32 images in [0, 1], shape (n, width), in inference mode.

    Raises:
        UserError: An image of a store cannot be read.
    """
    with plain_errors():
        return np.concatenate([model.encode(batch).numpy() for batch in batches])


def check_finite(features: np.ndarray) -> None:
    """Refuse features that are NaN or infinite, which no probe and no device run may use.

    Raises:
        UserError: It gives the number of such images and the first of them.
    """
    bad_rows = np.flatnonzero(~np.all(np.isfinite(features), axis=1))
    if len(bad_rows):
        raise UserError(
            f"the features of {len(bad_rows)} of {len(features)} images are NaN or infinite, first those of image "
            f"{bad_rows[0]}; look at that image, at the encoder, and at the loss of the training."
        )


def fingerprint(model: SimCLR) -> str:
    """Return the SHA-256 of every weight and batch statistic of encoder and head."""
    digest = hashlib.sha256()
    for variable in [*model.encoder.weights, *model.head.weights]:
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()
