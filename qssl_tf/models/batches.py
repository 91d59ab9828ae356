"""What a step of SimCLR is given: two views of each image, and perhaps labels; and what its loss compares of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from qssl_tf.distributed.replicas import gather, gather_each, local_statistics, replica_count, stacked_views
from qssl_tf.errors import UserError
from qssl_tf.models.parts import shape_of

Views = tuple[tf.Tensor, ...]
Network = Callable[..., tuple[tf.Tensor, tf.Tensor]]  # called with rows and `training`: features and embeddings


@dataclass(frozen=True)
class Batch:
    """One batch of a replica, with what is known of it before the trained network sees it.

    Attributes:
        views: What the trained network sees: both views, or the first alone where there is a queue.
        targets: What the target network makes of the other view of each, of all replicas, shape (replicas * n, d);
            none without a target network.
        labels: Of this replica's images, integers of shape (n,), -1 where unknown; None where batches bring none.
    """

    views: Views
    targets: Views = ()
    labels: tf.Tensor | None = None


@dataclass(frozen=True)
class Outputs:
    """What the trained network makes of the views of the global batch.

    Attributes:
        embeddings: Of each view, shape (replicas * n, d).
        predictions: What the predictor makes of each, likewise; none without one.
        features: What the head makes of each view of this replica, shape (n, features).
    """

    embeddings: Views
    predictions: Views = ()
    features: Views = ()


def unpack(
    data: Any, image_shape: tuple[int | None, ...], make_views: Callable[..., tuple[tf.Tensor, tf.Tensor]] | None
) -> tuple[Views, tf.Tensor | None]:
    """Return both views and the labels, None where there are none, of what Keras hands to a step.

    Args:
        data: (view_a, view_b) or (view_a, view_b, labels), where labels are integers.
        image_shape: The encoder's, with the batch as its first axis.
        make_views: Function that makes both views of the first two of `data`; None if they are views.

    Raises:
        UserError: The data are not pairs of views, or have sample weights, which are fractions.
    """
    view_a, view_b, labels = keras.utils.unpack_x_y_sample_weight(data)
    if labels is not None and not _are_labels(labels):
        raise UserError("SimCLR weighs all images alike; leave `sample_weight` out.")
    if make_views is not None:
        view_a, view_b = make_views(view_a, view_b)
    shapes = [getattr(view, "shape", None) for view in (view_a, view_b)]
    expected_shape = tf.TensorShape(image_shape)
    if not all(shape is not None and expected_shape.is_compatible_with(shape) for shape in shapes):
        raise UserError(
            f"SimCLR must be given pairs (view_a, view_b), each of shape {('n', *image_shape[1:])}; "
            f"got {' and '.join(shape_of(view) for view in (view_a, view_b))}. Labels come third, as integers."
        )
    return (view_a, view_b), labels


def _are_labels(values: Any) -> bool:
    """Return whether the third part of a batch holds labels, integers of shape (n,), and not weights of samples."""
    return tf.as_dtype(values.dtype).is_integer and values.shape.rank == 1


def outputs(
    network: Network,
    predictor: keras.Model | None,
    views: Views,
    training: bool,
    is_local: bool,
) -> Outputs:
    """Return embeddings and predictions of all replicas' views.

    Args:
        network: From views to features and embeddings.
        predictor: From embeddings to embeddings; None if there is none.
        views: What the network takes, n rows each.
        training: Whether layers are in training.
        is_local: Whether batch norms take statistics of this replica's rows alone.
    """

    def of(rows: tf.Tensor) -> Views:
        features, z = network(rows, training=training)
        return (features, z) if predictor is None else (features, z, predictor(z, training=training))

    if is_local or replica_count() == 1:
        with local_statistics(is_local):
            found = [of(view) for view in views]
    else:
        with stacked_views(len(views)):  # one forward pass for both views halves the messages of batch norm
            stacked = of(tf.concat(views, axis=0))
        found = list(zip(*(tf.split(part, len(views)) for part in stacked), strict=True))
    features, *rows = zip(*found, strict=True)  # each of all views
    parts = gather_each([part for each in rows for part in each])
    return Outputs(parts[: len(views)], parts[len(views) :], features)


def loss_arguments(
    outputs: Outputs,
    batch: Batch,
    queue: Callable[[tf.Tensor], tf.Tensor] | None,
    takes_labels: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return what the loss is called with: y_true and y_pred, as the table of `objectives.table.Objective` has them.

    Args:
        outputs: Of the trained network.
        batch: What they were made of.
        queue: Function that adds the negatives to keys, or None.
        takes_labels: Whether the loss compares labels.

    Raises:
        UserError: The loss takes labels, and the batch has none.
    """
    embeddings, predictions = outputs.embeddings, outputs.predictions
    if takes_labels:
        if batch.labels is None:
            raise UserError("the loss takes labels, and batches have none; give (view_a, view_b, labels).")
        rows = gather(tf.cast(batch.labels, tf.float32)[:, tf.newaxis])  # exact up to 2^24
        return tf.cast(rows[:, 0], tf.int32), tf.stack(embeddings, axis=1)
    if not predictions and not batch.targets:
        view_a, view_b = embeddings
        return view_a, view_b
    others = tf.concat([tf.stop_gradient(z) for z in batch.targets or embeddings[::-1]], axis=0)
    return others if queue is None else queue(others), tf.concat(predictions or embeddings, axis=0)
