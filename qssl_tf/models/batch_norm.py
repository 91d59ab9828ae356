"""Batch norm by TensorFlow's fused kernel, over the batches of all replicas where there are several."""

import functools
from collections.abc import Callable

import keras
import tensorflow as tf

from qssl_tf.distributed.replicas import replica_count, sum_over_replicas, view_count
from qssl_tf.xla import compiled


# The class has its parent's name because Keras names the weights in a checkpoint after it: both read each other's.
@keras.saving.register_keras_serializable(package="qssl_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, faster on images and over the global batch under `tf.distribute`.

    Keras 3 builds batch norm out of single operations, each a pass over the whole activation: on two cores the train
    step of ResNet-18 takes 1.14 times as long with it as with one kernel forward and one backward
    (docs/benchmarks.md). Variables, names and results are Keras's, the running variance included, which is the
    batch's biased one. Arguments are those of the parent.

    Several replicas take mean and variance over all their rows (arXiv:2002.05709, Section 2.2: local statistics
    would leak which rows lie on one replica). Every replica then holds the same running statistics.

    Input and output: float32, shape (n, height, width, channels) or (n, channels).
    """

    def call(self, inputs, training=None, mask=None):
        """Return the normalised rows; update the running statistics where the layer trains."""
        trains = bool(training) and self.trainable
        if trains and replica_count() > 1:
            y, means, variances = _normalise_together(self.epsilon, tf.convert_to_tensor(self.moving_mean))(
                inputs, tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
            )
            statistics = list(zip(tf.unstack(means), tf.unstack(variances), strict=True))
        elif len(inputs.shape) != 4:
            return super().call(inputs, training=training, mask=mask)
        else:
            y, mean, variance = self._fused(inputs, trains)
            statistics = [(mean, variance)]
        for mean, variance in statistics if trains else []:
            for running, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                running.assign(running * self.momentum + tf.stop_gradient(batch) * (1 - self.momentum))
        return y

    def _fused(self, inputs: tf.Tensor, trains: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=[] if trains else self.moving_mean,
            variance=[] if trains else self.moving_variance,
            epsilon=self.epsilon,
            is_training=trains,
        )
        count = tf.cast(tf.size(inputs) / inputs.shape[-1], tf.float32)
        return y, mean, variance * (count - 1) / count  # the kernel's variance is the unbiased one


def _normalise_together(epsilon: float, shift: tf.Tensor) -> Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
    """Return a function (x, gamma, beta) -> (y, means, variances) over the rows of all replicas, each view by itself.

    One message forward (means and squares) and one backward (the two sums that couple the rows), for all views. The
    gradients of gamma and beta are this replica's share, for the optimizer to sum.

    Args:
        epsilon: Added to the variance.
        shift: Near the mean and equal on all replicas, so that the squares lose no digits; shape (channels,).
    """

    @tf.custom_gradient
    def normalise(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor):
        replicas, by_view = replica_count(), (view_count(), -1, x.shape[-1])
        means, variances = _moments(x, epsilon)  # (views, channels) each, of this replica
        away = means - shift
        away, squares = tf.unstack(sum_over_replicas(tf.stack([away, variances + away**2])) / replicas)
        means, variances = shift + away, squares - away**2  # of all replicas
        slopes = tf.math.rsqrt(variances + epsilon)
        scale = gamma * slopes
        y = _in_one_pass(_scaled)(tf.reshape(x, by_view), means, scale, beta)

        def gradient(upstream: tf.Tensor, *of_statistics: tf.Tensor):
            for_gamma, for_beta = _sums(upstream, x, means, variances, epsilon)  # (views, channels) each
            count = tf.cast(tf.size(x) // (means.shape[0] * x.shape[-1]) * replicas, tf.float32)
            of_beta, of_gamma = tf.unstack(sum_over_replicas(tf.stack([for_beta, for_gamma])) / count)
            rows = tf.reshape(x, by_view)
            coupled = _in_one_pass(_coupled)
            for_x = coupled(tf.reshape(upstream, by_view), rows, means, scale, of_gamma * slopes, of_beta)
            return tf.reshape(for_x, tf.shape(x)), tf.reduce_sum(for_gamma, 0), tf.reduce_sum(for_beta, 0)

        return (tf.reshape(y, tf.shape(x)), means, variances), gradient

    return normalise


_in_one_pass = functools.cache(compiled)  # on first use: devices are chosen before TensorFlow starts


def _views(x: tf.Tensor, count: int) -> list[tf.Tensor]:
    """Return the images of each view, (n, height, width, channels); vectors as images of one pixel."""
    return tf.split(x if x.shape.rank == 4 else x[:, tf.newaxis, tf.newaxis], count)


def _moments(x: tf.Tensor, epsilon: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and biased variance of each view's rows; the kernel is faster than two sums, though it does more."""
    found, ones = [], tf.ones(x.shape[-1])
    for view in _views(x, view_count()):
        _, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=view, scale=ones, offset=ones, mean=[], variance=[], epsilon=epsilon, is_training=True
        )
        count = tf.cast(tf.size(view) // x.shape[-1], tf.float32)
        found.append((mean, variance * (count - 1) / count))  # the kernel's variance is the unbiased one
    means, variances = zip(*found, strict=True)
    return tf.stack(means), tf.stack(variances)


def _sums(upstream: tf.Tensor, x: tf.Tensor, means: tf.Tensor, variances: tf.Tensor, epsilon: float):
    """Return, for each view, the sums over its rows of upstream times normalised x, and of upstream."""
    count, ones, found = means.shape[0], tf.ones(x.shape[-1]), []
    for number, parts in enumerate(zip(_views(upstream, count), _views(x, count), strict=True)):
        _, for_gamma, for_beta, *_ = tf.raw_ops.FusedBatchNormGradV3(
            y_backprop=parts[0],
            x=parts[1],
            scale=ones,
            reserve_space_1=means[number],
            reserve_space_2=variances[number],
            reserve_space_3=[],
            epsilon=epsilon,
            is_training=False,
        )
        found.append((for_gamma, for_beta))
    for_gammas, for_betas = zip(*found, strict=True)
    return tf.stack(for_gammas), tf.stack(for_betas)


def _scaled(rows: tf.Tensor, means: tf.Tensor, scale: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
    """Return the normalised rows, shape (views, n, channels)."""
    return (rows - means[:, tf.newaxis]) * scale[:, tf.newaxis] + beta


def _coupled(
    upstream: tf.Tensor, rows: tf.Tensor, means: tf.Tensor, scale: tf.Tensor, by_row: tf.Tensor, same: tf.Tensor
) -> tf.Tensor:
    """Return the gradient by the rows, whose mean and variance depend on all of them."""
    coupling = (rows - means[:, tf.newaxis]) * by_row[:, tf.newaxis] + same[:, tf.newaxis]
    return (upstream - coupling) * scale[:, tf.newaxis]
