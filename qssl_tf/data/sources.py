"""SOURCES: where images come from. Each source returns unsigned bytes; `load` cuts classes, size and validation."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from qssl_tf.config import Config
from qssl_tf.data.images import ImageData, Split
from qssl_tf.errors import UserError

DIGITS_SPLIT_SEED = 0  # the same test images for every run, whatever its seed


def digits(config: Config) -> ImageData:
    """Read the 1,797 handwritten 8x8 digits that come with scikit-learn; 360 of them are the test split."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]  # (n, 8, 8) of 0..16 -> bytes
    labels = bunch.target.astype(np.int64)
    rows = np.arange(len(labels))
    train, test = train_test_split(rows, test_size=0.2, stratify=labels, random_state=DIGITS_SPLIT_SEED)
    everything = Split(images, labels)
    names = tuple(str(digit) for digit in range(10))
    return ImageData("digits", everything.take(train), everything.take(test[:0]), everything.take(test), names)


def folder(config: Config) -> ImageData:
    """Read the image files of the folder that `data_dir` names."""
    from qssl_tf.data.folders import from_folder

    if config.data_dir is None:
        raise UserError("`data_dir` must name the folder of your images where `dataset` is 'folder'; give --data-dir.")
    return from_folder(config.data_dir, image_size=config.image_size, skip_broken=config.skip_broken_images)


# Sources by name, with those registered; any other name is looked up in TFDS.
SOURCES: dict[str, Callable[[Config], ImageData]] = {"digits": digits, "folder": folder}


def load(config: Config) -> ImageData:
    """Load the images that `config` names: source, class subset, image size, held-out validation.

    Raises:
        UserError: An unknown or unprepared data set, labels that do not exist, images that cannot be used,
            or a batch larger than the training split.
    """
    if config.dataset in SOURCES:
        return prepared(SOURCES[config.dataset](config), config)
    from qssl_tf.data.tfds_source import read

    return prepared(read(config.dataset, config.data_dir, config.image_size), config)


def prepared(data: ImageData, config: Config) -> ImageData:
    """Cut whole data as `config` says: class subset, image size, held-out validation, fewer training images.

    Raises:
        UserError: Labels that do not exist, images that are not square, or a batch larger than the training split.
    """
    data = _keep_classes(data, config.classes)
    name, side = data.name, config.image_size
    data = _map_splits(data, lambda split: Split(squared(split.images, side, name), split.labels))
    data = _hold_out(data, config.validation_fraction, config.seed)
    data = _take_train(data, config.train_images, config.seed)
    check_batch_size(config, data)
    return data


def check_batch_size(config: Config, data: ImageData) -> None:
    """Refuse a batch that is larger than the training split.

    Raises:
        UserError: It is.
    """
    if config.batch_size > len(data.train):
        raise UserError(
            f"`batch_size` must be at most the number of training images ({len(data.train)}); got {config.batch_size}."
        )


def _map_splits(data: ImageData, change: Callable[[Split], Split]) -> ImageData:
    return ImageData(data.name, change(data.train), change(data.validation), change(data.test), data.class_names)


def _keep_classes(data: ImageData, classes: tuple[int, ...]) -> ImageData:
    if not classes:
        return data
    count = len(data.class_names)
    if count == 0:
        raise UserError(f"`classes` must be none for {data.name}, whose images have no labels; got {list(classes)}.")
    if max(classes) >= count:
        raise UserError(
            f"`classes` must be labels from 0 to {count - 1} for {data.name}, which has {count} classes; "
            f"got {list(classes)}."
        )
    new_label = np.full(count, -1, np.int64)
    new_label[list(classes)] = np.arange(len(classes))

    def keep(split: Split) -> Split:
        kept = split.take(np.isin(split.labels, classes))
        return Split(kept.images, new_label[kept.labels])

    names = tuple(data.class_names[label] for label in classes)
    return ImageData(data.name, keep(data.train), keep(data.validation), keep(data.test), names)


def _hold_out(data: ImageData, fraction: float, seed: int) -> ImageData:
    if fraction == 0.0:
        return data
    from sklearn.model_selection import train_test_split

    try:
        train, validation = train_test_split(
            np.arange(len(data.train)), test_size=fraction, stratify=data.train.labels, random_state=seed
        )
    except ValueError:
        raise UserError(
            f"`validation_fraction` must leave every class on both sides of the {len(data.train)} training images; "
            f"got {fraction}."
        ) from None
    return ImageData(
        data.name,
        data.train.take(np.sort(train)),
        data.train.take(np.sort(validation)),
        data.test,
        data.class_names,
    )


def _take_train(data: ImageData, count: int | None, seed: int) -> ImageData:
    if count is None or count == len(data.train):
        return data
    classes = len(data.class_names)
    if not classes <= count < len(data.train):
        raise UserError(
            f"`train_images` must be at least {classes}, one for each class, and at most the {len(data.train)} "
            f"there are; got {count}."
        )
    from sklearn.utils import resample

    rows, labels = np.arange(len(data.train)), data.train.labels
    kept = resample(rows, replace=False, n_samples=count, stratify=labels, random_state=seed)
    return replace(data, train=data.train.take(np.sort(kept)))


def squared(images: np.ndarray, side: int | None, name: str) -> np.ndarray:
    """Return images as the network takes them: of `side` x `side` pixels, or as they are where it is None.

    Raises:
        UserError: They are not square, and no side is given.
    """
    height, width = images.shape[1:3]
    if side is None and height != width:
        raise UserError(
            f"images of {name} must be square; they have {height} x {width} pixels: say with --image-size to which "
            "side to resize them."
        )
    return images if side is None else resized(images, side)


def resized(images: np.ndarray, side: int) -> np.ndarray:
    """Return `images` resized to `side` x `side` pixels (bilinear, antialiased), as unsigned bytes."""
    if images.shape[1:3] == (side, side):
        return images
    import tensorflow as tf

    chunks = [
        tf.cast(tf.round(tf.image.resize(images[start : start + 1024], (side, side), antialias=True)), tf.uint8).numpy()
        for start in range(0, len(images), 1024)
    ]
    return np.concatenate(chunks) if chunks else np.zeros((0, side, side, images.shape[3]), np.uint8)
