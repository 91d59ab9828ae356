"""Losses in which a predictor MLP predicts one view's embedding from the other's: SimSiam and BYOL."""

import keras
import tensorflow as tf

from qssl_tf.objectives.rows import check_views, cosines


@keras.saving.register_keras_serializable(package="qssl_tf")
class SimSiam(keras.losses.Loss):
    """Negative cosine similarity of predictions and the embeddings that they predict (arXiv:2011.10566, Eq. 1 to 4).

    `call(others, predictions)` takes two tables of shape (m, d), a row for each view of each image: the embedding of
    the other view (stop-gradient), and the predictor's output for this one. It returns (m,), minus the cosine of each
    row, from -1 to 1; the mean over both views of all images is Eq. 4.
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str = "simsiam", dtype=None):
        """Name the loss."""
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        """Return the loss of each row.

        Raises:
            UserError: The arguments are not two arrays of the same shape (m, d).
        """
        check_views(type(self).__name__, y_true, y_pred)
        return -cosines(tf.stop_gradient(y_true), y_pred)


@keras.saving.register_keras_serializable(package="qssl_tf")
class BYOL(SimSiam):
    """Squared distance of normalised predictions and targets (arXiv:2006.07733, Eq. 2), both directions added.

    As `SimSiam`, with the target network's embedding of the other view. Each row's distance, 2 - 2 cos, counts twice,
    so that the mean over both views of all images is the paper's sum over the two directions.
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str = "byol", dtype=None):
        """Name the loss."""
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        """Return the loss of each row.

        Raises:
            UserError: The arguments are not two arrays of the same shape (m, d).
        """
        return 2 * (2 + 2 * super().call(y_true, y_pred))
