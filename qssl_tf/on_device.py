"""A trained head on a device, in Python as `python -m qssl_tf.ibmq_infer` does it."""

from pathlib import Path
from typing import Any

from qssl_tf.arguments import checks_arguments
from qssl_tf.data.images import ImageData
from qssl_tf.device_run import finish, plan
from qssl_tf.errors import UserError, shell
from qssl_tf.hardware.asked import check_asked
from qssl_tf.lock import locked
from qssl_tf.training.runs import open_run, own_folder
from qssl_tf.workflow import TrainedRun, as_run, images_of


@checks_arguments
def run_on_device(
    run: TrainedRun | str | Path,
    backend: Any = "fake_paris",
    data: ImageData | None = None,
    *,
    images: int | None = None,
    shots: int = 1024,
    mitigation: str = "affine",
    seed: int = 0,
    submit: bool = False,
) -> dict[str, Any]:
    """Classify unseen images with a probed run's circuit on a device or a snapshot of one (arXiv:2103.14653, Sec. 5).

    Everything is kept in `ibmq/` of the run's folder, the newest device run in `ibmq/latest`: counts, confusion
    matrices as figures, `result.json`. A device run that was interrupted goes on with
    `python -m qssl_tf.ibmq_infer --resume`.

    Args:
        run: A probed run with a quantum head, or its folder. What comes of one that comes with the package goes to a
            copy, `runs/NAME`.
        backend: `aer` (no noise but that of the shots), `fake_*` (a calibration snapshot), `least_busy`, or the name
            of a device of IBM Quantum.
        data: The images, where they were given to `pretrain`; None takes the run's own.
        images: How many test images, equally many of each class; None is 900, or all where there are fewer.
        shots: Measurements of each image.
        mitigation: `affine`, `readout`, `zne` or `none`.
        seed: Of the choice of images, the layout and simulated noise.
        submit: Needed for a real device, which costs time.

    Returns:
        What `result.json` holds: `accuracy` and `accuracy_exact` on the same images in percent, `accuracy_interval`
        (95 %), `rms_error` of the expectations, confusion matrices (rows are true classes) and more.

    Raises:
        UserError: The run was not probed, has no quantum head or other images; an unknown device or mitigation; or a
            real device without `submit`, which says how to go on.
    """
    check_asked(shots, mitigation, seed, images)
    trained = as_run(run)
    opened = open_run(own_folder(trained.folder))
    found = images_of(trained, data)
    ledger, device = plan(opened, backend, str(trained.step), images, shots, mitigation, seed, data=found)
    if not device.is_local and not submit:
        raise UserError(
            f"{device.name} is a real device and costs time, so nothing was submitted; pass submit=True, or go on with "
            f"`python -m qssl_tf.ibmq_infer --run {shell(opened.folder)} --resume {shell(ledger.folder.name)}`."
        )
    with locked(ledger.folder):
        return finish(opened, ledger, device)
