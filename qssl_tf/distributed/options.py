"""What a command line says about devices and machines; checked before TensorFlow is loaded."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from qssl_tf.distributed.cluster import Cluster, checked_addresses, claim, from_tf_config
from qssl_tf.distributed.secret import FILE, VARIABLE, Secret, find_secret
from qssl_tf.errors import UserError, unknown_name

STRATEGY_NAMES = ("single", "mirrored", "multi_worker")
# Flag -> the one strategy that it belongs to.
OWNERS = {"replicas": "mirrored"} | dict.fromkeys(("workers", "worker_number", "secret_file"), "multi_worker")


@dataclass(frozen=True)
class Choice:
    """A strategy and its parts.

    Attributes:
        strategy: `single`, `mirrored` (devices of this machine) or `multi_worker` (machines).
        replicas: Devices of `mirrored`; None takes every GPU.
        cluster: The workers of `multi_worker`, whose place this process has taken.
        secret: What the workers know each other by.
        wait: Seconds to wait for workers.
    """

    strategy: str
    replicas: int | None = None
    cluster: Cluster | None = None
    secret: Secret | None = None
    wait: float = 45.0


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


def read_choice(arguments: argparse.Namespace, batch_size: int, shared: Path) -> Choice:
    """Return what the flags say, and take this process's place among the workers if there are any.

    Args:
        arguments: With the flags of `add_strategy_flags`.
        batch_size: Of the run; all replicas share it.
        shared: The folder of runs, which all workers see; their secret is in it where none is named.

    Raises:
        UserError: Flags that do not fit each other, bad addresses, or a batch that cannot be shared.
    """
    name = arguments.strategy
    if name not in STRATEGY_NAMES:
        raise unknown_name("strategy", name, STRATEGY_NAMES)
    for flag, owner in OWNERS.items():
        if getattr(arguments, flag) is not None and name != owner:
            raise UserError(f"--{flag.replace('_', '-')} belongs to --strategy {owner}; got --strategy {name}.")
    wait = _number(arguments.wait, "--wait", 1, 24 * 3600)
    if name == "single":
        _refuse_forgotten_cluster()
    if name == "mirrored" and arguments.replicas is not None:
        replicas = _number(arguments.replicas, "--replicas", 1, 1024)
        check_shares(batch_size, replicas)
        return Choice(name, replicas=replicas, wait=wait)
    if name == "multi_worker":
        addresses, number = _addresses(arguments)
        check_shares(batch_size, len(addresses))
        secret = find_secret(shared, arguments.secret_file)
        return Choice(name, cluster=claim(addresses, number), secret=secret, wait=wait)
    return Choice(name, wait=wait)


def check_shares(batch_size: int, replicas: int) -> None:
    """Refuse a batch that replicas cannot share evenly.

    Raises:
        UserError: It gives the nearest batch that they can.
    """
    if batch_size < replicas:
        raise UserError(
            f"{replicas} replicas cannot share a batch of {batch_size}: take fewer, or a larger --batch-size."
        )
    if batch_size % replicas:
        near = batch_size // replicas * replicas
        raise UserError(
            f"--batch-size must be a multiple of the {replicas} replicas that share it; got {batch_size}; "
            f"{near} and {near + replicas} are."
        )


def _addresses(arguments: argparse.Namespace) -> tuple[tuple[str, ...], int | None]:
    number = arguments.worker_number
    if arguments.workers is not None:
        addresses = checked_addresses([part.strip() for part in arguments.workers.split(",")], "--workers")
        return addresses, None if number is None else _number(number, "--worker-number", 0, len(addresses) - 1)
    text = os.environ.get("TF_CONFIG")
    if text is None:
        raise UserError("--strategy multi_worker needs --workers host:port,host:port,... or the variable TF_CONFIG.")
    if number is not None:
        raise UserError("--worker-number belongs to --workers; TF_CONFIG holds the number of its task.")
    return from_tf_config(text)


def _refuse_forgotten_cluster() -> None:
    text = os.environ.get("TF_CONFIG")
    if text is not None and len(from_tf_config(text, at_least=1)[0]) > 1:
        raise UserError(
            "TF_CONFIG describes several workers, but --strategy is single: each would train alone; "
            "add --strategy multi_worker, or unset TF_CONFIG."
        )


def _number(text: str, flag: str, low: int, high: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise UserError(f"{flag} must be a whole number from {low} to {high}; got {text!r:.40}.")
    return number
