"""ImageData: a data set of images in memory or in a store on disk, as all sources return it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qssl_tf.data.arrays import from_arrays
from qssl_tf.data.folders import from_folder
from qssl_tf.data.splits import Split
from qssl_tf.markup import printable


@dataclass(frozen=True)
class ImageData:
    """Training, validation (possibly empty) and test images of a data set, with class names.

    For your own images, use `from_arrays`, `from_folder` or `from_dataset`; for more of them than memory holds,
    `make_store`, and later `from_store`.

    Attributes:
        name: Name of the data set, for records and file names.
        train: Training images.
        validation: Images held out of the training split.
        test: Test images.
        class_names: In the order of the labels; empty for images without labels, which cannot be probed.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]

    def __post_init__(self):
        """Make names safe to print in files, figures and terminals, since a folder's name may hold any byte."""
        object.__setattr__(self, "name", printable(self.name))
        object.__setattr__(self, "class_names", tuple(printable(name) for name in self.class_names))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels

    def metadata(self) -> dict[str, Any]:
        """Return the content of a run's `data.json`: enough to build the model, and to recognize the images."""
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
        """Make a data set from arrays: see `qssl_tf.data.arrays.from_arrays` for shapes, options and errors."""
        return cls(*from_arrays(images, labels, **options))

    @classmethod
    def from_folder(cls, folder: str | Path, **options: Any) -> "ImageData":
        """Make a data set from image files: see `qssl_tf.data.folders.from_folder` for layout, options and errors."""
        return cls(*from_folder(folder, **options))

    @classmethod
    def from_dataset(cls, train: Any, test: Any = None, **options: Any) -> "ImageData":
        """Make a data set from a `tf.data.Dataset`: see `qssl_tf.data.datasets.from_dataset` for options and errors."""
        from qssl_tf.data.datasets import from_dataset

        return cls(*from_dataset(train, test, **options))

    @classmethod
    def from_store(cls, folder: str | Path, **options: Any) -> "ImageData":
        """Open a store that `qssl_tf.make_store` made: see `qssl_tf.data.store.data_sets.from_store` for errors."""
        from qssl_tf.data.store.data_sets import from_store

        return cls(*from_store(folder, **options))
