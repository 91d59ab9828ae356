"""`qssl report`: all pictures of a run, and one page with everything."""

from dataclasses import replace

from qssl_tf.cli.flags import Parser
from qssl_tf.cli.runs import add_place_flags, add_run_flags, images_there, named_run


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(description="Draw a run and gather what it found on one page.")
    add_run_flags(flags)
    flags.add_argument("--checkpoint", default="last", metavar="STEP", help="whose weights are drawn (default: last)")
    add_place_flags(flags)
    return flags


def main() -> None:
    """Draw, write the page, and say where it is."""
    arguments = parser().parse_args()

    from qssl_tf.evaluation.trained_run import load_run
    from qssl_tf.reports.report import write_report
    from qssl_tf.training.metadata import unfinished
    from qssl_tf.training.runs import open_run, own_folder

    run = load_run(named_run(arguments).folder, arguments.checkpoint)
    run = replace(run, folder=own_folder(run.folder, arguments.runs_dir))
    opened = open_run(run.folder)
    print(f"{run.folder}: drawing {unfinished(opened, run.step) or f'step {run.step}'}", flush=True)
    print(f"report: {write_report(run, images_there(opened, arguments))}")
