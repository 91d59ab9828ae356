"""Your own images as files in a folder."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.arguments import checks_arguments
from qssl_tf.commands import argument
from qssl_tf.config import checked
from qssl_tf.data.arrays import from_arrays
from qssl_tf.data.splits import MEMORY_LIMIT_GB, Parts
from qssl_tf.data.squares import middle_square, say_cropped
from qssl_tf.errors import UserError, reason
from qssl_tf.markup import printable

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
SPLITS = ("train", "test", "unlabelled")  # folders of a data set that is split already
SHOWN = 3  # names of broken files in a message


@checks_arguments
def from_folder(
    folder: str | Path,
    *,
    image_size: int | None = None,
    skip_broken_images: bool = False,
    test_fraction: float | None = None,
) -> Parts:
    """Make a data set of image files.

    `folder/train/cat/1.png` and `folder/test/cat/2.png` are two splits of labelled images, `folder/cat/1.png` labelled
    images of which `test_fraction` judges, and `folder/1.png` images without labels. Images in `folder/unlabelled`,
    beside `train` and `test`, train as well and are not probed. Folders within that of a class belong to it. What is
    left out (other files, folders without images) is said in one line; names that begin with a dot are passed over.
    Gray images stay gray if all are; else all become RGB.

    Args:
        folder: Where they lie.
        image_size: Side in pixels to which the square in the middle of each is resized; None keeps images, which must
            then agree in size.
        skip_broken_images: Leave out files that cannot be read, and print their names.
        test_fraction: Part of the images that judges, where there is no folder `test`; None is 0.2.

    Raises:
        UserError: No folder, no images, broken ones, or images that differ in size.
    """
    place = Path(folder)
    if image_size is not None:
        checked("image_size", image_size)
    if place.is_file():
        raise UserError(f"the folder of images must be a folder; {place} is a file.")
    if not place.is_dir():
        raise UserError(f"the folder of images {place} does not exist; name one with {argument('data_dir')}.")
    left_out: list[str] = []
    places = [place]
    if (place / "train").is_dir():
        if not (place / "test").is_dir():
            raise UserError(f"{place} has a folder train and must have a folder test beside it.")
        places = [place / name for name in SPLITS if (place / name).is_dir()]
        left_out += [path.name for path in _visible(place) if path not in places]
    parts = [_files(part, left_out) for part in places]
    if left_out:
        some, more = ", ".join(map(printable, left_out[:SHOWN])), len(left_out) - SHOWN
        print(f"left out of {printable(str(place))}: {some}{f' and {more} more' if more > 0 else ''}", flush=True)
    read = _Reader(image_size, skip_broken_images)
    arrays = [read.split(part) for part in parts]
    read.report(place)
    say_cropped(read.cropped, sum(len(images) for images, _ in arrays), printable(place.resolve().name))
    gray = all(image.shape[-1] == 1 for images, _ in arrays for image in images)
    (images, labels), *rest = [(_stacked(images, gray, place), labels) for images, labels in arrays]
    options: dict[str, Any] = (
        {"test_images": rest[0][0], "test_labels": rest[0][1]} if rest else {"test_fraction": test_fraction}
    )
    if len(rest) == 2:
        options["unlabelled_images"] = rest[1][0]
    return from_arrays(images, labels, name=place.resolve().name, **options)


def read_images(folder: Path, shape: tuple[int, int, int]) -> tuple[list[Path], np.ndarray]:
    """Return all image files of a folder and of those within, by name, and their pixels as a network takes them.

    Of each the square in the middle is resized as `from_folder` does it; colour becomes gray and gray colour where the
    network was trained on the other.

    Args:
        folder: Where they lie.
        shape: Height, width and channels of the network's images; they are square.

    Returns:
        The files, and bytes of shape (n, height, width, channels).

    Raises:
        UserError: No folder, no images, or broken ones.
    """
    if not folder.is_dir():
        raise UserError(f"the folder of images {folder} does not exist; name one with {argument('images')}.")
    files = [(path, None) for path in _within(folder, set()) if _is_image(path, Counter())]
    if not files:
        raise UserError(f"{folder} must hold images ({', '.join(SUFFIXES)}), itself or in folders within.")
    reader = _Reader(shape[0], skip_broken_images=False)
    images, _ = reader.split(files)
    reader.report(folder)
    return [path for path, _ in files], np.stack([_in_channels(image, shape[2]) for image in images])


def _in_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Return one image in gray or in colour, shape (height, width, channels)."""
    from PIL import Image

    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return pixels.repeat(3, axis=-1)
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., np.newaxis]


def _visible(folder: Path) -> list[Path]:
    """Return what lies in a folder, by name; hidden things are passed over."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _files(folder: Path, left_out: list[str]) -> list[tuple[Path, str | None]]:
    """Return the image files of a split with their classes, by name; None for files that lie there without a folder.

    Args:
        folder: Of the split.
        left_out: Gets a line for whatever is no image.

    Raises:
        UserError: There are both kinds of files, or none.
    """
    found: list[tuple[Path, str | None]] = []
    others: Counter[str] = Counter()
    for path in _visible(folder):
        if not path.is_dir():
            found += [(path, None)] if _is_image(path, others) else []
            continue
        inside = [file for file in _within(path, set()) if _is_image(file, others)]
        found += [(file, path.name) for file in inside]
        left_out += [] if inside else [f"the folder {path.name} without images"]
    left_out += [f"{count} files{f' {suffix}' if suffix else ''}" for suffix, count in others.items()]
    loose = [path for path, label in found if label is None]
    if loose and len(loose) < len(found):
        raise UserError(f"{folder} has folders of classes and must hold no images beside them; got {loose[0].name}.")
    if not found:
        raise UserError(f"{folder} must hold images ({', '.join(SUFFIXES)}), or a folder of them for each class.")
    return found


def _is_image(path: Path, others: Counter[str]) -> bool:
    """Return whether a file's name is that of an image, and count the others by their suffix."""
    if path.suffix.lower() in SUFFIXES and path.is_file():
        return True
    others[path.suffix] += 1
    return False


def _within(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Yield all files of a folder and of those within, by name; links are followed, a ring of them once."""
    if folder.resolve() in seen:
        return
    seen.add(folder.resolve())
    for path in _visible(folder):
        if path.is_dir():
            yield from _within(path, seen)
        else:
            yield path


class _Reader:
    """Reads files and remembers which were broken."""

    def __init__(self, side: int | None, skip_broken_images: bool):
        self.side, self.skip_broken_images, self.taken, self.cropped = side, skip_broken_images, 0, 0
        self.broken: list[tuple[Path, str]] = []

    def split(self, files: Sequence[tuple[Path, str | None]]) -> tuple[list[np.ndarray], list[str] | None]:
        """Return the images of one split and their labels; None where there are none."""
        pairs = [(image, label) for image, label in self._each(files)]
        labels = [label for _, label in pairs if label is not None]
        return [image for image, _ in pairs], labels or None

    def _each(self, files: Sequence[tuple[Path, str | None]]) -> Iterator[tuple[np.ndarray, str | None]]:
        for path, label in files:
            try:
                image = _pixels(path)
            except Exception as error:  # Pillow raises dozens of types for what is no image
                self.broken.append((path, f"{type(error).__name__}: {reason(error)}"))
                continue
            if self.side is not None:
                self.cropped += image.shape[0] != image.shape[1]
                image = _resized(image, self.side)
            self.taken += image.nbytes
            if self.taken > MEMORY_LIMIT_GB * 1e9:
                raise UserError(
                    f"the images take more than {MEMORY_LIMIT_GB:.0f} GB; choose a smaller {argument('image_size')}."
                )
            yield image, label

    def report(self, folder: Path) -> None:
        """Refuse broken files, or say that they are left out."""
        if not self.broken:
            return
        some = ", ".join(f"{printable(str(path.relative_to(folder)))} ({why})" for path, why in self.broken[:SHOWN])
        more = f" and {len(self.broken) - SHOWN} more" if len(self.broken) > SHOWN else ""
        if not self.skip_broken_images:
            raise UserError(
                f"{len(self.broken)} images in {folder} cannot be read: {some}{more}; mend or remove them, or leave "
                f"them out with {argument('skip_broken_images', True)}."
            )
        print(f"left out {len(self.broken)} images in {folder} that cannot be read: {some}{more}", flush=True)


def _pixels(path: Path) -> np.ndarray:
    """Return one image as bytes, shape (height, width, 1 or 3), upright as its camera says."""
    from PIL import Image, ImageOps

    with Image.open(path) as file:
        upright = ImageOps.exif_transpose(file)
        if upright.mode in ("I", "F"):
            raise ValueError("its pixels have no upper bound; make bytes or 16 bits of them")
        if upright.mode.startswith("I;16"):
            upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))  # Pillow would cut above 255
        image = upright.convert("L" if upright.mode in ("1", "L") else "RGB")
    return np.asarray(image).reshape(image.height, image.width, -1)


def _resized(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return the square in the middle of one image, resized to `side` x `side` pixels."""
    from PIL import Image

    height, width, channels = pixels.shape
    square = middle_square(pixels, height, width, min(height, width))
    if square.shape[0] == side:
        return square
    image = Image.fromarray(square if channels == 3 else square[..., 0])
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR)).reshape(side, side, channels)


def _stacked(images: Sequence[np.ndarray], gray: bool, folder: Path) -> np.ndarray:
    """Return images of one size as one array, shape (n, height, width, channels)."""
    sizes = sorted({image.shape[:2] for image in images})
    if len(sizes) > 1:
        raise UserError(
            f"images in {folder} differ in size ({sizes[0][0]} x {sizes[0][1]} and {sizes[-1][0]} x {sizes[-1][1]} "
            f"pixels, for example); say with {argument('image_size')} to which side to resize them."
        )
    if not images:
        raise UserError(f"{folder} must hold images that can be read; every one of them is broken.")
    return np.stack([image if gray or image.shape[-1] == 3 else image.repeat(3, axis=-1) for image in images])
