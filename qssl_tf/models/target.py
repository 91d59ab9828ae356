"""The target network of BYOL, MoCo's momentum encoder: an exponential moving average (EMA) of the trained network."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from qssl_tf.config import checked
from qssl_tf.distributed.replicas import borrowed_statistics
from qssl_tf.models.parts import build_part


@keras.saving.register_keras_serializable(package="qssl_tf")
class TargetNetwork(layers.Layer):
    """Encoder, head and projector whose weights are the EMA of the trained ones (arXiv:1911.05722, Eq. 2).

    `call(images)` returns embeddings, shape (n, d). Running statistics of batch norm follow like weights and normalise
    in inference (arXiv:2101.08482). In training, the package's batch norms take the statistics of the rows at hand, as
    in BYOL, and keep nothing of them; batch norms of other classes stay with the running ones.

    Args:
        encoder: Like the trained one, but layers of its own.
        head: Likewise. A head with shots draws others than the trained one, if it has another seed.
        projector: Likewise.
        target_rate: EMA momentum: part of each weight that is kept in a step, in [0, 1).

    Raises:
        UserError: The rate is not a number in [0, 1).
    """

    def __init__(
        self,
        encoder: keras.Model,
        head: layers.Layer,
        projector: keras.Model,
        target_rate: float = 0.9,
        **kwargs: Any,
    ):
        """Store the parts and the rate."""
        kwargs.pop("trainable", None)  # it is never
        super().__init__(**kwargs)
        self.encoder, self.head, self.projector = encoder, head, projector
        self.target_rate = checked("target_rate", target_rate)
        self.supports_jit = False
        self.trainable = False

    def build(self, input_shape):
        """Build head and projector on the outputs of the parts before them; the encoder is built already."""
        features = build_part("target.head", self.head, self.encoder.output_shape)
        build_part("target.projector", self.projector, features)
        self.trainable = False  # parts that were built last are told so too
        self.built = True

    def compute_output_shape(self, input_shape):
        """Return the shape of the embeddings, (n, d)."""
        features = build_part("target.head", self.head, self.encoder.output_shape)
        return (input_shape[0], *build_part("target.projector", self.projector, features)[1:])

    def call(self, inputs, training: bool = False, chunk_size: int | None = None):
        """Return the embeddings of images, shape (n, d).

        Args:
            inputs: Images, shape (n, height, width, channels).
            training: Whether batch norms take the statistics of these images.
            chunk_size: Images that pass the encoder at a time, as those of the trained one do; None takes all.
        """
        with borrowed_statistics(training):
            angles = self.encoder(inputs, training=False) if chunk_size is None else self._chunked(inputs, chunk_size)
            return self.projector(self.head(angles, training=False), training=False)

    def _chunked(self, images: tf.Tensor, chunk_size: int) -> tf.Tensor:
        chunks = tf.reshape(images, (-1, chunk_size, *images.shape[1:]))
        width, dtype = self.encoder.output_shape[1:], self.encoder.outputs[0].dtype
        signature = tf.TensorSpec((chunk_size, *width), dtype)
        angles = tf.map_fn(
            lambda chunk: self.encoder(chunk, training=False),
            chunks,
            parallel_iterations=1,
            fn_output_signature=signature,
        )
        return tf.reshape(angles, (-1, *width))

    def start_at(self, parts: Sequence[layers.Layer]) -> None:
        """Take over the weights of the trained encoder, head and projector as they are."""
        for mine, its in self._pairs(parts):
            mine.assign(its)

    def follow(self, parts: Sequence[layers.Layer]) -> None:
        """Move towards the trained encoder, head and projector; alike on all replicas, whose weights are equal."""
        for mine, its in self._pairs(parts):
            moved = self.target_rate * tf.cast(mine, tf.float32) + (1 - self.target_rate) * tf.cast(its, tf.float32)
            mine.assign(tf.cast(moved, mine.dtype))

    def _pairs(self, parts: Sequence[layers.Layer]) -> list[tuple[keras.Variable, keras.Variable]]:
        """Return each floating weight or statistic of this network beside that of the trained one."""
        mine = [weight for part in (self.encoder, self.head, self.projector) for weight in part.weights]
        its = [weight for part in parts for weight in part.weights]
        return [pair for pair in zip(mine, its, strict=True) if tf.as_dtype(pair[0].dtype).is_floating]

    def get_config(self):
        """Return the three parts, serialized, and the rate."""
        names = ("encoder", "head", "projector")
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names}
        return {"name": self.name, "dtype": self.dtype_policy.name, **parts, "target_rate": self.target_rate}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Rebuild the three parts and the network."""
        names = ("encoder", "head", "projector")
        parts = {name: keras.saving.deserialize_keras_object(config.pop(name), custom_objects) for name in names}
        return cls(**parts, **config)
