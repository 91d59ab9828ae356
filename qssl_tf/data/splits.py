"""Split: the images of one split of a data set, with labels."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from qssl_tf.data.store.images import Images

MEMORY_LIMIT_GB = 8.0  # of one split, or of a folder
BY_IMAGE = "images-"  # how a fingerprint begins that is made of a checksum for each image, as stores keep them
UNLABELLED = -1  # label of images of hidden or unknown class, as in TensorFlow Datasets


@dataclass(frozen=True, repr=False)
class Split:
    """The images of one split.

    Attributes:
        images: uint8, shape (n, height, width, channels) with 1 or 3 channels: an array, or images of a store on disk.
        labels: int64, shape (n,), class indices in the order of `ImageData.class_names`; UNLABELLED if the class is
            unknown.
    """

    images: Images
    labels: np.ndarray

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def __repr__(self) -> str:
        """Return number and shape of the images, without pixels."""
        return f"Split({len(self)} images of {' x '.join(map(str, self.images.shape[1:]))})"

    def fingerprint(self, by_image: bool | None = None) -> str:
        """Return the SHA-256 of shape, images and labels.

        Args:
            by_image: Take the checksum of each image in place of its pixels, which need not be read from a store then;
                such a fingerprint begins with `BY_IMAGE`. None does so for images of a store only.
        """
        by_image = not isinstance(self.images, np.ndarray) if by_image is None else by_image
        digest = hashlib.sha256(str(self.images.shape).encode())
        for part in (image_digests(self.images),) if by_image else _pixels(self.images):
            digest.update(part.tobytes())
        digest.update(self.labels.tobytes())
        return f"{BY_IMAGE if by_image else ''}{digest.hexdigest()}"

    def has_fingerprint(self, recorded: str) -> bool:
        """Return whether a fingerprint, of pixels or by image, is that of this split."""
        return recorded == self.fingerprint(by_image=recorded.startswith(BY_IMAGE))

    def take(self, rows: np.ndarray) -> "Split":
        """Return the images and labels of `rows`."""
        return Split(self.images[rows], self.labels[rows])

    def labelled(self) -> "Split":
        """Return the images whose class is known."""
        known = self.labels != UNLABELLED
        return self if known.all() else self.take(np.flatnonzero(known))


def image_digests(images: Images) -> np.ndarray:
    """Return the SHA-256 of the pixels of each image, uint8, shape (n, 32); a store has them."""
    if not isinstance(images, np.ndarray):
        return images.digests
    hashes = b"".join(hashlib.sha256(image.tobytes()).digest() for image in images)
    return np.frombuffer(hashes, np.uint8).reshape(-1, hashlib.sha256().digest_size)


def _pixels(images: Images) -> Iterable[np.ndarray]:
    """Return all images in order; those of a store are read in parts, and a line says so, as it may take long."""
    if isinstance(images, np.ndarray):
        return (images,)
    if len(images):
        print(f"{len(images)} stored images are read once, to compare them with those of a run in memory", flush=True)
    return images.chunks()


# The fields of ImageData, as readers return them: name, training, validation and test split, class names.
ImageDataFields = tuple[str, Split, Split, Split, tuple[str, ...]]
