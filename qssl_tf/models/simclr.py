"""SimCLR as a Keras model: encoder, head and projector, with a training step on pairs of views."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from qssl_tf.config import checked
from qssl_tf.distributed.replicas import gather_each, local_statistics, replica_count
from qssl_tf.distributed.worker_step import has_workers, worker_step
from qssl_tf.errors import UserError
from qssl_tf.models.batch_norm import BATCH_STATISTICS, average_statistics
from qssl_tf.models.batches import Batch, Network, Outputs, Views, loss_arguments, outputs, unpack
from qssl_tf.models.gradient_cache import GradientCache, refuse_chunks
from qssl_tf.models.judges import Figures, judged, positives_nearest
from qssl_tf.models.online_probe import OnlineProbe
from qssl_tf.models.parts import build_part, check_extras, image_shape
from qssl_tf.models.states import head_states
from qssl_tf.models.target import TargetNetwork
from qssl_tf.objectives.queue import Queue
from qssl_tf.registry import check_word
from qssl_tf.xla import within_xla

PARTS = ("encoder", "head", "projector", "predictor", "target", "queue")


@keras.saving.register_keras_serializable(package="qssl_tf")
class SimCLR(keras.Model):
    """Contrastive learning model (arXiv:2002.05709) with an exchangeable head (arXiv:2103.14653, Fig. 1).

    `call(images)` returns embeddings z, shape (n, d), for the loss; `features(images)` returns the outputs of the head,
    shape (n, features), on which probes are trained. Images are float32 in [0, 1], shape (n, height, width, channels).
    Parts may compute in bfloat16 or float16, each by its own dtype policy; loss and logs are float32.

    Compile it with an optimizer and `NTXent`, or another loss of `objectives` with the parts that it needs, and fit it
    on pairs (view_a, view_b), also as `validation_data`, with integer labels behind them where the loss takes them;
    sample weights and further metrics are refused. Batch statistics are computed per view. The logs hold `loss` and
    `contrastive_accuracy` (top-1): means over the epoch so far, as in Keras, or of each step if `step_logs` is True,
    which then has the figures of `judges` as well.

    Built in the scope of a `tf.distribute` strategy, it learns from the global batch: replicas share the pairs and
    exchange embeddings and batch statistics, and the step equals that of a single replica with all pairs. With
    `batch_statistics="local"`, they exchange embeddings alone: each replica normalises its own rows, as data-parallel
    SimCLR in PyTorch does by default. That is faster, and no longer the step of a single replica. Running statistics
    are then the mean of those of all replicas, after each step.

    With `chunk_size` or `recompute_blocks`, the encoder's activations are not kept but computed again, so that larger
    batches fit into memory; see `gradient_cache`.

    ```python
    data = ImageData.from_arrays(np.random.rand(64, 8, 8, 1))
    settings = Config(width=4, steps=3, batch_size=32)
    model = SimCLR(
        build_encoder("small_cnn", data.image_shape, width=4), QuantumHead(4), build_projector(features=4)
    )
    model.compile("adam", loss=NTXent(0.2))
    pairs = view_pairs(data.train.images, augmentation(settings, data.image_shape), batch_size=32, seed=0, steps=3)
    model.fit(pairs, epochs=1)
    ```

    Args:
        encoder: Model from images to angles, shape (n, width), with a known image shape.
        head: Layer from angles to features.
        projector: Model from features to embeddings.
        batch_statistics: Whose rows batch norm normalises together where replicas share a batch, `global` or `local`.
        chunk_size: Images of a view that pass the encoder at a time in training; None takes all. It needs `local`
            statistics unless the encoder has no batch norm.
        recompute_blocks: Keep only what passes between blocks of the encoder, one view at a time.
        predictor: Layer from embeddings to embeddings, for losses that predict one view from the other.
        target: EMA of encoder, head and projector, which then embeds the other view.
        queue: Keys of earlier batches as negatives; only first views are trained on then. It needs a target.
        overlap_qubits: Qubits of a QuantumHead whose states are the embeddings, for the loss `Fidelity`; () are all.
            None has the projector make them.

    Raises:
        UserError: A part is not a layer or does not accept its input, or the encoder's image shape is unknown.
    """

    def __init__(
        self,
        encoder: keras.Model,
        head: layers.Layer,
        projector: keras.Model,
        batch_statistics: str = "global",
        chunk_size: int | None = None,
        recompute_blocks: bool = False,
        predictor: keras.Model | None = None,
        target: TargetNetwork | None = None,
        queue: Queue | None = None,
        overlap_qubits: Sequence[int] | None = None,
        **kwargs: Any,
    ):
        """Store the parts."""
        images = image_shape(encoder)
        check_word("batch_statistics", checked("batch_statistics", batch_statistics))
        super().__init__(**kwargs)
        self.batch_statistics, self.chunk_size = batch_statistics, checked("chunk_size", chunk_size)
        self.recompute_blocks = checked("recompute_blocks", recompute_blocks)
        self.encoder, self.head, self.projector = encoder, head, projector
        self.predictor, self.target, self.queue = predictor, target, queue
        self.overlap_qubits = None if overlap_qubits is None else checked("overlap_qubits", overlap_qubits)
        self.loss_mean, self.accuracy_mean = map(keras.metrics.Mean, ("loss", "contrastive_accuracy"))
        self.step_logs = False
        self.online_probe: OnlineProbe | None = None  # learns in steps with `step_logs`, from batches with labels
        self._cache: GradientCache | None = None
        self._compiled_encoder: Callable[[tf.Tensor], tf.Tensor] | None = None
        self.make_views: Callable[..., tuple[tf.Tensor, tf.Tensor]] | None = None  # of what is fitted, in the step
        # XLA makes the encoder's step several times slower on CPU, and TFQ has no XLA kernels.
        self.supports_jit = False
        self.build((None, *images))

    def build(self, input_shape):
        """Build head and projector on the outputs of the parts before them; the encoder is built already."""
        angles = self.encoder.output_shape
        features = build_part("head", self.head, angles)
        embeddings = build_part("projector", self.projector, features)
        self._states = None if self.overlap_qubits is None else head_states(self.head, self.overlap_qubits)
        check_extras(self.encoder.input_shape, embeddings, self.predictor, self.target, self.queue)
        self.built = True

    def features(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the head's output for `images`, shape (n, features)."""
        return self.head(self.encoder(images, training=training), training=training)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Do nothing, as all is built; under a strategy, Keras would consume a batch and fail on pairs of views."""

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """Return the encoder's angles in inference mode, shape (n, width), by a compiled function.

        It is traced once for all batch sizes, since TensorFlow warns of retracing if many models share a function, and
        not before it is called: Keras takes every property of a model in turn when it saves weights.
        """
        if self._compiled_encoder is None:
            encoder = self.encoder
            images_spec = tf.TensorSpec((None, *encoder.input_shape[1:]), tf.float32)
            function = tf.function(lambda images: encoder(images, training=False), autograph=False)
            self._compiled_encoder = function.get_concrete_function(images_spec)
        return self._compiled_encoder(images)

    def uncompiled(self) -> "SimCLR":
        """Return an uncompiled model that shares the parts, to save or load weights without the optimizer."""
        return SimCLR(**self._parts(), name=self.name, **self._settings(), **self._overlap_settings())

    def _parts(self) -> dict[str, layers.Layer]:
        """Return the parts that there are, by the constructor's names."""
        return {name: part for name in PARTS if (part := getattr(self, name)) is not None}

    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("batch_statistics", "chunk_size", "recompute_blocks")}

    def _overlap_settings(self) -> dict[str, Any]:
        return {} if self.overlap_qubits is None else {"overlap_qubits": list(self.overlap_qubits)}

    def cache(self) -> GradientCache | None:
        """Return the encoder in chunks or blocks, or None if activations are kept.

        Like `encode`, it is made when it is first asked for.
        """
        if self._cache is None and (self.chunk_size is not None or self.recompute_blocks):
            self._cache = GradientCache(self.encoder, self.chunk_size, self.recompute_blocks)
        return self._cache

    def call(self, images, training=False):
        """Return the embeddings of `images`, shape (n, d)."""
        return self._through(images, training)[1]

    def _through(self, images: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Return features and embeddings of images."""
        return self._embed(self.encoder(images, training=training), training)

    def _embed(self, angles: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Return features and embeddings of what the encoder made of images."""
        features = self.head(angles, training=training)
        return features, self.projector(features, training=training) if self._states is None else self._states(angles)

    @property
    def metrics(self):
        """The metrics that Keras resets at the start of each epoch; none where logs are those of each step."""
        return [] if self.step_logs else [self.loss_mean, self.accuracy_mean]

    def fit(self, *args, class_weight=None, **kwargs):
        """Train on pairs of views, with the arguments of `keras.Model.fit`.

        Raises:
            UserError: The data are not pairs of views, or sample or class weights are given.
        """
        if class_weight is not None:
            raise UserError("SimCLR knows no classes; leave `class_weight` out.")
        if isinstance(args[0] if args else kwargs.get("x"), tf.data.Dataset):
            kwargs.setdefault("shuffle", False)  # avoids Keras's warning that datasets are not shuffled
        return super().fit(*args, **kwargs)

    def train_step(self, data):
        """Take one optimizer step on a pair of views."""
        with within_xla(self.jit_compile):
            batch = self._batch(data, training=True)
            loss, outputs, gradients = self._gradients(batch)
        with average_statistics(self, self.batch_statistics):
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self._follow(batch)
        return self._step_log(loss, outputs, batch) if self.step_logs else self._log(loss, outputs, batch)

    def make_train_function(self, force=False):
        """Make what `fit` calls for each step; workers with `step_logs` have nothing to reduce, see `worker_step`."""
        if not (self.step_logs and has_workers(self.distribute_strategy)):
            super().make_train_function(force)
        elif getattr(self, "train_function", None) is None or force:
            self.train_function = worker_step(self)

    def test_step(self, data):
        """Return loss and contrastive accuracy of a pair of views without training."""
        with within_xla(self.jit_compile):
            batch = self._batch(data, training=False)
            outputs = self._outputs(self._through, batch.views, training=False)
        return self._log(self._loss(outputs, batch), outputs, batch)

    def _batch(self, data: Any, training: bool) -> Batch:
        """Return what the trained network sees of a batch, and what the target network makes of it.

        Raises:
            UserError: The data are not a pair of views or have sample weights, or the model was compiled with metrics.
        """
        if getattr(self, "_compile_metrics", None) is not None:  # without Keras's private name they are only ignored
            raise UserError("SimCLR has metrics of its own and no labels; leave `metrics` out of `compile`.")
        views, labels = unpack(data, self.encoder.input_shape, self.make_views)
        if training and self.cache() is not None:
            refuse_chunks(self.encoder, views[0].shape[0], **self._settings())
        if self.target is None:
            return Batch(views, labels=labels)
        seen = views if self.queue is None else views[:1]
        # Statistics of a batch would tell a query which of all keys are of its batch: running ones do not.
        how = {"training": training and self.queue is None, "chunk_size": self.chunk_size if training else None}
        with local_statistics(BATCH_STATISTICS[self.batch_statistics]):
            targets = [self.target(view, **how) for view in views[::-1][: len(seen)]]
        return Batch(seen, gather_each(targets), labels)

    def _outputs(self, network: Network, rows: Views, training: bool) -> Outputs:
        """Return what the loss needs of the global batch; `network` makes features and embeddings of `rows`."""
        return outputs(network, self.predictor, rows, training, BATCH_STATISTICS[self.batch_statistics])

    def _loss(self, outputs: Outputs, batch: Batch) -> tf.Tensor:
        """Return the loss, which Keras divides by the number of replicas."""
        y_true, y_pred = loss_arguments(outputs, batch, self.queue, getattr(self.loss, "takes_labels", False))
        return self.compute_loss(y=y_true, y_pred=y_pred)

    def _gradients(self, batch: Batch) -> tuple[tf.Tensor, Outputs, list[tf.Tensor]]:
        """Return the loss, what it was taken of, and its gradient for each trainable variable."""

        def forward(network: Network, rows: Views) -> tuple[tf.Tensor, tuple[tf.Tensor, Outputs]]:
            outputs = self._outputs(network, rows, training=True)
            loss = self._loss(outputs, batch)
            return self.optimizer.scale_loss(loss), (loss, outputs)

        cache, variables = self.cache(), self.trainable_variables
        if cache is None:
            with tf.GradientTape() as tape:
                scaled_loss, (loss, outputs) = forward(self._through, batch.views)
            return loss, outputs, tape.gradient(scaled_loss, variables)
        with local_statistics(BATCH_STATISTICS[self.batch_statistics]):
            (loss, outputs), gradients = cache.differentiate(partial(forward, self._embed), batch.views, variables)
        return loss, outputs, gradients

    def _follow(self, batch: Batch) -> None:
        """Move the target network towards the trained one, and put its newest embeddings into the queue."""
        if self.target is not None:
            self.target.follow((self.encoder, self.head, self.projector))
        if self.queue is not None:
            self.queue.push(batch.targets[0])

    def _step_log(self, loss: tf.Tensor, outputs: Outputs, batch: Batch) -> Figures:
        """Return the logs of this step, which all replicas compute alike."""
        accuracy = tf.reduce_mean(positives_nearest(outputs, batch, self.loss))
        # Keras divides the loss by the number of replicas.
        figures = {"loss": loss * replica_count(), "contrastive_accuracy": accuracy}
        return figures | judged(outputs, batch, self.online_probe)

    def _log(self, loss: tf.Tensor, outputs: Outputs, batch: Batch) -> Figures:
        """Return the means over the epoch so far; workers send a message for each number that a metric keeps."""
        self.loss_mean.update_state(loss * replica_count())
        self.accuracy_mean.update_state(positives_nearest(outputs, batch, self.loss))
        logs = {metric.name: metric.result() for metric in self.metrics}
        # With several workers, Keras averages over the first axis.
        return logs if replica_count() == 1 else {name: value[tf.newaxis] for name, value in logs.items()}

    def get_config(self):
        """Return the parts, serialized."""
        serialized = {name: keras.saving.serialize_keras_object(part) for name, part in self._parts().items()}
        return {"name": self.name, **serialized, **self._settings(), **self._overlap_settings()}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Rebuild the parts and the model; files of models without further parts do not name them."""
        serialized = {name: config.pop(name) for name in PARTS if name in config}
        parts = {name: keras.saving.deserialize_keras_object(part, custom_objects) for name, part in serialized.items()}
        return cls(**parts, **config)
