"""User-defined encoders: any Keras model, registered as a value of the setting `encoder`."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from qssl_tf.arguments import checks_arguments
from qssl_tf.errors import UserError, reason
from qssl_tf.models.encoders import ENCODERS
from qssl_tf.models.initializers import SeedStream
from qssl_tf.models.precision import unchanged_defaults
from qssl_tf.registry import claim, own_code

EncoderFactory = Callable[[tuple[int, int, int]], keras.Model]


@checks_arguments
def register_encoder(name: str) -> Callable[[EncoderFactory], EncoderFactory]:
    """Register a function that returns a Keras model as an encoder, for `build_encoder`, training and searches.

    ```python
    @register_encoder("plain")
    def plain(image_shape):
        return keras.Sequential([
            keras.Input(image_shape), keras.layers.Conv2D(16, 3, activation="relu"), keras.layers.Flatten()
        ])
    ```

    The function gets (height, width, channels). The model takes float32 images of that shape, standardized by channel,
    and returns vectors, shape (n, outputs), or feature maps, shape (n, height, width, channels), which are averaged
    over height and width. The library then adds the compression to angles.

    Keras's random seed is set from that of the run before each call, so equal seeds give equal weights. Layers compute
    as `precision` says unless they have a `dtype` of their own; a function that sets Keras's dtype policy is refused.

    Args:
        name: The new name: lowercase letters, digits and underscores.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        UserError: The name is taken.
    """

    def register(factory: EncoderFactory) -> EncoderFactory:
        claim("encoder", name, ENCODERS)
        ENCODERS[name] = lambda x, seeds: _apply_encoder(name, factory, x, seeds)
        return factory

    return register


def _apply_encoder(name: str, factory: EncoderFactory, x: Any, seeds: SeedStream) -> Any:
    """Apply the user's model to images, and return vectors of shape (n, outputs).

    Raises:
        UserError: It is not a Keras model, does not take the images, or returns something else.
    """
    keras.utils.set_random_seed(seeds.next())
    shape = tuple(x.shape[1:])
    with unchanged_defaults(f"`encoder` '{name}'"), own_code(f"the function of `encoder` '{name}'"):
        model = factory(shape)
    if not isinstance(model, layers.Layer):
        raise UserError(f"`encoder` '{name}' must return a Keras model or layer; got a {type(model).__name__}.")
    try:
        with own_code(f"the model of `encoder` '{name}'"):
            y = model(x)
            _trace_training_step(model, shape)
    except UserError as error:
        if isinstance(error.__cause__, ValueError | TypeError):  # raised by Keras
            raise UserError(
                f"`encoder` '{name}' does not take images of shape {shape}: {reason(error.__cause__)}."
            ) from error.__cause__
        raise
    rank = len(getattr(y, "shape", ()))
    if rank not in (2, 4) or None in y.shape[1:]:
        raise UserError(
            f"`encoder` '{name}' must give features of shape (n, features) or maps of shape (n, height, width, "
            f"channels); got {getattr(y, 'shape', type(y).__name__)}."
        )
    return y if rank == 2 else layers.GlobalAveragePooling2D(name="pool")(y)  # (n, outputs)


def _trace_training_step(model: layers.Layer, image_shape: tuple[int, ...]) -> None:
    """Trace a training step of the model, so that an error which only occurs in training is raised now."""

    def step(images: tf.Tensor) -> list:
        with keras.StatelessScope(), tf.GradientTape() as tape:  # leaves batch statistics unchanged
            outputs = model(images, training=True)
        return tape.gradient(outputs, [variable.value for variable in model.trainable_variables])

    tf.function(step, autograph=False).get_concrete_function(tf.TensorSpec((2, *image_shape), tf.float32))
