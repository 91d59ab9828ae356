"""On which devices and machines a run is trained; checked before TensorFlow is loaded."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qssl_tf.commands import argument
from qssl_tf.distributed.cluster import Cluster, checked_addresses, claim, from_tf_config
from qssl_tf.distributed.secret import Secret, find_secret
from qssl_tf.errors import UserError, unknown_name

STRATEGY_NAMES = ("single", "mirrored", "multi_worker")
# Argument -> the one strategy that it belongs to.
OWNERS = {"replicas": "mirrored"} | dict.fromkeys(("workers", "worker_number", "secret_file"), "multi_worker")


@dataclass(frozen=True)
class StrategyOptions:
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


def strategy_options(arguments: dict[str, Any], batch_size: int, shared: Path) -> StrategyOptions:
    """Return the options that arguments mean, and take this process's place among the workers if there are any.

    Args:
        arguments: `strategy`, `replicas`, `workers`, `worker_number`, `secret_file` and `wait`; numbers as texts, None
            where one was not given.
        batch_size: Of the run; all replicas share it.
        shared: The folder of runs, which all workers see; their secret is in it where none is named.

    Raises:
        UserError: Arguments that do not fit each other, bad addresses, or a batch that cannot be shared.
    """
    name = arguments["strategy"]
    if name not in STRATEGY_NAMES:
        raise unknown_name("strategy", name, STRATEGY_NAMES)
    for other, owner in OWNERS.items():
        if arguments[other] is not None and name != owner:
            raise UserError(
                f"{argument(other)} belongs to {argument('strategy', owner)}; got {argument('strategy', name)}."
            )
    wait = _number(arguments["wait"], "wait", 1, 24 * 3600)
    if name == "single":
        _refuse_forgotten_cluster()
    if name == "mirrored" and arguments["replicas"] is not None:
        replicas = _number(arguments["replicas"], "replicas", 1, 1024)
        check_shares(batch_size, replicas)
        return StrategyOptions(name, replicas=replicas, wait=wait)
    if name == "multi_worker":
        addresses, number = _addresses(arguments["workers"], arguments["worker_number"])
        check_shares(batch_size, len(addresses))
        secret = find_secret(shared, arguments["secret_file"])
        return StrategyOptions(name, cluster=claim(addresses, number), secret=secret, wait=wait)
    return StrategyOptions(name, wait=wait)


def check_shares(batch_size: int, replicas: int) -> None:
    """Refuse a batch that replicas cannot share evenly.

    Raises:
        UserError: It gives the nearest batch that they can.
    """
    if batch_size < replicas:
        raise UserError(
            f"{replicas} replicas cannot share a batch of {batch_size}: take fewer, "
            f"or a larger {argument('batch_size')}."
        )
    if batch_size % replicas:
        near = batch_size // replicas * replicas
        raise UserError(
            f"{argument('batch_size')} must be a multiple of the {replicas} replicas that share it; got {batch_size}; "
            f"{near} and {near + replicas} are."
        )


def _addresses(workers: str | None, number: str | None) -> tuple[tuple[str, ...], int | None]:
    if workers is not None:
        addresses = checked_addresses([part.strip() for part in workers.split(",")], argument("workers"))
        return addresses, None if number is None else _number(number, "worker_number", 0, len(addresses) - 1)
    text = os.environ.get("TF_CONFIG")
    if text is None:
        raise UserError(
            f"{argument('strategy', 'multi_worker')} needs {argument('workers')} host:port,host:port,... "
            "or the variable TF_CONFIG."
        )
    if number is not None:
        raise UserError(
            f"{argument('worker_number')} belongs to {argument('workers')}; TF_CONFIG holds the number of its task."
        )
    return from_tf_config(text)


def _refuse_forgotten_cluster() -> None:
    text = os.environ.get("TF_CONFIG")
    if text is not None and len(from_tf_config(text, at_least=1)[0]) > 1:
        raise UserError(
            f"TF_CONFIG describes several workers, but {argument('strategy')} is single: each would train alone; "
            f"add {argument('strategy', 'multi_worker')}, or unset TF_CONFIG."
        )


def _number(text: str, name: str, low: int, high: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise UserError(f"{argument(name)} must be a whole number from {low} to {high}; got {text!r:.40}.")
    return number
