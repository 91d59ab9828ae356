"""Data sets from any `tf.data.Dataset`."""

from typing import Any

import numpy as np
import tensorflow as tf

from qssl_tf.data.arrays import from_arrays
from qssl_tf.data.splits import MEMORY_LIMIT_GB, ImageDataFields
from qssl_tf.errors import UserError


def from_dataset(train: tf.data.Dataset, test: tf.data.Dataset | None = None, **options: Any) -> ImageDataFields:
    """Make a data set from `tf.data`, read into memory as a whole, since views of each image are made repeatedly.

    Args:
        train: Elements are images, pairs (image, label) or dictionaries with `image` and `label`, single or in batches;
            images and labels are as in `from_arrays`, images all of one size. Elements with three axes are an image if
            the last axis has 1 or 3 channels, else a batch of gray images.
        test: Test images, likewise; None splits off a part of `train`.
        **options: `test_fraction`, `class_names` and `name` of `from_arrays`.

    Raises:
        UserError: It is infinite or empty, takes more than 8 GB, or has no images.
    """
    images, labels = _read_all(train, "train")
    if test is None:
        return from_arrays(images, labels, **options)
    test_images, test_labels = _read_all(test, "test")
    return from_arrays(images, labels, test_images=test_images, test_labels=test_labels, **options)


def _read_all(dataset: Any, argument: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return all images, shape (n, height, width, channels), and their labels, if there are any."""
    if not isinstance(dataset, tf.data.Dataset):
        raise UserError(f"`{argument}` must be a tf.data.Dataset; got a {type(dataset).__name__}. Arrays: from_arrays.")
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise UserError(f"`{argument}` must end, as it is read whole; got a data set without end. Drop its .repeat().")
    images, labels, total_bytes = [], [], 0
    for element in dataset.as_numpy_iterator():
        image, label = element_parts(element, argument)
        # (height, width, channels) is one image, (n, height, width) a batch of gray ones.
        is_batch = np.ndim(image) == 4 or (np.ndim(image) == 3 and image.shape[-1] not in (1, 3))
        images.append(image if is_batch else np.asarray(image)[np.newaxis])
        if label is not None:
            labels.append(label if is_batch else np.asarray(label)[np.newaxis])
        total_bytes += images[-1].nbytes
        if total_bytes > MEMORY_LIMIT_GB * 1e9:
            raise UserError(
                f"`{argument}` would take more than {MEMORY_LIMIT_GB:.0f} GB of memory; make a store on disk of "
                "it with qssl_tf.make_store, or take smaller images."
            )
        if images[-1].shape[1:] != images[0].shape[1:]:
            sizes = f"{images[0].shape[1:]} and {images[-1].shape[1:]}"
            raise UserError(f"`{argument}` must hold images of one size; got {sizes}. Resize them in a .map().")
    if not images:
        raise UserError(f"`{argument}` must hold images; got an empty data set.")
    return np.concatenate(images), np.concatenate(labels) if labels else None


def element_parts(element: Any, argument: str) -> tuple[Any, Any]:
    """Return the image and label of an element; the label may be None.

    Raises:
        UserError: It is neither an image, nor a pair, nor a dictionary with `image`.
    """
    if isinstance(element, dict):
        if "image" not in element:
            raise UserError(f"`{argument}` must have the key 'image'; it has {', '.join(map(str, element))}.")
        return element["image"], element.get("label")
    if isinstance(element, tuple):
        if len(element) not in (1, 2):
            raise UserError(f"`{argument}` must give images or pairs (image, label); got {len(element)} parts.")
        return element if len(element) == 2 else (element[0], None)
    return element, None
