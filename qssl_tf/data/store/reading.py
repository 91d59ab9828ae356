"""Stores: images in a folder on disk as ArrayRecord files, read by row at random and shared by any number of processes.

`manifest.json` (see `manifest.py`) lists its shards: `images-00000.array_record` with a record for each image and
`images-00000.npz` with their labels and checksums.
"""

import functools
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import tensorflow as tf

from qssl_tf.data.store.images import StoredImages, UnreadableImage
from qssl_tf.data.store.manifest import MANIFEST, damage, details_path, read_manifest
from qssl_tf.errors import UserError, pass_on_interrupt, reason
from qssl_tf.files.checksums import digest
from qssl_tf.files.read import read_arrays

DIGEST = hashlib.sha256().digest_size
UNKNOWN = -1  # label of an image of unknown class, where labels are numbers; an empty string where they are names
READERS = 8  # threads that read the records of a batch
MAX_DETAILS = 1 << 30  # bytes of labels and checksums of one shard
# A reader's own buffer, which Grain's reader has too: records are read one by one, so reading ahead is for nothing.
READER_OPTIONS: dict[str, Any] = {"options": "readahead_buffer_size:0", "file_reader_buffer_size": 32768}


def array_record() -> Any:
    """Return the module that reads and writes ArrayRecord files.

    Raises:
        UserError: It is not installed.
    """
    try:
        from array_record.python import array_record_module
    except ImportError as error:
        raise UserError(
            f"images on disk need the package array_record, which cannot be loaded here ({reason(error)}); install it "
            "(Linux, and macOS on Apple silicon, have it), or take fewer or smaller images."
        ) from None
    return array_record_module


class Store:
    """A finished store, open for reading; safe to use from several threads.

    Attributes:
        folder: Where it lies.
        manifest: The content of `manifest.json`.
        image_shape: Height, width and channels of every image.
        dct_method: How its JPEGs are decoded.
        jpegs: How many of its records are JPEGs.
        digests: SHA-256 of the pixels of each image, uint8, shape (n, 32).
        labels: Of each image as the source names it: integers or strings, shape (n,); -1 or "" is unknown.
        part: Index into the manifest's `parts` for each image, shape (n,).
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]):
        """Open the shards that a manifest lists; see `open_store`."""
        self.folder, self.manifest = folder, manifest
        height, width, channels = manifest["image_shape"]
        self.image_shape, self.dct_method = (height, width, channels), manifest["dct_method"]
        entries = manifest["shards"]
        self.jpegs = sum(entry["jpegs"] for entry in entries)
        self._ends = np.cumsum([entry["images"] for entry in entries])
        details = [read_details(folder, entry) for entry in entries]
        self.digests, self.part = (np.concatenate([shard[name] for shard in details]) for name in ("digests", "part"))
        self.labels = np.concatenate(_of_one_kind([shard["labels"] for shard in details]))
        self._readers: list[Any] = [None] * len(entries)
        self._lock, self._module = Lock(), array_record()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.digests)

    def images(self, part: str) -> tuple[StoredImages, np.ndarray]:
        """Return the images of a part, none of which is read, and their labels."""
        parts = self.manifest["parts"]
        rows = np.flatnonzero(self.part == parts.index(part)) if part in parts else np.arange(0)
        return StoredImages(self, rows), self.labels[rows]

    def records(self, rows: np.ndarray) -> list[bytes]:
        """Return the records of some rows, in their order; those of different shards are read at a time.

        Raises:
            UserError: One cannot be read.
        """
        found: list[bytes] = [b""] * len(rows)
        shards = np.searchsorted(self._ends, rows, side="right")
        work = [(int(shard), np.flatnonzero(shards == shard)) for shard in np.unique(shards)]

        def read(part: Sequence[tuple[int, np.ndarray]]) -> None:
            for shard, places in part:
                for place, record in zip(places.tolist(), self._read(shard, rows[places]), strict=True):
                    found[place] = record

        if len(work) == 1:
            read(work)
        else:
            list(_threads().map(read, [work[number::READERS] for number in range(min(READERS, len(work)))]))
        return found

    def _read(self, shard: int, rows: np.ndarray) -> list[bytes]:
        """Return the records of rows of one shard."""
        entry = self.manifest["shards"][shard]
        places = (rows - (self._ends[shard] - entry["images"])).tolist()
        try:
            return self._reader(shard).read(places)
        except Exception as error:  # of any kind, by what is damaged
            pass_on_interrupt(error)
            raise self._unreadable(shard, places, error) from None

    def _reader(self, shard: int) -> Any:
        """Return the open reader of a shard."""
        if self._readers[shard] is None:
            with self._lock:
                if self._readers[shard] is None:
                    entry = self.manifest["shards"][shard]
                    reader = self._module.ArrayRecordReader(str(self.folder / entry["file"]), **READER_OPTIONS)
                    if reader.num_records() != entry["images"]:
                        raise ValueError(f"it holds {reader.num_records()} images and must hold {entry['images']}")
                    self._readers[shard] = reader
        return self._readers[shard]

    def _unreadable(self, shard: int, places: list[int], error: Exception) -> UnreadableImage:
        """Return the error that names the first record of a shard that cannot be read."""
        bad, why = places[0], reason(error)
        for place in places:
            try:
                self._reader(shard).read([place])
            except Exception as failure:
                bad, why = place, reason(failure)
                break
        path = self.folder / self.manifest["shards"][shard]["file"]
        return UnreadableImage(
            f"image {bad} of {path} cannot be read ({why.split(' (')[0]}); remove that file, and it is made again from "
            "the source."
        )


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(READERS, "qssl-store")


def read_details(folder: Path, entry: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return labels and checksums of a shard.

    Raises:
        UserError: They are damaged.
    """
    path = details_path(folder / entry["file"])
    try:
        if digest(path) != entry["details_sha256"]:
            raise ValueError("it is not the file that was made")
        details = read_arrays(path, MAX_DETAILS)
        found = [(details[name].shape, details[name].dtype.kind) for name in ("digests", "part", "labels")]
        rows = (entry["images"],)
        if found[:2] != [((*rows, DIGEST), "u"), (rows, "u")] or found[2] not in ((rows, "i"), (rows, "U")):
            raise ValueError(f"it must describe {entry['images']} images")
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path} cannot be read ({reason(error)}); remove it, and it is made again from the source."
        ) from None
    return details


def _of_one_kind(labels: list[np.ndarray]) -> list[np.ndarray]:
    """Return the labels of all shards as numbers or as names, as known ones are.

    Raises:
        UserError: There are both.
    """
    if len({array.dtype.kind for array in labels}) == 1:
        return labels
    if any((array != UNKNOWN).any() for array in labels if array.dtype.kind != "U"):
        raise mixed_labels()
    return [array if array.dtype.kind == "U" else np.full(len(array), "") for array in labels]


def mixed_labels() -> UserError:
    """Return the error for labels that are numbers here and names there."""
    return UserError("labels of a store must be whole numbers or names; got both. Turn the numbers into names.")


def open_store(folder: Path, looks: bool = True) -> Store:
    """Open a finished store; sizes are compared, and the checksums of records as they are read.

    Args:
        folder: The store.
        looks: Compare its first image with the manifest; else nothing of it is read.

    Raises:
        UserError: There is none, it is half made, or a shard is damaged.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise UserError(f"{folder} must be a store of images, and has no {MANIFEST}; name one, or make it first.")
    if not manifest["finished"]:
        made = sum(entry["images"] for entry in manifest["shards"])
        raise UserError(f"{folder} is half made, with {made} images so far; go on by making it from the same source.")
    for entry in manifest["shards"]:
        if wrong := damage(folder, entry):
            raise UserError(f"{wrong}; make the store again from its source, which replaces what is damaged.")
    store = Store(folder, manifest)
    if looks and not _fits(store):
        raise UserError(
            f"the images of {folder} are not those that its {MANIFEST} describes; restore that file, or remove the "
            "store."
        )
    return store


def _fits(store: Store) -> bool:
    """Return whether labels, parts and the first image are what the manifest says of them.

    Raises:
        UserError: That image cannot be read.
    """
    manifest, labels = store.manifest, store.labels
    if store.part.max() >= len(manifest["parts"]):
        return False
    if manifest["indexed"]:
        classes = len(manifest["class_names"])
        if labels.dtype.kind != "i" or labels.min() < UNKNOWN or labels.max() >= classes:
            return False
    try:
        (pixels,) = next(StoredImages(store, np.arange(1)).chunks())
    except tf.errors.OpError as error:
        pass_on_interrupt(error)
        return False
    return hashlib.sha256(pixels.tobytes()).digest() == store.digests[0].tobytes()


def damaged_shards(
    folder: Path, manifest: dict[str, Any], advance: Callable[[int], None] = lambda count: None
) -> list[str]:
    """Read a store whole and return what is wrong with its shards by their checksums, a clause for each.

    Args:
        folder: The store.
        manifest: Its manifest.
        advance: Called after each shard, such as a bar's.
    """
    found = []
    for entry in manifest["shards"]:
        path = folder / entry["file"]
        wrong = damage(folder, entry)
        for file, wanted in ((path, entry["sha256"]), (details_path(path), entry["details_sha256"])):
            wrong = wrong or (None if _sha256(file) == wanted else f"{file} is not the file that was made")
        found += [wrong] if wrong else []
        advance(1)
    return found


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
