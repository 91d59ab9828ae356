"""TF32 is off wherever this package multiplies, by TensorFlow's own word; benchmarks/gpu.py shows what it would do."""

import pytest
import tensorflow as tf

import qssl_tf as q
from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.models.build import build_simclr

MAKERS = {
    "head": lambda: q.QuantumHead(2, layers=1),
    "model": lambda: build_simclr(q.Config(head="classical"), (8, 8, 1), AUGMENTATIONS["digits"](8)),
}


@pytest.mark.parametrize("made", MAKERS)
def test_it_is_switched_off(made):
    tf.config.experimental.enable_tensor_float_32_execution(True)
    MAKERS[made]()
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
