"""The queue of negatives against a list, pushed and cut as the paper says."""

import keras
import numpy as np
import pytest

from qssl_tf.errors import UserError
from qssl_tf.objectives.queue import Queue


def made(size, d=2, seed=0):
    queue = Queue(size, seed)
    queue.build((None, d))
    queue.built = True
    return queue


def test_first_in_is_first_out():
    """Batches of 3 in a queue of 7: what is dropped are the oldest rows, whole batches or not."""
    queue, rng = made(7), np.random.default_rng(0)
    judge = [list(row) for row in queue.rows.numpy()]
    for _ in range(5):
        keys = rng.normal(size=(3, 2)).astype("f")
        queue.push(keys)
        judge = ([list(key) for key in keys] + judge)[:7]
        np.testing.assert_array_equal(queue.rows, np.array(judge, "f"))


def test_a_call_puts_the_keys_of_this_batch_in_front_and_keeps_nothing():
    queue, keys = made(4), np.ones((2, 2), "f")
    before = queue.rows.numpy()
    np.testing.assert_array_equal(queue(keys), np.concatenate([keys, before]))
    np.testing.assert_array_equal(queue.rows, before)


def test_it_begins_with_random_directions_of_its_seed():
    first, again, other = (made(500, 3, seed).rows.numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    units = first / np.linalg.norm(first, axis=1, keepdims=True)
    assert np.abs(units.mean(0)).max() < 4 / np.sqrt(3 * 500)  # 4 deviations of a mean of directions


def test_nothing_of_it_is_trained():
    queue = made(4)
    assert queue.trainable_variables == [] and len(queue.variables) == 1
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(queue))
    assert (again.queue_size, again.seed) == (4, 0)


def test_a_batch_must_fit():
    with pytest.raises(UserError) as caught:
        made(4).push(np.ones((5, 2), "f"))
    assert str(caught.value) == (
        "`queue_size` must hold the keys of a batch at least, 5; got 4; take more, or a smaller `batch_size`."
    )
