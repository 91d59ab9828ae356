"""What a run folder says of its images and versions, and what its weights lack of the whole training."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from qssl_tf.errors import UserError, reason
from qssl_tf.files.schema import Count, Names, Positive, Schema, Sha256, Texts, Word, read_as
from qssl_tf.training.runs import Run
from qssl_tf.training.schedule import schedule

MAX_SIDE = 4096  # pixels; a damaged file must not ask for a network of any size


class Facts(Schema):
    """`data.json`: `ImageData.metadata()` of the images that a run was trained on."""

    name: Word
    image_shape: Annotated[list[Positive], Field(min_length=3, max_length=3)]
    class_names: Names
    train_images: Positive
    validation_images: Count
    test_images: Count
    train_sha256: Sha256
    validation_sha256: Sha256 | None = None  # runs of earlier versions name the training images alone
    test_sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _shape(self) -> "Facts":
        height, width, channels = self.image_shape
        if max(height, width) > MAX_SIDE or channels not in (1, 3):
            raise ValueError(f"its image_shape must be up to {MAX_SIDE} pixels, 1 or 3 channels: {self.image_shape}")
        return self


def read_facts(run: Run) -> dict[str, Any] | None:
    """Return what `data.json` says of the run's images; None where an older run has none.

    Raises:
        UserError: It is damaged, or describes no images.
    """
    path = run.folder / "data.json"
    try:
        return read_as(path, Facts)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} does not describe images ({reason(error)}); restore it, or remove it.") from None


def read_versions(folder: Path) -> dict[str, str]:
    """Return the versions that made a run, by package; none where its folder does not say.

    Raises:
        UserError: The file is damaged.
    """
    path = folder / "versions.json"
    try:
        return read_as(path, Texts)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({reason(error)}); restore or remove it.") from None


def is_finished(run: Run) -> bool:
    """Return whether the last step's weights are kept and the trained model is there."""
    facts, last = read_facts(run), max(run.checkpoint_steps(), default=0)
    return facts is not None and last > 0 and run.model.is_file() and not unfinished(run, last)


def unfinished(run: Run, step: int) -> str:
    """Return in a clause what the weights after `step` steps lack of the whole training; nothing where they lack none.

    Raises:
        UserError: `data.json` is damaged.
    """
    facts = read_facts(run)
    if facts is None:  # runs of earlier versions did not say
        return ""
    steps = schedule(run.config, facts["train_images"]).steps
    if step >= steps:
        return ""
    stopped = max(run.checkpoint_steps(), default=0) < steps
    return f"step {step} of {steps}, {'training is unfinished' if stopped else 'not the last of its training'}"
