"""Image data sets of TensorFlow Datasets, read into memory."""

import logging
import os
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from qssl_tf.commands import argument
from qssl_tf.data.images import ImageData
from qssl_tf.data.resizing import center_crop, report_crops
from qssl_tf.data.splits import MEMORY_LIMIT_GB, Split
from qssl_tf.environment import has_home
from qssl_tf.errors import UserError, pass_on_interrupt, unknown_name


def read(name: str, data_dir: str | None, image_size: int | None) -> ImageData:
    """Read the train and test splits of a TFDS data set, which is downloaded and prepared if necessary.

    Args:
        name: A TFDS name, optionally with config and version: `cifar10`, `cifar10:3.0.2`.
        data_dir: Folder of prepared data; None uses `TFDS_DATA_DIR`, or else TFDS's default.
        image_size: Side in pixels to which the central square of each image is resized while reading; None keeps
            images, which must then be of one size.

    Raises:
        UserError: The name is unknown, the data are neither prepared nor downloadable, or they are not
            single-label images with one or three channels.
    """
    if data_dir is None and not os.environ.get("TFDS_DATA_DIR") and not has_home():
        raise UserError(
            f"data set '{name}' must be kept somewhere, and there is neither HOME nor a home folder of this user; name "
            f"a folder with {argument('data_dir')}, or TFDS_DATA_DIR."
        )
    import tensorflow_datasets as tfds

    logging.getLogger("absl").setLevel(logging.ERROR)
    # Otherwise, TFDS first queries a cloud bucket for every data set, and waits for minutes without a network.
    # Its switch has no public name: without it, one waits.
    with suppress(AttributeError):
        tfds.core.utils.gcs_utils._is_gcs_disabled = True
    builder = _builder(tfds, name, data_dir)
    image_key, label_key = _feature_keys(tfds, builder)
    _prepare(builder, name)
    missing = {"train", "test"} - set(builder.info.splits)
    if missing:
        raise UserError(
            f"data set '{name}' must have the splits train and test; it has {', '.join(builder.info.splits)}."
        )
    splits = {split: _read_split(builder, split, image_key, label_key, image_size) for split in ("train", "test")}
    names = tuple(builder.info.features[label_key].names)
    return ImageData(builder.info.full_name, splits["train"], splits["train"].take(np.arange(0)), splits["test"], names)


def _builder(tfds: Any, name: str, data_dir: str | None) -> Any:
    if name.split(":")[0].split("/")[0] not in tfds.list_builders(with_community_datasets=False):
        hint = f"Images of your own: 'folder' with {argument('data_dir')}, or register_dataset."
        raise unknown_name("dataset", name, _near_names(tfds, name), hint)
    try:
        return tfds.builder(name, data_dir=data_dir)
    except (ValueError, AssertionError, tfds.core.registered.DatasetNotFoundError) as error:
        raise UserError(f"data set '{name}' cannot be opened by TFDS: {str(error).splitlines()[0]}") from None


def _near_names(tfds: Any, name: str) -> list[str]:
    """Return `digits` and the most similar TFDS names, since there are too many to show."""
    import difflib

    return ["digits", *difflib.get_close_matches(name, tfds.list_builders(), n=5, cutoff=0.5), "any TFDS image set"]


def _feature_keys(tfds: Any, builder: Any) -> tuple[str, str]:
    features = builder.info.features
    if not isinstance(features, tfds.features.FeaturesDict):
        features = {}
    images = [key for key, feature in features.items() if isinstance(feature, tfds.features.Image)]
    labels = [key for key, feature in features.items() if type(feature) is tfds.features.ClassLabel]
    if "label" in labels:
        labels = ["label"]
    if len(images) != 1 or len(labels) != 1:
        raise UserError(
            f"data set '{builder.name}' must have one image and one class label; it has {', '.join(features)}."
        )
    channels = features[images[0]].shape[-1]
    if channels not in (1, 3):
        raise UserError(f"images of '{builder.name}' must have 1 or 3 channels; got {channels}.")
    return images[0], labels[0]


def _prepare(builder: Any, name: str) -> None:
    """Download and prepare the data with TFDS's progress bar, or raise a `UserError` that says why it failed."""
    if builder.is_prepared():
        return
    unreachable = _unreachable_host(builder)
    if unreachable:
        raise _not_prepared(builder, name, f"{unreachable} cannot be reached")
    try:
        builder.download_and_prepare()
    except Exception as error:  # network, disk, checksum, manual downloads: TFDS raises dozens of types
        pass_on_interrupt(error)
        reason = (str(error).strip().splitlines() or [""])[0][:160]
        raise _not_prepared(builder, name, f"{type(error).__name__}: {reason}") from None


def _unreachable_host(builder: Any) -> str | None:
    """Return a host of the data set's files that cannot be resolved, which TFDS would retry for minutes.

    Data sets without recorded checksums list no files, so nothing can be checked beforehand.
    """
    hosts = {urlsplit(url).hostname for url in builder.url_infos or () if url.startswith("http")}
    for host in sorted(filter(None, hosts)):
        try:
            socket.getaddrinfo(host, 443)
        except OSError:
            return host
    return None


def _not_prepared(builder: Any, name: str, reason: str) -> UserError:
    return UserError(
        f"data set '{name}' is not prepared in {builder.data_dir} and could not be downloaded ({reason}); "
        f"name a folder that holds it with {argument('data_dir')} or TFDS_DATA_DIR, connect to the network, "
        "or take the preset digits, which needs neither."
    )


def _read_split(builder: Any, split: str, image_key: str, label_key: str, image_size: int | None) -> Split:
    import tensorflow as tf
    import tensorflow_datasets as tfds

    shape, count = builder.info.features[image_key].shape, builder.info.splits[split].num_examples
    if image_size is None and None in shape:
        raise UserError(
            f"images of '{builder.name}' differ in size; say with {argument('image_size')} to which side to resize "
            "them."
        )
    height, width = (image_size, image_size) if image_size else shape[:2]
    gigabytes = count * height * width * shape[2] / 1e9
    if gigabytes > MEMORY_LIMIT_GB:
        raise UserError(
            f"the {split} split of '{builder.name}' would take {gigabytes:.1f} GB of memory, more than "
            f"{MEMORY_LIMIT_GB:.0f} GB; choose a smaller {argument('image_size')}."
        )

    def pixels(example: dict[str, Any]) -> tuple[Any, Any, Any]:
        image = example[image_key]
        rows, columns = tf.shape(image)[0], tf.shape(image)[1]
        if image_size:
            image = center_crop(image, rows, columns, tf.minimum(rows, columns))
            image = tf.cast(tf.round(tf.image.resize(image, (height, width), antialias=True)), tf.uint8)
        return image, example[label_key], rows != columns

    decoders = tfds.decode.PartialDecoding({image_key: True, label_key: True})
    dataset = builder.as_dataset(split=split, shuffle_files=False, decoders=decoders)
    dataset = dataset.map(pixels, num_parallel_calls=tf.data.AUTOTUNE).batch(1024)
    images, labels, is_oblong = (np.concatenate(parts) for parts in zip(*dataset.as_numpy_iterator(), strict=True))
    if image_size:
        report_crops(int(is_oblong.sum()), len(images), f"{builder.name}, {split}")
    return Split(images, labels.astype(np.int64))
