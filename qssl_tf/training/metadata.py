"""Metadata of a run folder: its images, its versions, and whether its training is finished."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from qssl_tf.data.splits import BY_IMAGE
from qssl_tf.errors import UserError, reason
from qssl_tf.files.schema import Count, Names, Positive, Schema, Sha256, Texts, Word, read_as
from qssl_tf.quantum.tfq_availability import obstacle, refuse_absent
from qssl_tf.training.runs import Run
from qssl_tf.training.schedule import schedule

# Of all pixels, or of the checksums of the images: `Split.fingerprint`.
Fingerprint = Annotated[str, Field(pattern=rf"^({BY_IMAGE})?[0-9a-f]{{64}}$")]
MAX_SIDE = 4096  # pixels; limits the network that a damaged file can request


class ImageMetadata(Schema):
    """Schema of `data.json`: `ImageData.metadata()` of the images that a run was trained on."""

    name: Word
    image_shape: Annotated[list[Positive], Field(min_length=3, max_length=3)]
    class_names: Names
    train_images: Positive
    validation_images: Count
    test_images: Count
    train_sha256: Fingerprint
    validation_sha256: Fingerprint | None = None  # runs of earlier versions only have that of the training images
    test_sha256: Fingerprint | None = None

    @model_validator(mode="after")
    def _shape(self) -> "ImageMetadata":
        height, width, channels = self.image_shape
        if max(height, width) > MAX_SIDE or channels not in (1, 3):
            raise ValueError(f"its image_shape must be up to {MAX_SIDE} pixels, 1 or 3 channels: {self.image_shape}")
        return self


def read_image_metadata(run: Run) -> dict[str, Any] | None:
    """Return the content of `data.json`, or None for older runs without it.

    Raises:
        UserError: It is damaged, or does not describe images.
    """
    path = run.folder / "data.json"
    try:
        return read_as(path, ImageMetadata)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} does not describe images ({reason(error)}); restore it, or remove it.") from None


class DeviceTwin(Schema):
    """Schema of `twin.json`: the device for whose noise a run is trained, and how its circuit lies there."""

    device: Word
    calibrated: Word | None
    checksum: Sha256
    initial_layout: list[Count]
    layout: list[Count]
    two_qubit_gates: Count
    estimated_success: Annotated[float, Field(ge=0, le=1)]


def read_twin(run: Run) -> dict[str, Any]:
    """Return the content of `twin.json`.

    Raises:
        UserError: It is missing or damaged.
    """
    path = run.folder / "twin.json"
    try:
        return read_as(path, DeviceTwin)
    except FileNotFoundError:
        raise UserError(f"{path} is missing, which says how {run.config.noise} was calibrated; restore it.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({reason(error)}); restore it.") from None


def read_versions(folder: Path) -> dict[str, str]:
    """Return the versions of packages that a run was trained with; empty if its folder has none.

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


def check_simulator(run: Run) -> None:
    """Refuse a run whose settings name a simulator that this machine cannot have, before anything heavy is loaded.

    Raises:
        UserError: It says where `simulator` stands.
    """
    try:
        if run.config.head == "quantum":
            refuse_absent(run.config.simulator, obstacle())
    except UserError as error:
        raise UserError(f"{run.folder / 'config.json'}: {error}") from None


def is_finished(run: Run) -> bool:
    """Return whether the weights of the last step and the trained model are saved."""
    images, last_step = read_image_metadata(run), max(run.checkpoint_steps(), default=0)
    return images is not None and last_step > 0 and run.model.is_file() and not unfinished(run, last_step)


def unfinished(run: Run, step: int) -> str:
    """Return a clause that says how weights after `step` steps are not the final ones; empty if they are.

    Raises:
        UserError: `data.json` is damaged.
    """
    images = read_image_metadata(run)
    if images is None:  # runs of earlier versions have no metadata
        return ""
    steps = schedule(run.config, images["train_images"]).steps
    if step >= steps:
        return ""
    ended_early = max(run.checkpoint_steps(), default=0) < steps
    return f"step {step} of {steps}, {'training is unfinished' if ended_early else 'not the last of its training'}"
