"""Adam with L2 regularization in the gradient, as in PyTorch's Adam, and loss scaling that replicas share."""

from typing import Any

import keras
import tensorflow as tf

from qssl_tf.distributed.replicas import replica_count, sum_of_each
from qssl_tf.errors import UserError


@keras.saving.register_keras_serializable(package="qssl_tf")
class AdamL2(keras.optimizers.Adam):
    """Adam (arXiv:1412.6980) on the gradient plus `l2` times the weight, for all trainable weights.

    So weight decay is not decoupled as in AdamW.

    Args:
        learning_rate: Step size or schedule.
        l2: Coefficient of the penalty; non-negative.
        **kwargs: Arguments of the parent, without `amsgrad`.

    Raises:
        UserError: `amsgrad` is set.
    """

    def __init__(self, learning_rate: Any = 1e-3, l2: float = 0.0, **kwargs: Any):
        """Store the penalty."""
        if kwargs.get("amsgrad"):
            raise UserError("`amsgrad` must be False for AdamL2; got True. Take keras.optimizers.Adam for it.")
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.l2 = l2

    def update_step(self, gradient, variable, learning_rate):
        """Add the penalty to the gradient, then take Adam's step with TensorFlow's fused kernel.

        The penalty is subtracted with its sign flipped: TensorFlow's graph optimizer would merge an addition with the
        sum over the two views, in an order that depends on which buffer is free. One run in some dozens then differed
        in its last bits.
        """
        penalty = -self.l2 * tf.cast(variable, gradient.dtype)
        try:
            index = self._get_variable_index(variable)
            momentum, velocity = self._momentums[index], self._velocities[index]
        except AttributeError:  # these are no public names of Keras; its own step is only slower
            return super().update_step(gradient - penalty, variable, learning_rate)
        step = tf.cast(self.iterations + 1, gradient.dtype)
        beta_1, beta_2 = (tf.constant(beta, gradient.dtype) for beta in (self.beta_1, self.beta_2))
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(momentum),
            v=_handle(velocity),
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=tf.cast(learning_rate, gradient.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient - penalty,
        )

    def _all_reduce_sum_gradients(self, grads_and_vars):
        """Sum gradients over replicas, without sending parts that are zero on all of them.

        In the last stage of a ResNet on 32 x 32 pixels, most of each kernel lies on padding (see `Conv2D`), so two
        thirds of ResNet-18's gradient need not be sent.
        """
        if replica_count() == 1 or not hasattr(self, "_get_variable_index"):
            return super()._all_reduce_sum_gradients(grads_and_vars)
        gradients, variables = zip(*grads_and_vars, strict=True)
        own = getattr(self, "_trainable_variables", variables)
        active_taps = [getattr(own[self._get_variable_index(variable)], "active_taps", None) for variable in variables]
        parts = [gradient[taps] if taps else gradient for gradient, taps in zip(gradients, active_taps, strict=True)]
        full_gradients = [
            _pad_taps(part, taps, gradient.shape) if taps else part
            for part, taps, gradient in zip(sum_of_each(parts), active_taps, gradients, strict=True)
        ]
        return list(zip(full_gradients, variables, strict=True))

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"l2": self.l2}


@keras.saving.register_keras_serializable(package="qssl_tf")
class SharedLossScale(keras.optimizers.LossScaleOptimizer):
    """Keras's loss scaling for float16, in which all replicas leave out a step if the gradients of one overflow.

    Keras looks at the first replica of each process alone, before gradients are summed. An overflow on another one
    would reach all weights, and workers that disagree would wait for each other.
    """

    def check_finite(self, grads):
        """Return whether all gradients are finite on all replicas."""
        finite = super().check_finite(grads)
        if replica_count() == 1:
            return finite
        return sum_of_each([tf.cast(tf.logical_not(finite), tf.float32)])[0] == 0.0


def _pad_taps(part: tf.Tensor, taps: tuple[slice, slice], shape: tf.TensorShape) -> tf.Tensor:
    """Return an array of zeros with `part` at `taps` of the first two axes."""
    padding = [[taps_of_axis.start, size - taps_of_axis.stop] for taps_of_axis, size in zip(taps, shape, strict=False)]
    return tf.pad(part, [*padding, [0, 0], [0, 0]])


def _handle(variable: Any) -> tf.Tensor:
    """Return TensorFlow's handle of a variable; under `tf.distribute`, that of the replica being updated."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
