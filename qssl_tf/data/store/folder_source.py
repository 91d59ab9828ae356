"""Stores made from a folder of image files, with the pixels that `from_folder` reads."""

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from qssl_tf.data.folders import BrokenFiles, crop_and_resize, different_sizes, file_pixels, no_image, shown_file
from qssl_tf.data.listing import Listing
from qssl_tf.data.store.source import Item, Source
from qssl_tf.errors import UserError, pass_on_interrupt, reason

JPEG_SUFFIXES = (".jpg", ".jpeg")
LOOKED_AT = 30  # files by which the size of all is judged
SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange height and width
ORIENTATION = 0x0112  # EXIF's tag


def folder_source(
    listing: Listing, image_size: int | None, skip_broken_images: bool, test_fraction: float | None = None
) -> Source:
    """Return the image files of a folder as a source of a store; see `from_folder` for the arguments."""
    root, paths = listing.root.resolve(), listing.paths()
    parts = tuple(listing.parts)
    labels = [(number, label) for number, part in enumerate(parts) for _, label in listing.parts[part]]
    is_gray = functools.cache(lambda: look_at_headers(listing, image_size))

    def items(start: int, stop: int | None) -> Iterator[Callable[[], Item]]:
        gray = is_gray()
        for place in range(start, len(paths) if stop is None else stop):
            yield functools.partial(_read, place, paths[place], *labels[place], image_size, gray, listing.root)

    return Source(
        name=root.name,
        identity={
            "kind": "folder",
            "folder": str(root),
            "image_size": image_size,
            "skip_broken_images": skip_broken_images,
            "test_fraction": test_fraction,
            "stamp": listing.stamp(),
        },
        parts=parts,
        count=len(paths),
        items=items,
        stamp=listing.stamp,
        channels=lambda: 1 if is_gray() else 3,
        refuse=None if skip_broken_images else functools.partial(_refusal, listing.root),
        none_left=functools.partial(no_image, listing.root),
        size=functools.partial(least_bytes, listing, image_size),
        test_fraction=test_fraction,
    )


def _refusal(root: Path, examples: Sequence[str], count: int) -> UserError:
    return BrokenFiles(root, examples, count).error()


def look_at_headers(listing: Listing, image_size: int | None) -> bool:
    """Return whether all images of a folder are gray, and refuse those of different sizes, before any is stored.

    Pixels are decoded of one image at most: the first in colour, which must not be one that cannot be read.

    Raises:
        UserError: They differ in size, and no size is given.
    """
    gray, first = True, None
    for path in listing.paths():
        if not gray and image_size is not None:
            break
        try:
            size, is_gray = read_header(path)
            gray = gray and (is_gray or not _is_readable(path))
        except Exception as error:  # a broken file, which is named when it is read
            pass_on_interrupt(error)
            continue
        if image_size is None and first is not None and size != first:
            raise different_sizes(listing.root, *sorted((first, size)))
        first = first or size
    return gray


def estimated_gigabytes(listing: Listing, image_size: int | None) -> float:
    """Return what the images of a folder take as pixels, judged by the headers of a few."""
    headers = list(_sample(listing).values())
    if not headers:
        return 0.0
    pixels = image_size**2 if image_size else max(height * width for (height, width), _ in headers)
    channels = 1 if all(is_gray for _, is_gray in headers) else 3
    return len(listing) * pixels * channels / 1e9


def least_bytes(listing: Listing, image_size: int | None) -> int:
    """Return what the images of a folder take in a store at least, judged by a few: JPEGs of its size as they are."""
    headers = _sample(listing)
    channels, total = 1 if all(is_gray for _, is_gray in headers.values()) else 3, 0
    for path, ((height, width), _) in headers.items():
        side = image_size or height
        pixels = side * side * channels
        is_kept = height == width == side and path.lower().endswith(JPEG_SUFFIXES)
        total += min(pixels, os.path.getsize(path)) if is_kept else pixels
    return len(listing) * total // len(headers) if headers else 0


def _sample(listing: Listing) -> dict[str, tuple[tuple[int, int], bool]]:
    """Return the headers of a few files from all over a folder, by path, without those that cannot be read."""
    paths, headers = listing.paths(), {}
    for place in range(0, len(paths), -(-len(paths) // LOOKED_AT)):
        try:
            headers[paths[place]] = read_header(paths[place])
        except Exception as error:
            pass_on_interrupt(error)
    return headers


def read_header(path: str) -> tuple[tuple[int, int], bool]:
    """Return height and width of an image file, upright, and whether it is gray, without decoding it.

    Raises:
        Exception: Of many kinds, by Pillow, where it is no image.
    """
    from PIL import Image

    with Image.open(path) as file:
        width, height = file.size
        if file.getexif().get(ORIENTATION) in SIDEWAYS:
            width, height = height, width
        return (height, width), file.mode in ("1", "L") or file.mode.startswith("I;16")


def _is_readable(path: str) -> bool:
    try:
        file_pixels(path)
    except Exception as error:
        pass_on_interrupt(error)
        return False
    return True


def _read(place: int, path: str, part: int, label: str | None, image_size: int | None, gray: bool, root: Path) -> Item:
    """Return one image file as an item of its folder."""
    name = label or ""
    try:
        whole = file_pixels(path)
        encoded = Path(path).read_bytes() if path.lower().endswith(JPEG_SUFFIXES) else b""
    except Exception as error:  # Pillow raises dozens of types for invalid images
        problem = shown_file(root, path, f"{type(error).__name__}: {reason(error)}")
        return Item(place, part, name, None, problem=problem)
    pixels = whole if image_size is None else crop_and_resize(whole, image_size)
    is_whole, cropped = pixels.shape == whole.shape, image_size is not None and whole.shape[0] != whole.shape[1]
    if not gray and pixels.shape[-1] == 1:
        pixels = pixels.repeat(3, axis=-1)
    return Item(place, part, name, np.ascontiguousarray(pixels), encoded if is_whole else b"", cropped)
