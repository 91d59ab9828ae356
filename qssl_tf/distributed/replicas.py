"""What replicas of a model under `tf.distribute` tell each other inside a step; alone, nothing is told or computed."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

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


@contextmanager
def _within(name: str, value: bool) -> Iterator[None]:
    """Set an attribute of this thread, unless it is set already, and put back what it was."""
    before = getattr(_here, name, False)
    setattr(_here, name, value or before)
    try:
        yield
    finally:
        setattr(_here, name, before)


@contextmanager
def local_statistics(is_local: bool = True) -> Iterator[None]:
    """Let the batch norms called inside take mean and variance of their replica's own rows, and send nothing.

    Args:
        is_local: If False, the block changes nothing.
    """
    with _within("local", is_local):
        yield


def statistics_are_local() -> bool:
    """Return whether batch norms take the statistics of their replica's own rows."""
    return getattr(_here, "local", False)


@contextmanager
def borrowed_statistics(are_borrowed: bool = True) -> Iterator[None]:
    """Let batch norms called inside normalise by their rows, also frozen ones, and keep no statistics of them.

    Args:
        are_borrowed: If False, the block changes nothing.
    """
    with _within("borrowed", are_borrowed):
        yield


def statistics_are_borrowed() -> bool:
    """Return whether batch norms normalise by statistics that they do not keep."""
    return getattr(_here, "borrowed", False)


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


def average_over_replicas(variables: Sequence[Any]) -> None:
    """Give all replicas the mean of each variable, of floating numbers, by one message for all of them."""
    if replica_count() > 1 and variables:
        _assign_means(variables, sum_over_replicas(_joined(variables)))


@contextmanager
def averaged_beside(variables: Sequence[Any]) -> Iterator[None]:
    """Give all replicas the mean of each variable by the message of the first `sum_of_each` inside, or by one more."""
    _here.waiting = list(variables) if replica_count() > 1 else []
    try:
        yield
        average_over_replicas(_here.waiting)
    finally:
        _here.waiting = []


def sum_of_each(parts: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Return the sums over replicas of some arrays, by one message for all of them; see also `averaged_beside`."""
    waiting, _here.waiting = getattr(_here, "waiting", []), []
    context, more = tf.distribute.get_replica_context(), [_joined(waiting)] if waiting else []
    sums = context.all_reduce(tf.distribute.ReduceOp.SUM, [*parts, *more])
    if waiting:
        _assign_means(waiting, sums[-1])
    return sums[: len(parts)]


def _joined(variables: Sequence[Any]) -> tf.Tensor:
    """Return the values of all variables, one after the other, float32."""
    return tf.concat([tf.reshape(tf.cast(variable, tf.float32), [-1]) for variable in variables], 0)


def _assign_means(variables: Sequence[Any], sums: tf.Tensor) -> None:
    """Set each variable to its mean over replicas, whose `_joined` values sum to `sums`."""
    means = tf.split(sums / replica_count(), [variable.shape.num_elements() for variable in variables])
    for variable, mean in zip(variables, means, strict=True):
        variable.assign(tf.cast(tf.reshape(mean, variable.shape), variable.dtype))


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


def gather_each(parts: Sequence[tf.Tensor]) -> tuple[tf.Tensor, ...]:
    """Return the rows of all replicas for each of some tables, shape (n, d) each, by one message; see `gather`."""
    if replica_count() == 1:
        return tuple(parts)
    return tuple(tf.split(gather(tf.concat(parts, axis=1)), [part.shape[1] for part in parts], axis=1))
