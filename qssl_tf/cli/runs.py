"""The one way in which a command names a run, and says where its images lie now."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from qssl_tf.cli.flags import add_config_flags, given_settings
from qssl_tf.config import WHERE
from qssl_tf.errors import UserError, shell

if TYPE_CHECKING:
    from qssl_tf.data.images import ImageData
    from qssl_tf.training.runs import Run


def add_run_flags(parser: argparse.ArgumentParser) -> None:
    """Add the one way to name a run: by its folder or name, else the newest is taken."""
    about = "run folder, or the name of ready weights (default: the newest run)"
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN", help=about)
    parser.add_argument("--run", dest="run_flag", type=Path, metavar="RUN", help=argparse.SUPPRESS)  # as it was once
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), metavar="DIR", help="folder of all runs")


def named_run(arguments: argparse.Namespace) -> "Run":
    """Open the run that a command line names, or the newest.

    Raises:
        UserError: There is none, or two are named.
    """
    from qssl_tf.training.runs import newest_run, open_run

    if arguments.run and arguments.run_flag:
        raise UserError(f"one run must be named; got {shell(arguments.run)} and --run {shell(arguments.run_flag)}.")
    named = arguments.run or arguments.run_flag
    return open_run(named) if named else newest_run(arguments.runs_dir)


def add_place_flags(parser: argparse.ArgumentParser) -> None:
    """Add what says where the images of a run lie now, in place of where they lay when it was trained."""
    add_config_flags(parser, only=WHERE)


def given_places(arguments: argparse.Namespace) -> dict[str, str]:
    """Return what a command line says of where images lie, by the names of the settings."""
    return {name: value for name, value in given_settings(arguments).items() if name in WHERE and value is not None}


def images_there(run: "Run", arguments: argparse.Namespace) -> "ImageData | None":
    """Return a run's images where they lie now; None where its settings still say it.

    Raises:
        UserError: They are not the images that the run was trained on, or cannot be found.
    """
    from qssl_tf.training.provenance import images_of_run

    places = given_places(arguments)
    return images_of_run(run, places=places) if places else None
