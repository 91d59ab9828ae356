"""All pictures of a trained run that need its images."""

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
from qssl_tf.evaluation.features import BATCH
from qssl_tf.evaluation.trained_run import TrainedRun, as_run, images_of
from qssl_tf.files.checksums import listed
from qssl_tf.plots.bloch import bloch_angles
from qssl_tf.plots.embedding import METHODS, embedding_map, why_no_map
from qssl_tf.plots.expectations import expectation_distributions
from qssl_tf.plots.projector import write_projector
from qssl_tf.training.runs import own_folder

Picture = tuple[str, Callable[[Path], Any]]
AMPLITUDES = "amplitude"  # its numbers are no angles of single qubits


@checks_arguments
def draw_run(run: TrainedRun | str | Path, data: ImageData | None = None) -> dict[str, Path | str]:
    """Draw maps, distributions, angles and circuit of a run on its test images, into its `figures`.

    TensorBoard's projector files are written beside its curves.

    Args:
        run: The run, or its folder. Pictures of one that comes with the package go to a copy, `runs/NAME`.
        data: The images, where they were given to `pretrain`; None takes the run's own. Where none are held out for
            testing, the training images are drawn.

    Returns:
        What each picture shows, and its PNG file, beside which an SVG lies; or why there is none, as for a map of
        features that are all equal.

    Raises:
        UserError: The run was trained on other images, or `runs/NAME` is another run than the package's.
    """
    run = as_run(run)
    data, folder = images_of(run, data), own_folder(run.folder)
    shown = data.test if len(data.test) else data.train
    figures, features = folder / "figures", run.features(shown.images)
    drawn: dict[str, Path | str] = {}
    unmapped = why_no_map(features)
    vouched = listed(folder)  # of a folder that was made for others with its pictures, which stay as they are
    for name, (about, draw) in _pictures(run, features, shown, data.class_names).items():
        path = figures / f"{name}.png"
        is_map = name.removeprefix("map-") in METHODS
        drawn[about] = unmapped if is_map and unmapped else path
        if drawn[about] == path and path.relative_to(folder).as_posix() not in vouched:
            draw(path)
    write_projector(folder / "tensorboard", features, shown.labels, data.class_names, shown.images)
    return drawn


def _pictures(run: TrainedRun, features: np.ndarray, shown: Split, names: Sequence[str]) -> dict[str, Picture]:
    """Return what is drawn, by the name of its file: what it shows, and the function (path) that draws it."""
    table: dict[str, Picture] = {}
    for method in METHODS:
        draw = functools.partial(embedding_map, features=features, labels=shown.labels, names=names, method=method)
        table[f"map-{method}"] = (f"map of the features ({method})", draw)
    of_each = feature_names(run, features.shape[1])
    table["features"] = (
        "distribution of each feature",
        lambda path: expectation_distributions(path, features, shown.labels, names, of_each),
    )
    if run.config.head == "quantum":
        table["circuit"] = ("trained circuit", lambda path: draw_circuit(path, run.model.head))
        if run.config.encoding != AMPLITUDES:
            table["angles"] = ("angles of the encoder", lambda path: bloch_angles(path, _angles(run, shown)))
    return table


def _angles(run: TrainedRun, shown: Split) -> np.ndarray:
    return np.concatenate([run.model.encode(batch).numpy() for batch in image_batches(shown.images, BATCH)])


def feature_names(run: TrainedRun, count: int) -> list[str]:
    """Return `Z0`, `Z0Z1` and the like for a quantum head, numbers for others."""
    if run.config.head != "quantum":
        return [str(number) for number in range(count)]
    return [
        "".join(f"{pauli}{qubit.col}" for qubit, pauli in sorted(observable.items()))
        for observable in run.model.head.spec.observables
    ]
