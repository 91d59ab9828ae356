"""What a store is made from: images one by one, each with its label and, where it came as a JPEG, its own bytes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qssl_tf.errors import UserError


@dataclass(frozen=True)
class Item:
    """One image of a source.

    Attributes:
        place: Its place in the source, from 0.
        part: Index into the source's `parts`.
        label: As the source names it; None if it is unknown.
        pixels: uint8, shape (height, width, channels): those that reading into memory gives. None if it cannot be read.
        encoded: A JPEG that may hold these pixels.
        cropped: Whether only its middle square is taken.
        problem: Why it cannot be read.
    """

    place: int
    part: int
    label: int | str | None
    pixels: np.ndarray | None
    encoded: bytes = b""
    cropped: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Source:
    """Images to make a store from.

    Attributes:
        name: Name of the data set.
        identity: What tells this source and how it is read from others, as JSON; its `stamp` changes with its content.
        parts: `images`, `test_images` and `unlabelled_images` as `from_arrays` has them, or splits.
        count: Number of images, those that cannot be read included; None if only its end tells.
        items: A function (start, stop) -> functions that read the images from place `start` to `stop` (None: to the
            end), in their order; each is called in a thread of its own.
        stamp: A function (start, stop) -> checksum of what the source says of these images without reading them; None
            if it says nothing, and images must be compared.
        channels: A function that returns how many all images have, where a look at the source tells; None if not.
        refuse: Makes the error for images that cannot be read, given the first few problems and their number; None if
            they are left out.
        none_left: Makes the error for a source whose images were all left out.
        size: A function that returns how many bytes its images take on disk at least, by a look at some of them; None
            if that tells nothing.
        dct_method: How JPEGs are decoded to the same pixels: `dct_method` of `tf.io.decode_jpeg`.
        class_names: Of the labels 0, 1, ...; None if labels are their own names.
        indexed: Labels are indices into `class_names`, and parts are the splits `train` and `test`.
        test_fraction: Of `from_arrays`.
    """

    name: str
    identity: dict[str, Any]
    parts: tuple[str, ...]
    count: int | None
    items: Callable[[int, int | None], Iterator[Callable[[], Item]]]
    stamp: Callable[[int, int], str] | None
    channels: Callable[[], int] | None = None
    refuse: Callable[[Sequence[str], int], UserError] | None = None
    none_left: Callable[[], UserError] | None = None
    size: Callable[[], int] | None = None
    dct_method: str = "INTEGER_ACCURATE"
    class_names: Sequence[str] | None = None
    indexed: bool = False
    test_fraction: float | None = None
