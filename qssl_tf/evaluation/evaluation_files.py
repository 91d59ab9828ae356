"""The files of an evaluation in a run folder, `evaluation.json` and `evaluation.csv`, and its table as text."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import model_validator

from qssl_tf.errors import UserError, reason
from qssl_tf.evaluation.evaluators import EVALUATORS
from qssl_tf.evaluation.readings import PERCENT, Reading
from qssl_tf.files.read import read_json
from qssl_tf.files.schema import ROUNDING, Count, Measured, Percent, Schema, Seconds, Word, check
from qssl_tf.files.spreadsheet import cell, csv_text
from qssl_tf.files.write import write_json, write_text

HEADS = ("judge", "name", "value", "95 % interval", "balanced", "largest class", "of")
COLUMNS = (
    "judge", "step", "split", "name", "value", "unit", "low", "high", "over", "balanced", "majority", "note",
)  # fmt: skip


class ReadingEntry(Schema):
    """One reading in `evaluation.json`: a Reading and its name."""

    name: Word
    value: Measured
    unit: Word
    low: Measured | None
    high: Measured | None
    over: Word
    balanced: Percent | None
    majority: Percent | None
    note: Word

    @model_validator(mode="after")
    def _check_consistency(self) -> "ReadingEntry":
        if (self.low is None) != (self.high is None):
            raise ValueError(f"its interval of {self.name} must have two ends, or none")
        ends = [end for end in (self.low, self.high) if end is not None]
        if ends != sorted(ends):
            raise ValueError(f"its interval of {self.name} must go from low to high")
        if self.unit == PERCENT and not all(-ROUNDING <= value <= 100 + ROUNDING for value in (self.value, *ends)):
            raise ValueError(f"its {self.name} must be from 0 to 100 %")
        return self


class JudgeEntry(Schema):
    """What one judge said of a run, and when: its readings, and of which weights and images they are."""

    step: Count
    split: Word
    protocol: Word
    seconds: Seconds
    readings: list[ReadingEntry]


class EvaluationFile(Schema):
    """`evaluation.json`: the newest word of each judge."""

    judges: dict[Word, JudgeEntry]


def read_evaluation(path: Path) -> dict[str, Any]:
    """Return what each judge said, by name, in the order of EVALUATORS; empty without such a file.

    Raises:
        UserError: It is damaged.
    """
    try:
        found = check(EvaluationFile, read_json(path))["judges"]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is not an evaluation ({reason(error)}); remove it, and evaluate the run again."
        ) from None
    return {name: found[name] for name in (*EVALUATORS, *found) if name in found}


def write_evaluation(path: Path, judges: Mapping[str, Any]) -> None:
    """Write what each judge said as `evaluation.json` to `path`, and as a table beside it."""
    write_json(path, {"judges": dict(judges)})
    write_text(path.with_suffix(".csv"), csv_text(COLUMNS, _cells(judges)))


def _cells(judges: Mapping[str, Any]) -> Iterable[list[str]]:
    for judge, entry in judges.items():
        for reading in entry["readings"]:
            values = entry | reading | {"judge": judge}
            yield ["" if values[name] is None else cell(str(values[name])) for name in COLUMNS]


def rows(judges: Mapping[str, Mapping[str, Reading]]) -> list[list[str]]:
    """Return the readings of judges as cells of a table with the columns HEADS."""
    return [
        [judge, name, value_text(reading), _interval(reading), _share(reading.balanced), _share(reading.majority),
         reading.note]
        for judge, readings in judges.items()
        for name, reading in readings.items()
    ]  # fmt: skip


def value_text(reading: Reading) -> str:
    """Return a value with its unit."""
    if reading.unit == PERCENT:
        return f"{reading.value:.1f} %"
    return f"{reading.value:+.1f} {reading.unit}" if reading.unit else f"{reading.value:.3f}"


def _interval(reading: Reading) -> str:
    if reading.low is None or reading.high is None:
        return ""
    return f"{reading.low:.1f} to {reading.high:.1f} ({reading.over})"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} %"


def aligned(heads: Sequence[str], table: Iterable[Sequence[str]]) -> str:
    """Return rows of cells as lines with columns below each other."""
    lines = [list(heads), *map(list, table)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def readings_of(entry: Mapping[str, Any]) -> dict[str, Reading]:
    """Return the readings of a judge's entry in `evaluation.json` by name."""
    return {
        reading["name"]: Reading(**{name: reading[name] for name in Reading.__dataclass_fields__})
        for reading in entry["readings"]
    }
