"""Adam with weight decay inside the gradient, as the paper's framework has it (not the decoupled one of AdamW)."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="qssl_tf")
class AdamL2(keras.optimizers.Adam):
    """Adam (arXiv:1412.6980) on the gradient plus `l2` times the weight, for every trainable weight.

    Args:
        learning_rate: Step size or schedule.
        l2: Weight of the penalty; at least 0.
    """

    def __init__(self, learning_rate: Any = 1e-3, l2: float = 0.0, **kwargs: Any):
        """Store the penalty."""
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.l2 = l2

    def update_step(self, gradient, variable, learning_rate):
        """Add the penalty to the gradient, then take Adam's step.

        As a difference: TensorFlow's optimizer would merge a sum with that over the two views into one of three terms,
        whose order depends on which buffer happens to be free. One run in some dozens then differed in its last bits.
        """
        penalty = -self.l2 * keras.ops.cast(variable, gradient.dtype)
        super().update_step(gradient - penalty, variable, learning_rate)

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"l2": self.l2}
