"""What a run will take, from what runs took: before the first, a guess for two cores."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qssl_tf.config import Config
from qssl_tf.reproduction.records import Record

# Seconds on two cores without a GPU, of the paper's preset (256 images a batch): docs/results/README.md.
START, STEP, SHOTS_STEP, PROBE, PAPER_PROBE, DEVICE = 25.0, 0.4, 0.3, 6.0, 600.0, 60.0
MEGABYTES_A_RUN = 320  # weights after two batches and before the first, the state to resume from, the whole model
MEGABYTES_OF_WEIGHTS = 45


@dataclass(frozen=True)
class Job:
    """One process to be run.

    Attributes:
        kind: Key of `tasks.TASKS`.
        pair: The run it belongs to.
        steps: Training steps still to do; 0 if none.
        probes: Probes still to do.
    """

    kind: str
    pair: Any
    steps: int
    probes: int


def guess(job: Job) -> float:
    """Return a job's seconds on two cores, by how much it has to do."""
    if job.kind == "device":
        return START + DEVICE
    if job.kind == "paper_probe":
        return START + PAPER_PROBE
    config: Config = job.pair.config
    step = STEP + (SHOTS_STEP if config.shots else 0.0)
    return START + job.steps * step * config.batch_size / 256 + job.probes * PROBE


def pace(records: Sequence[Record]) -> float:
    """Return how much longer than guessed the steps of finished runs took, their median; 1 if there are none."""
    ratios = []
    for record in records:
        config = Config.from_dict(record.config)
        step = (STEP + (SHOTS_STEP if config.shots else 0.0)) * config.batch_size / 256
        ratios.append(record.train_seconds / max(1, record.steps) / step)
    return statistics.median(ratios) if ratios else 1.0


def duration(seconds: float) -> str:
    """Return seconds as a user reads them: 50 s, 12 min, 3.4 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
