"""Options of an evaluation. Nothing here imports TensorFlow, so a wrong option is reported at once."""

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qssl_tf.errors import UserError, shown

MOST_SETTINGS = 16  # fractions, or numbers of images a class, of one evaluation
MOST_DRAWS = 1000
MOST_EPOCHS = 1_000_000


@dataclass(frozen=True)
class EvaluationOptions:
    """How a run is judged; checked when it is made.

    Attributes:
        fractions: Parts of the labels, above 0 and below 1, that linear probes and fine-tuning get.
        images_per_class: Images of each class that linear probes get.
        draws: Of labelled images, and of anew drawn weights of a head; two at least, for an interval.
        finetune_epochs: Passes over the labelled images in fine-tuning.
        finetune_learning_rate: Adam's first learning rate in fine-tuning.
        probe_dataset: Data set that a transfer is judged on, by name or as ImageData.
        probe_data_dir: Folder of its images, or of prepared TFDS data; None takes the run's.
        cka_with: The run that features are compared with, or its folder.
        seeds: Runs that differ from the judged one in their seed alone, or their folders, for the judge of the head.

    Raises:
        UserError: A value of the wrong type or out of range.
    """

    fractions: Sequence[float] = (0.01, 0.1)
    images_per_class: Sequence[int] = (1, 5, 10)
    draws: int = 5
    finetune_epochs: int = 20
    finetune_learning_rate: float = 1e-3
    probe_dataset: Any = None
    probe_data_dir: str | Path | None = None
    cka_with: Any = None
    seeds: Sequence[Any] = ()

    def __post_init__(self):
        """Refuse what no evaluation can do."""
        if not _all(self.fractions, lambda part: _is_number(part) and 0 < part < 1):
            raise UserError(
                f"`fractions` must be up to {MOST_SETTINGS} different numbers above 0 and below 1, such as 0.01,0.1; "
                f"got {shown(self.fractions)}."
            )
        if not _all(self.images_per_class, lambda count: _is_whole(count) and count >= 1):
            raise UserError(
                f"`images_per_class` must be up to {MOST_SETTINGS} different whole numbers of at least 1, such as "
                f"1,5,10; got {shown(self.images_per_class)}."
            )
        for name, low, high in (("draws", 2, MOST_DRAWS), ("finetune_epochs", 1, MOST_EPOCHS)):
            value = getattr(self, name)
            if not _is_whole(value) or not low <= value <= high:
                raise UserError(f"`{name}` must be a whole number from {low} to {high}; got {shown(value)}.")
        rate = self.finetune_learning_rate
        if not _is_number(rate) or not rate > 0:
            raise UserError(f"`finetune_learning_rate` must be a number above 0; got {shown(rate)}.")
        if isinstance(self.seeds, str) or not isinstance(self.seeds, Sequence):
            raise UserError(f"`seeds` must be a list of runs or of their folders; got {shown(self.seeds)}.")
        if self.probe_data_dir is not None and self.probe_dataset is None:
            raise UserError("`probe_data_dir` must come with `probe_dataset`, whose images lie there; name it.")


def _all(values: Any, is_right: Any) -> bool:
    """Return whether values are a list of some different ones that are all right."""
    if isinstance(values, str) or not isinstance(values, Sequence) or not 0 < len(values) <= MOST_SETTINGS:
        return False
    return all(map(is_right, values)) and len(set(values)) == len(values)


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
