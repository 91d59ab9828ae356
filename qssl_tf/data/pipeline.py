"""Seeded batches of images in memory or on disk: views are a function of (seed, step), so any step can be resumed."""

import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from qssl_tf.arguments import checks_arguments
from qssl_tf.data.augment import Augmentation
from qssl_tf.data.store.images import Images, StoredImages

# Independent streams of random numbers, mixed into the seed.
PRETRAIN, PROBE = 0, 1
PARALLEL_BATCHES = max(2, min(8, os.cpu_count() or 1))  # made at a time; they come in their order whatever it is


def epoch_order(count: int, seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """Return the order of the `count` images in `epoch` (from 0), int32, shape (count,)."""
    return tf.random.experimental.stateless_shuffle(tf.range(count), seed=[seed, tf.cast(epoch, tf.int32)])


def image_draws(seed: int, stream: int, step: tf.Tensor, rows: tf.Tensor, count: int) -> tf.Tensor:
    """Return `count` uniform numbers in [0, 1) for each image of `rows`, shape (n, count).

    They depend only on (seed, stream, step, row), not on the size or the other images of the batch.
    """
    key = tf.constant((seed << 32) + (stream << 30), tf.int64) + tf.cast(step, tf.int64)
    seeds = tf.stack([tf.fill(tf.shape(rows), key), tf.cast(rows, tf.int64)], axis=1)  # (n, 2)
    return tf.map_fn(
        lambda pair: tf.random.stateless_uniform((count,), pair),
        seeds,
        fn_output_signature=tf.TensorSpec((count,), tf.float32),
    )


def as_float(images: tf.Tensor) -> tf.Tensor:
    """Return bytes as float32 in [0, 1]."""
    return tf.cast(images, tf.float32) / 255.0


def view_maker(augmentation: Augmentation, seed: int) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Return a function (images, step, rows) -> (view_a, view_b), the views of pretraining.

    `images` are float32 in [0, 1], shape (n, height, width, channels); `step` is the number of steps before this one;
    `rows` are the indices of the images in the data set, shape (n,).
    """
    count, pair = 2 * augmentation.n_draws, pair_maker(augmentation)

    def views(images: tf.Tensor, step: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return pair(images, image_draws(seed, PRETRAIN, step, rows, count))

    return views


def pair_maker(augmentation: Augmentation) -> Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Return a function (images, draws) -> (view_a, view_b), for what `view_pairs` or `drawn_batches` draws.

    `images` are bytes, or float32 in [0, 1]; `draws` have shape (n, 2 * n_draws), a half for each view.
    """
    augment, count = augmentation.compiled, augmentation.n_draws

    def pair(images: tf.Tensor, draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = as_float(images) if images.dtype == tf.uint8 else images
        return augment(pixels, draws[:, :count]), augment(pixels, draws[:, count:])

    return pair


def pixel_reader(images: Images) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a function from rows, shape (n,), to their images, uint8, shape (n, height, width, channels)."""
    if isinstance(images, StoredImages):
        return images.gather
    in_memory = tf.constant(images)
    return lambda rows: tf.gather(in_memory, rows)


@checks_arguments
def view_pairs(
    images: np.ndarray | StoredImages,
    augmentation: Augmentation,
    batch_size: int,
    seed: int,
    steps: int | None,
    start: int = 0,
    shards: int = 1,
    shard_indices: Sequence[int] = (0,),
    labels: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Yield (view_a, view_b) for the steps `start` + 1 ... `steps`, or (view_a, view_b, labels) where those are given.

    Each epoch reshuffles the images and drops its last partial batch. A batch can be split into shards of consecutive
    rows; together, the shards of a step equal the unsharded batch.

    Args:
        images: uint8, shape (n, height, width, channels), in memory or in a store.
        augmentation: Makes the views; the two views of an image get different random numbers.
        batch_size: Images per step, over all shards.
        seed: Seed of the order and of the views.
        steps: The last step; None repeats forever.
        start: Number of steps already taken.
        shards: Number of equal parts of each batch; it divides `batch_size`.
        shard_indices: The shards to yield at each step, in this order.
        labels: Integers, one for each image, -1 where unknown; None yields none.

    Returns:
        A dataset of pairs of float32 batches, shape (batch_size / shards, size, size, channels); labels are int32,
        shape (batch_size / shards,).
    """
    place = steps, start, shards, shard_indices, labels
    return _batches(pair_maker(augmentation), images, augmentation.n_draws, batch_size, seed, *place)


def drawn_batches(
    images: Images,
    augmentation: Augmentation,
    batch_size: int,
    seed: int,
    steps: int | None,
    start: int = 0,
    shards: int = 1,
    shard_indices: Sequence[int] = (0,),
    labels: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Yield (images, draws), of which `pair_maker` makes what `view_pairs` yields for the same arguments.

    Labels come third where those are given.

    Returns:
        A dataset of uint8 batches, shape (batch_size / shards, height, width, channels), with their random numbers,
        float32, shape (batch_size / shards, 2 * n_draws).
    """
    place = steps, start, shards, shard_indices, labels
    return _batches(lambda *drawn: drawn, images, augmentation.n_draws, batch_size, seed, *place)


def _batches(
    make: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    images: Images,
    n_draws: int,
    batch_size: int,
    seed: int,
    steps: int | None,
    start: int,
    shards: int,
    shard_indices: Sequence[int],
    labels: np.ndarray | None,
) -> tf.data.Dataset:
    """Yield what `make` makes of the images and the draws of each step; arguments as those of `view_pairs`."""
    read, shard_table, per_step = pixel_reader(images), tf.constant(shard_indices), len(shard_indices)
    steps_per_epoch, size = len(images) // batch_size, batch_size // shards
    label_table = None if labels is None else tf.constant(labels, tf.int32)

    def epoch_batches(epoch: tf.Tensor) -> tf.data.Dataset:
        """Yield (step, rows) for each shard of an epoch's steps; its order is drawn once, as it takes long for many."""
        order, step_before = epoch_order(len(images), seed, epoch), epoch * steps_per_epoch
        first = tf.maximum(tf.constant(start, tf.int64) - step_before, 0)
        last = (
            steps_per_epoch
            if steps is None
            else tf.minimum(tf.constant(steps, tf.int64) - step_before, steps_per_epoch)
        )

        def rows_of(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            step, shard = index // per_step, shard_table[index % per_step]
            first_row = tf.cast(step, tf.int32) * batch_size + shard * size
            return step_before + step, tf.ensure_shape(order[first_row : first_row + size], (size,))

        return tf.data.Dataset.range(first * per_step, last * per_step).map(rows_of)

    def batch(step: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
        draws = tf.ensure_shape(image_draws(seed, PRETRAIN, step, rows, 2 * n_draws), (size, 2 * n_draws))
        made = make(read(rows), draws)
        return made if label_table is None else (*made, tf.gather(label_table, rows))

    first_epoch, numbers = start // steps_per_epoch, tf.data.Dataset
    epochs = numbers.counter(first_epoch) if steps is None else numbers.range(first_epoch, -(-steps // steps_per_epoch))
    count = tf.data.INFINITE_CARDINALITY if steps is None else max(0, steps - start) * per_step
    batches = epochs.flat_map(epoch_batches).map(batch, num_parallel_calls=PARALLEL_BATCHES)
    return batches.apply(tf.data.experimental.assert_cardinality(count)).prefetch(2)


def image_batches(
    images: Images, batch_size: int, augmentation: Augmentation | None = None, seed: int = 0, number: int = 0
) -> tf.data.Dataset:
    """Yield all images once, in order, in batches (the last may be smaller), optionally augmented.

    Args:
        images: uint8, shape (n, height, width, channels), in memory or in a store.
        batch_size: Images per batch.
        augmentation: Makes one view of each image; None yields the images themselves.
        seed: Seed of the augmentation.
        number: Index of the augmented pass; each pass has its own random numbers.
    """
    read = pixel_reader(images)
    augment = augmentation.compiled if augmentation else None

    def batch(rows: tf.Tensor) -> tf.Tensor:
        pixels = as_float(read(rows))
        if augmentation is None or augment is None:
            return pixels
        return augment(pixels, image_draws(seed, PROBE, tf.constant(number), rows, augmentation.n_draws))

    rows = tf.data.Dataset.range(len(images)).batch(batch_size)
    return rows.map(batch, num_parallel_calls=2).prefetch(2)
