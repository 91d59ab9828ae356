"""User-defined objectives: a function of two tables, registered as a value of the setting `objective`."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from qssl_tf.arguments import checks_arguments
from qssl_tf.errors import UserError, shown
from qssl_tf.objectives.table import OBJECTIVES, Objective
from qssl_tf.registry import claim, own_code

LossFunction = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
FUNCTIONS: dict[str, LossFunction] = {}  # own word -> its function


@checks_arguments
def register_objective(
    name: str, *, predictor: bool = False, target: bool = False, queue: bool = False, labels: bool = False
) -> Callable[[LossFunction], LossFunction]:
    """Register a function of two tables as an objective, for training and searches.

    ```python
    @register_objective("alignment")
    def alignment(z_a, z_b):
        distances = tf.reduce_sum((z_a - z_b) ** 2, axis=1)
        return distances - tf.math.reduce_std(z_a) - tf.math.reduce_std(z_b)
    ```

    The function is called as `loss(y_true, y_pred)`: where nothing is asked for, with the embeddings of first and of
    second views, shape (n, d) each; `objectives.table.Objective` lists the others. It returns a loss for each row, or
    one for the batch; their mean is trained on.

    Args:
        name: The new name: lowercase letters, digits and underscores.
        predictor: Whether a predictor MLP predicts the other view's embedding.
        target: Whether there is a target network, the exponential moving average (EMA) of the trained one.
        queue: Whether its newest embeddings are kept as negatives; it needs `target`.
        labels: Whether it compares labels; with neither `predictor` nor `target`.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        UserError: The name is taken, or needs that do not go together.
    """

    def register(function: LossFunction) -> LossFunction:
        needs = Objective(
            lambda config: OwnObjective(name),
            f"{name} loss",
            predictor=predictor,
            target=target,
            queue=queue,
            labels=labels,
        )
        claim("objective", name, OBJECTIVES)
        OBJECTIVES[name], FUNCTIONS[name] = needs, function
        return function

    return register


@keras.saving.register_keras_serializable(package="qssl_tf")
class OwnObjective(keras.losses.Loss):
    """The loss of a user's own objective, which files keep by its name alone.

    Args:
        objective: The name that `register_objective` was given.

    Attributes:
        takes_labels: Whether the step must hand it labels.

    Raises:
        UserError: No objective of that name was registered.
    """

    def __init__(
        self,
        objective: str,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ):
        """Look the function up."""
        if not isinstance(objective, str) or objective not in FUNCTIONS:
            raise UserError(
                f"`objective` must be a registered one; got {shown(objective)}; load its file by --plugin FILE, or an "
                "import."
            )
        super().__init__(name=name or objective, reduction=reduction, dtype=dtype)
        self.objective, self.takes_labels = objective, OBJECTIVES[objective].labels

    def call(self, y_true, y_pred):
        """Return what the function does, as numbers of shape (rows,), or (1,) for one of the batch.

        Raises:
            UserError: The function fails, or returns something else.
        """
        with own_code(f"the function of `objective` '{self.objective}'"):
            found = tf.convert_to_tensor(FUNCTIONS[self.objective](y_true, y_pred), y_pred.dtype)
        if found.shape.rank not in (0, 1):
            raise UserError(
                f"`objective` '{self.objective}' must return a number for each row, or one for the batch; "
                f"got shape {tuple(found.shape)}."
            )
        return found if found.shape.rank else found[tf.newaxis]

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"objective": self.objective}
