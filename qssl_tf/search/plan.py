"""What a search is: settings all trials share, what varies, how it is chosen. Kept as `search.json` in its folder."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from qssl_tf.config import Config
from qssl_tf.errors import UserError, reason, unknown_name
from qssl_tf.files.links import check_own_files
from qssl_tf.files.schema import MAX_COUNT, Schema, Word, read_as
from qssl_tf.files.write import write_json
from qssl_tf.search.oracles import ORACLES
from qssl_tf.search.space import Choice, Parameter, Range, check_value, reachable
from qssl_tf.search.trials import OBJECTIVES

FILE = "search.json"
HELD_OUT = 0.2  # of the training images, where the settings hold out none


@dataclass(frozen=True)
class Plan:
    """A search.

    Attributes:
        base: Settings of all trials, with held-out validation images.
        parameters: What varies.
        algorithm: Key of ORACLES.
        trials: How many; None where the algorithm sets it (hyperband), or for the whole grid.
        objective: Key of OBJECTIVES.
        search_seed: Of the choices.
    """

    base: Config
    parameters: Mapping[str, Parameter]
    algorithm: str
    trials: int | None
    objective: str
    search_seed: int

    def __post_init__(self):
        """Check the words and keep only what can matter.

        Raises:
            UserError: An unknown word, or a bad value.
        """
        for what, value, table in (("algorithm", self.algorithm, ORACLES), ("goal", self.objective, OBJECTIVES)):
            if value not in table:
                raise unknown_name(what, value, table)
        if self.objective == "loss" and "objective" in self.parameters:
            raise UserError(
                "`goal` must be another than loss where `objective` varies, whose losses cannot be compared."
            )
        if self.trials is not None and self.trials < 1:
            raise UserError(f"`trials` must be at least 1; got {self.trials}.")
        if self.base.validation_fraction == 0.0:
            raise UserError(
                "`validation_fraction` must be above 0.0 in a search: trials are judged on held-out images."
            )
        object.__setattr__(self, "parameters", reachable(self.parameters, self.base))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `from_dict` turns back into an equal plan."""
        plain = {name: getattr(self, name) for name in ("algorithm", "trials", "objective", "search_seed")}
        parameters = {
            name: {"kind": type(parameter).__name__} | asdict(parameter) for name, parameter in self.parameters.items()
        }
        return plain | {"parameters": parameters, "base": self.base.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Plan":
        """Rebuild a plan from plain values, such as parsed JSON.

        Raises:
            KeyError, TypeError: It is not a plan.
            UserError: A value that is refused.
        """
        parameters = {name: _parameter(dict(entry)) for name, entry in values["parameters"].items()}
        return cls(**values | {"parameters": parameters, "base": Config.from_dict(values["base"])})

    def differences(self, other: "Plan") -> list[str]:
        """Name each part in which `other` is another search; more trials of the same are none."""
        mine, theirs = _flat(self), _flat(other)
        names = [*mine, *(name for name in theirs if name not in mine)]
        return [
            f"{name}: {_short(mine.get(name))} against {_short(theirs.get(name))}"
            for name in names
            if name != "trials" and mine.get(name) != theirs.get(name)
        ]


Whole = Annotated[int, Field(ge=-MAX_COUNT, le=MAX_COUNT)]
Bound = Whole | float
Value = bool | Bound | Word | None
Values = Annotated[list[Value | list[Bound]], Field(min_length=1, max_length=1000)]


class ParameterFile(Schema):
    """A parameter as `search.json` has it: Choice or Range."""

    kind: Literal["Choice", "Range"]
    when: dict[Word, list[Value]]
    values: Values | None = None
    low: Bound | None = None
    high: Bound | None = None
    log: bool = False

    @model_validator(mode="after")
    def _bounds(self) -> "ParameterFile":
        if self.kind == "Choice":
            if self.values is None or len({repr(value) for value in self.values}) < len(self.values):
                raise ValueError("a Choice must have values that differ")
            return self
        if self.low is None or self.high is None or not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError("a Range must have low below high, above 0 with log")
        return self


class PlanFile(Schema):
    """`search.json`."""

    algorithm: Word
    trials: Whole | None  # Plan says from where on
    objective: Word
    search_seed: Annotated[int, Field(ge=0, le=MAX_COUNT - 1)]
    parameters: dict[Word, ParameterFile]
    base: dict[str, Any]


KINDS = {"Choice": Choice, "Range": Range}


def _parameter(entry: dict[str, Any]) -> Parameter:
    kind = KINDS[entry.pop("kind")]
    for other, values in entry["when"].items():
        for value in values:
            check_value(other, value)
    entry["when"] = {name: tuple(values) for name, values in entry["when"].items()}
    if "values" in entry:
        entry["values"] = tuple(tuple(value) if isinstance(value, list) else value for value in entry["values"])
    return kind(**entry)


def _flat(plan: Plan) -> dict[str, Any]:
    values = json.loads(json.dumps(plan.to_dict()))
    parameters, base = values.pop("parameters"), values.pop("base")
    varied = {f"parameter {name}": entry for name, entry in parameters.items()}
    return values | varied | {name: value for name, value in base.items() if name not in parameters}


def _short(entry: Any) -> str:
    if not isinstance(entry, dict):
        return "not searched" if entry is None else repr(entry)
    return repr(entry["values"]) if "values" in entry else f"{entry['low']} to {entry['high']}"


def write_plan(folder: Path, plan: Plan) -> None:
    """Keep the plan in its folder."""
    write_json(folder / FILE, plan.to_dict())


def read_plan(folder: Path) -> Plan:
    """Read the plan of a search's folder.

    Raises:
        UserError: It is not a search's folder, or its file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        known = ", ".join(sorted(found.parent.name for found in folder.parent.glob(f"*/{FILE}"))) or "none"
        raise UserError(f"{folder} is no search (it holds no {FILE}); searches in {folder.parent}: {known}.")
    check_own_files(folder)
    try:
        return Plan.from_dict(read_as(path, PlanFile))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({reason(error)}); restore it or start another search.") from None
