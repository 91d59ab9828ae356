"""What strangers send to a listening port, and what a listener on the wire has heard: for tests of both meetings.

`STRANGERS=10000` makes the tests send so many messages to each port, rather than a few hundred.
"""

import json
import os
import random
import socket
import threading
import time
from contextlib import contextmanager, suppress

from qssl_tf.distributed.handshake import SECONDS, call
from qssl_tf.distributed.secret import Secret

COUNT = int(os.environ.get("STRANGERS", "300"))
HELLO = b"qssl_tf 1 " + b"0123456789abcdef" * 2 + b"\n"
GREETINGS = [
    b"", b"\n", b"GET / HTTP/1.1\r\n\r\n", b"[1, 2]\n", b"\xff\xfe\n", b"[" * 50_000 + b"\n", b'"x"\n', b"qssl_tf\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-x\r\n",
    b"qssl_tf 2 " + b"00" * 16 + b"\n", b"qssl_tf 1 " + b"0" * 5000 + b"\n", HELLO.upper(),
    HELLO.replace(b"\n", b"\r\n"),
]  # fmt: skip


class Ports:
    """A listening port as strangers meet it.

    Args:
        port: Where they come, on this machine.
        recorded: What honest callers sent there before, byte by byte as it was on the wire.
        answers: Whether whoever listens must answer or hang up soon; a worker only keeps its place while it waits.
    """

    def __init__(self, port, recorded=(), answers=True):
        self.address, self.recorded = ("127.0.0.1", port), list(recorded)
        self.open: list[socket.socket] = []
        self.patience, self.allowed = (3 * SECONDS, ConnectionError) if answers else (0.02, OSError)

    def connect(self):
        return socket.create_connection(self.address, timeout=self.patience)

    def say(self, *parts):
        """Send parts and hang up."""
        with suppress(self.allowed), self.connect() as connection:
            for part in parts:
                connection.sendall(part)

    def random_bytes(self, rng):
        self.say(rng.randbytes(rng.randrange(3000)) + rng.choice([b"", b"\n"]))

    def other_greeting(self, rng):
        self.say(rng.choice(GREETINGS))

    def right_hello(self, rng):
        """The form is right and the proof made up."""
        text = json.dumps({"number": 1, "workers": ["a:1"], "ask": "create", "worker": "worker-0123456789ab"}).encode()
        proof = rng.choice([rng.randbytes(32).hex().encode(), b"", b"0" * 64, b"\xc3" * 64])
        with suppress(self.allowed), self.connect() as connection:
            connection.sendall(HELLO)
            connection.recv(100)
            connection.sendall(proof + b" " + rng.choice([text, b"[]", b"", b"[" * 5000, rng.randbytes(50)]) + b"\n")
            connection.recv(100)

    def replayed(self, rng):
        """What an honest caller said, at once or after the host's own hello."""
        hello, _, rest = rng.choice(self.recorded or [HELLO + b"0" * 64 + b" {}\n"]).partition(b"\n")
        with suppress(self.allowed), self.connect() as connection:
            connection.sendall(hello + b"\n")
            if rng.random() < 0.5:
                connection.recv(100)
            connection.sendall(rest)
            connection.recv(100)

    def huge(self, rng):
        self.say(rng.choice([HELLO, b""]), *[b"x" * 65536] * 40)

    def other_secret(self, rng):
        with suppress(OSError, ValueError):
            call(self.address, Secret(rng.randbytes(32), "a guess"), "search", {"ask": "join"}, self.patience)

    def half_open(self, rng):
        """It says the beginning or nothing, and stays; at most 50 do so at a time."""
        with suppress(self.allowed):
            self.open.append(self.connect())
            self.open[-1].sendall(rng.choice([b"", HELLO, HELLO[:5], b"x"]))
        if len(self.open) > 50:
            self.open.pop(0).close()

    def come(self, count, seed):
        """Send so many messages, each of a kind drawn at random; a few slow senders stay beside them all the time."""
        rng = random.Random(seed)
        kinds = [
            self.random_bytes, self.other_greeting, self.right_hello, self.replayed, self.other_secret, self.half_open,
        ]  # fmt: skip
        with slow_senders(self.address, 5):
            for number in range(count):
                (self.huge if number % 100 == 99 else rng.choice(kinds))(rng)
        for connection in self.open:
            connection.close()


@contextmanager
def slow_senders(address, count, seconds=0.5):
    """Let so many clients send a byte every so often, from a right hello on, and come again when they are sent off."""
    over = threading.Event()

    def send():
        while not over.is_set():
            with suppress(OSError), socket.create_connection(address, timeout=5) as connection:
                for byte in HELLO + b"0" * 64:
                    connection.sendall(bytes([byte]))
                    if over.wait(seconds):
                        return

    threads = [threading.Thread(target=send, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield
    over.set()
    for thread in threads:
        thread.join(10)


class Wire:
    """A cable to a host on which somebody listens: it passes everything on, and keeps what callers sent."""

    def __init__(self, host):
        self.host, self.recorded = host, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                caller, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller):
        # Where nobody listens yet, the caller is hung up on, and calls again.
        with caller, suppress(ConnectionRefusedError), socket.create_connection(self.host) as host:
            heard = (bytearray(), bytearray())
            self.recorded.append(heard)
            answers = threading.Thread(target=self._pass_on, args=(host, caller, heard[1]), daemon=True)
            answers.start()
            self._pass_on(caller, host, heard[0])
            answers.join()

    @staticmethod
    def _pass_on(source, target, kept):
        with suppress(OSError):
            while part := source.recv(65536):
                kept += part
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)

    def said(self):
        """Return what each caller sent, and what each was answered."""
        return [bytes(caller) for caller, _ in self.recorded], [bytes(host) for _, host in self.recorded]

    def close(self):
        self.listener.close()


def until_listening(port, process=None, seconds=60):
    """Wait until a port takes connections."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and (process is None or process.poll() is None):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens on {port}")
