"""Open connections between the chief and every other worker: they agree, and notice each other's end.

TensorFlow waits for hours where a worker does not come, and aborts where one dies. So workers meet here first, over the
port that TensorFlow takes afterwards, and keep the connection: the kernel closes it however its owner ends.
"""

import json
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from qssl_tf.distributed.cluster import Cluster
from qssl_tf.distributed.handshake import MAX_MESSAGE, SECONDS
from qssl_tf.errors import UserError
from qssl_tf.files.read import parse_json


class Peers:
    """The connections of one worker: to all others where it is the chief, else to the chief.

    Once it listens, another worker's end ends this process as well, with one line: the main thread may be waiting for
    that worker inside TensorFlow, where nothing interrupts it.

    Attributes:
        cluster: Who takes part.
        remedy: What to do where a worker ended, the end of that line.
        on_stop: Called on the chief, with the signal's name, where another worker asks it to stop.
        on_leave: Called before this process ends with another one's, to give the terminal back.
    """

    def __init__(self, cluster: Cluster, connections: dict[int, socket.socket]):
        """Keep the connections, by the worker's number at the other end."""
        self.cluster, self._connections = cluster, connections
        self._inbox: dict[int, queue.Queue[Any]] = {number: queue.Queue() for number in connections}
        self._over = threading.Event()
        self.remedy = "start all workers again."
        self.on_stop: Callable[[str], None] = lambda name: None
        self.on_leave: Callable[[], None] = lambda: None

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes the run folder."""
        return self.cluster.number == 0

    def listen(self) -> None:
        """Begin to read what the others send."""
        for number, connection in self._connections.items():
            threading.Thread(target=self._listen_to, args=(number, connection.makefile("rb")), daemon=True).start()

    def agree(self, values: dict[str, Any], seconds: float | None = None) -> None:
        """Compare values with all workers; all of them call it with the same names.

        Args:
            values: What this worker has.
            seconds: How long the others may take to say what they have; None is for what takes them unknown time.

        Raises:
            UserError: On every worker, where one has another value or says nothing; it is named.
        """
        if not self.is_chief:
            self.send(0, {"values": values})
            self.answer(None if seconds is None else seconds + SECONDS)
            return
        deadline = None if seconds is None else time.monotonic() + seconds
        problems = [self._heard(number, values, deadline) for number in self._connections]
        self.verdict(next(filter(None, problems), None))

    def _heard(self, number: int, values: dict[str, Any], deadline: float | None) -> str | None:
        """Return what is wrong with what a worker has."""
        try:
            left = None if deadline is None else max(deadline - time.monotonic(), 0.01)
            return self._difference(number, self._inbox[number].get(timeout=left), values)
        except queue.Empty:
            return f"{self.cluster.named(number)} came and then said nothing; start all workers again."

    def _difference(self, number: int, theirs: Any, values: dict[str, Any]) -> str | None:
        theirs = theirs if isinstance(theirs, dict) else {}
        for name, value in values.items():
            if json.dumps(theirs.get(name)) != json.dumps(value):
                return (
                    f"{self.cluster.named(number)} has another {name} than the chief: {theirs.get(name)!r:.60} there, "
                    f"{value!r:.60} here; start all workers with the same command, versions and data."
                )
        return None

    def verdict(self, problem: str | None) -> None:
        """Tell every other worker what is wrong, or that nothing is; raise it here as well."""
        self._over.set() if problem else None
        for number in self._connections:
            self.send(number, {"verdict": problem})
        if problem:
            raise UserError(problem)

    def answer(self, seconds: float | None = None) -> None:
        """Wait for the chief's verdict; raise what is wrong."""
        try:
            problem = self._inbox[0].get(timeout=seconds)
        except queue.Empty:
            raise UserError(f"the chief, {self.cluster.named(0)}, does not answer; look at its last line.") from None
        if problem:
            raise UserError(str(problem))

    def tell(self, value: str) -> str:
        """Return, on every worker, what the chief says."""
        if not self.is_chief:
            return str(self._inbox[0].get())
        for number in self._connections:
            self.send(number, {"said": value})
        return value

    def ask_to_stop(self, name: str) -> None:
        """Ask the chief to keep the state and stop, since this worker got the signal `name`."""
        self.send(0, {"stop": name})

    def pause(self, seconds: float = 20.0) -> None:
        """Give the news that another worker ended, which ends this process, time to arrive."""
        time.sleep(seconds)

    def end(self, stopped_by: str | None = None) -> None:
        """Part from the others, who go on alone or, where the chief was stopped by a signal, end as well."""
        self._over.set()
        for number, connection in self._connections.items():
            self.send(number, {"end": stopped_by})
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)

    def fail(self, problem: str) -> None:
        """Tell the others what ends this worker."""
        if not self._over.is_set():
            self._over.set()
            for number in self._connections:
                self.send(number, {"error": f"{self.cluster.name}: {problem}"})

    def send(self, number: int, message: dict[str, Any]) -> None:
        """Send one message; whoever is gone is noticed where something is received."""
        with suppress(OSError):
            self._connections[number].sendall(json.dumps(message).encode() + b"\n")

    def _listen_to(self, number: int, reader: Any) -> None:
        name = self.cluster.named(number)
        while True:
            try:
                message = read_message(reader, name)
            except UserError as error:
                return self._leave(str(error))
            if message is None:
                return self._leave(f"{name} ended before training did; {self.remedy}")
            if "error" in message:
                return self._leave(str(message["error"]))
            if "end" in message:
                return self._chief_stopped(message["end"]) if message["end"] else None
            if "stop" in message:
                self.on_stop(str(message["stop"]))
            for kind in ("values", "verdict", "said"):
                if kind in message:
                    self._over.set() if kind == "verdict" and message[kind] else None
                    self._inbox[number].put(message[kind])

    def _leave(self, problem: str) -> None:
        if self._over.is_set():
            return
        self.fail(problem)
        self._exit(f"error: {problem}", 2)

    def _chief_stopped(self, signal_name: str) -> None:
        if not self._over.is_set():
            self._exit(f"stopped: the chief got {signal_name}; {self.remedy}", 130)

    def _exit(self, line: str, code: int) -> NoReturn:
        self.on_leave()
        sys.stdout.flush()
        print(line, file=sys.stderr, flush=True)
        os._exit(code)


def read_message(reader: Any, sender: str) -> dict[str, Any] | None:
    """Return the next message; None where the connection ended.

    Raises:
        UserError: Something else than a message came.
    """
    try:
        line = reader.readline(MAX_MESSAGE)
    except OSError:
        line = b""
    if not line:
        return None
    try:
        message = parse_json(line)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise UserError(f"{sender} answers, but is no worker of qssl_tf; look what runs there.")
    return message
