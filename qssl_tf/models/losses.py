"""NT-Xent, the loss of SimCLR (arXiv:2002.05709, Eq. 1 and Algorithm 1)."""

from typing import Any

import keras
import tensorflow as tf

from qssl_tf.config import checked
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


def contrastive_logits(z_a: tf.Tensor, z_b: tf.Tensor, temperature: float) -> tf.Tensor:
    """Return the cosine similarities of all 2n embeddings, divided by the temperature, with the diagonal masked.

    Args:
        z_a: Embeddings of the first views, shape (n, d); any length, also zero (see `normalised`).
        z_b: Embeddings of the second views, likewise.
        temperature: Positive.

    Returns:
        Shape (2n, 2n), with the lowest float on the diagonal.
    """
    z = normalised(tf.concat([z_a, z_b], axis=0))  # (2n, d)
    logits = tf.matmul(z, z, transpose_b=True) / temperature  # (2n, 2n)
    return tf.linalg.set_diag(logits, tf.fill(tf.shape(logits)[:1], logits.dtype.min))


def positives(n: tf.Tensor) -> tf.Tensor:
    """Return, for each of the 2n rows, the column of the other view of its image, shape (2n,)."""
    return tf.concat([tf.range(n, 2 * n), tf.range(n)], axis=0)


@keras.saving.register_keras_serializable(package="qssl_tf")
class NTXent(keras.losses.Loss):
    """Normalised temperature-scaled cross-entropy (NT-Xent) between two views.

    `call(z_a, z_b)` takes embeddings of shape (n, d) and returns (n,): for each image, the mean over its two views of
    -log softmax of the positive pair among the 2n - 1 other views. The default reduction is their mean. Only
    directions matter; a zero vector (no entry above 1e-30) has cosine 0 to all others and no gradient.

    Args:
        temperature: Divides the cosine similarities; positive. 0.07 is the paper's (arXiv:2103.14653) and that of the
            preset `paper`; the default of the settings, 0.2, suits the small batches of `digits` better.

    Raises:
        UserError: The temperature is not a positive number.
    """

    def __init__(
        self,
        temperature: float = 0.07,
        reduction: str = "sum_over_batch_size",
        name: str = "nt_xent",
        dtype: Any = None,
    ):
        """Store the temperature."""
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.temperature = checked("temperature", temperature)

    def call(self, y_true, y_pred):
        """Return the loss of each image; the two arguments are symmetric.

        Raises:
            UserError: The arguments are not two arrays of the same shape (n, d).
        """
        if y_true.shape.rank != 2 or not y_true.shape.is_compatible_with(y_pred.shape):
            raise UserError(
                f"NTXent must be given two views' embeddings of one shape (n, d); got {tuple(y_true.shape)} and "
                f"{tuple(y_pred.shape)}."
            )
        logits = contrastive_logits(y_true, y_pred, self.temperature)
        n = tf.shape(y_true)[0]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=positives(n), logits=logits)  # (2n,)
        return (losses[:n] + losses[n:]) / 2

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"temperature": self.temperature}


def contrastive_accuracy(z_a: tf.Tensor, z_b: tf.Tensor) -> tf.Tensor:
    """Return, for each of the 2n views, whether the nearest other view is its positive; float32, shape (2n,)."""
    nearest = tf.argmax(contrastive_logits(z_a, z_b, 1.0), axis=1, output_type=tf.int32)
    return tf.cast(tf.equal(nearest, positives(tf.shape(z_a)[0])), tf.float32)
