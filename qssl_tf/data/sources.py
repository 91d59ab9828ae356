"""SOURCES of images as uint8; `load` then selects classes, resizes images and holds out validation images."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.data.folders import read_listing
from qssl_tf.data.images import ImageData
from qssl_tf.data.listing import list_folder
from qssl_tf.data.placement import goes_to_disk, refuse_store
from qssl_tf.data.resizing import report_crops, resize_to_square
from qssl_tf.data.splits import Split
from qssl_tf.data.store.folder_source import estimated_gigabytes, folder_source
from qssl_tf.data.store.making import from_disk
from qssl_tf.data.stratify import describe_shortage, report_singletons, stratified_sample, stratified_split
from qssl_tf.errors import UserError

DIGITS_SPLIT_SEED = 0  # the same test images for all runs


def digits(config: Config) -> ImageData:
    """Read scikit-learn's 1,797 handwritten 8x8 digits, of which 360 are the test split."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]  # (n, 8, 8) from 0..16 to uint8
    labels = bunch.target.astype(np.int64)
    rows = np.arange(len(labels))
    train, test = train_test_split(rows, test_size=0.2, stratify=labels, random_state=DIGITS_SPLIT_SEED)
    dataset = Split(images, labels)
    names = tuple(str(digit) for digit in range(10))
    return ImageData("digits", dataset.take(train), dataset.take(test[:0]), dataset.take(test), names)


def folder(config: Config) -> ImageData:
    """Read the image files of the folder that `data_dir` names."""
    if config.data_dir is None:
        raise UserError(
            f"`data_dir` must name the folder of your images where `dataset` is 'folder'; give {argument('data_dir')}."
        )
    listing, side, skipping = list_folder(Path(config.data_dir)), config.image_size, config.skip_broken_images
    gigabytes = estimated_gigabytes(listing, side)
    if goes_to_disk(config, gigabytes):
        return from_disk(config, folder_source(listing, side, skipping), gigabytes)
    return ImageData(*read_listing(listing, side, skipping))


# Name -> source, including registered ones; other names are looked up in TFDS.
SOURCES: dict[str, Callable[[Config], ImageData]] = {"digits": digits, "folder": folder}


def load(config: Config) -> ImageData:
    """Load the images that `config` describes: source, class subset, image size, held-out validation images.

    Raises:
        UserError: An unknown or unprepared data set, labels that do not exist, images that cannot be used,
            or a batch larger than the training split.
    """
    return prepare(read_images(config), config)


def read_images(config: Config) -> ImageData:
    """Read the images of a source as they are, into memory or a store.

    Raises:
        UserError: An unknown or unprepared data set, or images that cannot be used.
    """
    if config.dataset in SOURCES:
        if config.dataset != "folder":
            refuse_store(config)
        return SOURCES[config.dataset](config)
    from qssl_tf.data.tfds_source import read

    return read(config)


def prepare(data: ImageData, config: Config) -> ImageData:
    """Apply the settings to a data set: class subset, image size, held-out validation, number of training images.

    Unlabelled images stay in the training split, and are dropped from the others.

    Raises:
        UserError: Labels that do not exist, images that are not square, or a batch larger than the training split.
    """
    data = _drop_unlabelled_evaluation(_keep_classes(data, config.classes))
    data = _resize(data, config.image_size)
    data = _hold_out(data, config.validation_fraction, config.seed)
    data = _subsample_train(data, config.train_images, config.seed)
    check_batch_size(config, data)
    return data


def check_batch_size(config: Config, data: ImageData) -> None:
    """Refuse a batch that is larger than the training split.

    Raises:
        UserError: The batch is larger.
    """
    if config.batch_size > len(data.train):
        raise UserError(
            f"`batch_size` must be at most the number of training images ({len(data.train)}); got {config.batch_size}."
        )


def _resize(data: ImageData, side: int | None) -> ImageData:
    height, width, _ = data.image_shape
    if side is not None and height != width:
        count = len(data.train) + len(data.validation) + len(data.test)
        report_crops(count, count, data.name)
    train, validation, test = (
        Split(resize_to_square(split.images, side, data.name), split.labels)
        for split in (data.train, data.validation, data.test)
    )
    return ImageData(data.name, train, validation, test, data.class_names)


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
    new_labels = np.full(count, -1, np.int64)
    new_labels[list(classes)] = np.arange(len(classes))

    def keep(split: Split) -> Split:
        selected = split.take(np.isin(split.labels, classes))
        return Split(selected.images, new_labels[selected.labels])

    names = tuple(data.class_names[label] for label in classes)
    return ImageData(data.name, keep(data.train), keep(data.validation), keep(data.test), names)


def _drop_unlabelled_evaluation(data: ImageData) -> ImageData:
    """Drop unlabelled images from the validation and test splits, and print how many there are."""
    if not data.class_names:
        return data
    labelled = replace(data, validation=data.validation.labelled(), test=data.test.labelled())
    unlabelled_count = len(data.train) - len(data.train.labelled())
    dropped_count = len(data.validation) + len(data.test) - len(labelled.validation) - len(labelled.test)
    messages = [
        f"{unlabelled_count} of {len(data.train)} training images are unlabelled: they train, and no probe sees them"
    ]
    messages = (messages if unlabelled_count else []) + (
        [f"{dropped_count} unlabelled test images are left out"] if dropped_count else []
    )
    if messages:
        print(f"{data.name}: {'; '.join(messages)}", flush=True)
    return labelled


def _hold_out(data: ImageData, fraction: float, seed: int) -> ImageData:
    if fraction == 0.0:
        return data
    labels, names = data.train.labels, data.class_names or ("images",)
    try:
        train, validation = stratified_split(labels, fraction, seed)
    except ValueError:
        raise UserError(
            f"`validation_fraction` must leave every class on both sides of the {len(labels)} training images; got "
            f"{fraction}, so {describe_shortage(labels, fraction, names)}."
        ) from None
    report_singletons(labels, names, data.name)
    return replace(data, train=data.train.take(train), validation=data.train.take(validation))


def _subsample_train(data: ImageData, count: int | None, seed: int) -> ImageData:
    if count is None or count == len(data.train):
        return data
    classes = len(data.class_names)
    if not classes <= count < len(data.train):
        raise UserError(
            f"`train_images` must be at least {classes}, one for each class, and at most the {len(data.train)} "
            f"there are; got {count}."
        )
    return replace(data, train=data.train.take(stratified_sample(data.train.labels, count, seed)))
