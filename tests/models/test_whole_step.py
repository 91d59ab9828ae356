"""The training step as one XLA program, judged by the step that Keras runs operation by operation."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

import qssl_tf as q
from qssl_tf.data.augment import augmentation
from qssl_tf.models.simclr import build_simclr
from qssl_tf.models.whole_step import compile_by_xla

SMALL = q.Config(width=2, layers=1, batch_size=16)
SHAPE = (8, 8, 1)
HEADS = {
    "exact": {},
    "shots": {"shots": 50, "gradient": "parameter_shift"},
    "noise": {"noise": "depolarizing=0.01"},
    "classical": {"head": "classical"},
}


def steps_of(config, count=3):
    """Return the losses of some steps on the same views."""
    model = build_simclr(config, SHAPE, augmentation(config, SHAPE))
    views = tuple(tf.random.stateless_uniform((16, *SHAPE), (7, view)) for view in (0, 1))
    pairs = tf.data.Dataset.from_tensors(views).repeat(count)
    model.step_logs = True
    history = model.fit(pairs, epochs=count, steps_per_epoch=1, verbose=0)
    return np.array(history.history["loss"])


@pytest.mark.parametrize("head", HEADS)
def test_the_compiled_step_learns_as_the_other(head):
    config = replace(SMALL, **HEADS[head])
    np.testing.assert_allclose(steps_of(replace(config, xla_step=True)), steps_of(config), rtol=1e-4)


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
