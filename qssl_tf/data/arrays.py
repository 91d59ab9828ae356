"""Data sets from arrays."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from qssl_tf.arguments import checks_arguments
from qssl_tf.data.splits import UNLABELLED, ImageDataFields, Split
from qssl_tf.data.store.images import Images, StoredImages
from qssl_tf.data.stratify import describe_shortage, report_singletons, stratified_split
from qssl_tf.errors import UserError, shown
from qssl_tf.markup import printable

TEST_FRACTION = 0.2
SPLIT_SEED = 0  # equal arrays give equal test images
DARK = 31  # of 255: a brightest pixel at or below it is rather one of numbers with fewer bits, such as 0 to 16


@checks_arguments
def from_arrays(
    images: Any,
    labels: Any = None,
    *,
    test_images: Any = None,
    test_labels: Any = None,
    unlabelled_images: Any = None,
    test_fraction: float | None = None,
    class_names: Sequence[str] | None = None,
    name: str = "arrays",
) -> ImageDataFields:
    """Make a data set from arrays, and check it before anything is trained on it.

    Args:
        images: Shape (n, height, width) or (n, height, width, channels) with 1 or 3 channels: bytes from 0 to 255, or
            fractions from 0 to 1.
        labels: Shape (n,) or (n, 1): whole numbers or names, with -1 (or None among names) for images of unknown class,
            which are used in pretraining only; None for a data set without labels, which cannot be probed.
        test_images: Test images, like `images`; None splits off `test_fraction` of the images.
        test_labels: Labels of `test_images`.
        unlabelled_images: Further images, like `images`, used in pretraining only.
        test_fraction: Fraction of the labelled images in the test split, stratified, with at least one image of each
            class that has two; from 0 to 0.9, None is 0.2. Only without `test_images`.
        class_names: Names of the labels 0, 1, ...; None uses the labels themselves, sorted.
        name: Name of the data set.

    Raises:
        UserError: A shape, type or value that cannot be used.
    """
    if test_images is None and test_labels is not None:
        raise UserError("`test_labels` must come with the `test_images` they belong to; got them alone.")
    if test_images is not None and test_fraction is not None:
        raise UserError(f"`test_fraction` must be left out where there are `test_images`; got {test_fraction}.")
    if (labels is None) != (test_labels is None) and test_images is not None:
        raise UserError("`labels` and `test_labels` must be given both or neither.")
    pixels = as_bytes(images, "images")
    _note_if_dark(pixels, "images")
    check_names(class_names)
    indices, names = _class_indices(labels, len(pixels), "labels", class_names)
    if unlabelled_images is not None:
        pixels, indices = _with_unlabelled(pixels, indices, unlabelled_images, names)
    dataset = Split(pixels, indices)
    if test_images is None:
        train, test = _split_rows(indices, names, TEST_FRACTION if test_fraction is None else test_fraction, name)
        return (name, dataset.take(train), dataset.take(test[:0]), dataset.take(test), names)
    test_pixels = as_bytes(test_images, "test_images")
    _note_if_dark(test_pixels, "test_images")
    if test_pixels.shape[1:] != pixels.shape[1:]:
        raise UserError(
            f"`test_images` must have the shape of `images`, {pixels.shape[1:]}; got {test_pixels.shape[1:]}."
        )
    indices, _ = _class_indices(test_labels, len(test_pixels), "test_labels", class_names, reference_classes=names)
    return (name, dataset, dataset.take(np.arange(0)), Split(test_pixels, indices), names)


def _with_unlabelled(
    pixels: Images, indices: np.ndarray, images: Any, names: Sequence[str]
) -> tuple[Images, np.ndarray]:
    """Return labelled images and their class indices, followed by unlabelled ones."""
    unlabelled = as_bytes(images, "unlabelled_images")
    _note_if_dark(unlabelled, "unlabelled_images")
    if not names:
        raise UserError("`unlabelled_images` must come beside labelled ones; without labels give them all as `images`.")
    if unlabelled.shape[1:] != pixels.shape[1:]:
        raise UserError(
            f"`unlabelled_images` must have the shape of `images`, {pixels.shape[1:]}; got {unlabelled.shape[1:]}."
        )
    labels = np.concatenate([indices, np.full(len(unlabelled), UNLABELLED)])
    if isinstance(pixels, StoredImages) and isinstance(unlabelled, StoredImages) and pixels.store is unlabelled.store:
        return StoredImages(pixels.store, np.concatenate([pixels.rows, unlabelled.rows])), labels
    return np.concatenate([pixels, unlabelled]), labels


def as_bytes(images: Any, argument: str) -> Images:
    """Return images as uint8, shape (n, height, width, channels); those of a store as they are.

    Raises:
        UserError: They are not images.
    """
    if isinstance(images, StoredImages):
        return images
    if np.ma.isMaskedArray(images):
        raise UserError(f"`{argument}` must have no mask; fill what is masked, as with .filled(0).")
    try:
        pixels = np.asarray(images)
    except ValueError:
        raise UserError(f"`{argument}` must all be of one size; resize them.") from None
    if pixels.ndim == 3:
        pixels = pixels[..., np.newaxis]
    if pixels.ndim != 4 or pixels.shape[-1] not in (1, 3) or 0 in pixels.shape:
        raise UserError(
            f"`{argument}` must have the shape (n, height, width) or (n, height, width, channels) with 1 or 3 "
            f"channels; got {np.shape(images)}."
        )
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind not in "iuf":
        raise UserError(f"`{argument}` must be bytes (0 to 255) or fractions (0 to 1); got {pixels.dtype}.")
    low, high = pixels.min(), pixels.max()
    top = 1 if pixels.dtype.kind == "f" else 255
    if np.isnan(low):
        raise UserError(
            f"`{argument}` must be numbers; got NaN in {int(np.isnan(pixels).any(axis=(1, 2, 3)).sum())} images."
        )
    if not (low >= 0 and high <= top):
        raise UserError(f"`{argument}` of type {pixels.dtype} must lie from 0 to {top}; got {low} to {high}.")
    return np.round(pixels * (255 / top)).astype(np.uint8)


def _note_if_dark(pixels: Images, argument: str) -> None:
    """Print one line where images are all so dark that their numbers may have been on another scale."""
    if isinstance(pixels, np.ndarray) and 0 < (brightest := int(pixels.max())) <= DARK:
        print(
            f"note: the brightest pixel of `{argument}` is {brightest} of 255, almost black; if they are on another "
            "scale, divide them by its end and give fractions from 0 to 1.",
            file=sys.stderr,
            flush=True,
        )


def check_names(names: Sequence[str] | None) -> None:
    """Refuse class names that look equal where they are printed."""
    if names is None:
        return
    printable_names = [printable(name) for name in names]
    if len(printable_names) < 2:
        raise UserError(f"`class_names` must name two classes or more; got {shown(list(names))}.")
    for number, name in enumerate(printable_names):
        if not name.strip() or name in printable_names[:number]:
            raise UserError(f"`class_names` must be different names; got {shown(name)} as that of label {number}.")


def _class_indices(
    labels: Any, count: int, argument: str, class_names: Sequence[str] | None, reference_classes: Sequence[str] = ()
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return class indices, shape (count,), and class names; no names for images without labels.

    Args:
        labels: The user's labels.
        count: Number of images.
        argument: Name of the argument, for errors.
        class_names: Names of the labels 0, 1, ...; None if labels are their own names.
        reference_classes: Class names of the training images, for labels of test images without `class_names`.
    """
    if labels is None:
        return np.zeros(count, np.int64), ()
    if np.ma.isMaskedArray(labels):
        raise UserError(f"`{argument}` must have no mask; fill what is masked, as with .filled(-1).")
    values, is_known = _flatten_labels(labels, count, argument)
    if not is_known.any():
        return np.full(count, UNLABELLED if reference_classes else 0), tuple(reference_classes)
    indices = np.full(count, UNLABELLED, np.int64)
    indices[is_known], names = _index_known(values[is_known], argument, class_names, reference_classes)
    return indices, names


def _flatten_labels(labels: Any, count: int, argument: str) -> tuple[np.ndarray, np.ndarray]:
    """Return labels as integers or strings, and which of them are known, shape (count,) each."""
    values = np.asarray(labels)
    if values.shape == (count, 1):  # as in keras.datasets
        values = values[:, 0]
    if values.shape != (count,):
        hint = " Of one-hot rows take labels.argmax(axis=1)." if values.ndim == 2 else ""
        raise UserError(f"`{argument}` must have the shape ({count},), one for each image; got {values.shape}.{hint}")
    if values.dtype.kind in "SO":
        return _convert_objects(values, argument)
    if values.dtype.kind not in "iuU":
        raise UserError(f"`{argument}` must be whole numbers or names; got {values.dtype}.")
    return values, np.full(count, True) if values.dtype.kind == "U" else values != UNLABELLED


def _convert_objects(labels: np.ndarray, argument: str) -> tuple[np.ndarray, np.ndarray]:
    """Convert an array of Python objects for `_flatten_labels`; None and NaN are unknown labels."""
    is_known = np.array([not _is_missing(label) for label in labels], bool)
    known = labels[is_known]
    values = [label.decode("utf-8", "surrogateescape") if isinstance(label, bytes) else label for label in known]
    for kind, dtype, filler in ((str, str, ""), (int | np.integer, np.int64, UNLABELLED)):
        if all(isinstance(value, kind) and not isinstance(value, bool) for value in values):
            try:
                uniform = np.full(len(labels), filler, np.array(values or [filler], dtype).dtype)
            except OverflowError:
                too_large = next(value for value in values if abs(int(value)) >= 2**63)
                raise UserError(f"`{argument}` must be whole numbers of 64 bits; got {shown(too_large)}.") from None
            uniform[is_known] = values
            return uniform, is_known & (uniform != UNLABELLED) if dtype is np.int64 else is_known
    raise UserError(f"`{argument}` must be whole numbers or names; got both or others, such as {shown(values[0])}.")


def _is_missing(value: Any) -> bool:
    """Return whether a label is missing: None, NaN, or pandas's NA, which cannot be compared."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


def _index_known(
    values: np.ndarray, argument: str, class_names: Sequence[str] | None, reference_classes: Sequence[str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return class indices of known labels, and class names."""
    if class_names is None or values.dtype.kind == "U":
        names = class_names or reference_classes
        return _index_by_name(values.astype(str) if names else values, argument, names)
    if values.min() < 0 or values.max() >= len(class_names):
        wrong, last = values[(values < 0) | (values >= len(class_names))][0], len(class_names) - 1
        raise UserError(f"`{argument}` must lie from 0 to {last}, as there are {last + 1} `class_names`; got {wrong}.")
    return values.astype(np.int64), tuple(map(str, class_names))


def _index_by_name(values: np.ndarray, argument: str, names: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the index of each label among the names, or else among the distinct labels, and the names."""
    classes = np.array([str(name) for name in names]) if names else np.unique(values)
    index_of = {value: number for number, value in enumerate(classes.tolist())}
    unknown = [value for value in np.unique(values).tolist() if value not in index_of]
    if unknown:
        raise UserError(f"`{argument}` must be among {', '.join(map(str, classes))}; got {shown(unknown[0])}.")
    if len(classes) < 2:
        raise UserError(
            f"`{argument}` must name two classes or more, beside {UNLABELLED} for unlabelled images; got {classes[0]} "
            "alone. Leave them out to train without."
        )
    printable_names = [printable(str(value)) for value in classes]
    for number, name in enumerate(printable_names):
        if not name.strip() or name in printable_names[:number]:
            raise UserError(
                f"`{argument}` must be names that differ where they are printed; got {shown(str(classes[number]))}."
            )
    return np.array([index_of[value] for value in values.tolist()], np.int64), tuple(str(value) for value in classes)


def _split_rows(labels: np.ndarray, names: Sequence[str], fraction: float, data: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the training and test split, stratified if there are labels."""
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(labels))
    if not 0 <= fraction <= 0.9:
        raise UserError(f"`test_fraction` must be at least 0.0 and at most 0.9; got {fraction}.")
    if fraction == 0:
        return rows, rows[:0]
    try:
        if names:
            train, test = stratified_split(labels, fraction, SPLIT_SEED)
            report_singletons(labels, names, data)
            return train, test
        train, test = train_test_split(rows, test_size=fraction, random_state=SPLIT_SEED)
        return np.sort(train), np.sort(test)
    except ValueError:
        why = describe_shortage(labels, fraction, names) if names else f"there are {len(labels)} images; give more"
        raise UserError(
            f"`test_fraction` must leave every class on both sides; got {fraction}, so {why}, or `test_images` of your "
            "own (files: in the folders train and test)."
        ) from None
