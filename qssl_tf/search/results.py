"""What a search found: the table of its trials and the best settings, as files."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from keras_tuner.engine.trial import Trial

from qssl_tf.config import Config
from qssl_tf.files.write import write_json, write_text
from qssl_tf.search.oracles import ENDED, RUNGS, Kept
from qssl_tf.search.plan import Plan
from qssl_tf.search.space import chosen_settings
from qssl_tf.search.trials import FIGURES, OBJECTIVES
from qssl_tf.search.tuner import UNIT, reason, trial_folder

TABLE, BEST = "trials.csv", "best.json"


@dataclass(frozen=True)
class Row:
    """A trial as the table has it.

    Attributes:
        trial: Its number, from 0.
        state: `completed`, `failed` or `running` (also where its worker was killed).
        figures: Of FIGURES; empty unless completed.
        settings: The fields of Config that were chosen for it.
        share: Part of all training steps it was given: below 1 only in hyperband.
        reason: Why it failed.
    """

    trial: int
    state: str
    figures: dict[str, float]
    settings: dict[str, Any]
    share: float
    reason: str


def table(plan: Plan, oracle: Kept, folder: Path) -> list[Row]:
    """Return the trials handed out so far, in that order."""
    return [_row(plan, oracle.trials[name], folder) for name in oracle.start_order]


def _row(plan: Plan, trial: Trial, folder: Path) -> Row:
    units = trial.hyperparameters.values.get(UNIT)
    return Row(
        trial=int(trial.trial_id),
        state=trial.status.lower() if trial.status in ENDED else "running",
        figures={name: trial.metrics.get_last_value(name) for name in FIGURES if trial.metrics.exists(name)},
        settings=chosen_settings(plan.parameters, trial.hyperparameters),
        share=units / RUNGS if units else 1.0,
        reason=reason(trial_folder(folder, trial.trial_id)) if trial.status == "FAILED" else "",
    )


def best(plan: Plan, rows: Sequence[Row]) -> Row | None:
    """Return the best completed trial among those that trained longest, or None before there is one."""
    completed = [row for row in rows if row.state == "completed"]
    longest = max((row.share for row in completed), default=0.0)
    sign = 1 if OBJECTIVES[plan.objective] == "max" else -1
    candidates = [row for row in completed if row.share == longest]
    return max(candidates, key=lambda row: sign * row.figures[plan.objective], default=None)


def best_config(plan: Plan, row: Row) -> Config:
    """Return a trial's settings as `pretrain.py --config` takes them: for all steps, on all training images."""
    return replace(plan.base, **row.settings, validation_fraction=0.0)


def write_results(folder: Path, plan: Plan, rows: Sequence[Row]) -> None:
    """Write the table and, once a trial is completed, the best settings."""
    names = ["trial", "state", *FIGURES, "share_of_steps", *plan.parameters, "reason"]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        figures = {name: f"{value:.6g}" for name, value in row.figures.items()}
        settings = {name: "none" if value is None else value for name, value in row.settings.items()}
        plain = {"trial": row.trial, "state": row.state, "share_of_steps": f"{row.share:.4g}", "reason": row.reason}
        writer.writerow(figures | settings | plain)
    write_text(folder / TABLE, text.getvalue())
    first = best(plan, rows)
    if first:
        write_json(folder / BEST, best_config(plan, first).to_dict())
