"""Contrastive pretraining of one run, from its first step or from where it stopped."""

import tensorflow as tf

from qssl_tf.config import Config
from qssl_tf.data.augment import Augmentation, augmentation
from qssl_tf.data.pipeline import view_pairs
from qssl_tf.data.sources import ImageData
from qssl_tf.models.simclr import SimCLR, build_simclr
from qssl_tf.training.callbacks import Checkpoints, HistoryLog, Progress, StateGeometry, StepCallback
from qssl_tf.training.checkpoints import restore_state
from qssl_tf.training.runs import Run
from qssl_tf.training.schedule import schedule


def build(config: Config, data: ImageData) -> tuple[SimCLR, Augmentation]:
    """Return the untrained model that `config` describes and what makes its views."""
    augment = augmentation(config, data.image_shape[0])
    return build_simclr(config, data.image_shape, augment, schedule(config, len(data.train)).steps), augment


def make_reproducible() -> None:
    """Have TensorFlow's operations give the same bits each time.

    Without it about one run in sixty differs in the last bit of a batch norm's offset when the machine is busy. It
    costs about 2 % of a step on CPU; on a GPU it can cost far more, and resume is exact on CPU only.
    """
    if not tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()


def pretrain(run: Run, data: ImageData, model: SimCLR, augment: Augmentation, resume: bool = False) -> str | None:
    """Train the run's model to its last step.

    Args:
        run: An open run folder; history, checkpoints and state are written there.
        data: The images that the run's settings name.
        model: The run's model as `build` made it.
        augment: Makes the views, from `build` as well.
        resume: Continue from the kept state; on CPU the result has the same bits as an uninterrupted run.

    Returns:
        The name of the signal that stopped training early, or None.
    """
    make_reproducible()
    config = run.config
    plan = schedule(config, len(data.train))
    start = restore_state(run, model) if resume else 0
    pairs = view_pairs(data.train.images, augment, config.batch_size, config.seed, plan.steps, start)
    checkpoints = Checkpoints(run, plan, start)
    callbacks: list[StepCallback] = [Progress(run, plan, start), HistoryLog(run, plan, start), checkpoints]
    if config.head == "quantum":
        first = next(iter(view_pairs(data.train.images, augment, config.batch_size, config.seed, steps=1)))
        callbacks.insert(2, StateGeometry(run, plan, start, first))
    if start < plan.steps:
        try:
            model.fit(pairs, shuffle=False, verbose=0, callbacks=callbacks)
        finally:
            for callback in callbacks:
                callback.release()
    return checkpoints.stopped_by
