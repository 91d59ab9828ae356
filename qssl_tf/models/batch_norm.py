"""Batch norm with TensorFlow's fused kernel, synchronized across replicas."""

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import keras
import tensorflow as tf

from qssl_tf.distributed.replicas import (
    averaged_beside,
    replica_count,
    statistics_are_borrowed,
    statistics_are_local,
    sum_over_replicas,
    view_count,
)
from qssl_tf.xla import compiled

# Setting -> whether the batch norms of a replica see its own rows alone.
BATCH_STATISTICS = {"global": False, "local": True}


# Named like its parent, since Keras names weights in checkpoints after the class: either class can load the other's.
@keras.saving.register_keras_serializable(package="qssl_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, faster on images and over the global batch under `tf.distribute`.

    Keras 3 composes batch norm from elementary ops, each a pass over the whole activation: on two cores, a training
    step of ResNet-18 takes 1.14 times as long with it as with one fused kernel forward and one backward
    (docs/benchmarks.md). Variables, names and results are Keras's, including the running variance, which is biased.
    Arguments are those of the parent.

    With several replicas, mean and variance are those of all their rows, since local statistics would leak which rows
    share a replica (arXiv:2002.05709, Section 2.2). All replicas then have the same running statistics. Within
    `replicas.local_statistics` each replica takes those of its own rows, as torch.nn.BatchNorm2d does under PyTorch's
    DistributedDataParallel; `average_statistics` then makes the running statistics equal again.

    Keras's `synchronized` is ignored: at each layer it sends three messages forward (sum, sum of squares and count),
    where this class sends one, by unfused operations, and takes the variance as the mean square less the squared mean,
    which cancels where the mean is large.

    Input and output: shape (n, height, width, channels) or (n, channels), in the compute dtype of the layer's policy.
    Weights and statistics are float32 also where that is bfloat16 or float16.
    """

    def call(self, inputs, training=None, mask=None):
        """Return the normalised rows, and update the running statistics in training."""
        if statistics_are_borrowed():
            return self._borrowed(inputs)
        trains = bool(training) and self.trainable
        if trains and replica_count() > 1 and not statistics_are_local():
            y, means, variances = _synchronized_norm(self.epsilon, tf.convert_to_tensor(self.moving_mean))(
                inputs, *map(tf.convert_to_tensor, self._scale_and_offset(inputs.shape[-1]))
            )
            statistics = list(zip(tf.unstack(means), tf.unstack(variances), strict=True))
        elif len(inputs.shape) != 4 or inputs.dtype == tf.float64:  # the fused kernel ends at float32
            return super().call(inputs, training=training, mask=mask)
        else:
            y, mean, variance = self._fused(inputs, trains)
            statistics = [(mean, variance)]
        for mean, variance in statistics if trains else []:
            for running, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                running.assign(running * self.momentum + tf.stop_gradient(batch) * (1 - self.momentum))
        return y

    def _borrowed(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return rows normalised by their own mean and variance, of all replicas unless those are local."""
        scale, offset = map(tf.convert_to_tensor, self._scale_and_offset(inputs.shape[-1]))
        if replica_count() > 1 and not statistics_are_local():
            shift = tf.convert_to_tensor(self.moving_mean)
            return _synchronized_norm(self.epsilon, shift)(inputs, scale, offset)[0]
        if inputs.shape.rank == 4 and inputs.dtype != tf.float64:
            return self._fused(inputs, trains=True)[0]
        x = tf.cast(inputs, scale.dtype)
        mean, variance = tf.nn.moments(x, axes=list(range(len(x.shape) - 1)))
        return tf.cast(tf.nn.batch_normalization(x, mean, variance, offset, scale, self.epsilon), inputs.dtype)

    def _scale_and_offset(self, channels: int) -> tuple[Any, Any]:
        """Return gamma and beta; ones and zeros where the layer has none."""
        scale = tf.ones(channels) if self.gamma is None else self.gamma
        return scale, tf.zeros(channels) if self.beta is None else self.beta

    def _fused(self, inputs: tf.Tensor, trains: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        scale, offset = self._scale_and_offset(inputs.shape[-1])
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=scale,
            offset=offset,
            mean=[] if trains else self.moving_mean,
            variance=[] if trains else self.moving_variance,
            epsilon=self.epsilon,
            is_training=trains,
        )
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)  # "/" would take float64
        return y, mean, variance * (count - 1) / count  # the kernel's variance is the unbiased one


def average_statistics(model: keras.layers.Layer, batch_statistics: str) -> AbstractContextManager[None]:
    """Let all replicas get the mean of their running statistics, of batch norms of any class, with the gradients.

    PyTorch's DistributedDataParallel keeps those of the first replica; their mean has seen all rows.

    Args:
        model: A model whose gradients are summed over replicas inside the block.
        batch_statistics: Whose rows were normalised together; with `global`, there is nothing to average.
    """
    return averaged_beside(running_statistics(model) if BATCH_STATISTICS[batch_statistics] else [])


def running_statistics(model: keras.layers.Layer) -> list[keras.Variable]:
    """Return the floating numbers that layers in training keep beside their weights, without frozen weights."""
    layers = [layer for layer in single_layers(model) if layer.trainable]
    found = {id(variable): variable for layer in layers for variable in layer.non_trainable_variables}
    return [variable for variable in found.values() if tf.as_dtype(variable.dtype).is_floating]


def has_batch_norm(model: keras.layers.Layer) -> bool:
    """Return whether a layer in training normalises the rows of a batch together, of Keras's class or of ours."""
    return any(isinstance(layer, keras.layers.BatchNormalization) and layer.trainable for layer in single_layers(model))


def single_layers(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """Yield the layers that a model is made of, those of models within it too."""
    if isinstance(layer, keras.Model):
        for part in layer.layers:
            yield from single_layers(part)
    else:
        yield layer


def _synchronized_norm(epsilon: float, shift: tf.Tensor) -> Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
    """Return a function (x, gamma, beta) -> (y, means, variances) with the statistics of all replicas, per view.

    It sends one message forward (means and mean squares) and one backward (the two sums that couple the rows) for all
    views. The gradients of gamma and beta are this replica's part, which the optimizer sums.

    Args:
        epsilon: Added to the variance.
        shift: Close to the mean and equal on all replicas, to avoid cancellation in the squares; shape (channels,).
    """

    @tf.custom_gradient
    def normalise(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor):
        replicas, view_shape = replica_count(), (view_count(), -1, x.shape[-1])
        means, variances = _moments(x, epsilon)  # (views, channels) each, of this replica
        offsets = means - shift
        offsets, squares = tf.unstack(sum_over_replicas(tf.stack([offsets, variances + offsets**2])) / replicas)
        means, variances = shift + offsets, squares - offsets**2  # of all replicas
        slopes = tf.math.rsqrt(variances + epsilon)
        scale = gamma * slopes
        y = _fused_by_xla(_affine)(tf.reshape(x, view_shape), means, scale, beta)  # of the rows' type

        def gradient(upstream: tf.Tensor, *statistics_gradients: tf.Tensor):
            # (views, channels) each
            by_gamma, by_beta = _gradient_sums(upstream, x, means, variances, epsilon)
            count = tf.cast(tf.size(x) // (means.shape[0] * x.shape[-1]) * replicas, tf.float32)
            beta_mean, gamma_mean = tf.unstack(sum_over_replicas(tf.stack([by_beta, by_gamma])) / count)
            rows = tf.reshape(x, view_shape)
            input_gradient = _fused_by_xla(_input_gradient)
            by_x = input_gradient(tf.reshape(upstream, view_shape), rows, means, scale, gamma_mean * slopes, beta_mean)
            return tf.reshape(by_x, tf.shape(x)), tf.reduce_sum(by_gamma, 0), tf.reduce_sum(by_beta, 0)

        return (tf.reshape(y, tf.shape(x)), means, variances), gradient

    return normalise


_fused_by_xla = functools.cache(compiled)  # compiled on first use, after TensorFlow's devices have been configured


def _views(x: tf.Tensor, count: int) -> list[tf.Tensor]:
    """Split stacked views into images, (n, height, width, channels) each; vectors become images of one pixel."""
    return tf.split(x if x.shape.rank == 4 else x[:, tf.newaxis, tf.newaxis], count)


def _moments(x: tf.Tensor, epsilon: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and biased variance of each view's rows, by the fused kernel, which is faster than two sums."""
    results, ones = [], tf.ones(x.shape[-1])
    for view in _views(x, view_count()):
        _, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=view, scale=ones, offset=ones, mean=[], variance=[], epsilon=epsilon, is_training=True
        )
        count = tf.cast(tf.size(view) // x.shape[-1], tf.float32)
        results.append((mean, variance * (count - 1) / count))  # the kernel's variance is the unbiased one
    means, variances = zip(*results, strict=True)
    return tf.stack(means), tf.stack(variances)


def _gradient_sums(upstream: tf.Tensor, x: tf.Tensor, means: tf.Tensor, variances: tf.Tensor, epsilon: float):
    """Return, for each view, the sums over its rows of upstream times normalised x, and of upstream alone."""
    count, ones, results = means.shape[0], tf.ones(x.shape[-1]), []
    for view, tensors in enumerate(zip(_views(upstream, count), _views(x, count), strict=True)):
        _, gamma_gradient, beta_gradient, *_ = tf.raw_ops.FusedBatchNormGradV3(
            y_backprop=tensors[0],
            x=tensors[1],
            scale=ones,
            reserve_space_1=means[view],
            reserve_space_2=variances[view],
            reserve_space_3=[],
            epsilon=epsilon,
            is_training=False,
        )
        results.append((gamma_gradient, beta_gradient))
    gamma_gradients, beta_gradients = zip(*results, strict=True)
    return tf.stack(gamma_gradients), tf.stack(beta_gradients)


def _affine(rows: tf.Tensor, means: tf.Tensor, scale: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
    """Return the normalised rows, shape (views, n, channels), in their type."""
    y = (tf.cast(rows, means.dtype) - means[:, tf.newaxis]) * scale[:, tf.newaxis] + beta
    return tf.cast(y, rows.dtype)


def _input_gradient(
    upstream: tf.Tensor, rows: tf.Tensor, means: tf.Tensor, scale: tf.Tensor, x_slope: tf.Tensor, constant: tf.Tensor
) -> tf.Tensor:
    """Return the gradient with respect to the rows, on all of which mean and variance depend."""
    full = means.dtype
    coupling = (tf.cast(rows, full) - means[:, tf.newaxis]) * x_slope[:, tf.newaxis] + constant[:, tf.newaxis]
    return tf.cast((tf.cast(upstream, full) - coupling) * scale[:, tf.newaxis], rows.dtype)
