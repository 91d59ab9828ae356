"""How far the embeddings of a batch are from collapse: figures that cost one small matrix product a step."""

import tensorflow as tf

from qssl_tf.objectives.rows import normalised

SMALLEST = 1e-12  # of a summed variance of unit vectors, below which rounding is all there is


def relative_std(rows: tf.Tensor) -> tf.Tensor:
    """Return the standard deviation of normalised rows over its value for directions drawn at random, a scalar.

    That is sqrt(d) times the standard deviation of each component, meant over the components (arXiv:2011.10566,
    Section 4.1): 1 for directions that are spread evenly, 0 if all rows point the same way.

    Args:
        rows: Shape (n, d), n at least 2.
    """
    unit = normalised(rows)
    return tf.sqrt(tf.cast(tf.shape(unit)[1], unit.dtype)) * tf.reduce_mean(tf.math.reduce_std(unit, axis=0))


def effective_rank(rows: tf.Tensor) -> tf.Tensor:
    """Return how many directions normalised rows vary in, from 1 to min(n - 1, d); 0 if they do not vary. A scalar.

    It is (sum of l)^2 / sum of l^2 for the eigenvalues l of their covariance, the participation ratio: the exponential
    of the spectrum's Renyi entropy of order 2, so at most that of its Shannon entropy (Roy and Vetterli, EUSIPCO 2007).
    It is taken since it needs no eigenvalues, which would cost a GPU more than the rest of the loss.

    Args:
        rows: Shape (n, d).
    """
    unit = normalised(rows)
    centred = unit - tf.reduce_mean(unit, axis=0)
    n, d = centred.shape
    is_wide = n is not None and d is not None and d > n
    products = tf.matmul(centred, centred, transpose_a=not is_wide, transpose_b=is_wide)  # the smaller of two
    total = tf.linalg.trace(products)
    return tf.where(total > SMALLEST * tf.cast(tf.shape(unit)[0], unit.dtype),
                    tf.math.divide_no_nan(total**2, tf.reduce_sum(products**2)), 0.0)  # fmt: skip
