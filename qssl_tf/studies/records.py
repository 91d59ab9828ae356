"""What is kept of a finished run: one small file, enough for every table and figure when its weights are gone."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from pydantic import ConfigDict, Field, create_model, model_validator

from qssl_tf.config import Config
from qssl_tf.errors import UserError, reason
from qssl_tf.files.schema import (
    Confusion,
    Count,
    Measured,
    Names,
    Percent,
    Positive,
    Schema,
    Seconds,
    Word,
    check_confusion,
    read_as,
)
from qssl_tf.files.write import write_json
from qssl_tf.studies.studies import Pair


@dataclass(frozen=True)
class Probed:
    """One probe; accuracies in percent of the test images.

    Attributes:
        batch: Training batches before it.
        protocol: How it saw the training images.
        accuracy_last: After the probe's last epoch.
        accuracy_best_epoch: The best of its epochs, chosen on test images.
        seconds: Wall time.
    """

    batch: Count
    protocol: Word
    accuracy_last: Percent
    accuracy_best_epoch: Percent
    seconds: Seconds


@dataclass(frozen=True)
class Record:
    """A finished run.

    Attributes:
        cell: Name of its cell.
        seed: Its seed.
        config: Its settings.
        versions: Of the packages that made it, and its data set.
        train_images: How many images it was trained on.
        test_images: How many judged it.
        steps: Training steps.
        train_seconds: Wall time of the steps.
        parameters: Trained numbers: of the head, and of the whole model.
        losses: After each step, in nats.
        geometry: Rows of `geometry.csv`; empty without a circuit.
        probes: What the probes found.
        class_names: Names of the classes.
        confusion: Counts after the last batch, cached protocol; rows are true classes.
    """

    cell: Word
    seed: Count
    config: dict[str, Any]
    versions: dict[Word, Word]
    train_images: Positive
    test_images: Positive
    steps: Positive
    train_seconds: Seconds
    parameters: Annotated[list[Annotated[int, Field(ge=0, le=2**53)]], Field(min_length=2, max_length=2)]
    losses: list[Measured]
    geometry: list[dict[Word, Measured]]
    probes: list[Probed]
    class_names: Names
    confusion: Confusion

    def accuracy(self, batch: int, protocol: str, best: bool = False) -> float | None:
        """Return a probe's accuracy in percent, of its last or its best epoch; None if that was not probed."""
        for found in self.probes:
            if (found.batch, found.protocol) == (batch, protocol):
                return found.accuracy_best_epoch if best else found.accuracy_last
        return None

    def lacks(self, batches: Iterable[int], protocol: str) -> list[int]:
        """Return the batches that were not probed."""
        return [batch for batch in batches if self.accuracy(batch, protocol) is None]


def _columns(kind: type) -> dict[str, Any]:
    """Return the fields of a record's class as a Schema takes them."""
    return {name: (hint, ...) for name, hint in get_type_hints(kind, include_extras=True).items()}


class _Exact(Schema):
    model_config = ConfigDict(extra="forbid")


ProbedFile: Any = create_model("ProbedFile", __base__=_Exact, **_columns(Probed))
GEOMETRY = {"step", "positive_overlap", "hilbert_schmidt_distance", "purity_pair", "purity_others"}


class _BelongsTogether(_Exact):
    @model_validator(mode="after")
    def _together(self: Any) -> Any:
        check_confusion(self.confusion, self.class_names)
        if len(self.losses) != self.steps:
            raise ValueError(f"it must have a loss for each of its {self.steps} steps; got {len(self.losses)}")
        for row in self.geometry:
            if set(row) != GEOMETRY or not (row["step"].is_integer() and 0 <= row["step"] <= self.steps):
                raise ValueError(f"its geometry must be of steps up to {self.steps}: {', '.join(sorted(GEOMETRY))}")
        return self


RecordFile: Any = create_model(
    "RecordFile", __base__=_BelongsTogether, **_columns(Record) | {"probes": (list[ProbedFile], ...)}
)


def record_path(results: Path, pair: Pair) -> Path:
    """Return where a run's record is kept."""
    return results / "records" / f"{pair.name}.json"


def write_record(results: Path, pair: Pair, record: Record) -> None:
    """Keep a record."""
    path = record_path(results, pair)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(record))


def read_record(results: Path, pair: Pair) -> Record | None:
    """Return the record of a run, or None if there is none.

    Raises:
        UserError: It is damaged, or of a run with other settings.
    """
    path = record_path(results, pair)
    if not path.is_file():
        return None
    try:
        values = read_as(path, RecordFile)
        values["probes"] = [Probed(**probe) for probe in values["probes"]]
        record = Record(**values)
        made_with = Config.from_dict(record.config)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is no record of a run ({reason(error)}); move it away, its run folder is kept."
        ) from None
    refuse_other_settings(path, made_with, pair)
    return record


def refuse_other_settings(path: Path, found: Config, pair: Pair) -> None:
    """Refuse a run folder or record whose settings are not those of `pair`, where the images may lie aside.

    Raises:
        UserError: They differ; each difference is named.
    """
    wanted = pair.config.to_dict() | {"data_dir": found.data_dir}
    different = Config.from_dict(wanted).differences(found)
    if different:
        raise UserError(
            f"{path} is not a run of {pair.cell.name} with seed {pair.seed}, or was made by another version "
            f"({'; '.join(different)}); move it away."
        )


def refuse_mixed_data(records: Sequence[Record]) -> None:
    """Refuse to judge runs together that did not see the same data.

    Raises:
        UserError: Runs of one cell differ in data set or number of images.
    """
    seen: dict[str, tuple[tuple, Record]] = {}
    for record in records:
        data = (record.versions.get("dataset"), record.train_images, record.test_images)
        first, other = seen.setdefault(record.cell, (data, record))
        if data != first:
            raise UserError(
                f"records of {record.cell} must be of the same data; seed {other.seed} has {first[0]} with "
                f"{first[1]} + {first[2]} images, seed {record.seed} {data[0]} with {data[1]} + {data[2]}: "
                "move one away."
            )
