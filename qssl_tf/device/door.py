"""What is refused before anything costs time: the rest of a device run loads TensorFlow, which takes seconds."""

from qssl_tf.commands import argument
from qssl_tf.compiler.working_parts import check_width
from qssl_tf.device.backends import Device, check_suppression, device
from qssl_tf.device.options import JOB_SECONDS, LEFT, DeviceOptions
from qssl_tf.errors import UserError
from qssl_tf.evaluation.probe_files import not_probed
from qssl_tf.files.latest import check_latest
from qssl_tf.training.runs import Run, check_own


def device_for(run: Run, options: DeviceOptions) -> Device:
    """Return the device that a run is to be executed on.

    Raises:
        UserError: The run has no quantum head or no probe, the device does not exist, is too small for the head, or
            does not do what the options ask of it.
    """
    check_own(run.folder)
    check_latest(run.folder / "ibmq")
    check_probed(run)
    chosen = device(options.backend, options.gates)
    check_suppression(options.suppression, chosen)
    check_width(chosen.backend, run.config.width)
    if options.budget == LEFT and chosen.is_local:
        raise UserError(
            f"{argument('budget')} without a time is what the account has left, and {chosen.name} is simulated; name a "
            f"time: {argument('budget', '4m')}."
        )
    if isinstance(options.budget, float) and options.budget <= JOB_SECONDS:
        raise UserError(
            f"{argument('budget')} must be above {JOB_SECONDS:.0f} s, the overhead of a job alone; got "
            f"{options.budget:g} s."
        )
    if options.gates == "fractional" and run.config.noise == chosen.name:
        raise UserError(
            f"{argument('gates', 'fractional')} is not for this run, which was trained for {chosen.name} with its "
            f"standard gates; take {argument('gates', 'standard')}."
        )
    return chosen


def check_probed(run: Run) -> None:
    """Refuse a run whose head is no circuit, or that was not probed.

    Raises:
        UserError: It says what is missing.
    """
    if run.config.head != "quantum":
        raise UserError(f"`head` must be quantum for a device; {run.folder} has '{run.config.head}'.")
    if not run.probe.exists():
        raise not_probed(run.probe)
