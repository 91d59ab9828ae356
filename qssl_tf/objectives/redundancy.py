"""Losses without negatives that keep the dimensions of an embedding apart: Barlow Twins and VICReg."""

from typing import Any

import keras
import tensorflow as tf

from qssl_tf.config import checked
from qssl_tf.objectives.rows import SAFE_RANGE, check_views

BARLOW_EPSILON = 1e-5  # added to variances, as by the batch norm of the authors' code
VICREG_EPSILON = 1e-4  # arXiv:2105.04906, below Eq. 2
BARLOW_WEIGHT, VICREG_WEIGHT = 5e-3, 1.0  # of redundancy, as published
INVARIANCE_WEIGHT = VARIANCE_WEIGHT = 25.0  # lambda and mu of VICReg, as published


def _off_diagonal_squares(matrix: tf.Tensor) -> tf.Tensor:
    """Return the sum of the squares of a matrix's entries off its diagonal."""
    return tf.reduce_sum(tf.linalg.set_diag(matrix, tf.zeros_like(matrix[0])) ** 2)


def _at_least_float32(z: tf.Tensor) -> tf.Tensor:
    return tf.cast(z, tf.float32) if z.dtype.size < 4 else z


@keras.saving.register_keras_serializable(package="qssl_tf")
class BarlowTwins(keras.losses.Loss):
    """Barlow Twins (arXiv:2103.03230, Eq. 1 and 2): the views' cross-correlation matrix is to be the identity.

    `call(z_a, z_b)` takes embeddings of shape (n, d) and returns one number for the batch, shape (1,): the sum over
    dimensions of (1 - C_ii)^2, and `redundancy_weight` times the sum of all C_ij^2 with i != j. C_ij is the correlation
    over the batch of dimension i of the first views and j of the second; 1e-5 is added to variances.

    Args:
        redundancy_weight: Of the off-diagonal terms, lambda of the paper; not negative. None takes its 0.005.

    Raises:
        UserError: The weight is negative or no number.
    """

    def __init__(
        self,
        redundancy_weight: float | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "barlow_twins",
        dtype: Any = None,
    ):
        """Store the weight."""
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.redundancy_weight = checked("redundancy_weight", redundancy_weight)

    def call(self, y_true, y_pred):
        """Return the loss of the batch; the two arguments are symmetric.

        Raises:
            UserError: The arguments are not two arrays of the same shape (n, d), or hold one row.
        """
        check_views("BarlowTwins", y_true, y_pred, at_least=2)
        a, b = (_standardised(_at_least_float32(z)) for z in (y_true, y_pred))
        correlation = tf.matmul(a, b, transpose_a=True) / tf.cast(tf.shape(a)[0], a.dtype)  # (d, d)
        invariance = tf.reduce_sum((1 - tf.linalg.diag_part(correlation)) ** 2)
        weight = BARLOW_WEIGHT if self.redundancy_weight is None else self.redundancy_weight
        return (invariance + weight * _off_diagonal_squares(correlation))[tf.newaxis]

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"redundancy_weight": self.redundancy_weight}


def _standardised(z: tf.Tensor) -> tf.Tensor:
    """Return each column with mean 0 and variance 1 over the batch."""
    largest = tf.stop_gradient(tf.reduce_max(tf.abs(z), axis=0))  # squares beyond float32 would leave no gradient
    z /= tf.where(largest < SAFE_RANGE[1], tf.ones_like(largest), largest)
    mean, variance = tf.nn.moments(z, axes=[0])
    return (z - mean) * tf.math.rsqrt(variance + BARLOW_EPSILON)


@keras.saving.register_keras_serializable(package="qssl_tf")
class VICReg(keras.losses.Loss):
    """Variance, invariance and covariance regularization (arXiv:2105.04906, Eq. 1 to 6 and Algorithm 1).

    `call(z_a, z_b)` takes embeddings of shape (n, d) and returns one number for the batch, shape (1,), the sum of three
    terms. Invariance: 25 times the mean squared distance of the views, averaged over dimensions as in Algorithm 1
    (Eq. 5 sums over them). Variance: 25 times the hinge max(0, 1 - standard deviation), mean over dimensions, both
    views added. Covariance: `redundancy_weight` times the sum of squared off-diagonal covariances over d, both views
    added.

    Args:
        redundancy_weight: Of the covariances, nu of the paper; not negative. None takes its 1.

    Raises:
        UserError: The weight is negative or no number.
    """

    def __init__(
        self,
        redundancy_weight: float | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "vicreg",
        dtype: Any = None,
    ):
        """Store the weight."""
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.redundancy_weight = checked("redundancy_weight", redundancy_weight)

    def call(self, y_true, y_pred):
        """Return the loss of the batch; the two arguments are symmetric.

        Raises:
            UserError: The arguments are not two arrays of the same shape (n, d), or hold one row.
        """
        check_views("VICReg", y_true, y_pred, at_least=2)
        a, b = _at_least_float32(y_true), _at_least_float32(y_pred)
        (variance_a, covariance_a), (variance_b, covariance_b) = _spread(a), _spread(b)
        weight = VICREG_WEIGHT if self.redundancy_weight is None else self.redundancy_weight
        return (
            INVARIANCE_WEIGHT * tf.reduce_mean((a - b) ** 2)
            + VARIANCE_WEIGHT * (variance_a + variance_b)
            + weight * (covariance_a + covariance_b)
        )[tf.newaxis]

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"redundancy_weight": self.redundancy_weight}


def _spread(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the variance term (Eq. 1) and the covariance term (Eq. 4) of one view's embeddings."""
    centred = z - tf.reduce_mean(z, axis=0)
    n, d = tf.cast(tf.shape(z)[0], z.dtype), tf.cast(tf.shape(z)[1], z.dtype)
    covariance = tf.matmul(centred, centred, transpose_a=True) / (n - 1)  # (d, d)
    deviations = tf.sqrt(tf.linalg.diag_part(covariance) + VICREG_EPSILON)
    return tf.reduce_mean(tf.nn.relu(1 - deviations)), _off_diagonal_squares(covariance) / d
