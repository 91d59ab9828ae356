"""SHA256SUMS of a folder that was made for others, in the form that `sha256sum --check` reads."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from qssl_tf.errors import UserError, reason, shown
from qssl_tf.files.read import MAX_ARRAYS, open_regular, read_text
from qssl_tf.files.write import write_text

SUMS = "SHA256SUMS"
AGAIN = "get the folder again from where it came"
# What decides a run: where a folder has checksums these files have one each. Results may be added without.
DECISIVE = ("config.json", "data.json", "versions.json", "model.keras", "checkpoints/*", "state/*")


def write_sums(folder: Path) -> None:
    """Write the checksum of every file in a folder beside them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    write_text(folder / SUMS, "".join(f"{digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files))


def listed(folder: Path) -> dict[str, str]:
    """Return what SHA256SUMS says: the checksum of each file, by its path within the folder; none without such a list.

    Raises:
        UserError: It cannot be read, or names no files of the folder.
    """
    path, found = folder / SUMS, {}
    try:
        lines = read_text(path).splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({reason(error)}); {AGAIN}.") from None
    for line in lines:
        entry = re.fullmatch(r"([0-9a-f]{64})  (.+)", line)
        if entry is None or entry[2].startswith("/") or ".." in entry[2].split("/"):
            raise UserError(f"{path} must name a checksum and a file in each line; got {shown(line)}; {AGAIN}.")
        found[entry[2]] = entry[1]
    return found


def check_sums(folder: Path) -> None:
    """Compare a folder's files with its checksums, if it has such a list.

    Files that are not in the list are results that were added, and are not looked at; what decides a run must be in it.

    Raises:
        UserError: A file is missing, another one or not in the list, or the list cannot be read.
    """
    if not (folder / SUMS).exists():
        return
    sums = listed(folder)
    for name, wanted in sums.items():
        path = folder / name
        try:
            found = digest(path)
        except FileNotFoundError:
            raise UserError(f"{path} is missing; {AGAIN}.") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read ({reason(error)}); {AGAIN}.") from None
        if found != wanted:
            raise UserError(f"{path} is not the file that {SUMS} vouches for; {AGAIN}.")
    for path in (path for pattern in DECISIVE for path in sorted(folder.glob(pattern))):
        if path.relative_to(folder).as_posix() not in sums:
            raise UserError(f"{path} must stand in {SUMS}, as it decides what this run is, and does not; {AGAIN}.")


def refuse_listed(folder: Path, paths: Iterable[Path], what: str) -> None:
    """Refuse to write over files that a folder vouches for, before anything is written.

    Args:
        folder: The folder.
        paths: What would be written.
        what: What the folder keeps, for the message.

    Raises:
        UserError: One of them is in the list.
    """
    sums = listed(folder)
    if any(path.relative_to(folder).as_posix() in sums for path in paths):
        raise UserError(f"{folder} was made for others and keeps its {what}; copy it and remove {SUMS} there first.")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        OSError, ValueError: It cannot be read, or is no file.
    """
    with open_regular(path, MAX_ARRAYS) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
