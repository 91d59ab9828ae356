"""The inputs of a device run: angles and exact expectations of the chosen images, and the probe's classifier."""

from dataclasses import dataclass

import keras
import numpy as np

from qssl_tf.data.images import ImageData
from qssl_tf.data.pipeline import image_batches
from qssl_tf.device.options import CALIBRATION_ROWS
from qssl_tf.errors import UserError
from qssl_tf.evaluation.classifier import LinearFit
from qssl_tf.evaluation.features import BATCH, angles_of, check_finite
from qssl_tf.evaluation.probe_files import probe_again, read_classifier
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.models.simclr import SimCLR
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.simulators import why_not_pauli
from qssl_tf.quantum.spec import CircuitSpec
from qssl_tf.training.checkpoints import load_weights
from qssl_tf.training.fit import build_for_use
from qssl_tf.training.provenance import images_of_run
from qssl_tf.training.runs import Run


@dataclass(frozen=True)
class Problem:
    """A trained head, the images for it, and the classifier behind it.

    Attributes:
        spec: The head's circuit.
        weights: Its weights in radians.
        rows: Angles of the encoding in radians, shape (calibration + images, input symbols); calibration rows first.
        exact: Exact expectations of all rows, shape (calibration + images, observables).
        labels: True labels of the images, without the calibration rows.
        positions: Place of each of them among the run's test images.
        classifier: From observables to classes.
        class_names: Of the labels.
        step: The checkpoint's.
    """

    spec: CircuitSpec
    weights: np.ndarray
    rows: np.ndarray
    exact: np.ndarray
    labels: np.ndarray
    positions: np.ndarray
    classifier: LinearFit
    class_names: tuple[str, ...]
    step: int

    @property
    def calibration(self) -> int:
        """Number of calibration rows: CALIBRATION_ROWS, or all training images where there are fewer."""
        return len(self.rows) - len(self.labels)


def problem(
    run: Run,
    checkpoint: str,
    images: int | None,
    seed: int,
    data: ImageData | None = None,
    image: int | None = None,
) -> Problem:
    """Prepare a probed run for a device.

    Args:
        run: The run.
        checkpoint: `last`, or the step that was probed.
        images: How many test images, the same number of each class as far as it goes; None is 900, or all if fewer.
        seed: Which images.
        data: The run's images; None loads what its settings name.
        image: Place of a single test image, in place of those chosen by `images` and `seed`.

    Raises:
        UserError: The run has no quantum head, no probe, or one of another checkpoint; or too few images.
    """
    step, classifier = _classifier(run, checkpoint)
    data = data or images_of_run(run)
    positions = _positions(data, images, seed) if image is None else _position(data, image)
    model = build_for_use(run.config, data, run.checkpoint(step))
    load_weights(run, model, step)
    calibrating = stratified(data.train.labels, CALIBRATION_ROWS, seed)
    pictures = np.concatenate([data.train.images[calibrating], data.test.images[positions]])
    angles = angles_of(model, image_batches(pictures, BATCH))
    head = exact_head(model)
    rows = keras.ops.convert_to_numpy(head.spec.encoding.angles(angles, keras.ops, head.width))
    exact, labels = head.predict(angles), data.test.labels[positions]
    check_finite(exact)
    fits = (exact.shape[1], len(data.class_names))
    if classifier.kernel.shape != fits or classifier.bias.shape != fits[1:]:
        raise UserError(
            f"{run.probe.with_suffix('.npz')} must be a classifier of {fits[0]} features into {fits[1]} classes; "
            f"got shape {classifier.kernel.shape}; probe the run again."
        )
    weights = head.parameters.numpy()
    return Problem(head.spec, weights, rows, exact, labels, positions, classifier, data.class_names, step)


def _positions(data: ImageData, images: int | None, seed: int) -> np.ndarray:
    """Return the places of the test images that a device run takes."""
    count = min(900, len(data.test)) if images is None else images
    if not 1 <= count <= len(data.test):
        raise UserError(f"`images` must be from 1 to {len(data.test)}, the test images of {data.name}; got {count}.")
    return stratified(data.test.labels, count, seed)


def _position(data: ImageData, image: int) -> np.ndarray:
    """Return the place of a single test image."""
    if not 0 <= image < len(data.test):
        raise UserError(f"`image` must be from 0 to {len(data.test) - 1}, a test image of {data.name}; got {image}.")
    return np.array([image])


def exact_head(model: SimCLR) -> QuantumHead:
    """Return the model's head without shots, and with its noise where noise is exact.

    These are the values that the probe's classifier was fitted to, apart from shots.
    """
    settings = model.head.get_config()
    names = ["width", "ansatz", "layers", "encoding", "observables", "partial_measurement"]
    if why_not_pauli(Measurement(noise=settings["noise"]), settings["width"], settings["encoding"]) is None:
        names += ["noise", "noise_level"]
    head = QuantumHead(**{name: settings[name] for name in names})
    head.parameters.assign(model.head.parameters)
    return head


def stratified(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return `count` random places, the numbers of each class as equal as can be."""
    rng = np.random.default_rng(seed)
    by_class = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    # One of each class in turn, until none is left.
    ranks = np.concatenate([np.arange(len(places)) for places in by_class])
    order = np.lexsort((rng.random(len(ranks)), ranks))
    return np.concatenate(by_class)[order[:count]]


def _classifier(run: Run, checkpoint: str) -> tuple[int, LinearFit]:
    """Return the probed step and its classifier."""
    step, fit = read_classifier(run.probe)
    if checkpoint not in ("last", str(step)):
        raise UserError(
            f"`checkpoint` must be {step}, the step that {run.probe.with_suffix('.npz')} classifies; got "
            f"'{checkpoint}'; {probe_again(run.probe, checkpoint)}."
        )
    return step, fit
