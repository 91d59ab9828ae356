"""The result of a device run: predicted classes and expectations, compared with exact ones on the same images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.config import Config
from qssl_tf.device.jobs import collected, row_shots
from qssl_tf.device.ledger import Ledger
from qssl_tf.device.mitigation import MITIGATIONS, Measured, Products
from qssl_tf.device.records import DeviceResult
from qssl_tf.device.suppression import SUPPRESSIONS
from qssl_tf.errors import UserError, reason
from qssl_tf.evaluation.classifier import LinearFit
from qssl_tf.evaluation.scores import confusion_matrix, score, wilson, with_class_balance
from qssl_tf.files.read import read_json
from qssl_tf.files.schema import check
from qssl_tf.markup import printable
from qssl_tf.quantum.observables import support_mask
from qssl_tf.quantum.spec import CircuitSpec, circuit_spec


@dataclass(frozen=True)
class Outcome:
    """What a finished device run says of each image; rows are images, without those that calibrate.

    Attributes:
        positions: Place of each image among the run's test images; None in device runs of earlier versions.
        labels: True classes.
        exact: Exact expectations, shape (images, observables).
        raw: Measured ones, same shape.
        mitigated: Estimates of the exact ones from the measured, same shape.
        errors: Standard errors of the estimates, same shape.
        shots: Fewest measurements of an image.
        classifier: From observables to classes.
    """

    positions: np.ndarray | None
    labels: np.ndarray
    exact: np.ndarray
    raw: np.ndarray
    mitigated: np.ndarray
    errors: np.ndarray
    shots: int
    classifier: LinearFit


def outcome(config: Config, ledger: Ledger) -> Outcome:
    """Return what a finished device run measured, mitigated as its record says."""
    record, stored = ledger.record, ledger.values()
    spec = spec_of(config)
    belongs = support_mask(spec.observables, spec.qubits)
    measured, *amplified = collected(ledger, belongs)
    calibration, by_row = ledger.calibration, row_shots(ledger)
    contrast = np.prod(np.where(belongs > 0, np.array(record["contrast"])[:, np.newaxis], 1.0), axis=0)
    apart, *amplified_apart = _apart(ledger, belongs)
    measurements = Measured(
        measured[calibration:],
        measured[:calibration],
        stored["exact"][:calibration],
        contrast,
        int(by_row[calibration:].min()),
        amplified[0][calibration:] if amplified else None,
        int(by_row[:calibration].min()),
        int(row_shots(ledger, 1)[calibration:].min()) if amplified else None,
        apart,
        amplified_apart[0] if amplified_apart else None,
    )
    mitigated, errors = MITIGATIONS[record["mitigation"]](measurements)
    return Outcome(
        stored.get("positions"),
        stored["labels"],
        stored["exact"][calibration:],
        measurements.rows,
        mitigated,
        errors,
        measurements.shots,
        LinearFit(stored["kernel"], stored["bias"], []),
    )


def _apart(ledger: Ledger, belongs: np.ndarray) -> list[Products | None]:
    """Return the images' products of each circuit without the readout's shift, for mitigations that undo the readout.

    Twirling the readout makes both errors of a qubit equal, and no shift is left.
    """
    record, count = ledger.record, belongs.shape[1]
    twirled = any(SUPPRESSIONS[word] == SUPPRESSIONS["readout_twirling"] for word in record.get("suppression", ()))
    shift = np.array(record.get("shift") or [0.0])
    if record["mitigation"] not in ("readout", "zne") or twirled or not shift.any():
        return [None]
    found = (values[ledger.calibration :] for values in collected(ledger, belongs, shift))
    return [Products(values[:, :count], values[:, count:]) for values in found]


def spec_of(config: Config) -> CircuitSpec:
    """Return the circuit of a run's head."""
    return circuit_spec(config.width, config.ansatz, config.layers, config.encoding, config.observables)


def judged(ledger: Ledger, outcome: Outcome) -> dict[str, Any]:
    """Return a finished run's figures; accuracies are in percent, rows of confusion matrices are true classes."""
    record, labels = ledger.record, outcome.labels
    predicted, ideal = (outcome.classifier.predict(values) for values in (outcome.mitigated, outcome.exact))
    classes, hits = len(record["class_names"]), int(np.sum(predicted == labels))
    counts, counts_exact = (confusion_matrix(labels, classes_of, classes) for classes_of in (predicted, ideal))
    squares = (outcome.mitigated - outcome.exact) ** 2
    return {
        "run": printable(ledger.folder.absolute().parent.parent.name),
        "class_names": record["class_names"],
        "backend": record["backend"],
        "images": len(labels),
        "shots": outcome.shots,
        "shots_asked": record["shots"],
        "calibration": ledger.calibration,
        "mitigation": record["mitigation"],
        "jobs": [entry["id"] or entry["tag"] for entry in record["jobs"]],
        "accuracy": 100 * hits / len(labels),
        "accuracy_interval": list(wilson(hits, len(labels))),
        "accuracy_exact": 100 * float(np.mean(ideal == labels)),
        "balanced_accuracy": score(counts).balanced,
        "balanced_accuracy_exact": score(counts_exact).balanced,
        "majority_share": score(counts).majority,
        "agreement": 100 * float(np.mean(ideal == predicted)),
        "rms_error": float(np.sqrt(np.mean(squares))),
        "rms_error_raw": float(np.sqrt(np.mean((outcome.raw - outcome.exact) ** 2))),
        "rms_error_by_observable": np.sqrt(np.mean(squares, axis=0)).tolist(),
        "standard_error": float(np.sqrt(np.mean(outcome.errors**2))),
        "confusion": counts.tolist(),
        "confusion_exact": counts_exact.tolist(),
        "two_qubit_gates": record["two_qubit_gates"],
        "depth": record["depth"],
        "initial_layout": record.get("initial_layout"),  # of older device runs it is not known
        "final_layout": record["layout"],
        "estimated_success": record["estimated_success"],
        "step": record["step"],
        "seed": record["seed"],
        "seconds": round(record["seconds"], 2),
        "device_seconds": record.get("device_seconds"),
        "device_seconds_billed": billed(record),
    }


def billed(record: dict[str, Any]) -> float | None:
    """Return the seconds that a real device's jobs were billed; None where one of them does not say, or none was."""
    seconds = [entry.get("billed") for entry in record["jobs"]]
    return None if None in seconds else sum(seconds)


def read_result(path: Path) -> dict[str, Any]:
    """Read `result.json`; what results of earlier versions do not say follows from their confusion matrix.

    Raises:
        UserError: It is damaged.
    """
    try:
        return check(DeviceResult, with_class_balance(read_json(path)))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({reason(error)}); restore or remove it.") from None
