"""ORACLES: keras-tuner's ways to choose the next trial, made safe to kill at any moment and to lose workers."""

import functools
import math
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import keras_tuner
from keras_tuner.engine import trial as trials
from keras_tuner.src.engine.metrics_tracking import MetricsTracker
from keras_tuner.src.engine.oracle import LOCKS, THREADS
from keras_tuner.src.tuners.gridsearch import LinkedList
from sklearn.exceptions import ConvergenceWarning

from qssl_tf.errors import UserError, pass_on_interrupt, reason
from qssl_tf.files.write import write_json
from qssl_tf.search.state import check_state

ENDED = ("COMPLETED", "FAILED")
RUNGS = 9  # hyperband's units of training: trials run for 1/9, 1/3 or all of the steps
NEVER = 10**9
DRAWS = 1000  # until a combination that was not tried yet is taken not to exist; keras-tuner gives up after 20


def synchronized(method: Callable) -> Callable:
    """Let one thread at a time into methods of an oracle, as `keras_tuner.synchronized` does.

    That one keeps its lock for ever where a method raises, and whoever comes next hangs.
    """
    locked = keras_tuner.synchronized(method)

    @functools.wraps(method)
    def held(self, *arguments, **options):
        mine = threading.current_thread().name
        within = THREADS[self] == mine
        try:
            return locked(self, *arguments, **options)
        except BaseException:
            if not within and THREADS[self] == mine:
                THREADS[self] = None
                LOCKS[self].release()
            raise

    return held


class Watcher(Protocol):
    """Who is told what happens to trials."""

    def begun(self, trial: trials.Trial) -> None:
        """A trial was handed out."""

    def ended(self, trial: trials.Trial) -> None:
        """A trial was completed or failed."""

    def lost(self, trial: trials.Trial) -> None:
        """The worker of a trial fell silent; the trial waits for another."""


class Kept(keras_tuner.Oracle):
    """What all oracles here add to keras-tuner's.

    Its files are written in one step each, and reading them back mends what a kill between two of them leaves. A trial
    that ends twice, since its worker was thought lost, counts once. As long as a trial is out, other workers wait.
    """

    watcher: Watcher | None = None
    hyperparameters: Any
    trials: dict[str, Any]
    ongoing_trials: dict[str, Any]
    _retry_queue: list[str]

    def __init__(self, **options: Any):
        """Let no number of failures end the search, and print nothing."""
        super().__init__(max_consecutive_failed_trials=NEVER, **options)
        self.verbose = 0
        self._max_collisions = DRAWS
        self.last_seen: dict[str, float] = {}

    def save(self):
        """Write the oracle's state."""
        write_json(Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial):
        write_json(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", trial.get_state())

    def reload(self):
        """Read the state back; trials that were out wait for a worker.

        Raises:
            UserError: A file is damaged.
        """
        space = self.hyperparameters
        try:
            check_state(Path(self._project_dir))
            super().reload()
            self._mend()
            self.hyperparameters = space  # whatever the files say: the plan decides what is searched
            for trial in self.trials.values():
                given, trial.hyperparameters = trial.hyperparameters.values, space.copy()
                trial.hyperparameters.values = given
        except Exception as error:  # keras-tuner can fail in any way on what it did not write
            pass_on_interrupt(error)
            what = reason(error.__cause__ or error)
            raise UserError(f"{self._project_dir} is damaged ({what}); restore it or start another search.") from None

    def _mend(self) -> None:
        # A kill may fall between a trial's file and the oracle's: one that was not handed out yet never began,
        # and one whose end is on file has ended.
        self.trials = {name: self.trials[name] for name in self.start_order}
        over = [name for name in self._retry_queue if self.trials[name].status in ENDED]
        self.end_order += [name for name in over if name not in self.end_order]
        self._retry_queue = sorted(set(self._retry_queue) - set(over), reverse=True)  # its end is taken first

    @synchronized
    def create_trial(self, tuner_id):
        """Hand out a trial; `IDLE` while others are out, since one of them may come back."""
        trial = super().create_trial(tuner_id)
        if trial.status == "STOPPED" and self.ongoing_trials:
            trial.status = "IDLE"
            self.tuner_ids.add(tuner_id)  # it will ask again, and the chief must not leave before
        if trial.status == "RUNNING":
            self.last_seen[trial.trial_id] = time.monotonic()
            if self.watcher:
                self.watcher.begun(trial)
        return trial

    def get_trial(self, trial_id):
        """Return a trial; workers ask for theirs again and again, to show that they live."""
        trial = super().get_trial(trial_id)
        self.last_seen[trial_id] = time.monotonic()
        return trial

    @synchronized
    def update_trial(self, trial_id, metrics, step=0):
        """Keep a trial's figures until it has ended; told again they take the place of those before.

        keras-tuner would keep the mean of both.
        """
        trial = self.trials[trial_id]
        if trial_id in self.end_order:
            return trial
        trial.metrics = MetricsTracker()
        return super().update_trial(trial_id, metrics, step)

    @synchronized
    def end_trial(self, trial):
        """Record a trial's end, the first time it is told."""
        if trial.trial_id not in self.end_order:
            super().end_trial(trial)
            if self.watcher:
                self.watcher.ended(self.trials[trial.trial_id])
        self._retry_queue = [name for name in self._retry_queue if name != trial.trial_id]
        self.ongoing_trials = {
            tuner: other for tuner, other in self.ongoing_trials.items() if other.trial_id != trial.trial_id
        }

    def alive(self, trial_id: str) -> AbstractContextManager:
        """Return a context in which a trial runs; in one process nobody needs signs of life."""
        return nullcontext()

    @synchronized
    def requeue_silent(self, seconds: float) -> None:
        """Take trials back from workers that were silent for so long."""
        for tuner_id, trial in list(self.ongoing_trials.items()):
            if time.monotonic() - self.last_seen.get(trial.trial_id, 0.0) > seconds:
                del self.ongoing_trials[tuner_id]
                self.tuner_ids.discard(tuner_id)
                self._retry_queue.append(trial.trial_id)
                self.save()
                if self.watcher:
                    self.watcher.lost(trial)


class Random(Kept, keras_tuner.oracles.RandomSearchOracle):
    """Independent draws."""


class Bayesian(Kept, keras_tuner.oracles.BayesianOptimizationOracle):
    """A Gaussian process over what was seen, after a few random trials."""

    def populate_space(self, trial_id):
        """Choose the next values; that few trials fix no length scale is no news to a user."""
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            return super().populate_space(trial_id)


class Hyperband(Kept, keras_tuner.oracles.HyperbandOracle):
    """Many short trials, the best of which are run for longer (arXiv:1603.06560).

    A rung is as large as what is there: where combinations run out or trials fail, the best third of those that are
    left goes on all the same. keras-tuner waits for a full rung, and ends.
    """

    def populate_space(self, trial_id):
        """Choose the next values, for the bracket that was begun first if it has a trial to run."""
        while True:
            for bracket in self._brackets:
                values = self._next_of(bracket, trial_id)
                if values is not None:
                    return {"status": "RUNNING", "values": values}
            if self._current_bracket == 0:
                return {"status": "IDLE" if self.ongoing_trials else "STOPPED"}
            self._increment_bracket_num()
            self._start_new_bracket()

    def _next_of(self, bracket: dict[str, Any], trial_id: str) -> dict[str, Any] | None:
        """Return the values of a bracket's next trial; None if none can be begun now."""
        number, rungs = bracket["bracket_num"], bracket["rounds"]
        size = self._get_size(number, 0)
        if len(rungs[0]) < size:
            values = self._random_values()
            if values is not None:
                rungs[0].append({"past_id": None, "id": trial_id})
                return values | self._marks(number, 0)
            size = len(rungs[0])  # there are no more combinations
        sizes = self._sizes(size, rungs)
        for rung in range(1, len(rungs)):
            before = [self.trials[entry["id"]] for entry in rungs[rung - 1]]
            open_ = sizes[rung - 1] - sum(trial.status in ENDED for trial in before)
            gone_on = {entry["past_id"] for entry in rungs[rung]}
            if len(gone_on) + open_ < sizes[rung]:  # whatever is still open, the best of the others is among the best
                waiting = [t for t in before if t.status == "COMPLETED" and t.trial_id not in gone_on]
                best = (max if self.objective.direction == "max" else min)(waiting, key=lambda trial: trial.score)
                rungs[rung].append({"past_id": best.trial_id, "id": trial_id})
                return best.hyperparameters.values | {"tuner/trial_id": best.trial_id} | self._marks(number, rung)
        return None

    def _sizes(self, first: int, rungs: list[list[dict]]) -> list[int]:
        """Return how many trials each rung of a bracket will hold: a third of the one before, of those that are left.

        Args:
            first: Size of the first rung.
            rungs: What they hold so far.
        """
        sizes = [first]
        for rung in rungs[:-1]:
            failed = sum(self.trials[entry["id"]].status == "FAILED" for entry in rung)
            sizes.append(min(math.ceil(sizes[-1] / self.factor), sizes[-1] - failed))
        return sizes

    def _marks(self, bracket: int, rung: int) -> dict[str, int]:
        """Return what keras-tuner notes of a trial: how long it trains, and why."""
        before = self._get_epochs(bracket, rung - 1) if rung else 0
        return {
            "tuner/epochs": self._get_epochs(bracket, rung),
            "tuner/initial_epoch": before,
            "tuner/bracket": bracket,
            "tuner/round": rung,
        }

    def planned(self, combinations: int | None) -> int:
        """Return how many trials there will be of so many combinations (None: enough), where no more of them fail."""
        left, total = math.inf if combinations is None else combinations, 0
        begun = {bracket["bracket_num"]: bracket["rounds"] for bracket in self._brackets}
        for number in reversed(range(self._get_num_brackets())):
            rungs = begun.get(number, [[]] * self._get_num_rounds(number))
            first = max(len(rungs[0]), int(min(self._get_size(number, 0), left)))
            left -= first
            total += sum(self._sizes(first, rungs))
        return total


class Grid(Kept, keras_tuner.oracles.GridSearchOracle):
    """All combinations in order."""

    def set_state(self, state):
        """Restore also which combinations were handed out, which keras-tuner forgets."""
        super().set_state(state)
        self._ordered_ids, self._populate_next = LinkedList(), list(self.start_order)
        last = None
        for name in self.start_order:
            self._ordered_ids.insert(name, last)
            last = name


def planned(oracle: Kept, combinations: int | None) -> int | None:
    """Return how many trials a search will hold, of so many combinations; None where neither ends it."""
    if isinstance(oracle, Hyperband):
        return oracle.planned(combinations)
    return min((count for count in (oracle.max_trials, combinations) if count is not None), default=None)


def is_complete(oracle: Kept, combinations: int | None) -> bool:
    """Return whether all trials of a search over so many combinations have ended."""
    total = planned(oracle, combinations)
    return total is not None and len(oracle.end_order) >= total


def _counted(kind: type[Kept]) -> Callable[..., Kept]:
    """Return the maker of an oracle that runs a given number of trials."""
    return lambda trials, **options: kind(max_trials=trials, **options)


# Name -> (trials, seed=, objective=, hyperparameters=) -> oracle.
ORACLES: dict[str, Callable[..., Kept]] = {
    "random": _counted(Random),
    "bayesian": lambda trials, **options: Bayesian(
        max_trials=trials, num_initial_points=max(3, trials // 3), **options
    ),
    "hyperband": lambda trials, **options: Hyperband(max_epochs=RUNGS, factor=3, **options),
    "grid": _counted(Grid),
}
