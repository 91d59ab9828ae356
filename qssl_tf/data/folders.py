"""Data sets from image files in a folder."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from qssl_tf.arguments import checks_arguments
from qssl_tf.commands import argument
from qssl_tf.config import checked
from qssl_tf.data.arrays import from_arrays
from qssl_tf.data.listing import (
    MAX_NAMES,
    SUFFIXES,
    TEST,
    TRAIN,
    UNLABELLED_PART,
    Files,
    Listing,
    image_files,
    list_folder,
)
from qssl_tf.data.resizing import center_crop, report_crops
from qssl_tf.data.splits import MEMORY_LIMIT_GB, ImageDataFields
from qssl_tf.errors import UserError, counted, reason
from qssl_tf.markup import printable


@checks_arguments
def from_folder(
    folder: str | Path,
    *,
    image_size: int | None = None,
    skip_broken_images: bool = False,
    test_fraction: float | None = None,
) -> ImageDataFields:
    """Make a data set from image files.

    Three layouts are read: `folder/train/cat/1.png` with `folder/test/cat/2.png` (labelled images in two splits),
    `folder/cat/1.png` (labelled images, of which `test_fraction` is split off), and `folder/1.png` (images without
    labels). Images in `folder/unlabelled`, beside the classes or the splits, are used in pretraining only. Subfolders
    of a class belong to it. Skipped files and folders without images are printed in one line; names that begin with a
    dot are ignored. Gray images stay gray if all are gray, otherwise all become RGB.

    Args:
        folder: Folder of the images.
        image_size: Side in pixels to which the central square of each image is resized; None keeps images, which must
            then be of one size.
        skip_broken_images: Skip files that cannot be read, and print their names.
        test_fraction: Fraction of the images in the test split, if there is no folder `test`; None is 0.2.

    Raises:
        UserError: A missing folder, no images, unreadable images, or images of different sizes.
    """
    if image_size is not None:
        checked("image_size", image_size)
    return read_listing(list_folder(Path(folder)), image_size, skip_broken_images, test_fraction)


def read_listing(
    listing: Listing, image_size: int | None, skip_broken_images: bool, test_fraction: float | None = None
) -> ImageDataFields:
    """Read the files of a folder into memory; see `from_folder` for arguments and errors."""
    root, reader = listing.root, _ImageReader(image_size, skip_broken_images)
    read = {part: reader.read_split(files) for part, files in listing.parts.items()}
    reader.report(root)
    report_crops(reader.cropped, sum(len(images) for images, _ in read.values()), printable(root.resolve().name))
    gray = all(image.shape[-1] == 1 for images, _ in read.values() for image in images)
    arrays = {part: _stack_images(images, gray, root) for part, (images, _) in read.items()}
    options: dict[str, Any] = {"test_fraction": test_fraction}
    if TEST in arrays:
        options = {"test_images": arrays[TEST], "test_labels": read[TEST][1]}
    if UNLABELLED_PART in arrays:
        options["unlabelled_images"] = arrays[UNLABELLED_PART]
    return from_arrays(arrays[TRAIN], read[TRAIN][1], name=root.resolve().name, **options)


def read_images(folder: Path, shape: tuple[int, int, int]) -> tuple[list[Path], np.ndarray]:
    """Return all image files in a folder and its subfolders, sorted, and their pixels as a network takes them.

    The central square of each is resized as in `from_folder`; colour is converted to gray, or gray to colour, if the
    network was trained on it.

    Args:
        folder: Folder of the images.
        shape: Height, width and channels of the network's images, which are square.

    Returns:
        The files, and uint8 pixels of shape (n, height, width, channels).

    Raises:
        UserError: A missing folder, no images, or unreadable images.
    """
    if not folder.is_dir():
        raise UserError(f"the folder of images {folder} does not exist; name one that does.")
    files = [(path, None) for path in image_files(folder)]
    if not files:
        raise UserError(f"{folder} must hold images ({', '.join(SUFFIXES)}), itself or in folders within.")
    reader = _ImageReader(shape[0], skip_broken_images=False)
    images, _ = reader.read_split(files)
    reader.report(folder, can_skip=False)
    return [Path(path) for path, _ in files], np.stack([_convert_channels(image, shape[2]) for image in images])


def _convert_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Return one image in gray or in colour, shape (height, width, channels)."""
    from PIL import Image

    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return pixels.repeat(3, axis=-1)
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., np.newaxis]


class _ImageReader:
    """Reads image files, and records those that are broken."""

    def __init__(self, side: int | None, skip_broken_images: bool):
        self.side, self.skip_broken_images, self.total_bytes, self.cropped = side, skip_broken_images, 0, 0
        self.broken: list[tuple[str, str]] = []

    def read_split(self, files: Files) -> tuple[list[np.ndarray], list[str] | None]:
        """Return the images of one split and their labels, or None if it has no labels."""
        pairs = [(image, label) for image, label in self._read_images(files)]
        labels = [label for _, label in pairs if label is not None]
        return [image for image, _ in pairs], labels or None

    def _read_images(self, files: Files) -> Iterator[tuple[np.ndarray, str | None]]:
        for path, label in files:
            try:
                image = file_pixels(path)
            except Exception as error:  # Pillow raises dozens of types for invalid images
                self.broken.append((path, f"{type(error).__name__}: {reason(error)}"))
                continue
            if self.side is not None:
                self.cropped += image.shape[0] != image.shape[1]
                image = crop_and_resize(image, self.side)
            self.total_bytes += image.nbytes
            if self.total_bytes > MEMORY_LIMIT_GB * 1e9:
                raise UserError(
                    f"the images take more than {MEMORY_LIMIT_GB:.0f} GB; keep them on disk with "
                    f"{argument('store', 'disk')}, or choose a smaller {argument('image_size')}."
                )
            yield image, label

    def report(self, folder: Path, can_skip: bool = True) -> None:
        """Refuse broken files, or print that they are skipped; the message offers to skip them if that is possible."""
        if not self.broken:
            return
        broken = BrokenFiles(
            folder, [shown_file(folder, *entry) for entry in self.broken[:MAX_NAMES]], len(self.broken)
        )
        if not self.skip_broken_images:
            raise broken.error(can_skip)
        print(broken.left_out(), flush=True)


@dataclass(frozen=True)
class BrokenFiles:
    """Image files that cannot be read, as messages name them.

    Attributes:
        folder: Of the images.
        examples: The first few, each with the reason.
        count: How many there are.
    """

    folder: Path
    examples: Sequence[str]
    count: int

    def __str__(self) -> str:
        """Return the examples, and how many more there are."""
        more = f" and {self.count - MAX_NAMES} more" if self.count > MAX_NAMES else ""
        return f"{', '.join(self.examples)}{more}"

    def error(self, can_skip: bool = True) -> UserError:
        """Return the error that refuses them; it offers to skip them if that is possible."""
        skipping = f", or leave them out with {argument('skip_broken_images', True)}" if can_skip else ""
        return UserError(
            f"{counted(self.count, 'image')} in {self.folder} cannot be read: {self}; mend or remove them{skipping}."
        )

    def left_out(self) -> str:
        """Return the line that says that they are skipped."""
        return f"left out {counted(self.count, 'image')} in {self.folder} that cannot be read: {self}"


def shown_file(folder: Path, path: str, message: str) -> str:
    """Return a file that cannot be read, with the reason, for `BrokenFiles`."""
    return f"{printable(os.path.relpath(path, folder))} ({message})"


def file_pixels(path: str | IO[bytes]) -> np.ndarray:
    """Return one image as uint8, shape (height, width, 1 or 3), rotated as its EXIF data say."""
    from PIL import Image, ImageOps

    with Image.open(path) as file:
        upright = ImageOps.exif_transpose(file)
        if upright.mode in ("I", "F"):
            raise ValueError("its pixels have no upper bound; make bytes or 16 bits of them")
        if upright.mode.startswith("I;16"):
            upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))  # Pillow would clip at 255
        image = upright.convert("L" if upright.mode in ("1", "L") else "RGB")
    return np.asarray(image).reshape(image.height, image.width, -1)


def crop_and_resize(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return the central square of one image, resized to `side` x `side` pixels."""
    from PIL import Image

    height, width, channels = pixels.shape
    square = center_crop(pixels, height, width, min(height, width))
    if square.shape[0] == side:
        return square
    image = Image.fromarray(square if channels == 3 else square[..., 0])
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR)).reshape(side, side, channels)


def _stack_images(images: Sequence[np.ndarray], gray: bool, folder: Path) -> np.ndarray:
    """Return images of one size as one array, shape (n, height, width, channels)."""
    sizes = sorted({image.shape[:2] for image in images})
    if len(sizes) > 1:
        raise different_sizes(folder, sizes[0], sizes[-1])
    if not images:
        raise no_image(folder)
    return np.stack([image if gray or image.shape[-1] == 3 else image.repeat(3, axis=-1) for image in images])


def different_sizes(folder: Path, first: Sequence[int], other: Sequence[int]) -> UserError:
    """Return the error for images of different heights and widths."""
    return UserError(
        f"images in {folder} differ in size ({first[0]} x {first[1]} and {other[0]} x {other[1]} pixels, for example); "
        f"say with {argument('image_size')} to which side to resize them."
    )


def no_image(folder: Path) -> UserError:
    """Return the error for a folder of broken images alone."""
    return UserError(f"{folder} must hold images that can be read; every one of them is broken.")
