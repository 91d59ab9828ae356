"""What a search says while it runs: a line when a trial begins, a line when it ends."""

import time
from pathlib import Path

from keras_tuner.engine.trial import Trial

from qssl_tf.search.oracles import Kept, planned
from qssl_tf.search.plan import Plan
from qssl_tf.search.results import Row, best, table, write_results
from qssl_tf.search.space import combinations
from qssl_tf.search.tuner import trial_folder

UNITS = {"validation_accuracy": " %", "balanced_accuracy": " %", "contrastive_accuracy": " %", "seconds": " s"}


class Progress:
    """Tells a user how far a search is, and keeps its table up to date.

    Args:
        plan: The search.
        oracle: Knows its trials.
        folder: The search's folder.
    """

    def __init__(self, plan: Plan, oracle: Kept, folder: Path):
        """Begin to count time."""
        self.plan, self.oracle, self.folder = plan, oracle, folder
        self.combinations = combinations(plan.parameters)
        self.began, self.ended_here = time.monotonic(), 0

    @property
    def total(self) -> int | None:
        """How many trials there will be, as far as that is known."""
        return planned(self.oracle, self.combinations)

    def begun(self, trial: Trial) -> None:
        """Say which settings a trial has."""
        row = self._row(trial)
        settings = ", ".join(f"{name} {'none' if value is None else value}" for name, value in row.settings.items())
        share = "" if row.share == 1 else f" ({row.share:.0%} of the steps)"
        again = "again: " if trial_folder(self.folder, trial.trial_id).exists() else ""
        _say(f"{self._named(row.trial)}{share}: {again}{settings}")

    def ended(self, trial: Trial) -> None:
        """Say how a trial ended, which is the best so far and how long the rest will take."""
        self.ended_here += 1
        rows = table(self.plan, self.oracle, self.folder)
        write_results(self.folder, self.plan, rows)
        row = self._row(trial)
        outcome = f"failed: {row.reason}" if row.state == "failed" else f"{self._figure(row)}, {self._seconds(row)}"
        first = best(self.plan, rows)
        top = f"; best so far {self._figure(first)} (trial {first.trial})" if first else ""
        _say(f"{self._named(row.trial)}: {outcome}{top}{self._left(rows)}")

    def lost(self, trial: Trial) -> None:
        """Say that a trial waits for another worker."""
        _say(f"{self._named(int(trial.trial_id))}: its worker is silent; the trial waits for another")

    def _row(self, trial: Trial) -> Row:
        return next(row for row in table(self.plan, self.oracle, self.folder) if row.trial == int(trial.trial_id))

    def _named(self, trial: int) -> str:
        """Return a trial by the number of its folder, and how far the search is with it."""
        return f"trial {trial} ({trial + 1} of {self.total})" if self.total else f"trial {trial}"

    def _figure(self, row: Row) -> str:
        name = self.plan.objective
        figure = f"{name} {row.figures[name]:.4g}{UNITS.get(name, '')}"
        if name != "validation_accuracy" or "balanced_accuracy" not in row.figures:  # which earlier versions left out
            return figure
        balanced, majority = row.figures["balanced_accuracy"], row.figures["majority_share"]
        return f"{figure} (balanced {balanced:.4g} %, largest class {majority:.4g} %)"

    @staticmethod
    def _seconds(row: Row) -> str:
        return f"{row.figures['seconds']:.0f} s"

    def _left(self, rows: list[Row]) -> str:
        if not self.total:
            return ""
        left = self.total - sum(row.state != "running" for row in rows)
        seconds = (time.monotonic() - self.began) / self.ended_here * left
        return f"; {left} left, about {_duration(seconds)}" if left else ""


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _say(line: str) -> None:
    print(line, flush=True)
