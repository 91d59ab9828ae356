"""What a model of some settings takes, told from the settings alone: before anything of that size is made."""

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import keras
import tensorflow as tf

from qssl_tf.config import Config
from qssl_tf.errors import UserError, shown
from qssl_tf.models.encoders import FEATURES
from qssl_tf.models.heads import head_inputs
from qssl_tf.quantum.memory import available

NUMBER = 4  # bytes of a float32
KEPT = 4  # of each weight: itself, its gradient, and Adam's two averages
# How often the outputs of an encoder's trained layers are held in a training step, at least: measured 1.8 to 3.1 times.
OUTPUTS = 1.5
# Part of a model -> the settings that choose its size.
CHOSEN_BY = {"encoder": ("encoding", "width"), "head": ("width", "layers"), "projector": ("projector",)}


def head_features(config: Config) -> int:
    """Return how many numbers the head puts out."""
    width = config.width
    if config.head != "quantum":
        return 2 * width if config.head == "trigonometric" else width
    named = {"z": width, "z_zz": width * (width + 1) // 2}
    return named.get(config.observables, config.observables.count(",") + 1)


def chosen_weights(config: Config) -> dict[str, int]:
    """Return how many weights those layers have whose size the settings choose, by part of the model.

    The layers of an encoder's own are not counted, nor biases, batch norms and a circuit's angles, which are few.
    """
    inputs, features = head_inputs(config), head_features(config)
    widths = (features, *(config.projector or (features, features))) if config.project else ()
    return {
        "encoder": FEATURES.get(config.encoder, 1) * inputs,
        "head": config.layers * config.width**2 if config.head == "classical" else 0,
        "projector": sum(before * after for before, after in pairwise(widths)),
    }


def refuse_beyond_file(config: Config, path: Path) -> None:
    """Refuse settings that ask for more weights than the file can hold from which they will be read.

    A folder of a stranger may hold settings of any size beside a small file.

    Raises:
        UserError: It gives both sizes.
    """
    if not path.is_file():
        return  # which is told by whoever reads it
    needed, held = NUMBER * sum(chosen_weights(config).values()), path.stat().st_size
    if needed > held:
        raise UserError(
            f"{path} is damaged (it has {_size(held)}, and {_blamed(config)} in config.json need {_size(needed)} of "
            "weights); use the config.json it was written with, or another checkpoint."
        )


def batch_numbers(config: Config) -> dict[str, int]:
    """Return how many numbers a training step holds at least of a batch, by the setting that chooses it.

    Two views of each image pass the layers that `chosen_weights` counts, and each view is compared with all others.
    """
    widths = (head_inputs(config), head_features(config), *(config.projector if config.project else ()))
    return {"layers": 2 * config.batch_size * sum(widths), "comparisons": (2 * config.batch_size) ** 2}


def refuse_beyond_memory(config: Config, training: bool) -> None:
    """Refuse settings whose weights, gradients and optimizer do not fit into the memory that is left.

    Args:
        config: The settings.
        training: Whether a batch of them must fit as well.

    Raises:
        UserError: It gives the estimate, and the setting that asks for most of it.
    """
    weights, batch = chosen_weights(config), batch_numbers(config) if training else {}
    of_weights, of_batch, left = KEPT * NUMBER * sum(weights.values()), NUMBER * sum(batch.values()), available()
    if of_weights > left:
        raise UserError(
            f"{_blamed(config)} needs about {_size(of_weights)} of memory for weights, gradients and optimizer; "
            f"{_size(left)} are left on this machine; take smaller values."
        )
    if of_weights + of_batch > left:
        raise UserError(
            f"`batch_size` {config.batch_size} needs about {_size(of_weights + of_batch)} of memory for weights and a "
            f"batch; {_size(left)} are left on this machine; take a smaller value."
        )


def refuse_batch_beyond_memory(config: Config, encoder: keras.Model) -> None:
    """Refuse a batch whose pictures within the encoder do not fit into the memory that is left, beside all else.

    Where a GPU holds it, or several devices share it, nothing is known here, and nothing is refused.

    Args:
        config: The settings.
        encoder: Built.

    Raises:
        UserError: It gives the estimate.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync > 1 or tf.config.list_physical_devices("GPU"):
        return
    trained = [layer for layer in encoder.layers if layer.weights and len(layer._inbound_nodes) == 1]
    numbers = sum(math.prod(side or 1 for side in layer.output.shape[1:]) for layer in trained)
    needed, left = int(OUTPUTS * NUMBER * 2 * config.batch_size * numbers), available()
    if needed > left:
        raise UserError(
            f"`batch_size` {config.batch_size} needs about {_size(needed)} of memory for the views of a batch in "
            f"`encoder` {shown(config.encoder)}; {_size(left)} are left on this machine; take a smaller value."
        )


def _blamed(config: Config) -> str:
    """Return the settings, with their values, that choose the size of the largest part."""
    weights: Mapping[str, int] = chosen_weights(config)
    largest = max(weights, key=lambda part: weights[part])
    values = config.to_dict()
    return " and ".join(f"`{name}` {shown(values[name])}" for name in CHOSEN_BY[largest])


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
