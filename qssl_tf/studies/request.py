"""What a user asked of a study, checked at the door."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qssl_tf.commands import argument
from qssl_tf.errors import UserError, unknown_name
from qssl_tf.studies.arms import arm
from qssl_tf.studies.costs import Job
from qssl_tf.studies.records import Record, read_record, refuse_mixed_data
from qssl_tf.studies.studies import BATCHES, SEEDS, Pair, Study, pairs, study, wanted_batches

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Order:
    """A study and how much of it to do.

    Attributes:
        name: Key of STUDIES.
        wanted: The runs.
        batches: One of BATCHES.
        paper_probes: How many seeds of each published arm are probed by the paper's protocol.
        budget: Seconds after which nothing is begun; None for no limit.
        processes: Runs at a time.
        folder: Where the runs are.
        results: Where records, report and figures are.
        data_dir: Prepared TFDS data; None as TFDS has it.
        keep_weights: Keep the weights after every probed batch.
    """

    name: str
    wanted: tuple[Pair, ...]
    batches: str
    paper_probes: int
    budget: float | None
    processes: int
    folder: Path
    results: Path
    data_dir: str | None
    keep_weights: bool

    @classmethod
    def from_words(cls, words: Mapping[str, Any]) -> "Order":
        """Make an order from the command line's words.

        Raises:
            UserError: A word is not understood; the rule is named.
        """
        name, batches = words["study"], words["batches"]
        if batches not in BATCHES:
            raise unknown_name("batches", batches, BATCHES)
        for flag, low in (("processes", 1), ("paper_probes", 0)):
            if words[flag] is not None and words[flag] < low:
                raise UserError(f"{argument(flag)} must be at least {low}; got {words[flag]}.")
        arms = [part for part in words["arms"].split(",") if part] if words["arms"] is not None else None
        if arms == []:
            raise UserError(f"{argument('arms')} must name at least one arm, such as ring,classical; got none.")
        probes = words["paper_probes"]
        return cls(
            name=name,
            wanted=tuple(pairs(study(name), arms, read_seeds(words["seeds"]))),
            batches=batches,
            paper_probes=(SEEDS if probes is None else probes) if name == "paper" else 0,
            budget=read_time(words["budget"]),
            processes=words["processes"],
            folder=words["folder"],
            results=words["results"] or words["folder"] / "results",
            data_dir=words["data_dir"],
            keep_weights=words["keep_weights"],
        )

    @property
    def study(self) -> Study:
        """The study."""
        return study(self.name)

    def records(self) -> dict[Pair, Record]:
        """Return the records that are there, of all of the study's runs whoever ordered them.

        Raises:
            UserError: One is damaged or of another run, or they are not of the same data.
        """
        seeds = sorted({pair.seed for pair in self.wanted} | set(self._recorded_seeds()))
        known = [pair for pair in pairs(self.study, seeds=seeds or [0])]
        found = {pair: record for pair in known if (record := read_record(self.results, pair)) is not None}
        refuse_mixed_data(list(found.values()))
        return found

    def _recorded_seeds(self) -> list[int]:
        paths = (self.results / "records").glob("*-s*.json")
        return [int(match[1]) for path in paths if (match := re.search(r"-s(\d+)\.json$", path.name))]


def read_seeds(text: str | None) -> list[int] | None:
    """Return the seeds that a text such as `0-5` or `0,2,7-9` means.

    Raises:
        UserError: It is no such text.
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


def read_time(text: str | None) -> float | None:
    """Return the seconds that a text such as `90m` or `1.5h` means.

    Raises:
        UserError: It is no such text.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if match is None or float(match[1]) == 0:
        raise UserError(f"{argument('budget')} must be a time such as 90m, 8h or 600s; got {text!r}.")
    return float(match[1]) * UNITS[match[2]]


def jobs(order: Order, records: Mapping[Pair, Record], device_done: bool) -> list[Job]:
    """Return what is left to do: runs first, then probes by the paper's protocol, then the device.

    What needs the weights of a recorded run whose folder is gone is not in the list.
    """
    steps = wanted_batches(order.study, order.batches)
    left = []
    for pair in order.wanted:
        lacking = tuple(records[pair].lacks(steps, "cached") if pair in records else steps)
        if lacking:
            trained = pair in records and (order.folder / pair.name).is_dir()  # else its weights have to be made again
            train = 0 if trained else pair.config.steps or order.study.batches[-1]
            left.append(Job("run", pair, train, lacking))
    for pair in _for_paper_probes(order):
        if _has_weights(order, pair, records) and (
            pair not in records or records[pair].lacks([order.study.table], "paper")
        ):
            left.append(Job("paper_probe", pair, 0, (order.study.table,)))
    shown = next((pair for pair in order.wanted if pair.cell.name == "ring"), None)
    if order.name == "paper" and shown and not device_done and _has_weights(order, shown, records):
        left.append(Job("device", shown, 0, (order.study.batches[-1],)))
    return left


def _has_weights(order: Order, pair: Pair, records: Mapping[Pair, Record]) -> bool:
    """Return whether a run's weights are there, or will be once it is trained."""
    return pair not in records or (order.folder / pair.name).is_dir()


def _for_paper_probes(order: Order) -> Sequence[Pair]:
    published = [pair for pair in order.wanted if arm(pair.cell.series).published]
    cells = dict.fromkeys(pair.cell for pair in published)
    first = {cell: [pair for pair in published if pair.cell == cell][: order.paper_probes] for cell in cells}
    return [pair for pair in published if pair in first[pair.cell]]
