"""All pictures of a trained run that need its images."""

from pathlib import Path

import numpy as np

from qssl_tf.config import Config
from qssl_tf.data.images import ImageData, Split
from qssl_tf.data.pipeline import image_batches
from qssl_tf.evaluation.features import BATCH
from qssl_tf.pictures.bloch import bloch_angles
from qssl_tf.pictures.circuit import draw_circuit
from qssl_tf.pictures.embedding import METHODS, embedding_map, no_map
from qssl_tf.pictures.expectations import expectation_distributions
from qssl_tf.pictures.projector import write_projector
from qssl_tf.training.runs import own_folder
from qssl_tf.workflow import TrainedRun, as_run, images_of

AMPLITUDES = "amplitude"  # its numbers are no angles of single qubits


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
    reason = no_map(features)
    for method in METHODS:
        path = figures / f"map-{method}.png"
        drawn[f"map of the features ({method})"] = reason or path
        if not reason:
            embedding_map(path, features, shown.labels, data.class_names, method)
    drawn["distribution of each feature"] = path = figures / "features.png"
    names = feature_names(run, features.shape[1])
    expectation_distributions(path, features, shown.labels, data.class_names, names)
    if run.config.head == "quantum":
        drawn |= _draw_quantum(run, run.config, shown, figures)
    write_projector(folder / "tensorboard", features, shown.labels, data.class_names, shown.images)
    return drawn


def _draw_quantum(run: TrainedRun, config: Config, shown: Split, figures: Path) -> dict[str, Path | str]:
    drawn: dict[str, Path | str] = {"trained circuit": figures / "circuit.png"}
    draw_circuit(figures / "circuit.png", run.model.head)
    if config.encoding != AMPLITUDES:
        drawn["angles of the encoder"] = path = figures / "angles.png"
        batches = image_batches(shown.images, BATCH)
        bloch_angles(path, np.concatenate([run.model.frozen_angles(batch).numpy() for batch in batches]))
    return drawn


def feature_names(run: TrainedRun, count: int) -> list[str]:
    """Return `Z0`, `Z0Z1` and the like for a quantum head, numbers for others."""
    if run.config.head != "quantum":
        return [str(number) for number in range(count)]
    return [
        "".join(f"{pauli}{qubit.col}" for qubit, pauli in sorted(observable.items()))
        for observable in run.model.head.spec.observables
    ]
