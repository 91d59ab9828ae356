"""`qssl compare`: runs, or arms trained with the same seeds, judged together."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qssl_tf.cli.flags import Parser, add_base_flags, add_config_flags, config_from_flags, given_settings
from qssl_tf.errors import UserError, shell, unknown_name
from qssl_tf.interrupts import how_to_go_on

if TYPE_CHECKING:
    from qssl_tf.comparison.comparison import Comparison
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
    flags.add_argument(
        "--vary", action="append", metavar="NAME=A,B,...",
        help="an arm for each value of a setting, such as objective=nt_xent,vicreg; beside --arms, of each of them",
    )  # fmt: skip
    flags.add_argument("--seeds", metavar="SEEDS", help="seeds to train each arm with, such as 0-9 or 0,2")
    flags.add_argument("--baseline", metavar="NAME", help="arm that others are compared with (default: the first)")
    flags.add_argument(
        "--margin", type=float, default=1.5, metavar="POINTS",
        help="percentage points below which a difference counts as none (default: 1.5)",
    )  # fmt: skip
    flags.add_argument("--batch", type=int, metavar="N", help="batches before the probe (default: all)")
    flags.add_argument("--processes", type=int, metavar="N", help="runs at a time (default: 1)")
    flags.add_argument("--budget", metavar="TIME", help="begin nothing that would end later, such as 90m or 8h")
    flags.add_argument("--list", action="store_true", help="show what is left to do and what it costs, and stop")
    flags.add_argument(
        "--folder", type=Path, default=Path("runs/compare"), metavar="DIR", help="where arms are trained"
    )
    flags.add_argument("--results", type=Path, metavar="DIR", help="records, tables, figure (default: FOLDER/results)")
    add_base_flags(flags)
    add_config_flags(flags)
    return flags


def main() -> None:
    """Compare, print the tables, and say where they are; or list what is left to do."""
    arguments = parser().parse_args()
    _check_together(arguments)

    from qssl_tf.comparison.equivalence import check_margin

    check_margin(arguments.margin)
    if arguments.runs:
        from qssl_tf.comparison.comparison import compared
        from qssl_tf.comparison.run_folders import observe

        _write(arguments, compared(observe(arguments.runs), arguments.baseline, arguments.margin))
    else:
        _train_and_compare(arguments)


def _train_and_compare(arguments: argparse.Namespace) -> None:
    """Train and probe what is left of the arms in processes of their own, and compare them; or list what is left."""
    from qssl_tf.durations import read_time
    from qssl_tf.studies.compare_jobs import InProcesses, comparison_workload
    from qssl_tf.studies.options import check_processes, read_seeds
    from qssl_tf.studies.storage import Storage
    from qssl_tf.studies.trained_arms import compare_trained, comparison_specs, usable_runs
    from qssl_tf.studies.workload import list_jobs

    processes = 1 if arguments.processes is None else arguments.processes
    check_processes(processes)
    specs = comparison_specs(_arms(arguments), read_seeds(arguments.seeds) or [])
    storage, budget = Storage(arguments.folder, _results(arguments)), read_time(arguments.budget)
    if arguments.list:
        list_jobs(comparison_workload(usable_runs(specs, storage)[0], storage, arguments.batch, processes, budget))
        return
    how_to_go_on("the same command goes on from there.")
    train = InProcesses(processes, budget)
    _write(arguments, compare_trained(specs, storage, arguments.baseline, arguments.margin, arguments.batch, train))
    train.say_failed(arguments.folder)


def _results(arguments: argparse.Namespace) -> Path:
    return arguments.results or arguments.folder / "results"


def _write(arguments: argparse.Namespace, comparison: "Comparison") -> None:
    """Write the tables and the figure, print the tables, and say where they are."""
    from qssl_tf.comparison.files import STEM, write_comparison

    results = _results(arguments)
    comparison = write_comparison(results, comparison, shell("qssl", "compare", *sys.argv[1:]))
    print(f"\n{comparison}\n\ncomparison: {results / f'{STEM}.md'}")


def _check_together(arguments: argparse.Namespace) -> None:
    """Refuse flags that contradict each other.

    Raises:
        UserError: It names them.
    """
    given = [f"--{name.replace('_', '-')}" for name in given_settings(arguments)]
    words = ("arms", "arm", "vary", "seeds", "batch", "processes", "budget", "preset", "config")
    given += [f"--{name}" for name in words if getattr(arguments, name) is not None]
    given += ["--list"] if arguments.list else []
    if arguments.runs and given:
        raise UserError(f"runs that are there have their own settings; leave out {', '.join(given)}, or the runs.")
    if not arguments.runs and not (arguments.arms or arguments.arm or arguments.vary):
        raise UserError("what is compared must be run folders, or --arms, --arm or --vary with --seeds; got neither.")
    if not arguments.runs and arguments.seeds is None:
        raise UserError("--seeds must say which seeds to train the arms with, such as 0-9; got none.")
    if "--seed" in given:
        raise UserError("--seed is what pairs have in common; give all of them as --seeds.")


def _arms(arguments: argparse.Namespace) -> "dict[str, Config]":
    """Return the settings of each arm: those of `--arms` and `--vary` on the named preset, those of `--arm` files.

    Settings given as flags hold for all arms.

    Raises:
        UserError: An unknown arm, a name twice, or a flag for what an arm is about.
    """
    from qssl_tf.studies.trained_arms import named_arms

    names = [part for part in (arguments.arms or "").split(",") if part]
    varied = _varied(arguments)
    _refuse_set_twice(arguments, names, varied)
    if not (names or arguments.vary) and (arguments.preset or arguments.config):
        raise UserError("--preset and --config are for --arms and --vary; an --arm has all settings in its file.")
    arms: dict[str, Config] = {}
    if names or arguments.vary:
        base = config_from_flags(arguments)
        for arm, config in (named_arms(names, base) if names else {"": base}).items():
            for words, settings in varied.items():
                arms["-".join(filter(None, (arm, words)))] = _changed(config, settings)
    for text in arguments.arm or ():
        name, equals, path = text.partition("=")
        if not equals or not path or name in arms:
            raise UserError(f"--arm must be NAME=FILE with a name of its own; got '{text}'.")
        arms[name] = config_from_flags(argparse.Namespace(**vars(arguments) | {"preset": None, "config": Path(path)}))
    return arms


def _changed(config: "Config", settings: dict[str, Any]) -> "Config":
    from qssl_tf.config import Config

    return Config.from_dict(config.to_dict() | settings)


def _varied(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return what `--vary` asks for: words that name an arm -> its settings; one without either if nothing varies.

    Raises:
        UserError: It is no list of values, or of a setting that pairs have in common.
    """
    from qssl_tf.cli.vary import read_vary
    from qssl_tf.config import Config
    from qssl_tf.registry import WORDS
    from qssl_tf.search.space import Choice

    def check(name: str) -> None:
        if name not in Config.__dataclass_fields__:
            raise unknown_name("setting", name, Config.__dataclass_fields__)
        if name == "seed":
            raise UserError("--vary cannot vary the seed, which pairs have in common; give seeds as --seeds.")

    arms: dict[str, dict[str, Any]] = {"": {}}
    for text in arguments.vary or ():
        name, parameter = read_vary(text, check)
        if not isinstance(parameter, Choice):
            raise UserError(f"--vary must list the values of arms, such as {name}=A,B; got '{text}'.")
        words = {
            value: str(value).lower() if name in WORDS else f"{name}-{value}".lower() for value in parameter.values
        }
        arms = {
            "-".join(filter(None, (arm, words[value]))): settings | {name: value}
            for arm, settings in arms.items()
            for value in parameter.values
        }
    return arms


def _refuse_set_twice(arguments: argparse.Namespace, names: list[str], varied: dict[str, dict[str, Any]]) -> None:
    """Refuse a setting that is given by two of a flag, `--vary` and a named arm.

    Raises:
        UserError: It says which.
    """
    from qssl_tf.studies.arms import arm

    given, varying = given_settings(arguments).keys(), next(iter(varied.values())).keys()
    for both in sorted(given & varying):
        raise UserError(f"--{both.replace('_', '-')} is both set for all arms and varied; leave out one of the flags.")
    for name in names:
        for both in sorted(arm(name).settings.keys() & (given | varying)):
            flag = f"--{both.replace('_', '-')}" if both in given else f"--vary {both}"
            raise UserError(f"{flag} is what the arm {name} is about; leave out one of them.")
