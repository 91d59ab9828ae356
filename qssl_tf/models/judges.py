"""Metrics of a step beside its loss: contrastive accuracy, figures of collapse, and the accuracy of an online probe."""

from typing import Any

import tensorflow as tf

from qssl_tf.models.batches import Batch, Outputs
from qssl_tf.models.collapse import effective_rank, relative_std
from qssl_tf.models.online_probe import OnlineProbe
from qssl_tf.objectives.contrastive import contrastive_accuracy

Figures = dict[str, tf.Tensor]


def positives_nearest(outputs: Outputs, batch: Batch, loss: Any) -> tf.Tensor:
    """Return for each view whether its positive is the nearest of all others, 0 or 1, shape (2 * replicas * n,).

    Args:
        outputs: What the trained network made of the batch.
        batch: The batch.
        loss: Of the model; where it has `exact_logits`, these take the place of cosines.
    """
    z_a, z_b = (*outputs.embeddings, *batch.targets)[:2]  # a query and its key where there is a queue
    return contrastive_accuracy(z_a, z_b, getattr(loss, "exact_logits", None))


def judged(outputs: Outputs, batch: Batch, probe: OnlineProbe | None) -> Figures:
    """Return the figures of a step by name, alike on all replicas; the probe learns from it.

    Args:
        outputs: What the trained network made of the batch.
        batch: The batch.
        probe: The linear classifier; None if there is none, or the batch has no labels.
    """
    embeddings = tf.stop_gradient(tf.concat(outputs.embeddings, axis=0))
    figures = {"embedding_std": relative_std(embeddings), "effective_rank": effective_rank(embeddings)}
    if probe is not None and batch.labels is not None:
        figures["online_accuracy"] = probe.step(outputs.features, batch.labels)
    return figures
