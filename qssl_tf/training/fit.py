"""Contrastive pretraining of one run, from its first step or from where it stopped."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf
from tensorflow.python.framework import config as determinism  # its public name can switch on, not off

from qssl_tf.commands import resumption
from qssl_tf.config import Config
from qssl_tf.data.augment import Augmentation, augmentation
from qssl_tf.data.images import ImageData
from qssl_tf.data.pipeline import view_pairs
from qssl_tf.distributed.peers import Peers
from qssl_tf.models.simclr import SimCLR, build_simclr
from qssl_tf.training.callbacks import (
    Checkpoints,
    Follower,
    HistoryLog,
    Progress,
    SignalCallback,
    StateGeometry,
    StepCallback,
    Stopped,
)
from qssl_tf.training.checkpoints import restore_state
from qssl_tf.training.provenance import check_images
from qssl_tf.training.runs import Run
from qssl_tf.training.schedule import Schedule, schedule


def build(config: Config, data: ImageData, weights: Path | None = None) -> tuple[SimCLR, Augmentation]:
    """Return the untrained model that `config` describes and what makes its views.

    Args:
        config: The run's settings.
        data: The images.
        weights: The file from which its weights or state will be read; None where they are new.

    Raises:
        UserError: Settings of more weights than that file, or this machine, can hold; or that do not go together.
    """
    augment = augmentation(config, data.image_shape)
    steps = schedule(config, len(data.train)).steps
    return build_simclr(config, data.image_shape, augment, steps, weights), augment


@contextmanager
def reproducible() -> Iterator[None]:
    """Have TensorFlow's operations give the same bits each time, until the block ends.

    Without it about one run in sixty differs in the last bit of a batch norm's offset when the machine is busy. It
    costs about 2 % of a step on CPU; on a GPU it can cost far more, and resume is exact on CPU only. Left on, it would
    refuse the random operations of a user's own code that have no seed.
    """
    was_on = determinism.is_op_determinism_enabled()
    if not tf.config.list_physical_devices("GPU"):
        determinism.enable_op_determinism()
    try:
        yield
    finally:
        if not was_on:
            determinism.disable_op_determinism()


def pretrain(
    run: Run, data: ImageData, model: SimCLR, augment: Augmentation, resume: bool = False, peers: Peers | None = None
) -> str | None:
    """Train the run's model to its last step, on all replicas of the strategy that the model was made under.

    Args:
        run: An open run folder; history, checkpoints and state are written there.
        data: The images that the run's settings name.
        model: The run's model as `build` made it.
        augment: Makes the views, from `build` as well.
        resume: Continue from the kept state; on CPU the result has the same bits as an uninterrupted run.
        peers: The other workers, if there are any; the chief alone writes.

    Returns:
        The name of the signal that stopped training early, or None.

    Raises:
        UserError: What is resumed was trained on other images or with another own part, or is damaged; or a number
            became infinite.
    """
    if resume:
        check_images(run, data)
    config = run.config
    plan = schedule(config, len(data.train))
    start = restore_state(run, model) if resume else 0
    callbacks: list[StepCallback] = []
    last: SignalCallback
    if peers is not None and not peers.is_chief:
        last = Follower(run, plan, start, peers)
    else:
        callbacks, last = reporters(run, data, augment, plan, start), Checkpoints(run, plan, start)
    if peers is not None:
        peers.on_stop = last.stop
        if callbacks:
            peers.on_leave = callbacks[0].release  # the bar's line ends before another one begins
        peers.remedy = f"continue on all workers with {resumption(run.folder)}"
    model.step_logs = True
    if start < plan.steps:
        try:
            steps, everyone = plan.steps - start, [*callbacks, last]
            with reproducible():
                pairs = shared_pairs(model.distribute_strategy, run.config, data, augment, plan.steps, start)
                model.fit(pairs, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=everyone)
        except Stopped:
            pass
        except tf.errors.OpError:
            if peers is not None:
                peers.pause()  # if a worker's end is the cause, its news end this process in one line
            raise
        finally:
            for callback in [*callbacks, last]:
                callback.release()
    return last.stopped_by


def reporters(run: Run, data: ImageData, augment: Augmentation, plan: Schedule, start: int) -> list[StepCallback]:
    """Return what shows and writes the progress of a run."""
    callbacks: list[StepCallback] = [Progress(run, plan, start), HistoryLog(run, plan, start)]
    config = run.config
    if config.head == "quantum" and not config.partial_measurement:  # whose states are mixed, and have no overlaps
        first = next(iter(view_pairs(data.train.images, augment, config.batch_size, config.seed, steps=1)))
        callbacks.append(StateGeometry(run, plan, start, first))
    return callbacks


def shared_pairs(
    strategy: tf.distribute.Strategy, config: Config, data: ImageData, augment: Augmentation, steps: int, start: int
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Return the pairs of views, each step's batch cut into one shard for each replica, in the order of replicas."""
    replicas, common = strategy.num_replicas_in_sync, (data.train.images, augment, config.batch_size, config.seed)
    if replicas == 1:
        return view_pairs(*common, steps, start)

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * here
        # Endless, for where a data set can end the workers ask each other at every step whether theirs has.
        return view_pairs(*common, None, start, shards=replicas, shard_indices=range(first, first + here))

    return strategy.distribute_datasets_from_function(of_worker)
