"""User-defined encoders."""

import keras
import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.models.custom_encoder import register_encoder
from qssl_tf.models.encoders import build_encoder

SHAPE = (6, 6, 1)


def stack(*layers):
    return keras.Sequential([keras.Input(SHAPE), *layers])


@pytest.mark.parametrize("last", [keras.layers.Flatten, keras.layers.Identity])
def test_any_model_ends_in_angles(own_words, last):
    register_encoder("mine")(lambda shape: stack(keras.layers.Conv2D(5, 3), last()))
    assert Config(encoder="mine").encoder == "mine"
    encoder = build_encoder("mine", SHAPE, 4, seed=0)
    angles = encoder(np.random.default_rng(0).random((3, *SHAPE), np.float32)).numpy()
    assert angles.shape == (3, 4) and angles.min() > 0 and angles.max() < np.pi


def test_feature_maps_are_averaged(own_words):
    """Against the mean taken by hand, with a layer of known weights."""
    register_encoder("mine")(lambda shape: stack(keras.layers.Conv2D(2, 1, kernel_initializer="ones")))
    encoder = build_encoder("mine", SHAPE, 2, seed=0)
    images = np.random.default_rng(0).random((3, *SHAPE), np.float32)
    kernel, bias = encoder.get_layer("compress").get_weights()
    pooled = np.repeat(((images - 0.5) / 0.5).mean(axis=(1, 2)), 2, axis=1)
    judge = np.pi / (1 + np.exp(-(pooled @ kernel + bias)))
    np.testing.assert_allclose(encoder(images).numpy(), judge, rtol=1e-5)


def test_equal_seeds_give_equal_weights(own_words):
    register_encoder("mine")(lambda shape: stack(keras.layers.Dense(3), keras.layers.Flatten()))
    weights = [build_encoder("mine", SHAPE, 2, seed).get_weights() for seed in (1, 1, 2)]
    assert all((a == b).all() for a, b in zip(weights[0], weights[1], strict=True))
    assert not all((a == b).all() for a, b in zip(weights[0], weights[2], strict=True))


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        (lambda shape: None, "`encoder` 'mine' must return a Keras model or layer; got a NoneType."),
        (
            lambda shape: stack(keras.layers.Reshape((36, 1))),
            "`encoder` 'mine' must give features of shape (n, features) or maps of shape (n, height, width, channels); "
            "got (None, 36, 1).",
        ),
        (
            lambda shape: keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()]),
            "`encoder` 'mine' does not take images of shape (6, 6, 1): ",
        ),
    ],
)
def test_invalid_encoders_are_refused_in_one_line(own_words, factory, sentence):
    register_encoder("mine")(factory)
    with pytest.raises(UserError) as error:
        build_encoder("mine", SHAPE, 2, seed=0)
    assert str(error.value).startswith(sentence) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("set_default", "said"),
    [
        (lambda: keras.config.set_dtype_policy("mixed_float16"), "it set the dtype policy to mixed_float16; choose "),
        (lambda: keras.config.set_dtype_policy("float64"), "it set the dtype policy to float64; choose "),
        (lambda: keras.config.set_floatx("float64"), "it set floatx to float64; choose "),
    ],
)
def test_a_function_that_sets_keras_defaults_is_refused_and_undone(own_words, set_default, said):
    before = keras.config.dtype_policy().name, keras.config.floatx()

    @register_encoder("mine")
    def mine(shape):
        set_default()
        return stack(keras.layers.Flatten())

    with pytest.raises(UserError) as error:
        build_encoder("mine", SHAPE, 2, seed=0)
    assert said + "`precision`" in str(error.value) and "\n" not in str(error.value)
    assert (keras.config.dtype_policy().name, keras.config.floatx()) == before


def test_layers_may_have_a_dtype_of_their_own(own_words):
    register_encoder("mine")(lambda shape: stack(keras.layers.Flatten(), keras.layers.Dense(3, dtype="mixed_bfloat16")))
    encoder = build_encoder("mine", SHAPE, 2, seed=0)
    assert encoder.output.dtype == "float32"
    assert {variable.dtype for variable in encoder.variables} == {"float32"}


def test_builtin_names_cannot_be_replaced(own_words):
    with pytest.raises(UserError, match="`encoder` 'resnet18' is one of the library's"):
        register_encoder("resnet18")(lambda shape: stack())
