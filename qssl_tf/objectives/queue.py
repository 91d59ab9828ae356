"""A queue of negatives, and the loss that compares with it (MoCo)."""

from typing import Any

import keras
import tensorflow as tf

from qssl_tf.commands import argument
from qssl_tf.config import checked
from qssl_tf.errors import UserError
from qssl_tf.objectives.contrastive import NTXent
from qssl_tf.objectives.rows import normalised


def refuse_short_queue(queue_size: int, batch_size: int) -> None:
    """Refuse a queue that cannot hold the keys of one batch.

    Raises:
        UserError: With both sizes.
    """
    if queue_size < batch_size:
        raise UserError(
            f"{argument('queue_size')} must hold the keys of a batch at least, {batch_size}; got {queue_size}; take "
            f"more, or a smaller {argument('batch_size')}."
        )


@keras.saving.register_keras_serializable(package="qssl_tf")
class Queue(keras.layers.Layer):
    """The newest keys of a target network, negatives of every query (arXiv:1911.05722, Section 3.1).

    It begins with random directions, as the authors' code does. A key costs its network, and its circuit, once, and
    serves as long as it is among the newest.

    Args:
        queue_size: Keys it holds; at least those of a batch.
        seed: Of the first rows.

    Attributes:
        rows: The keys, newest first, shape (queue_size, d).

    Raises:
        UserError: An argument of the wrong type or out of range.
    """

    def __init__(self, queue_size: int = 512, seed: int = 0, **kwargs: Any):
        """Store the size; rows are made once it is known how long they are."""
        super().__init__(trainable=False, **kwargs)
        self.queue_size, self.seed = checked("queue_size", queue_size), checked("seed", seed)

    def build(self, input_shape):
        """Draw the first rows for keys of shape (n, d)."""
        start = keras.initializers.RandomNormal(stddev=1.0, seed=self.seed)
        shape = (self.queue_size, input_shape[-1])
        self.rows = self.add_weight(name="rows", shape=shape, initializer=start, trainable=False, dtype="float32")

    def call(self, keys):
        """Return the keys, first as many as are given, then those held: shape (n + queue_size, d)."""
        return tf.concat([keys, tf.cast(self.rows, keys.dtype)], axis=0)

    def push(self, keys: tf.Tensor) -> None:
        """Put keys, shape (n, d), in front of all others, and drop the oldest as many; equal on all replicas.

        Raises:
            UserError: It is shorter than they are.
        """
        refuse_short_queue(self.queue_size, keys.shape[0] or 0)
        held = tf.convert_to_tensor(self.rows)
        self.rows.assign(tf.concat([tf.cast(keys, held.dtype), held], axis=0)[: self.queue_size])

    def get_config(self):
        """Return the constructor's arguments."""
        config = super().get_config() | {"queue_size": self.queue_size, "seed": self.seed}
        return {name: value for name, value in config.items() if name != "trainable"}


@keras.saving.register_keras_serializable(package="qssl_tf")
class MoCo(NTXent):
    """Momentum contrast, InfoNCE with a queue of negatives (arXiv:1911.05722, Eq. 1 and Algorithm 1).

    `call(keys, queries)` takes queries, shape (n, d), and keys, shape (n + queue_size, d): first the positive key of
    each query, which the target network (the paper's momentum encoder) made of the other view, then the queue of
    negatives. It returns (n,): -log softmax of the positive's cosine, divided by the temperature, among it and the
    negatives. Only directions matter.

    Args:
        temperature: Divides the cosine similarities; positive.

    Raises:
        UserError: The temperature is not a positive number.
    """

    def __init__(
        self,
        temperature: float = 0.07,
        reduction: str = "sum_over_batch_size",
        name: str = "moco",
        dtype: Any = None,
    ):
        """Store the temperature."""
        super().__init__(temperature, reduction=reduction, name=name, dtype=dtype)

    def call(self, y_true, y_pred):
        """Return the loss of each query.

        Raises:
            UserError: The arguments are not keys and fewer queries of the same length d.
        """
        shapes = tuple(y_true.shape), tuple(y_pred.shape)
        if not _fit(*shapes):
            raise UserError(
                f"MoCo must be given keys (n + queue_size, d) and queries (n, d); got {shapes[0]} and {shapes[1]}."
            )
        n, queries, keys = tf.shape(y_pred)[0], normalised(y_pred), normalised(tf.stop_gradient(y_true))
        positive = tf.reduce_sum(queries * keys[:n], axis=1, keepdims=True)  # (n, 1)
        negative = tf.matmul(queries, keys[n:], transpose_b=True)  # (n, queue_size)
        logits = tf.concat([positive, negative], axis=1) / self.temperature
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.zeros([n], tf.int32), logits=logits)


def _fit(keys: tuple[int | None, ...], queries: tuple[int | None, ...]) -> bool:
    """Return whether shapes are those of keys, (n + queue_size, d), and queries, (n, d), as far as they are known."""
    if not len(keys) == len(queries) == 2 or keys[1] != queries[1]:
        return False
    return keys[0] is None or queries[0] is None or keys[0] > queries[0]
