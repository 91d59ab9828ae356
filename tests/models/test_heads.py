import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.models.heads import HEADS, build_head


def parameters(head):
    return sum(int(np.prod(variable.shape)) for variable in head.trainable_variables)


@pytest.mark.parametrize(("name", "count"), [("quantum", 32), ("classical", 144), ("identity", 0)])
def test_parameter_counts_of_the_paper(name, count):
    head = build_head(Config(head=name))
    assert parameters(head) == count


@pytest.mark.parametrize("name", HEADS)
def test_heads_keep_the_width(name):
    head = build_head(Config(head=name, width=5))
    assert head(np.zeros((3, 5), np.float32)).shape == (3, 5) == head.compute_output_shape((3, 5))


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
