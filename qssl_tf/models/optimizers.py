"""Adam with weight decay inside the gradient, as the paper's framework has it (not the decoupled one of AdamW)."""

from typing import Any

import keras
import tensorflow as tf

from qssl_tf.distributed.replicas import replica_count
from qssl_tf.errors import UserError


@keras.saving.register_keras_serializable(package="qssl_tf")
class AdamL2(keras.optimizers.Adam):
    """Adam (arXiv:1412.6980) on the gradient plus `l2` times the weight, for every trainable weight.

    Args:
        learning_rate: Step size or schedule.
        l2: Weight of the penalty; at least 0.
        **kwargs: As the parent's, without `amsgrad`.

    Raises:
        UserError: `amsgrad` is asked for.
    """

    def __init__(self, learning_rate: Any = 1e-3, l2: float = 0.0, **kwargs: Any):
        """Store the penalty."""
        if kwargs.get("amsgrad"):
            raise UserError("`amsgrad` must be False for AdamL2; got True. Take keras.optimizers.Adam for it.")
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.l2 = l2

    def update_step(self, gradient, variable, learning_rate):
        """Add the penalty to the gradient, then take Adam's step in TensorFlow's kernel, one pass over the numbers.

        As a difference: TensorFlow's optimizer would merge a sum with that over the two views into one of three terms,
        whose order depends on which buffer happens to be free. One run in some dozens then differed in its last bits.
        """
        penalty = -self.l2 * tf.cast(variable, gradient.dtype)
        index, step = self._get_variable_index(variable), tf.cast(self.iterations + 1, gradient.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, gradient.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient - penalty,
        )

    def _all_reduce_sum_gradients(self, grads_and_vars):
        """Sum gradients over replicas; parts that are zero on all of them stay at home.

        In the last stage of a ResNet on 32 x 32 pixels most of a kernel lies on padding (`Conv2D.reached`): two thirds
        of ResNet-18's gradient need not be sent.
        """
        if replica_count() == 1:
            return super()._all_reduce_sum_gradients(grads_and_vars)
        gradients, variables = zip(*grads_and_vars, strict=True)
        kept = [
            getattr(self._trainable_variables[self._get_variable_index(each)], "reached", None) for each in variables
        ]
        parts = [gradient[taps] if taps else gradient for gradient, taps in zip(gradients, kept, strict=True)]
        summed = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, parts)
        whole = [
            _among_zeros(part, taps, gradient.shape) if taps else part
            for part, taps, gradient in zip(summed, kept, gradients, strict=True)
        ]
        return list(zip(whole, variables, strict=True))

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"l2": self.l2}


def _among_zeros(part: tf.Tensor, taps: tuple[slice, slice], shape: tf.TensorShape) -> tf.Tensor:
    """Return an array of the given shape that is zero but for `part`, which stands at `taps` of its first two axes."""
    around = [[taken.start, size - taken.stop] for taken, size in zip(taps, shape, strict=False)]
    return tf.pad(part, [*around, [0, 0], [0, 0]])


def _handle(variable: Any) -> tf.Tensor:
    """Return TensorFlow's handle of a variable; under tf.distribute, that of the replica which is updated."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
