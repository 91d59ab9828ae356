"""Contrastive pretraining of a run, from its first step or resumed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from qssl_tf.commands import argument, resumption
from qssl_tf.config import Config
from qssl_tf.data.augment import Augmentation, augmentation
from qssl_tf.data.images import ImageData
from qssl_tf.data.pipeline import drawn_batches, pair_maker, view_pairs
from qssl_tf.data.store.images import plain_errors
from qssl_tf.distributed.peers import Peers
from qssl_tf.errors import UserError
from qssl_tf.models.build import build_simclr
from qssl_tf.models.online_probe import OnlineProbe
from qssl_tf.models.precision import in_float32
from qssl_tf.models.simclr import SimCLR
from qssl_tf.models.whole_step import refuse_uncompilable
from qssl_tf.objectives.table import OBJECTIVES
from qssl_tf.training.callbacks import (
    Checkpoints,
    Follower,
    HistoryLog,
    Progress,
    SignalCallback,
    StateGeometry,
    StepCallback,
    TrainingStopped,
)
from qssl_tf.training.checkpoints import restore_state
from qssl_tf.training.collapse_alarm import CollapseAlarm
from qssl_tf.training.online_test import OnlineTest, held_out
from qssl_tf.training.provenance import check_images
from qssl_tf.training.runs import Run
from qssl_tf.training.schedule import Schedule, schedule


def build(config: Config, data: ImageData, weights: Path | None = None) -> tuple[SimCLR, Augmentation]:
    """Return the untrained model that `config` describes, and its augmentation.

    Args:
        config: The run's settings.
        data: The images.
        weights: File from which weights or state will be loaded; None to initialize them.

    Raises:
        UserError: Settings with more weights than that file, or this machine, can hold; that cannot be combined; or an
            objective or an online probe that needs labels, and images without any.
    """
    has_labels = bool(data.class_names) and len(data.train.labelled()) > 0
    if weights is None and OBJECTIVES[config.objective].labels and not has_labels:
        raise UserError(
            f"{argument('objective', config.objective)} needs labels, and the images of {data.name} have none; take "
            "images with labels, or another objective."
        )
    if weights is None and config.online_probe and not has_labels:
        raise UserError(
            f"{argument('online_probe', True)} needs labels, and the images of {data.name} have none; take images with "
            f"labels, or {argument('online_probe', False)}."
        )
    augment = augmentation(config, data.image_shape)
    steps = schedule(config, len(data.train)).steps
    model = build_simclr(config, data.image_shape, augment, steps, weights)
    if config.online_probe and data.class_names:
        features = model.head.compute_output_shape(model.encoder.output_shape)[-1]
        model.online_probe = OnlineProbe(features, len(data.class_names), config.seed)
    return model, augment


def build_for_use(config: Config, data: ImageData, weights: Path) -> SimCLR:
    """Return the model of a run whose weights lie in a file, in float32 whatever precision it was trained in.

    So probes, exports and device runs see the same features on every machine, up to the rounding of float32.

    Raises:
        UserError: As `build`.
    """
    return build(replace(in_float32(config), online_probe=False), data, weights)[0]


@contextmanager
def reproducible(xla_step: bool = False) -> Iterator[None]:
    """Make TensorFlow's ops deterministic within the block.

    Otherwise, about one run in sixty differs in the last bit of a batch norm's offset when the machine is busy. It
    costs about 2 % of a step on CPU. It is not enabled on GPUs, where it can cost far more, so resuming is exact on CPU
    only. It is disabled afterwards, since it would refuse unseeded random ops in the user's code. No public function
    disables it: where TensorFlow's private one is gone, it stays enabled.

    Args:
        xla_step: Whether XLA compiles the step, which has an order of its own, and would refuse max pooling.
    """
    if xla_step or tf.config.list_physical_devices("GPU"):
        yield
        return
    try:
        from tensorflow.python.framework import config as private
    except ImportError:
        private = None
    was_enabled = private is not None and private.is_op_determinism_enabled()
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        if private is not None and not was_enabled:
            private.disable_op_determinism()


def pretrain(
    run: Run, data: ImageData, model: SimCLR, augment: Augmentation, resume: bool = False, peers: Peers | None = None
) -> str | None:
    """Train the model of a run to its last step, on all replicas of the strategy in whose scope it was built.

    Args:
        run: The run, to whose folder history, checkpoints and state are written.
        data: The images of the run.
        model: The model, from `build`.
        augment: The augmentation, from `build`.
        resume: Continue from the saved state; on CPU, the result equals that of an uninterrupted run to the last bit.
        peers: The other workers, if any; only the chief writes.

    Returns:
        The name of the signal that stopped training early, or None.

    Raises:
        UserError: The run to resume has other images or user-defined parts, or is damaged; training diverged; or an
            image of a store cannot be read.
    """
    if resume:
        check_images(run, data)
    config = run.config
    plan = schedule(config, len(data.train))
    start = restore_state(run, model) if resume else 0
    callbacks: list[StepCallback] = []
    signal_callback: SignalCallback
    if peers is not None and not peers.is_chief:
        signal_callback = Follower(run, plan, start, peers)
    else:
        callbacks, signal_callback = reporting_callbacks(run, data, augment, plan, start), Checkpoints(run, plan, start)
    if peers is not None:
        peers.on_stop = signal_callback.stop
        if callbacks:
            peers.on_leave = callbacks[0].release  # ends the line of the bar before another message
        peers.remedy = f"continue on all workers with {resumption(run.folder)}"
    model.step_logs, model.make_views = True, pair_maker(augment) if config.views_in_step else None
    if start < plan.steps:
        try:
            steps, all_callbacks = plan.steps - start, [*callbacks, signal_callback]
            with reproducible(config.xla_step), plain_errors():
                pairs = shared_pairs(model.distribute_strategy, run.config, data, augment, plan.steps, start)
                model.fit(pairs, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=all_callbacks)
        except TrainingStopped:
            pass
        except tf.errors.OpError as error:
            refuse_uncompilable(error)
            if peers is not None:
                peers.pause()  # if a worker has failed, its message ends this process in one line
            raise
        finally:
            # Whoever has the model next gives it views, and wants the means over an epoch that Keras logs.
            model.make_views, model.step_logs = None, False
            model.make_train_function(force=True)
            for callback in [*callbacks, signal_callback]:
                callback.release()
    return signal_callback.stopped_by


def reporting_callbacks(
    run: Run, data: ImageData, augment: Augmentation, plan: Schedule, start: int
) -> list[StepCallback]:
    """Return the callbacks that show and record the progress of a run."""
    callbacks: list[StepCallback] = [
        Progress(run, plan, start), HistoryLog(run, plan, start), CollapseAlarm(run, plan, start),
    ]  # fmt: skip
    config = run.config
    if config.head == "quantum" and not config.partial_measurement:  # mixed states have no overlaps
        with plain_errors():
            first = next(iter(view_pairs(data.train.images, augment, config.batch_size, config.seed, steps=1)))
        callbacks.append(StateGeometry(run, plan, start, first))
    if config.online_probe and len(images := held_out(data, config)):
        callbacks.append(OnlineTest(run, plan, start, images))
    return callbacks


def shared_pairs(
    strategy: tf.distribute.Strategy, config: Config, data: ImageData, augment: Augmentation, steps: int, start: int
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Return the pairs of views, or what the step makes them of, with each batch in one shard per replica, in order.

    Labels come third where the objective or an online probe needs them.
    """
    batches = drawn_batches if config.views_in_step else view_pairs
    replicas, arguments = strategy.num_replicas_in_sync, (data.train.images, augment, config.batch_size, config.seed)
    labels = data.train.labels if OBJECTIVES[config.objective].labels or config.online_probe else None
    if replicas == 1:
        return batches(*arguments, steps, start, labels=labels)

    def worker_pairs(context: tf.distribute.InputContext) -> tf.data.Dataset:
        replicas_here = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * replicas_here
        # Infinite, since with finite datasets workers ask each other at every step whether theirs has ended.
        mine = range(first, first + replicas_here)
        return batches(*arguments, None, start, shards=replicas, shard_indices=mine, labels=labels)

    return strategy.distribute_datasets_from_function(worker_pairs)
