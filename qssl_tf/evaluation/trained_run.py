"""A trained run opened for use: its settings, its model with the weights of one checkpoint, and its images."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.arguments import checks_arguments
from qssl_tf.config import Config
from qssl_tf.data.arrays import as_bytes
from qssl_tf.data.augment import augmentation
from qssl_tf.data.images import ImageData
from qssl_tf.data.sources import load
from qssl_tf.errors import UserError, unknown_name
from qssl_tf.evaluation.classifier import LinearFit
from qssl_tf.evaluation.features import frozen_features
from qssl_tf.evaluation.probe_files import read_classifier
from qssl_tf.models.build import build_simclr
from qssl_tf.models.precision import in_float32
from qssl_tf.models.simclr import SimCLR
from qssl_tf.presets import PRESETS
from qssl_tf.training.checkpoints import load_weights
from qssl_tf.training.metadata import check_simulator, read_image_metadata
from qssl_tf.training.provenance import images_of_run
from qssl_tf.training.runs import WEIGHTS, choose_step, open_run, ready_names


@dataclass(frozen=True)
class TrainedRun:
    """A run's settings and its model with the weights of one checkpoint.

    Attributes:
        folder: The run folder.
        config: Its settings.
        step: Training steps of the weights.
        model: The learner.
        class_names: In the order of the labels; empty if the images had no labels.
        own_data: The images that `pretrain` was given; None if the run's settings name them.
    """

    folder: Path
    config: Config
    step: int
    model: SimCLR = field(repr=False)
    class_names: tuple[str, ...]
    own_data: ImageData | None = field(default=None, repr=False)

    @cached_property
    def data(self) -> ImageData:
        """The images that the run was trained and is judged on, cut as its settings say; loaded on first use.

        Raises:
            UserError: They were given to `pretrain` and the run was opened from its folder, or they cannot be found.
        """
        return images_of_run(open_run(self.folder), None) if self.own_data is None else self.own_data

    def features(self, images: Any) -> np.ndarray:
        """Return the features of images: the head's output, which probes are trained on.

        Args:
            images: Bytes or fractions, shape (n, height, width, channels) as those of the run.

        Returns:
            float32, shape (n, features); expectations in [-1, 1] of a quantum head.

        Raises:
            UserError: They are not images, or have another shape than the run's.
        """
        pixels, shape = as_bytes(images, "images"), tuple(self.model.encoder.input_shape[1:])
        if pixels.shape[1:] != shape:
            raise UserError(f"`images` must have the shape (n, {', '.join(map(str, shape))}); got {pixels.shape}.")
        return frozen_features(self.model, pixels)

    def predict(self, images: Any) -> np.ndarray:
        """Return the class of each image by the probe's classifier.

        Args:
            images: As for `features`.

        Returns:
            int64, shape (n,): indices into `class_names`.

        Raises:
            UserError: The run was not probed at this step, or the images cannot be used.
        """
        return self._classifier().predict(self.features(images))

    def probabilities(self, images: Any) -> np.ndarray:
        """Return the softmax of the probe's classifier over the classes; it is not calibrated.

        Args:
            images: As for `features`.

        Returns:
            float32, shape (n, classes); rows sum to 1.

        Raises:
            UserError: The run was not probed at this step, or the images cannot be used.
        """
        return self._classifier().probabilities(self.features(images))

    def _classifier(self) -> LinearFit:
        step, fit = read_classifier(self.folder / "probe.json")
        if step != self.step:
            raise UserError(
                f"{self.folder} was probed at step {step}, and these are the weights of {self.step}; probe them."
            )
        return fit


@checks_arguments
def load_run(folder: str | Path, checkpoint: str | int = "last") -> TrainedRun:
    """Read a run folder, yours or somebody else's; nothing in it is executed.

    Args:
        folder: The run folder, or the name of a run that comes with the package.
        checkpoint: `last`, or the step of a checkpoint.

    Raises:
        UserError: It is not a run folder, is damaged, or has no such checkpoint.
    """
    run = open_run(Path(folder))
    if checkpoint == "all":
        raise UserError("`checkpoint` must be last or a step, for one set of weights; got 'all'.")
    check_simulator(run)
    (step,) = choose_step(run, str(checkpoint))
    facts = read_image_metadata(run) or load(run.config).metadata()  # earlier versions did not write them
    shape, names = tuple(facts["image_shape"]), tuple(facts["class_names"])
    config = in_float32(run.config)
    model = build_simclr(config, shape, augmentation(config, shape), weights=run.checkpoint(step))
    load_weights(run, model, step)
    return TrainedRun(run.folder, run.config, step, model, names)


@checks_arguments
def load_pretrained(name: str) -> TrainedRun:
    """Return a trained run that comes with the package; every file is compared with its checksum first.

    Its folder has a model card, `README.md`: data, protocol, seeds, accuracy with interval, licence. It is never
    changed: device runs, pictures and the report of it go to a copy, `runs/NAME`.

    Args:
        name: `digits-ring` (8 x 8 pixels, gray) or `cifar10-best` (32 x 32 pixels, colour).

    Raises:
        UserError: There is none of that name, or a file is damaged.
    """
    if name not in ready_names():
        settings = (
            f"Settings without weights: qssl_tf.PRESETS['{name}'] for qssl_tf.pretrain." if name in PRESETS else ""
        )
        raise unknown_name("name", name, ready_names(), settings)
    return load_run(WEIGHTS / name)


def as_run(run: TrainedRun | str | Path) -> TrainedRun:
    """Return the run itself, or load that of a folder with its last weights.

    Raises:
        UserError: The folder is not a run folder, or is damaged.
    """
    if isinstance(run, TrainedRun):
        return run
    return load_run(run)


def images_of(run: TrainedRun, data: ImageData | None = None) -> ImageData:
    """Return a run's images, split as its settings say.

    Args:
        run: The run.
        data: The images, if they were given to `pretrain`; None takes the run's own.

    Raises:
        UserError: The run was trained on others, or they cannot be found.
    """
    return run.data if data is None else images_of_run(open_run(run.folder), data)
