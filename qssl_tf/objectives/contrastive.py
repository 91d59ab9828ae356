"""Losses that compare the two views of an image with those of all others: NT-Xent, decoupled and supervised."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from qssl_tf.config import checked
from qssl_tf.errors import UserError
from qssl_tf.objectives.rows import check_views, normalised

ROWS_AT_ONCE = 2048  # of cosines with all others, where only the nearest is wanted


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
    return masked_logits(tf.matmul(z, z, transpose_b=True), temperature)


def masked_logits(similarities: tf.Tensor, temperature: float) -> tf.Tensor:
    """Return similarities of all 2n views, divided by the temperature, with the lowest float on the diagonal."""
    logits = similarities / temperature  # (2n, 2n)
    return tf.linalg.set_diag(logits, tf.fill(tf.shape(logits)[:1], logits.dtype.min))


def positives(n: tf.Tensor) -> tf.Tensor:
    """Return, for each of the 2n rows, the column of the other view of its image, shape (2n,)."""
    return tf.concat([tf.range(n, 2 * n), tf.range(n)], axis=0)


@keras.saving.register_keras_serializable(package="qssl_tf")
class NTXent(keras.losses.Loss):
    """Normalised temperature-scaled cross-entropy (NT-Xent) between two views (arXiv:2002.05709, Eq. 1, Algorithm 1).

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
        check_views(type(self).__name__, y_true, y_pred)
        n, logits = tf.shape(y_true)[0], self.logits(y_true, y_pred)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=positives(n), logits=logits)  # (2n,)
        return (losses[:n] + losses[n:]) / 2

    def logits(self, z_a: tf.Tensor, z_b: tf.Tensor) -> tf.Tensor:
        """Return the similarities of all 2n views over the temperature, shape (2n, 2n), see `contrastive_logits`."""
        return contrastive_logits(z_a, z_b, self.temperature)

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"temperature": self.temperature}


@keras.saving.register_keras_serializable(package="qssl_tf")
class DecoupledContrastive(NTXent):
    """Decoupled contrastive loss, DCL (arXiv:2110.06848, Eq. 6): NT-Xent whose denominator leaves the positive out.

    `call(z_a, z_b)` takes embeddings of shape (n, d) and returns (n,): for each image, the mean over its two views of
    minus the scaled cosine of the positive pair, plus the log-sum-exp over its 2n - 2 negatives. It may be negative.
    Without the positive in the denominator the gradient of an easy pair does not vanish, which helps small batches.

    Args:
        temperature: Divides the cosine similarities; positive.

    Raises:
        UserError: The temperature is not a positive number.
    """

    def __init__(
        self,
        temperature: float = 0.07,
        reduction: str = "sum_over_batch_size",
        name: str = "decoupled",
        dtype: Any = None,
    ):
        """Store the temperature."""
        super().__init__(temperature, reduction=reduction, name=name, dtype=dtype)

    def call(self, y_true, y_pred):
        """Return the loss of each image; the two arguments are symmetric.

        Raises:
            UserError: The arguments are not two arrays of the same shape (n, d), or hold one row.
        """
        check_views("DecoupledContrastive", y_true, y_pred, at_least=2)
        logits = contrastive_logits(y_true, y_pred, self.temperature)
        n = tf.shape(y_true)[0]
        pairs = tf.stack([tf.range(2 * n), positives(n)], axis=1)  # (2n, 2)
        positive = tf.gather_nd(logits, pairs)  # (2n,)
        negatives = tf.tensor_scatter_nd_update(logits, pairs, tf.fill([2 * n], logits.dtype.min))
        losses = tf.reduce_logsumexp(negatives, axis=1) - positive
        return (losses[:n] + losses[n:]) / 2


@keras.saving.register_keras_serializable(package="qssl_tf")
class SupervisedContrastive(NTXent):
    """Supervised contrastive loss (arXiv:2004.11362, Eq. 2): all views of images with the same label are positives.

    `call(labels, z)` takes labels, shape (n,), and the embeddings of both views, shape (n, 2, d), and returns (n,): for
    each image, the mean over its two views of -log softmax, averaged over all its positives outside of the logarithm.
    An image of unknown class (label -1) has its own other view as its only positive; if all are, it is NT-Xent.

    Args:
        temperature: Divides the cosine similarities; positive.

    Attributes:
        takes_labels: That the step must hand it labels.

    Raises:
        UserError: The temperature is not a positive number.
    """

    takes_labels = True

    def __init__(
        self,
        temperature: float = 0.07,
        reduction: str = "sum_over_batch_size",
        name: str = "supervised",
        dtype: Any = None,
    ):
        """Store the temperature."""
        super().__init__(temperature, reduction=reduction, name=name, dtype=dtype)

    def call(self, y_true, y_pred):
        """Return the loss of each image.

        Raises:
            UserError: The arguments are not labels (n,) and embeddings (n, 2, d).
        """
        if y_pred.shape.rank != 3 or y_pred.shape[1] != 2 or not y_true.shape.is_compatible_with(y_pred.shape[:1]):
            raise UserError(
                f"SupervisedContrastive must be given labels (n,) and both views' embeddings (n, 2, d); got "
                f"{tuple(y_true.shape)} and {tuple(y_pred.shape)}."
            )
        z_a, z_b = tf.unstack(y_pred, axis=1)
        n = tf.shape(z_a)[0]
        logits = contrastive_logits(z_a, z_b, self.temperature)
        log_softmax = logits - tf.reduce_logsumexp(logits, axis=1, keepdims=True)  # (2n, 2n)
        known = tf.tile(y_true >= 0, [2])
        labels = tf.tile(y_true, [2])
        same = (labels[:, tf.newaxis] == labels[tf.newaxis]) & known[:, tf.newaxis]
        other_view = tf.equal(tf.range(2 * n)[tf.newaxis], positives(n)[:, tf.newaxis])
        is_positive = tf.linalg.set_diag(same | other_view, tf.zeros(2 * n, tf.bool))
        total = tf.reduce_sum(tf.where(is_positive, log_softmax, tf.zeros_like(log_softmax)), axis=1)
        losses = -total / tf.reduce_sum(tf.cast(is_positive, total.dtype), axis=1)  # (2n,)
        return (losses[:n] + losses[n:]) / 2


def contrastive_accuracy(
    z_a: tf.Tensor, z_b: tf.Tensor, logits: Callable[[tf.Tensor, tf.Tensor, float], tf.Tensor] | None = None
) -> tf.Tensor:
    """Return, for each of the 2n views, whether the nearest other view is its positive; float32, shape (2n,).

    Args:
        z_a: Embeddings of the first views, shape (n, d).
        z_b: Embeddings of the second views, likewise.
        logits: What compares them, called as `contrastive_logits`; None takes cosines.
    """
    z = normalised(tf.concat([z_a, z_b], axis=0))  # (2n, d)
    n, count = tf.shape(z_a)[0], z.shape[0]
    if logits is not None:
        nearest = tf.argmax(logits(z_a, z_b, 1.0), axis=1, output_type=tf.int32)
    elif count is None or count <= ROWS_AT_ONCE:
        nearest = _nearest_others(z, z, tf.range(2 * n))
    else:  # beside the loss, whose own (2n, 2n) cosines are most of what a large batch takes behind the encoder
        padding = -count % ROWS_AT_ONCE
        blocks = tf.reshape(tf.pad(z, [[0, padding], [0, 0]]), (-1, ROWS_AT_ONCE, z.shape[1]))
        rows = tf.reshape(tf.range(count + padding), (-1, ROWS_AT_ONCE))
        found = tf.map_fn(
            lambda part: _nearest_others(z, *part), (blocks, rows), fn_output_signature=tf.int32, parallel_iterations=1
        )
        nearest = tf.reshape(found, [-1])[:count]
    return tf.cast(tf.equal(nearest, positives(n)), tf.float32)


def _nearest_others(z: tf.Tensor, queries: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Return the row of `z` with the largest cosine to each query other than itself, int32.

    Args:
        z: Normalised, shape (2n, d).
        queries: Some of its rows.
        rows: Which.
    """
    cosines = tf.matmul(queries, z, transpose_b=True)
    itself = tf.equal(rows[:, tf.newaxis], tf.range(tf.shape(z)[0]))
    return tf.argmax(tf.where(itself, cosines.dtype.min, cosines), axis=1, output_type=tf.int32)
