"""Building the model that settings describe: encoder, head, projector, optimizer and loss."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from qssl_tf import tf32
from qssl_tf.arguments import checks_arguments
from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.data.transform import RandomTransform
from qssl_tf.errors import UserError
from qssl_tf.models.batch_norm import BatchNormalization
from qssl_tf.models.encoders import build_encoder
from qssl_tf.models.gradient_cache import refuse_chunks
from qssl_tf.models.heads import build_head, head_inputs
from qssl_tf.models.initializers import SeedStream, dense
from qssl_tf.models.learning_rates import SCHEDULES
from qssl_tf.models.optimizers import AdamL2, SharedLossScale
from qssl_tf.models.precision import at_least_float32, built_in, refuse_other_floatx, scales_loss
from qssl_tf.models.simclr import SimCLR
from qssl_tf.models.sizes import refuse_batch_beyond_memory, refuse_beyond_file, refuse_beyond_memory
from qssl_tf.models.states import refuse_untrainable
from qssl_tf.models.target import TargetNetwork
from qssl_tf.models.whole_step import compile_by_xla
from qssl_tf.objectives.queue import Queue, refuse_short_queue
from qssl_tf.objectives.table import OBJECTIVES, projector_widths, projects
from qssl_tf.quantum.simulators import refuse_training_beyond_memory


@checks_arguments
def build_projector(features: int, seed: int = 0, widths: Sequence[int] = ()) -> keras.Model:
    """Return the projector: Dense without bias, batch norm and ReLU for each hidden layer, then a final Dense layer.

    Args:
        features: Number of outputs of the head.
        seed: Seed of the weights.
        widths: Widths of the layers, up to the embedding; if empty, two layers of `features`, as in the paper.
    """
    return _perceptron(features, widths or (features, features), SeedStream(seed, part=2), "", "projector", "embedding")


def build_predictor(embeddings: int, seed: int = 0, units: int = 32) -> keras.Model:
    """Return the predictor of SimSiam and BYOL: Dense, batch norm, ReLU and Dense, from embeddings to embeddings.

    Args:
        embeddings: Length of an embedding.
        seed: Seed of the weights.
        units: Width of the hidden layer.
    """
    return _perceptron(
        embeddings, (units, embeddings), SeedStream(seed, part=3), "predictor_", "predictor", "prediction"
    )


def _perceptron(
    features: int, widths: Sequence[int], seeds: SeedStream, prefix: str, name: str, last_name: str
) -> keras.Model:
    fan_in, model_name = features, name
    stack: list[layers.Layer] = [keras.Input((features,))]
    *hidden, last = widths
    for index, units in enumerate(hidden):
        name = f"{prefix}hidden" if index == 0 else f"{prefix}hidden{index + 1}"
        stack += [
            dense(units, fan_in, seeds, use_bias=False, name=name),
            BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn"),
            layers.ReLU(name=f"{name}_relu"),
        ]
        fan_in = units
    embedding = dense(last, fan_in, seeds, dtype=at_least_float32(), name=last_name)  # the loss compares directions
    return keras.Sequential([*stack, embedding], name=model_name)


def _projector(config: Config, features: int) -> keras.Model:
    """Return the projector of `config`, or the identity, which passes the head's outputs to the loss.

    Where a predictor follows, embeddings are normalised over the batch, each dimension on its own, as in
    arXiv:2011.10566, Section 3: otherwise all of them soon become equal.
    """
    if not projects(config):
        return keras.Sequential([keras.Input((features,)), layers.Identity(name="as_is")], name="projector")
    projector = build_projector(features, config.seed, projector_widths(config))
    if OBJECTIVES[config.objective].predictor:
        full = {"dtype": at_least_float32(), "name": "embedding_bn"}
        projector.add(BatchNormalization(momentum=0.9, epsilon=1e-5, center=False, scale=False, **full))
    return projector


def _optimizer(config: Config, steps: int | None) -> keras.optimizers.Optimizer:
    rate = SCHEDULES[config.schedule](config, steps or config.steps or 1)
    optimizer = AdamL2(rate, l2=config.weight_decay, epsilon=1e-8)
    return SharedLossScale(optimizer) if scales_loss(config.precision) else optimizer


def refuse_single_rows(config: Config) -> None:
    """Refuse batch norm of one row, which is zero whatever the row holds.

    Raises:
        UserError: Each replica of the strategy in scope would normalise one image of a view on its own.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if config.batch_statistics == "local" and config.batch_size < 2 * replicas:
        raise UserError(
            f"{argument('batch_statistics', 'local')} needs at least two images a replica, since batch norm of one is "
            f"zero; got {argument('batch_size', config.batch_size)} for {replicas} replicas; take "
            f"{2 * replicas} or more, fewer replicas, or {argument('batch_statistics', 'global')}."
        )


def _network(config: Config, view_shape: tuple[int, ...]) -> tuple[keras.Model, layers.Layer, keras.Model]:
    """Return encoder, head and projector."""
    head, inputs = build_head(config), head_inputs(config)
    with built_in(config.precision):
        encoder = build_encoder(config.encoder, view_shape, inputs, config.seed, config.angle_norm, config.angle_bound)
    features = head.compute_output_shape((None, inputs))[-1]
    with built_in(config.precision if config.project else "float32"):  # without layers there is nothing to shorten
        return encoder, head, _projector(config, features)


def _extras(
    config: Config, view_shape: tuple[int, ...], network: tuple[keras.Model, layers.Layer, keras.Model]
) -> dict[str, layers.Layer]:
    """Return the parts that the objective needs beside the network, by SimCLR's names.

    Raises:
        UserError: A queue that is shorter than a batch.
    """
    needs, found = OBJECTIVES[config.objective], dict[str, layers.Layer]()
    embeddings = network[2].output_shape[-1]
    if needs.predictor:
        with built_in(config.precision):
            found["predictor"] = build_predictor(embeddings, config.seed, config.predictor)
    if needs.target:
        other = replace(config, seed=(config.seed + 1) % 2**31)  # so that its head draws other shots
        found["target"] = target = TargetNetwork(*_network(other, view_shape), config.target_rate, name="target")
        target.build((None, *view_shape))
        network[1].build(network[0].output_shape)
        target.start_at(network)
    if needs.queue:
        refuse_short_queue(config.queue_size, config.batch_size)
        found["queue"] = Queue(config.queue_size, SeedStream(config.seed, part=4).next(), name="queue")
    return found


@built_in("float32")
def build_simclr(
    config: Config,
    image_shape: tuple[int, int, int],
    augmentation: RandomTransform,
    steps: int | None = None,
    weights: Path | None = None,
) -> SimCLR:
    """Return the compiled model that `config` describes.

    Args:
        config: The run's settings.
        image_shape: Height, width and channels of the data set's images.
        augmentation: The augmentation, which determines the size of the views.
        steps: Number of training steps for the learning-rate schedule; None takes that of `config`.
        weights: File from which weights will be loaded; None to initialize them.

    Raises:
        UserError: Settings with more weights than that file, or this machine, can hold; or that cannot be combined.
    """
    if weights is not None:
        refuse_beyond_file(config, weights)
    refuse_beyond_memory(config, training=weights is None)
    refuse_single_rows(config)
    refuse_other_floatx()
    tf32.switch_off()  # classical heads and the loss are compared with circuits
    view_shape = augmentation.compute_output_shape((None, *image_shape))[1:]
    encoder, head, projector = _network(config, view_shape)
    if weights is None and config.head == "quantum":
        refuse_training_beyond_memory(config.width, head.row_bytes)
    if weights is None:
        refuse_batch_beyond_memory(config, encoder)
    how = {name: getattr(config, name) for name in ("batch_statistics", "chunk_size", "recompute_blocks")}
    extras: dict[str, Any] = dict(_extras(config, view_shape, (encoder, head, projector)))
    if OBJECTIVES[config.objective].states:
        extras["overlap_qubits"] = config.overlap_qubits
    model = SimCLR(encoder, head, projector, name="simclr", **how, **extras)
    if weights is None and model.overlap_qubits is not None:
        refuse_untrainable(head, config)
    if weights is None and model.cache() is not None:
        rows = config.batch_size // tf.distribute.get_strategy().num_replicas_in_sync
        refuse_chunks(encoder, rows, **how)
    model.compile(optimizer=_optimizer(config, steps), loss=OBJECTIVES[config.objective].loss(config))
    if config.xla_step:
        compile_by_xla(model)
    model.optimizer.build(model.trainable_variables)  # or the first step would create variables, and be traced twice
    return model
