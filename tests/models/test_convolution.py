"""Our convolution against Keras's own, padded by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from qssl_tf.errors import UserError
from qssl_tf.models.convolution import Conv2D

CASES = [(size, kernel, stride) for size in (1, 2, 3, 4, 5, 8) for kernel in (1, 3, 5, 7) for stride in (1, 2, 3)]


@pytest.mark.parametrize(("size", "kernel", "stride"), CASES)
def test_values_and_gradients_are_those_of_padding_by_hand(size, kernel, stride):
    ours = Conv2D(4, kernel, strides=stride)
    pad = keras.layers.ZeroPadding2D(kernel // 2)
    judge = keras.layers.Conv2D(4, kernel, strides=stride, padding="valid", use_bias=False)
    x = tf.constant(np.random.default_rng(0).normal(size=(3, size, size + 1, 2)), tf.float32)
    ours.build(x.shape)
    judge.build(pad(x).shape)
    judge.set_weights(ours.get_weights())
    results = []
    for layer, prepare in ((ours, lambda x: x), (judge, pad)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(prepare(x))
            total = tf.reduce_sum(tf.sin(y))
        results.append([y, *tape.gradient(total, [x, *layer.trainable_variables])])
    assert ours.compute_output_shape(x.shape) == tuple(results[1][0].shape)
    for actual, expected in zip(*results, strict=True):
        np.testing.assert_allclose(actual, expected, atol=2e-5)
    gradient_taps = np.any(results[1][2] != 0, axis=(2, 3))  # taps with a gradient in the judge
    active_taps = np.zeros_like(gradient_taps)
    active_taps[ours.kernel.active_taps or ...] = True
    if ours.kernel.active_taps:
        np.testing.assert_array_equal(gradient_taps, active_taps)


def test_a_checkpoint_of_kerass_layer_loads(tmp_path):
    def model(kind, **kwargs):
        return keras.Sequential([keras.Input((2, 2, 3)), kind(5, 3, use_bias=False, padding="same", **kwargs)])

    theirs, ours = model(keras.layers.Conv2D), model(Conv2D)
    theirs.save_weights(tmp_path / "old.weights.h5")
    ours.load_weights(tmp_path / "old.weights.h5")
    np.testing.assert_array_equal(ours.get_weights()[0], theirs.get_weights()[0])


@pytest.mark.parametrize(
    ("kernel", "stride", "kernel_text"), [(2, 1, "(2, 2)"), ((3, 5), 1, "(3, 5)"), (3, (1, 2), "(3, 3)")]
)
def test_other_geometries_are_refused(kernel, stride, kernel_text):
    with pytest.raises(UserError) as error:
        Conv2D(4, kernel, strides=stride)
    assert str(error.value).startswith(
        f"`kernel_size` must be odd, and both it and `strides` square; got {kernel_text} and "
    )
    assert str(error.value).endswith("Take keras.layers.Conv2D for others.")
