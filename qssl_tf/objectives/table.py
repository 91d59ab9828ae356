"""OBJECTIVES: each loss that a run may be trained with, and what it needs beside two views."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.objectives.contrastive import DecoupledContrastive, NTXent, SupervisedContrastive
from qssl_tf.objectives.fidelity import Fidelity
from qssl_tf.objectives.predictive import BYOL, SimSiam
from qssl_tf.objectives.queue import MoCo
from qssl_tf.objectives.redundancy import BarlowTwins, VICReg


@dataclass(frozen=True)
class Objective:
    """A loss and what it needs, which decides what it is called with, always as `loss(y_true, y_pred)`.

    | needs | y_true | y_pred |
    |---|---|---|
    | nothing | embeddings of the first views, (n, d) | of the second views, (n, d) |
    | labels | labels, (n,), -1 where unknown | embeddings of both views, (n, 2, d) |
    | predictor or target | of the other view, without gradient, (2n, d) | of this view, predicted, (2n, d) |
    | target and queue | keys of second views, then the queue, (n + queue_size, d) | of first views, (n, d) |
    | states | states of the first views, (n, size) | of the second views, (n, size) |

    With a target network the other view is what that makes of it, without one what the trained network does. Rows are
    those of the global batch, first views before second ones. The loss returns a number for each row, or one for the
    batch, shape (1,); their mean is trained on.

    Attributes:
        loss: Function of the settings that returns the loss.
        title: What figures call it.
        predictor: Whether a predictor MLP predicts the other view's embedding from that of this one.
        target: Whether there is a target network, the exponential moving average (EMA) of the trained one.
        queue: Whether the target's newest embeddings are kept as negatives. Only first views are trained on then.
        labels: Whether batches bring labels.
        projector: Widths of the projector where the settings name none; if empty, the head's twice.
        states: Whether states of the quantum head, as rows of `quantum.overlaps.state_rows`, take the place of the
            projector's embeddings.
        equal_loss: Function of the settings that returns the loss if all embeddings are equal; None if it says little.

    Raises:
        UserError: Needs that do not go together.
    """

    loss: Callable[[Config], keras.losses.Loss]
    title: str
    predictor: bool = False
    target: bool = False
    queue: bool = False
    labels: bool = False
    projector: tuple[int, ...] = ()
    states: bool = False
    equal_loss: Callable[[Config], float] | None = None

    def __post_init__(self):
        """Check that the needs go together."""
        if self.queue and not self.target:
            raise UserError(
                "`queue` must come with `target`, whose embeddings it keeps; got queue=True and target=False."
            )
        if self.labels and (self.predictor or self.target):
            raise UserError(
                "`labels` must come without `predictor` and `target`, since the loss gets labels in place of other "
                f"embeddings; got predictor={self.predictor} and target={self.target}."
            )


WIDE = (128, 128)  # losses without negatives of the same batch need more dimensions than the head's eight


def _fidelity(config: Config) -> Fidelity:
    return Fidelity(
        config.temperature,
        config.width,
        config.overlap_qubits,
        config.overlap_test,
        config.shots,
        config.seed,
    )


OBJECTIVES: dict[str, Objective] = {
    "nt_xent": Objective(
        lambda config: NTXent(config.temperature),
        "NT-Xent loss (nats)",
        equal_loss=lambda config: math.log(2 * config.batch_size - 1),
    ),
    "decoupled": Objective(
        lambda config: DecoupledContrastive(config.temperature),
        "decoupled contrastive loss (nats)",
        equal_loss=lambda config: math.log(2 * config.batch_size - 2),
    ),
    "barlow_twins": Objective(
        lambda config: BarlowTwins(config.redundancy_weight), "Barlow Twins loss", projector=WIDE
    ),
    "vicreg": Objective(lambda config: VICReg(config.redundancy_weight), "VICReg loss", projector=WIDE),
    "simsiam": Objective(lambda config: SimSiam(), "SimSiam loss", predictor=True, projector=WIDE),
    "byol": Objective(lambda config: BYOL(), "BYOL loss", predictor=True, target=True, projector=WIDE),
    "moco": Objective(
        lambda config: MoCo(config.temperature),
        "MoCo loss (nats)",
        target=True,
        queue=True,
        projector=WIDE,
        equal_loss=lambda config: math.log(config.queue_size + 1),
    ),
    "supervised": Objective(
        lambda config: SupervisedContrastive(config.temperature),
        "supervised contrastive loss (nats)",
        labels=True,
        equal_loss=lambda config: math.log(2 * config.batch_size - 1),
    ),
    "fidelity": Objective(
        _fidelity,
        "NT-Xent loss of overlaps (nats)",
        states=True,
        equal_loss=lambda config: math.log(2 * config.batch_size - 1),
    ),
}


def projects(config: Config) -> bool:
    """Return whether there is a projector: the settings may leave it out, and states are compared without one."""
    return config.project and not OBJECTIVES[config.objective].states


def projector_widths(config: Config) -> tuple[int, ...]:
    """Return the widths of the projector: the settings', or the objective's; if empty, the head's twice."""
    return config.projector or OBJECTIVES[config.objective].projector
