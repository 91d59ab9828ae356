"""The fused layer against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import qssl_tf.models.encoders as encoders
from qssl_tf.models.batch_norm import BatchNormalization
from qssl_tf.models.encoders import build_encoder

SHAPE = (6, 5, 4, 3)


def pair():
    layers = [
        layer_class(momentum=0.9, epsilon=1e-5) for layer_class in (BatchNormalization, keras.layers.BatchNormalization)
    ]
    rng = np.random.default_rng(0)
    for layer in layers:
        layer.build((None, *SHAPE[1:]))
    for weight in zip(*(layer.weights for layer in layers), strict=True):
        start = rng.uniform(0.5, 2.0, weight[0].shape)
        for variable in weight:
            variable.assign(start)
    return layers


@pytest.mark.parametrize("training", [True, False])
def test_values_gradients_and_statistics_are_keras_own(training):
    results = []
    for layer in pair():
        x = tf.constant(np.random.default_rng(1).normal(2.0, 3.0, SHAPE), tf.float32)
        for _ in range(3):
            with tf.GradientTape() as tape:
                tape.watch(x)
                total = tf.reduce_sum(tf.sin(layer(x, training=training)))
            gradients = tape.gradient(total, [x, *layer.trainable_variables])
            x = x + gradients[0]
        results.append([x, *gradients, *layer.weights])
    for ours, judge in zip(*results, strict=True):
        np.testing.assert_allclose(ours, judge, rtol=2e-6, atol=2e-5)


def test_a_frozen_layer_keeps_its_statistics():
    layer, judge = pair()
    layer.trainable = judge.trainable = False
    x = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    before = layer.moving_mean.numpy().copy()
    np.testing.assert_allclose(layer(x, training=True), judge(x, training=True), atol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), before)


def test_ten_steps_train_the_same_encoder(monkeypatch):
    """Deeper networks diverge sooner, with either layer: a ReLU that rounding switches changes all gradients behind it.

    ResNet-18 (128 images, SGD at 0.001) is 1.6e-4 apart after ten steps; perturbing weights by 3e-7 makes 2.3e-4.
    """
    images = tf.constant(np.random.default_rng(0).uniform(size=(16, 32, 32, 3)), tf.float32)
    weights = []
    for layer_class in (BatchNormalization, keras.layers.BatchNormalization):
        monkeypatch.setattr(encoders, "BatchNormalization", layer_class)
        encoder = build_encoder("small_cnn", (32, 32, 3), 4, seed=1)
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9)

        @tf.function
        def step(encoder=encoder, optimizer=optimizer):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((encoder(images, training=True) - 1.0) ** 2)
            optimizer.apply(tape.gradient(loss, encoder.trainable_variables), encoder.trainable_variables)

        optimizer.build(encoder.trainable_variables)
        for _ in range(10):
            step()
        weights.append(encoder.get_weights())
    for ours, judge in zip(*weights, strict=True):
        np.testing.assert_allclose(ours, judge, atol=1e-4)
