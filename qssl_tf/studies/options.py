"""The options of `qssl reproduce`, validated: which runs of a study to do, where, and within what limits."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qssl_tf.commands import argument
from qssl_tf.durations import read_time
from qssl_tf.errors import UserError, unknown_name
from qssl_tf.studies.records import Record, read_record, refuse_mixed_data
from qssl_tf.studies.studies import BATCHES, SEEDS, RunSpec, Study, run_specs, study


@dataclass(frozen=True)
class StudyOptions:
    """A study and how much of it to do.

    Attributes:
        name: Key of STUDIES.
        specs: The requested runs.
        batches: One of BATCHES.
        paper_probes: Number of seeds of each published arm to probe by the paper's protocol.
        budget: Seconds for all jobs, those not expected to end in time are left out; None for no limit.
        processes: Number of jobs at a time.
        folder: Folder of the runs.
        results: Folder of the records, the report and its figures.
        data_dir: Folder of prepared TFDS data; None for TFDS's default.
        keep_weights: Keep the weights after every probed batch.
    """

    name: str
    specs: tuple[RunSpec, ...]
    batches: str
    paper_probes: int
    budget: float | None
    processes: int
    folder: Path
    results: Path
    data_dir: str | None
    keep_weights: bool

    @classmethod
    def from_flags(cls, flags: Mapping[str, Any]) -> "StudyOptions":
        """Make the options from the values of the command line's flags.

        Raises:
            UserError: A value is not valid; the message states the rule.
        """
        name, batches = flags["study"], flags["batches"]
        if batches not in BATCHES:
            raise unknown_name("batches", batches, BATCHES)
        check_processes(flags["processes"])
        if flags["paper_probes"] is not None and flags["paper_probes"] < 0:
            raise UserError(f"{argument('paper_probes')} must be at least 0; got {flags['paper_probes']}.")
        arms = [part for part in flags["arms"].split(",") if part] if flags["arms"] is not None else None
        if arms == []:
            raise UserError(f"{argument('arms')} must name at least one arm, such as ring,classical; got none.")
        probes = flags["paper_probes"]
        return cls(
            name=name,
            specs=tuple(run_specs(study(name), arms, read_seeds(flags["seeds"]))),
            batches=batches,
            paper_probes=(SEEDS if probes is None else probes) if name == "paper" else 0,
            budget=read_time(flags["budget"]),
            processes=flags["processes"],
            folder=flags["folder"],
            results=flags["results"] or flags["folder"] / "results",
            data_dir=flags["data_dir"],
            keep_weights=flags["keep_weights"],
        )

    @property
    def study(self) -> Study:
        """The study."""
        return study(self.name)

    def records(self) -> dict[RunSpec, Record]:
        """Return all records of the study in the results folder, not only those of the requested runs.

        Raises:
            UserError: One is damaged or of another run, or they differ in their data.
        """
        seeds = sorted({spec.seed for spec in self.specs} | set(self._recorded_seeds()))
        specs = run_specs(self.study, seeds=seeds or [0])
        records = {spec: record for spec in specs if (record := read_record(self.results, spec)) is not None}
        refuse_mixed_data(list(records.values()))
        return records

    def _recorded_seeds(self) -> list[int]:
        paths = (self.results / "records").glob("*-s*.json")
        return [int(match[1]) for path in paths if (match := re.search(r"-s(\d+)\.json$", path.name))]


def read_seeds(text: str | None) -> list[int] | None:
    """Return the seeds of a text such as `0-5` or `0,2,7-9`.

    Raises:
        UserError: It has another form.
    """
    if text is None:
        return None
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first or last - first > 10_000:
            raise UserError(f"{argument('seeds')} must be numbers or ranges such as 0-5 or 0,2; got {text!r}.")
        seeds += range(first, last + 1)
    return seeds


def check_processes(processes: int) -> None:
    """Refuse fewer than one process.

    Raises:
        UserError: It says so.
    """
    if processes < 1:
        raise UserError(f"{argument('processes')} must be at least 1; got {processes}.")
