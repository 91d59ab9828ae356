"""The training function of a worker, which keeps what a step logs to itself."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf


def has_workers(strategy: tf.distribute.Strategy) -> bool:
    """Return whether replicas of a strategy run in other processes too."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def worker_step(model: keras.Model) -> Callable[[Iterator[Any]], dict[str, tf.Tensor]]:
    """Return a function from batches to the logs of a step on the next one, those of the first replica here.

    Keras sums each number that a metric keeps over workers, and averages each logged one, by two messages: eight a step
    for loss and accuracy, where embeddings and gradients take two (docs/scaling.md). None is needed where
    all replicas log the same.

    Args:
        model: Its `train_step` logs the same numbers on all replicas.
    """
    strategy = model.distribute_strategy

    @tf.function(autograph=False, jit_compile=model.jit_compile)
    def step(batch: Any) -> dict[str, tf.Tensor]:
        logs = strategy.run(model.train_step, args=(batch,))
        return {name: strategy.experimental_local_results(value)[0] for name, value in logs.items()}

    return lambda batches: step(next(batches))
