"""A host and its callers over real connections: who is let in, who is not, and for how long anybody is listened to."""

import asyncio
import re
import socket
import threading
import time
from contextlib import contextmanager

import pytest
from strangers import Wire, slow_senders

from qssl_tf.distributed import handshake as doors
from qssl_tf.distributed.handshake import OtherSecret, call, serve_until
from qssl_tf.distributed.secret import Secret
from qssl_tf.errors import UserError

SECRET = Secret(b"a" * 32, "here")


class Host:
    """It says back what it is told, and counts."""

    def __init__(self, about="test"):
        self.heard, self.told, self.failure = [], [], None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(about,), daemon=True)
        self.thread.start()

    def answer(self, message):
        self.heard.append(message)
        if message.get("fail"):
            raise OSError(28, "No space left on device")
        return {"back": message}, None

    async def until(self):
        while not self.over.is_set():
            await asyncio.sleep(0.02)

    def _run(self, about):
        try:
            asyncio.run(serve_until(self.until(), self.listener, SECRET, about, self.answer, self.told.append))
        except Exception as error:
            self.failure = error


@contextmanager
def hosted(**options):
    host = Host(**options)
    yield host
    host.over.set()
    host.thread.join(10)
    assert not host.thread.is_alive()
    host.listener.close()


@pytest.fixture
def host():
    with hosted() as made:
        yield made


def ask(host, message, secret=SECRET, about="test", seconds=10):
    answer, connection = call(host.address, secret, about, message, seconds)
    connection.close()
    return answer


def test_whoever_has_the_secret_is_answered(host):
    message = {"a": [1, 2.5, None, "é\n"], "b": "x" * 500_000}
    assert ask(host, message) == {"back": message}


def test_another_secret_is_refused_on_both_sides(host):
    for _ in range(3):
        with pytest.raises(OtherSecret, match="^it has another secret than there$"):
            ask(host, {}, Secret(b"b" * 32, "there"))
    assert host.heard == [] and host.told == ["127.0.0.1 called with another secret than here and was refused"]


def test_what_is_said_about_something_else_is_refused(host):
    with pytest.raises(OtherSecret):
        ask(host, {}, about="another")
    assert host.heard == []


def test_nothing_that_was_on_the_wire_opens_the_door_again(host):
    wire = Wire(host.address)
    name, port = wire.address.split(":")
    answer, connection = call((name, int(port)), SECRET, "test", {"n": 1}, 10)
    connection.close()
    (said,), (answered,) = wire.said()
    wire.close()
    assert answer == {"back": {"n": 1}} and SECRET.words not in said + answered
    hello, rest = said.split(b"\n", 1)
    with socket.create_connection(host.address, timeout=10) as again:
        again.sendall(hello + b"\n")
        assert re.fullmatch(rb"qssl_tf 1 [0-9a-f]{32}\n", again.recv(100))
        again.sendall(rest)
        assert again.recv(100) == doors.REFUSED
    # Nor does a recorded host fool a caller.
    with socket.create_server(("127.0.0.1", 0)) as other:

        def play():
            with other.accept()[0] as connection:
                connection.sendall(answered)
                connection.recv(1000)

        fake = threading.Thread(target=play, daemon=True)
        fake.start()
        with pytest.raises(UserError, match="answers, but is no worker of qssl_tf"):
            call(other.getsockname(), SECRET, "test", {"n": 1}, 5)
        fake.join(10)
    assert len(host.heard) == 1


def test_a_host_does_not_wait_for_slow_or_silent_callers(host, monkeypatch):
    monkeypatch.setattr(doors, "SECONDS", 1.0)
    silent = [socket.create_connection(host.address) for _ in range(2 * doors.AT_ONCE)]
    with slow_senders(host.address, 10, seconds=0.2):
        began = time.monotonic()
        for number in range(20):
            assert ask(host, {"n": number}) == {"back": {"n": number}}
        assert time.monotonic() - began < 5
        for connection in silent:  # all are sent off
            connection.settimeout(5)
            assert connection.recv(10) == b""
            connection.close()
    assert [message["n"] for message in host.heard] == list(range(20))


def test_a_byte_now_and_then_buys_no_time(host, monkeypatch):
    monkeypatch.setattr(doors, "SECONDS", 1.0)
    began = time.monotonic()
    with socket.create_connection(host.address) as slow, pytest.raises(OSError):
        for byte in b"qssl_tf 1 0123456789abcdef" * 9:
            slow.sendall(bytes([byte]))
            time.sleep(0.2)
    assert time.monotonic() - began < 3


def test_a_caller_does_not_wait_for_a_silent_host():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(OSError):
            call(silent.getsockname(), SECRET, "test", {}, 0.5)
        assert time.monotonic() - began < 2


def test_a_full_disk_of_the_host_ends_it():
    with hosted() as host:
        with pytest.raises(OSError):
            ask(host, {"fail": True}, seconds=2)
        host.thread.join(5)
    assert isinstance(host.failure, OSError) and host.failure.errno == 28


def test_a_port_that_calls_itself():
    """TCP connects a port of this machine with itself where nobody listens and the system chose that very port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        where = probe.getsockname()
    original = socket.create_connection

    def same_port(address, timeout=None):
        return original(address, timeout, source_address=address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "create_connection", same_port)
        with pytest.raises(ConnectionRefusedError):
            call(where, SECRET, "test", {}, 2)
