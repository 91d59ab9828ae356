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
# Columns of `history.csv` that may follow, in this order: not every run has them, nor did those of earlier versions.
JUDGES = ("embedding_std", "effective_rank", "online_accuracy")


def start_history(
    path: Path, step: int, columns: Sequence[str] = COLUMNS, judges: Sequence[str] = ()
) -> tuple[str, ...]:
    """Truncate the table after `step`, or create it.

    Args:
        path: The table.
        step: The last step that is kept.
        columns: The columns that every such table has.
        judges: Columns that follow in a new table; a table that is there keeps its own.

    Returns:
        All columns of the table.
    """
    found, rows = _read(path, columns) if path.exists() else ((*columns, *judges), [])
    kept = [row for row in rows if int(row["step"]) <= step]
    lines = [",".join(found), *(",".join(row.values()) for row in kept)]
    write_text(path, "\n".join(lines) + "\n")
    return found


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

    Rows of `history.csv` may have columns of JUDGES as well.

    Raises:
        UserError: The file is not such a table.
    """
    return _read(path, columns)[1]


def _read(path: Path, columns: Sequence[str]) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Return the columns of a table, and its complete rows."""
    try:
        text = read_text(path, MAX_TABLE)
    except ValueError as error:
        raise UserError(f"{path} cannot be read ({error}); restore or remove it.") from None
    header, *lines = text[: text.rfind("\n") + 1].split("\n")[:-1] or [""]
    found = tuple(header.split(","))
    more = found[len(columns) :]
    allowed = tuple(name for name in JUDGES if name in more) if tuple(columns) == COLUMNS else ()
    if found != (*columns, *allowed):
        raise UserError(f"{path} is not a history (its columns must be {', '.join(columns)}); restore or remove it.")
    needed_bytes = len(lines) * ROW_BYTES * len(found) // len(columns)
    if needed_bytes > available():
        raise UserError(
            f"{path} has {len(lines)} rows, which take {needed_bytes / 1e9:.3g} GB of memory, more than is "
            "left; restore or remove it."
        )
    return found, [_row(path, line, found) for line in lines]


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
