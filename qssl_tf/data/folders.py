"""Data sets from image files in a folder."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.arguments import checks_arguments
from qssl_tf.commands import argument
from qssl_tf.config import checked
from qssl_tf.data.arrays import from_arrays
from qssl_tf.data.resizing import center_crop, report_crops
from qssl_tf.data.splits import MEMORY_LIMIT_GB, ImageDataFields
from qssl_tf.errors import UserError, reason
from qssl_tf.markup import printable

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
UNLABELLED_FOLDER = "unlabelled"  # beside the folders of classes, or of splits
MAX_NAMES = 3  # names of broken files in a message


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
    root = Path(folder)
    if image_size is not None:
        checked("image_size", image_size)
    if root.is_file():
        raise UserError(f"the folder of images must be a folder; {root} is a file.")
    if not root.is_dir():
        raise UserError(f"the folder of images {root} does not exist; name one that does.")
    skipped: list[str] = []
    split_folders, unlabelled = [root], root / UNLABELLED_FOLDER
    if (root / "train").is_dir():
        if not (root / "test").is_dir():
            raise UserError(f"{root} has a folder train and must have a folder test beside it.")
        split_folders = [root / "train", root / "test"]
        skipped += [path.name for path in _visible_entries(root) if path not in (*split_folders, unlabelled)]
    file_lists = [_labelled_files(part, skipped) for part in split_folders]
    if unlabelled.is_dir():
        file_lists.append([(path, None) for path in _walk(unlabelled, set()) if _is_image(path, Counter())])
    if skipped:
        examples, extra_count = ", ".join(map(printable, skipped[:MAX_NAMES])), len(skipped) - MAX_NAMES
        more = f" and {extra_count} more" if extra_count > 0 else ""
        print(f"left out of {printable(str(root))}: {examples}{more}", flush=True)
    reader = _ImageReader(image_size, skip_broken_images)
    arrays = [reader.read_split(part) for part in file_lists]
    reader.report(root)
    report_crops(reader.cropped, sum(len(images) for images, _ in arrays), printable(root.resolve().name))
    gray = all(image.shape[-1] == 1 for images, _ in arrays for image in images)
    (images, labels), *rest = [(_stack_images(images, gray, root), labels) for images, labels in arrays]
    options: dict[str, Any] = {"test_fraction": test_fraction}
    if len(split_folders) == 2:
        options = {"test_images": rest[0][0], "test_labels": rest[0][1]}
    if unlabelled.is_dir():
        options["unlabelled_images"] = rest[-1][0]
    return from_arrays(images, labels, name=root.resolve().name, **options)


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
    files = [(path, None) for path in _walk(folder, set()) if _is_image(path, Counter())]
    if not files:
        raise UserError(f"{folder} must hold images ({', '.join(SUFFIXES)}), itself or in folders within.")
    reader = _ImageReader(shape[0], skip_broken_images=False)
    images, _ = reader.read_split(files)
    reader.report(folder, can_skip=False)
    return [path for path, _ in files], np.stack([_convert_channels(image, shape[2]) for image in images])


def _convert_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Return one image in gray or in colour, shape (height, width, channels)."""
    from PIL import Image

    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return pixels.repeat(3, axis=-1)
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., np.newaxis]


def _visible_entries(folder: Path) -> list[Path]:
    """Return the entries of a folder, sorted, without hidden ones."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _labelled_files(folder: Path, skipped: list[str]) -> list[tuple[Path, str | None]]:
    """Return the image files of a split, sorted, with their classes; None for files outside of class folders.

    Args:
        folder: Folder of the split.
        skipped: Descriptions of entries that are not images are appended to it.

    Raises:
        UserError: There are images both in class folders and beside them, or none.
    """
    files: list[tuple[Path, str | None]] = []
    other_suffixes: Counter[str] = Counter()
    for path in _visible_entries(folder):
        if path.name == UNLABELLED_FOLDER:
            continue
        if not path.is_dir():
            files += [(path, None)] if _is_image(path, other_suffixes) else []
            continue
        class_files = [file for file in _walk(path, set()) if _is_image(file, other_suffixes)]
        files += [(file, path.name) for file in class_files]
        skipped += [] if class_files else [f"the folder {path.name} without images"]
    skipped += [f"{count} files{f' {suffix}' if suffix else ''}" for suffix, count in other_suffixes.items()]
    unlabelled = [path for path, label in files if label is None]
    if unlabelled and len(unlabelled) < len(files):
        raise UserError(
            f"{folder} has folders of classes and must hold no images beside them; got {unlabelled[0].name}."
        )
    if not files:
        raise UserError(f"{folder} must hold images ({', '.join(SUFFIXES)}), or a folder of them for each class.")
    return files


def _is_image(path: Path, other_suffixes: Counter[str]) -> bool:
    """Return whether a file has the suffix of an image; others are counted by suffix."""
    if path.suffix.lower() in SUFFIXES and path.is_file():
        return True
    other_suffixes[path.suffix] += 1
    return False


def _walk(folder: Path, visited: set[Path]) -> Iterator[Path]:
    """Yield all files in a folder and its subfolders, sorted; links are followed, circular ones once."""
    if folder.resolve() in visited:
        return
    visited.add(folder.resolve())
    for path in _visible_entries(folder):
        if path.is_dir():
            yield from _walk(path, visited)
        else:
            yield path


class _ImageReader:
    """Reads image files, and records those that are broken."""

    def __init__(self, side: int | None, skip_broken_images: bool):
        self.side, self.skip_broken_images, self.total_bytes, self.cropped = side, skip_broken_images, 0, 0
        self.broken: list[tuple[Path, str]] = []

    def read_split(self, files: Sequence[tuple[Path, str | None]]) -> tuple[list[np.ndarray], list[str] | None]:
        """Return the images of one split and their labels, or None if it has no labels."""
        pairs = [(image, label) for image, label in self._read_images(files)]
        labels = [label for _, label in pairs if label is not None]
        return [image for image, _ in pairs], labels or None

    def _read_images(self, files: Sequence[tuple[Path, str | None]]) -> Iterator[tuple[np.ndarray, str | None]]:
        for path, label in files:
            try:
                image = _pixels(path)
            except Exception as error:  # Pillow raises dozens of types for invalid images
                self.broken.append((path, f"{type(error).__name__}: {reason(error)}"))
                continue
            if self.side is not None:
                self.cropped += image.shape[0] != image.shape[1]
                image = _crop_and_resize(image, self.side)
            self.total_bytes += image.nbytes
            if self.total_bytes > MEMORY_LIMIT_GB * 1e9:
                raise UserError(
                    f"the images take more than {MEMORY_LIMIT_GB:.0f} GB; choose a smaller {argument('image_size')}."
                )
            yield image, label

    def report(self, folder: Path, can_skip: bool = True) -> None:
        """Refuse broken files, or print that they are skipped; the message offers to skip them if that is possible."""
        if not self.broken:
            return
        examples = ", ".join(
            f"{printable(str(path.relative_to(folder)))} ({message})" for path, message in self.broken[:MAX_NAMES]
        )
        more = f" and {len(self.broken) - MAX_NAMES} more" if len(self.broken) > MAX_NAMES else ""
        if not self.skip_broken_images:
            skipping = f", or leave them out with {argument('skip_broken_images', True)}" if can_skip else ""
            count = len(self.broken)
            raise UserError(
                f"{count} images in {folder} cannot be read: {examples}{more}; mend or remove them{skipping}."
            )
        print(f"left out {len(self.broken)} images in {folder} that cannot be read: {examples}{more}", flush=True)


def _pixels(path: Path) -> np.ndarray:
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


def _crop_and_resize(pixels: np.ndarray, side: int) -> np.ndarray:
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
        raise UserError(
            f"images in {folder} differ in size ({sizes[0][0]} x {sizes[0][1]} and {sizes[-1][0]} x {sizes[-1][1]} "
            f"pixels, for example); say with {argument('image_size')} to which side to resize them."
        )
    if not images:
        raise UserError(f"{folder} must hold images that can be read; every one of them is broken.")
    return np.stack([image if gray or image.shape[-1] == 3 else image.repeat(3, axis=-1) for image in images])
