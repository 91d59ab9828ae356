"""Flags that say on which devices and machines a run is trained, and by what workers know each other."""

import argparse
from pathlib import Path

from qssl_tf.distributed.options import OWNERS, STRATEGY_NAMES, StrategyOptions, strategy_options
from qssl_tf.distributed.secret import FILE, VARIABLE


def add_strategy_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say on which devices and machines a run is trained; none of them changes its numbers."""
    group = parser.add_argument_group("devices and machines", "where a run is trained; its numbers do not depend on it")
    group.add_argument(
        "--strategy", default="single", metavar="NAME", help=f"{', '.join(STRATEGY_NAMES)} (default single)"
    )
    group.add_argument(
        "--replicas", metavar="N", help="devices of mirrored (default: every GPU; else virtual CPU devices)"
    )
    group.add_argument(
        "--workers",
        metavar="HOST:PORT,...",
        help="all workers of multi_worker, the chief first (default: from TF_CONFIG)",
    )
    group.add_argument(
        "--worker-number", metavar="N", help="which of --workers this process is, from 0 (default: the first free one)"
    )
    add_secret_flag(group)
    group.add_argument(
        "--wait", default="45", metavar="SECONDS", help="how long to wait for other workers (default 45)"
    )


def add_secret_flag(parser: argparse._ActionsContainer) -> None:
    """Add the flag that names what workers know each other by."""
    parser.add_argument(
        "--secret-file",
        type=Path,
        metavar="FILE",
        help=f"the secret that all workers share (default: the variable {VARIABLE}, or {FILE} in the shared folder)",
    )


def read_strategy(arguments: argparse.Namespace, batch_size: int, shared: Path) -> StrategyOptions:
    """Return what the flags of `add_strategy_flags` say.

    Raises:
        UserError: As `strategy_options`.
    """
    names = ("strategy", "wait", *OWNERS)
    return strategy_options({name: getattr(arguments, name) for name in names}, batch_size, shared)
