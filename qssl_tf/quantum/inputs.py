"""Inputs of a head: checks of shape and type, and how NaN and infinity propagate.

A row with NaN or infinity gives NaN in every mode, as with any layer. Sampling would hide it: shots drawn from NaN
probabilities look like any other shots.
"""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from qssl_tf.errors import UserError, shown
from qssl_tf.quantum.spec import CircuitSpec


def check_shape(shape: Sequence[int | None], spec: CircuitSpec) -> None:
    """Refuse shapes whose rows do not fit the circuit.

    Raises:
        UserError: Fewer than two axes, or a last axis of the wrong length.
    """
    if len(shape) < 2 or shape[-1] not in (None, spec.input_size):
        raise UserError(
            f"a quantum head of width {len(spec.qubits)} with the encoding '{spec.encoding_name}' must be given "
            f"{spec.input_size} numbers a row, shape (n, {spec.input_size}) or with more axes in front; "
            f"got {tuple(shape)}."
        )


def check_inputs(inputs: Any, spec: CircuitSpec) -> None:
    """Refuse anything but an array or tensor of real numbers with a suitable shape.

    Raises:
        UserError: With the actual type or shape.
    """
    shape, dtype = getattr(inputs, "shape", None), getattr(inputs, "dtype", None)
    if shape is None or dtype is None or isinstance(inputs, tf.SparseTensor | tf.RaggedTensor):
        raise UserError(f"a quantum head must be given a dense array or tensor; got {shown(type(inputs).__name__)}.")
    dtype = tf.as_dtype(dtype)
    if not (dtype.is_floating or dtype.is_integer):
        raise UserError(f"a quantum head must be given real numbers; got an array of {dtype.name}.")
    if isinstance(shape, tf.TensorShape) and shape.rank is None:
        raise UserError("a quantum head must be given a tensor of known rank; got one without: use tf.ensure_shape.")
    check_shape(shape, spec)


def mask_nonfinite(inputs: tf.Tensor, angles: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Replace angles and weights that are not finite, and return the offset that turns their expectations into NaN.

    Args:
        inputs: The encoder's outputs, float32, shape (n, input_size).
        angles: The encoding's angles for them, shape (n, input symbols).
        weights: Shape (weights,).

    Returns:
        Angles and weights with 0 in place of NaN and infinity, and an offset of 0 or NaN for each row, shape (n, 1).
        Adding the offset, rather than selecting rows, makes gradients NaN as well.
    """
    finite_rows = tf.reduce_all(tf.math.is_finite(inputs), 1) & tf.reduce_all(tf.math.is_finite(angles), 1)
    is_finite = finite_rows & tf.reduce_all(tf.math.is_finite(weights))
    nan_offset = tf.where(is_finite, 0.0, math.nan)[:, tf.newaxis]
    return _zero_if_nonfinite(angles), _zero_if_nonfinite(weights), nan_offset


def _zero_if_nonfinite(numbers: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_finite(numbers), numbers, 0.0)


def wrapped_angles(angles: tf.Tensor) -> tf.Tensor:
    """Return equivalent angles in radians, wrapped to [-2 pi, 2 pi] if they were beyond 4 pi.

    TFQ converts an angle to a float32 multiple of pi, so its error grows with the angle: 3e-4 at 1,000.
    """
    half = angles / 2
    return tf.where(tf.abs(angles) <= 4 * math.pi, angles, 2 * tf.atan2(tf.sin(half), tf.cos(half)))
