"""What a head takes: real numbers with a row's length on the last axis, and what becomes of those that are not finite.

A row with NaN or infinity gives NaN, everywhere and in every mode, as with any layer. Left alone, sampled shots would
not: outcomes drawn from chances that are no numbers are outcomes like any other.
"""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from qssl_tf.errors import UserError, shown
from qssl_tf.quantum.spec import CircuitSpec


def check_shape(shape: Sequence[int | None], spec: CircuitSpec) -> None:
    """Refuse shapes that have no rows for a circuit.

    Raises:
        UserError: Fewer than two axes, or a last one of another length.
    """
    if len(shape) < 2 or shape[-1] not in (None, spec.features):
        raise UserError(
            f"a quantum head of width {len(spec.qubits)} with the encoding '{spec.encoding_name}' must be given "
            f"{spec.features} numbers a row, shape (n, {spec.features}) or with more axes in front; got {tuple(shape)}."
        )


def check_inputs(inputs: Any, spec: CircuitSpec) -> None:
    """Refuse what is no array or tensor of real numbers of a fitting shape.

    Raises:
        UserError: It says what was given.
    """
    shape, kind = getattr(inputs, "shape", None), getattr(inputs, "dtype", None)
    if shape is None or kind is None or isinstance(inputs, tf.SparseTensor | tf.RaggedTensor):
        raise UserError(f"a quantum head must be given a dense array or tensor; got {shown(type(inputs).__name__)}.")
    kind = tf.as_dtype(kind)
    if not (kind.is_floating or kind.is_integer):
        raise UserError(f"a quantum head must be given real numbers; got an array of {kind.name}.")
    if isinstance(shape, tf.TensorShape) and shape.rank is None:
        raise UserError("a quantum head must be given a tensor of known rank; got one without: use tf.ensure_shape.")
    check_shape(shape, spec)


def finite(features: tf.Tensor, angles: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return angles and weights that are finite, and what must be added to the expectations for those that were not.

    Args:
        features: The encoder's numbers, float32, shape (n, features).
        angles: What the encoding makes of them, shape (n, input symbols).
        weights: Shape (weights,).

    Returns:
        Angles and weights with 0 for what is not finite, and 0 or NaN for each row, shape (n, 1). Added rather than
        chosen, NaN reaches gradients as well.
    """
    rows = tf.reduce_all(tf.math.is_finite(features), 1) & tf.reduce_all(tf.math.is_finite(angles), 1)
    whole = rows & tf.reduce_all(tf.math.is_finite(weights))
    mark = tf.where(whole, 0.0, math.nan)[:, tf.newaxis]
    return _or_zero(angles), _or_zero(weights), mark


def _or_zero(numbers: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_finite(numbers), numbers, 0.0)


def folded(angles: tf.Tensor) -> tf.Tensor:
    """Return angles that mean the same rotations, in radians from -2 pi to 2 pi where they were beyond 4 pi.

    TFQ turns an angle into a multiple of pi, rounded to float32: its error grows with the angle, 3e-4 at 1,000.
    """
    half = angles / 2
    return tf.where(tf.abs(angles) <= 4 * math.pi, angles, 2 * tf.atan2(tf.sin(half), tf.cos(half)))
