"""The online probe against a softmax regression written out in NumPy with Adam's rules, and what it must not learn."""

import numpy as np
import pytest
import tensorflow as tf

from qssl_tf.models.online_probe import LEARNING_RATE, OnlineProbe


def batch(n=40, features=3, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n).astype(np.int32)
    views = [rng.normal(size=(n, features)).astype(np.float32) + labels[:, None] for _ in range(2)]
    return views, labels


def numpy_steps(kernel, bias, views, labels, steps):
    """Return weights and accuracies of Adam (arXiv:1412.6980, Algorithm 1) on the mean cross-entropy of all rows."""
    rows, known = np.concatenate(views), np.tile(labels >= 0, 2)
    classes = np.where(known, np.tile(labels, 2), 0)
    weights, accuracies = [kernel.astype(float), bias.astype(float)], []
    means = [[np.zeros_like(part) for part in weights] for _ in range(2)]
    for step in range(1, steps + 1):
        logits = rows @ weights[0] + weights[1]
        accuracies.append(np.mean((logits.argmax(1) == classes)[known]))
        shares = np.exp(logits - logits.max(1, keepdims=True))
        slope = (shares / shares.sum(1, keepdims=True) - np.eye(len(bias))[classes]) * known[:, None] / len(rows)
        for index, gradient in enumerate((rows.T @ slope, slope.sum(0))):
            means[0][index] = 0.9 * means[0][index] + 0.1 * gradient
            means[1][index] = 0.999 * means[1][index] + 0.001 * gradient**2
            rate = LEARNING_RATE * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            weights[index] = weights[index] - rate * means[0][index] / (np.sqrt(means[1][index]) + 1e-8)
    return weights, accuracies


@pytest.mark.parametrize("unknown", [0, 15])
def test_steps_are_adams_on_a_softmax_regression(unknown):
    views, labels = batch()
    labels[:unknown] = -1
    probe = OnlineProbe(3, 4, seed=0)
    kernel, bias = (variable.numpy() for variable in probe.layer.trainable_variables)
    found = [float(probe.step([tf.constant(view) for view in views], tf.constant(labels))) for _ in range(5)]
    weights, accuracies = numpy_steps(kernel, bias, views, labels, steps=5)
    np.testing.assert_allclose(found, accuracies, atol=1e-6)
    for variable, judge in zip(probe.layer.trainable_variables, weights, strict=True):
        np.testing.assert_allclose(variable.numpy(), judge, atol=1e-5)


def test_features_get_no_gradient():
    views, labels = batch()
    tensors, probe = [tf.constant(view) for view in views], OnlineProbe(3, 4, seed=0)
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        accuracy = probe.step(tensors, tf.constant(labels))
    assert tape.gradient(accuracy, tensors) == [None, None]


def test_images_without_labels_have_no_accuracy():
    views, labels = batch()
    probe = OnlineProbe(3, 4, seed=0)
    before = probe.layer.kernel.numpy()
    assert np.isnan(probe.step([tf.constant(view) for view in views], tf.constant(labels * 0 - 1)))
    np.testing.assert_array_equal(probe.layer.kernel.numpy(), before)
