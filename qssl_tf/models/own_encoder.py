"""An encoder of the user's own: any Keras model, as a word of the setting `encoder`."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from qssl_tf.arguments import checks_arguments
from qssl_tf.errors import UserError, reason
from qssl_tf.models.encoders import ENCODERS
from qssl_tf.models.initializers import SeedStream
from qssl_tf.registry import claim, own_code

Make = Callable[[tuple[int, int, int]], keras.Model]


@checks_arguments
def register_encoder(name: str) -> Callable[[Make], Make]:
    """Make a function that returns a Keras model an encoder, for `build_encoder`, training and searches.

    ```python
    @register_encoder("plain")
    def plain(image_shape):
        return keras.Sequential([
            keras.Input(image_shape), keras.layers.Conv2D(16, 3, activation="relu"), keras.layers.Flatten()
        ])
    ```

    The function gets height, width and channels. The model takes float32 images of that shape, with the channels'
    means taken off and divided by their deviations, and gives features, shape (n, features), or feature maps, shape
    (n, height, width, channels), whose mean is taken. What follows, the compression to angles, is the library's.

    Keras's random seed is set from the run's before the function is called, so that equal seeds give equal weights.

    Args:
        name: The new word: small letters, digits and underscores.

    Returns:
        A decorator that leaves the function as it is.

    Raises:
        UserError: The name is taken.
    """

    def register(make: Make) -> Make:
        claim("encoder", name, ENCODERS)
        ENCODERS[name] = lambda x, seeds: _features(name, make, x, seeds)
        return make

    return register


def _features(name: str, make: Make, x: Any, seeds: SeedStream) -> Any:
    """Return what the user's model makes of images, shape (n, features).

    Raises:
        UserError: It is no Keras model, does not take the images, or gives something else.
    """
    keras.utils.set_random_seed(seeds.next())
    shape = tuple(x.shape[1:])
    with own_code(f"the function of `encoder` '{name}'"):
        model = make(shape)
    if not isinstance(model, layers.Layer):
        raise UserError(f"`encoder` '{name}' must return a Keras model or layer; got a {type(model).__name__}.")
    try:
        with own_code(f"the model of `encoder` '{name}'"):
            y = model(x)
            _trace_a_step(model, shape)
    except UserError as error:
        if isinstance(error.__cause__, ValueError | TypeError):  # Keras's own
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
    return y if rank == 2 else layers.GlobalAveragePooling2D(name="pool")(y)  # (n, features)


def _trace_a_step(model: layers.Layer, image_shape: tuple[int, ...]) -> None:
    """Trace, not run, the model and its gradient as training does, so that what raises only there is known now."""

    def step(images: tf.Tensor) -> list:
        with keras.StatelessScope(), tf.GradientTape() as tape:  # batch statistics are not moved
            outputs = model(images, training=True)
        return tape.gradient(outputs, [variable.value for variable in model.trainable_variables])

    tf.function(step, autograph=False).get_concrete_function(tf.TensorSpec((2, *image_shape), tf.float32))
