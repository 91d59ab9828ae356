"""One search on several processes or machines: a chief that hands out trials, and workers that run them (gRPC)."""

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from concurrent import futures
from pathlib import Path

import grpc
import keras_tuner
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.distribute.oracle_client import OracleClient
from oracles import Kept

from qssl_tf.errors import UserError

PATIENCE = 20.0  # seconds that a worker waits for an answer
POLL = 1.0  # seconds between questions of a worker that has no trial
FAREWELL = 10.0  # seconds that the chief stays after the last trial, for workers that still ask


def address(text: str) -> tuple[str, int]:
    """Read HOST:PORT.

    Raises:
        UserError: It is not that.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UserError(f"--chief must be HOST:PORT with a port from 1 to 65535; got '{text}'.")
    return host, int(port)


def join(chief: str) -> None:
    """Tell keras-tuner that this process is a worker of `chief`, before its tuner is made."""
    host, port = address(chief)
    os.environ["KERASTUNER_ORACLE_IP"], os.environ["KERASTUNER_ORACLE_PORT"] = host, str(port)
    os.environ["KERASTUNER_TUNER_ID"] = f"worker-{uuid.uuid4().hex[:12]}"  # a new one each time: a lost trial is lost


class Client(OracleClient):
    """A worker's view of the chief's oracle, with an end to its patience.

    Args:
        oracle: The worker's own copy, for what needs no chief.
        chief: HOST:PORT.
        beat: Seconds between signs of life.

    Raises:
        UserError: The chief does not answer.
    """

    def __init__(self, oracle: Kept, chief: str, beat: float):
        """Reach the chief."""
        super().__init__(oracle)
        self.chief, self.beat = chief, beat
        channel = grpc.insecure_channel(chief)
        try:
            grpc.channel_ready_future(channel).result(timeout=PATIENCE)
        except grpc.FutureTimeoutError:
            raise UserError(
                f"no chief answers at {chief} (waited {PATIENCE:.0f} s); start it with --role chief --chief {chief}, "
                "and check the address and the firewall between."
            ) from None
        self.stub = _Impatient(protos.get_service_grpc().OracleStub(channel), chief)

    def create_trial(self, tuner_id):
        """Return a trial to run, or STOPPED; wait while there is none."""
        while (trial := super().create_trial(tuner_id)).status == "IDLE":
            time.sleep(POLL)
        return trial

    def check_space(self, folder: Path) -> None:
        """Refuse a chief that searches something else than this worker's folder says.

        Raises:
            UserError: It names the parameters.
        """
        mine, theirs = (_described(space) for space in (self._oracle.get_space(), self.get_space()))
        different = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
        if different:
            raise UserError(
                f"the chief at {self.chief} searches another space than {folder} (other: {', '.join(different)}); "
                "name the chief's folder with --resume."
            )

    def alive(self, trial_id: str) -> "_Beating":
        """Return a context in which the chief hears that a trial is being run."""
        return _Beating(lambda: self.get_trial(trial_id), self.beat)


def _described(space: keras_tuner.HyperParameters) -> dict[str, list]:
    return {entry.name: list(entry.values) for entry in space.space}


class _Impatient:
    """The chief's methods, with a deadline of seconds instead of an hour."""

    def __init__(self, stub, chief: str):
        self._stub, self._chief = stub, chief

    def __getattr__(self, name: str) -> Callable:
        method = getattr(self._stub, name)

        def ask(request, wait_for_ready=True, timeout=None):
            try:
                return method(request, wait_for_ready=True, timeout=PATIENCE)
            except grpc.RpcError as error:
                raise keras_tuner.errors.FatalError(
                    f"the chief at {self._chief} does not answer ({error.code().name.lower()}); nothing is lost: "
                    "continue it with --resume and start the workers again."
                ) from None

        return ask


class _Beating:
    """Calls a function again and again in another thread, until the context ends."""

    def __init__(self, call: Callable[[], object], seconds: float):
        self._call, self._seconds, self._over = call, seconds, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._over.wait(self._seconds):
            try:
                self._call()
            except keras_tuner.errors.FatalError:
                continue  # the chief may come back before the trial ends

    def __enter__(self) -> "_Beating":
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._over.set()


def serve(oracle: Kept, chief: str, silence: float, say: Callable[[str], None]) -> None:
    """Hand out trials until all have ended.

    Args:
        oracle: The search's.
        chief: HOST:PORT to listen on.
        silence: Seconds after which a worker's trial is given to another.
        say: Called with a line where a user should do something.

    Raises:
        UserError: The address cannot be listened on.
    """
    host, port = address(chief)
    _check_free(host, port)  # gRPC would add a message of its own
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), options=(("grpc.so_reuseport", 0),))
    servicer = OracleServicer(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    if server.add_insecure_port(f"{host}:{port}") == 0:
        raise UserError(f"cannot listen at {chief}; choose another --chief.")
    server.start()
    try:
        _wait(oracle, servicer, silence, say)
    finally:
        server.stop(grace=1.0).wait()


def _wait(oracle: Kept, servicer: OracleServicer, silence: float, say: Callable[[str], None]) -> None:
    """Return when all trials have ended and all living workers know."""
    over: float | None = None
    quiet_since, told = time.monotonic(), False
    while over is None or (oracle.tuner_ids and time.monotonic() - over < FAREWELL):
        time.sleep(0.2)
        oracle.requeue_silent(silence)
        busy = bool(oracle.ongoing_trials)
        if servicer.stop_triggered and not busy and over is None:
            over = time.monotonic()
        if busy or over is not None:
            quiet_since, told = time.monotonic(), False
        elif not told and time.monotonic() - quiet_since > 30:
            told = True
            say("no worker is running; start one with the same command and --role worker")


def _check_free(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(f"cannot listen at {host}:{port}: {error.strerror}; choose another --chief.") from None
