"""What a run was trained on and with: recorded as it begins, compared whenever its folder is read again."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.data.sources import SOURCES, load, prepare
from qssl_tf.errors import UserError
from qssl_tf.models.simclr import SimCLR
from qssl_tf.registry import WORDS
from qssl_tf.training.facts import read_facts, read_versions
from qssl_tf.training.runs import Run

SPLITS = ("train", "validation", "test")


def images_of_run(run: Run, data: ImageData | None = None, data_dir: str | Path | None = None) -> ImageData:
    """Return a run's images, cut as its settings say.

    Args:
        run: The run.
        data: The images, where they were given to `pretrain`; None loads what the settings name.
        data_dir: Where they lie now, if not where the settings say.

    Raises:
        UserError: They are not those that the run was trained on, or cannot be found.
    """
    if data is not None:
        images = prepare(data, run.config)
    else:
        facts, named = read_facts(run), run.config.dataset
        # Those of TensorFlow Datasets are recorded by their full name, with version.
        if facts and facts["name"] == named and named not in SOURCES:
            raise UserError(
                f"{run.folder} was trained on images of your own ('{named}'); pass them as `data`, or register the "
                "data set first (on a command line with --plugin FILE)."
            )
        images = load(Config.from_dict(run.config.to_dict() | ({"data_dir": str(data_dir)} if data_dir else {})))
    check_images(run, images)
    return images


def check_images(run: Run, images: ImageData) -> None:
    """Refuse images that are not those that `data.json` describes; runs of earlier versions name the training split.

    Raises:
        UserError: It says which split differs.
    """
    facts = read_facts(run) or {}
    for name in SPLITS:
        split, recorded = getattr(images, name), facts.get(f"{name}_sha256")
        if recorded is not None and recorded != split.fingerprint():
            raise UserError(
                f"{run.folder} was trained on other images than these {len(images.train)} of {images.name}: its {name} "
                f"split was of {facts[f'{name}_images']} images, and the {len(split)} now have other pixels or labels; "
                "restore them, or train a new run."
            )


def own_parts(config: Config, model: SimCLR) -> dict[str, str]:
    """Return a fingerprint of each part of a model that is of the user's own, by its name in `versions.json`.

    Of a circuit these are its gates, of an encoder its layers, their settings and weights' shapes. What the code of an
    own layer class does is not seen.
    """
    parts = {}
    if config.head == "quantum" and config.ansatz in WORDS["ansatz"].own:
        parts["ansatz_sha256"] = model.head.spec.fingerprint()
    if config.encoder in WORDS["encoder"].own:
        parts["encoder_sha256"] = layers_fingerprint(model.encoder)
    return parts


def check_own_parts(run: Run, model: SimCLR) -> None:
    """Refuse a model whose own circuit or encoder is not the one that the run was trained with.

    Raises:
        UserError: It names the part.
    """
    now = own_parts(run.config, model)
    recorded = read_versions(run.folder) if now else {}
    for name, fingerprint in now.items():
        if recorded.get(name, fingerprint) != fingerprint:
            setting = name.removesuffix("_sha256")
            raise UserError(
                f"`{setting}` '{getattr(run.config, setting)}' is another than the one {run.folder} was trained with; "
                "register that one, or train a new run."
            )


def layers_fingerprint(model: keras.Model) -> str:
    """Return the SHA-256 of a model's layers in order, without their names, which count on from model to model."""
    return hashlib.sha256(json.dumps(list(_described(model)), sort_keys=True, default=_kind).encode()).hexdigest()


def _described(model: keras.Model) -> Iterator[list[Any]]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _described(layer)
            continue
        yield [type(layer).__name__, _nameless(layer.get_config()), [list(weight.shape) for weight in layer.weights]]


def _nameless(settings: Any) -> Any:
    """Return settings without names and types, also of the layers within a layer."""
    if isinstance(settings, dict):
        return {str(name): _nameless(value) for name, value in settings.items() if name not in ("name", "dtype")}
    return [_nameless(value) for value in settings] if isinstance(settings, list | tuple) else settings


def _kind(value: Any) -> str:
    """Return what stands for a value that JSON does not know: its text may hold an address of this process."""
    return type(value).__name__
