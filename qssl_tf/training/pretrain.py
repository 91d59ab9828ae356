"""Contrastive pretraining of one run, from its first step or from where it stopped."""

import keras

from qssl_tf.data.augment import AUGMENTATIONS, Augmentation
from qssl_tf.data.pipeline import view_pairs
from qssl_tf.data.sources import ImageData
from qssl_tf.models.simclr import SimCLR, build_simclr
from qssl_tf.training.callbacks import Checkpoints, HistoryLog, Progress
from qssl_tf.training.checkpoints import restore_state
from qssl_tf.training.runs import Run
from qssl_tf.training.schedule import schedule


def build(run: Run, data: ImageData) -> tuple[SimCLR, Augmentation]:
    """Return the untrained model of a run and what makes its views."""
    augmentation = AUGMENTATIONS[run.config.augmentation](data.image_shape[0])
    return build_simclr(run.config, data.image_shape, augmentation), augmentation


def pretrain(run: Run, data: ImageData, resume: bool = False) -> tuple[SimCLR, str | None]:
    """Train the run's model to its last step.

    Args:
        run: An open run folder; history, checkpoints and state are written there.
        data: The images that the run's settings name.
        resume: Continue from the kept state; on CPU the result has the same bits as an uninterrupted run.

    Returns:
        The model, and the name of the signal that stopped it early, or None.
    """
    config = run.config
    plan = schedule(config, len(data.train))
    model, augmentation = build(run, data)
    start = restore_state(run, model) if resume else 0
    pairs = view_pairs(data.train.images, augmentation, config.batch_size, config.seed, plan.steps, start)
    checkpoints = Checkpoints(run, plan, start)
    callbacks: list[keras.callbacks.Callback] = [Progress(run, plan, start), HistoryLog(run, plan, start), checkpoints]
    if start < plan.steps:
        try:
            model.fit(pairs, shuffle=False, verbose=0, callbacks=callbacks)
        finally:
            checkpoints.restore_signals()
    stopped_by = getattr(checkpoints, "stopped_by", None)
    return model, stopped_by
