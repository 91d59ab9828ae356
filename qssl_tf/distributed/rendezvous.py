"""How workers meet: the chief waits for every other one, which waits for the chief's word that all are there."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

from qssl_tf.commands import argument
from qssl_tf.distributed.cluster import Cluster, host_and_port
from qssl_tf.distributed.handshake import SECONDS, Message, OtherSecret, call, serve_until
from qssl_tf.distributed.options import StrategyOptions
from qssl_tf.distributed.peers import Peers
from qssl_tf.distributed.secret import Secret, same_secret
from qssl_tf.errors import UserError

ABOUT = "training"
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
def joined(options: StrategyOptions, settings: dict[str, Any]) -> Iterator[Peers | None]:
    """Meet the other workers of a options, if it has any, compare settings, and part from them at the end.

    Args:
        options: What the command line says.
        settings: What all workers must have in common, by name.

    Raises:
        UserError: Workers did not come, or have other settings.
    """
    if options.cluster is None:
        yield None
        return
    assert options.secret is not None
    peers = meet(options.cluster, options.secret, options.wait)
    _met.append(peers)
    try:
        peers.agree(settings, options.wait)
        yield peers
    except UserError as error:
        peers.fail(str(error))
        raise
    peers.end()


def meet(cluster: Cluster, secret: Secret, seconds: float) -> Peers:
    """Wait until every worker is there; who has another secret is none.

    Args:
        cluster: Who takes part; its listener is closed at the end, so that TensorFlow can take the port.
        secret: Of all workers.
        seconds: How long to wait.

    Raises:
        UserError: On every worker that is there: some did not come, or do not name the same workers.
    """
    deadline = time.monotonic() + seconds
    try:
        return (
            _wait_for_all(cluster, secret, seconds)
            if cluster.number == 0
            else _find_chief(cluster, secret, deadline, seconds)
        )
    finally:
        cluster.listener.close()


def _wait_for_all(cluster: Cluster, secret: Secret, seconds: float) -> Peers:
    table = _Table(cluster)
    asyncio.run(
        serve_until(table.complete(seconds), cluster.listener, secret, ABOUT, table.seat, partial(print, flush=True))
    )
    peers = Peers(cluster, dict(sorted(table.found.items())))
    peers.verdict(table.problem)
    peers.listen()
    return peers


class _Table:
    """Who has come to the chief.

    Attributes:
        found: The connections by the worker's number; one below 0 is none, and hears what is wrong with it.
        problem: What ends the meeting.
    """

    def __init__(self, cluster: Cluster):
        self.cluster = cluster
        self.problem: str | None = None
        self.found: dict[int, socket.socket] = {}
        self._over = asyncio.Event()

    async def complete(self, seconds: float) -> None:
        """Return when every worker is there, something is wrong, or the time is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            missing = [self.cluster.named(n) for n in range(1, len(self.cluster.addresses)) if n not in self.found]
            late = ", ".join(missing[:4])
            self.problem = (
                f"{late} did not come within {seconds:.0f} s; start every worker, or raise {argument('wait')}."
            )

    def seat(self, message: Message) -> tuple[Message, Callable[[socket.socket], None]]:
        """Answer a worker that has the secret, and keep its connection."""

        def take(connection: socket.socket) -> None:
            _keep_alive(connection)
            self.found = {n: other for n, other in self.found.items() if not _gone(other)}  # it may be here again
            number = message.get("number")
            self.problem = self.problem or self._wrong_with(number, message.get("workers"))
            self.found[-1 - len(self.found) if self.problem else message["number"]] = connection
            if self.problem or len(self.found) == len(self.cluster.addresses) - 1:
                self._over.set()

        return {}, take

    def _wrong_with(self, number: Any, theirs: Any) -> str | None:
        if theirs != list(self.cluster.addresses):
            mine = ",".join(self.cluster.addresses)
            text = ",".join(map(str, theirs))[:200] if isinstance(theirs, list) else repr(theirs)[:60]
            return f"worker {number!r:.10} names other workers ({text}) than the chief ({mine[:200]})."
        if type(number) is not int or not 1 <= number < len(self.cluster.addresses) or number in self.found:
            return f"two processes call themselves worker {number!r:.10}; give each a number of its own."
        return None


def _find_chief(cluster: Cluster, secret: Secret, deadline: float, seconds: float) -> Peers:
    why = "no answer"
    hello = {"number": cluster.number, "workers": list(cluster.addresses)}
    while (left := deadline - time.monotonic()) > 0:
        try:
            _, connection = call(host_and_port(cluster.addresses[0]), secret, ABOUT, hello, min(left, SECONDS))
            break
        except OtherSecret as error:
            raise UserError(f"the chief, {cluster.named(0)}, refuses this worker: {error}; {same_secret()}") from None
        except OSError as error:
            why = error.strerror or str(error)
            time.sleep(0.2)
    else:
        raise UserError(
            f"the chief, {cluster.named(0)}, could not be reached within {seconds:.0f} s ({why}); "
            f"start it with the same addresses, or raise {argument('wait')}."
        )
    _keep_alive(connection)
    peers = Peers(cluster, {0: connection})
    peers.listen()
    peers.answer(max(deadline - time.monotonic(), 0) + SECONDS)
    return peers


def _gone(connection: socket.socket) -> bool:
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):  # Linux; elsewhere the system's own, longer times hold
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
