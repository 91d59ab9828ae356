import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.data.augment import augmentation
from qssl_tf.data.pipeline import view_pairs
from qssl_tf.models.build import build_simclr
from qssl_tf.models.heads import HEADS, build_head
from qssl_tf.models.quantum_head import QuantumHead


def parameters(head):
    return sum(int(np.prod(variable.shape)) for variable in head.trainable_variables)


@pytest.mark.parametrize(("name", "count"), [("quantum", 32), ("classical", 144), ("identity", 0)])
def test_parameter_counts_of_the_paper(name, count):
    head = build_head(Config(head=name))
    assert parameters(head) == count


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"head": "trigonometric", "head_features": 36}, 0),
        ({"head": "fourier", "head_features": 36}, 0),
        ({"head": "cosines", "head_features": 36}, 8 * 36 + 36),
        ({"head": "mlp", "head_features": 36}, 8 * 32 + 32 + 32 * 36 + 36),
        ({"head": "mlp", "head_hidden": 5, "layers": 3}, 8 * 5 + 5 + 5 * 5 + 5 + 5 * 8 + 8),
        ({"head": "mlp", "layers": 1}, 8 * 8 + 8),
    ],
)
def test_parameter_counts_of_the_rivals(settings, count):
    config = Config(**settings)
    head = build_head(config)
    assert head(np.zeros((2, 8), np.float32)).shape == (2, config.head_features or 8)
    assert parameters(head) == count


def test_the_mlp_is_linear_relu_linear():
    head = build_head(Config(head="mlp", width=3, head_hidden=4, head_features=2))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    first, first_bias, second, second_bias = head.get_weights()
    np.testing.assert_allclose(head(x), np.maximum(x @ first + first_bias, 0) @ second + second_bias, atol=1e-6)
    assert np.abs(first).max() <= 3**-0.5 and np.abs(second).max() <= 4**-0.5  # PyTorch's, as the other dense layers


@pytest.mark.parametrize("name", HEADS)
def test_heads_keep_the_width(name):
    head = build_head(Config(head=name, width=5))
    features = 10 if name == "trigonometric" else 5
    assert head(np.zeros((3, 5), np.float32)).shape == (3, features) == head.compute_output_shape((3, 5))


def test_trigonometric_features_are_what_an_unentangled_circuit_measures():
    """RX(x) turns |0> to <Z> = cos x and <Y> = -sin x: the circuit without gates after its encoding."""
    angles = np.random.default_rng(0).uniform(0, np.pi, (4, 3)).astype(np.float32)
    features = build_head(Config(head="trigonometric", width=3))(angles).numpy()
    z, y = (QuantumHead(3, "none", 1, observables=words) for words in ("Z0,Z1,Z2", "Y0,Y1,Y2"))
    for head in (z, y):
        head.build((None, 3))
        head.parameters.assign(np.zeros(head.parameters.shape))
    np.testing.assert_allclose(features, np.concatenate([z(angles), -y(angles)], axis=1), atol=1e-5)


@pytest.mark.parametrize("name", ["quantum", "classical"])
def test_a_frozen_head_keeps_its_weights(name, digits_data):
    config = Config(head=name, width=3, layers=1, train_head=False)
    recipe = augmentation(config, (8, 8, 1))
    model = build_simclr(config, (8, 8, 1), recipe)
    before = [weight.numpy() for weight in model.head.weights]
    first = model.encoder.trainable_weights[0].numpy()
    model.fit(view_pairs(digits_data.train.images, recipe, 16, 0, 2), shuffle=False, verbose=0)
    assert before and all(np.array_equal(*pair) for pair in zip(before, model.head.get_weights(), strict=True))
    assert not np.array_equal(first, model.encoder.trainable_weights[0])


def test_classical_head_is_linear_and_leaky_relu():
    head = build_head(Config(head="classical", width=3, layers=2))
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    first_kernel, first_bias, second_kernel, second_bias = head.get_weights()

    def leaky(v):
        return np.where(v > 0, v, 0.01 * v)

    judge = leaky(leaky(x @ first_kernel + first_bias) @ second_kernel + second_bias)
    np.testing.assert_allclose(head(x), judge, atol=1e-6)
    assert np.any(first_bias != 0) and np.abs(first_kernel).max() <= 3**-0.5


def test_identity_head_is_the_identity():
    x = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    np.testing.assert_array_equal(build_head(Config(head="identity"))(x), x)
