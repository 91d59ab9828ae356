"""A study's trained circuit on the calibration snapshot of the paper's device, compared with exact simulation."""

from pathlib import Path
from typing import Any

from qssl_tf.device.door import device_for
from qssl_tf.device.options import DeviceOptions
from qssl_tf.errors import UserError, reason
from qssl_tf.files.schema import read_as
from qssl_tf.files.write import write_json
from qssl_tf.studies.storage import Storage, finished_run
from qssl_tf.studies.studies import RunSpec, Study

BACKEND, IMAGES, SHOTS, MITIGATION = "fake_paris", 900, 8192, "affine"
# What a report shows of a device's result, beside what every such result says.
SHOWN = ("run", "class_names", "accuracy_interval", "rms_error_raw", "confusion", "confusion_exact")


def run_on_device(study: Study, spec: RunSpec, storage: Storage, batches: str) -> None:
    """Classify unseen images with a finished run's circuit on the snapshot, and write `device.json`.

    Raises:
        UserError: The run is not finished, or its weights are gone.
    """
    from qssl_tf.device.plan import plan
    from qssl_tf.device.run import execute

    _, run = finished_run(spec, storage)
    options = DeviceOptions(BACKEND, IMAGES, SHOTS, MITIGATION)
    device = device_for(run, options)
    ledger = plan(run, device, options)
    write_json(device_path(storage.results), execute(run, ledger, device) | {"run": spec.name})


def device_path(results: Path) -> Path:
    """Return the path of the device's result."""
    return results / "device.json"


def read_device(results: Path) -> dict[str, Any] | None:
    """Return the device's result, or None if there is none.

    Raises:
        UserError: It is damaged.
    """
    from qssl_tf.device.records import DeviceResult  # late: Qiskit takes seconds to load

    path = device_path(results)
    if not path.is_file():
        return None
    try:
        values = read_as(path, DeviceResult)
        if missing := [name for name in SHOWN if values.get(name) is None]:
            raise ValueError(f"it lacks {missing[0]}")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no device's result ({reason(error)}); move it away.") from None
    return values
