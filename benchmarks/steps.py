"""One whole training step of the paper's preset: quantum heads against the classical one."""

from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import keras
import tensorflow as tf
from timing import compared, medians

from qssl_tf.data.augment import augmentation
from qssl_tf.models import encoders
from qssl_tf.models.build import build_simclr
from qssl_tf.presets import PRESETS

ARMS = {
    "exact": {},
    "100 shots, shift gradient": {"shots": 100, "gradient": "parameter_shift"},
}


def step_call(**settings):
    """Return a call of the train step on one batch of pairs of views, 32 x 32 x 3, that waits for its loss."""
    config = replace(PRESETS["paper"], **settings)
    augment = augmentation(config, (32, 32, 3))
    model = build_simclr(config, (32, 32, 3), augment)
    shape = (config.batch_size, *augment.compute_output_shape((None, 32, 32, 3))[1:])
    views = tuple(tf.random.stateless_uniform(shape, (view, 0)) for view in (1, 2))
    step = tf.function(lambda: model.train_step(views), autograph=False)
    return lambda: step()["loss"].numpy(), config


def padded_convolution(filters, kernel, strides, kernel_initializer, name):
    """Return Keras's convolution with PyTorch's padding, as the encoders would be built without our own layer."""
    apart = strides > 1 and kernel > 1
    pad = keras.layers.ZeroPadding2D(kernel // 2) if apart else keras.layers.Identity()
    convolution = keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="valid" if apart else "same",
        use_bias=False,
        kernel_initializer=kernel_initializer,
        name=name,
    )
    return lambda x: convolution(pad(x))


def encoder_call(convolution, images):
    """Return a call of ResNet-18, forward and backward, built with `convolution`."""
    with mock.patch.object(encoders, "Conv2D", convolution):
        encoder = encoders.build_encoder("resnet18", images.shape[1:], 8, seed=0)

    @tf.function(autograph=False)
    def gradients():
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(encoder(images, training=True))
        return tape.gradient(total, encoder.trainable_variables)

    return lambda: gradients()[0].numpy()


def all_steps() -> Iterator[dict[str, object]]:
    """Yield each quantum arm beside the classical; a ratio below 1 says how much the quantum step takes longer."""
    images = tf.random.stateless_uniform((256, 32, 32, 3), (0, 0))
    rivals = {"ours": encoders.Conv2D, "Keras's convolution": padded_convolution}
    seconds = medians({name: encoder_call(kind, images) for name, kind in rivals.items()})
    yield compared("ResNet-18, forward + backward", 0, len(images), None, seconds)
    classical, _ = step_call(head="classical")
    for name, settings in ARMS.items():
        ours, config = step_call(**settings)
        seconds = medians({"ours": ours, "classical head": classical})
        yield compared(f"train step, preset paper, {name}", config.width, config.batch_size, config.shots, seconds)
    twin, config = step_call(noise="fake_paris")
    seconds = medians({"ours": twin, "ours, without noise": step_call()[0]})
    yield compared("train step, preset paper, twin of fake_paris", config.width, config.batch_size, None, seconds)
