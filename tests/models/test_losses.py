import keras
import numpy as np
import pytest
import tensorflow as tf

from qssl_tf.errors import UserError
from qssl_tf.models.losses import NTXent, contrastive_accuracy


def algorithm_1(z, temperature):
    """arXiv:2002.05709, Algorithm 1, line by line: z holds views 2k-1 and 2k of image k next to each other."""
    count = len(z)
    s = np.zeros((count, count))
    for i in range(count):
        for j in range(count):
            s[i, j] = z[i] @ z[j] / (np.linalg.norm(z[i]) * np.linalg.norm(z[j]))

    def loss(i, j):
        denominator = sum(np.exp(s[i, k] / temperature) for k in range(count) if k != i)
        return -np.log(np.exp(s[i, j] / temperature) / denominator)

    n = count // 2
    return sum(loss(2 * k, 2 * k + 1) + loss(2 * k + 1, 2 * k) for k in range(n)) / (2 * n)


def embeddings(n, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(n, d))


@pytest.mark.parametrize(("n", "d", "temperature"), [(1, 2, 0.5), (2, 3, 0.07), (5, 8, 0.2), (16, 4, 1.0)])
def test_it_is_the_papers_algorithm(n, d, temperature):
    a, b = embeddings(n, d)
    interleaved = np.stack([a, b], axis=1).reshape(2 * n, d)
    np.testing.assert_allclose(NTXent(temperature)(a, b), algorithm_1(interleaved, temperature), rtol=1e-5)


@pytest.mark.parametrize("n", [1, 4, 100])
def test_equal_embeddings_cost_log_2n_minus_1(n):
    z = tf.ones((n, 3))
    np.testing.assert_allclose(NTXent(0.07)(z, z), np.log(2 * n - 1), rtol=1e-5, atol=1e-6)


def test_views_are_symmetric_and_length_does_not_matter():
    a, b = embeddings(6, 5)
    loss = NTXent(0.1)
    np.testing.assert_allclose(loss(a, b), loss(b, a), rtol=1e-6)
    np.testing.assert_allclose(loss(a, b), loss(3 * a, 0.01 * b), rtol=1e-5)


def test_gradient_is_central_differences():
    a, b = embeddings(3, 4)
    z = tf.constant(a, tf.float64)
    loss = NTXent(0.3, dtype="float64")
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = loss(z, tf.constant(b))
    gradient = tape.gradient(value, z).numpy()
    for place in np.ndindex(a.shape):
        shift = np.zeros(a.shape)
        shift[place] = 1e-6
        slope = (float(loss(a + shift, b)) - float(loss(a - shift, b))) / 2e-6
        assert abs(gradient[place] - slope) < 1e-6


def test_no_overflow_when_cold_and_no_nan_at_zero():
    a, b = embeddings(8, 4)
    a[3] = 0.0
    z = tf.constant(a, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = NTXent(0.01)(z, tf.constant(b, tf.float32))
    assert np.isfinite(value) and np.all(np.isfinite(tape.gradient(value, z)))


def test_contrastive_accuracy_counts_nearest_positives():
    a = np.eye(4, dtype=np.float32)
    shuffled = a[[1, 0, 2, 3]]
    assert np.mean(contrastive_accuracy(a, a + 0.1)) == 1.0
    assert np.mean(contrastive_accuracy(a, shuffled)) == 0.5


def test_it_reloads():
    loss = NTXent(0.3)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == loss.get_config() and again.temperature == 0.3


def test_temperature_must_be_positive():
    with pytest.raises(UserError, match=r"^`temperature` must be above 0\.0; got 0\.$"):
        NTXent(0)
