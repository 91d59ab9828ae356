"""How workers meet: the chief waits for every other one, which waits for the chief's word that all are there."""

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from qssl_tf.distribution.choice import Choice
from qssl_tf.distribution.cluster import Cluster, host_and_port
from qssl_tf.distribution.peers import Peers, read_message
from qssl_tf.errors import UserError

HELLO_SECONDS = 5.0
# A machine that vanishes without closing its connections is noticed after 10 + 3 * 5 seconds.
KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


_met: list[Peers] = []


def end_process(code: int) -> NoReturn:
    """End this process; at once if it met other workers, for TensorFlow would wait up to half a minute for theirs."""
    if _met:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


@contextmanager
def joined(choice: Choice, settings: dict[str, Any]) -> Iterator[Peers | None]:
    """Meet the other workers of a choice, if it has any, compare settings, and part from them at the end.

    Args:
        choice: What the command line says.
        settings: What all workers must have in common, by name.

    Raises:
        UserError: Workers did not come, or have other settings.
    """
    if choice.cluster is None:
        yield None
        return
    peers = meet(choice.cluster, choice.wait)
    _met.append(peers)
    try:
        peers.agree(settings)
        yield peers
    except UserError as error:
        peers.fail(str(error))
        raise
    peers.end()


def meet(cluster: Cluster, seconds: float) -> Peers:
    """Wait until every worker is there.

    Args:
        cluster: Who takes part; its listener is closed at the end, so that TensorFlow can take the port.
        seconds: How long to wait.

    Raises:
        UserError: On every worker that is there: some did not come, or do not name the same workers.
    """
    deadline = time.monotonic() + seconds
    try:
        return (
            _wait_for_all(cluster, deadline, seconds)
            if cluster.number == 0
            else _find_chief(cluster, deadline, seconds)
        )
    finally:
        cluster.listener.close()


def _wait_for_all(cluster: Cluster, deadline: float, seconds: float) -> Peers:
    found: dict[int, socket.socket] = {}
    problem = None
    while len(found) < len(cluster.addresses) - 1 and problem is None:
        cluster.listener.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            connection, _ = cluster.listener.accept()
        except TimeoutError:
            missing = [cluster.named(n) for n in range(1, len(cluster.addresses)) if n not in found]
            problem = (
                f"{', '.join(missing[:4])} did not come within {seconds:.0f} s; start every worker, or raise --wait."
            )
            break
        number, problem = _greet(connection, cluster, found)
        if number is not None:
            found[number] = connection
    peers = Peers(cluster, dict(sorted(found.items())))
    peers.verdict(problem)
    peers.listen()
    return peers


def _greet(
    connection: socket.socket, cluster: Cluster, found: dict[int, socket.socket]
) -> tuple[int | None, str | None]:
    """Return the number of the worker that called and what is wrong with it; a stranger has none."""
    _keep_alive(connection)
    connection.settimeout(HELLO_SECONDS)
    try:
        message = read_message(connection.makefile("rb"), "a stranger")
    except UserError:
        message = None
    if message is None:
        connection.close()
        return None, None
    connection.settimeout(None)
    number, theirs = message.get("number"), message.get("workers")
    if theirs != list(cluster.addresses):
        # Whatever its number, it is there and shall hear of it.
        mine = ",".join(cluster.addresses)
        text = ",".join(map(str, theirs))[:200] if isinstance(theirs, list) else repr(theirs)[:60]
        return _spare(found), f"worker {number!r:.10} names other workers ({text}) than the chief ({mine[:200]})."
    if not isinstance(number, int) or not 1 <= number < len(cluster.addresses) or number in found:
        return _spare(found), f"two processes call themselves worker {number!r:.10}; give each a number of its own."
    return number, None


def _spare(found: dict[int, socket.socket]) -> int:
    return -1 - len(found)


def _find_chief(cluster: Cluster, deadline: float, seconds: float) -> Peers:
    reason = "no answer"
    while time.monotonic() < deadline:
        try:
            connection = socket.create_connection(host_and_port(cluster.addresses[0]), timeout=HELLO_SECONDS)
            break
        except OSError as error:
            reason = error.strerror or str(error)
            time.sleep(0.2)
    else:
        raise UserError(
            f"the chief, {cluster.named(0)}, could not be reached within {seconds:.0f} s ({reason}); "
            "start it with the same addresses, or raise --wait."
        )
    _keep_alive(connection)
    connection.settimeout(None)
    peers = Peers(cluster, {0: connection})
    peers.listen()
    peers.send(0, {"number": cluster.number, "workers": list(cluster.addresses)})
    peers.answer(max(deadline - time.monotonic(), 0) + HELLO_SECONDS)
    return peers


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):  # Linux; elsewhere the system's own, longer times hold
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
