"""Images of one data set in memory: what every source returns and everything after it reads."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.markup import printable

MEMORY_LIMIT_GB = 8.0  # of one split, or of a folder
UNLABELLED = -1  # label of an image whose class is hidden or unknown, as TensorFlow Datasets has it


@dataclass(frozen=True, repr=False)
class Split:
    """Images of one split.

    Attributes:
        images: uint8, shape (n, height, width, channels) with 1 or 3 channels.
        labels: int64, shape (n,), counted from 0 in the order of `ImageData.class_names`; UNLABELLED where the class is
            not known.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def __repr__(self) -> str:
        """Return number and shape; the pixels of a data set fill screens."""
        return f"Split({len(self)} images of {' x '.join(map(str, self.images.shape[1:]))})"

    def fingerprint(self) -> str:
        """Return the SHA-256 of shape, images and labels."""
        digest = hashlib.sha256(str(self.images.shape).encode())
        for array in (self.images, self.labels):
            digest.update(array.tobytes())
        return digest.hexdigest()

    def take(self, rows: np.ndarray) -> "Split":
        """Return the images and labels of `rows`."""
        return Split(self.images[rows], self.labels[rows])

    def labelled(self) -> "Split":
        """Return the images whose class is known."""
        known = self.labels != UNLABELLED
        return self if known.all() else self.take(np.flatnonzero(known))


@dataclass(frozen=True)
class ImageData:
    """Train, validation (possibly empty) and test images of one data set, and what its labels mean.

    Your own come from `from_arrays`, `from_folder` or `from_dataset`.

    Attributes:
        name: Of the data set, for records and file names.
        train: Images to train on.
        validation: Images held out of the train split.
        test: Images that judge.
        class_names: In the order of the labels; none for images without labels, which can train but not be probed.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]

    def __post_init__(self):
        """Make the names fit for files, figures and terminals; a folder's name may hold any byte."""
        object.__setattr__(self, "name", printable(self.name))
        object.__setattr__(self, "class_names", tuple(printable(name) for name in self.class_names))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels

    def facts(self) -> dict[str, Any]:
        """Return what a run's `data.json` says of its images: enough to build the model, and to know them again."""
        return {
            "name": self.name,
            "image_shape": list(self.image_shape),
            "class_names": list(self.class_names),
            "train_images": len(self.train),
            "validation_images": len(self.validation),
            "test_images": len(self.test),
            "train_sha256": self.train.fingerprint(),
            "validation_sha256": self.validation.fingerprint(),
            "test_sha256": self.test.fingerprint(),
        }

    @classmethod
    def from_arrays(cls, images: Any, labels: Any = None, **options: Any) -> "ImageData":
        """Make a data set of arrays: see `qssl_tf.data.arrays.from_arrays` for shapes, options and errors."""
        from qssl_tf.data.arrays import from_arrays

        return from_arrays(images, labels, **options)

    @classmethod
    def from_folder(cls, folder: str | Path, **options: Any) -> "ImageData":
        """Make a data set of image files: see `qssl_tf.data.folders.from_folder` for layout, options and errors."""
        from qssl_tf.data.folders import from_folder

        return from_folder(folder, **options)

    @classmethod
    def from_dataset(cls, train: Any, test: Any = None, **options: Any) -> "ImageData":
        """Make a data set of any `tf.data.Dataset`: see `qssl_tf.data.datasets.from_dataset` for options and errors."""
        from qssl_tf.data.datasets import from_dataset

        return from_dataset(train, test, **options)
