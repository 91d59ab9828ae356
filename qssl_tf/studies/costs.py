"""Estimates of time and disk space, from the finished runs; before there are any, from typical costs on two cores."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from qssl_tf.config import Config
from qssl_tf.studies.jobs import Job
from qssl_tf.studies.records import Record

STARTUP = 25.0  # seconds on two cores without a GPU
AFTERWARDS = {"paper_probe": 600.0, "device": 60.0, "noise": 90.0}  # seconds of what follows a trained run


@dataclass(frozen=True)
class TypicalCost:
    """What a run with some encoder takes on two cores without a GPU.

    Attributes:
        step: Seconds of a training step of 256 images.
        shots: Seconds that finite shots add to a step.
        probe: Seconds of a cached probe.
        weights: Megabytes of a weights file.
    """

    step: float
    shots: float
    probe: float
    weights: float


# The paper's images (docs/results/README.md) and the embedded digits (docs/start.md).
TYPICAL = {"resnet18": TypicalCost(0.4, 0.3, 6.0, 45.0), "small_cnn": TypicalCost(0.05, 0.05, 1.0, 0.45)}
# In weights files: the saved model and two training states, each with Adam's two moments of every weight.
MODEL_AND_STATES = 3 * 3
TABLES = 0.7  # megabytes of tables and figures


def typical_cost(config: Config) -> TypicalCost:
    """Return the typical cost of a run; encoders without an entry are assumed to be as large as the paper's."""
    return TYPICAL.get(config.encoder, TYPICAL["resnet18"])


def expected_seconds(job: Job, records: Sequence[Record]) -> float:
    """Estimate a job's duration from the finished runs of its condition; without any, from the typical cost.

    A typical cost is scaled by how much slower than typical the finished runs of other conditions were.
    """
    slowdown = median_slowdown(records)
    if job.kind in AFTERWARDS:
        return slowdown * (STARTUP + AFTERWARDS[job.kind])
    runs = [record for record in records if record.condition == job.spec.condition.name]
    probes = [probe.seconds for record in runs for probe in record.probes if probe.protocol == "cached"]
    step = statistics.median(map(_step, runs)) if runs else slowdown * _typical_step(job.spec.config)
    probe = statistics.median(probes) if probes else slowdown * typical_cost(job.spec.config).probe
    return slowdown * STARTUP + job.steps * step + job.probes * probe


def median_slowdown(records: Sequence[Record]) -> float:
    """Return the median ratio of measured to typical time of a step over the finished runs; 1 if there are none."""
    ratios = [_step(record) / _typical_step(Config.from_dict(record.config)) for record in records]
    return statistics.median(ratios) if ratios else 1.0


def _step(record: Record) -> float:
    return record.train_seconds / max(1, record.steps)


def _typical_step(config: Config) -> float:
    cost = typical_cost(config)
    return (cost.step + (cost.shots if config.shots else 0.0)) * config.batch_size / 256


def megabytes(job: Job, checkpoints: int) -> float:
    """Return the disk space of a finished run.

    Args:
        job: The run.
        checkpoints: Number of weights files that stay.
    """
    return (checkpoints + MODEL_AND_STATES) * typical_cost(job.spec.config).weights + TABLES
