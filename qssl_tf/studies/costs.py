"""What a run will take, from what runs took: before the first, a guess for two cores."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qssl_tf.config import Config
from qssl_tf.studies.records import Record

START, PAPER_PROBE, DEVICE = 25.0, 600.0, 60.0  # seconds on two cores without a GPU


@dataclass(frozen=True)
class Size:
    """What a run of an encoder takes on two cores without a GPU.

    Attributes:
        step: Seconds of a training step of 256 images.
        shots: Seconds more of a step with finite shots.
        probe: Seconds of a cached probe.
        weights: Megabytes of one file of weights.
    """

    step: float
    shots: float
    probe: float
    weights: float


# The paper's images (docs/results/README.md) and the embedded digits (docs/start.md).
SIZES = {"resnet18": Size(0.4, 0.3, 6.0, 45.0), "small_cnn": Size(0.05, 0.05, 1.0, 0.45)}
# In files of weights: the whole model and two states to resume from, each with Adam's two moments of every weight.
MODEL_AND_STATES = 3 * 3
TABLES = 0.7  # megabytes of tables and figures


@dataclass(frozen=True)
class Job:
    """One process to be run.

    Attributes:
        kind: Key of `tasks.TASKS`.
        pair: The run it belongs to.
        steps: Training steps still to do; 0 if none.
        batches: After which batches to probe.
    """

    kind: str
    pair: Any
    steps: int
    batches: tuple[int, ...]

    @property
    def probes(self) -> int:
        """How many probes are still to do."""
        return len(self.batches)


def size(config: Config) -> Size:
    """Return what a run takes before any was made; an own encoder is taken to be as large as the paper's."""
    return SIZES.get(config.encoder, SIZES["resnet18"])


def expected(job: Job, records: Sequence[Record]) -> float:
    """Return a job's seconds: by the finished runs of its cell, else by how others compare with a guess."""
    slower = pace(records)
    if job.kind in ("device", "paper_probe"):
        return slower * (START + (DEVICE if job.kind == "device" else PAPER_PROBE))
    own = [record for record in records if record.cell == job.pair.cell.name]
    probes = [probe.seconds for record in own for probe in record.probes if probe.protocol == "cached"]
    step = statistics.median(map(_step, own)) if own else slower * _guessed_step(job.pair.config)
    probe = statistics.median(probes) if probes else slower * size(job.pair.config).probe
    return slower * START + job.steps * step + job.probes * probe


def pace(records: Sequence[Record]) -> float:
    """Return how much longer than guessed the steps of finished runs took, their median; 1 if there are none."""
    ratios = [_step(record) / _guessed_step(Config.from_dict(record.config)) for record in records]
    return statistics.median(ratios) if ratios else 1.0


def _step(record: Record) -> float:
    return record.train_seconds / max(1, record.steps)


def _guessed_step(config: Config) -> float:
    of = size(config)
    return (of.step + (of.shots if config.shots else 0.0)) * config.batch_size / 256


def megabytes(job: Job, kept: int) -> float:
    """Return the room that a run takes once it is done.

    Args:
        job: The run.
        kept: Files of weights that stay.
    """
    return (kept + MODEL_AND_STATES) * size(job.pair.config).weights + TABLES


def duration(seconds: float) -> str:
    """Return seconds as a user reads them: 50 s, 12 min, 3.4 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
