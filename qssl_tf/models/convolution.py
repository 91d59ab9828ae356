"""Convolution with PyTorch's padding that skips kernel taps which only ever meet padding."""

from typing import Any

import keras
import tensorflow as tf

from qssl_tf.errors import UserError


# Named like its parent, since Keras names weights in checkpoints after the class: either class can load the other's.
@keras.saving.register_keras_serializable(package="qssl_tf")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` without bias, padded by half a kernel on every side, as is usual in PyTorch.

    Keras's "same" pads only the right and bottom sides if the stride is 2 and the number of pixels even. If the output
    is a single pixel, as in the last stage of a ResNet on 32 x 32 pixels, most of the kernel lies on padding, and the
    rest is computed as a matrix product. This makes the ResNet-18 step 1.3 times as fast on two cores
    (docs/benchmarks.md), with the same values and gradients.

    Input: shape (n, height, width, channels). Output: shape (n, ceil(height / stride), ceil(width / stride), filters).
    Both are of the policy's compute dtype.

    Args:
        filters: Output channels.
        kernel_size: Side of the square kernel in pixels; odd.
        strides: Stride in pixels, the same in both directions.
        **kwargs: Arguments of the parent; `padding` is always "same" and `use_bias` False.

    Raises:
        UserError: The kernel is even or not square.
    """

    def __init__(self, filters: int, kernel_size: Any, strides: Any = 1, **kwargs: Any):
        """Store the geometry."""
        super().__init__(filters, kernel_size, strides, **(kwargs | {"padding": "same", "use_bias": False}))
        if len({*self.kernel_size}) > 1 or self.kernel_size[0] % 2 == 0 or len({*self.strides}) > 1:
            raise UserError(
                f"`kernel_size` must be odd, and both it and `strides` square; got {self.kernel_size} and "
                f"{self.strides}. Take keras.layers.Conv2D for others."
            )

    def build(self, input_shape):
        """Create the kernel, and store in `kernel.active_taps` which of its rows and columns ever meet a pixel."""
        super().build(input_shape)
        self.kernel.active_taps = None
        if self.compute_output_shape(input_shape)[1:3] == (1, 1):  # the window's centre is the first pixel
            half = self.kernel_size[0] // 2
            self.kernel.active_taps = tuple(slice(half, half + min(size, half + 1)) for size in input_shape[1:3])

    def call(self, inputs):
        """Return the convolved images."""
        stride, half = self.strides[0], self.kernel_size[0] // 2
        if self.kernel.active_taps:
            return self._single_pixel(inputs, half)
        if stride > 1 and half:  # explicit padding, since the gradient of the kernel's own asymmetric padding is slow
            inputs = tf.pad(inputs, [[0, 0], [half, half], [half, half], [0, 0]])
            return tf.nn.conv2d(inputs, self.kernel, stride, "VALID")
        return tf.nn.conv2d(inputs, self.kernel, stride, "SAME")

    def _single_pixel(self, inputs, half: int):
        """Return the output of the only window, as a matrix product over the pixels under the kernel."""
        window = inputs[:, : half + 1, : half + 1]
        height, width, channels = window.shape[1:]
        taps = self.kernel[self.kernel.active_taps]
        pixels = tf.reshape(window, (-1, height * width * channels))
        product = tf.matmul(pixels, tf.reshape(taps, (height * width * channels, self.filters)))
        return tf.reshape(product, (-1, 1, 1, self.filters))
