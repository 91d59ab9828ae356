"""SOURCES: where images come from. Each source returns unsigned bytes; `load` cuts classes, size and validation."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.data.splits import Split
from qssl_tf.data.squares import say_cropped, squared
from qssl_tf.data.strata import drawn, parted, say_single, too_few
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
    if config.data_dir is None:
        raise UserError(
            f"`data_dir` must name the folder of your images where `dataset` is 'folder'; give {argument('data_dir')}."
        )
    return ImageData.from_folder(
        config.data_dir, image_size=config.image_size, skip_broken_images=config.skip_broken_images
    )


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

    Images without a label train, and are left out where they would judge.

    Raises:
        UserError: Labels that do not exist, images that are not square, or a batch larger than the training split.
    """
    data = _judged_by_labelled(_keep_classes(data, config.classes))
    data = _sized(data, config.image_size)
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


def _sized(data: ImageData, side: int | None) -> ImageData:
    height, width, _ = data.image_shape
    if side is not None and height != width:
        count = len(data.train) + len(data.validation) + len(data.test)
        say_cropped(count, count, data.name)
    train, validation, test = (
        Split(squared(split.images, side, data.name), split.labels)
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
    new_label = np.full(count, -1, np.int64)
    new_label[list(classes)] = np.arange(len(classes))

    def keep(split: Split) -> Split:
        kept = split.take(np.isin(split.labels, classes))
        return Split(kept.images, new_label[kept.labels])

    names = tuple(data.class_names[label] for label in classes)
    return ImageData(data.name, keep(data.train), keep(data.validation), keep(data.test), names)


def _judged_by_labelled(data: ImageData) -> ImageData:
    """Leave out unlabelled images of test and validation, and say in one line how many there are."""
    if not data.class_names:
        return data
    found = replace(data, validation=data.validation.labelled(), test=data.test.labelled())
    training = len(data.train) - len(data.train.labelled())
    judging = len(data.validation) + len(data.test) - len(found.validation) - len(found.test)
    said = [f"{training} of {len(data.train)} training images are unlabelled: they train, and no probe sees them"]
    said = (said if training else []) + ([f"{judging} unlabelled test images are left out"] if judging else [])
    if said:
        print(f"{data.name}: {'; '.join(said)}", flush=True)
    return found


def _hold_out(data: ImageData, fraction: float, seed: int) -> ImageData:
    if fraction == 0.0:
        return data
    labels, names = data.train.labels, data.class_names or ("images",)
    try:
        train, validation = parted(labels, fraction, seed)
    except ValueError:
        raise UserError(
            f"`validation_fraction` must leave every class on both sides of the {len(labels)} training images; got "
            f"{fraction}, so {too_few(labels, fraction, names)}."
        ) from None
    say_single(labels, names, data.name)
    return replace(data, train=data.train.take(train), validation=data.train.take(validation))


def _take_train(data: ImageData, count: int | None, seed: int) -> ImageData:
    if count is None or count == len(data.train):
        return data
    classes = len(data.class_names)
    if not classes <= count < len(data.train):
        raise UserError(
            f"`train_images` must be at least {classes}, one for each class, and at most the {len(data.train)} "
            f"there are; got {count}."
        )
    return replace(data, train=data.train.take(drawn(data.train.labels, count, seed)))
