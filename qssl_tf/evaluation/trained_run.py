"""A trained run opened for use: its settings, its model with the weights of one checkpoint, and its images."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.arguments import checks_arguments
from qssl_tf.config import Config
from qssl_tf.data.arrays import as_bytes
from qssl_tf.data.augment import augmentation
from qssl_tf.data.images import ImageData
from qssl_tf.data.sources import load
from qssl_tf.errors import UserError
from qssl_tf.evaluation.features import frozen_features
from qssl_tf.evaluation.linear import LinearFit
from qssl_tf.evaluation.probe_files import read_classifier
from qssl_tf.models.simclr import SimCLR, build_simclr
from qssl_tf.training.checkpoints import load_weights
from qssl_tf.training.metadata import read_image_metadata
from qssl_tf.training.provenance import images_of_run
from qssl_tf.training.runs import choose_step, open_run


@dataclass(frozen=True)
class TrainedRun:
    """A run's settings and its model with the weights of one checkpoint.

    Attributes:
        folder: The run folder.
        config: Its settings.
        step: Training steps of the weights.
        model: The learner.
        class_names: In the order of the labels; none where the images had no labels.
        data: The images, where they were given; else None.
    """

    folder: Path
    config: Config
    step: int
    model: SimCLR = field(repr=False)
    class_names: tuple[str, ...]
    data: ImageData | None = field(default=None, repr=False)

    def features(self, images: Any) -> np.ndarray:
        """Return what the head puts out: where probes cut.

        Args:
            images: Bytes or fractions, shape (n, height, width, channels) as those of the run.

        Returns:
            float32, shape (n, features); expectations in [-1, 1] of a quantum head.

        Raises:
            UserError: They are no images, or of another shape.
        """
        pixels, wanted = as_bytes(images, "images"), tuple(self.model.encoder.input_shape[1:])
        if pixels.shape[1:] != wanted:
            raise UserError(f"`images` must have the shape (n, {', '.join(map(str, wanted))}); got {pixels.shape}.")
        return frozen_features(self.model, pixels)

    def predict(self, images: Any) -> np.ndarray:
        """Return the class of each image by the probe's classifier.

        Args:
            images: As for `features`.

        Returns:
            int64, shape (n,): places in `class_names`.

        Raises:
            UserError: The run was not probed at this step, or the images cannot be used.
        """
        return self._classifier().predict(self.features(images))

    def probabilities(self, images: Any) -> np.ndarray:
        """Return how sure the probe's classifier is of each class: its softmax, which nobody has calibrated.

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
        checkpoint: `last`, or the step after which weights were kept.

    Raises:
        UserError: It is no run folder, or damaged, or has no such checkpoint.
    """
    run = open_run(Path(folder))
    if checkpoint == "all":
        raise UserError("`checkpoint` must be last or a step, for one set of weights; got 'all'.")
    (step,) = choose_step(run, str(checkpoint))
    facts = read_image_metadata(run) or load(run.config).metadata()  # runs of earlier versions did not say
    shape, names = tuple(facts["image_shape"]), tuple(facts["class_names"])
    model = build_simclr(run.config, shape, augmentation(run.config, shape), weights=run.checkpoint(step))
    load_weights(run, model, step)
    return TrainedRun(run.folder, run.config, step, model, names)


def as_run(run: TrainedRun | str | Path) -> TrainedRun:
    """Return a run; of a folder, its last weights.

    Raises:
        UserError: It is no run's folder, or a damaged one.
    """
    if isinstance(run, TrainedRun):
        return run
    return load_run(run)


def images_of(run: TrainedRun, data: ImageData | None = None) -> ImageData:
    """Return a run's images, cut as its settings say.

    Args:
        run: The run.
        data: The images, where they were given to `pretrain`; None takes the run's own.

    Raises:
        UserError: The run was trained on others, or they cannot be found.
    """
    return run.data if data is None and run.data is not None else images_of_run(open_run(run.folder), data)
