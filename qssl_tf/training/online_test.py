"""The online probe scored on images that the run does not train on, at each checkpoint."""

import numpy as np
import tensorflow as tf

from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.data.pipeline import as_float
from qssl_tf.data.splits import Split
from qssl_tf.data.store.images import plain_errors
from qssl_tf.training.callbacks import StepCallback
from qssl_tf.training.history import append_history, start_history
from qssl_tf.training.runs import Run
from qssl_tf.training.schedule import Schedule

IMAGES = 400  # as many as tell a few points apart, and cost less than the checkpoint's record of states


def held_out(data: ImageData, config: Config) -> Split:
    """Return up to IMAGES labelled images, evenly spaced, of the validation split, or of the test split without one."""
    split = (data.validation if config.validation_fraction else data.test).labelled()
    return split.take(np.unique(np.linspace(0, len(split) - 1, IMAGES).astype(int))) if len(split) > IMAGES else split


class OnlineTest(StepCallback):
    """Appends a row to `online.csv` at each checkpoint: the part of held-out images that the online probe gets right.

    Images are taken as they are, in inference mode, as the probe afterwards takes them.
    """

    columns = ("step", "accuracy")

    def __init__(self, run: Run, schedule: Schedule, start: int, images: Split):
        """Store the images."""
        super().__init__(run, schedule, start)
        self.images, self.path = images, run.folder / "online.csv"

    def on_train_begin(self, logs=None):
        """Truncate the table to the resumed step."""
        start_history(self.path, self.start, self.columns)

    def after_step(self, step, logs):
        """Append a row if the step is a checkpoint."""
        if self.schedule.keeps(step):
            accuracy = float(np.mean(self._predicted() == self.images.labels))
            append_history(self.path, {"step": step, "accuracy": accuracy})

    def _predicted(self) -> np.ndarray:
        """Return the class of each image; what layers keep between calls, as the seeds of shots, is put back."""
        model, states = self.model, self.model.head.non_trainable_variables
        before = [variable.numpy() for variable in states]
        with plain_errors():
            features = model.head(model.encode(as_float(tf.constant(np.asarray(self.images.images)))), training=False)
        for variable, value in zip(states, before, strict=True):
            variable.assign(value)
        return model.online_probe.classify(features).numpy()
