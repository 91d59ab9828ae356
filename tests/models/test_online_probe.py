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


def numpy_steps(kernel, bias, batches):
    """Return averaged weights and accuracies of Adam (arXiv:1412.6980, Algorithm 1) on the mean cross-entropy."""
    weights, accuracies = [kernel.astype(float), bias.astype(float)], []
    means, averaged = [[np.zeros_like(part) for part in weights] for _ in range(2)], list(weights)
    mean, variance = np.zeros(len(kernel)), np.ones(len(kernel))
    for step, (views, labels) in enumerate(batches, 1):
        raw, known = np.concatenate(views), np.tile(labels >= 0, 2)
        classes, rows = np.where(known, np.tile(labels, 2), 0), (raw - mean) / np.sqrt(variance)
        accuracies.append(np.mean(((rows @ averaged[0] + averaged[1]).argmax(1) == classes)[known]))
        logits = rows @ weights[0] + weights[1]
        shares = np.exp(logits - logits.max(1, keepdims=True))
        slope = (shares / shares.sum(1, keepdims=True) - np.eye(len(bias))[classes]) * known[:, None] / len(rows)
        for index, gradient in enumerate((rows.T @ slope, slope.sum(0))):
            means[0][index] = 0.9 * means[0][index] + 0.1 * gradient
            means[1][index] = 0.999 * means[1][index] + 0.001 * gradient**2
            rate = LEARNING_RATE * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            weights[index] = weights[index] - rate * means[0][index] / (np.sqrt(means[1][index]) + 1e-8)
        averaged = [0.9 * old + 0.1 * new for old, new in zip(averaged, weights, strict=True)]
        share = max(0.1, 1 / step)
        mean = (1 - share) * mean + share * raw.mean(0)
        variance = (1 - share) * variance + share * raw.var(0)
    return averaged, accuracies


@pytest.mark.parametrize("unknown", [0, 15])
def test_steps_are_adams_on_a_softmax_regression(unknown):
    batches = [batch(seed=seed) for seed in range(12)]
    for _, labels in batches:
        labels[:unknown] = -1
    probe = OnlineProbe(3, 4, seed=0)
    kernel, bias = (variable.numpy() for variable in probe.variables[:2])
    found = [float(probe.step([tf.constant(view) for view in views], tf.constant(labels))) for views, labels in batches]
    weights, accuracies = numpy_steps(kernel, bias, batches)
    np.testing.assert_allclose(found, accuracies, atol=1e-6)
    for variable, judge in zip(probe.variables[2:4], weights, strict=True):
        np.testing.assert_allclose(variable.numpy(), judge, atol=1e-4)
    assert found[-1] > found[0] + 0.1


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
    before = [variable.numpy() for variable in probe.variables[:4]]
    assert np.isnan(probe.step([tf.constant(view) for view in views], tf.constant(labels * 0 - 1)))
    for variable, value in zip(probe.variables, before, strict=False):
        np.testing.assert_array_equal(variable.numpy(), value)
