"""Training on batches whose activations do not fit into memory, with the gradient of the whole batch.

Gradient caching (arXiv:2101.06983): the encoder passes over a batch chunk by chunk and keeps nothing but its outputs;
head, projector and loss see all rows at once and give the gradient of these outputs; then each chunk passes the encoder
again, and its gradient is added to the others'.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import keras
import tensorflow as tf

from qssl_tf.commands import argument
from qssl_tf.distributed.replicas import replica_count
from qssl_tf.errors import UserError
from qssl_tf.models.batch_norm import BATCH_STATISTICS, has_batch_norm, running_statistics
from qssl_tf.models.batches import Views
from qssl_tf.models.blocks import blocks_of

Result = TypeVar("Result")


@dataclass
class Kept:
    """What the layers of an encoder held, for a second pass over the same rows.

    Attributes:
        state: All their numbers that are no weights, before the first pass.
        statistics: The floating ones among them, before each view and at the end.
    """

    state: list[tf.Tensor]
    statistics: list[list[tf.Tensor]] = field(default_factory=list)


class GradientCache:
    """An encoder that passes over a batch in chunks, and its gradient.

    Both passes see the same: what layers keep between calls (statistics of batch norm, seeds of dropout) is put back in
    between. A chunk is to batch norm what a replica with local statistics is: it is normalised on its own, and the
    running statistics move once a view, by the mean over the chunks.

    Args:
        encoder: Model from images to angles, built.
        chunk_size: Rows of a view that pass at a time; None takes all.
        recompute_blocks: Keep only what passes between blocks of the encoder, see `blocks.blocks_of`, and compute the
            activations within a block again where its gradient is due.

    Raises:
        UserError: The encoder cannot be split into blocks.
    """

    def __init__(self, encoder: keras.Model, chunk_size: int | None, recompute_blocks: bool):
        """Split the encoder."""
        self.encoder, self.chunk_size = encoder, chunk_size
        self.blocks = blocks_of(encoder) if recompute_blocks else [encoder]
        self.statistics = running_statistics(encoder)

    def angles(self, views: Sequence[tf.Tensor]) -> tuple[list[tf.Tensor], Kept]:
        """Return the angles of each view, shape (n, width), and what `gradients` needs to pass over them again."""
        kept = Kept(_values(self.encoder.non_trainable_variables))
        angles: list[tf.Tensor] = []
        for view in views:
            kept.statistics.append(_values(self.statistics))
            with tf.control_dependencies(angles[-1:]):  # one view at a time
                angles.append(self._angles_of(view, kept.statistics[-1]))
        kept.statistics.append(_values(self.statistics))
        return angles, kept

    def _angles_of(self, view: tf.Tensor, statistics: list[tf.Tensor]) -> tf.Tensor:
        def of_chunk(chunk: tf.Tensor) -> list[tf.Tensor]:
            _assign(self.statistics, statistics)
            return [self.encoder(chunk, training=True), *_values(self.statistics)]

        outputs = self.encoder.compute_output_spec(keras.KerasTensor(self.encoder.input_shape), training=True)
        kinds = [(outputs.shape, outputs.dtype), *((value.shape, value.dtype) for value in statistics)]
        signature = [tf.TensorSpec(*kind) for kind in kinds]
        found, *moved = tf.map_fn(of_chunk, self._chunks(view), parallel_iterations=1, fn_output_signature=signature)
        _assign(self.statistics, [tf.reduce_mean(each, 0) for each in moved])
        return tf.reshape(found, (-1, *self.encoder.output_shape[1:]))

    def differentiate(
        self,
        loss_of_angles: Callable[[Views], tuple[tf.Tensor, Result]],
        views: Views,
        variables: Sequence[keras.Variable],
    ) -> tuple[Result, list[tf.Tensor]]:
        """Differentiate a loss of the encoder's outputs, without keeping the encoder's activations.

        Args:
            loss_of_angles: Function of the angles of each view, shape (n, width) each, with the loss and whatever else
                is to be returned.
            views: Images of each view, of the encoder's input shape.
            variables: All trainable variables that the loss depends on, those of the encoder among them.

        Returns:
            What `loss_of_angles` gave beside the loss, and the gradient for each of `variables`.
        """
        of_encoder = self.encoder.trainable_variables
        ids = {id(variable) for variable in of_encoder}
        behind = [variable for variable in variables if id(variable) not in ids]
        angles, kept = self.angles(views)
        with tf.GradientTape() as tape:
            tape.watch(angles)
            loss, result = loss_of_angles(tuple(angles))
        by_angles, by_behind = tape.gradient(loss, [angles, behind])
        gradients = [*self.gradients(views, by_angles, kept), *by_behind]
        by_variable = {id(variable): each for variable, each in zip([*of_encoder, *behind], gradients, strict=True)}
        return result, [by_variable[id(variable)] for variable in variables]

    def gradients(self, views: Sequence[tf.Tensor], angle_gradients: Sequence[tf.Tensor], kept: Kept) -> list:
        """Return the gradient of each trainable variable of the encoder, over all chunks of all views.

        Args:
            views: Those of `angles`.
            angle_gradients: The gradient of the loss with respect to the angles, for each view.
            kept: From `angles`.
        """
        with tf.control_dependencies(angle_gradients):
            _assign(self.encoder.non_trainable_variables, kept.state)
            sums = [tf.zeros(variable.shape, variable.dtype) for variable in self.encoder.trainable_variables]
        for view, upstream, statistics in zip(views, angle_gradients, kept.statistics, strict=False):
            sums = self._added(sums, self._chunks(view), self._chunks(upstream), statistics)
        _assign(self.statistics, kept.statistics[-1])
        return sums

    def _added(self, sums: list, chunks: tf.Tensor, upstream: tf.Tensor, statistics: list[tf.Tensor]) -> list:
        variables = self.encoder.trainable_variables

        def add(index: tf.Tensor, *sums: tf.Tensor) -> tuple[tf.Tensor, ...]:
            _assign(self.statistics, statistics)
            with tf.GradientTape() as tape:
                x = chunks[index]
                for block in self.blocks:
                    x = block(x, training=True) if len(self.blocks) == 1 else _recomputed(block)(x)
            found = tape.gradient(x, variables, upstream[index], unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return index + 1, *(total + part for total, part in zip(sums, found, strict=True))

        count = tf.shape(chunks)[0]
        return list(tf.while_loop(lambda index, *_: index < count, add, (0, *sums), parallel_iterations=1)[1:])

    def _chunks(self, rows: tf.Tensor) -> tf.Tensor:
        """Return rows as chunks, shape (chunks, chunk_size, ...)."""
        shape = (1, -1) if self.chunk_size is None else (-1, self.chunk_size)
        return tf.reshape(rows, (*shape, *rows.shape[1:]))


def _recomputed(block: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a block whose activations are computed again for its gradient, from the state it had before."""
    before: list[list[tf.Tensor]] = []

    def call(x: tf.Tensor) -> tf.Tensor:
        if before:
            _assign(block.non_trainable_variables, before[0])
        else:
            before.append(_values(block.non_trainable_variables))
        return block(x, training=True)

    return tf.recompute_grad(call)


def _values(variables: Sequence[keras.Variable]) -> list[tf.Tensor]:
    return [tf.identity(tf.convert_to_tensor(variable)) for variable in variables]


def _assign(variables: Sequence[keras.Variable], values: Sequence[tf.Tensor]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def refuse_chunks(
    encoder: keras.Model, rows: int | None, chunk_size: int | None, recompute_blocks: bool, batch_statistics: str
) -> None:
    """Refuse chunks that do not make up a replica's rows, or would change what batch norm normalises unasked.

    Args:
        encoder: Model from images to angles.
        rows: Images of a view that this replica has; None where they are not known.
        chunk_size: As `GradientCache`.
        recompute_blocks: As `GradientCache`.
        batch_statistics: Of the model.

    Raises:
        UserError: With what can be taken instead.
    """
    replicas, strategy = replica_count(), tf.distribute.get_strategy()
    replicas = max(replicas, strategy.num_replicas_in_sync)
    if recompute_blocks and replicas > 1:
        raise UserError(
            f"{argument('recompute_blocks', True)} is for one device; got a strategy with {replicas} replicas; take "
            f"{argument('chunk_size')} with {argument('batch_statistics', 'local')} there."
        )
    if chunk_size is None:
        return
    if rows is None or rows % chunk_size:
        raise UserError(
            f"{argument('chunk_size')} must divide the images of a view that a replica has, "
            f"{'an unknown number' if rows is None else rows}; got {chunk_size}."
        )
    together = BATCH_STATISTICS[batch_statistics] or not has_batch_norm(encoder) or (chunk_size, replicas) == (rows, 1)
    if not together:
        raise UserError(
            f"{argument('chunk_size', chunk_size)} would normalise each chunk on its own, and "
            f"{argument('batch_statistics')} is global; take {argument('batch_statistics', 'local')}, or "
            f"{argument('recompute_blocks', True)} without chunks, whose gradient is that of the whole batch."
        )
