"""How two processes that share a secret begin to talk, for workers of a run and of a search alike.

Each side says a number that is used once; then the caller sends its message and the host its answer, each with a proof
over the secret, both numbers, what is talked about and the text. So neither can be made up, sent again or sent to
another place, and the secret is not on the wire. What is said is not hidden.

A host listens to many callers at a time, and to none for longer than a few seconds, however slowly it sends.
"""

import asyncio
import json
import re
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

from qssl_tf.distributed.secret import Secret
from qssl_tf.errors import UserError
from qssl_tf.files.read import parse_json

SECONDS = 5.0  # for one caller, from its first byte to its answer
AT_ONCE = 100  # callers that are listened to; one more ends the one that came first
MAX_MESSAGE = 1 << 20  # bytes; the settings of a run take two thousand
HELLO = re.compile(rb"qssl_tf 1 ([0-9a-f]{32})\n")
REFUSED = b"refused: another secret\n"
WARNINGS = 10  # lines about callers with another secret

Message = dict[str, Any]
# Takes a caller's message; returns the answer, and what takes over the connection, which else is closed.
Host = Callable[[Message], tuple[Message, Callable[[socket.socket], None] | None]]


class OtherSecret(UserError):
    """The host has another secret."""


def call(address: tuple[str, int], secret: Secret, about: str, message: Message, seconds: float) -> Any:
    """Send a message to a host that has the same secret.

    Args:
        address: Of the host.
        secret: Shared with it.
        about: What is talked about; hosts of other things refuse.
        message: Plain values.
        seconds: How long all of it may take.

    Returns:
        The answer, and the connection, which still is open.

    Raises:
        OSError: Nobody answers in time.
        OtherSecret: The host has another one.
        UserError: Something else answers.
    """
    deadline = time.monotonic() + seconds
    connection = socket.create_connection(address, timeout=seconds)
    try:
        if connection.getsockname() == connection.getpeername():
            raise ConnectionRefusedError(None, "Connection refused")  # TCP lets a port call itself where none listens
        mine = secrets.token_hex(16).encode()
        connection.sendall(b"qssl_tf 1 " + mine + b"\n")
        hello = HELLO.fullmatch(_line(connection, deadline))
        if hello is None:
            raise _stranger(address)
        numbers = (about.encode(), mine, hello[1])
        connection.sendall(_sealed(secret, b"caller", numbers, message))
        answer = _line(connection, deadline)
        if answer == REFUSED:
            raise OtherSecret(f"it has another secret than {secret.source}")
        opened = _opened(secret, b"host", numbers, answer)
        if opened is None:
            raise _stranger(address)
        connection.settimeout(None)
        return opened, connection
    except BaseException:
        connection.close()
        raise


def _stranger(address: tuple[str, int]) -> UserError:
    return UserError(f"{address[0]}:{address[1]} answers, but is no worker of qssl_tf; look what runs there.")


def _line(connection: socket.socket, deadline: float) -> bytes:
    """Return what comes until a line ends and nothing behind it, which is for who takes over the connection."""
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < MAX_MESSAGE:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        seen = connection.recv(65536, socket.MSG_PEEK)
        if not seen:
            raise ConnectionResetError(None, "the connection was closed")
        line += connection.recv(seen.find(b"\n") + 1 or len(seen))
    return bytes(line)


def _sealed(secret: Secret, side: bytes, numbers: tuple[bytes, ...], message: Message) -> bytes:
    text = json.dumps(message).encode()
    return secret.proof(side, *numbers, text) + b" " + text + b"\n"


def _opened(secret: Secret, side: bytes, numbers: tuple[bytes, ...], line: bytes) -> Message | None:
    """Return the message of a sealed line; None where its proof is another one."""
    proof, text = line[:64], line[65:-1]
    if not secret.proves(proof, side, *numbers, text):
        return None
    with suppress(ValueError):
        message = parse_json(text)
        return message if isinstance(message, dict) else None
    return None


async def serve_until(
    over: Awaitable[None],
    listener: socket.socket,
    secret: Secret,
    about: str,
    host: Host,
    say: Callable[[str], None],
) -> None:
    """Answer whoever calls and has the secret, until something is over.

    Args:
        over: What is waited for.
        listener: Where callers come.
        secret: Shared with them.
        about: What is talked about.
        host: Answers them. What it raises ends all of it and is raised here.
        say: Called with a line where somebody came with another secret.
    """
    door = _Door(secret, about, host, say)
    try:
        async with asyncio.TaskGroup() as group:
            door.open(listener, group)
            try:
                await over
            finally:
                door.close(listener)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


class _Door:
    """Callers that are listened to now."""

    def __init__(self, secret: Secret, about: str, host: Host, say: Callable[[str], None]):
        self.secret, self.about, self.host, self.say = secret, about.encode(), host, say
        self.callers: dict[asyncio.Task, None] = {}
        self._warned: set[str] = set()
        self._reopening: asyncio.TimerHandle | None = None

    def open(self, listener: socket.socket, group: asyncio.TaskGroup) -> None:
        """Let callers in from now on, one in each turn of the loop."""
        listener.setblocking(False)
        asyncio.get_running_loop().add_reader(listener, self._come, listener, group)

    def close(self, listener: socket.socket) -> None:
        """Let nobody in any more, and send off who is there."""
        asyncio.get_running_loop().remove_reader(listener)
        if self._reopening:
            self._reopening.cancel()
        for task in self.callers:
            task.cancel()
        self.callers = {}

    def _come(self, listener: socket.socket, group: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        try:
            connection, address = listener.accept()
        except OSError:  # the caller is gone already, or there are too many open files: some will be closed
            loop.remove_reader(listener)
            self._reopening = loop.call_later(0.05, self.open, listener, group)
            return
        if len(self.callers) >= AT_ONCE:
            first = next(iter(self.callers))
            del self.callers[first]
            first.cancel()
        task = group.create_task(self._receive(connection, address[0]))
        self.callers[task] = None
        task.add_done_callback(partial(self._left, connection))

    def _left(self, connection: socket.socket, task: asyncio.Task) -> None:
        """Forget a caller; one that was sent off may never have been listened to."""
        self.callers.pop(task, None)
        if task.cancelled() or task.exception() or not task.result():
            connection.close()

    async def _receive(self, connection: socket.socket, place: str) -> bool:
        """Listen to one caller, answer it and return whether its connection was taken over."""
        connection.setblocking(False)
        try:
            async with asyncio.timeout(SECONDS) as limit:
                return await self._talk(connection, place, limit)
        except TimeoutError:
            if not limit.expired():
                raise  # of the host's disk
        return False

    async def _talk(self, connection: socket.socket, place: str, limit: asyncio.Timeout) -> bool:
        loop = asyncio.get_running_loop()
        try:
            hello = HELLO.fullmatch(await _next_line(connection, 64))
            if hello is None:
                return False
            mine = secrets.token_hex(16).encode()
            await loop.sock_sendall(connection, b"qssl_tf 1 " + mine + b"\n")
            numbers = (self.about, hello[1], mine)
            message = _opened(self.secret, b"caller", numbers, await _next_line(connection, MAX_MESSAGE))
            if message is None:
                self._warn(place)
                await loop.sock_sendall(connection, REFUSED)
                return False
        except OSError:
            return False
        answer, take_over = self.host(message)  # what goes wrong here is no matter of the connection
        limit.reschedule(loop.time() + SECONDS)  # the caller cannot help how long that took
        try:
            await loop.sock_sendall(connection, _sealed(self.secret, b"host", numbers, answer))
        except OSError:
            return False
        if take_over is None:
            return False
        connection.setblocking(True)
        take_over(connection)
        return True

    def _warn(self, place: str) -> None:
        if place not in self._warned and len(self._warned) < WARNINGS:
            self._warned.add(place)
            self.say(f"{place} called with another secret than {self.secret.source} and was refused")


async def _next_line(connection: socket.socket, at_most: int) -> bytes:
    """Return what comes until a line ends, or what is more than a line may be."""
    loop, line = asyncio.get_running_loop(), bytearray()
    while not line.endswith(b"\n") and len(line) < at_most:
        part = await loop.sock_recv(connection, min(65536, at_most - len(line)))
        if not part:
            raise ConnectionResetError
        line += part
    return bytes(line)
