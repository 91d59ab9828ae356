"""TensorFlow's TF32, which is switched off, since a circuit does not bear it."""

import tensorflow as tf


def switch_off() -> None:
    """Have TensorFlow multiply float32 as float32 on GPUs, in this process from here on.

    On NVIDIA's GPUs since Ampere, TensorFlow rounds the factors of float32 products to 10 binary digits unless it is
    told otherwise. A circuit is a long chain of products: on an H100, expectations were wrong by 0.017, and a gradient
    summed over the batch by 0.5, where float32 errs by 1e-6 and 1e-5 (docs/scaling.md). Whoever wants short numbers
    in the encoder takes the setting `precision`.
    """
    if tf.config.experimental.tensor_float_32_execution_enabled():
        tf.config.experimental.enable_tensor_float_32_execution(False)
