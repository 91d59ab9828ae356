"""A linear classifier that is trained beside a run on the features of its batches, and leaves the run as it is."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from qssl_tf.distributed.replicas import replica_count, sum_over_replicas
from qssl_tf.models.initializers import SeedStream, dense
from qssl_tf.models.optimizers import AdamL2

LEARNING_RATE = 0.1  # high, and constant: the features move under it
UPDATE = 0.1  # 1 - momentum: weight of the newest step in running statistics and in the averaged classifier
LEAST_VARIANCE = 1e-8


class OnlineProbe:
    """Softmax regression on standardised features without their gradient, with an optimizer of its own.

    Features are standardised by a running mean and variance, as in the linear probes of arXiv:2111.06377; otherwise a
    classifier cannot follow features that vary little. What classifies is the exponential moving average of the
    trained weights, which is steadier than they are.

    It is no layer, so that the model which holds it has neither its weights nor its losses among its own.

    Args:
        features: Length of a row of features.
        classes: Number of classes.
        seed: Of the initial weights.
    """

    def __init__(self, features: int, classes: int, seed: int):
        """Make the weights, and those of the optimizer, in the scope of the strategy if there is one."""
        seeds = SeedStream(seed, part=5)
        self._trained, self._averaged = (
            dense(classes, features, seeds, dtype="float32", name=name) for name in ("online_probe", "averaged_probe")
        )
        for layer in (self._trained, self._averaged):
            layer.build((None, features))
        for average, weight in self._pairs():
            average.assign(weight)
        self._mean = keras.Variable(tf.zeros(features), name="online_probe_mean")
        self._variance = keras.Variable(tf.ones(features), name="online_probe_variance")
        self._optimizer = AdamL2(LEARNING_RATE, epsilon=1e-8)
        self._optimizer.build(self._trained.trainable_variables)

    @property
    def variables(self) -> list[keras.Variable]:
        """Everything that its next step depends on."""
        return [
            *self._trained.variables, *self._averaged.variables, self._mean, self._variance, *self._optimizer.variables
        ]  # fmt: skip

    def classify(self, rows: tf.Tensor) -> tf.Tensor:
        """Return the class of each row of features, int32, shape (n,)."""
        return tf.argmax(self._averaged(self._standardised(rows)), axis=1, output_type=tf.int32)

    def step(self, views: Sequence[tf.Tensor], labels: tf.Tensor) -> tf.Tensor:
        """Classify a batch, and only then learn from it.

        Args:
            views: Features of this replica's views, shape (n, features) each.
            labels: Of its images, shape (n,); -1 where unknown, from which nothing is learnt.

        Returns:
            The part of all replicas' views that were classified rightly before the step, a scalar; NaN if no image has
            a label.
        """
        rows = tf.stop_gradient(tf.cast(tf.concat(views, axis=0), tf.float32))
        labels = tf.tile(tf.cast(labels, tf.int32), [len(views)])
        known = tf.cast(labels >= 0, tf.float32)
        right = tf.reduce_sum(known * tf.cast(self.classify(rows) == labels, tf.float32))
        self._learn(self._standardised(rows), tf.maximum(labels, 0), known)
        moments = [tf.reduce_sum(rows, axis=0), tf.reduce_sum(rows**2, axis=0)]
        counts = tf.stack([right, tf.reduce_sum(known), tf.cast(tf.shape(rows)[0], tf.float32)])
        sums = tf.concat([*moments, counts], axis=0)
        sums = sums if replica_count() == 1 else sum_over_replicas(sums)
        first, second, counts = tf.split(sums, [rows.shape[1], rows.shape[1], 3])
        all_right, all_known, all_rows = tf.unstack(counts)
        self._follow(first / all_rows, second / all_rows)
        return all_right / all_known

    def _standardised(self, rows: tf.Tensor) -> tf.Tensor:
        return (tf.cast(rows, tf.float32) - self._mean.value) * tf.math.rsqrt(self._variance.value)

    def _learn(self, rows: tf.Tensor, classes: tf.Tensor, known: tf.Tensor) -> None:
        """Take a step of Adam."""
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=self._trained(rows))
            # Over all rows of all replicas, whose gradients are summed: Adam is blind to what part has labels.
            loss = tf.reduce_sum(known * losses) / tf.cast(tf.shape(rows)[0] * replica_count(), tf.float32)
        variables = self._trained.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    def _follow(self, mean: tf.Tensor, square: tf.Tensor) -> None:
        """Move running statistics and averaged weights towards those of this step; the first statistics replace."""
        share = tf.maximum(UPDATE, 1 / tf.cast(self._optimizer.iterations, tf.float32))  # counted by the step already
        variance = tf.maximum(square - mean**2, LEAST_VARIANCE)
        for variable, value in ((self._mean, mean), (self._variance, variance)):
            variable.assign(variable.value + share * (value - variable.value))
        for average, weight in self._pairs():
            average.assign(average.value + UPDATE * (weight.value - average.value))

    def _pairs(self) -> list[tuple[keras.Variable, keras.Variable]]:
        return list(zip(self._averaged.variables, self._trained.variables, strict=True))
