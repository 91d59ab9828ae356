"""Number of steps of a run, and the steps after which weights are saved."""

from dataclasses import dataclass

from qssl_tf.config import Config


@dataclass(frozen=True)
class Schedule:
    """Steps of a run.

    Attributes:
        steps_per_epoch: Full batches in the training images.
        steps: The last step.
        checkpoint_every: Batches between checkpoints.
    """

    steps_per_epoch: int
    steps: int
    checkpoint_every: int

    def epoch(self, step: int) -> int:
        """Return the epoch, from 1, that `step` (from 1) belongs to."""
        return (step - 1) // self.steps_per_epoch + 1

    def keeps(self, step: int) -> bool:
        """Return whether weights are saved after `step`.

        Checkpoints are counted from the first batch of each epoch, as in the paper (1, 14, 27, ... 98, ...), or over
        all steps if `checkpoint_every` is longer than an epoch. The last step is always saved.
        """
        interval, position = self.checkpoint_every, step - 1
        if interval <= self.steps_per_epoch:
            position %= self.steps_per_epoch
        return position % interval == 0 or step == self.steps


def schedule(config: Config, n_train: int) -> Schedule:
    """Return the schedule of `config` on `n_train` training images."""
    steps_per_epoch = n_train // config.batch_size
    return Schedule(steps_per_epoch, config.steps or config.epochs * steps_per_epoch, config.checkpoint_every)
