"""Records of finished runs: one small file each, enough for every table and figure once the weights are gone."""

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
from qssl_tf.studies.studies import RunSpec


@dataclass(frozen=True)
class ProbeRecord:
    """One probe; accuracies in percent of the test images.

    Attributes:
        batch: Training batches before it.
        protocol: Key of `evaluation.probe.PROTOCOLS`.
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
        condition: Name of its condition; `cell` in the file.
        seed: Its seed.
        config: Its settings.
        versions: Versions of the packages and of the data set.
        train_images: Number of training images.
        test_images: Number of test images.
        steps: Training steps.
        train_seconds: Wall time of the steps.
        parameters: Numbers of trained weights: of the head, and of the whole model.
        losses: Loss of each step, in nats.
        geometry: Rows of `geometry.csv`; empty without a circuit.
        probes: Its probes.
        class_names: Names of the classes.
        confusion: Counts after the last batch, cached protocol; rows are true classes.
    """

    condition: Word
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
    probes: list[ProbeRecord]
    class_names: Names
    confusion: Confusion

    def accuracy(self, batch: int, protocol: str, best: bool = False) -> float | None:
        """Return the accuracy of a probe's last or best epoch, in percent; None without such a probe."""
        for probe in self.probes:
            if (probe.batch, probe.protocol) == (batch, protocol):
                return probe.accuracy_best_epoch if best else probe.accuracy_last
        return None

    def unprobed(self, batches: Iterable[int], protocol: str) -> list[int]:
        """Return those of `batches` without a probe by that protocol."""
        return [batch for batch in batches if self.accuracy(batch, protocol) is None]


FILE_KEYS = {"condition": "cell"}  # attributes that have another name in the file, as runs recorded before have it


def _schema_fields(record_class: type) -> dict[str, Any]:
    """Return the attributes of a record's class as fields of a Schema, by their names in the file."""
    hints = get_type_hints(record_class, include_extras=True)
    return {FILE_KEYS.get(name, name): (hint, ...) for name, hint in hints.items()}


class _StrictSchema(Schema):
    model_config = ConfigDict(extra="forbid")


ProbeRecordFile: Any = create_model("ProbeRecordFile", __base__=_StrictSchema, **_schema_fields(ProbeRecord))
GEOMETRY_COLUMNS = {"step", "positive_overlap", "hilbert_schmidt_distance", "purity_pair", "purity_others"}


class _ConsistentSchema(_StrictSchema):
    @model_validator(mode="after")
    def _check_consistency(self: Any) -> Any:
        check_confusion(self.confusion, self.class_names)
        if len(self.losses) != self.steps:
            raise ValueError(f"it must have a loss for each of its {self.steps} steps; got {len(self.losses)}")
        for row in self.geometry:
            if set(row) != GEOMETRY_COLUMNS or not (row["step"].is_integer() and 0 <= row["step"] <= self.steps):
                columns = ", ".join(sorted(GEOMETRY_COLUMNS))
                raise ValueError(f"its geometry must be of steps up to {self.steps}: {columns}")
        return self


RecordFile: Any = create_model(
    "RecordFile", __base__=_ConsistentSchema, **_schema_fields(Record) | {"probes": (list[ProbeRecordFile], ...)}
)


def record_path(results: Path, spec: RunSpec) -> Path:
    """Return the path of a run's record."""
    return results / "records" / f"{spec.name}.json"


def write_record(results: Path, spec: RunSpec, record: Record) -> None:
    """Write a record."""
    path = record_path(results, spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {FILE_KEYS.get(name, name): value for name, value in asdict(record).items()})


def read_record(results: Path, spec: RunSpec) -> Record | None:
    """Return the record of a run, or None if there is none.

    Raises:
        UserError: It is damaged, or of a run with other settings.
    """
    path = record_path(results, spec)
    if not path.is_file():
        return None
    try:
        values = read_as(path, RecordFile)
        values["probes"] = [ProbeRecord(**probe) for probe in values["probes"]]
        record = Record(**{name: values[FILE_KEYS.get(name, name)] for name in Record.__dataclass_fields__})
        config = Config.from_dict(record.config)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is no record of a run ({reason(error)}); move it away, its run folder is kept."
        ) from None
    refuse_other_settings(path, config, spec)
    return record


def refuse_other_settings(path: Path, config: Config, spec: RunSpec) -> None:
    """Refuse a run folder or record whose settings are not those of `spec`, where images lie aside.

    Raises:
        UserError: They differ; the message lists each difference.
    """
    expected = Config.from_dict(spec.config.to_dict() | config.places())
    differences = expected.differences(config)
    if differences:
        raise UserError(
            f"{path} is not a run of {spec.condition.name} with seed {spec.seed}, or was made by another version "
            f"({'; '.join(differences)}); move it away."
        )


def refuse_mixed_data(records: Sequence[Record]) -> None:
    """Refuse to compare runs on different data.

    Raises:
        UserError: Runs of one condition differ in data set or number of images.
    """
    first_runs: dict[str, tuple[tuple, Record]] = {}
    for record in records:
        data = (record.versions.get("dataset"), record.train_images, record.test_images)
        first, other = first_runs.setdefault(record.condition, (data, record))
        if data != first:
            raise UserError(
                f"records of {record.condition} must be of the same data; seed {other.seed} has {first[0]} with "
                f"{first[1]} + {first[2]} images, seed {record.seed} {data[0]} with {data[1]} + {data[2]}: "
                "move one away."
            )
