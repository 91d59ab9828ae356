"""Provenance of a run: fingerprints of images and custom parts, recorded at the start and checked on every read."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.data.sources import SOURCES, load, prepare
from qssl_tf.errors import UserError
from qssl_tf.models.simclr import SimCLR
from qssl_tf.objectives.fingerprint import objective_fingerprint
from qssl_tf.objectives.table import OBJECTIVES
from qssl_tf.registry import WORDS
from qssl_tf.training.metadata import read_image_metadata, read_twin, read_versions
from qssl_tf.training.runs import Run, versions

SPLITS = ("train", "validation", "test")


def images_of_run(run: Run, data: ImageData | None = None, places: Mapping[str, str | None] | None = None) -> ImageData:
    """Return the images of a run, prepared as its settings say.

    Args:
        run: The run.
        data: The images, if they were passed to `pretrain`; None loads those that the settings name.
        places: Where they lie now, by the settings of `WHERE`; what is None or missing is as the run's settings say.

    Raises:
        UserError: They are not the images that the run was trained on, or cannot be found.
    """
    if data is not None:
        images = prepare(data, run.config)
    else:
        metadata, dataset_name = read_image_metadata(run), run.config.dataset
        # Data sets of TFDS are recorded by their full name, with version.
        if metadata and metadata["name"] == dataset_name and dataset_name not in SOURCES:
            raise UserError(
                f"{run.folder} was trained on images of your own ('{dataset_name}'); pass them as `data`, or register "
                "the data set first (on a command line with --plugin FILE)."
            )
        now = {name: place for name, place in (places or {}).items() if place is not None}
        images = load(Config.from_dict(run.config.to_dict() | now))
    check_images(run, images)
    return images


def check_images(run: Run, images: ImageData) -> None:
    """Refuse images that differ from those in `data.json`; earlier versions only recorded the training split.

    Raises:
        UserError: With the split that differs.
    """
    metadata = read_image_metadata(run) or {}
    for name in SPLITS:
        split, recorded_fingerprint = getattr(images, name), metadata.get(f"{name}_sha256")
        if recorded_fingerprint is not None and not split.has_fingerprint(recorded_fingerprint):
            raise UserError(
                f"{run.folder} was trained on other images than these {len(images.train)} of {images.name}: its {name} "
                f"split was of {metadata[f'{name}_images']} images, and the {len(split)} now have other pixels or "
                "labels; restore them, or train a new run."
            )


def custom_parts(config: Config, model: SimCLR) -> dict[str, str]:
    """Return fingerprints of the user-defined parts of a model and its loss, by their names in `versions.json`.

    They cover the gates of a circuit, the layers of an encoder with their settings and the shapes of their weights, but
    not the code of custom layer classes, and the operations of a loss.

    Raises:
        UserError: The function of an own objective fails.
    """
    return _custom_network(config, model) | _custom_objective(config, model)


def _custom_network(config: Config, model: SimCLR) -> dict[str, str]:
    parts = {}
    if config.head == "quantum" and config.ansatz in WORDS["ansatz"].own:
        parts["ansatz_sha256"] = model.head.spec.fingerprint()
    if config.encoder in WORDS["encoder"].own:
        parts["encoder_sha256"] = layers_fingerprint(model.encoder)
    return parts


def _custom_objective(config: Config, model: SimCLR) -> dict[str, str]:
    if config.objective not in WORDS["objective"].own:
        return {}
    needs = OBJECTIVES[config.objective]
    embeddings = model.projector.output_shape[-1]
    fingerprint = objective_fingerprint(
        model.loss, needs, config.batch_size, embeddings, config.queue_size if needs.queue else None
    )
    return {"objective_sha256": fingerprint}


def replicas_of(config: Config, model: SimCLR) -> dict[str, str]:
    """Return how many replicas a model was built for, by its name in `versions.json`, where a run depends on it."""
    if config.batch_statistics == "global":
        return {}
    return {"replicas": str(model.distribute_strategy.num_replicas_in_sync)}


def check_custom_parts(run: Run, model: SimCLR) -> None:
    """Refuse a model whose user-defined circuit or encoder is not the one that the run was trained with.

    Raises:
        UserError: With the part that differs.
    """
    _refuse_others(run, _custom_network(run.config, model))


def check_custom_objective(run: Run, model: SimCLR) -> None:
    """Refuse to go on with a user-defined objective that is not the one that the run was begun with.

    Operations are only compared within one version of TensorFlow, since another may build the same function of others.

    Raises:
        UserError: It differs.
    """
    fingerprints = _custom_objective(run.config, model)
    if fingerprints and read_versions(run.folder).get("tensorflow") == versions().get("tensorflow"):
        _refuse_others(run, fingerprints)


def _refuse_others(run: Run, fingerprints: Mapping[str, str]) -> None:
    recorded = read_versions(run.folder) if fingerprints else {}
    for name, fingerprint in fingerprints.items():
        if recorded.get(name, fingerprint) != fingerprint:
            setting = name.removesuffix("_sha256")
            raise UserError(
                f"`{setting}` '{getattr(run.config, setting)}' is another than the one {run.folder} was trained with; "
                "register that one, or train a new run."
            )


def twin_of(model: SimCLR) -> dict[str, Any] | None:
    """Return what the head says of the device for whose noise it is compiled; None without one."""
    return getattr(model.head, "twin", None)


def check_twin(run: Run, model: SimCLR) -> None:
    """Refuse a model whose device is calibrated otherwise than when the run was begun, or compiled to another layout.

    Raises:
        UserError: With both calibrations or layouts.
    """
    now = twin_of(model)
    if now is None:
        return
    then = read_twin(run)
    if then["device"] != now["device"]:
        raise UserError(
            f"{run.folder} was trained for {then['device']} by its twin.json and for {now['device']} by its "
            "config.json; restore the one that was changed."
        )
    remedy = f"install the packages of {run.folder / 'versions.json'}, or train a new run"
    if then["checksum"] != now["checksum"]:
        dates = [
            f"of {twin['calibrated'] or 'an unknown date'} (checksum {twin['checksum'][:8]})" for twin in (then, now)
        ]
        raise UserError(
            f"{run.folder} was trained for {now['device']} with a calibration {dates[0]}, and the one here, "
            f"{dates[1]}, has other numbers; {remedy}."
        )
    if any(then[name] != now[name] for name in ("initial_layout", "layout", "two_qubit_gates")):
        raise UserError(
            f"{run.folder} was trained on qubits {then['layout']} of {now['device']} with {then['two_qubit_gates']} "
            f"two-qubit gates, and this version of Qiskit compiles it to {now['layout']} with "
            f"{now['two_qubit_gates']}; {remedy}."
        )


def layers_fingerprint(model: keras.Model) -> str:
    """Return the SHA-256 of a model's layers in order, without their names, which Keras numbers per process."""
    return hashlib.sha256(
        json.dumps(list(_layer_descriptions(model)), sort_keys=True, default=_type_name).encode()
    ).hexdigest()


def _layer_descriptions(model: keras.Model) -> Iterator[list[Any]]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layer_descriptions(layer)
            continue
        yield [
            type(layer).__name__,
            _without_names(layer.get_config()),
            [list(weight.shape) for weight in layer.weights],
        ]


def _without_names(settings: Any) -> Any:
    """Return settings without names and dtypes, also of nested layers."""
    if isinstance(settings, dict):
        return {str(name): _without_names(value) for name, value in settings.items() if name not in ("name", "dtype")}
    return [_without_names(value) for value in settings] if isinstance(settings, list | tuple) else settings


def _type_name(value: Any) -> str:
    """Return the type of a value that JSON does not support, since its text may contain a memory address."""
    return type(value).__name__
