"""The loop over trials: keras-tuner hands out values, each becomes a run folder, its figures go back."""

import contextlib
import math
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine import base_tuner
from keras_tuner.src import config as keras_tuner_config

from qssl_tf.config import Config
from qssl_tf.errors import UserError, pass_on_interrupt
from qssl_tf.errors import reason as error_reason
from qssl_tf.files.read import read_text
from qssl_tf.files.write import write_json, write_text
from qssl_tf.search.client import Client
from qssl_tf.search.oracles import ORACLES, RUNGS, Kept
from qssl_tf.search.plan import Plan
from qssl_tf.search.space import chosen_settings, declare
from qssl_tf.search.trials import OBJECTIVES, images, run_trial
from qssl_tf.training.schedule import schedule

keras_tuner_config.DEBUG = False  # else it prints the traceback of each failed trial, whose reason is in one line
STATE = "keras_tuner"  # keras-tuner's own files, inside the search's folder
FAILURE = "failure.txt"  # in a trial's folder
UNIT = "tuner/epochs"  # hyperband's name for how long a trial trains


def make_oracle(plan: Plan) -> Kept:
    """Return the oracle of a plan, with nothing chosen yet."""
    return ORACLES[plan.algorithm](
        plan.trials,
        objective=keras_tuner.Objective(plan.objective, OBJECTIVES[plan.objective]),
        hyperparameters=declare(plan.parameters, plan.base),
        seed=plan.search_seed + 1,  # keras-tuner takes 0 for none
        tune_new_entries=False,
        allow_new_entries=False,
    )


def trial_config(plan: Plan, values: keras_tuner.HyperParameters) -> Config:
    """Return the settings of a trial."""
    config = replace(plan.base, **chosen_settings(plan.parameters, values))
    units = values.values.get(UNIT)
    if units is None:
        return config
    steps = config.steps or schedule(config, len(images(config).train)).steps
    return replace(config, steps=math.ceil(steps * units / RUNGS))


def trial_folder(search: Path, trial_id: str) -> Path:
    """Return the run folder of a trial."""
    return search / "trials" / f"trial-{int(trial_id):04d}"


class Tuner(base_tuner.BaseTuner):
    """Runs the trials of a search, in this process alone or as one worker of several.

    Args:
        plan: The search.
        oracle: Chooses the values.
        folder: The search's folder.
        client: The way to the chief, where this is a worker; what is in the folder is the chief's then.
    """

    oracle: Any  # Kept, or Client in a worker

    def __init__(self, plan: Plan, oracle: Kept, folder: Path, client: Client | None = None):
        """Read back what is in the folder, or begin it."""
        self.plan, self.folder, self.client = plan, folder, client
        self.seconds_in_trials = 0.0
        with contextlib.redirect_stdout(None):  # it tells which file it read
            super().__init__(oracle, directory=str(folder), project_name=STATE)
        if client is None:
            self._check_trials()
        else:
            self.oracle, self.tuner_id = client, client.worker
        self.save()  # from now on a kill leaves something to read back

    def _check_trials(self) -> None:
        """Refuse trials on file with settings that this search cannot choose.

        Raises:
            UserError: It names the trial.
        """
        for name, trial in self.oracle.trials.items():
            try:
                values = chosen_settings(self.plan.parameters, trial.hyperparameters)
                replace(self.plan.base, **values)
                if trial.status == "COMPLETED" and not trial.metrics.exists(self.plan.objective):
                    raise ValueError(f"it is completed without {self.plan.objective}")
                if not 0 < trial.hyperparameters.values.get(UNIT, RUNGS) <= RUNGS:
                    raise ValueError(f"{UNIT} must be up to {RUNGS}")
            except (ValueError, TypeError) as error:
                raise UserError(
                    f"trial {name} of {self.folder} is damaged ({error_reason(error)}); restore it or start another "
                    "search."
                ) from None

    def save(self):
        """Write the state of oracle and tuner; a worker has none."""
        if self.client is None:
            self.oracle.save()
            write_json(Path(self._get_tuner_fname()), self.get_state())

    def reload(self):
        """Read the state back; a worker has none."""
        if self.client is None:
            super().reload()

    def run_trial(self, trial, *arguments, **options) -> Mapping[str, float]:
        """Return the figures of a trial.

        Raises:
            FailedTrialError: It cannot be trained or judged; the search goes on, `failure.txt` in its folder says why.
            FatalError: A disk that is full or gone, which the next trial would meet too.
        """
        folder = trial_folder(self.folder, trial.trial_id)
        began = time.monotonic()
        try:
            with self.oracle.alive(trial.trial_id):
                return run_trial(trial_config(self.plan, trial.hyperparameters), folder)
        except OSError as error:
            raise keras_tuner.errors.FatalError from error
        except Exception as error:  # whatever a combination of settings can break
            pass_on_interrupt(error)
            failure = _one_line(error)
            folder.mkdir(parents=True, exist_ok=True)
            write_text(folder / FAILURE, failure + ("" if isinstance(error, UserError) else traceback.format_exc()))
            raise keras_tuner.errors.FailedTrialError(failure) from None
        finally:
            self.seconds_in_trials += time.monotonic() - began


def _one_line(error: Exception) -> str:
    """Return what went wrong, ended by a line break; a mistake that is not the user's has its kind before it."""
    first = (str(error).strip().splitlines() or ["no message"])[0][:300]
    return first + "\n" if isinstance(error, UserError) else f"{type(error).__name__}: {first}\n"


def reason(folder: Path) -> str:
    """Return in one line why the trial of a run folder failed; keras-tuner does not carry it from worker to chief."""
    path = folder / FAILURE
    return read_text(path).splitlines()[0] if path.is_file() else "the objective is no number"
