"""Plans a device run: images, circuit, jobs, and the ledger that is written before anything is submitted."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from qssl_tf.commands import argument, command
from qssl_tf.compiler.compiled import Compiled, folded
from qssl_tf.compiler.fractional import WithFractionalGates, check_bounds
from qssl_tf.compiler.translate import translated
from qssl_tf.compiler.twin import twin
from qssl_tf.compiler.working_parts import left_out
from qssl_tf.data.images import ImageData
from qssl_tf.device.backends import Device
from qssl_tf.device.budget import budget_seconds, cut, planned_within, sentence
from qssl_tf.device.costs import Cost, cost_on, most_shots, rows_a_job
from qssl_tf.device.inputs import Problem, problem
from qssl_tf.device.layouts import Calibration, compiled_for
from qssl_tf.device.ledger import Ledger, planned
from qssl_tf.device.options import AFFINE_ROWS, CALIBRATION_ROWS, DEFAULT_SHOTS, DeviceOptions
from qssl_tf.device.own_backend import begin_again, is_own
from qssl_tf.device.suppression import check_circuits
from qssl_tf.errors import UserError, counted
from qssl_tf.files.latest import point_newest
from qssl_tf.files.write import first_free
from qssl_tf.interrupts import how_to_go_on
from qssl_tf.plots.gates import draw_gates
from qssl_tf.quantum.observables import support_mask
from qssl_tf.training.metadata import unfinished
from qssl_tf.training.runs import DEVICE_PACKAGES, Run, versions

# Mitigation -> the noise that it removes, though the classifier may know it; `affine` aims at the classifier's values.
REMOVED = {"readout": "the errors of the readout", "zne": "the noise of gates on two qubits"}


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def plan(
    run: Run, chosen: Device, options: DeviceOptions, checkpoint: str = "last", data: ImageData | None = None
) -> Ledger:
    """Choose images, compile the head, and write the ledger; nothing is submitted yet.

    Args:
        run: A probed run.
        chosen: From `door.device_for`.
        options: What is run, and how.
        checkpoint: `last` or the probed step.
        data: The run's images; None loads what its settings name.
    """
    count = 2 if options.mitigation == "zne" else 1
    shots = options.shots or DEFAULT_SHOTS
    rows_a_job(chosen, count, shots, options.suppression)  # before images are read
    task = problem(run, checkpoint, options.images, options.seed, data)
    _say_beforehand(run, chosen, options, task)
    best = _compiled(run, task, chosen, options)
    circuits = [best.circuit, folded(best.circuit, 3)][:count]
    check_circuits(options.suppression, circuits)
    cost = cost_on(chosen, circuits)
    if options.budget is not None:
        task, shots = _within_budget(task, chosen, options, cost, best, count)
    at_most = rows_a_job(chosen, count, shots, options.suppression)
    names, values = best.values([str(symbol) for symbol in task.spec.inputs], task.rows)
    for circuit in circuits:
        check_bounds(circuit, chosen.backend.target, names, values, chosen.name)
    jobs = planned(
        len(task.rows), task.calibration, min(at_most, options.job_rows or at_most), each=not chosen.is_local
    )
    settings, stored = _settings(task, best, chosen, options), _stored(task, values)
    rows, really = sum(map(len, jobs)), most_shots(shots, options.suppression)
    settings |= {"shots": shots, "device_seconds": None}
    if not chosen.is_local:
        settings["device_seconds"] = busy = cost.seconds(rows, len(jobs), really)
        say(f"{counted(len(jobs), 'job')}, {rows * really * count:,} shots, about {busy:.0f} s of device time")
    stem = f"{chosen.name.replace(':', '-')}-{time.strftime('%Y%m%d-%H%M%S')}"
    ledger = first_free(
        run.folder / "ibmq" / stem, lambda folder: Ledger.create(folder, settings, circuits, stored, jobs)
    )
    how_to_go_on(going_on(run, ledger))
    point_newest(ledger.folder)
    draw_gates(ledger.folder / "circuit.png", best.circuit)
    return ledger


def _within_budget(
    task: Problem, chosen: Device, options: DeviceOptions, cost: Cost, best: Compiled, circuits: int
) -> tuple[Problem, int]:
    """Return the images and the shots that a budget allows."""
    seconds = budget_seconds(chosen, options)
    plan = planned_within(seconds, cost, task, options, circuits, 1.0 if chosen.is_uncalibrated else best.success)
    say(sentence(plan, seconds))
    return cut(task, plan), plan.shots


def _say_beforehand(run: Run, chosen: Device, options: DeviceOptions, task: Problem) -> None:
    """Print what a user should know of a device run before it is compiled."""
    _check_calibration(task, options.mitigation)
    if run.config.noise != "none" and options.mitigation in REMOVED:
        say(
            f"the probe's classifier was fitted to values with the noise {run.config.noise}; "
            f"{options.mitigation} removes {REMOVED[options.mitigation]} from the device's"
        )
    if line := left_out(chosen.backend):
        say(line)
    if is_own(chosen.name) and not chosen.is_noisy:
        say(f"{chosen.name}: it has no noise of its own, so only that of the shots is left")
    if isinstance(chosen.backend, WithFractionalGates):
        say(f"{chosen.name} was calibrated without RX and RZZ: they are taken to err and last as its own gates do")
    which = unfinished(run, task.step) or f"step {task.step}"
    if options.budget is None:
        shots = options.shots or DEFAULT_SHOTS
        say(f"{run.folder}: {which}, {counted(len(task.labels), 'test image')} on {chosen.name}, {shots} shots each")
    else:
        say(f"{run.folder}: {which}, up to {len(task.labels)} test images on {chosen.name}")


def _compiled(run: Run, task: Problem, chosen: Device, options: DeviceOptions) -> Compiled:
    """Return the head's circuit compiled for a device, as in training if it was trained for it; say what came out."""
    best = compiled(run, task, chosen, options, report=say)
    success = "unknown without a calibration" if chosen.is_uncalibrated else f"{best.success:.3f}"
    say(
        f"{'compiled as in training' if run.config.noise == chosen.name else 'compiled'}: {best.two_qubit_gates} "
        f"two-qubit gates, depth {best.depth}, read on qubits {best.layout}, estimated success {success}"
    )
    return best


def compiled(
    run: Run, task: Problem, chosen: Device, options: DeviceOptions, report: Callable[[str], None]
) -> Compiled:
    """Return the head's circuit compiled for a device, as in training if it was trained for it."""
    if run.config.noise == chosen.name:
        return _as_trained(task, chosen)
    names, calibration = [str(symbol) for symbol in task.spec.inputs], slice(0, task.calibration)
    belongs = support_mask(task.spec.observables, task.spec.qubits)
    trials = Calibration(names, task.rows[calibration], task.exact[calibration], belongs)
    return compiled_for(chosen, translated(task.spec, task.weights), trials, options, report)


def _as_trained(task: Problem, chosen: Device) -> Compiled:
    weights = dict(zip(map(str, task.spec.weights), map(float, task.weights), strict=True))
    return twin(task.spec, chosen.name).bound(weights)


def _settings(task: Problem, best: Compiled, chosen: Device, options: DeviceOptions) -> dict[str, Any]:
    """Return what the ledger records beside its jobs."""
    return {
        "backend": chosen.name,
        "instance": None if chosen.is_local else getattr(chosen.backend, "_instance", None),
        "mitigation": options.mitigation,
        "suppression": list(options.suppression),
        "gates": chosen.gates,
        "calibration": task.calibration,
        "seed": options.seed,
        "step": task.step,
        "two_qubit_gates": best.two_qubit_gates,
        "depth": best.depth,
        "initial_layout": best.initial_layout,
        "layout": best.layout,
        "clbit_of_qubit": list(range(len(best.layout))),
        "estimated_success": None if chosen.is_uncalibrated else best.success,
        "contrast": chosen.readout_contrast(best.layout),
        "shift": chosen.readout_shift(best.layout),
        "class_names": list(task.class_names),
        "versions": _versions(),
        "seconds": 0.0,
    }


def _check_calibration(task: Problem, mitigation: str) -> None:
    """Say where few images calibrate, and refuse a line through less than three of them."""
    rows = task.calibration
    if rows < AFFINE_ROWS and mitigation == "affine":
        raise UserError(
            f"`mitigation` affine needs at least {AFFINE_ROWS} training images to calibrate its lines; got {rows}; "
            f"take {argument('mitigation', 'readout')}."
        )
    if rows < CALIBRATION_ROWS:
        say(f"calibration: all {rows} training images, where {CALIBRATION_ROWS} are taken of larger sets")


def going_on(run: Run, ledger: Ledger) -> str:
    """Return how to go on with a device run that was stopped."""
    if is_own(ledger.record["backend"]):
        return begin_again(ledger.record["backend"])
    return f"continue with: {command('device', run.folder, '--resume', ledger.folder.name)}"


def _versions() -> dict[str, str]:
    from importlib import metadata

    return versions() | {name: metadata.version(name) for name in DEVICE_PACKAGES}


def _stored(task: Problem, values: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays of the ledger; `values` are those of the circuit's parameters for each row."""
    return {
        "rows": values.astype(np.float64),
        "exact": task.exact,
        "labels": task.labels,
        "positions": task.positions,
        "kernel": task.classifier.kernel,
        "bias": task.classifier.bias,
    }
