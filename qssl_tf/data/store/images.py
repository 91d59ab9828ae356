"""StoredImages: images that lie in a store on disk, in place of an array of all of them."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from qssl_tf.errors import UserError

CHUNK = 256  # images read at a time where all are


class UnreadableImage(UserError):
    """A record of a store that cannot be read; the message names shard and image."""


class Records(Protocol):
    """What `StoredImages` needs of a store.

    Attributes:
        folder: Where it lies.
        image_shape: Height, width and channels of every image.
        dct_method: How JPEGs are decoded: `dct_method` of `tf.io.decode_jpeg`.
        jpegs: How many of its records are JPEGs; all others are the pixels themselves.
        digests: SHA-256 of the pixels of each image, uint8, shape (n, 32).
    """

    folder: Path
    image_shape: tuple[int, int, int]
    dct_method: str
    jpegs: int
    digests: np.ndarray

    def records(self, rows: np.ndarray) -> list[bytes]:
        """Return the records of some rows, in their order."""


class StoredImages:
    """Images of a store, uint8, shape (n, height, width, channels), of which only those are read that are asked for.

    Like an array of them, `images[rows]` takes a slice, a mask or indices; it selects and reads nothing.
    `np.asarray(images)` reads.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, store: Records, rows: np.ndarray):
        """Select rows of a store.

        Args:
            store: The store.
            rows: Which of its images, in which order: int64, shape (n,).
        """
        self.store, self.rows = store, rows

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number, height, width and channels."""
        return (len(self.rows), *self.store.image_shape)

    @property
    def nbytes(self) -> int:
        """Bytes that an array of these images would take."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def digests(self) -> np.ndarray:
        """SHA-256 of the pixels of each image, uint8, shape (n, 32)."""
        return self.store.digests[self.rows]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.rows)

    def __repr__(self) -> str:
        """Return number and shape of the images."""
        return f"StoredImages({len(self)} of {' x '.join(map(str, self.shape[1:]))})"

    def __getitem__(self, rows: Any) -> "StoredImages":
        """Select images by a slice, a mask or indices; nothing is read."""
        return StoredImages(self.store, np.atleast_1d(self.rows[rows]))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read all of them; for NumPy."""
        parts = list(self.chunks())
        pixels = np.concatenate(parts) if parts else np.zeros(self.shape, np.uint8)
        return pixels if dtype is None else pixels.astype(dtype)

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield all images in order, at most `CHUNK` at a time.

        Raises:
            UserError: A record cannot be read.
        """
        for start in range(0, len(self), CHUNK):
            with plain_errors():
                yield self.gather(tf.range(start, min(start + CHUNK, len(self)))).numpy()

    def gather(self, rows: tf.Tensor) -> tf.Tensor:
        """Return some of these images, as `tf.gather` would of an array; for eager code and for `tf.data`.

        Args:
            rows: Indices, shape (n,).

        Returns:
            uint8, shape (n, height, width, channels).
        """
        # Reading is a pure function of the rows: a stateful one would be made sequential where ops are deterministic.
        records = tf.numpy_function(self._records, [rows], tf.string, stateful=False)
        records = tf.ensure_shape(records, tf.convert_to_tensor(rows).shape)
        if not self.store.jpegs:
            return tf.reshape(tf.io.decode_raw(records, tf.uint8), (-1, *self.store.image_shape))
        signature = tf.TensorSpec(self.store.image_shape, tf.uint8)
        return tf.map_fn(decoder(self.store), records, fn_output_signature=signature)

    def _records(self, rows: np.ndarray) -> np.ndarray:
        return np.array(self.store.records(self.rows[rows]), object)


def decoder(store: Records) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a function from a record, a string tensor, to its image: a record of an image's size is its pixels."""
    shape = store.image_shape
    size = int(np.prod(shape))

    def decode(record: tf.Tensor) -> tf.Tensor:
        return tf.cond(
            tf.strings.length(record) == size,
            lambda: tf.reshape(tf.io.decode_raw(record, tf.uint8), shape),
            lambda: tf.ensure_shape(tf.io.decode_jpeg(record, channels=shape[2], dct_method=store.dct_method), shape),
        )

    return decode


@contextmanager
def plain_errors() -> Iterator[None]:
    """Raise what is wrong with a store as itself: TensorFlow wraps what reading raises into an error of its own.

    Raises:
        UserError: A record cannot be read.
    """
    try:
        yield
    except tf.errors.OpError as error:
        found = re.search(rf"{UnreadableImage.__name__}: (.*)", error.message or "")
        if found is None:
            raise
        raise UnreadableImage(found[1]) from None


Images = np.ndarray | StoredImages
