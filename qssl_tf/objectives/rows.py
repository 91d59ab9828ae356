"""What the losses do with tables of embeddings: checks of their shapes, and directions in place of lengths."""

import tensorflow as tf

from qssl_tf.errors import UserError

TINY = 1e-30  # vectors without a larger entry count as zero, since their gradient would overflow float32
SAFE_RANGE = (1e-15, 1e15)  # magnitudes whose squares float32 can represent


def normalised(z: tf.Tensor) -> tf.Tensor:
    """Return each row divided by its length, in float32 or higher precision, shape (n, d).

    A row of zeros stays zero, with cosine 0 to all others and no gradient. Rows whose squares would leave the range of
    float32 are first divided by their largest entry; for all others, results equal TensorFlow's to the last bit.
    """
    z = tf.cast(z, tf.float32) if z.dtype.size < 4 else z
    magnitudes = tf.stop_gradient(tf.abs(z))
    largest = tf.reduce_max(magnitudes, axis=1, keepdims=True)
    is_zero = tf.reduce_all(magnitudes <= TINY, axis=1, keepdims=True)
    is_safe = is_zero | ((largest > SAFE_RANGE[0]) & (largest < SAFE_RANGE[1]))
    rescaled = tf.where(is_zero, tf.zeros_like(z), z / tf.where(is_safe, tf.ones_like(largest), largest))
    return tf.math.l2_normalize(rescaled, axis=1, epsilon=TINY)


def cosines(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Return the cosine of each row of `a` with the row of `b` beside it, shape (n,)."""
    return tf.reduce_sum(normalised(a) * normalised(b), axis=1)


def check_views(name: str, z_a: tf.Tensor, z_b: tf.Tensor, at_least: int = 1) -> None:
    """Refuse what are not two tables of one shape.

    Args:
        name: Of the loss, for the message.
        z_a: Embeddings of the first views, shape (n, d).
        z_b: Embeddings of the second views, likewise.
        at_least: Images without which the loss means nothing.

    Raises:
        UserError: They have other shapes, or too few rows.
    """
    if z_a.shape.rank != 2 or not z_a.shape.is_compatible_with(z_b.shape):
        raise UserError(
            f"{name} must be given two views' embeddings of one shape (n, d); got {tuple(z_a.shape)} and "
            f"{tuple(z_b.shape)}."
        )
    if z_a.shape[0] is not None and z_a.shape[0] < at_least:
        raise UserError(f"{name} must be given at least {at_least} images, which it compares; got {z_a.shape[0]}.")
