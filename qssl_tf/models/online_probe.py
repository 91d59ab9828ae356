"""A linear classifier that is trained beside a run on the features of its batches, and leaves the run as it is."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from qssl_tf.distributed.replicas import replica_count, sum_over_replicas
from qssl_tf.models.initializers import SeedStream, dense
from qssl_tf.models.optimizers import AdamL2

LEARNING_RATE = 0.03  # high, and constant: the features move under it


class OnlineProbe:
    """Softmax regression on features without their gradient, with an optimizer of its own.

    It is no layer, so that the model which holds it has neither its weights nor its losses among its own.

    Args:
        features: Length of a row of features.
        classes: Number of classes.
        seed: Of the initial weights.

    Attributes:
        layer: The classifier.
        optimizer: Adam.
    """

    def __init__(self, features: int, classes: int, seed: int):
        """Make the weights, and those of the optimizer, in the scope of the strategy if there is one."""
        self.layer = dense(classes, features, SeedStream(seed, part=5), dtype="float32", name="online_probe")
        self.layer.build((None, features))
        self.optimizer = AdamL2(LEARNING_RATE, epsilon=1e-8)
        self.optimizer.build(self.layer.trainable_variables)

    @property
    def variables(self) -> list[keras.Variable]:
        """Everything that its next step depends on."""
        return [*self.layer.variables, *self.optimizer.variables]

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
        known = tf.tile(labels >= 0, [len(views)])
        classes = tf.where(known, tf.tile(labels, [len(views)]), 0)
        weight, count = tf.cast(known, tf.float32), len(views) * tf.shape(labels)[0] * replica_count()
        with tf.GradientTape() as tape:
            logits = self.layer(rows)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=logits)
            # Over all rows of all replicas, whose gradients are summed: Adam is blind to what part has labels.
            loss = tf.reduce_sum(weight * losses) / tf.cast(count, tf.float32)
        variables = self.layer.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        right = weight * tf.cast(tf.argmax(logits, axis=1, output_type=classes.dtype) == classes, tf.float32)
        sums = tf.stack([tf.reduce_sum(right), tf.reduce_sum(weight)])
        all_right, all_known = tf.unstack(sums if replica_count() == 1 else sum_over_replicas(sums))
        return all_right / all_known
