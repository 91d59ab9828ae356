"""SimCLR as a Keras model: encoder, head and projector, with a training step on pairs of views."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from qssl_tf.distributed.replicas import gather, replica_count, stacked_views
from qssl_tf.errors import UserError, reason, shown
from qssl_tf.models.losses import contrastive_accuracy
from qssl_tf.xla import within_xla


@keras.saving.register_keras_serializable(package="qssl_tf")
class SimCLR(keras.Model):
    """Contrastive learning model (arXiv:2002.05709) with an exchangeable head (arXiv:2103.14653, Fig. 1).

    `call(images)` returns embeddings z, shape (n, d), for the loss; `features(images)` returns the outputs of the head,
    shape (n, features), on which probes are trained. Images are float32 in [0, 1], shape (n, height, width, channels).

    Parts may compute in bfloat16 or float16, each by its own dtype policy; loss and logs are float32.

    Compile it with an optimizer and `NTXent`, and fit it on pairs (view_a, view_b), also as `validation_data`; labels,
    sample weights and further metrics are refused. Batch statistics are computed per view. The logs hold `loss` and
    `contrastive_accuracy` (top-1): means over the epoch so far, as in Keras, or of each step if `step_logs` is True.

    Built in the scope of a `tf.distribute` strategy, it learns from the global batch: replicas share the pairs and
    exchange embeddings and batch statistics, and the step equals that of a single replica with all pairs.

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

    Raises:
        UserError: A part is not a layer or does not accept its input, or the encoder's image shape is unknown.
    """

    def __init__(self, encoder: keras.Model, head: layers.Layer, projector: keras.Model, **kwargs: Any):
        """Store the three parts."""
        images = _image_shape(encoder)
        super().__init__(**kwargs)
        self.encoder, self.head, self.projector = encoder, head, projector
        self.loss_mean = keras.metrics.Mean(name="loss")
        self.accuracy_mean = keras.metrics.Mean(name="contrastive_accuracy")
        self.step_logs = False
        self._compiled_encoder: Callable[[tf.Tensor], tf.Tensor] | None = None
        self.make_views: Callable[..., tuple[tf.Tensor, tf.Tensor]] | None = None  # of what is fitted, in the step
        # XLA makes the encoder's step several times slower on CPU, and TFQ has no XLA kernels.
        self.supports_jit = False
        self.build((None, *images))

    def build(self, input_shape):
        """Build head and projector on the outputs of the parts before them; the encoder is built already."""
        angles = self.encoder.output_shape
        features = _build_part("head", self.head, angles)
        _build_part("projector", self.projector, features)
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
        """Return an uncompiled model that shares the three parts, to save or load weights without the optimizer."""
        return SimCLR(self.encoder, self.head, self.projector, name=self.name)

    def call(self, images, training=False):
        """Return the embeddings of `images`, shape (n, d)."""
        return self.projector(self.features(images, training), training=training)

    @property
    def metrics(self):
        """The metrics that Keras resets at the start of each epoch."""
        return [self.loss_mean, self.accuracy_mean]

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
            view_a, view_b = self._pair(data)
            with tf.GradientTape() as tape:
                z_a, z_b = self._embeddings(view_a, view_b, training=True)
                loss = self.compute_loss(y=z_a, y_pred=z_b)  # divided by the number of replicas in Keras
                scaled_loss = self.optimizer.scale_loss(loss)
            gradients = tape.gradient(scaled_loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        if self.step_logs:
            for metric in self.metrics:  # inside the step, since a reset outside would cost workers a message each
                metric.reset_state()
        return self._log(loss, z_a, z_b)

    def test_step(self, data):
        """Return loss and contrastive accuracy of a pair of views without training."""
        with within_xla(self.jit_compile):
            view_a, view_b = self._pair(data)
            z_a, z_b = self._embeddings(view_a, view_b, training=False)
        return self._log(self.compute_loss(y=z_a, y_pred=z_b), z_a, z_b)

    def _pair(self, data: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the two views of a batch.

        Raises:
            UserError: The data are not a pair of views or have sample weights, or the model was compiled with metrics.
        """
        view_a, view_b, weight = keras.utils.unpack_x_y_sample_weight(data)
        if self.make_views is not None:
            view_a, view_b = self.make_views(view_a, view_b)
        if weight is not None:
            raise UserError("SimCLR weighs all images alike; leave `sample_weight` out.")
        if getattr(self, "_compile_metrics", None) is not None:  # without Keras's private name they are only ignored
            raise UserError("SimCLR has metrics of its own and no labels; leave `metrics` out of `compile`.")
        shapes = [getattr(view, "shape", None) for view in (view_a, view_b)]
        expected_shape = tf.TensorShape(self.encoder.input_shape)
        if not all(shape is not None and expected_shape.is_compatible_with(shape) for shape in shapes):
            raise UserError(
                f"SimCLR must be given pairs (view_a, view_b), each of shape {('n', *self.encoder.input_shape[1:])}; "
                f"got {' and '.join(_shape_of(view) for view in (view_a, view_b))}. It takes no labels."
            )
        return view_a, view_b

    def _embeddings(self, view_a: tf.Tensor, view_b: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the embeddings of both views of the global batch, (replicas * n, d) each, for n local pairs."""
        if replica_count() == 1:
            return self(view_a, training=training), self(view_b, training=training)
        with stacked_views(2):  # one forward pass for both views halves the messages of batch norm
            z = self(tf.concat([view_a, view_b], axis=0), training=training)  # (2 * n, d)
        both_views = gather(tf.concat(tf.split(z, 2), axis=1))  # (replicas * n, 2 * d)
        return tuple(tf.split(both_views, 2, axis=1))

    def _log(self, loss: tf.Tensor, z_a: tf.Tensor, z_b: tf.Tensor) -> dict[str, tf.Tensor]:
        self.loss_mean.update_state(loss * replica_count())  # undo Keras's division by the number of replicas
        self.accuracy_mean.update_state(contrastive_accuracy(z_a, z_b))
        logs = {metric.name: metric.result() for metric in self.metrics}
        # With several workers, Keras averages over the first axis.
        return logs if replica_count() == 1 else {name: value[tf.newaxis] for name, value in logs.items()}

    def get_config(self):
        """Return the three parts, serialized."""
        parts = {"encoder": self.encoder, "head": self.head, "projector": self.projector}
        serialized = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {"name": self.name, **serialized}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Rebuild the three parts and the model."""
        parts = {
            name: keras.saving.deserialize_keras_object(config.pop(name), custom_objects)
            for name in ("encoder", "head", "projector")
        }
        return cls(**parts, **config)


def _shape_of(view: Any) -> str:
    shape = getattr(view, "shape", None)
    return f"a {type(view).__name__}" if shape is None else f"shape {('n', *shape[1:])}"


def _image_shape(encoder: Any) -> tuple[int | None, ...]:
    """Return height, width and channels of an encoder's images.

    Raises:
        UserError: It is not a model with one input of known shape and one output.
    """
    shapes: list[Any] = [getattr(encoder, name, None) for name in ("input_shape", "output_shape")]
    if not all(isinstance(shape, tuple) and shape and not isinstance(shape[0], tuple) for shape in shapes):
        raise UserError(
            "`encoder` must be a Keras model with one output that knows the shape of its images, as one that begins "
            f"with keras.Input; got {shown(encoder)}. Others become one by keras.Model(images, encoder(images))."
        )
    return shapes[0][1:]


def _build_part(name: str, part: Any, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """Build a part for an input shape, unless it is built, and return its output shape.

    Raises:
        UserError: It is not a layer, or does not accept that shape.
    """
    if not isinstance(part, layers.Layer):
        raise UserError(f"`{name}` must be a Keras layer or model; got {shown(part)}.")
    accepted_shape = getattr(part, "input_shape", input_shape)
    try:
        if not tf.TensorShape(accepted_shape).is_compatible_with(input_shape):
            raise ValueError(f"it takes {accepted_shape}")
        try:
            shape = part.compute_output_shape(input_shape)
        except NotImplementedError:  # a custom layer without this method: let Keras infer the shape by a call
            return part(keras.KerasTensor(input_shape)).shape
        if not part.built:
            part.build(input_shape)
        return shape
    except (ValueError, TypeError) as error:
        why = reason(error)
        raise UserError(f"`{name}` must take what the part before it gives, shape {input_shape}: {why}.") from error
