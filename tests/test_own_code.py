"""Functions of the user's own that raise whatever they like: one line that names them, and no run begun."""

import keras
import pytest
import tensorflow as tf

from qssl_tf.config import Config
from qssl_tf.data.custom_dataset import register_dataset
from qssl_tf.data.sources import load
from qssl_tf.errors import UserError
from qssl_tf.models.custom_encoder import register_encoder
from qssl_tf.models.encoders import build_encoder
from qssl_tf.plugins import load_plugins
from qssl_tf.quantum.custom_ansatz import register_ansatz

SHAPE = (6, 6, 1)
ERRORS = [
    ZeroDivisionError("division by zero"),
    KeyError("name"),
    AssertionError(),
    FileNotFoundError(2, "No such file or directory", "cells.npy"),
    MemoryError(),
    StopIteration(),
    SystemExit("bye\nand more"),
    type("Own", (Exception,), {"__str__": lambda self: ""})(),
    type("Textless", (Exception,), {"__str__": lambda self: 1 / 0})(),
    type("Base", (BaseException,), {})("of no exception"),
]


def raising(error):
    def raise_it(*arguments, **named):
        raise error

    return raise_it


def of_dataset(error):
    register_dataset("mine")(raising(error))
    load(Config(dataset="mine"))


def of_encoder(error):
    register_encoder("mine")(raising(error))
    build_encoder("mine", SHAPE, 2, seed=0)


def of_model(error):
    layer = type("Layer", (keras.layers.Layer,), {"call": raising(error)})
    register_encoder("mine")(lambda shape: layer())
    build_encoder("mine", SHAPE, 2, seed=0)


class OnlyInTraining(keras.layers.Layer):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def call(self, images, training=False):
        if training:
            raise self.error
        return images


class OnlyInTheGradient(OnlyInTraining):
    def call(self, images):
        @tf.custom_gradient
        def same(values):
            return values, raising(self.error)

        return same(images)


def of_a_layer(layer, error):
    register_encoder("mine")(
        lambda shape: keras.Sequential([keras.Input(shape), keras.layers.Conv2D(2, 3), layer(error)])
    )
    build_encoder("mine", SHAPE, 2, seed=0)


def of_ansatz(error):
    register_ansatz("mine")(raising(error))


MAKERS = {
    "the function of `dataset` 'mine' failed with": of_dataset,
    "the function of `encoder` 'mine' failed with": of_encoder,
    "the model of `encoder` 'mine' failed with": of_model,
    "layer 0 of `ansatz` 'mine' on ": of_ansatz,
}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("begins", MAKERS)
def test_whatever_they_raise_is_one_line(own_words, begins, error):
    with pytest.raises(UserError) as caught:
        MAKERS[begins](error)
    told = str(caught.value)
    assert told.startswith(begins) and "encountered" not in told and "\n" not in told and told.endswith("."), told


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("layer", [OnlyInTraining, OnlyInTheGradient])
def test_what_is_raised_only_while_training_is_known_before_a_run_is_begun(own_words, layer, error):
    with pytest.raises(UserError) as caught:
        of_a_layer(layer, error)
    told = str(caught.value)
    assert told.startswith(f"the model of `encoder` 'mine' failed with {type(error).__name__}: "), told
    assert "\n" not in told and told.endswith("."), told


def test_an_encoder_is_only_traced_for_that(own_words):
    register_encoder("mine")(
        lambda shape: keras.Sequential([keras.Input(shape), keras.layers.BatchNormalization(), keras.layers.Flatten()])
    )
    encoder = build_encoder("mine", SHAPE, 2, seed=0)
    moving = [weight.numpy() for weight in encoder.weights if "moving" in weight.name]
    assert [value.tolist() for value in moving] == [[0.0], [1.0]]


@pytest.mark.parametrize("begins", MAKERS)
def test_their_own_words_to_the_user_and_ctrl_c_are_passed_on(own_words, begins):
    with pytest.raises(UserError) as caught:
        MAKERS[begins](UserError("take other images."))
    assert str(caught.value) == "take other images."
    with pytest.raises(KeyboardInterrupt):
        MAKERS[begins](KeyboardInterrupt())


def test_a_plugin_that_ends_itself_is_one_line(own_words, tmp_path):
    (tmp_path / "mine.py").write_text("import sys\nsys.exit('no licence')\n")
    with pytest.raises(UserError) as caught:
        load_plugins([str(tmp_path / "mine.py")])
    assert str(caught.value) == f"plugin {tmp_path / 'mine.py'} failed in line 2 with SystemExit: no licence."


def test_no_run_is_left_of_what_never_began(here, own_words, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import qssl_tf as q\n@q.register_dataset('mine')\ndef mine():\n    return {}['images']\n"
    )
    given = ["--plugin", tmp_path / "mine.py", "--dataset", "mine", "--runs-dir", tmp_path / "runs"]
    done = here("trainers/pretrain.py", *given)
    assert (done.returncode, (tmp_path / "runs").exists()) == (2, False)
    assert done.stderr == "error: the function of `dataset` 'mine' failed with KeyError: it lacks 'images'.\n"
