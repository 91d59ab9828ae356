"""Who takes part: the workers' addresses in one order for all, from `TF_CONFIG` or from the command line."""

import errno
import re
import socket
from dataclasses import dataclass
from typing import Any

from qssl_tf.commands import argument
from qssl_tf.errors import UserError, shown
from qssl_tf.files.read import parse_json

MAX_WORKERS = 1024
MAX_TF_CONFIG = 1 << 20  # characters; 1,024 long names fit many times


@dataclass(frozen=True)
class Cluster:
    """The workers of a run.

    Attributes:
        addresses: `host:port` of each worker; the first is the chief, which writes the run folder.
        number: Which of them this process is, from 0.
        listener: A socket bound to this worker's port and listening; it keeps the place until training starts.
    """

    addresses: tuple[str, ...]
    number: int
    listener: socket.socket

    @property
    def name(self) -> str:
        """This worker, as messages call it."""
        return self.named(self.number)

    def named(self, number: int) -> str:
        """Return a worker, as messages call it."""
        return f"worker {number} ({self.addresses[number]})"


def host_and_port(address: str) -> tuple[str, int]:
    """Split `host:port`; an IPv6 host stands in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def is_host(name: str) -> bool:
    """Return whether a name can be looked up at all: its parts between dots have 1 to 63 letters."""
    try:
        name.rstrip("]").lstrip("[").encode("idna")
    except UnicodeError:
        return False
    return bool(name.strip("."))


def checked_addresses(addresses: Any, source: str, at_least: int = 2) -> tuple[str, ...]:
    """Return workers' addresses after a check.

    Args:
        addresses: A list of texts `host:port`.
        source: Where they were given, for the message.
        at_least: How many there must be.

    Raises:
        UserError: They are no list of so many different addresses.
    """
    if not isinstance(addresses, list) or not at_least <= len(addresses) <= MAX_WORKERS:
        found = len(addresses) if isinstance(addresses, list) else f"{addresses!r:.60}"
        raise UserError(f"{source} must list {at_least} to {MAX_WORKERS} workers as host:port; got {found}.")
    for address in addresses:
        match = (
            re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):(\d{1,5})", address)
            if isinstance(address, str)
            else None
        )
        if match is None or not is_host(match[1]) or not 1 <= int(match[2]) <= 65535:
            raise UserError(f"{source}: a worker must be host:port with a port from 1 to 65535; got {address!r:.80}.")
    twice = [address for address in addresses if addresses.count(address) > 1]
    if twice:
        raise UserError(f"{source} names {twice[0]} twice; each worker needs an address of its own.")
    return tuple(addresses)


def from_tf_config(text: str, at_least: int = 2) -> tuple[tuple[str, ...], int]:
    """Return addresses and this process's number from the JSON that cluster managers put into `TF_CONFIG`.

    A `chief`, where there is one, is worker 0 and the others follow.

    Raises:
        UserError: It is no such JSON, or has tasks of other kinds.
    """
    try:
        if len(text) > MAX_TF_CONFIG:
            raise ValueError(f"it has {len(text)} characters")
        config = parse_json(text)
        tasks, task = config["cluster"], config["task"]
        kind, index = task["type"], task["index"]
        kinds = set(tasks.keys())
        kind = kind if isinstance(kind, str) else repr(kind)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"TF_CONFIG must be JSON with cluster and task (type, index); got {text[:60]!r} "
            f"({type(error).__name__}: {str(error)[:80]})."
        ) from None
    if not kinds <= {"chief", "worker"} or kind not in kinds:
        raise UserError(
            f"TF_CONFIG may have tasks of type chief and worker, and this task's type must be one it has; "
            f"got {', '.join(sorted(map(str, kinds)))[:100]!r} and {kind[:40]!r}."
        )
    lists = {name: tasks.get(name, []) for name in ("chief", "worker")}
    if not all(isinstance(found, list) for found in lists.values()) or len(lists["chief"]) > 1:
        raise UserError("TF_CONFIG must give its tasks as lists, and one chief at most.")
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(lists[kind]):
        raise UserError(f"TF_CONFIG's task index must be from 0 to {len(lists[kind]) - 1}; got {shown(index)}.")
    addresses = checked_addresses([*lists["chief"], *lists["worker"]], "TF_CONFIG", at_least)
    return addresses, index + (len(lists["chief"]) if kind == "worker" else 0)


def claim(addresses: tuple[str, ...], number: int | None) -> Cluster:
    """Take this process's place among the workers.

    Args:
        addresses: Of all workers.
        number: Which this process is; None takes the first address of this machine that no process holds.

    Raises:
        UserError: There is no such place, or another process holds it.
    """
    if number is not None:
        if not 0 <= number < len(addresses):
            raise UserError(f"{argument('worker_number')} must be from 0 to {len(addresses) - 1}; got {number}.")
        port = host_and_port(addresses[number])[1]
        try:
            # On any interface: behind a service's name the address itself may belong to no interface of this machine.
            return Cluster(addresses, number, listen("", port))
        except OSError as error:
            raise UserError(
                f"worker {number} ({addresses[number]}) cannot listen on port {port} ({error.strerror}); "
                "end the process that holds it, or take another port on all workers."
            ) from None
    taken = []
    for place, address in enumerate(addresses):
        try:
            return Cluster(addresses, place, listen(*host_and_port(address)))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                taken.append(address)
    if taken:
        raise UserError(
            f"{argument('workers')}: other processes hold all its addresses of this machine ({', '.join(taken)})."
        )
    raise UserError(
        f"{argument('workers')} names no address of this machine ({', '.join(addresses[:4])}); "
        f"give {argument('worker_number')}."
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; no host is every interface.

    Raises:
        OSError: It cannot.
    """
    family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    if not host:
        family = socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a run that just ended does not block its port
        listener.bind((host, port))
        listener.listen(MAX_WORKERS)
    except OSError:
        listener.close()
        raise
    return listener
