"""Subject: a run opened for its judges, with what several of them need computed once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.data.splits import Split
from qssl_tf.evaluation.evaluation_options import EvaluationOptions
from qssl_tf.evaluation.features import frozen_features
from qssl_tf.evaluation.probe import check_split, labelled_splits
from qssl_tf.models.simclr import SimCLR
from qssl_tf.training.checkpoints import load_weights
from qssl_tf.training.fit import build_for_use
from qssl_tf.training.metadata import check_simulator
from qssl_tf.training.runs import Run


@dataclass(frozen=True)
class Subject:
    """A run as judges see it; its model stays as it is.

    Attributes:
        run: The run.
        config: Its settings; their `probe_*` values may differ.
        step: Training steps of the weights.
        model: The learner with those weights, which judges must not change.
        data: The run's images.
        split: Key of `probe.SPLITS`: the images that judge.
        options: How judges work.
    """

    run: Run
    config: Config
    step: int
    model: SimCLR
    data: ImageData
    split: str
    options: EvaluationOptions

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.data.class_names)

    @cached_property
    def labelled(self) -> tuple[Split, Split]:
        """The labelled training images and those that judge.

        Raises:
            UserError: The images have no labels.
        """
        return labelled_splits(self.data, self.config, self.split)

    @cached_property
    def judging_features(self) -> np.ndarray:
        """Features of the labelled images that judge, float32, shape (m, features)."""
        return frozen_features(self.model, self.labelled[1].images)

    def judging_images(self) -> Split:
        """Return the images that judge, with or without labels; training images where there are no others.

        Raises:
            UserError: No images were held out for validation.
        """
        check_split(self.split, self.config)
        split = getattr(self.data, self.split)
        return split if len(split) else self.data.train

    def copy_of_model(self) -> SimCLR:
        """Return another model with the same weights, which may be trained."""
        return opened_model(self.run, self.config, self.data, self.step)

    @property
    def about(self) -> str:
        """The images that judge and the number of features, for a note."""
        features = self.judging_features
        return f"{len(features)} {self.split} images, {features.shape[1]} features"


def opened_model(run: Run, config: Config, data: ImageData, step: int) -> SimCLR:
    """Return the model of a run with the weights of a checkpoint.

    Raises:
        UserError: The weights are damaged or written with other settings, or this machine lacks the simulator.
    """
    check_simulator(run)
    model = build_for_use(config, data, run.checkpoint(step))
    load_weights(run, model, step)
    return model
