"""The image files of a folder: what lies where, listed without opening any of them."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qssl_tf.errors import UserError, counted
from qssl_tf.markup import printable

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
UNLABELLED_FOLDER = "unlabelled"  # beside the folders of classes, or of splits
MAX_NAMES = 3  # names of files in a message
# What the parts of a folder are called as arguments of `from_arrays`.
TRAIN, TEST, UNLABELLED_PART = "images", "test_images", "unlabelled_images"

Files = Sequence[tuple[str, str | None]]  # path and class of each; None without a class


@dataclass(frozen=True)
class Listing:
    """The image files of a folder, in the order in which they are read.

    Attributes:
        root: The folder.
        parts: Path and class of each file of `images`, `test_images` and `unlabelled_images`, as far as there are such.
    """

    root: Path
    parts: dict[str, Files]

    def __len__(self) -> int:
        """Return the number of files."""
        return sum(map(len, self.parts.values()))

    def paths(self) -> list[str]:
        """Return the paths of all files, part after part."""
        return [path for files in self.parts.values() for path, _ in files]

    def stamp(self, start: int = 0, stop: int | None = None) -> str:
        """Return the SHA-256 of part, path, size and time of change of each file from `start` to `stop`."""
        digest, prefix, place = hashlib.sha256(), len(str(self.root)) + 1, 0
        for part, files in self.parts.items():
            low, high = max(0, start - place), len(files) if stop is None else max(0, stop - place)
            for path, _ in files[low:high]:
                info = os.stat(path)
                line = f"{part}\0{path[prefix:]}\0{info.st_size}\0{info.st_mtime_ns}\n"
                digest.update(line.encode("utf-8", "surrogateescape"))
            place += len(files)
        return digest.hexdigest()


def list_folder(root: Path) -> Listing:
    """Return the image files of a folder, and print in one line what is left out; see `from_folder` for the layouts.

    Raises:
        UserError: A missing folder, no images, or images both in folders of classes and beside them.
    """
    if root.is_file():
        raise UserError(f"the folder of images must be a folder; {root} is a file.")
    if not root.is_dir():
        raise UserError(f"the folder of images {root} does not exist; name one that does.")
    skipped: list[str] = []
    folders, unlabelled = {TRAIN: root}, root / UNLABELLED_FOLDER
    if (root / "train").is_dir():
        if not (root / "test").is_dir():
            raise UserError(f"{root} has a folder train and must have a folder test beside it.")
        folders = {TRAIN: root / "train", TEST: root / "test"}
        known = {path.name for path in (*folders.values(), unlabelled)}
        skipped += [entry.name for entry in _visible_entries(str(root)) if entry.name not in known]
    parts: dict[str, Files] = {part: _labelled_files(folder, skipped) for part, folder in folders.items()}
    if unlabelled.is_dir():
        parts[UNLABELLED_PART] = [(path, None) for path in image_files(unlabelled)]
    if skipped:
        examples, extra_count = ", ".join(map(printable, skipped[:MAX_NAMES])), len(skipped) - MAX_NAMES
        more = f" and {extra_count} more" if extra_count > 0 else ""
        print(f"left out of {printable(str(root))}: {examples}{more}", flush=True)
    return Listing(root, parts)


def image_files(folder: Path) -> list[str]:
    """Return the paths of all image files in a folder and its subfolders, sorted."""
    return [entry.path for entry in _walk(str(folder), set()) if _is_image(entry, Counter())]


def _visible_entries(folder: str) -> list[os.DirEntry]:
    """Return the entries of a folder, sorted, without hidden ones."""
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)


def _labelled_files(folder: Path, skipped: list[str]) -> Files:
    """Return the image files of a split, sorted, with their classes; None for files outside of class folders.

    Args:
        folder: Folder of the split.
        skipped: Descriptions of entries that are not images are appended to it.

    Raises:
        UserError: There are images both in class folders and beside them, or none.
    """
    files: list[tuple[str, str | None]] = []
    other_suffixes: Counter[str] = Counter()
    for entry in _visible_entries(str(folder)):
        if entry.name == UNLABELLED_FOLDER:
            continue
        if not entry.is_dir():
            files += [(entry.path, None)] if _is_image(entry, other_suffixes) else []
            continue
        class_files = [file.path for file in _walk(entry.path, set()) if _is_image(file, other_suffixes)]
        files += [(path, entry.name) for path in class_files]
        skipped += [] if class_files else [f"the folder {entry.name} without images"]
    skipped += [f"{counted(count, 'file')}{f' {suffix}' if suffix else ''}" for suffix, count in other_suffixes.items()]
    unlabelled = [path for path, label in files if label is None]
    if unlabelled and len(unlabelled) < len(files):
        raise UserError(
            f"{folder} has folders of classes and must hold no images beside them; got {Path(unlabelled[0]).name}."
        )
    if not files:
        raise UserError(f"{folder} must hold images ({', '.join(SUFFIXES)}), or a folder of them for each class.")
    return files


def _is_image(entry: os.DirEntry, other_suffixes: Counter[str]) -> bool:
    """Return whether a file has the suffix of an image; others are counted by suffix."""
    _, dot, ending = entry.name.rpartition(".")
    suffix = f".{ending}" if dot and ending else ""
    if suffix.lower() in SUFFIXES and entry.is_file():
        return True
    other_suffixes[suffix] += 1
    return False


def _walk(folder: str, visited: set[str]) -> Iterator[os.DirEntry]:
    """Yield all files in a folder and its subfolders, sorted; links are followed, circular ones once."""
    place = os.path.realpath(folder)
    if place in visited:
        return
    visited.add(place)
    for entry in _visible_entries(folder):
        if entry.is_dir():
            yield from _walk(entry.path, visited)
        else:
            yield entry
