"""A study's trained circuit on the calibration snapshot of the paper's device, beside the exact one."""

from pathlib import Path
from typing import Any

from pydantic import model_validator

from qssl_tf.device.options import DeviceOptions
from qssl_tf.errors import UserError, reason
from qssl_tf.files.schema import (
    Confusion,
    Count,
    Interval,
    Names,
    Percent,
    Positive,
    Rms,
    Schema,
    Seconds,
    Word,
    check_confusion,
    read_as,
)
from qssl_tf.files.write import write_json
from qssl_tf.studies.folders import Place, finished
from qssl_tf.studies.studies import Pair, Study

BACKEND, IMAGES, SHOTS, MITIGATION = "fake_paris", 900, 8192, "affine"
KEPT = (
    "backend", "images", "shots", "mitigation", "accuracy", "accuracy_interval", "accuracy_exact", "rms_error",
    "rms_error_raw", "two_qubit_gates", "confusion", "confusion_exact", "step", "seconds",
)  # fmt: skip


class StudyResult(Schema):
    """`device.json` of a study: KEPT of a device run's result, which run it was, and its classes."""

    run: Word
    class_names: Names
    backend: Word
    images: Positive
    shots: Positive
    mitigation: Word
    accuracy: Percent
    accuracy_interval: Interval
    accuracy_exact: Percent
    rms_error: Rms
    rms_error_raw: Rms
    two_qubit_gates: Count
    confusion: Confusion
    confusion_exact: Confusion
    step: Count
    seconds: Seconds

    @model_validator(mode="after")
    def _belongs_together(self) -> "StudyResult":
        for counts in (self.confusion, self.confusion_exact):
            check_confusion(counts, self.class_names)
        return self


def run_on_device(study: Study, pair: Pair, place: Place, batches: str) -> None:
    """Classify unseen images with a finished run's circuit on the snapshot, and keep what came out.

    Raises:
        UserError: The run is not finished, or its weights are gone.
    """
    from qssl_tf.device import run as device_run

    record, run = finished(pair, place)
    ledger, device = device_run.plan(run, DeviceOptions(BACKEND, IMAGES, SHOTS, MITIGATION))
    result = device_run.execute(run, ledger, device)
    described = {"run": pair.name, "class_names": record.class_names}
    write_json(device_path(place.results), described | {key: result[key] for key in KEPT})


def device_path(results: Path) -> Path:
    """Return where the device's result is kept."""
    return results / "device.json"


def read_device(results: Path) -> dict[str, Any] | None:
    """Return the device's result, or None if there is none.

    Raises:
        UserError: It is damaged.
    """
    path = device_path(results)
    if not path.is_file():
        return None
    try:
        values = read_as(path, StudyResult)
        return {key: values[key] for key in ("run", "class_names", *KEPT)}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no device's result ({reason(error)}); move it away.") from None
