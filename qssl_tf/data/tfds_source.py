"""Image data sets of TensorFlow Datasets: found, prepared, and read into memory or a store."""

import logging
import os
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.data.placement import goes_to_disk
from qssl_tf.data.store.making import from_disk
from qssl_tf.data.tfds_images import SPLITS, TFDSImages
from qssl_tf.environment import has_home
from qssl_tf.errors import UserError, pass_on_interrupt, unknown_name


def read(config: Config) -> ImageData:
    """Read the train and test splits of a TFDS data set, which is downloaded and prepared if necessary.

    Args:
        config: Settings with `dataset`, a TFDS name, optionally with config and version (`cifar10`, `cifar10:3.0.2`);
            `data_dir`, the folder of prepared data (None uses `TFDS_DATA_DIR`, or else TFDS's default); and
            `image_size`, the side in pixels to which the central square of each image is resized while reading (None
            keeps images, which must then be of one size). `store` says where the images are kept.

    Raises:
        UserError: The name is unknown, the data are neither prepared nor downloadable, or they are not
            single-label images with one or three channels.
    """
    name, data_dir = config.dataset, config.data_dir
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
    missing = set(SPLITS) - set(builder.info.splits)
    if missing:
        raise UserError(
            f"data set '{name}' must have the splits train and test; it has {', '.join(builder.info.splits)}."
        )
    images = TFDSImages(builder, image_key, label_key, config.image_size)
    sizes = [images.gigabytes(split) for split in SPLITS]
    if goes_to_disk(config, sum(sizes), max(sizes)):
        return from_disk(config, images.source(), sum(sizes))
    splits = {split: images.read(split) for split in SPLITS}
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
