import keras
import numpy as np
import pytest
import tensorflow as tf

from qssl_tf.errors import UserError
from qssl_tf.objectives.contrastive import NTXent, contrastive_accuracy


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
    for index in np.ndindex(a.shape):
        shift = np.zeros(a.shape)
        shift[index] = 1e-6
        slope = (float(loss(a + shift, b)) - float(loss(a - shift, b))) / 2e-6
        assert abs(gradient[index] - slope) < 1e-6


def test_no_overflow_when_cold_and_no_nan_at_zero():
    a, b = embeddings(8, 4)
    a[3] = 0.0
    z = tf.constant(a, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = NTXent(0.01)(z, tf.constant(b, tf.float32))
    assert np.isfinite(value) and np.all(np.isfinite(tape.gradient(value, z)))


@pytest.mark.parametrize("size", [1e-29, 1e-20, 1e-15, 1e-12, 1e-7, 1e-6, 1.0, 1e15, 1e25, 1e37])
def test_length_does_not_matter_at_any_size(size):
    """The loop from the paper in float64; every length at which float32 can represent the gradient."""
    a, b = (np.float32(size) * z.astype(np.float32) for z in embeddings(4, 3))
    z = tf.constant(a)
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = NTXent(0.2)(z, tf.constant(b))
    interleaved = np.stack([a, b], axis=1).reshape(8, 3).astype(float)
    np.testing.assert_allclose(loss, algorithm_1(interleaved, 0.2), rtol=1e-5)
    # The loss does not change along z itself, so size * gradient is that of vectors of ordinary length.
    slope = size * tape.gradient(loss, z).numpy().astype(float)
    for index in [(0, 0), (3, 2)]:
        shift = np.zeros((8, 3))
        shift[2 * index[0], index[1]] = 1e-6
        ahead, behind = (algorithm_1(interleaved / size + way * shift, 0.2) for way in (1, -1))
        assert slope[index] == pytest.approx((ahead - behind) / 2e-6, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("size", [0.0, 1e-31, 1e-38])
def test_a_vector_of_zeros_has_cosine_0_and_no_gradient(size):
    a, b = (tf.constant(z, tf.float32) for z in embeddings(3, 4))
    a = tf.concat([size * a[:1], a[1:]], 0)
    with tf.GradientTape() as tape:
        tape.watch(a)
        loss = NTXent(0.5)(a, b)
    gradient = tape.gradient(loss, a).numpy()
    assert np.all(gradient[0] == 0) and np.all(np.isfinite(gradient)) and np.all(gradient[1:] != 0)
    units = np.stack([a, b], axis=1).reshape(6, 4).astype(float)
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-20)
    units[0] = 0
    cosines = units @ units.T / 0.5
    others = np.log(np.sum(np.exp(cosines) * (1 - np.eye(6)), axis=1))
    judge = np.mean(others - cosines[np.arange(6), np.arange(6) ^ 1])
    np.testing.assert_allclose(loss, judge, rtol=1e-5)


def test_nan_is_not_treated_as_a_zero_vector():
    a, b = embeddings(3, 4)
    for bad in (np.nan, np.inf):
        a[1, 2] = bad
        assert np.isnan(NTXent(0.5)(a, b))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_embeddings_of_other_dtypes(dtype):
    a, b = (tf.cast(z, dtype) for z in embeddings(5, 4))
    interleaved = np.stack([tf.cast(z, tf.float64) for z in (a, b)], axis=1).reshape(10, 4)
    np.testing.assert_allclose(NTXent(0.2)(a, b), algorithm_1(interleaved, 0.2), rtol=1e-5)
    assert float(tf.reduce_mean(contrastive_accuracy(a, a))) == 1.0


def test_contrastive_accuracy_counts_nearest_positives():
    a = np.eye(4, dtype=np.float32)
    shuffled = a[[1, 0, 2, 3]]
    assert np.mean(contrastive_accuracy(a, a + 0.1)) == 1.0
    assert np.mean(contrastive_accuracy(a, shuffled)) == 0.5


@pytest.mark.parametrize("n", [300, 1500])
def test_contrastive_accuracy_of_many_rows_is_that_of_all_cosines_at_once(n):
    """NumPy is the judge, in float64; 2n rows are taken at once, or in blocks of which the last is not full."""
    rng = np.random.default_rng(n)
    a = rng.normal(size=(n, 5)).astype(np.float32)
    b = a + rng.normal(scale=0.2, size=a.shape).astype(np.float32)
    z = np.concatenate([a, b]).astype(float)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    cosines = z @ z.T
    np.fill_diagonal(cosines, -2)
    expected = cosines.argmax(1) == np.roll(np.arange(2 * n), n)
    found = tf.function(contrastive_accuracy)(a, b).numpy()
    first, second = np.sort(cosines, 1)[:, [-1, -2]].T
    sure = first - second > 1e-6  # nearer ones are told apart by float64 alone
    assert sure.mean() > 0.99 and 0.1 < expected.mean() < 0.9
    np.testing.assert_array_equal(found[sure], expected[sure])


def test_it_reloads():
    loss = NTXent(0.3)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == loss.get_config() and again.temperature == 0.3


def test_temperature_must_be_positive():
    with pytest.raises(UserError, match=r"^`temperature` must be above 0\.0; got 0\.0\.$"):
        NTXent(0)
