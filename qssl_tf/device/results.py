"""How well a device did: its classes and expectations beside the exact ones on the same images."""

from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.config import Config
from qssl_tf.device.jobs import collected, row_shots
from qssl_tf.device.ledger import Ledger
from qssl_tf.device.mitigation import MITIGATIONS, Measured
from qssl_tf.device.records import DeviceResult
from qssl_tf.errors import UserError, reason
from qssl_tf.evaluation.linear import LinearFit
from qssl_tf.evaluation.scores import confusion_matrix, score, wilson, with_class_balance
from qssl_tf.files.read import read_json
from qssl_tf.files.schema import check
from qssl_tf.quantum.observables import support_mask
from qssl_tf.quantum.spec import circuit_spec


def judged(config: Config, ledger: Ledger) -> dict[str, Any]:
    """Return a finished run's figures; accuracies are in percent, rows of confusion matrices are true classes."""
    record, stored = ledger.record, ledger.values()
    spec = circuit_spec(config.width, config.ansatz, config.layers, config.encoding, config.observables)
    belongs = support_mask(spec.observables, spec.qubits)
    measured, *amplified = collected(ledger, belongs)
    calibration, by_row = ledger.calibration, row_shots(ledger)
    shots = int(by_row[calibration:].min())
    wanted, exact = measured[calibration:], stored["exact"][calibration:]
    contrast = np.prod(np.where(belongs > 0, np.array(record["contrast"])[:, np.newaxis], 1.0), axis=0)
    seen = Measured(
        wanted,
        measured[:calibration],
        stored["exact"][:calibration],
        contrast,
        shots,
        amplified[0][calibration:] if amplified else None,
        int(by_row[:calibration].min()),
    )
    mitigated, errors = MITIGATIONS[record["mitigation"]](seen)
    classifier, labels = LinearFit(stored["kernel"], stored["bias"], []), stored["labels"]
    found, ideal = classifier.predict(mitigated), classifier.predict(exact)
    classes, hits = len(record["class_names"]), int(np.sum(found == labels))
    counts, counts_exact = (confusion_matrix(labels, said, classes) for said in (found, ideal))
    return {
        "backend": record["backend"],
        "images": len(labels),
        "shots": shots,
        "shots_asked": record["shots"],
        "calibration": calibration,
        "mitigation": record["mitigation"],
        "jobs": [entry["id"] or entry["tag"] for entry in record["jobs"]],
        "accuracy": 100 * hits / len(labels),
        "accuracy_interval": list(wilson(hits, len(labels))),
        "accuracy_exact": 100 * float(np.mean(ideal == labels)),
        "balanced_accuracy": score(counts).balanced,
        "balanced_accuracy_exact": score(counts_exact).balanced,
        "majority_share": score(counts).majority,
        "agreement": 100 * float(np.mean(ideal == found)),
        "rms_error": float(np.sqrt(np.mean((mitigated - exact) ** 2))),
        "rms_error_raw": float(np.sqrt(np.mean((wanted - exact) ** 2))),
        "rms_error_by_observable": np.sqrt(np.mean((mitigated - exact) ** 2, axis=0)).tolist(),
        "standard_error": float(np.sqrt(np.mean(errors**2))),
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
    }


def read_result(path: Path) -> dict[str, Any]:
    """Read `result.json`; what results of earlier versions do not say follows from their confusion matrix.

    Raises:
        UserError: It is damaged.
    """
    try:
        return check(DeviceResult, with_class_balance(read_json(path)))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({reason(error)}); restore or remove it.") from None
