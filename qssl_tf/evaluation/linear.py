"""Linear classifiers on frozen features, trained as the paper does."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from qssl_tf.evaluation.classifier import LinearFit
from qssl_tf.models.initializers import SeedStream, dense

LR_DECAY_AT = (0.6, 0.8)  # fractions of the epochs after which the learning rate is divided by 10: 60 and 80 of 100


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
) -> list[LinearFit]:
    """Train softmax regressions side by side with Adam, its rate divided by 10 after 60 % and 80 % of the epochs.

    Each of the k regressions has its own features of the same images, such as those of k checkpoints of a run. They
    start from equal weights, see the rows in the same order and are independent; together they take little longer
    than one.

    Args:
        train_features: Function (epoch, from 0) -> features of the training images, shape (k, n, features).
        train_labels: Shape (n,).
        test_features: Shape (k, m, features).
        test_labels: Shape (m,); used for the accuracy alone, never for training.
        classes: Number of classes.
        epochs: Passes over the training features.
        batch_size: Rows per step; the last batch of an epoch may be smaller.
        learning_rate: Of Adam.
        seed: Of the initial weights and the order of rows.

    Returns:
        One fit for each of the k.
    """
    rng = np.random.default_rng((seed, 3))
    count, _, width = test_features.shape
    layer = dense(classes, width, SeedStream(seed, part=3), dtype="float32")  # whatever policy the user has set
    layer.build((None, width))
    kernel = keras.Variable(np.repeat(layer.kernel.numpy()[None], count, axis=0))  # (k, features, classes)
    bias = keras.Variable(np.repeat(layer.bias.numpy()[None, None], count, axis=0))  # (k, 1, classes)
    decay_epochs = [max(1, round(fraction * epochs)) for fraction in LR_DECAY_AT]
    optimizer = keras.optimizers.Adam(learning_rate, epsilon=1e-8)
    optimizer.build([kernel, bias])

    @tf.function(reduce_retracing=True)
    def epoch_steps(features, labels, starts):
        for start in starts:
            x, y = features[:, start : start + batch_size], labels[start : start + batch_size]
            with tf.GradientTape() as tape:
                logits = tf.matmul(x, kernel.value) + bias.value  # (k, batch, classes)
                repeated = tf.repeat(y[tf.newaxis], count, axis=0)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=repeated, logits=logits)
                loss = tf.reduce_sum(tf.reduce_mean(losses, axis=1))  # a sum: each keeps its own gradient
            gradients = tape.gradient(loss, [kernel.value, bias.value])
            optimizer.apply_gradients(zip(gradients, [kernel, bias], strict=True))

    accuracy: list[np.ndarray] = []
    starts = tf.range(0, len(train_labels), batch_size)
    for epoch in range(epochs):
        optimizer.learning_rate.assign(learning_rate * 0.1 ** sum(epoch >= start for start in decay_epochs))
        order = rng.permutation(len(train_labels))
        epoch_steps(tf.constant(train_features(epoch)[:, order]), tf.constant(train_labels[order]), starts)
        predicted = np.argmax(test_features @ kernel.numpy() + bias.numpy(), axis=2)  # (k, m)
        accuracy.append(100.0 * np.mean(predicted == test_labels, axis=1))
    by_fit = np.stack(accuracy, axis=1).tolist()  # (k, epochs)
    return [LinearFit(*parts) for parts in zip(kernel.numpy(), bias.numpy()[:, 0], by_fit, strict=True)]
