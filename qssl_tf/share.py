"""A run for others: `python -m qssl_tf.share RUN` writes a self-contained folder with a model card."""

import sys
from pathlib import Path

from qssl_tf.flags import Parser, run_command


def parser() -> Parser:
    """Return the command line."""
    made = Parser(prog="python -m qssl_tf.share", description="Write a run as a self-contained folder with a card.")
    made.add_argument("run", nargs="?", type=Path, metavar="RUN", help="run folder, or ready weights (default: newest)")
    made.add_argument("--runs-dir", type=Path, default=Path("runs"), metavar="DIR", help="folder of all runs")
    made.add_argument(
        "--output", type=Path, metavar="FOLDER", help="the new folder (default: shared/<name of the run>)"
    )
    made.add_argument("--checkpoint", default="last", metavar="STEP", help="whose weights (default: last)")
    made.add_argument("--seeds", nargs="+", type=Path, default=[], metavar="RUN", help="probed runs of other seeds")
    made.add_argument("--licence", default="Apache-2.0", help="of the weights (default: Apache-2.0)")
    made.add_argument("--note", default="", metavar="TEXT", help="what a reader of the card must know besides")
    made.add_argument("--small", action="store_true", help="leave out tables of steps and figures")
    return made


def main() -> None:
    """Write the folder and say what is in it."""
    arguments = parser().parse_args()

    from qssl_tf.evaluation.trained_run import load_run
    from qssl_tf.sharing.folder import share
    from qssl_tf.training.facts import unfinished
    from qssl_tf.training.runs import newest_run, open_run

    folder = arguments.run or newest_run(arguments.runs_dir).folder
    run = load_run(folder, arguments.checkpoint)
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


if __name__ == "__main__":
    sys.exit(run_command(main))
