"""Split: the images of one split of a data set, with labels."""

import hashlib
from dataclasses import dataclass

import numpy as np

MEMORY_LIMIT_GB = 8.0  # of one split, or of a folder
UNLABELLED = -1  # label of images of hidden or unknown class, as in TensorFlow Datasets


@dataclass(frozen=True, repr=False)
class Split:
    """The images of one split.

    Attributes:
        images: uint8, shape (n, height, width, channels) with 1 or 3 channels.
        labels: int64, shape (n,), class indices in the order of `ImageData.class_names`; UNLABELLED if the class is
            unknown.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def __repr__(self) -> str:
        """Return number and shape of the images, without pixels."""
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


# The fields of ImageData, as readers return them: name, training, validation and test split, class names.
ImageDataFields = tuple[str, Split, Split, Split, tuple[str, ...]]
