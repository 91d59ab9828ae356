"""Which search, and which of its trials, a message between chief and workers is about."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_tuner.engine.trial import Trial

from qssl_tf.commands import argument, resumption
from qssl_tf.errors import UserError, reason
from qssl_tf.files.read import read_text
from qssl_tf.files.write import write_text
from qssl_tf.search.plan import Plan

FILE = "identity.txt"  # in a search's folder, once it has had a chief


@dataclass(frozen=True)
class Identity:
    """A search, for comparing: its folder's random number with what it searches.

    Attributes:
        search: The same for the chief and all workers of one search, and for no other.
    """

    search: str

    def ticket(self, trial: Trial, worker: str) -> str:
        """Return what a worker shows of a trial that it was given: this search, trial, values and worker."""
        return _digest([self.search, trial.trial_id, trial.hyperparameters.values, worker])


def begin_identity(folder: Path, plan: Plan) -> Identity:
    """Return a search's identity, made where it has none; whoever calls holds the folder."""
    if not (folder / FILE).exists():
        write_text(folder / FILE, secrets.token_hex(16) + "\n")
    return read_identity(folder, plan)


def read_identity(folder: Path, plan: Plan) -> Identity:
    """Return a search's identity.

    Raises:
        UserError: No chief has opened it yet, or the file is damaged.
    """
    path = folder / FILE
    try:
        number = bytes.fromhex(read_text(path, 1000))
    except FileNotFoundError:
        raise UserError(
            f"{folder} has had no chief yet; start one with {argument('role', 'chief')} {resumption(folder, 'search')}."
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged ({reason(error)}); remove it and start chief and workers anew.") from None
    wanted = {name: value for name, value in plan.to_dict().items() if name != "trials"}  # there may be more of them
    return Identity(_digest([number.hex(), wanted]))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
