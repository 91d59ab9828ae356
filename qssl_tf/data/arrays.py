"""Your own images as arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from qssl_tf.arguments import checks_arguments
from qssl_tf.data.splits import UNLABELLED, Parts, Split
from qssl_tf.data.strata import parted, say_single, too_few
from qssl_tf.errors import UserError, shown
from qssl_tf.markup import printable

TEST_FRACTION = 0.2
SPLIT_SEED = 0  # the same test images each time the same arrays are given


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
) -> Parts:
    """Make a data set of arrays, checked before anything is trained on it.

    Args:
        images: Shape (n, height, width) or (n, height, width, channels) with 1 or 3 channels: bytes from 0 to 255, or
            fractions from 0 to 1.
        labels: Shape (n,) or (n, 1): whole numbers or names; -1, or None among names, for an image whose class is not
            known, which trains and judges nothing; None for images that have none, which can train but not be probed.
        test_images: Images that judge, as `images`; None takes `test_fraction` of the images for it.
        test_labels: Of `test_images`.
        unlabelled_images: Further images, as `images`, that train beside the labelled ones and are not probed.
        test_fraction: Part of the labelled images that becomes the test split, in equal shares of every class and at
            least one image of each that has two; from 0 to 0.9, None is 0.2. It stands for `test_images`.
        class_names: Names of the labels 0, 1, ...; None takes the labels themselves, in order.
        name: Of the data set.

    Raises:
        UserError: A shape, type or value that cannot be used; it says which.
    """
    if test_images is None and test_labels is not None:
        raise UserError("`test_labels` must come with the `test_images` they belong to; got them alone.")
    if test_images is not None and test_fraction is not None:
        raise UserError(f"`test_fraction` must be left out where there are `test_images`; got {test_fraction}.")
    if (labels is None) != (test_labels is None) and test_images is not None:
        raise UserError("`labels` and `test_labels` must be given both or neither.")
    pixels = as_bytes(images, "images")
    _check_names(class_names)
    numbers, names = _numbered(labels, len(pixels), "labels", class_names)
    if unlabelled_images is not None:
        pixels, numbers = _with_unlabelled(pixels, numbers, unlabelled_images, names)
    whole = Split(pixels, numbers)
    if test_images is None:
        train, test = _cut(numbers, names, TEST_FRACTION if test_fraction is None else test_fraction, name)
        return (name, whole.take(train), whole.take(test[:0]), whole.take(test), names)
    judging = as_bytes(test_images, "test_images")
    if judging.shape[1:] != pixels.shape[1:]:
        raise UserError(f"`test_images` must have the shape of `images`, {pixels.shape[1:]}; got {judging.shape[1:]}.")
    numbers, _ = _numbered(test_labels, len(judging), "test_labels", class_names, like=names)
    return (name, whole, whole.take(np.arange(0)), Split(judging, numbers), names)


def _with_unlabelled(
    pixels: np.ndarray, numbers: np.ndarray, images: Any, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return labelled images and their labels with unlabelled ones behind them."""
    more = as_bytes(images, "unlabelled_images")
    if not names:
        raise UserError("`unlabelled_images` must come beside labelled ones; without labels give them all as `images`.")
    if more.shape[1:] != pixels.shape[1:]:
        raise UserError(
            f"`unlabelled_images` must have the shape of `images`, {pixels.shape[1:]}; got {more.shape[1:]}."
        )
    return np.concatenate([pixels, more]), np.concatenate([numbers, np.full(len(more), UNLABELLED)])


def as_bytes(images: Any, what: str) -> np.ndarray:
    """Return images as bytes, shape (n, height, width, channels).

    Raises:
        UserError: They are no images: it says what they are instead.
    """
    if np.ma.isMaskedArray(images):
        raise UserError(f"`{what}` must have no mask; fill what is masked, as with .filled(0).")
    try:
        pixels = np.asarray(images)
    except ValueError:
        raise UserError(f"`{what}` must all be of one size; resize them.") from None
    if pixels.ndim == 3:
        pixels = pixels[..., np.newaxis]
    if pixels.ndim != 4 or pixels.shape[-1] not in (1, 3) or 0 in pixels.shape:
        raise UserError(
            f"`{what}` must have the shape (n, height, width) or (n, height, width, channels) with 1 or 3 channels; "
            f"got {np.shape(images)}."
        )
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind not in "iuf":
        raise UserError(f"`{what}` must be bytes (0 to 255) or fractions (0 to 1); got {pixels.dtype}.")
    low, high = pixels.min(), pixels.max()
    top = 1 if pixels.dtype.kind == "f" else 255
    if np.isnan(low):
        raise UserError(
            f"`{what}` must be numbers; got NaN in {int(np.isnan(pixels).any(axis=(1, 2, 3)).sum())} images."
        )
    if not (low >= 0 and high <= top):
        raise UserError(f"`{what}` of type {pixels.dtype} must lie from 0 to {top}; got {low} to {high}.")
    return np.round(pixels * (255 / top)).astype(np.uint8)


def _check_names(names: Sequence[str] | None) -> None:
    """Refuse names of classes that no table can tell apart."""
    if names is None:
        return
    seen = [printable(name) for name in names]
    if len(seen) < 2:
        raise UserError(f"`class_names` must name two classes or more; got {shown(list(names))}.")
    for number, name in enumerate(seen):
        if not name.strip() or name in seen[:number]:
            raise UserError(f"`class_names` must be different names; got {shown(name)} as that of label {number}.")


def _numbered(
    labels: Any, count: int, what: str, class_names: Sequence[str] | None, like: Sequence[str] = ()
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return labels counted from 0, shape (count,), and the names of the classes; none for images without labels.

    Args:
        labels: As given.
        count: Images.
        what: Their argument.
        class_names: Names of the labels 0, 1, ...; None where labels name themselves.
        like: The classes of the training images, where these are others and labels name themselves.
    """
    if labels is None:
        return np.zeros(count, np.int64), ()
    if np.ma.isMaskedArray(labels):
        raise UserError(f"`{what}` must have no mask; fill what is masked, as with .filled(-1).")
    given, known = _column(labels, count, what)
    if not known.any():
        return np.full(count, UNLABELLED if like else 0), tuple(like)
    numbers = np.full(count, UNLABELLED, np.int64)
    numbers[known], names = _counted(given[known], what, class_names, like)
    return numbers, names


def _column(labels: Any, count: int, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return labels as whole numbers or texts, and which of them are known, shape (count,) each."""
    given = np.asarray(labels)
    if given.shape == (count, 1):  # as keras.datasets has them
        given = given[:, 0]
    if given.shape != (count,):
        hint = " Of one-hot rows take labels.argmax(axis=1)." if given.ndim == 2 else ""
        raise UserError(f"`{what}` must have the shape ({count},), one for each image; got {given.shape}.{hint}")
    if given.dtype.kind in "SO":
        return _of_objects(given, what)
    if given.dtype.kind not in "iuU":
        raise UserError(f"`{what}` must be whole numbers or names; got {given.dtype}.")
    return given, np.full(count, True) if given.dtype.kind == "U" else given != UNLABELLED


def _of_objects(given: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what `_column` does of Python's objects, where None or NaN stands for what is missing."""
    known = np.array([not _is_missing(value) for value in given], bool)
    values = [value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value for value in given[known]]
    for kind, dtype, filler in ((str, str, ""), (int | np.integer, np.int64, UNLABELLED)):
        if all(isinstance(value, kind) and not isinstance(value, bool) for value in values):
            try:
                plain = np.full(len(given), filler, np.array(values or [filler], dtype).dtype)
            except OverflowError:
                strange = next(value for value in values if abs(int(value)) >= 2**63)
                raise UserError(f"`{what}` must be whole numbers of 64 bits; got {shown(strange)}.") from None
            plain[known] = values
            return plain, known & (plain != UNLABELLED) if dtype is np.int64 else known
    raise UserError(f"`{what}` must be whole numbers or names; got both or others, such as {shown(values[0])}.")


def _is_missing(value: Any) -> bool:
    """Return whether an object stands for no label: None, NaN, or pandas's NA, which is neither equal nor unequal."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


def _counted(
    given: np.ndarray, what: str, class_names: Sequence[str] | None, like: Sequence[str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return known labels counted from 0, and the names of the classes."""
    if class_names is None or given.dtype.kind == "U":
        known = class_names or like
        return _by_name(given.astype(str) if known else given, what, known)
    if given.min() < 0 or given.max() >= len(class_names):
        wrong, last = given[(given < 0) | (given >= len(class_names))][0], len(class_names) - 1
        raise UserError(f"`{what}` must lie from 0 to {last}, as there are {last + 1} `class_names`; got {wrong}.")
    return given.astype(np.int64), tuple(map(str, class_names))


def _by_name(given: np.ndarray, what: str, names: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the place of each label among the names, or among the labels there are."""
    known = np.array([str(name) for name in names]) if names else np.unique(given)
    place = {value: number for number, value in enumerate(known.tolist())}
    strange = [value for value in np.unique(given).tolist() if value not in place]
    if strange:
        raise UserError(f"`{what}` must be among {', '.join(map(str, known))}; got {shown(strange[0])}.")
    if len(known) < 2:
        raise UserError(
            f"`{what}` must name two classes or more, beside {UNLABELLED} for unlabelled images; got {known[0]} alone. "
            "Leave them out to train without."
        )
    written = [printable(str(value)) for value in known]
    for number, name in enumerate(written):
        if not name.strip() or name in written[:number]:
            raise UserError(
                f"`{what}` must be names that differ where they are printed; got {shown(str(known[number]))}."
            )
    return np.array([place[value] for value in given.tolist()], np.int64), tuple(str(value) for value in known)


def _cut(labels: np.ndarray, names: Sequence[str], fraction: float, data: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of train and test; every class on both sides where there are labels."""
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(labels))
    if not 0 <= fraction <= 0.9:
        raise UserError(f"`test_fraction` must be at least 0.0 and at most 0.9; got {fraction}.")
    if fraction == 0:
        return rows, rows[:0]
    try:
        if names:
            train, test = parted(labels, fraction, SPLIT_SEED)
            say_single(labels, names, data)
            return train, test
        train, test = train_test_split(rows, test_size=fraction, random_state=SPLIT_SEED)
        return np.sort(train), np.sort(test)
    except ValueError:
        why = too_few(labels, fraction, names) if names else f"there are {len(labels)} images; give more"
        raise UserError(
            f"`test_fraction` must leave every class on both sides; got {fraction}, so {why}, or `test_images` of your "
            "own (files: in the folders train and test)."
        ) from None
