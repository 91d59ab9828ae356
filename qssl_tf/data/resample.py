"""Crop and resize a batch with a box for each image, like PIL's bilinear filter."""

import tensorflow as tf


def _weights(start: tf.Tensor, length: tf.Tensor, size: int, pixels: int) -> tf.Tensor:
    """Return the matrices that resample `pixels` pixels to `size`, shape (n, size, pixels).

    Each row is a triangle filter around the centre of an output pixel, with a half-width of the scale (at least one
    pixel), clipped at the crop's borders and normalised.
    """
    scale = (length / size)[:, tf.newaxis, tf.newaxis]
    start, length = start[:, tf.newaxis, tf.newaxis], length[:, tf.newaxis, tf.newaxis]
    centres = start + (tf.range(size, dtype=tf.float32)[:, tf.newaxis] + 0.5) * scale  # (n, size, 1)
    pixel = tf.range(pixels, dtype=tf.float32)
    weights = tf.maximum(0.0, 1.0 - tf.abs(pixel + 0.5 - centres) / tf.maximum(scale, 1.0))  # (n, size, pixels)
    weights *= tf.cast((pixel >= start) & (pixel < start + length), tf.float32)
    return weights / tf.reduce_sum(weights, axis=2, keepdims=True)


def crop_and_resize(
    images: tf.Tensor, top: tf.Tensor, left: tf.Tensor, height: tf.Tensor, width: tf.Tensor, size: int
) -> tf.Tensor:
    """Crop one box from each image and resize it to `size` x `size` pixels.

    Args:
        images: float32, shape (n, rows, columns, channels).
        top: First row of each box in whole pixels, float32, shape (n,).
        left: First column of each box, likewise.
        height: Number of rows of each box, likewise.
        width: Number of columns of each box, likewise.
        size: Side of the result in pixels.

    Returns:
        float32, shape (n, size, size, channels).
    """
    rows, columns, channels = images.shape[1:]
    down = _weights(top, height, size, rows)  # (n, size, rows)
    across = _weights(left, width, size, columns)  # (n, size, columns)
    # Two batched matrix products; channels are merged with the axis that is not resampled.
    tall = tf.matmul(down, tf.reshape(images, (-1, rows, columns * channels)))
    tall = tf.transpose(tf.reshape(tall, (-1, size, columns, channels)), (0, 2, 1, 3))
    wide = tf.matmul(across, tf.reshape(tall, (-1, columns, size * channels)))
    return tf.transpose(tf.reshape(wide, (-1, size, size, channels)), (0, 2, 1, 3))
