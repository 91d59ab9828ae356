"""From images in memory to seeded batches: a batch of views is a pure function of (seed, step), so any step resumes."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from qssl_tf.data.augment import Augmentation

# Streams that must not share random numbers, mixed into the seed.
PRETRAIN, PROBE = 0, 1


def epoch_order(count: int, seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """Return the order of the `count` images in `epoch` (from 0), int32, shape (count,)."""
    return tf.random.experimental.stateless_shuffle(tf.range(count), seed=[seed, tf.cast(epoch, tf.int32)])


def image_draws(seed: int, stream: int, step: tf.Tensor, rows: tf.Tensor, count: int) -> tf.Tensor:
    """Return `count` uniform numbers in [0, 1) for each image of `rows`, shape (n, count).

    They depend on (seed, stream, step, row) alone: not on the other images of the batch, nor on its size.
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
    """Return a function (images, step, rows) -> (view_a, view_b), the views that pretraining sees.

    `images` are float32 in [0, 1], shape (n, height, width, channels); `step` counts the steps done before this one;
    `rows` are the images' places in the data set, shape (n,).
    """
    augment, count = augmentation.compiled, augmentation.n_draws

    def views(images: tf.Tensor, step: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        draws = image_draws(seed, PRETRAIN, step, rows, 2 * count)  # (n, 2 * count)
        return augment(images, draws[:, :count]), augment(images, draws[:, count:])

    return views


def view_pairs(
    images: np.ndarray,
    augmentation: Augmentation,
    batch_size: int,
    seed: int,
    steps: int | None,
    start: int = 0,
    shards: int = 1,
    mine: Sequence[int] = (0,),
) -> tf.data.Dataset:
    """Yield (view_a, view_b) for the steps `start` + 1 ... `steps`.

    Each epoch is a new order of the images; its last partial batch is dropped. A batch can be cut into shards, one
    after the other along its rows: all shards of a step are together the batch that one shard would be.

    Args:
        images: uint8, shape (n, height, width, channels).
        augmentation: Makes a view; the two views of an image get different draws.
        batch_size: Images a step, in all shards together.
        seed: Seed of order and draws.
        steps: The last step; None goes on for ever.
        start: Steps already done.
        shards: Equal parts of each batch; they divide `batch_size`.
        mine: The shards to yield at each step, in this order.

    Returns:
        A data set of pairs of float32 batches, shape (batch_size / shards, size, size, channels).
    """
    stored, views = tf.constant(images), view_maker(augmentation, seed)
    steps_per_epoch, size, wanted = len(images) // batch_size, batch_size // shards, tf.constant(mine)

    def pair(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        step, shard = index // len(mine), wanted[index % len(mine)]
        place = tf.cast(step % steps_per_epoch, tf.int32) * batch_size + shard * size
        rows = epoch_order(len(images), seed, step // steps_per_epoch)[place : place + size]
        batch = as_float(tf.gather(stored, tf.ensure_shape(rows, (size,))))
        return views(batch, step, rows)

    first = start * len(mine)
    numbers = tf.data.Dataset
    indices = numbers.counter(first) if steps is None else numbers.range(first, steps * len(mine))
    return indices.map(pair, num_parallel_calls=2).prefetch(2)


def image_batches(
    images: np.ndarray, batch_size: int, augmentation: Augmentation | None = None, seed: int = 0, number: int = 0
) -> tf.data.Dataset:
    """Yield all images once, in order, in batches (the last may be smaller), augmented if asked.

    Args:
        images: uint8, shape (n, height, width, channels).
        batch_size: Images a batch.
        augmentation: Makes one view of each image; None leaves images as they are.
        seed: Seed of the draws.
        number: Which augmented pass this is; each has its own draws.
    """
    stored = tf.constant(images)
    augment = augmentation.compiled if augmentation else None

    def batch(rows: tf.Tensor) -> tf.Tensor:
        pixels = as_float(tf.gather(stored, rows))
        if augmentation is None or augment is None:
            return pixels
        return augment(pixels, image_draws(seed, PROBE, tf.constant(number), rows, augmentation.n_draws))

    rows = tf.data.Dataset.range(len(images)).batch(batch_size)
    return rows.map(batch, num_parallel_calls=2).prefetch(2)
