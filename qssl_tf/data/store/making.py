"""Making stores: of the user's own images, or of a source that is larger than memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qssl_tf.arguments import as_path, checks_arguments
from qssl_tf.commands import argument
from qssl_tf.config import Config, checked
from qssl_tf.data.arrays import check_names
from qssl_tf.data.images import ImageData
from qssl_tf.data.listing import TEST, TRAIN, UNLABELLED_PART, list_folder
from qssl_tf.data.placement import say, store_folder
from qssl_tf.data.store.data_sets import fields_of
from qssl_tf.data.store.folder_source import folder_source
from qssl_tf.data.store.iterable_source import iterable_source
from qssl_tf.data.store.manifest import read_manifest
from qssl_tf.data.store.source import Source
from qssl_tf.data.store.writing import make
from qssl_tf.errors import UserError
from qssl_tf.markup import printable


@checks_arguments
def make_store(
    train: Any,
    folder: str | Path,
    *,
    test: Any = None,
    unlabelled: Any = None,
    image_size: int | None = None,
    test_fraction: float | None = None,
    class_names: Sequence[str] | None = None,
    name: str | None = None,
    skip_broken_images: bool = False,
) -> ImageData:
    """Make a store of images on disk, for sets larger than memory, and return its images; they are read as needed.

    Images are read one by one. What was killed goes on: call it again with the same arguments. A store that is whole is
    opened. Training from it gives the bits of training from memory.

    Args:
        train: A folder of image files as `from_folder` has it, or an iterable (a list, a generator, a
            `tf.data.Dataset`) of images, pairs (image, label) or dictionaries with `image` and `label`. An image is an
            array of one image as in `from_arrays`, or the bytes of an image file. Labels are whole numbers or names;
            -1 and None are unknown.
        folder: The store: a new folder, or one that this function made.
        test: Test images, likewise; None splits off `test_fraction`. Not with a folder, which may have its own.
        unlabelled: Further images, likewise, used in pretraining only; their labels are not looked at.
        image_size: Side in pixels to which the square in the middle of each image is resized; None keeps images, which
            must then be of one size.
        test_fraction: As in `from_arrays`.
        class_names: As in `from_arrays`, for an iterable.
        name: Name of the data set; None is that of the folder of images, or else of the store.
        skip_broken_images: Leave out files of a folder that cannot be read.

    Returns:
        The images, as `ImageData.from_store` opens them.

    Raises:
        UserError: The store is of other images or its source has changed, images cannot be used, or the package
            array_record is missing.
        OSError: The disk is full; the shards that are whole are kept.
    """
    if image_size is not None:
        checked("image_size", image_size)
    place = Path(folder)
    if isinstance(train, str | Path):
        for argument, value in (("test", test), ("unlabelled", unlabelled), ("class_names", class_names)):
            if value is not None:
                raise UserError(f"`{argument}` must be left out where `train` is a folder, which has its own; got one.")
        source = folder_source(
            list_folder(Path(as_path("train", train))), image_size, skip_broken_images, test_fraction
        )
        return ImageData(*fields_of(make(place, source)))
    if test is not None and test_fraction is not None:
        raise UserError(f"`test_fraction` must be left out where there are `test` images; got {test_fraction}.")
    check_names(class_names)
    parts = {
        part: images
        for part, images in ((TRAIN, train), (TEST, test), (UNLABELLED_PART, unlabelled))
        if images is not None
    }
    for argument, images in (("train", train), ("test", test), ("unlabelled", unlabelled)):
        if images is not None and not hasattr(images, "__iter__"):
            raise UserError(f"`{argument}` must be a folder or an iterable of images; got a {type(images).__name__}.")
    source = iterable_source(parts, name or place.resolve().name, image_size, class_names, test_fraction)
    return ImageData(*fields_of(make(place, source)))


def from_disk(config: Config, source: Source, gigabytes: float) -> ImageData:
    """Return the images of a source from its store, which is made if there is none, and say so in one line."""
    place = store_folder(config, source.name, source.identity)
    manifest = read_manifest(place)
    say(printable(source.name), source.count or 0, gigabytes, place, manifest)
    return ImageData(*fields_of(make(place, source, argument("store_dir"))))
