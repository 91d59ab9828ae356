"""Layers of low precision against bounds of rounding, and against what they are in float32."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import qssl_tf as q
from qssl_tf.config import Config
from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.errors import UserError
from qssl_tf.models import precision
from qssl_tf.models.batch_norm import BatchNormalization
from qssl_tf.models.build import build_simclr
from qssl_tf.models.convolution import Conv2D
from qssl_tf.models.encoders import build_encoder
from qssl_tf.models.optimizers import AdamL2
from qssl_tf.training.runs import open_run
from qssl_tf.training.session import resumed_session

UNIT = {"bfloat16": 2**-8, "float16": 2**-11}  # a rounding moves a number by at most this part of it
SMALL = Config(width=3, layers=1, batch_size=16, steps=4, checkpoint_every=2)


def small_model(settings=SMALL, **changes):
    return build_simclr(dataclasses.replace(settings, **changes), (8, 8, 1), AUGMENTATIONS["digits"](8))


def views(seed=0):
    return np.random.default_rng(seed).uniform(size=(2, 16, 8, 8, 1)).astype(np.float32)


@pytest.mark.parametrize("dtype", UNIT)
def test_backbone_and_projector_are_low_and_all_else_is_float32(dtype, monkeypatch):
    model = small_model(precision=dtype)
    computes = {layer.name: layer.compute_dtype for layer in (*model.encoder.layers, *model.projector.layers)}
    full = {"normalise", "compress", "angles", "embedding"}
    assert {name for name, computed in computes.items() if computed == "float32"} == full
    assert {computes[name] for name in set(computes) - full} == {dtype}
    assert {variable.dtype for variable in model.variables if "seed" not in variable.path} == {"float32"}
    assert model.head.compute_dtype == "float32"
    images = views()[0]
    assert model.encoder(images).dtype == model(images, training=True).dtype == tf.float32
    seen = []
    normalise = model.encoder.get_layer("normalise")
    monkeypatch.setattr(normalise, "call", lambda x, call=normalise.call: seen.append(x) or call(x))
    model.encoder(images)
    np.testing.assert_array_equal(seen[0], images)  # pixels are not rounded


@pytest.mark.parametrize("dtype", UNIT)
def test_equal_seeds_give_equal_weights_in_every_precision(dtype, tmp_path):
    low, full = small_model(precision=dtype), small_model()
    for first, second in zip(low.weights, full.weights, strict=True):
        assert first.path == second.path
        np.testing.assert_array_equal(first, second)
    low.uncompiled().save_weights(tmp_path / "low.weights.h5")
    other = small_model(seed=1)
    other.uncompiled().load_weights(tmp_path / "low.weights.h5")
    for first, second in zip(low.weights, other.weights, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("shape", "stride"), [((4, 9, 9, 5), 1), ((4, 8, 8, 5), 2), ((4, 2, 2, 5), 2)])
@pytest.mark.parametrize("dtype", UNIT)
def test_convolutions_round_within_the_bound_of_their_sums(dtype, shape, stride):
    """Each product of two rounded numbers, added in any order: (terms + 2) roundings of the sum of magnitudes."""
    low, full = (Conv2D(6, 3, stride, kernel_initializer="he_normal", dtype=name) for name in (f"mixed_{dtype}", None))
    for layer in (low, full):
        layer.build(shape)
    kernel, x = low.kernel.numpy(), np.random.default_rng(0).normal(size=shape).astype(np.float32)
    full.kernel.assign(kernel)
    exact = full(x).numpy()
    full.kernel.assign(np.abs(kernel))
    magnitudes = full(np.abs(x)).numpy()
    result = low(x)
    assert result.dtype == dtype
    error = np.abs(tf.cast(result, tf.float32).numpy() - exact)
    assert np.all(error <= (9 * shape[-1] + 2) * UNIT[dtype] * magnitudes)
    assert np.any(error > 0)  # something was rounded


@pytest.mark.parametrize("shape", [(6, 5, 4, 3), (7, 3)])
@pytest.mark.parametrize("dtype", UNIT)
def test_batch_statistics_are_those_of_float64(dtype, shape):
    layer = BatchNormalization(momentum=0.0, epsilon=1e-5, dtype=f"mixed_{dtype}")
    x = tf.cast(np.random.default_rng(1).normal(30.0, 1.0, shape), dtype)
    y = layer(x, training=True)
    rows = tf.cast(x, tf.float64).numpy().reshape(-1, shape[-1])
    assert layer.moving_mean.dtype == layer.moving_variance.dtype == "float32" and y.dtype == dtype
    np.testing.assert_allclose(layer.moving_mean, rows.mean(0), rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, rows.var(0), rtol=1e-4)  # float32 squares of 30 against 1
    normalised = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5)
    np.testing.assert_allclose(tf.cast(y, tf.float64).numpy().reshape(rows.shape), normalised, atol=4 * UNIT[dtype])


def test_float64_is_not_shortened():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        encoder = build_encoder("small_cnn", (8, 8, 1), 3)
    finally:
        keras.config.set_dtype_policy(before)
    assert {layer.compute_dtype for layer in encoder.layers} == {"float64"}
    assert encoder(views()[0]).dtype == tf.float64


def test_settings_count_and_not_the_policy_of_the_users_own_models():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small_model()
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)
    parts = (*model.encoder.layers, model.head, *model.projector.layers)
    assert {layer.compute_dtype for layer in parts} == {"float32"}
    np.testing.assert_array_equal(model(views()[0]), small_model()(views()[0]))


def test_another_floatx_is_refused():
    keras.config.set_floatx("float64")
    try:
        with pytest.raises(UserError, match=r"^Keras's floatx must be float32 .*; got float64; leave out "):
            small_model()
    finally:
        keras.config.set_floatx("float32")


def test_a_scaled_loss_takes_the_steps_of_the_loss(digits_data):
    plain, scaled = small_model(), small_model()
    scaled.optimizer = keras.optimizers.LossScaleOptimizer(AdamL2(1e-3, l2=1e-6, epsilon=1e-8))
    plain.optimizer = AdamL2(1e-3, l2=1e-6, epsilon=1e-8)
    for step in range(3):
        for model in (plain, scaled):
            model.train_on_batch(*views(step))
    for first, second in zip(plain.weights, scaled.weights, strict=True):
        np.testing.assert_array_equal(first, second)  # scaled by a power of two, and back


def test_a_step_whose_gradient_overflows_is_left_out_and_the_scale_halved():
    model = small_model(precision="float16")
    before = [weight.numpy() for weight in model.trainable_variables]
    model.optimizer.dynamic_scale.assign(2.0**60)  # float16 ends at 65,504
    model.train_on_batch(*views())
    assert float(model.optimizer.dynamic_scale) == 2.0**59
    for weight, start in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(weight, start)
    model.optimizer.dynamic_scale.assign(2.0**10)
    model.train_on_batch(*views())
    assert any(np.any(w.numpy() != start) for w, start in zip(model.trainable_variables, before, strict=True))


@pytest.mark.parametrize("views_in_step", [False, True], ids=["views-before", "views-in-step"])
@pytest.mark.parametrize("xla_step", [False, True], ids=["keras-step", "xla-step"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_run_goes_on_to_the_bits_it_would_have_had(dtype, xla_step, views_in_step, tmp_path, digits_data):
    config = dataclasses.replace(SMALL, precision=dtype, xla_step=xla_step, views_in_step=views_in_step)
    whole, half = (q.pretrain(config=config, runs_dir=tmp_path, name=name) for name in ("whole", "half"))
    run = open_run(half.folder)
    run.state.unlink()
    run.previous_state.rename(run.state)  # of step 2
    gone_on = q.resume(half.folder)
    for first, second in zip(whole.model.weights, gone_on.model.weights, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_trained_run_is_judged_in_float32(tmp_path, digits_data):
    run = q.pretrain(config=dataclasses.replace(SMALL, precision="bfloat16"), runs_dir=tmp_path, name="run")
    assert run.config.precision == "bfloat16"
    images = digits_data.test.images[:5]
    full = small_model()
    full.uncompiled().load_weights(open_run(run.folder).checkpoint(4))
    judge = full.features(images / np.float32(255)).numpy()
    for opened in (run, q.load_run(run.folder)):
        assert {layer.compute_dtype for layer in opened.model.encoder.layers} == {"float32"}
        np.testing.assert_allclose(opened.features(images), judge, atol=1e-5)


def test_another_precision_cannot_go_on_with_a_state(tmp_path):
    run = q.pretrain(config=SMALL, runs_dir=tmp_path, name="run")
    settings = run.folder / "config.json"
    settings.write_text(settings.read_text().replace('"float32"', '"bfloat16"'))
    opened = open_run(run.folder)
    session = resumed_session(opened, run.data)
    with pytest.raises(UserError) as raised:
        session.train()
    assert str(raised.value) == (
        f"{opened.state} was written with other settings (precision: 'bfloat16' against 'float32'); use the "
        "config.json it was written with, or another checkpoint."
    )


def test_what_is_slower_is_said(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: False)
    for dtype in precision.PRECISIONS:
        precision.say_if_slower(dtype)
    assert capsys.readouterr().err.splitlines() == [
        "note: bfloat16 is slower than float32 here: this processor has no instructions for it; take float32.",
        "note: float16 is many times slower than float32 on processors, and TensorFlow finds no GPU; take float32.",
    ]
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: True)
    precision.say_if_slower("bfloat16")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    precision.say_if_slower("float16")
    assert capsys.readouterr().err == ""


def test_instructions_are_read_from_linuxs_list(tmp_path):
    for words, has_them in (("flags : fpu avx512_bf16 sse", True), ("Features : fp asimd bf16", True), ("avx2", False)):
        (tmp_path / "cpuinfo").write_text(words)
        assert precision.multiplies_bfloat16(tmp_path / "cpuinfo") is has_them
    assert precision.multiplies_bfloat16(tmp_path / "none")  # unknown, so it is not called slower
