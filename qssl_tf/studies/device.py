"""A study's trained circuit on the calibration snapshot of the paper's device, compared with exact simulation."""

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
from qssl_tf.studies.storage import Storage, finished_run
from qssl_tf.studies.studies import RunSpec, Study

BACKEND, IMAGES, SHOTS, MITIGATION = "fake_paris", 900, 8192, "affine"
RESULT_FIELDS = (
    "backend", "images", "shots", "mitigation", "accuracy", "accuracy_interval", "accuracy_exact", "rms_error",
    "rms_error_raw", "two_qubit_gates", "confusion", "confusion_exact", "step", "seconds",
)  # fmt: skip


class DeviceFile(Schema):
    """`device.json` of a study: the run, its classes, and RESULT_FIELDS of its device result."""

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
    def _check_consistency(self) -> "DeviceFile":
        for counts in (self.confusion, self.confusion_exact):
            check_confusion(counts, self.class_names)
        return self


def run_on_device(study: Study, spec: RunSpec, storage: Storage, batches: str) -> None:
    """Classify unseen images with a finished run's circuit on the snapshot, and write `device.json`.

    Raises:
        UserError: The run is not finished, or its weights are gone.
    """
    from qssl_tf.device import run as device_run

    record, run = finished_run(spec, storage)
    ledger, device = device_run.plan(run, DeviceOptions(BACKEND, IMAGES, SHOTS, MITIGATION))
    result = device_run.execute(run, ledger, device)
    run_fields = {"run": spec.name, "class_names": record.class_names}
    write_json(device_path(storage.results), run_fields | {key: result[key] for key in RESULT_FIELDS})


def device_path(results: Path) -> Path:
    """Return the path of the device's result."""
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
        values = read_as(path, DeviceFile)
        return {key: values[key] for key in ("run", "class_names", *RESULT_FIELDS)}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no device's result ({reason(error)}); move it away.") from None
