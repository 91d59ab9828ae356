"""The training step as one XLA program, judged by the step that Keras runs operation by operation."""

from dataclasses import replace

import keras
import pytest
import tensorflow as tf
from judges.rounding import Training, judge

import qssl_tf as q
from qssl_tf.data.augment import augmentation
from qssl_tf.data.sources import load
from qssl_tf.errors import UserError
from qssl_tf.models.build import build_simclr
from qssl_tf.models.whole_step import compile_by_xla, refuse_uncompilable

SMALL = q.Config(width=2, layers=1, batch_size=16)
SHAPE = (8, 8, 1)
HEADS = {
    "exact": {},
    "shots": {"shots": 50, "gradient": "parameter_shift"},
    "noise": {"noise": "depolarizing=0.01"},
    "classical": {"head": "classical"},
}


@pytest.mark.parametrize("head", HEADS)
def test_the_compiled_step_learns_as_the_other(head, tmp_path):
    config = replace(SMALL, steps=3, **HEADS[head])
    compiled = Training(replace(config, xla_step=True), load(config), tf.distribute.get_strategy())
    judge(config, tmp_path).agrees(*compiled.run(tmp_path))


class Unsuited(keras.layers.Layer):
    """Adds nothing to images, by way of a text."""

    def call(self, images):
        return images + 0.0 * tf.cast(tf.strings.length(tf.as_string(tf.reduce_sum(images))), tf.float32)


def test_what_xla_cannot_compile_is_said_in_a_line(tmp_path, own_words):
    @q.register_encoder("unsuited")
    def unsuited(image_shape):
        return keras.Sequential([keras.Input(image_shape), Unsuited(), keras.layers.Flatten()])

    with pytest.raises(UserError) as told:
        q.pretrain(config=replace(SMALL, encoder="unsuited", steps=1, xla_step=True), runs_dir=tmp_path)
    assert str(told.value) == (
        "`xla_step=True` needs a step that XLA can compile as a whole, with an encoder of your own as well; it has "
        "nothing for AsString. Leave it out, or change that part."
    )


def test_so_is_a_shape_that_depends_on_values():
    function = tf.function(lambda count: tf.range(count) + 1, jit_compile=True)
    with pytest.raises(tf.errors.OpError) as raised:
        function(tf.constant(-3))
    with pytest.raises(UserError, match="own as well; Requires start <= limit .*. Leave it out, or change that part.$"):
        refuse_uncompilable(raised.value)


def test_other_errors_of_tensorflow_are_not_xlas():
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        tf.reshape(tf.zeros(3), (2, 2))
    refuse_uncompilable(raised.value)


def test_other_weights_are_not_compiled_again():
    """A call within the step would have its weights as constants of the program, and each step would take seconds."""
    config = replace(SMALL, xla_step=True)
    model = build_simclr(config, SHAPE, augmentation(config, SHAPE))
    views = tuple(tf.random.stateless_uniform((16, *SHAPE), (7, view)) for view in (0, 1))
    step = tf.function(model.train_step, jit_compile=True, autograph=False)
    graph = step.get_concrete_function(views).graph
    assert not [node.name for node in graph.get_operations() if "PartitionedCall" in node.type]


def test_tensorflow_quantum_is_refused():
    config = replace(SMALL, simulator="tfq", xla_step=True)
    with pytest.raises(q.UserError) as error:
        build_simclr(config, SHAPE, augmentation(config, SHAPE))
    assert str(error.value) == (
        "`xla_step=True` needs a head that XLA can compile, and TensorFlow Quantum has nothing for it; got simulator "
        "'tfq'; take `simulator='auto'`, and settings that this package's own simulators support."
    )


def test_replicas_are_refused(monkeypatch):
    strategy = tf.distribute.get_strategy()
    monkeypatch.setattr(type(strategy.extended), "_num_replicas_in_sync", 2)
    with pytest.raises(q.UserError) as error:
        compile_by_xla(build_simclr(SMALL, SHAPE, augmentation(SMALL, SHAPE)))
    assert str(error.value) == (
        "`xla_step=True` is for one device; got a strategy with 2 replicas, whose messages XLA cannot compile; leave "
        "one of them out."
    )
