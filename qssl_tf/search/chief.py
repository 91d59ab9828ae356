"""The chief of a search on several processes or machines: it hands out trials and hears how they ended."""

import asyncio
import math
import re
import time
from collections.abc import Callable
from typing import Any

from keras_tuner.engine.trial import Trial

from qssl_tf.commands import argument
from qssl_tf.distributed.cluster import listen
from qssl_tf.distributed.handshake import Message, serve_until
from qssl_tf.distributed.secret import Secret
from qssl_tf.errors import UserError
from qssl_tf.search.client import ABOUT, address
from qssl_tf.search.identity import Identity
from qssl_tf.search.oracles import ENDED, Kept
from qssl_tf.search.trials import FIGURES

FAREWELL = 10.0  # seconds that the chief stays after the last trial, for workers that still ask
QUIET = 30.0  # seconds without a worker until the user is told
WORKER = re.compile(r"worker-[0-9a-f]{12}")


class Refusal(Exception):
    """A message that means nothing here; the sentence goes to whoever sent it, and nothing changes."""


class Desk:
    """Answers what workers ask and tell.

    Args:
        oracle: The search's.
        identity: Which search it is.

    Attributes:
        ended: Whether a worker was told that there are no more trials.
    """

    def __init__(self, oracle: Kept, identity: Identity):
        """Open it."""
        self.oracle, self.identity, self.ended = oracle, identity, False

    def answer(self, message: Message) -> Message:
        """Return the answer to a message, or why it is refused.

        Raises:
            OSError: A disk that is full or gone.
        """
        try:
            trial = self._compared(message)
            return ANSWERS[message["ask"]](self, message, trial)
        except Refusal as refusal:
            return {"refused": str(refusal)}

    def _compared(self, message: Message) -> Trial | None:
        """Return the trial that a message is about, if it comes from this search and from a worker that was given it.

        This is all there is of who may say what; the door has looked at the secret.
        """
        worker, kind = message.get("worker"), message.get("ask")
        if message.get("search") != self.identity.search:
            raise Refusal(f"it serves another search; name the chief's folder with {argument('resume')}")
        if not isinstance(worker, str) or not WORKER.fullmatch(worker):
            raise Refusal("a worker has no such name")
        if not isinstance(kind, str) or kind not in ANSWERS:
            raise Refusal("it knows no such question; take the same version everywhere")
        if kind in WITHOUT_TRIAL:
            return None
        name = message.get("trial")
        trial = self.oracle.trials.get(name) if isinstance(name, str) else None
        if trial is None or message.get("ticket") != self.identity.ticket(trial, worker):
            raise Refusal("it gave this worker no such trial")
        return trial

    def join(self, message: Message, trial: Trial | None) -> Message:
        """Let a worker know that this is its search."""
        return {}

    def create(self, message: Message, trial: Trial | None) -> Message:
        """Give a worker a trial; asked again, the same one."""
        made = self.oracle.create_trial(message["worker"])
        self.ended |= made.status == "STOPPED"
        return {"trial": made.get_state(), "ticket": self.identity.ticket(made, message["worker"])}

    def look(self, message: Message, trial: Trial) -> Message:
        """Show a trial, whose worker lives."""
        return {"trial": self.oracle.get_trial(trial.trial_id).get_state()}

    def update(self, message: Message, trial: Trial) -> Message:
        """Take the figures of a trial."""
        metrics = message.get("metrics")
        if not isinstance(metrics, dict) or metrics.keys() != set(FIGURES):
            raise Refusal(f"figures must be {', '.join(FIGURES)}")
        if not all(isinstance(value, float) for value in metrics.values()):
            raise Refusal("figures must be numbers")
        # No number at all fails the trial, where it is the objective.
        self.oracle.update_trial(trial.trial_id, {n: v if math.isfinite(v) else math.nan for n, v in metrics.items()})
        return {}

    def end(self, message: Message, trial: Trial) -> Message:
        """Take the end of a trial."""
        status = message.get("status")
        if status not in (*ENDED, "INVALID"):
            raise Refusal("a trial ends completed, failed or invalid")
        if status == "COMPLETED" and not trial.metrics.exists(self.oracle.objective.name):
            raise Refusal("a trial is completed once its figures are there")
        self.oracle.end_trial(Trial(trial.hyperparameters, trial_id=trial.trial_id, status=status))
        return {}


# What a worker may say -> who answers.
ANSWERS: dict[str, Callable[[Desk, Message, Any], Message]] = {
    "join": Desk.join,
    "create": Desk.create,
    "look": Desk.look,
    "update": Desk.update,
    "end": Desk.end,
}
WITHOUT_TRIAL = ("join", "create")


def serve(desk: Desk, chief: str, secret: Secret, silence: float, say: Callable[[str], None]) -> None:
    """Hand out trials until all have ended.

    Args:
        desk: Of the search.
        chief: HOST:PORT to listen on.
        secret: Of all its workers.
        silence: Seconds after which a worker's trial is given to another.
        say: Called with a line where a user should do something.

    Raises:
        UserError: The address cannot be listened on.
        OSError: A disk that is full or gone.
    """
    try:
        listener = listen(*address(chief))
    except OSError as error:
        raise UserError(f"cannot listen at {chief}: {error.strerror}; choose another {argument('chief')}.") from None
    over = _all_ended(desk, silence, say)
    with listener:
        asyncio.run(serve_until(over, listener, secret, ABOUT, lambda message: (desk.answer(message), None), say))


async def _all_ended(desk: Desk, silence: float, say: Callable[[str], None]) -> None:
    """Return when all trials have ended and all living workers know."""
    oracle, over = desk.oracle, None
    quiet_since, told = time.monotonic(), False
    while over is None or (oracle.tuner_ids and time.monotonic() - over < FAREWELL):
        await asyncio.sleep(0.2)
        oracle.requeue_silent(silence)
        busy = bool(oracle.ongoing_trials)
        if desk.ended and not busy and over is None:
            over = time.monotonic()
        if busy or over is not None:
            quiet_since, told = time.monotonic(), False
        elif not told and time.monotonic() - quiet_since > QUIET:
            told = True
            say(f"no worker is running; start one with the same command and {argument('role', 'worker')}")
