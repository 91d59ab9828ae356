import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import qssl_tf as q
from qssl_tf.config import Config
from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.data.pipeline import view_pairs
from qssl_tf.models.build import build_projector, build_simclr
from qssl_tf.models.heads import HEADS
from qssl_tf.objectives.contrastive import NTXent

SMALL = {"width": 3, "layers": 1, "batch_size": 16, "learning_rate": 1e-2}


def small_model(**changes):
    return build_simclr(Config(**SMALL | changes), (8, 8, 1), AUGMENTATIONS["digits"](8))


AUGMENTATION = AUGMENTATIONS["digits"](8)  # compiled once


def pairs(data, steps, seed=0):
    return view_pairs(data.train.images, AUGMENTATION, 16, seed, steps)


@pytest.mark.parametrize("head", HEADS)
def test_fit_lowers_the_loss(digits_data, head):
    model = small_model(head=head)
    first, _, last = (model.fit(pairs(digits_data, n), shuffle=False, verbose=0).history for n in (5, 50, 5))
    assert last["loss"][-1] < first["loss"][-1] - 0.1
    assert set(last) == {"loss", "contrastive_accuracy"}
    assert np.isfinite(model.evaluate(pairs(digits_data, 2, seed=9), return_dict=True, verbose=0)["loss"])


def test_a_step_is_the_gradient_of_the_papers_objective(digits_data):
    """One step against plain TensorFlow: each view through the network alone, loss over both, Adam's first step."""
    model, twin = small_model(), small_model()
    view_a, view_b = next(iter(pairs(digits_data, 1)))
    with tf.GradientTape() as tape:
        z_a, z_b = twin(view_a, training=True), twin(view_b, training=True)
        loss = NTXent(twin.loss.temperature)(z_a, z_b)
    gradients = tape.gradient(loss, twin.trainable_variables)
    logs = model.train_on_batch(view_a, view_b, return_dict=True)
    assert logs["loss"] == pytest.approx(float(loss), rel=1e-5)
    for new, old, gradient in zip(model.trainable_variables, twin.trainable_variables, gradients, strict=True):
        gradient = gradient.numpy() + 1e-6 * old.numpy()
        update = -1e-2 * gradient / (np.abs(gradient) + 1e-8)
        clear = np.abs(gradient) > 1e-4  # a gradient of rounding errors has no sign to compare
        np.testing.assert_allclose((new - old).numpy()[clear], update[clear], rtol=2e-2, atol=1e-6)


def test_logs_of_single_steps_have_the_mean_that_keras_logs(digits_data):
    model, twin, step_logs = small_model(), small_model(), []
    model.step_logs = True
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: step_logs.append(dict(logs)))
    model.fit(pairs(digits_data, 6), shuffle=False, verbose=0, callbacks=[callback])
    means = twin.fit(pairs(digits_data, 6), shuffle=False, verbose=0).history
    for name, (mean,) in means.items():
        values = [logs[name] for logs in step_logs]
        assert len(set(values)) > 1
        assert np.mean(values) == pytest.approx(mean, rel=1e-5)


def test_batch_statistics_are_taken_per_view(digits_data):
    model = small_model(head="identity")
    view_a, view_b = next(iter(pairs(digits_data, 1)))
    norm = model.encoder.get_layer("block1_bn")
    inner = keras.Model(model.encoder.input, model.encoder.get_layer("block1_conv").output)
    means = [np.mean(inner(view), axis=(0, 1, 2)) for view in (view_a, view_b)]
    model.train_on_batch(view_a, view_b)
    judge = 0.9 * (0.1 * means[0]) + 0.1 * means[1]  # two updates with momentum .9, in the order of the views
    np.testing.assert_allclose(norm.moving_mean, judge, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_whole_models_are_saved_and_loaded(digits_data, tmp_path, head):
    model = small_model(head=head)
    model.fit(pairs(digits_data, 2), shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    images = digits_data.test.images[:5] / np.float32(255)
    np.testing.assert_array_equal(again(images), model(images))
    np.testing.assert_array_equal(again.encode(images), model.encode(images))
    assert again.loss.temperature == model.loss.temperature and again.optimizer.iterations == 2
    with warnings.catch_warnings():
        again.fit(pairs(digits_data, 1), shuffle=False, verbose=0)


def test_arms_share_encoder_and_projector_weights():
    models = {head: small_model(head=head, seed=4) for head in HEADS}
    for head, model in models.items():
        # Twice as many features need another projector.
        for part in ("encoder",) if head == "trigonometric" else ("encoder", "projector"):
            theirs = getattr(models["quantum"], part).get_weights()
            for a, b in zip(theirs, getattr(model, part).get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)


def test_features_are_the_input_of_the_projector(digits_data):
    model = small_model(head="identity")
    images = digits_data.test.images[:5] / np.float32(255)
    np.testing.assert_array_equal(model.features(images), model.encoder(images, training=False))
    np.testing.assert_array_equal(model(images), model.projector(model.features(images), training=False))


def test_without_projector_the_loss_sees_the_heads_outputs(digits_data):
    model = small_model(project=False)
    images = digits_data.test.images[:5] / np.float32(255)
    np.testing.assert_array_equal(model(images), model.features(images))
    assert not model.projector.weights
    model.fit(pairs(digits_data, 2), shuffle=False, verbose=0)


def test_projector_has_the_papers_layers():
    projector = build_projector(8, seed=0)
    assert [type(layer).__name__ for layer in projector.layers] == ["Dense", "BatchNormalization", "ReLU", "Dense"]
    assert projector.count_params() == 64 + 32 + 72  # linear without bias, batch norm with statistics, linear


def test_projector_of_other_widths():
    projector = build_projector(6, seed=0, widths=(10, 7, 3))
    assert projector.output_shape == (None, 3)
    assert projector.count_params() == 6 * 10 + 4 * 10 + 10 * 7 + 4 * 7 + 7 * 3 + 3
    assert build_projector(6, seed=0, widths=(4,)).count_params() == 6 * 4 + 4  # linear


def test_the_train_step_is_traced_once(digits_data):
    model = small_model()
    step, traces = model.train_step, []
    model.train_step = lambda data: (traces.append(1), step(data))[1]  # Python runs only while tracing
    model.fit(pairs(digits_data, 12), shuffle=False, verbose=0)
    assert len(traces) == 1
    assert not model.jit_compile


def test_saving_weights_traces_nothing(tmp_path, monkeypatch):
    """Keras looks at every property of a model then, and a compiled function among them would cost a third of it."""
    model, traced = small_model(), []
    monkeypatch.setattr(tf, "function", lambda *arguments, **options: traced.append(arguments))
    model.save_weights(tmp_path / "kept.weights.h5")
    assert not traced


def test_many_models_in_one_process_cause_no_retracing_warning(tensorflow_says):
    """TensorFlow counts traces per line of code, not per model: probing five runs must not look like a leak."""
    for seed in range(8):
        model = small_model(seed=seed)
        angles = [model.encode(tf.zeros((count, 8, 8, 1))) for count in (3, 2)]
        np.testing.assert_allclose(angles[0][:2], angles[1], atol=1e-6)
    assert tensorflow_says() == []


class SubclassedEncoder(keras.Model):
    """A user-defined encoder as a subclass with its own `call`."""

    def __init__(self):
        super().__init__()
        self.flatten, self.dense, self.bounded = layers.Flatten(), layers.Dense(3), q.BoundedAngle()

    def call(self, images):
        return self.bounded(self.dense(self.flatten(images)))


@pytest.mark.parametrize("kind", ["sequential", "subclassed"])
def test_encoders_of_any_kind_and_callbacks(kind):
    images = keras.Input((8, 8, 1))
    stack = [images, layers.Flatten(), layers.Dense(3), q.BoundedAngle()]
    encoder = keras.Sequential(stack) if kind == "sequential" else keras.Model(images, SubclassedEncoder()(images))
    model = q.SimCLR(encoder, q.QuantumHead(3, layers=1), q.build_projector(3))
    model.compile("adam", loss=q.NTXent(0.2))
    data = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 1), dtype=np.uint8)
    pairs = q.view_pairs(data, q.augmentation(q.Config(), (8, 8, 1)), batch_size=16, seed=0, steps=2)
    logs_seen = []
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: logs_seen.append(logs))
    model.fit(pairs, callbacks=[callback], verbose=0)
    assert len(logs_seen) == 2 and np.isfinite(logs_seen[-1]["loss"])
