"""A worker's side of a search on several processes or machines: what it asks the chief and tells it."""

import re
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial

from qssl_tf.commands import argument
from qssl_tf.distributed.cluster import host_and_port, is_host
from qssl_tf.distributed.handshake import Message, OtherSecret, call
from qssl_tf.distributed.secret import Secret, same_secret
from qssl_tf.errors import UserError
from qssl_tf.search.identity import Identity
from qssl_tf.search.oracles import Kept

ABOUT = "search"
PATIENCE = 20.0  # seconds that a worker waits for an answer
POLL = 1.0  # seconds between questions of a worker that has no trial, or no answer


def address(text: str) -> tuple[str, int]:
    """Read HOST:PORT.

    Raises:
        UserError: It is not that.
    """
    host, _, port = text.rpartition(":")
    if not is_host(host) or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise UserError(f"{argument('chief')} must be HOST:PORT with a port from 1 to 65535; got '{text}'.")
    return host_and_port(text)


class Client:
    """A worker's view of the chief's oracle: keras-tuner's tuner talks to it as it would to the oracle itself.

    Args:
        oracle: The worker's own copy, for what needs no chief.
        chief: HOST:PORT.
        secret: Of chief and workers.
        identity: The search that the worker takes part in.
        beat: Seconds between signs of life.

    Attributes:
        worker: This worker's name, a new one each time: a lost trial is lost.

    Raises:
        UserError: The chief does not answer, or serves another search.
    """

    def __init__(self, oracle: Kept, chief: str, secret: Secret, identity: Identity, beat: float):
        """Reach the chief."""
        self.objective, self.chief, self.beat = oracle.objective, chief, beat
        self._secret, self._identity = secret, identity
        self.worker = f"worker-{uuid.uuid4().hex[:12]}"
        self._tickets: dict[str, str] = {}
        try:
            self._ask("join")
        except TimeoutError:
            raise UserError(
                f"no chief answers at {chief} (waited {PATIENCE:.0f} s); start it with "
                f"{argument('role', 'chief')} {argument('chief', chief)}, "
                "and check the address and the firewall between."
            ) from None
        except keras_tuner.errors.FatalError as error:
            raise UserError(str(error)) from None

    def create_trial(self, tuner_id: str) -> Trial:
        """Return a trial to run, or STOPPED; wait while there is none."""
        while True:
            answer = self._told("create")
            trial = Trial.from_state(answer["trial"])
            if trial.status != "IDLE":
                self._tickets[trial.trial_id] = answer["ticket"]
                return trial
            time.sleep(POLL)

    def get_trial(self, trial_id: str) -> Trial:
        """Return a trial as the chief has it; a sign of life as well."""
        return Trial.from_state(self._told("look", trial_id)["trial"])

    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> None:
        """Tell the figures of a trial."""
        self._told("update", trial_id, metrics={name: float(value) for name, value in metrics.items()})

    def end_trial(self, trial: Trial) -> None:
        """Tell how a trial ended."""
        self._told("end", trial.trial_id, status=trial.status)

    def alive(self, trial_id: str) -> "_Beating":
        """Return a context in which the chief hears that a trial is being run."""
        return _Beating(lambda: self.get_trial(trial_id), self.beat)

    def _told(self, kind: str, trial_id: str | None = None, **values: Any) -> Message:
        """Return the chief's answer.

        Raises:
            FatalError: There is none.
        """
        try:
            return self._ask(kind, trial_id, **values)
        except TimeoutError as error:
            raise keras_tuner.errors.FatalError(
                f"the chief at {self.chief} does not answer ({error}); nothing is lost: "
                f"continue it with {argument('resume')} and start the workers again."
            ) from None

    def _ask(self, kind: str, trial_id: str | None = None, **values: Any) -> Message:
        """Ask until there is an answer; the chief does once what it is told twice.

        Raises:
            TimeoutError: Nobody answers.
            FatalError: It refuses.
        """
        about = {} if trial_id is None else {"trial": trial_id, "ticket": self._tickets.get(trial_id)}
        message = {"search": self._identity.search, "worker": self.worker, "ask": kind, **about, **values}
        deadline, why = time.monotonic() + PATIENCE, "no answer"
        while (left := deadline - time.monotonic()) > 0:
            try:
                answer, connection = call(address(self.chief), self._secret, ABOUT, message, left)
            except OtherSecret as error:
                raise self._refused(f"{error}; {same_secret()}") from None
            except UserError as error:
                raise keras_tuner.errors.FatalError(str(error)) from None
            except OSError as error:
                why = error.strerror or str(error)
                time.sleep(min(POLL, 0.2))
                continue
            connection.close()
            if "refused" in answer:
                raise self._refused(f"{answer['refused']}.")
            return answer
        raise TimeoutError(why)

    def _refused(self, why: str) -> keras_tuner.errors.FatalError:
        return keras_tuner.errors.FatalError(f"the chief at {self.chief} refuses this worker: {why}")


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
