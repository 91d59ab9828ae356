"""The images of a prepared data set of TensorFlow Datasets, split by split."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from qssl_tf.commands import argument
from qssl_tf.data.resizing import center_crop, report_crops
from qssl_tf.data.splits import MEMORY_LIMIT_GB, Split
from qssl_tf.data.store.source import Item, Source
from qssl_tf.errors import UserError

SPLITS = ("train", "test")
BATCH = 1024  # images read at a time into memory


def _same(item: Item) -> Item:
    return item


class TFDSImages:
    """Reads the images of a builder as uint8, resized as the settings say."""

    def __init__(self, builder: Any, image_key: str, label_key: str, image_size: int | None):
        """Look at a builder's features.

        Args:
            builder: A prepared builder of TFDS.
            image_key: Name of the feature that is the image.
            label_key: Name of the feature that is the class.
            image_size: Side in pixels to which the central square of each image is resized; None keeps them.

        Raises:
            UserError: They differ in size, and no size is given.
        """
        self.builder, self.image_key, self.label_key, self.image_size = builder, image_key, label_key, image_size
        self.feature = builder.info.features[image_key]
        if image_size is None and None in self.feature.shape:
            raise UserError(
                f"images of '{builder.name}' differ in size; say with {argument('image_size')} to which side to resize "
                "them."
            )

    def gigabytes(self, split: str) -> float:
        """Return what the images of a split take as pixels."""
        height, width, channels = self.feature.shape
        if self.image_size:
            height = width = self.image_size
        return self.builder.info.splits[split].num_examples * height * width * channels / 1e9

    def read(self, split: str) -> Split:
        """Read a split into memory.

        Raises:
            UserError: Memory cannot hold it.
        """
        if self.gigabytes(split) > MEMORY_LIMIT_GB:
            raise UserError(
                f"the {split} split of '{self.builder.name}' would take {self.gigabytes(split):.1f} GB of memory, more "
                f"than {MEMORY_LIMIT_GB:.0f} GB; keep it on disk with {argument('store', 'disk')}, or choose a smaller "
                f"{argument('image_size')}."
            )
        dataset = self._examples(split, self._pixels).batch(BATCH)
        images, labels, oblong = (np.concatenate(parts) for parts in zip(*dataset.as_numpy_iterator(), strict=True))
        if self.image_size:
            report_crops(int(oblong.sum()), len(images), f"{self.builder.name}, {split}")
        return Split(images, labels.astype(np.int64))

    def source(self) -> Source:
        """Return both splits as a source of a store."""
        info = self.builder.info
        facts = {
            split: [info.splits[split].num_examples, info.splits[split].num_bytes, info.splits[split].shard_lengths]
            for split in SPLITS
        }
        return Source(
            name=info.full_name,
            identity={
                "kind": "TFDS",
                "name": info.full_name,
                "folder": str(self.builder.data_dir),
                "image_size": self.image_size,
                "stamp": facts,
            },
            parts=SPLITS,
            count=sum(info.splits[split].num_examples for split in SPLITS),
            items=self._items,
            stamp=lambda start, stop: "",  # a prepared data set does not change in parts
            size=self._least_bytes,
            dct_method="",  # TFDS decodes by TensorFlow's default
            class_names=info.features[self.label_key].names,
            indexed=True,
        )

    def _least_bytes(self) -> int:
        """Return what the images take in a store at least: those that may be JPEGs of their size as they are."""
        pixels = int(sum(map(self.gigabytes, SPLITS)) * 1e9)
        if self.image_size and self.feature.shape[0] not in (None, self.image_size):
            return pixels
        return min(pixels, sum(self.builder.info.splits[split].num_bytes for split in SPLITS))

    def _items(self, start: int, stop: int | None) -> Iterator[Callable[[], Item]]:
        """Yield functions that return the images from one place to another, the train split first."""
        import tensorflow_datasets as tfds

        before = 0
        for part, split in enumerate(SPLITS):
            count = self.builder.info.splits[split].num_examples
            first, last = max(0, start - before), count if stop is None else min(count, stop - before)
            if first < last:
                rows = tfds.core.ReadInstruction(split, from_=first, to=last, unit="abs")
                examples = self._examples(rows, self._encoded, {self.image_key: tfds.decode.SkipDecoding()})
                for place, example in enumerate(examples.as_numpy_iterator(), before + first):
                    pixels, label, oblong, encoded = example
                    item = Item(place, part, int(label), pixels, encoded, bool(oblong) and self.image_size is not None)
                    yield functools.partial(_same, item)
            before += count

    def _examples(self, split: Any, parts: Callable[..., Any], decoders: Any = None) -> tf.data.Dataset:
        import tensorflow_datasets as tfds

        decoding = tfds.decode.PartialDecoding({self.image_key: True, self.label_key: True}, decoders=decoders)
        dataset = self.builder.as_dataset(split=split, shuffle_files=False, decoders=decoding)
        return dataset.map(parts, num_parallel_calls=tf.data.AUTOTUNE)

    def _pixels(self, example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return image, label, and whether the image is not square."""
        image = example[self.image_key]
        rows, columns = tf.shape(image)[0], tf.shape(image)[1]
        if self.image_size:
            image = center_crop(image, rows, columns, tf.minimum(rows, columns))
            side = (self.image_size, self.image_size)
            image = tf.cast(tf.round(tf.image.resize(image, side, antialias=True)), tf.uint8)
        return image, example[self.label_key], rows != columns

    def _encoded(self, example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return the same, with the image's own bytes, or none where it is resized."""
        encoded = example[self.image_key]
        decoded = self.feature.decode_example(encoded)
        pixels, label, is_oblong = self._pixels(example | {self.image_key: decoded})
        is_whole = tf.reduce_all(tf.shape(pixels) == tf.shape(decoded))
        return pixels, label, is_oblong, tf.where(is_whole, encoded, "")
