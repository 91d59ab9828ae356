"""What a record must hold, as one class of pydantic's for each kind of file, checked when the file is read.

A record may have been damaged, edited, or come from a stranger: valid JSON of the wrong meaning ends here. Modules that
answer `--help` import this one late.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from qssl_tf.errors import shown
from qssl_tf.files.read import read_json

MAX_COUNT = 2**31 - 1
MAX_WORD = 4096  # characters
MAX_SECONDS = 1e12
MAX_CLASSES = 65_536
LARGEST = 1e15  # number of an array: squares and sums of such stay below the largest float32

Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Positive = Annotated[int, Field(ge=1, le=MAX_COUNT)]
ROUNDING = 1e-9  # by which results of earlier versions miss 0 and 100
Percent = Annotated[float, Field(ge=-ROUNDING, le=100 + ROUNDING)]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]
Word = Annotated[str, Field(max_length=MAX_WORD, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]  # nothing steers a terminal
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Interval = Annotated[list[Percent], Field(min_length=2, max_length=2)]
Rms = Annotated[float, Field(ge=0, le=2)]  # of an error of expectations, which lie from -1 to 1
Names = Annotated[list[Word], Field(max_length=MAX_CLASSES)]
Measured = Annotated[float, Field(ge=-1e9, le=1e9)]  # a loss, an overlap and the like
Confusion = Annotated[list[list[Count]], Field(min_length=1, max_length=MAX_CLASSES)]


class Schema(BaseModel):
    """A JSON object: each field of exactly its kind, numbers finite; what else stands there is passed over.

    A validator of more than one field raises `ValueError` with a sentence about the file.
    """

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False, protected_namespaces=())


class Texts(RootModel[dict[Word, Word]]):
    """A JSON object of nothing but texts."""

    model_config = ConfigDict(strict=True)


def check(kind: type[BaseModel], values: Any) -> Any:
    """Refuse what is no record of a kind.

    Args:
        kind: A Schema, or another model of pydantic.
        values: Parsed JSON.

    Returns:
        The values as they are.

    Raises:
        ValueError: It names the first place that is wrong, and what stands there.
    """
    try:
        kind.model_validate(values)
    except ValidationError as error:
        raise ValueError(_told(error)) from None
    return values


def read_as(path: Path, kind: type[BaseModel]) -> Any:
    """Return the values of a JSON file that must be a record of a kind.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON, or no such record.
    """
    return check(kind, read_json(path))


def _told(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(ascii(part).strip("'")[:40] for part in first["loc"][:6])
    if first["type"] == "missing":
        return f"it lacks {place}"
    message = first["msg"].removeprefix("Value error, ")[:1].lower() + first["msg"].removeprefix("Value error, ")[1:]
    return f"its {place} is {shown(first['input'])}: {message}" if place else message


def check_confusion(counts: list[list[int]], names: list[str]) -> None:
    """Refuse a confusion matrix that is not one of these classes, or of no image at all.

    Raises:
        ValueError: It says which.
    """
    if len(counts) != len(names) or any(len(row) != len(names) for row in counts):
        raise ValueError(f"its confusion matrix must have a row and a column for each of its {len(names)} classes")
    if not sum(map(sum, counts)):
        raise ValueError("its confusion matrix counts no image")


def check_finite_arrays(arrays: Mapping[str, Any], at_most: float = LARGEST) -> None:
    """Refuse arrays that are no numbers, or hold infinite ones.

    Args:
        arrays: NumPy's, by name.
        at_most: The largest absolute value.

    Raises:
        ValueError: It names the array.
    """
    import numpy as np

    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or not np.all(np.abs(array.astype(np.float64)) <= at_most):
            raise ValueError(f"its {name} must be numbers from {-at_most:g} to {at_most:g}")
