"""NT-Xent, the loss of SimCLR (arXiv:2002.05709, Eq. 1 and Algorithm 1)."""

from typing import Any

import keras
import tensorflow as tf

from qssl_tf.config import checked
from qssl_tf.errors import UserError

ZERO = 1e-30  # a vector with no number beyond it counts as zero: its gradient would be more than float32 holds
ORDINARY = (1e-15, 1e15)  # lengths whose squares float32 holds


def normalised(z: tf.Tensor) -> tf.Tensor:
    """Return each row over its length, float32 or more, shape (n, d).

    A row of zeros stays zero, at a cosine of 0 to all others, and gets no gradient. Rows whose squares would leave
    float32 are divided by their largest number first; all others are left to TensorFlow, to the last bit.
    """
    z = tf.cast(z, tf.float32) if z.dtype.size < 4 else z
    sizes = tf.stop_gradient(tf.abs(z))
    largest = tf.reduce_max(sizes, axis=1, keepdims=True)
    is_zero = tf.reduce_all(sizes <= ZERO, axis=1, keepdims=True)
    is_ordinary = is_zero | ((largest > ORDINARY[0]) & (largest < ORDINARY[1]))
    scaled = tf.where(is_zero, tf.zeros_like(z), z / tf.where(is_ordinary, tf.ones_like(largest), largest))
    return tf.math.l2_normalize(scaled, axis=1, epsilon=ZERO)


def contrastive_logits(z_a: tf.Tensor, z_b: tf.Tensor, temperature: float) -> tf.Tensor:
    """Return the cosine similarities of all 2n embeddings over the temperature, an embedding with itself left out.

    Args:
        z_a: Embeddings of the first views, shape (n, d); any length, also zero (see `normalised`).
        z_b: Embeddings of the second views, likewise.
        temperature: Above 0.

    Returns:
        Shape (2n, 2n), minus the largest float on the diagonal.
    """
    z = normalised(tf.concat([z_a, z_b], axis=0))  # (2n, d)
    logits = tf.matmul(z, z, transpose_b=True) / temperature  # (2n, 2n)
    return tf.linalg.set_diag(logits, tf.fill(tf.shape(logits)[:1], logits.dtype.min))


def positives(n: tf.Tensor) -> tf.Tensor:
    """Return, for each of 2n rows, the column of the other view of its image, shape (2n,)."""
    return tf.concat([tf.range(n, 2 * n), tf.range(n)], axis=0)


@keras.saving.register_keras_serializable(package="qssl_tf")
class NTXent(keras.losses.Loss):
    """Normalised temperature-scaled cross-entropy between two views.

    `call(z_a, z_b)` takes embeddings of shape (n, d) and returns (n,): for each image, the mean over its two views of
    -log softmax of the positive pair among the 2n - 1 other views. The default reduction is their mean. Only directions
    count; a zero vector (no number beyond 1e-30) has cosine 0 to all others and no gradient.

    Args:
        temperature: Divides the cosine similarities; above 0. 0.07 is the paper's (arXiv:2103.14653) and that of the
            preset `paper`; the settings' own default, 0.2, suits the small batches of `digits` better.

    Raises:
        UserError: The temperature is no number above 0.
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
            UserError: They are not two arrays of one shape (n, d).
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
    """Return for each of the 2n views whether its nearest other view is its positive, float32, shape (2n,)."""
    nearest = tf.argmax(contrastive_logits(z_a, z_b, 1.0), axis=1, output_type=tf.int32)
    return tf.cast(tf.equal(nearest, positives(tf.shape(z_a)[0])), tf.float32)
