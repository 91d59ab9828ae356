"""Tables of a run (`history.csv`, `geometry.csv`), to which rows are appended during training."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from qssl_tf.errors import UserError, shown
from qssl_tf.files.read import MAX_TABLE, read_text
from qssl_tf.files.write import append_text, write_text
from qssl_tf.memory import available

ROW_BYTES = 700  # of a row in memory, including its line
COLUMNS = ("step", "epoch", "loss", "contrastive_accuracy", "learning_rate", "seconds")


def start_history(path: Path, step: int, columns: Sequence[str] = COLUMNS) -> None:
    """Truncate the table after `step`, or create it."""
    rows = [row for row in read_history(path, columns) if int(row["step"]) <= step] if path.exists() else []
    lines = [",".join(columns), *(",".join(row[column] for column in columns) for row in rows)]
    write_text(path, "\n".join(lines) + "\n")


def history_checksum(path: Path, step: int) -> str:
    """Return the SHA-256 of the rows up to `step`; a missing table has no rows."""
    digest = hashlib.sha256()
    for row in read_history(path) if path.exists() else []:
        if int(row["step"]) <= step:
            digest.update((",".join(row.values()) + "\n").encode())
    return digest.hexdigest()


def append_history(path: Path, row: Mapping[str, float]) -> None:
    """Append one row, with values in the order of the columns and numbers in full precision."""
    append_text(path, ",".join(str(value) for value in row.values()) + "\n")


def read_history(path: Path, columns: Sequence[str] = COLUMNS) -> list[dict[str, str]]:
    """Return all complete rows; a truncated last line, left by a killed process, is ignored.

    Raises:
        UserError: The file is not such a table.
    """
    try:
        text = read_text(path, MAX_TABLE)
    except ValueError as error:
        raise UserError(f"{path} cannot be read ({error}); restore or remove it.") from None
    header, *lines = text[: text.rfind("\n") + 1].split("\n")[:-1] or [""]
    if header != ",".join(columns):
        raise UserError(f"{path} is not a history (its columns must be {', '.join(columns)}); restore or remove it.")
    if len(lines) * ROW_BYTES > available():
        raise UserError(
            f"{path} has {len(lines)} rows, which take {len(lines) * ROW_BYTES / 1e9:.3g} GB of memory, more than is "
            "left; restore or remove it."
        )
    return [_row(path, line, columns) for line in lines]


def _row(path: Path, line: str, columns: Sequence[str]) -> dict[str, str]:
    """Return the fields of a row as text, after checking that they are numbers and the step an integer."""
    values = line.split(",")
    try:
        if len(values) != len(columns) or not re.fullmatch(r"[0-9]{1,10}", values[columns.index("step")]):
            raise ValueError
        for value in values:
            float(value)
    except ValueError:
        raise UserError(f"{path} holds a damaged row ({shown(line)}); restore or remove it.") from None
    return dict(zip(columns, values, strict=True))
