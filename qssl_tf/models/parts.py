"""Checks of what a SimCLR model is made of and fitted on, by shape."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from qssl_tf.errors import UserError, reason, shown

KINDS = {"target": "TargetNetwork", "queue": "Queue"}


def shape_of(view: Any) -> str:
    """Return the shape of a batch, as a message tells it."""
    shape = getattr(view, "shape", None)
    return f"a {type(view).__name__}" if shape is None else f"shape {('n', *shape[1:])}"


def image_shape(encoder: Any) -> tuple[int | None, ...]:
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


def build_part(name: str, part: Any, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
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


def check_extras(
    images: tuple[int | None, ...], embeddings: tuple[int | None, ...], predictor: Any, target: Any, queue: Any
) -> None:
    """Build the parts that some losses need; None stands for a part that is not there.

    Args:
        images: Shape of the images.
        embeddings: Shape of what the trained network makes of them.
        predictor: Layer from embeddings to embeddings.
        target: Layer from images to embeddings.
        queue: Layer that holds embeddings of the target.

    Raises:
        UserError: One is of another kind or has another shape, or there is a queue without a target.
    """
    for name, part, takes in (("predictor", predictor, embeddings), ("target", target, images)):
        gives = embeddings if part is None else build_part(name, part, takes)
        if tuple(gives[1:]) != tuple(embeddings[1:]):
            raise UserError(f"`{name}` must give embeddings like the projector's, shape {embeddings}; got {gives}.")
    for name, part, method in (("target", target, "follow"), ("queue", queue, "push")):
        if part is not None and not hasattr(part, method):
            raise UserError(f"`{name}` must be a {KINDS[name]} of qssl_tf; got {shown(part)}.")
    if queue is not None and target is None:
        raise UserError("`queue` holds embeddings of a target network; give a `target` beside it.")
    if queue is not None and not queue.built:
        queue.build(embeddings)
        queue.built = True
