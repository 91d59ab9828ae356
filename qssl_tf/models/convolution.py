"""Convolution with the padding of the paper's framework, and without work on pixels that are all padding."""

from typing import Any

import keras
import tensorflow as tf

from qssl_tf.errors import UserError


# The class has its parent's name because Keras names the weights in a checkpoint after it: both read each other's.
@keras.saving.register_keras_serializable(package="qssl_tf")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` without bias, padded by half a kernel on every side, as PyTorch's with that padding.

    Keras's own "same" pads the right and lower side alone where a stride of 2 meets an even number of pixels. Where
    the output is a single pixel, as in the last stage of a ResNet on 32 x 32 pixels, most of the kernel lies on
    padding; the rest is a matrix product. That makes the ResNet-18 step 1.3 times as fast on two cores
    (docs/benchmarks.md), with the same values and gradients.

    Input: float32, shape (n, height, width, channels). Output: shape (n, ceil(height / stride), ceil(width / stride),
    filters).

    Args:
        filters: Output channels.
        kernel_size: Odd side of the square kernel, in pixels.
        strides: Step in pixels, the same both ways.
        **kwargs: As the parent's; `padding` is "same", `use_bias` False and `activation` none.

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
        """Make the kernel, and note in `kernel.reached` which of its taps (rows, columns) ever meet a pixel."""
        super().build(input_shape)
        self.kernel.reached = None
        if self.compute_output_shape(input_shape)[1:3] == (1, 1):  # the window's centre is the first pixel
            half = self.kernel_size[0] // 2
            self.kernel.reached = tuple(slice(half, half + min(size, half + 1)) for size in input_shape[1:3])

    def call(self, inputs):
        """Return the convolved images."""
        stride, half = self.strides[0], self.kernel_size[0] // 2
        if self.kernel.reached:
            return self._single_pixel(inputs, half)
        if stride > 1 and half:  # one padding of an even image, kept out of the kernel: inside, its gradient is slow
            inputs = tf.pad(inputs, [[0, 0], [half, half], [half, half], [0, 0]])
            return tf.nn.conv2d(inputs, self.kernel, stride, "VALID")
        return tf.nn.conv2d(inputs, self.kernel, stride, "SAME")

    def _single_pixel(self, inputs, half: int):
        """Return the one window that there is, as a matrix product over the pixels under the kernel."""
        under = inputs[:, : half + 1, : half + 1]
        height, width, channels = under.shape[1:]
        taps = self.kernel[self.kernel.reached]
        pixels = tf.reshape(under, (-1, height * width * channels))
        product = tf.matmul(pixels, tf.reshape(taps, (height * width * channels, self.filters)))
        return tf.reshape(product, (-1, 1, 1, self.filters))
