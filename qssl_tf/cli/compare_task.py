"""One run of a comparison in a process of its own: `python -m qssl_tf.cli.compare_task`."""

import sys
import threading
from pathlib import Path

from qssl_tf.cli.start import start_command

start_command()  # before what takes time

from qssl_tf.cli.flags import Parser  # noqa: E402
from qssl_tf.cli.run import run_command  # noqa: E402
from qssl_tf.cli.task import end_with_parent  # noqa: E402


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(prog="python -m qssl_tf.cli.compare_task", description="Train and probe one run of a comparison.")
    flags.add_argument("arm")
    flags.add_argument("seed", type=int)
    flags.add_argument("--settings", required=True, help="settings of the arm, as config.json has them")
    flags.add_argument("--folder", type=Path, required=True, help="folder of the runs")
    flags.add_argument("--results", type=Path, required=True, help="folder of the results")
    flags.add_argument("--batch", type=int, help="training batches before the probe")
    flags.add_argument("--end-with-parent", action="store_true", help="end when standard input does")
    return flags


def main() -> None:
    """Do what is left of the run."""
    arguments = parser().parse_args()
    if arguments.end_with_parent:
        threading.Thread(target=end_with_parent, daemon=True).start()

    from qssl_tf.files.lock import locked
    from qssl_tf.studies.compare_jobs import spec_of
    from qssl_tf.studies.run import complete_comparison_run
    from qssl_tf.studies.storage import Storage

    spec = spec_of(arguments.arm, arguments.seed, arguments.settings)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    storage = Storage(arguments.folder, arguments.results, spec.config.data_dir)
    with locked(arguments.folder / spec.name, wait=True):  # a process that lost its parent may be at it for a moment
        complete_comparison_run(spec, storage, arguments.batch)


if __name__ == "__main__":
    sys.exit(run_command(main))
