"""The jobs of a study, a process each, and which of them are left to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qssl_tf.studies.arms import arm
from qssl_tf.studies.options import StudyOptions
from qssl_tf.studies.readings import readings_path
from qssl_tf.studies.records import Record
from qssl_tf.studies.studies import RunSpec, probe_batches


@dataclass(frozen=True)
class Job:
    """Work for one process.

    Attributes:
        kind: `run` (train and probe), `paper_probe`, `device` or `noise`, as `qssl_tf.cli.task` takes them.
        spec: The run.
        steps: Training steps still to do; 0 if none.
        batches: The batches after which to probe.
        total: Training steps of the run altogether.
        shown: Batch and protocol of the probe whose accuracy is shown once the job is done; None for jobs without one.
    """

    kind: str
    spec: RunSpec
    steps: int
    batches: tuple[int, ...]
    total: int = 0
    shown: tuple[int, str] | None = None

    @property
    def probes(self) -> int:
        """Number of probes still to do."""
        return len(self.batches)


def remaining_jobs(options: StudyOptions, records: Mapping[RunSpec, Record], device_done: bool) -> list[Job]:
    """Return the jobs left to do: runs first, then probes by the paper's protocol, then devices.

    Jobs that need the weights of a recorded run whose folder is gone are not among them.
    """
    steps, table = probe_batches(options.study, options.batches), options.study.table_batch
    jobs = []
    for spec in options.specs:
        missing = tuple(records[spec].unprobed(steps, "cached") if spec in records else steps)
        if missing:
            has_weights = spec in records and (options.folder / spec.name).is_dir()  # without them it is trained again
            total = spec.config.steps or options.study.batches[-1]
            jobs.append(Job("run", spec, 0 if has_weights else total, missing, total, (table, "cached")))
    for spec in _paper_probe_specs(options):
        if _has_weights(options, spec, records) and (spec not in records or records[spec].unprobed([table], "paper")):
            jobs.append(Job("paper_probe", spec, 0, (table,), shown=(table, "paper")))
    ring = next((spec for spec in options.specs if spec.condition.name == "ring"), None)
    if options.name == "paper" and ring and not device_done and _has_weights(options, ring, records):
        jobs.append(Job("device", ring, 0, (options.study.batches[-1],)))
    if options.study.on_devices:
        jobs += [
            Job("noise", spec, 0, (options.study.batches[-1],))
            for spec in options.specs
            if _has_weights(options, spec, records) and not readings_path(options.results, spec).is_file()
        ]
        jobs.sort(key=lambda job: options.specs.index(job.spec))  # each run is read before the next one is trained
    return jobs


def _has_weights(options: StudyOptions, spec: RunSpec, records: Mapping[RunSpec, Record]) -> bool:
    """Return whether a run's weights exist, or will once it is trained."""
    return spec not in records or (options.folder / spec.name).is_dir()


def _paper_probe_specs(options: StudyOptions) -> Sequence[RunSpec]:
    published = [spec for spec in options.specs if arm(spec.condition.series).published]
    conditions = dict.fromkeys(spec.condition for spec in published)
    first = {
        condition: [spec for spec in published if spec.condition == condition][: options.paper_probes]
        for condition in conditions
    }
    return [spec for spec in published if spec in first[spec.condition]]
