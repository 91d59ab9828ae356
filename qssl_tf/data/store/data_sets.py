"""Data sets from stores that are made."""

from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.arguments import checks_arguments
from qssl_tf.data.arrays import from_arrays
from qssl_tf.data.folders import BrokenFiles
from qssl_tf.data.listing import TEST, TRAIN, UNLABELLED_PART
from qssl_tf.data.resizing import report_crops
from qssl_tf.data.splits import ImageDataFields, Split
from qssl_tf.data.store.reading import UNKNOWN, Store, open_store


def fields_of(store: Store) -> ImageDataFields:
    """Return the images of a store as readers return them, and print what was left out of it.

    Raises:
        UserError: Its labels do not fit each other.
    """
    _report(store)
    manifest = store.manifest
    if manifest["indexed"]:
        train, test = (Split(*store.images(part)) for part in ("train", "test"))
        return (manifest["name"], train, train.take(np.arange(0)), test, tuple(manifest["class_names"]))
    images, labels = store.images(TRAIN)
    options: dict[str, Any] = {"class_names": manifest["class_names"], "test_fraction": manifest["test_fraction"]}
    if TEST in manifest["parts"]:
        test_images, test_labels = store.images(TEST)
        options["test_images"] = test_images
        options["test_labels"] = None if _labels(labels) is None else _labels(test_labels, whole=True)
    if UNLABELLED_PART in manifest["parts"]:
        options["unlabelled_images"] = store.images(UNLABELLED_PART)[0]
    return from_arrays(images, _labels(labels), name=manifest["name"], **options)


def _labels(labels: np.ndarray, whole: bool = False) -> np.ndarray | None:
    """Return labels as `from_arrays` takes them; None if no image has one, unless all of them are asked for."""
    if labels.dtype.kind != "U":
        return labels if whole or (labels != UNKNOWN).any() else None
    known = labels != ""
    if known.all():
        return labels
    if not whole and not known.any():
        return None
    named = labels.astype(object)
    named[~known] = None
    return named


def _report(store: Store) -> None:
    manifest, shards = store.manifest, store.manifest["shards"]
    if count := sum(entry["left_out_count"] for entry in shards):
        examples = [example for entry in shards for example in entry["left_out"]]
        print(BrokenFiles(Path(manifest["source"].get("folder", "")), examples, count).left_out(), flush=True)
    report_crops(sum(entry["cropped"] for entry in shards), len(store), manifest["name"])


@checks_arguments
def from_store(folder: str | Path) -> ImageDataFields:
    """Open a store of images on disk.

    Args:
        folder: The store, as `make_store` or a command made it.

    Raises:
        UserError: There is none, it is half made or damaged, or the package array_record is missing.
    """
    return fields_of(open_store(Path(folder)))
