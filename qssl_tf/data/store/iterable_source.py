"""Stores made from anything that yields images: a generator, a list, a `tf.data.Dataset`."""

import functools
import io
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from qssl_tf.data.arrays import as_bytes
from qssl_tf.data.datasets import element_parts
from qssl_tf.data.folders import crop_and_resize, file_pixels
from qssl_tf.data.resizing import center_crop, resize
from qssl_tf.data.store.source import Item, Source
from qssl_tf.errors import UserError, counted, reason, shown
from qssl_tf.markup import printable

JPEG = b"\xff\xd8\xff"  # how such a file begins


def iterable_source(
    parts: Mapping[str, Iterable[Any]],
    name: str,
    image_size: int | None,
    class_names: Sequence[str] | None,
    test_fraction: float | None,
) -> Source:
    """Return iterables of images as a source of a store; see `make_store` for the arguments."""

    def items(start: int, stop: int | None) -> Iterator[Callable[[], Item]]:
        place = 0
        for number, part in enumerate(parts.values()):
            for image, label in _elements(part):
                if stop is not None and place >= stop:
                    return
                if place >= start:
                    yield functools.partial(_read, place, number, image, label, image_size)
                place += 1

    return Source(
        name=name,
        identity={
            "kind": "iterable",
            "name": name,
            "image_size": image_size,
            "parts": list(parts),
            "class_names": None if class_names is None else [printable(str(word)) for word in class_names],
            "test_fraction": test_fraction,
        },
        parts=tuple(parts),
        count=_count(parts.values()),
        items=items,
        stamp=None,
        refuse=functools.partial(_refusal, name),
        class_names=class_names,
        test_fraction=test_fraction,
    )


def _refusal(name: str, examples: Sequence[str], count: int) -> UserError:
    return UserError(
        f"{counted(count, 'image')} of {name} cannot be used, first: {'; '.join(examples)}. Mend or leave them out, "
        "and make the store again, which goes on there."
    )


def _count(parts: Iterable[Any]) -> int | None:
    """Return the number of images where it can be told without reading them: of lists and arrays of single images."""
    total = 0
    for part in parts:
        if not isinstance(part, Sequence | np.ndarray) or (len(part) and len(list(_elements(part[:1]))) != 1):
            return None
        total += len(part)
    return total


def _elements(part: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each image, or the bytes of its file, with its label; batches are taken apart."""
    for element in part.as_numpy_iterator() if hasattr(part, "as_numpy_iterator") else part:
        image, label = element_parts(element, "train")
        if isinstance(image, bytes | np.bytes_):
            yield bytes(image), label
            continue
        image = np.asarray(image)
        if image.ndim == 4 or (image.ndim == 3 and image.shape[-1] not in (1, 3)):  # as in `from_dataset`
            labels = [None] * len(image) if label is None else np.asarray(label)
            yield from zip(image, labels, strict=True)
        else:
            yield image, label


def _read(place: int, part: int, image: Any, label: Any, image_size: int | None) -> Item:
    try:
        known = _label(label)
        whole = file_pixels(io.BytesIO(image)) if isinstance(image, bytes) else _from_array(image)
    except Exception as error:
        return Item(place, part, None, None, problem=f"image {place} ({reason(error)})")
    pixels, (height, width) = whole, whole.shape[:2]
    if image_size is not None and isinstance(image, bytes):
        pixels = crop_and_resize(whole, image_size)
    elif image_size is not None:
        pixels = resize(center_crop(whole, height, width, min(height, width))[np.newaxis], image_size)[0]
    is_jpeg = isinstance(image, bytes) and image.startswith(JPEG) and pixels.shape == whole.shape
    cropped = image_size is not None and height != width
    return Item(place, part, known, np.ascontiguousarray(pixels), image if is_jpeg else b"", cropped)


def _from_array(image: np.ndarray) -> np.ndarray:
    """Return an array of one image as uint8, shape (height, width, channels)."""
    return np.asarray(as_bytes(image[np.newaxis], "image"))[0]


def _label(label: Any) -> int | str | None:
    """Return a label as a whole number or a name; None if it is unknown."""
    value = label.item() if isinstance(label, np.ndarray | np.generic) and np.size(label) == 1 else label
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "surrogateescape")
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and abs(int(value)) < 1 << 63:
        return None if value == -1 else int(value)
    raise ValueError(f"its label must be a whole number of 64 bits or a name; got {shown(value)}")
