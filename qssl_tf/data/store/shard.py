"""Writing one shard of a store: its records, with labels and checksums beside them."""

import errno
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import tensorflow as tf

from qssl_tf.data.store.manifest import details_path
from qssl_tf.data.store.reading import DIGEST, UNKNOWN, array_record, mixed_labels
from qssl_tf.data.store.source import Item
from qssl_tf.environment import usable_cores
from qssl_tf.errors import pass_on_interrupt
from qssl_tf.files.checksums import digest
from qssl_tf.files.schema import MAX_WORD
from qssl_tf.files.write import npz, replacing

AHEAD = 64  # images that are being read while others are written, at most
AHEAD_BYTES = 1 << 28  # of their pixels, of which there are two copies
NAMED = 3  # images left out whose names are kept
# Each image can be read alone. Compression would take time, and neither JPEGs nor pixels of photographs shrink much.
WRITER_OPTIONS = "group_size:1,uncompressed"


@dataclass(frozen=True)
class Encoded:
    """An image as it is stored: its record (empty if it cannot be read) and the SHA-256 of its pixels."""

    item: Item
    record: bytes
    digest: bytes
    is_jpeg: bool


@contextmanager
def encoded(items: Iterator[Callable[[], Item]], dct_method: str) -> Iterator[Iterator[Encoded]]:
    """Yield an iterator over images as they are stored, in their order; several are read and encoded at a time."""
    pool = ThreadPoolExecutor(usable_cores(), "qssl-make-store")
    try:
        yield _in_order(pool, items, dct_method, usable_cores())
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ThreadPoolExecutor, items: Iterator[Callable[[], Item]], dct_method: str, workers: int
) -> Iterator[Encoded]:
    waiting: deque[Future[Encoded]] = deque()
    failure: Exception | None = None
    ahead = workers  # until it is known how large an image is
    try:
        for read in items:
            waiting.append(pool.submit(_encode, read, dct_method))
            while len(waiting) >= ahead:
                image = waiting.popleft().result()
                ahead = _ahead(image, workers)
                yield image
    except Exception as error:  # the source's own, of any kind: the images before it are kept
        pass_on_interrupt(error)
        failure = error
    while waiting:
        yield waiting.popleft().result()
    if failure is not None:
        raise failure


def _ahead(image: Encoded, workers: int) -> int:
    """Return how many images like this one may wait, so that memory holds them."""
    size = 0 if image.item.pixels is None else image.item.pixels.nbytes
    return max(workers, min(AHEAD, AHEAD_BYTES // max(1, size)))


def _encode(read: Callable[[], Item], dct_method: str) -> Encoded:
    return encode(read(), dct_method)


def encode(item: Item, dct_method: str) -> Encoded:
    """Return an image as it is stored: its JPEG, if that is shorter and decoded to exactly its pixels, or these."""
    if item.pixels is None:
        return Encoded(item, b"", b"", False)
    raw = item.pixels.tobytes()
    is_jpeg = 0 < len(item.encoded) < len(raw) and _decodes_to(item.encoded, item.pixels, dct_method)
    return Encoded(item, item.encoded if is_jpeg else raw, hashlib.sha256(raw).digest(), is_jpeg)


def _decodes_to(jpeg: bytes, pixels: np.ndarray, dct_method: str) -> bool:
    try:
        decoded = tf.io.decode_jpeg(jpeg, channels=pixels.shape[-1], dct_method=dct_method)
    except tf.errors.InvalidArgumentError:  # it can be read otherwise
        return False
    return np.array_equal(decoded.numpy(), pixels)


class ShardWriter:
    """Writes one shard under a temporary name, which it loses once the shard is whole; without an image there is none.

    Attributes:
        first: Place in the source at which the shard begins.
        next: Place behind the last image that it was given.
        size: Bytes of the records so far.
    """

    def __init__(self, path: Path, first: int):
        """Begin a shard; nothing is written yet."""
        self.path, self.first, self.next, self.size = path, first, first, 0
        self._kept: list[Encoded] = []  # without their records
        self._left_out: list[str] = []
        self._left_out_count = 0
        self._writer: Any = None
        self._files = ExitStack()
        self._entry: dict[str, Any] | None = None

    def __enter__(self) -> "ShardWriter":
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the shard, or remove what there is of it."""
        with _told_if_full(self.path):
            if kind is None and self._writer is not None:
                with self._files:
                    self._finish()
            else:
                with suppress(Exception):
                    if self._writer is not None:
                        self._writer.close()
                self._files.__exit__(kind, error, trace)

    def add(self, image: Encoded) -> None:
        """Write the record of an image, or note that it is left out."""
        self.next = image.item.place + 1
        if image.item.pixels is None:
            self._left_out_count += 1
            self._left_out += [image.item.problem[:MAX_WORD]] if len(self._left_out) < NAMED else []
            return
        with _told_if_full(self.path):
            if self._writer is None:
                self._temporary = self._files.enter_context(replacing(self.path))
                self._writer = array_record().ArrayRecordWriter(str(self._temporary), WRITER_OPTIONS)
            self._writer.write(image.record)
        self.size += len(image.record)
        item = image.item
        kept = Item(item.place, item.part, item.label, None, b"", item.cropped)
        self._kept.append(Encoded(kept, b"", image.digest, image.is_jpeg))

    def _finish(self) -> None:
        self._writer.close()  # raises what went wrong since it was opened
        self._size_on_disk, self._sha256 = self._temporary.stat().st_size, digest(self._temporary)
        with replacing(details_path(self.path)) as temporary:
            temporary.write_bytes(npz(self._details(), compressed=True))
        self._details_sha256 = digest(details_path(self.path))

    def _details(self) -> dict[str, np.ndarray]:
        digests = b"".join(image.digest for image in self._kept)
        return {
            "digests": np.frombuffer(digests, np.uint8).reshape(-1, DIGEST),
            "labels": label_array([image.item.label for image in self._kept]),
            "part": np.array([image.item.part for image in self._kept], np.uint8),
        }

    @property
    def left_out(self) -> dict[str, Any]:
        """What an entry says of images that cannot be read."""
        return {"next": self.next, "left_out": self._left_out, "left_out_count": self._left_out_count}

    def entry(self, stamp: str | None) -> dict[str, Any] | None:
        """Return what the manifest says of a finished shard; None if it has no image."""
        if not self._kept:
            return None
        return {
            "file": self.path.name,
            "images": len(self._kept),
            "first": self.first,
            "bytes": self._size_on_disk,
            "sha256": self._sha256,
            "details_sha256": self._details_sha256,
            "jpegs": sum(image.is_jpeg for image in self._kept),
            "cropped": sum(image.item.cropped for image in self._kept),
            "stamp": stamp,
        } | self.left_out


def label_array(labels: Sequence[int | str | None]) -> np.ndarray:
    """Return labels as integers, with UNKNOWN where there is none, or as strings, with an empty one there.

    Raises:
        UserError: There are both.
    """
    kinds = {type(label) for label in labels if label is not None}
    if len(kinds) > 1:
        raise mixed_labels()
    filler: int | str = "" if kinds == {str} else UNKNOWN
    return np.array([filler if label is None else label for label in labels], None if kinds == {str} else np.int64)


@contextmanager
def _told_if_full(path: Path) -> Iterator[None]:
    """Raise the system's error where ArrayRecord, whose errors are all of one kind, met a full disk.

    Raises:
        OSError: There is no room, or a file must not be larger.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        pass_on_interrupt(error)
        for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            if os.strerror(code) in str(error):
                raise OSError(code, os.strerror(code), str(path)) from None
        raise
