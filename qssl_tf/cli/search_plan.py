"""From the words of `qssl search` to the plan of a search."""

import re
import time
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from qssl_tf.cli.flags import config_from_flags, given_settings
from qssl_tf.cli.vary import read_vary
from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.search.client import address
from qssl_tf.search.folder import existing_search, new_search
from qssl_tf.search.plan import HELD_OUT, Plan
from qssl_tf.search.space import Parameter, check_name, subspace
from qssl_tf.training.runs import check_plain_name

SHORT = "digits-short"  # the preset of a search for which nothing else is named
TRIALS = 6
NEW_ONLY = ("name", "space", "vary", "algorithm", "goal", "search_seed", "preset", "config")


def check_together(arguments: Namespace) -> None:
    """Refuse flags that contradict each other.

    Raises:
        UserError: It names them.
    """
    given = [name for name in NEW_ONLY if getattr(arguments, name) is not None] + list(given_settings(arguments))
    given = [f"--{name.replace('_', '-')}" for name in given]
    if arguments.resume is not None and given:
        raise UserError(
            f"--resume takes everything but --trials from the search's folder; leave out {', '.join(given)}."
        )
    if (arguments.role is None) != (arguments.chief is None):
        raise UserError("--role and --chief belong together: give both, or none for a search in one process.")
    if arguments.role == "worker" and (arguments.resume is None or arguments.trials is not None):
        raise UserError("a worker takes everything from the chief's folder; give it --resume SEARCH and no --trials.")
    if arguments.silence is not None and (arguments.role is None or not arguments.silence > 0):
        raise UserError(f"--silence must be above 0 and beside --role; got {arguments.silence}.")
    if arguments.secret_file is not None and arguments.role is None:
        raise UserError("--secret-file belongs to --role; leave it out where a search has one process.")
    if arguments.algorithm == "hyperband" and arguments.trials is not None:
        raise UserError("--algorithm hyperband sets the number of trials by itself; leave out --trials.")
    if arguments.chief is not None:
        address(arguments.chief)


def folder_and_plan(arguments: Namespace) -> tuple[Path, Plan]:
    """Return the search's folder and plan; a new folder is made only once its plan holds.

    Raises:
        UserError: A bad plan, or a folder that is no search or another one.
    """
    if arguments.resume is not None:
        return existing_search(arguments.resume, arguments.searches_dir, arguments.trials)
    plan = _new_plan(arguments)
    return new_search(arguments.searches_dir / _name(arguments, plan), plan), plan


def _new_plan(arguments: Namespace) -> Plan:
    base = config_from_flags(arguments, default=SHORT)
    if base.validation_fraction == 0.0 and "validation_fraction" not in given_settings(arguments):
        base = replace(base, validation_fraction=HELD_OUT)
    algorithm = arguments.algorithm or "random"
    trials = arguments.trials
    if trials is None and algorithm not in ("grid", "hyperband"):
        trials = TRIALS
    return Plan(
        base,
        _parameters(arguments, base),
        algorithm,
        trials,
        arguments.goal or "validation_accuracy",
        arguments.search_seed or 0,
    )


def _parameters(arguments: Namespace, base: Config) -> dict[str, Parameter]:
    """Return what varies: the space without the settings that were given, and what --vary adds or replaces."""
    varied = dict(read_vary(text, check_name) for text in arguments.vary or [])
    given = given_settings(arguments)
    twice = [f"`{name}`" for name in varied if name in given]
    if twice:
        raise UserError(f"{', '.join(twice)} is both set for all trials and varied; leave out one of the flags.")
    named = subspace(arguments.space or "circuit") if arguments.space or not varied else {}
    kept = {name: parameter for name, parameter in named.items() if name not in given}
    return kept | varied


def _name(arguments: Namespace, plan: Plan) -> str:
    name = arguments.name
    if name is not None:
        check_plain_name(name)
    what = arguments.space or ("circuit" if not arguments.vary else "-".join(plan.parameters))
    stem = f"{plan.base.dataset}-{what}-{time.strftime('%Y%m%d-%H%M%S')}"
    return name or re.sub(r"[^A-Za-z0-9_.-]", "_", stem)
