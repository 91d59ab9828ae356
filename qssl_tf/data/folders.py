"""Your own images as files in a folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.data.arrays import from_arrays
from qssl_tf.data.images import MEMORY_LIMIT_GB, ImageData
from qssl_tf.errors import UserError, reason

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
SHOWN = 3  # names of broken files in a message


def from_folder(
    folder: str | Path, *, image_size: int | None = None, skip_broken: bool = False, test_fraction: float = 0.2
) -> ImageData:
    """Make a data set of image files.

    `folder/train/cat/1.png` and `folder/test/cat/2.png` are two splits of labelled images, `folder/cat/1.png` labelled
    images of which `test_fraction` judges, and `folder/1.png` images without labels. Gray images stay gray if all are;
    else all become RGB.

    Args:
        folder: Where they lie.
        image_size: Side in pixels to resize them to; None keeps images, which must then agree in size.
        skip_broken: Leave out files that cannot be read, and print their names.
        test_fraction: Part of the images that judges, where there is no folder `test`.

    Raises:
        UserError: No folder, no images, broken ones, or images that differ in size.
    """
    place = Path(folder)
    if not place.is_dir():
        raise UserError(f"the folder of images {place} does not exist; name one with --data-dir or as an argument.")
    if (place / "train").is_dir():
        if not (place / "test").is_dir():
            raise UserError(f"{place} has a folder train and must have a folder test beside it.")
        parts = [_labelled(place / name) for name in ("train", "test")]
    else:
        labelled, loose = _labelled(place), _images(place)
        if labelled and loose:
            raise UserError(f"{place} has folders of classes and must hold no images beside them; got {loose[0].name}.")
        parts = [labelled or [(path, None) for path in loose]]
    for where, part in zip((place / "train", place / "test") if len(parts) > 1 else (place,), parts, strict=True):
        if not part:
            raise UserError(f"{where} must hold images ({', '.join(SUFFIXES)}), or a folder of them for each class.")
    read = _Reader(image_size, skip_broken)
    arrays = [read.split(part) for part in parts]
    read.report(place)
    gray = all(image.shape[-1] == 1 for images, _ in arrays for image in images)
    (images, labels), *rest = [(_stacked(images, gray, place), labels) for images, labels in arrays]
    options: dict[str, Any] = {"test_images": rest[0][0], "test_labels": rest[0][1]} if rest else {}
    return from_arrays(images, labels, test_fraction=test_fraction, name=place.resolve().name, **options)


def _images(folder: Path) -> list[Path]:
    """Return the image files of a folder by name; hidden ones are left alone."""
    found = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    return sorted(path for path in found if path.is_file())


def _labelled(folder: Path) -> list[tuple[Path, str | None]]:
    """Return the files of each class, by the classes' names."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [(path, place.name) for place in classes for path in _images(place)]


class _Reader:
    """Reads files and remembers which were broken."""

    def __init__(self, side: int | None, skip_broken: bool):
        self.side, self.skip_broken, self.taken = side, skip_broken, 0
        self.broken: list[tuple[Path, str]] = []

    def split(self, files: Sequence[tuple[Path, str | None]]) -> tuple[list[np.ndarray], list[str] | None]:
        """Return the images of one split and their labels; None where there are none."""
        pairs = [(image, label) for image, label in self._each(files)]
        labels = [label for _, label in pairs if label is not None]
        return [image for image, _ in pairs], labels or None

    def _each(self, files: Sequence[tuple[Path, str | None]]) -> Iterator[tuple[np.ndarray, str | None]]:
        for path, label in files:
            try:
                image = _pixels(path, self.side)
            except Exception as error:  # Pillow raises dozens of types for what is no image
                self.broken.append((path, f"{type(error).__name__}: {reason(error)}"))
                continue
            self.taken += image.nbytes
            if self.taken > MEMORY_LIMIT_GB * 1e9:
                raise UserError(f"the images take more than {MEMORY_LIMIT_GB:.0f} GB; choose a smaller --image-size.")
            yield image, label

    def report(self, folder: Path) -> None:
        """Refuse broken files, or say that they are left out."""
        if not self.broken:
            return
        some = ", ".join(f"{path.relative_to(folder)} ({why})" for path, why in self.broken[:SHOWN])
        more = f" and {len(self.broken) - SHOWN} more" if len(self.broken) > SHOWN else ""
        if not self.skip_broken:
            raise UserError(
                f"{len(self.broken)} images in {folder} cannot be read: {some}{more}; mend or remove them, or leave "
                "them out with --skip-broken-images true (skip_broken=True)."
            )
        print(f"left out {len(self.broken)} images in {folder} that cannot be read: {some}{more}", flush=True)


def _pixels(path: Path, side: int | None) -> np.ndarray:
    """Return one image as bytes, shape (height, width, 1 or 3), upright as its camera says."""
    from PIL import Image, ImageOps

    with Image.open(path) as file:
        upright = ImageOps.exif_transpose(file)
        if upright.mode in ("I", "F"):
            raise ValueError("its pixels have no upper bound; make bytes or 16 bits of them")
        if upright.mode.startswith("I;16"):
            upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))  # Pillow would cut above 255
        image = upright.convert("L" if upright.mode in ("1", "L") else "RGB")
    if side is not None and image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(image.height, image.width, -1)


def _stacked(images: Sequence[np.ndarray], gray: bool, folder: Path) -> np.ndarray:
    """Return images of one size as one array, shape (n, height, width, channels)."""
    sizes = sorted({image.shape[:2] for image in images})
    if len(sizes) > 1:
        raise UserError(
            f"images in {folder} differ in size ({sizes[0][0]} x {sizes[0][1]} and {sizes[-1][0]} x {sizes[-1][1]} "
            "pixels, for example); say with --image-size to which side to resize them."
        )
    if not images:
        raise UserError(f"{folder} must hold images that can be read; every one of them is broken.")
    return np.stack([image if gray or image.shape[-1] == 3 else image.repeat(3, axis=-1) for image in images])
