"""The figures of a trained run that need its images."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.arguments import checks_arguments
from qssl_tf.data.images import ImageData
from qssl_tf.data.pipeline import image_batches
from qssl_tf.data.splits import Split
from qssl_tf.device.draw import draw_circuit
from qssl_tf.evaluation.features import BATCH, angles_of
from qssl_tf.evaluation.trained_run import TrainedRun, as_run, images_of
from qssl_tf.files.checksums import listed
from qssl_tf.plots.bloch import bloch_angles
from qssl_tf.plots.embedding import METHODS, embedding_map, why_no_map
from qssl_tf.plots.expectations import expectation_distributions
from qssl_tf.plots.projector import write_projector
from qssl_tf.training.runs import own_folder

Figure = tuple[str, Callable[[Path], Any]]  # caption, and the function (path) that draws it
AMPLITUDES = "amplitude"  # this encoding has no angles of single qubits


@checks_arguments
def draw_run(run: TrainedRun | str | Path, data: ImageData | None = None) -> dict[str, Path | str]:
    """Draw maps, distributions, angles and the circuit of a run on its test images, into its folder `figures`.

    Files for TensorBoard's projector go into its folder `tensorboard`.

    Args:
        run: The run, or its folder. Figures of one that comes with the package go to a copy, `runs/NAME`.
        data: The images, if they were given to `pretrain`; None takes the run's own. Without test images, the training
            images are drawn.

    Returns:
        Caption -> PNG file, with an SVG beside it; or the reason why there is none, as for a map of features that are
        all equal.

    Raises:
        UserError: The run was trained on other images, or `runs/NAME` is another run than the package's.
    """
    run = as_run(run)
    data, folder = images_of(run, data), own_folder(run.folder)
    split = data.test if len(data.test) else data.train
    features = run.features(split.images)
    sources: dict[str, Path | str] = {}
    no_map_reason = why_no_map(features)
    checksummed = listed(folder)  # figures of a shared folder that its checksums list are not drawn again
    for name, (caption, draw) in _figures(run, features, split, data.class_names).items():
        path = folder / "figures" / f"{name}.png"
        is_map = name.removeprefix("map-") in METHODS
        sources[caption] = no_map_reason if is_map and no_map_reason else path
        if sources[caption] == path and path.relative_to(folder).as_posix() not in checksummed:
            draw(path)
    write_projector(folder / "tensorboard", features, split.labels, data.class_names, split.images)
    return sources


def _figures(run: TrainedRun, features: np.ndarray, split: Split, names: Sequence[str]) -> dict[str, Figure]:
    """Return the figures of a run by the names of their files."""
    table: dict[str, Figure] = {}
    for method in METHODS:
        draw = functools.partial(embedding_map, features=features, labels=split.labels, names=names, method=method)
        table[f"map-{method}"] = (f"map of the features ({method})", draw)
    labels = feature_names(run, features.shape[1])
    table["features"] = (
        "distribution of each feature",
        lambda path: expectation_distributions(path, features, split.labels, names, labels),
    )
    if run.config.head == "quantum":
        table["circuit"] = ("trained circuit", lambda path: draw_circuit(path, run.model.head))
        if run.config.encoding != AMPLITUDES:
            table["angles"] = ("angles of the encoder", lambda path: bloch_angles(path, _angles(run, split)))
    return table


def _angles(run: TrainedRun, split: Split) -> np.ndarray:
    return angles_of(run.model, image_batches(split.images, BATCH))


def feature_names(run: TrainedRun, count: int) -> list[str]:
    """Return `Z0`, `Z0Z1` and the like for a quantum head, numbers for others."""
    if run.config.head != "quantum":
        return [str(number) for number in range(count)]
    return [
        "".join(f"{pauli}{qubit.col}" for qubit, pauli in sorted(observable.items()))
        for observable in run.model.head.spec.observables
    ]
