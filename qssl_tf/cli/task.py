"""One job of a study in a process of its own: `python -m qssl_tf.cli.task`."""

import os
import sys
import threading
from pathlib import Path

from qssl_tf.cli.start import start_command

start_command()  # before what takes time

from qssl_tf.cli.flags import Parser  # noqa: E402
from qssl_tf.cli.run import run_command  # noqa: E402
from qssl_tf.studies.studies import STUDIES, run_specs, study  # noqa: E402


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(prog="python -m qssl_tf.cli.task", description="Do one job of a study.")
    flags.add_argument("kind", choices=("run", "paper_probe", "device", "noise"))
    flags.add_argument("study", choices=tuple(STUDIES))
    flags.add_argument("cell")
    flags.add_argument("seed", type=int)
    flags.add_argument("--folder", type=Path, required=True, help="folder of the runs")
    flags.add_argument("--results", type=Path, required=True, help="folder of the results")
    flags.add_argument("--data-dir", help="folder of prepared TFDS data")
    flags.add_argument("--keep-weights", action="store_true", help="keep the weights after every probed batch")
    flags.add_argument("--batches", default="all", help="probe after all of the study's batches, or those of its table")
    flags.add_argument("--end-with-parent", action="store_true", help="end when standard input does")
    return flags


def main() -> None:
    """Do the job."""
    arguments = parser().parse_args()
    if arguments.end_with_parent:
        threading.Thread(target=end_with_parent, daemon=True).start()

    from qssl_tf.files.lock import locked
    from qssl_tf.studies.device import run_on_device
    from qssl_tf.studies.noise import read_on_devices
    from qssl_tf.studies.run import add_paper_probe, complete_run
    from qssl_tf.studies.storage import Storage

    tasks = {"run": complete_run, "paper_probe": add_paper_probe, "device": run_on_device, "noise": read_on_devices}
    of_study = study(arguments.study)
    spec = next(one for one in run_specs(of_study, seeds=[arguments.seed]) if one.condition.name == arguments.cell)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    storage = Storage(arguments.folder, arguments.results, arguments.data_dir, arguments.keep_weights)
    with locked(arguments.folder / spec.name, wait=True):  # a process that lost its parent may be at it for a moment
        tasks[arguments.kind](of_study, spec, storage, arguments.batches)


def end_with_parent() -> None:
    """End this process at once when the other end of its standard input is gone; every file is whole at any time."""
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(run_command(main))
