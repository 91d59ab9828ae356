"""`qssl compare`: runs, or arms trained with the same seeds, judged together."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qssl_tf.cli.flags import Parser, add_base_flags, add_config_flags, config_from_flags, given_settings
from qssl_tf.errors import UserError, shell
from qssl_tf.interrupts import how_to_go_on

if TYPE_CHECKING:
    from qssl_tf.config import Config


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(description="Compare runs seed by seed, or train arms with the same seeds and compare them.")
    flags.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="folders of trained and probed runs, which "
                       "become arms by their settings")  # fmt: skip
    flags.add_argument("--arms", metavar="NAMES", help="arms of qssl reproduce to train, such as ring,classical")
    flags.add_argument(
        "--arm", action="append", metavar="NAME=FILE", help="an arm of your own: a config.json, or a search's best.json"
    )
    flags.add_argument("--seeds", metavar="SEEDS", help="seeds to train each arm with, such as 0-9 or 0,2")
    flags.add_argument("--baseline", metavar="NAME", help="arm that others are compared with (default: the first)")
    flags.add_argument(
        "--margin", type=float, default=1.5, metavar="POINTS",
        help="percentage points below which a difference counts as none (default: 1.5)",
    )  # fmt: skip
    flags.add_argument("--batch", type=int, metavar="N", help="batches before the probe (default: all)")
    flags.add_argument(
        "--folder", type=Path, default=Path("runs/compare"), metavar="DIR", help="where arms are trained"
    )
    flags.add_argument("--results", type=Path, metavar="DIR", help="records, tables, figure (default: FOLDER/results)")
    add_base_flags(flags)
    add_config_flags(flags)
    return flags


def main() -> None:
    """Compare, print the tables, and say where they are."""
    arguments = parser().parse_args()
    _check_together(arguments)

    from qssl_tf.comparison.comparison import compared
    from qssl_tf.comparison.equivalence import check_margin
    from qssl_tf.comparison.files import STEM, write_comparison
    from qssl_tf.comparison.run_folders import observe

    check_margin(arguments.margin)
    results = arguments.results or arguments.folder / "results"
    if arguments.runs:
        comparison = compared(observe(arguments.runs), arguments.baseline, arguments.margin)
    else:
        from qssl_tf.studies.options import read_seeds
        from qssl_tf.studies.storage import Storage
        from qssl_tf.studies.trained_arms import compare_trained, comparison_specs

        specs = comparison_specs(_arms(arguments), read_seeds(arguments.seeds) or [])
        how_to_go_on("the same command goes on from there.")
        storage = Storage(arguments.folder, results)
        comparison = compare_trained(specs, storage, arguments.baseline, arguments.margin, arguments.batch)
    comparison = write_comparison(results, comparison, shell("qssl", "compare", *sys.argv[1:]))
    print(f"\n{comparison}\n\ncomparison: {results / f'{STEM}.md'}")


def _check_together(arguments: argparse.Namespace) -> None:
    """Refuse flags that contradict each other.

    Raises:
        UserError: It names them.
    """
    given = [f"--{name.replace('_', '-')}" for name in given_settings(arguments)]
    given += [f"--{name}" for name in ("arms", "arm", "seeds", "batch", "preset", "config")
              if getattr(arguments, name) is not None]  # fmt: skip
    if arguments.runs and given:
        raise UserError(f"runs that are there have their own settings; leave out {', '.join(given)}, or the runs.")
    if not arguments.runs and not (arguments.arms or arguments.arm):
        raise UserError("what is compared must be run folders, or --arms with --seeds; got neither.")
    if not arguments.runs and arguments.seeds is None:
        raise UserError("--seeds must say which seeds to train the arms with, such as 0-9; got none.")
    if "--seed" in given:
        raise UserError("--seed is what pairs have in common; give all of them as --seeds.")


def _arms(arguments: argparse.Namespace) -> "dict[str, Config]":
    """Return the settings of each arm: those of `--arms` on the named preset, those of `--arm` as their files say.

    Settings given as flags hold for all arms.

    Raises:
        UserError: An unknown arm, a name twice, or a flag for what an arm is about.
    """
    from qssl_tf.studies.arms import arm
    from qssl_tf.studies.trained_arms import named_arms

    names = [part for part in (arguments.arms or "").split(",") if part]
    for name in names:
        if both := arm(name).settings.keys() & given_settings(arguments).keys():
            flag = f"--{sorted(both)[0].replace('_', '-')}"
            raise UserError(f"{flag} is what the arm {name} is about; leave out one of them.")
    if not names and (arguments.preset or arguments.config):
        raise UserError("--preset and --config are for --arms; an --arm has all settings in its file.")
    arms = named_arms(names, config_from_flags(arguments)) if names else {}
    for text in arguments.arm or ():
        name, equals, path = text.partition("=")
        if not equals or not path or name in arms:
            raise UserError(f"--arm must be NAME=FILE with a name of its own; got '{text}'.")
        arms[name] = config_from_flags(argparse.Namespace(**vars(arguments) | {"preset": None, "config": Path(path)}))
    return arms
