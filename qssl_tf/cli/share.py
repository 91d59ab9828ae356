"""`qssl share`: a run for others, as a self-contained folder with a model card."""

from pathlib import Path

from qssl_tf.cli.flags import Parser
from qssl_tf.cli.runs import add_run_flags, named_run


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(description="Write a run as a self-contained folder with a card.")
    add_run_flags(flags)
    flags.add_argument(
        "--output", type=Path, metavar="FOLDER", help="the new folder (default: shared/<name of the run>)"
    )
    flags.add_argument("--checkpoint", default="last", metavar="STEP", help="whose weights (default: last)")
    flags.add_argument("--seeds", nargs="+", type=Path, default=[], metavar="RUN", help="probed runs of other seeds")
    flags.add_argument("--licence", default="Apache-2.0", help="of the weights (default: Apache-2.0)")
    flags.add_argument("--note", default="", metavar="TEXT", help="what a reader of the card must know besides")
    flags.add_argument("--small", action="store_true", help="leave out tables of steps and figures")
    return flags


def main() -> None:
    """Write the folder and say what is in it."""
    arguments = parser().parse_args()

    from qssl_tf.evaluation.trained_run import load_run
    from qssl_tf.sharing.folder import share
    from qssl_tf.training.metadata import unfinished
    from qssl_tf.training.runs import open_run

    run = load_run(named_run(arguments).folder, arguments.checkpoint)
    output = arguments.output or Path("shared") / run.folder.name
    share(
        run,
        output,
        seeds=arguments.seeds,
        licence=arguments.licence,
        note=arguments.note,
        small=arguments.small,
    )
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    what = unfinished(open_run(run.folder), run.step) or f"step {run.step}"
    print(f"{output}: weights after {what}, {size / 1e6:.1f} MB; read its README.md before it goes out")
