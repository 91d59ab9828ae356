"""Plans a device run within a budget of device time: how many images, shots and calibration rows say the most.

Many images make the interval of an accuracy narrow; many shots keep images from crossing a border between classes by
chance. The plan with the narrowest interval around the exact accuracy is taken: 1.96 standard errors by the number of
images, and beside them the accuracy that is lost to the shots, by simulation on the exact expectations that are there.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from qssl_tf.commands import argument
from qssl_tf.device.backends import Device
from qssl_tf.device.costs import MAX_EXECUTIONS, Cost, most_shots
from qssl_tf.device.inputs import Problem
from qssl_tf.device.ledger import Ledger
from qssl_tf.device.options import AFFINE_ROWS, CALIBRATION_ROWS, LEFT, DeviceOptions
from qssl_tf.device.service import seconds_left
from qssl_tf.errors import UserError

SHOTS = tuple(64 * 2**power for power in range(8))  # 64 to 8,192
CALIBRATIONS = (10, 25, CALIBRATION_ROWS)
DRAWS = 20  # of simulated shots


@dataclass(frozen=True)
class Plan:
    """What is run within a budget.

    Attributes:
        images: How many test images.
        shots: Of each.
        calibration: Rows that calibrate each job.
        seconds: About how long the device is busy.
        margin: Half the width of the interval around the exact accuracy, in percent.
    """

    images: int
    shots: int
    calibration: int
    seconds: float
    margin: float


def planned_within(
    budget: float, cost: Cost, task: Problem, options: DeviceOptions, circuits: int, success: float
) -> Plan:
    """Return the plan with the narrowest interval that a budget allows.

    Args:
        budget: Seconds of device time.
        cost: On the device.
        task: All images that may be taken.
        options: Images and shots that it names stay as they are.
        circuits: That each row runs.
        success: Estimated success of the circuit, by which the device shrinks what it measures.

    Raises:
        UserError: The budget is below the cheapest plan.
    """
    plans = list(_plans(budget, cost, task, options, circuits, success))
    if not plans:
        least = math.ceil(_cheapest(cost, task, options, circuits))
        raise UserError(
            f"{argument('budget')} must be at least {least} s for the smallest device run that was asked for; got "
            f"{budget:g} s."
        )
    return min(plans, key=lambda plan: plan.margin)


def _plans(
    budget: float, cost: Cost, task: Problem, options: DeviceOptions, circuits: int, success: float
) -> Iterator[Plan]:
    for shots in _shots(options):
        really, room = most_shots(shots, options.suppression), _room(shots, options, circuits)
        for calibration in _calibrations(task, options):
            if room <= calibration:
                continue
            images = _most_images(budget, cost, really, calibration, room, len(task.labels))
            if options.images is not None and images < len(task.labels):
                continue
            if images:
                seconds = _seconds(cost, images, calibration, room, really)
                margin = expected_margin(task, images, shots, calibration, success)
                yield Plan(images, shots, calibration, seconds, margin)


def _room(shots: int, options: DeviceOptions, circuits: int) -> int:
    """Return how many rows a job may hold."""
    at_most = MAX_EXECUTIONS // (most_shots(shots, options.suppression) * circuits)
    return min(at_most, options.job_rows or at_most)


def _seconds(cost: Cost, images: int, calibration: int, room: int, shots: int) -> float:
    """Return the seconds of some images; each job begins with the calibration rows."""
    jobs = math.ceil(images / (room - calibration))
    return cost.seconds(images + jobs * calibration, jobs, shots)


def _shots(options: DeviceOptions) -> tuple[int, ...]:
    return SHOTS if options.shots is None else (options.shots,)


def _calibrations(task: Problem, options: DeviceOptions) -> list[int]:
    if options.mitigation != "affine":
        return [1]  # nothing is fitted
    return sorted({min(rows, task.calibration) for rows in CALIBRATIONS if min(rows, task.calibration) >= AFFINE_ROWS})


def _most_images(budget: float, cost: Cost, shots: int, calibration: int, room: int, at_most: int) -> int:
    """Return how many images fit a budget; each job begins with the calibration rows."""
    low, high = 0, at_most
    while low < high:
        middle = (low + high + 1) // 2
        fits = _seconds(cost, middle, calibration, room, shots) <= budget
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def _cheapest(cost: Cost, task: Problem, options: DeviceOptions, circuits: int) -> float:
    """Return the seconds of the cheapest plan."""
    images, shots, rows = (
        1 if options.images is None else len(task.labels),
        min(_shots(options)),
        min(_calibrations(task, options)),
    )
    room = max(_room(shots, options, circuits), rows + 1)
    return _seconds(cost, images, rows, room, most_shots(shots, options.suppression))


def expected_margin(task: Problem, images: int, shots: int, calibration: int, success: float) -> float:
    """Return half the width of the interval around the exact accuracy that a plan gives, in percent.

    A mitigated expectation is off by its shots' standard deviation, stretched by what the device shrinks, and by its
    line, which as many calibration rows fix as there are: a variance of about 1 + 2 / rows of one row's own.
    """
    exact = task.exact[task.calibration :]
    measured = exact * success
    spread = np.sqrt((1 - np.clip(measured, -1, 1) ** 2) / shots * (1 + 2 / calibration)) / success
    rng = np.random.default_rng(0)
    right = task.classifier.predict(exact) == task.labels
    drawn = [task.classifier.predict(exact + spread * rng.standard_normal(exact.shape)) for _ in range(DRAWS)]
    accuracy = float(np.mean(right))
    lost = abs(accuracy - float(np.mean([classes == task.labels for classes in drawn])))
    share = (accuracy * images + 2) / (images + 4)  # of all right or all wrong images an interval is not nothing
    return 100 * (1.96 * float(np.sqrt(share * (1 - share) / images)) + lost)


def budget_seconds(device: Device, options: DeviceOptions) -> float:
    """Return the seconds of a budget.

    Raises:
        UserError: It is what the account has left, and the account has no limit.
    """
    if options.budget != LEFT:
        assert isinstance(options.budget, float)
        return options.budget
    left = seconds_left(device.service())
    if left is None:
        raise UserError(
            f"{argument('budget')} must be a time here, since the account has no limit of its own; take "
            f"{argument('budget', '4m')}."
        )
    return left


def seconds_to_submit(ledger: Ledger) -> float:
    """Return about how long a real device will be busy with the jobs that were not submitted yet."""
    jobs = ledger.record["jobs"]
    ahead = sum(len(entry["rows"]) for entry in jobs if entry["id"] is None)
    return (ledger.record.get("device_seconds") or 0.0) * ahead / sum(len(entry["rows"]) for entry in jobs)


def more_than_half(device: Device, seconds: float) -> str:
    """Return a sentence where so many seconds are more than half of what the account has left; else an empty text.

    It is empty, too, where the service does not tell what is left: what must not be run it refuses itself.
    """
    try:
        left = seconds_left(device.service())
    except UserError:
        return ""
    if left is None or seconds <= left / 2:
        return ""
    return f"this takes about {seconds:.0f} of the {left:.0f} s that the account has left"


def cut(task: Problem, plan: Plan) -> Problem:
    """Return the first images and calibration rows of a problem: equally many of each class, as of all of them."""
    rows = np.r_[0 : plan.calibration, task.calibration : task.calibration + plan.images]
    return replace(
        task,
        rows=task.rows[rows],
        exact=task.exact[rows],
        labels=task.labels[: plan.images],
        positions=task.positions[: plan.images],
    )


def sentence(plan: Plan, budget: float) -> str:
    """Return a line on what is run within a budget."""
    return (
        f"within {budget:.0f} s: {plan.images} images, {plan.shots} shots, {plan.calibration} calibration rows, about "
        f"{plan.seconds:.0f} s; the accuracy will be within about {plan.margin:.1f} points of the exact one"
    )
