"""What is judged of a step beside its loss: whether embeddings collapse, and what a linear classifier makes of them."""

import tensorflow as tf

from qssl_tf.models.batches import Batch, Outputs
from qssl_tf.models.collapse import effective_rank, relative_std
from qssl_tf.models.online_probe import OnlineProbe

Figures = dict[str, tf.Tensor]


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
