"""What is compiled by XLA, and when TensorFlow should warn of compiling too often."""

import numpy as np
import tensorflow as tf

import qssl_tf as q
from qssl_tf.xla import compiled


def test_a_function_is_compiled_and_keeps_its_values():
    square = compiled(lambda x, y: x * x + y)
    np.testing.assert_allclose(square(tf.constant([1.0, 3.0]), tf.constant(0.5)), [1.5, 9.5])
    assert "HloModule" in square.alone.experimental_get_compiler_ir(tf.constant([1.0]), tf.constant(0.5))(stage="hlo")


def test_many_heads_in_a_session_are_no_leak(tensorflow_says):
    for seed in range(7):
        head = q.QuantumHead(width=2, layers=1, seed=seed)
        head(np.zeros((3, 2), np.float32))
    assert tensorflow_says() == []


def test_one_that_is_compiled_again_and_again_still_warns(tensorflow_says):
    doubled = compiled(lambda x: 2 * x)
    for size in range(1, 8):
        doubled(tf.zeros(size))
    assert "triggered tf.function retracing" in tensorflow_says()[0]
