"""A linear classifier on frozen features, trained as the paper does."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from qssl_tf.models.initializers import SeedStream, dense

LATE_EPOCHS = (0.6, 0.8)  # parts of the epochs after which the learning rate falls to a tenth: 60 and 80 of 100


@dataclass(frozen=True)
class LinearFit:
    """A trained classifier.

    Attributes:
        kernel: Shape (features, classes).
        bias: Shape (classes,).
        test_accuracy: In percent, after each epoch.
    """

    kernel: np.ndarray
    bias: np.ndarray
    test_accuracy: list[float]

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the label of each row of features, shape (n,)."""
        return np.argmax(features @ self.kernel + self.bias, axis=1)


def fit_linear(
    train_features: Callable[[int], np.ndarray],
    train_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    *,
    classes: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> LinearFit:
    """Train softmax regression with Adam, its rate divided by 10 after 60 % and 80 % of the epochs.

    Args:
        train_features: Gives the features of the training images for an epoch (from 0), shape (n, features).
        train_labels: Shape (n,).
        test_features: Shape (m, features).
        test_labels: Shape (m,); only measured on, never trained or chosen on.
        classes: Number of classes.
        epochs: Passes over the training features.
        batch_size: Rows a step; the last batch of an epoch may be smaller.
        learning_rate: Of Adam.
        seed: Of the initial weights and the order of rows.
    """
    rng = np.random.default_rng((seed, 3))
    width = test_features.shape[1]
    layer = dense(classes, width, SeedStream(seed, part=3))
    layer.build((None, width))
    late = [max(1, round(part * epochs)) for part in LATE_EPOCHS]
    optimizer = keras.optimizers.Adam(learning_rate, epsilon=1e-8)
    optimizer.build(layer.trainable_variables)

    @tf.function(reduce_retracing=True)
    def epoch_steps(features, labels, starts):
        for start in starts:
            x, y = features[start : start + batch_size], labels[start : start + batch_size]
            with tf.GradientTape() as tape:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=layer(x))
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, layer.trainable_variables)
            optimizer.apply_gradients(zip(gradients, layer.trainable_variables, strict=True))

    accuracy = []
    starts = tf.range(0, len(train_labels), batch_size)
    for epoch in range(epochs):
        optimizer.learning_rate.assign(learning_rate * 0.1 ** sum(epoch >= start for start in late))
        order = rng.permutation(len(train_labels))
        epoch_steps(tf.constant(train_features(epoch)[order]), tf.constant(train_labels[order]), starts)
        predicted = tf.argmax(layer(test_features), axis=1).numpy()
        accuracy.append(100.0 * float(np.mean(predicted == test_labels)))
    return LinearFit(layer.kernel.numpy(), layer.bias.numpy(), accuracy)
