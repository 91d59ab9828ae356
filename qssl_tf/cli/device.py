"""`qssl device`: a trained head on a device of IBM Quantum, or on a snapshot of one.

arXiv:2103.14653, Section 5, classifies 900 unseen images on ibmq_paris.
"""

import sys
from argparse import Namespace
from dataclasses import replace

from qssl_tf.cli.flags import Parser
from qssl_tf.cli.runs import add_place_flags, add_run_flags, images_there, named_run
from qssl_tf.device.options import DEFAULT_SHOTS, GATES, LEFT, METHODS, DeviceOptions
from qssl_tf.errors import UserError, shell
from qssl_tf.interrupts import how_to_go_on


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(description="Run a trained and probed head on a device.")
    add_run_flags(flags)
    flags.add_argument("--checkpoint", default="last", metavar="STEP", help="the step that was probed (default: last)")
    flags.add_argument(
        "--backend", default="fake_paris", help="aer, fake_*, a device's name or least_busy (default: fake_paris)"
    )
    flags.add_argument("--images", type=int, help="test images, equally many of each class (default: 900, or all)")
    flags.add_argument("--shots", type=int, help="measurements of each image (default: 1024)")
    flags.add_argument(
        "--budget", nargs="?", const=LEFT, metavar="TIME",
        help="plan images and shots within so much device time, such as 4m (without TIME: what the account has left)",
    )  # fmt: skip
    flags.add_argument("--mitigation", default="affine", help=f"one of {', '.join(METHODS)} (default: affine)")
    flags.add_argument(
        "--suppression",
        default="",
        metavar="WORDS",
        help="of decoupling,gate_twirling,readout_twirling; on real devices (default: none)",
    )
    flags.add_argument("--gates", default="best", help=f"one of {', '.join(GATES)} (default: best)")
    flags.add_argument(
        "--compile-seconds", type=float, metavar="S", help="try no more ways to compile after that (default: all)"
    )
    flags.add_argument(
        "--job-rows", type=int, metavar="N", help="rows of a job (default: 150 simulated, else by the device's limit)"
    )
    flags.add_argument("--seed", type=int, default=0, help="which images, layouts and simulated noise (default: 0)")
    flags.add_argument("--yes", action="store_true", help="submit to a real device without asking")
    flags.add_argument("--dry-run", action="store_true", help="do everything but submit")
    flags.add_argument(
        "--list", nargs="?", const="", metavar="NAMES", help="a table of the head on each snapshot, or on those named"
    )
    flags.add_argument("--status", action="store_true", help="list the run's device runs and their jobs")
    flags.add_argument(
        "--resume", nargs="?", const="", metavar="ID", help="continue a device run (default: the newest unfinished)"
    )
    flags.add_argument("--cancel", metavar="ID", help="cancel the waiting jobs of a device run")
    flags.add_argument("--export", choices=("qasm2", "qasm3", "qpy"), help="write the trained circuit and stop")
    flags.add_argument(
        "--image", type=int, metavar="N", help="with --export: at the angles of this test image (of qasm2: default 0)"
    )
    add_place_flags(flags)
    return flags


def main() -> None:
    """Do what the command line asks."""
    arguments = parser().parse_args()
    if arguments.image is not None and not arguments.export:
        raise UserError("--image belongs to --export; add --export qasm2, or name numbers of images by --images.")
    options = DeviceOptions(
        arguments.backend,
        arguments.images,
        arguments.shots,
        arguments.mitigation,
        arguments.seed,
        arguments.job_rows,
        tuple(word for word in arguments.suppression.split(",") if word),
        arguments.gates,
        arguments.compile_seconds,
        arguments.budget,
    )
    if arguments.budget and arguments.resume is not None:
        raise UserError("--budget plans a new device run; leave it out with --resume, which runs what was planned.")
    from qssl_tf.training.runs import own_folder

    run = named_run(arguments)
    if arguments.list is not None:
        show_list(run, options, arguments)
        return
    run = replace(run, folder=own_folder(run.folder, arguments.runs_dir))
    if arguments.status or arguments.cancel or arguments.resume is not None:
        manage(run, arguments)
    elif arguments.export:
        from qssl_tf.device.circuit_files import export

        export(run, arguments.checkpoint, arguments.export, arguments.image, images_there(run, arguments))
    else:
        start(run, options, arguments)


def manage(run, arguments: Namespace) -> None:
    """Do what the command line asks of device runs that are there already."""
    from qssl_tf.device import manage as device_records

    folder = run.folder / "ibmq"
    if arguments.status:
        device_records.show_status(folder)
    elif arguments.cancel:
        device_records.cancel(folder, arguments.cancel)
    else:
        from qssl_tf.device.plan import going_on

        ledger = device_records.chosen(folder, arguments.resume)
        how_to_go_on(going_on(run, ledger))
        device, costs = device_records.reopened(ledger)
        submit(run, ledger, device, costs and not arguments.yes, costs and not arguments.budget)


def show_list(run, options: DeviceOptions, arguments: Namespace) -> None:
    """Print what the head would be on each snapshot; nothing is kept."""
    from qssl_tf.device.door import check_probed

    check_probed(run)
    from qssl_tf.device import catalogue
    from qssl_tf.device.inputs import problem
    from qssl_tf.device.plan import say

    names = catalogue.chosen_names(arguments.list)
    task = problem(run, arguments.checkpoint, options.images, options.seed, images_there(run, arguments))
    shots = options.shots or DEFAULT_SHOTS
    say(
        f"{run.folder}: seconds to run are those of {len(task.labels)} images, {shots} shots each, reckoned from "
        f"{task.calibration} rows\n"
    )
    for line in catalogue.head_lines():
        say(line)
    for row in catalogue.rows(run, task, options, names):
        say(catalogue.line_of(row))


def start(run, options: DeviceOptions, arguments: Namespace) -> None:
    """Plan a device run, ask where it costs something, and run it."""
    from qssl_tf.device.door import device_for

    device = device_for(run, options)
    from qssl_tf.device.plan import plan  # late: what is refused above takes no second

    ledger = plan(run, device, options, arguments.checkpoint, images_there(run, arguments))
    if arguments.dry_run:
        print(f"dry run: nothing was submitted; go on with --resume {shell(ledger.folder.name)}")
        return
    costs = not device.is_local
    submit(run, ledger, device, costs and not arguments.yes, costs and not arguments.budget)


def submit(run, ledger, device, ask: bool, ask_of_much: bool) -> None:
    """Run a plan, after asking where it costs something, and where it costs much in any case.

    Args:
        run: The run.
        ledger: The plan.
        device: Where it runs.
        ask: Whether to ask.
        ask_of_much: Whether to ask, all the same, before more than half of what the account has left is spent.
    """
    from qssl_tf.device.budget import more_than_half, seconds_to_submit
    from qssl_tf.device.run import execute

    remedy = "add --yes to submit without being asked"
    if ask_of_much and (warning := more_than_half(device, seconds_to_submit(ledger))):
        print(warning)
        ask, remedy = True, "take fewer images or shots, or say yes on a terminal"
    if ask and not _agreed(remedy):
        print(f"not submitted; go on with --resume {shell(ledger.folder.name)}")
        return
    execute(run, ledger, device)


def _agreed(remedy: str) -> bool:
    if not sys.stdin.isatty():
        raise UserError(f"a real device costs time; {remedy}.")
    try:
        return input("submit? [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt) as end:  # Ctrl-D is no answer, and no yes
        print()  # the next line begins behind the question otherwise
        if isinstance(end, KeyboardInterrupt):
            raise
        return False
