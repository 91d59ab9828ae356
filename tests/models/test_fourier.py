"""Random Fourier features and trained cosines: formulas in NumPy, the Gaussian kernel, gradients, files."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from qssl_tf.config import Config
from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.models.build import build_simclr
from qssl_tf.models.fourier import FourierFeatures, TrainedCosines
from qssl_tf.models.heads import build_head
from qssl_tf.models.trigonometric import TrigonometricFeatures


def angles(rows, width, seed=0):
    return np.random.default_rng(seed).uniform(0, np.pi, (rows, width)).astype(np.float32)


def test_random_features_are_the_formula_of_their_weights():
    layer, x = FourierFeatures(11, bandwidth=0.8, seed=3), angles(5, 4)
    values = layer(x).numpy()
    frequencies, phases = (weight.numpy().astype(float) for weight in layer.weights)
    assert frequencies.shape == (4, 11) and phases.shape == (11,) and values.shape == (5, 11)
    assert not layer.trainable_weights and np.all((phases >= 0) & (phases < 2 * np.pi))
    np.testing.assert_allclose(values, math.sqrt(2) * np.cos(x @ frequencies + phases), atol=2e-6)


def test_products_of_random_features_tend_to_the_gaussian_kernel():
    """Hoeffding: products lie in [-2, 2], so the mean of D is off by t with a chance of at most 2 exp(-D t^2 / 8).

    Of 45 pairs one is off by more than t = 0.06 at D = 100,000 with a chance below 45 * 2 * exp(-45) = 3e-18.
    """
    features, bandwidth, x = 100_000, 1.3, angles(10, 8)
    z = FourierFeatures(features, bandwidth, seed=5)(x).numpy().astype(float)
    means = z @ z.T / features
    distances = np.sum((x[:, None].astype(float) - x[None]) ** 2, axis=-1)
    kernel = np.exp(-distances / (2 * bandwidth**2))
    off = ~np.eye(10, dtype=bool)
    assert np.abs(means - kernel)[off].max() < 0.06
    # Their spread is that of independent draws: a standard error of at most sqrt(2 / D), since products have a
    # variance of at most E z^4 = 1.5 each; five standard errors of it.
    assert np.abs(means - kernel)[off].max() < 5 * math.sqrt(1.5 / features)
    assert kernel[off].max() > 0.05  # else zeros would pass


def test_frequencies_have_the_width_of_the_kernel():
    layer = FourierFeatures(20_000, bandwidth=0.5, seed=1)
    layer(angles(1, 2))
    w = layer.frequencies.numpy()
    # The standard deviation of 40,000 normal numbers has a standard error of itself / sqrt(2 * 40,000).
    assert np.std(w) == pytest.approx(2.0, abs=5 * 2.0 / math.sqrt(80_000))
    assert np.mean(w) == pytest.approx(0.0, abs=5 * 2.0 / math.sqrt(40_000))


def test_the_overlap_of_angle_encoding_is_near_equal_angles_the_gaussian_of_root_two():
    """What the default bandwidth says of itself: prod cos^2(d / 2) = exp(-|d|^2 / 4) up to the fourth power of d."""
    d = np.random.default_rng(2).uniform(-0.1, 0.1, (50, 8))
    overlap, bandwidth = np.prod(np.cos(d / 2) ** 2, axis=1), Config().head_bandwidth
    assert bandwidth == pytest.approx(math.sqrt(2), abs=1e-3)
    np.testing.assert_allclose(overlap, np.exp(-np.sum(d**2, axis=1) / (2 * bandwidth**2)), atol=1e-4)


def test_equal_seeds_draw_equal_features_and_others_do_not():
    x = angles(3, 4)
    first, again, other = (build_head(Config(head="fourier", width=4, seed=seed))(x).numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


@pytest.mark.parametrize(("features", "width"), [(3, 3), (6, 3), (2, 3)])
def test_trained_cosines_begin_as_cosines_and_sines(features, width):
    x = angles(4, width)
    fixed = TrigonometricFeatures(features)(x)
    np.testing.assert_allclose(TrainedCosines(features)(x), fixed, atol=1e-6)


def test_more_trained_cosines_begin_as_a_fourier_series():
    x = angles(4, 2)
    judge = np.concatenate([np.cos(x), np.sin(x), np.cos(2 * x), np.sin(2 * x), np.cos(3 * x[:, :1])], axis=1)
    np.testing.assert_allclose(TrainedCosines(9)(x), judge, atol=2e-6)


def test_gradients_of_trained_cosines_are_the_closed_form():
    layer, x = TrainedCosines(5), angles(6, 3)
    layer.build((None, 3))
    rng = np.random.default_rng(4)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    up = rng.normal(size=(6, 5)).astype(np.float32)
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(layer(inputs) * up)
    by_x, by_w, by_b = tape.gradient(loss, [inputs, *layer.trainable_weights])
    w, b = (weight.numpy().astype(float) for weight in layer.weights)
    slope = -np.sin(x @ w + b) * up  # of each cosine
    np.testing.assert_allclose(by_w, x.T @ slope, atol=1e-5)
    np.testing.assert_allclose(by_b, slope.sum(axis=0), atol=1e-5)
    np.testing.assert_allclose(by_x, slope @ w.T, atol=1e-5)


def test_gradients_of_random_features_reach_the_encoder_alone():
    layer, inputs = FourierFeatures(5, 0.9, seed=1), tf.constant(angles(6, 3))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(layer(inputs))
    w, b = (weight.numpy().astype(float) for weight in layer.weights)
    judge = -math.sqrt(2) * np.sin(inputs.numpy() @ w + b) @ w.T
    np.testing.assert_allclose(tape.gradient(loss, inputs), judge, atol=1e-5)


@pytest.mark.parametrize("layer", [FourierFeatures(5, 0.9, seed=1), TrainedCosines(5), TrigonometricFeatures(9)])
def test_layers_are_saved_and_loaded(layer, tmp_path):
    model = keras.Sequential([keras.Input((3,)), layer])
    for weight in model.weights:  # others than are drawn at the start
        weight.assign(weight + 0.25)
    model.save(tmp_path / "model.keras")
    again, x = keras.models.load_model(tmp_path / "model.keras"), angles(4, 3)
    np.testing.assert_array_equal(again(x), model(x))


@pytest.mark.parametrize("head", ["fourier", "mlp"])
def test_heads_are_float32_beside_an_encoder_of_lower_precision(head):
    low, full = (
        build_simclr(Config(head=head, width=3, precision=precision), (8, 8, 1), AUGMENTATIONS["digits"](8))
        for precision in ("bfloat16", "float32")
    )
    assert low.head.compute_dtype == low.head.variable_dtype == "float32"
    np.testing.assert_array_equal(low.head(angles(4, 3)), full.head(angles(4, 3)))
