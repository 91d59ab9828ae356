"""What a trained circuit is worth on noisy devices: the one it was trained for, the same after a drift, another one.

Each device is its twin (`compiler.twin`), so that expectations come from its exact outcome distribution, sampled with
SHOTS shots. Three readings of the same shots are compared: as they are, mitigated by a line for each observable, and
by a classifier that was fitted on the device's own features.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from qssl_tf.data.images import ImageData
from qssl_tf.data.pipeline import image_batches
from qssl_tf.data.sources import load
from qssl_tf.device.inputs import stratified
from qssl_tf.device.mitigation import affine_fit
from qssl_tf.device.options import CALIBRATION_ROWS
from qssl_tf.evaluation.classifier import LinearFit
from qssl_tf.evaluation.features import BATCH, angles_of
from qssl_tf.evaluation.linear import fit_linear
from qssl_tf.files.write import write_json
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.pauli_simulation import PauliSimulation
from qssl_tf.quantum.pauli_simulator import pauli_expectations
from qssl_tf.studies.readings import readings_path
from qssl_tf.studies.storage import Storage, finished_run
from qssl_tf.studies.studies import RunSpec, Study
from qssl_tf.training.checkpoints import load_weights
from qssl_tf.training.fit import build_for_use

DEVICE, OTHER_DEVICE, SHOTS = "fake_paris", "fake_montreal", 1024
DRIFTS = {"half the errors": 0.5, "1.5 times the errors": 1.5, "twice the errors": 2.0}
PERMUTATIONS = 3  # of the qubits' numbers
LAYOUTS = 12  # most promising layouts that are compared by their exact noise
ROWS = 1000  # at a time


@dataclass(frozen=True)
class _Trained:
    """A trained circuit and its images as angles; the values are those of the circuit without noise."""

    head: QuantumHead
    train_angles: np.ndarray
    train_labels: np.ndarray
    test_angles: np.ndarray
    test_labels: np.ndarray
    train_values: np.ndarray
    test_values: np.ndarray
    classifier: LinearFit
    fit: dict[str, Any]
    calibrating: np.ndarray  # places of the calibration rows among the training images


def read_on_devices(study: Study, spec: RunSpec, storage: Storage, batches: str) -> None:
    """Evaluate a finished run's circuit on every device of the study and write `noise/<run>.json`.

    Raises:
        UserError: The run is not finished, or its weights are gone.
    """
    began = time.perf_counter()
    _, run = finished_run(spec, storage)
    data = load(replace(run.config, data_dir=storage.data_dir or run.config.data_dir))
    step = study.batches[-1]
    model = build_for_use(run.config, data, run.checkpoint(step))
    load_weights(run, model, step)
    trained = _trained(model, data, run.config)
    rows = [_reading(trained, name, simulation) for name, simulation in _devices(trained.head)]
    result = {
        "run": spec.name,
        "shots": SHOTS,
        "test_images": len(data.test),
        "readings": rows,
        "layouts": _layouts(trained),
        "seconds": round(time.perf_counter() - began, 1),
    }
    path = readings_path(storage.results, spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, result)


def _trained(model: Any, data: ImageData, config: Any) -> _Trained:
    """Return a model's circuit and images, with the classifier of the values without noise."""
    settings = model.head.get_config()
    names = ("width", "ansatz", "layers", "encoding", "observables")
    head = QuantumHead(**{name: settings[name] for name in names})
    head.parameters.assign(model.head.parameters)
    train_angles, test_angles = (
        angles_of(model, image_batches(split.images, BATCH)) for split in (data.train, data.test)
    )
    train_values, test_values = head.predict(train_angles), head.predict(test_angles)
    fit = {
        "classes": len(data.class_names),
        "epochs": config.probe_epochs,
        "batch_size": config.probe_batch_size,
        "learning_rate": config.probe_learning_rate,
        "seed": config.seed,
    }
    labels = (data.train.labels, data.test.labels)
    (classifier,) = fit_linear(lambda _: train_values[None], labels[0], test_values[None], labels[1], **fit)
    calibrating = stratified(data.train.labels, CALIBRATION_ROWS, config.seed)
    return _Trained(
        head, train_angles, labels[0], test_angles, labels[1], train_values, test_values, classifier, fit, calibrating
    )


def _devices(head: QuantumHead) -> Iterator[tuple[str, PauliSimulation]]:
    """Yield each device's name and the circuit there; a drift keeps the layout."""
    from qssl_tf.compiler.drift import drifted_errors
    from qssl_tf.compiler.regions import used_qubits
    from qssl_tf.compiler.snapshots import snapshot
    from qssl_tf.compiler.twin import simulated, twin

    own = twin(head.spec, DEVICE)
    yield DEVICE, own.simulation
    backend, qubits = snapshot(DEVICE), used_qubits(own.compiled.circuit)
    drifts: dict[str, tuple[float, int | None]] = {name: (scale, None) for name, scale in DRIFTS.items()}
    drifts |= {f"qubits exchanged, {seed}": (1.0, seed) for seed in range(PERMUTATIONS)}
    for name, (scale, seed) in drifts.items():
        run = simulated(head.spec, own.compiled, drifted_errors(backend, qubits, scale, seed))
        assert run is not None  # the same circuit as the twin's
        yield f"{DEVICE}, {name}", run
    yield OTHER_DEVICE, twin(head.spec, OTHER_DEVICE).simulation


def _values(simulation: PauliSimulation, trained: _Trained, angles: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return a device's expectations for rows of angles, shape (n, observables)."""
    expectations = pauli_expectations(simulation, "adjoint")
    rows = trained.head.spec.encoding.angles(angles, np, trained.head.width).astype(np.float32)
    padded = np.pad(rows, [(0, -len(rows) % ROWS), (0, 0)])
    weights, seeds = tf.convert_to_tensor(trained.head.parameters), tf.constant([seed, 0])
    parts = [
        expectations(tf.constant(padded[start : start + ROWS]), weights, seeds, tf.constant(start)).numpy()
        for start in range(0, len(padded), ROWS)
    ]
    return np.concatenate(parts)[: len(rows)]


def _reading(trained: _Trained, device: str, simulation: PauliSimulation) -> dict[str, Any]:
    """Return what the circuit is worth on one device."""
    sampled = replace(simulation, shots=SHOTS)
    test = _values(sampled, trained, trained.test_angles, seed=trained.fit["seed"])
    calibrating = trained.calibrating
    calibration = _values(sampled, trained, trained.train_angles[calibrating], seed=trained.fit["seed"] + 1_000_000)
    slope, offset = affine_fit(calibration, trained.train_values[calibrating], SHOTS)
    mitigated = slope * test + offset
    train = _values(simulation, trained, trained.train_angles)
    (refitted,) = fit_linear(
        lambda _: train[None], trained.train_labels, test[None], trained.test_labels, **trained.fit
    )

    def accuracy(classifier: LinearFit, values: np.ndarray) -> float:
        return 100 * float(np.mean(classifier.predict(values) == trained.test_labels))

    return {
        "device": device,
        "accuracy_exact": accuracy(trained.classifier, trained.test_values),
        "accuracy_raw": accuracy(trained.classifier, test),
        "accuracy_mitigated": accuracy(trained.classifier, mitigated),
        "accuracy_refitted": accuracy(refitted, test),
        "rms_raw": _rms(test - trained.test_values),
        "rms_mitigated": _rms(mitigated - trained.test_values),
    }


def _rms(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(errors, dtype=np.float64))))


def _layouts(trained: _Trained) -> list[dict[str, Any]]:
    """Return the most promising layouts of DEVICE, by estimated success, with the errors of their exact noise."""
    from qssl_tf.compiler.compile import compile_head
    from qssl_tf.compiler.noise_model import calibrated_errors
    from qssl_tf.compiler.regions import used_qubits
    from qssl_tf.compiler.snapshots import snapshot
    from qssl_tf.compiler.translate import to_qiskit
    from qssl_tf.compiler.twin import simulated

    backend, spec = snapshot(DEVICE), trained.head.spec
    candidates = compile_head(to_qiskit(spec.measurement_circuit, spec.qubits)[0], backend)
    scores: list[dict[str, Any]] = []
    for candidate in [one for one in candidates if one.active == trained.head.width][:LAYOUTS]:
        run = simulated(spec, candidate, calibrated_errors(backend, used_qubits(candidate.circuit)))
        if run is None:
            continue
        calibrating = trained.calibrating
        exact, noisy = trained.train_values[calibrating], _values(run, trained, trained.train_angles[calibrating])
        slope, offset = affine_fit(noisy, exact, 10 * SHOTS)
        test = _values(run, trained, trained.test_angles)
        scores.append({
            "layout": candidate.layout,
            "estimated_success": candidate.success,
            "rms_mitigated": _rms(slope * test + offset - trained.test_values),
        })  # fmt: skip
    return scores
