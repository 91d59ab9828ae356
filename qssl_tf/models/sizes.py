"""Size and memory of a model, estimated from its settings before anything is allocated."""

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import keras
import tensorflow as tf

from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.errors import UserError, shown
from qssl_tf.memory import available
from qssl_tf.models.encoders import BACKBONE_OUTPUTS
from qssl_tf.models.heads import head_features, head_inputs
from qssl_tf.objectives.table import OBJECTIVES, projector_widths, projects

FLOAT_BYTES = 4  # of a float32
COPIES_PER_WEIGHT = 4  # the weight, its gradient, and Adam's two moments
# Lower bound on the copies of an encoder's activations held in a training step; measured: 1.8 to 3.1.
ACTIVATION_COPIES = 1.5
# Part of a model -> the settings that determine its size.
SIZE_SETTINGS = {
    "encoder": ("encoding", "width"),
    "head": ("width", "layers"),
    "projector": ("projector",),
    "queue": ("queue_size",),
}
# Head -> the same, where it is not as above.
HEAD_SIZE_SETTINGS = {
    "mlp": ("head_hidden", "layers"),
    "fourier": ("width", "head_features"),
    "cosines": ("width", "head_features"),
}


def head_weights(config: Config) -> int:
    """Return the number of weights of a head without a circuit, as `configured_weights` counts them."""
    hidden = (config.head_hidden,) * (config.layers - 1)
    widths = {
        "classical": (config.width,) * (config.layers + 1),
        "mlp": (config.width, *hidden, head_features(config)),
        "fourier": (config.width, head_features(config)),
        "cosines": (config.width, head_features(config)),
    }
    return sum(before * after for before, after in pairwise(widths.get(config.head, ())))


def configured_weights(config: Config) -> dict[str, int]:
    """Return the number of weights in layers whose size depends on the settings, by part of the model.

    The encoder's backbone is not counted, nor are biases, batch norms and a circuit's angles, which are few.
    """
    inputs, features = head_inputs(config), head_features(config)
    widths = (features, *(projector_widths(config) or (features, features))) if projects(config) else ()
    embeddings = widths[-1] if widths else features
    queue = {"queue": config.queue_size * embeddings} if OBJECTIVES[config.objective].queue else {}
    return {
        "encoder": BACKBONE_OUTPUTS.get(config.encoder, 1) * inputs,
        "head": head_weights(config),
        "projector": sum(before * after for before, after in pairwise(widths)),
        **queue,
    }


def refuse_beyond_file(config: Config, path: Path) -> None:
    """Refuse settings with more weights than the file from which they will be loaded can hold.

    A folder from an untrusted source may combine arbitrarily large settings with a small file.

    Raises:
        UserError: With both sizes.
    """
    if not path.is_file():
        return  # reported where it is read
    needed_bytes, file_bytes = FLOAT_BYTES * sum(configured_weights(config).values()), path.stat().st_size
    if needed_bytes > file_bytes:
        raise UserError(
            f"{path} is damaged (it has {_size(file_bytes)}, and {_largest_settings(config)} in config.json need "
            f"{_size(needed_bytes)} of weights); use the config.json it was written with, or another checkpoint."
        )


def batch_activations(config: Config) -> dict[str, int]:
    """Return a lower bound on the numbers that a training step holds for a batch, by origin.

    Both views of each image pass the layers that `configured_weights` counts, and each is compared with all others.
    """
    widths = (head_inputs(config), head_features(config), *(projector_widths(config) if projects(config) else ()))
    compared = 2 * config.batch_size
    if OBJECTIVES[config.objective].queue:
        compared += config.queue_size
    return {"layers": 2 * config.batch_size * sum(widths), "comparisons": 2 * config.batch_size * compared}


def refuse_beyond_memory(config: Config, training: bool) -> None:
    """Refuse settings whose weights, gradients and optimizer state do not fit into the available memory.

    Args:
        config: The settings.
        training: Whether a training batch must fit, too.

    Raises:
        UserError: With the estimate, and the settings that cause most of it.
    """
    weights, batch = configured_weights(config), batch_activations(config) if training else {}
    weight_bytes = COPIES_PER_WEIGHT * FLOAT_BYTES * sum(weights.values())
    batch_bytes, free_bytes = FLOAT_BYTES * sum(batch.values()), available()
    if weight_bytes > free_bytes:
        raise UserError(
            f"{_largest_settings(config)} needs about {_size(weight_bytes)} of memory for weights, gradients and "
            f"optimizer; {_size(free_bytes)} are left on this machine; take smaller values."
        )
    if weight_bytes + batch_bytes > free_bytes:
        raise UserError(
            f"`batch_size` {config.batch_size} needs about {_size(weight_bytes + batch_bytes)} of memory for weights "
            f"and a batch; {_size(free_bytes)} are left on this machine; take a smaller value."
        )


def _uses(layer: keras.layers.Layer) -> int:
    """Return in how many places of a model a layer stands; Keras has no public name for it."""
    return len(getattr(layer, "_inbound_nodes", (None,)))


def refuse_batch_beyond_memory(config: Config, encoder: keras.Model) -> None:
    """Refuse a batch whose activations in the encoder do not fit into the available memory.

    On a GPU, or if several devices share the batch or blocks are computed again, there is no estimate, and nothing is
    refused.

    Args:
        config: The settings.
        encoder: The encoder, built.

    Raises:
        UserError: With the estimate.
    """
    is_shared = tf.distribute.get_strategy().num_replicas_in_sync > 1
    if is_shared or config.recompute_blocks or tf.config.list_physical_devices("GPU"):
        return
    trainable_layers = [layer for layer in encoder.layers if layer.weights and _uses(layer) == 1]
    activations = sum(math.prod(side or 1 for side in layer.output.shape[1:]) for layer in trainable_layers)
    rows = 2 * config.batch_size if config.chunk_size is None else config.chunk_size
    needed_bytes, free_bytes = int(ACTIVATION_COPIES * FLOAT_BYTES * rows * activations), available()
    if needed_bytes > free_bytes:
        in_chunks = config.chunk_size is not None
        size, what = ("chunk_size", "a chunk") if in_chunks else ("batch_size", "the views of a batch")
        raise UserError(
            f"`{size}` {getattr(config, size)} needs about {_size(needed_bytes)} of memory for {what} in "
            f"`encoder` {shown(config.encoder)}; {_size(free_bytes)} are left on this machine; take a smaller value, "
            f"or {argument('recompute_blocks', True)}."
        )


def _largest_settings(config: Config) -> str:
    """Return the settings that determine the size of the largest part, with their values."""
    weights: Mapping[str, int] = configured_weights(config)
    largest = max(weights, key=lambda part: weights[part])
    values, names = config.to_dict(), SIZE_SETTINGS[largest]
    if largest == "head":
        names = HEAD_SIZE_SETTINGS.get(config.head, names)
    return " and ".join(f"`{name}` {shown(values[name])}" for name in names)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
