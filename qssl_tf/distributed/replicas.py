"""What replicas of a model under `tf.distribute` tell each other inside a step; alone, nothing is told or computed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

_here = threading.local()  # of each thread, since replicas of one process are traced in threads of their own


@contextmanager
def stacked_views(count: int) -> Iterator[None]:
    """Let the layers called inside know that their rows are those of `count` views, one view after the other."""
    _here.views = count
    try:
        yield
    finally:
        _here.views = 1


def view_count() -> int:
    """Return how many views are stacked in the rows that a layer gets."""
    return getattr(_here, "views", 1)


def replica_count() -> int:
    """Return how many replicas take part in the step that is being traced; 1 outside of one."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def replica_number() -> tf.Tensor:
    """Return this replica's number, int32, from 0; 0 where it is alone."""
    return tf.distribute.get_replica_context().replica_id_in_sync_group if replica_count() > 1 else tf.constant(0)


def sum_over_replicas(values: tf.Tensor) -> tf.Tensor:
    """Return the sum of all replicas' `values`, which have equal shapes."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)


@tf.custom_gradient
def gather(rows: tf.Tensor) -> tuple[tf.Tensor, object]:
    """Return the rows of all replicas, in the order of their numbers, shape (replicas * n, d).

    The gradient holds for a loss that every replica computes alike from all rows, divided by the number of replicas
    (as Keras divides it, whose optimizers sum): each replica then keeps what reaches its own rows times that number,
    and nothing has to be sent back.

    Args:
        rows: Shape (n, d), equal on all replicas.
    """
    count, number, n = replica_count(), replica_number(), tf.shape(rows)[0]
    if count == 1:
        return tf.identity(rows), lambda upstream: upstream
    # A sum with zeros is exact, and one message; TensorFlow's all_gather sends the lengths first.
    placed = tf.scatter_nd([[number]], rows[tf.newaxis], (count, n, rows.shape[1]))  # (replicas, n, d)
    everyone = tf.reshape(sum_over_replicas(placed), (count * n, rows.shape[1]))
    return everyone, lambda upstream: count * upstream[number * n : (number + 1) * n]
