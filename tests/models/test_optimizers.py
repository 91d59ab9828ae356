import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from qssl_tf.models.optimizers import AdamL2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_penalty_goes_through_the_moments(dtype):
    """Adam written out (arXiv:1412.6980, Algorithm 1) on gradient + l2 * weight."""
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=5), rng.normal(size=(6, 5))
    variable = keras.Variable(start, dtype=dtype)
    optimizer = AdamL2(0.01, l2=0.3, epsilon=1e-8)
    weight, m, v = start.copy(), np.zeros(5), np.zeros(5)
    for step, gradient in enumerate(gradients, start=1):
        optimizer.apply([keras.ops.convert_to_tensor(gradient, dtype)], [variable])
        g = gradient + 0.3 * weight
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        weight -= 0.01 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    np.testing.assert_allclose(variable, weight, rtol=1e-5)


def test_it_reloads():
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(AdamL2(0.02, l2=0.5)))
    assert again.l2 == 0.5 and abs(float(again.learning_rate) - 0.02) < 1e-8


def test_no_sum_of_the_step_depends_on_which_buffer_is_free():
    """TensorFlow's AddN sums three terms in an order that depends on timing if two of them share a buffer."""
    weight, optimizer = keras.Variable(np.ones(4), dtype="float32"), AdamL2(0.01, l2=0.3)
    optimizer.build([weight])
    rows = tf.constant(np.random.default_rng(0).normal(size=(2, 8, 4)), tf.float32)

    @tf.function
    def step():
        with tf.GradientTape() as tape:  # two views, as in pretraining
            loss = tf.add_n([tf.reduce_sum(tf.sin(view + weight.value)) for view in tf.unstack(rows)])
        optimizer.apply(tape.gradient(loss, [weight.value]), [weight])

    context.context().enable_graph_collection()
    try:
        step()
        metadata = context.context().export_run_metadata()
    finally:
        context.context().disable_graph_collection()
    graphs = [graph.post_optimization_graph for graph in metadata.function_graphs]
    nodes = [node for graph in graphs for node in graph.node]
    nodes += [node for graph in graphs for function in graph.library.function for node in function.node_def]
    assert any(node.op == "AddN" for node in nodes)
    assert not [node.name for node in nodes if node.op == "AddN" and len(node.input) > 2]
