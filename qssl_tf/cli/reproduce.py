"""`qssl reproduce`: the paper's experiments with their controls."""

from pathlib import Path

from qssl_tf.cli.flags import Parser
from qssl_tf.errors import UserError
from qssl_tf.interrupts import how_to_go_on

AGAIN = "the same command goes on from there"


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(description="Train and judge the paper's arms and their controls.")
    flags.add_argument("study", nargs="?", default="paper", help="paper (default), states, or what varies: width, "
                      "training-size, layers, epochs; other-classes, digits-heads, merlin; features-8, features-16, "
                      "features-36; noise, noise-digits; digits as a trial")  # fmt: skip
    flags.add_argument("--arms", metavar="NAMES", help="such as ring,classical, or names of --list (default: all)")
    flags.add_argument("--seeds", metavar="SEEDS", help="such as 0-5 or 0,2 (default: 0-5; 0-2 for controls)")
    flags.add_argument(
        "--batches", default="all", help="probe after all of the published batches, or those of the table"
    )
    flags.add_argument(
        "--paper-probes",
        type=int,
        metavar="N",
        help="seeds of each published arm probed as the paper does (default: 6)",
    )
    flags.add_argument("--budget", metavar="TIME", help="begin nothing that would end later, such as 90m or 8h")
    flags.add_argument("--processes", type=int, default=1, metavar="N", help="runs at a time (default: 1)")
    flags.add_argument("--folder", type=Path, default=Path("runs/reproduce"), metavar="DIR", help="where the runs are")
    flags.add_argument("--results", type=Path, metavar="DIR", help="records, report, figures (default: FOLDER/results)")
    flags.add_argument("--data-dir", metavar="DIR", help="prepared TFDS data (default: $TFDS_DATA_DIR or TFDS's own)")
    flags.add_argument(
        "--keep-weights",
        action="store_true",
        help="keep the weights after every batch that a run keeps (45 MB each); otherwise only those after the table's "
        "batch and the last stay once a run is recorded",
    )
    flags.add_argument("--list", action="store_true", help="show what is left to do and what it costs, and stop")
    flags.add_argument("--report", action="store_true", help="write the report on what is there, and stop")
    return flags


def main() -> None:
    """Do what is left of a study, and report on all of it."""
    arguments = parser().parse_args()

    from qssl_tf.studies.options import StudyOptions
    from qssl_tf.studies.runner import report, run_study, show_costs

    options = StudyOptions.from_flags(vars(arguments))
    if arguments.list:
        show_costs(options)
    elif arguments.report:
        report(options)
    else:
        how_to_go_on(f"{AGAIN}.")
        failed = run_study(options)
        report(options)
        if failed:
            raise UserError(f"{failed} of the runs failed; their output is in {arguments.folder}/*.log, and {AGAIN}.")
