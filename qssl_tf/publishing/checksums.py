"""SHA256SUMS of a folder, in the form that `sha256sum --check` reads."""

import hashlib
import re
from pathlib import Path

from qssl_tf.errors import UserError, reason
from qssl_tf.files import write_text
from qssl_tf.reading import read_text
from qssl_tf.training.runs import SUMS

AGAIN = "get the folder again from where it came"


def write_sums(folder: Path) -> None:
    """Write the checksum of every file in a folder beside them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    write_text(folder / SUMS, "".join(f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files))


def check_sums(folder: Path) -> None:
    """Compare a folder's files with its checksums; files that have none are not looked at.

    Raises:
        UserError: A file is missing or another one, or the checksums cannot be read.
    """
    sums = folder / SUMS
    try:
        lines = read_text(sums).splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"{sums} cannot be read ({reason(error)}); {AGAIN}.") from None
    for line in lines:
        entry = re.fullmatch(r"([0-9a-f]{64})  (.+)", line)
        path = folder / entry[2] if entry else folder
        if entry is None or ".." in path.parts or path.is_symlink():
            raise UserError(f"{sums} must name a checksum and a file in each line; got {line[:80]!r}; {AGAIN}.")
        if not path.is_file():
            raise UserError(f"{path} is missing; {AGAIN}.")
        if _digest(path) != entry[1]:
            raise UserError(f"{path} is not the file that {SUMS} vouches for; {AGAIN}.")


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
