"""One device run from its plan to its result; `qssl device` is its command line."""

import time
from typing import Any

import numpy as np

from qssl_tf.device.backends import Device
from qssl_tf.device.export import product_names
from qssl_tf.device.jobs import run_jobs
from qssl_tf.device.ledger import Ledger
from qssl_tf.device.per_image import write_table
from qssl_tf.device.plan import say
from qssl_tf.device.results import judged, outcome, spec_of
from qssl_tf.errors import UserError
from qssl_tf.evaluation.scores import score
from qssl_tf.files.lock import locked
from qssl_tf.files.write import sweep, write_json
from qssl_tf.models.heads import head_features
from qssl_tf.plots.run import confusion
from qssl_tf.training.runs import Run


def execute(run: Run, ledger: Ledger, chosen: Device) -> dict[str, Any]:
    """Run a plan to its result, alone in its folder, as another process may have left it meanwhile.

    Returns:
        What `result.json` holds.
    """
    with locked(ledger.folder):
        sweep(ledger.folder)
        return finish(run, ledger.again(), chosen)


def finish(run: Run, ledger: Ledger, chosen: Device) -> dict[str, Any]:
    """Run what is missing of a ledger, and write `result.json` and the figures."""
    check_fits(run, ledger)
    client = None if chosen.is_local else chosen.service()
    began = time.perf_counter()
    try:
        run_jobs(ledger, chosen, report=say, client=client)
    finally:
        ledger.record["seconds"] += time.perf_counter() - began
        ledger.save()
    names, backend, per_image = ledger.record["class_names"], ledger.record["backend"], outcome(run.config, ledger)
    write_table(ledger.folder, per_image, names, product_names(spec_of(run.config)))
    result = judged(ledger, per_image)
    write_json(ledger.folder / "result.json", result)
    on_device, exact = score(result["confusion"]), score(result["confusion_exact"])
    for kind, where, scores in (("confusion", backend, on_device), ("confusion_exact", "exact simulation", exact)):
        title = f"{where}: {scores.accuracy:.1f} %\n{scores.beside}"
        confusion(ledger.folder / f"{kind}.png", np.array(result[kind]), names, title)
    low, high = result["accuracy_interval"]
    say(
        f"accuracy {result['accuracy']:.1f} % (95 % interval {low:.1f} to {high:.1f}; {on_device.beside}), "
        f"exact {result['accuracy_exact']:.1f} % (balanced {exact.balanced:.1f} %) on the same {result['images']} "
        "images; "
        f"rms error {result['rms_error']:.4f} (unmitigated {result['rms_error_raw']:.4f}), {result['seconds']:.0f} s"
    )
    say(f"result: {ledger.folder / 'result.json'}")
    return result


def check_fits(run: Run, ledger: Ledger) -> None:
    """Refuse a device run whose numbers are not of this run's head, before anything costs time.

    Raises:
        UserError: It says what differs.
    """
    stored, qubits = ledger.values(), len(ledger.record["layout"])
    names = ("rows", "exact", "labels", "kernel", "bias")
    absent = [name for name in names if name not in stored]
    if absent:
        raise UserError(f"{ledger.folder / 'values.npz'} lacks {', '.join(absent)}; start a new device run.")
    shapes = {name: stored[name].shape for name in names}
    images, classes = stored["labels"].size, len(ledger.record["class_names"])
    features = head_features(run.config)
    right = {
        "rows": (ledger.calibration + images, len(ledger.record["parameters"])),
        "exact": (ledger.calibration + images, features),
        "labels": (images,),
        "kernel": (features, classes),
        "bias": (classes,),
    }
    if run.config.head != "quantum" or qubits != run.config.width or shapes != right or not images:
        raise UserError(
            f"{ledger.folder} is of {qubits} qubits and arrays of shapes {list(shapes.values())}, which do not fit "
            f"{run.folder}; start a new device run."
        )
