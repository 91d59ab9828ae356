"""Reading files that somebody else may have written: no code in them runs, and none takes more than it may.

What a file should not be is a `ValueError` with the reason; callers say which file it was and what to do.
"""

import errno
import json
import os
import shutil
import stat
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qssl_tf.errors import pass_on_interrupt

if TYPE_CHECKING:
    import numpy as np

MAX_TEXT = 1 << 24  # bytes; the largest JSON file here, of a device run with 100,000 rows, takes 1 MB
MAX_TABLE = 1 << 30  # bytes; a table of ten million steps
MAX_ARRAYS = 1 << 36  # bytes
MAX_PICTURE = 1 << 26  # bytes; a figure takes 0.3 MB
PNG = b"\x89PNG\r\n\x1a\n"  # how such a file begins
HEADERS = 4096  # bytes for the name, type and shape of an array


def open_handle(path: Path, flags: int) -> int:
    """Open a file, of any folder, as itself: no link to it is followed, and no pipe waited for.

    Args:
        path: The file.
        flags: Of `os.open`: for reading, for writing, whether it is made.

    Raises:
        OSError: It is missing, or must not be opened.
        ValueError: It is a link, which may lead to any file of this machine, or a pipe, folder or device.
    """
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        what = {errno.ELOOP: "it is a link", errno.ENXIO: "it is no file", errno.EISDIR: "it is no file"}
        if error.errno in what:
            raise ValueError(what[error.errno]) from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ValueError("it is no file")
    return handle


def open_regular(path: Path, at_most: int) -> Any:
    """Open a file for reading as bytes.

    Raises:
        OSError: It is missing or must not be read.
        ValueError: It has more than `at_most` bytes, is a link, or a pipe or device, whose end may never come.
    """
    handle = open_handle(path, os.O_RDONLY)
    size = os.fstat(handle).st_size
    if size > at_most:
        os.close(handle)
        raise ValueError(f"it has {size} bytes, more than {at_most}")
    return open(handle, "rb")


def check_regular(path: Path) -> None:
    """Refuse what is no file, for libraries that open it by its name themselves.

    Raises:
        OSError, ValueError: It is missing, a link, a pipe or a device.
    """
    os.close(open_handle(path, os.O_RDONLY))


def named(path: Path) -> Path:
    """Return a file that the user named: where it is a link, that is the user's own, and followed."""
    return path.resolve() if path.is_symlink() else path


def read_bytes(path: Path, at_most: int) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large, or no file.
    """
    with open_regular(path, at_most) as file:
        return file.read(min(at_most, os.fstat(file.fileno()).st_size))  # Python makes room for all that is asked for


def read_png(path: Path) -> bytes:
    """Return the content of a picture.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large, or something else than a picture, which might be nobody's business.
    """
    content = read_bytes(path, MAX_PICTURE)
    if not content.startswith(PNG):
        raise ValueError("it is no PNG file")
    return content


def copy_file(source: Path, target: Path, at_most: int = MAX_ARRAYS) -> None:
    """Copy a file of a folder.

    Raises:
        OSError: It cannot be read, or there is no room.
        ValueError: It is too large, or no file.
    """
    with open_regular(source, at_most) as file, open(target, "xb") as copy:
        shutil.copyfileobj(file, copy)


def read_text(path: Path, at_most: int = MAX_TEXT) -> str:
    """Return a text in UTF-8; line ends stay as they are.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large, no file, or no UTF-8.
    """
    return read_bytes(path, at_most).decode("utf-8")


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: It is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> Any:
    """Return the value of a JSON file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON, too large or nested too deeply.
    """
    return parse_json(read_text(path))


def read_arrays(path: Path, at_most: int | None = None) -> "dict[str, np.ndarray]":
    """Return the arrays of a `.npz` file; nothing is unpickled, and each array's CRC is checked.

    Args:
        path: The file.
        at_most: Bytes that its arrays may take in memory, where they are compressed and could take any number; None
            is for those that are not, and take no more than the file.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is no such file, damaged, or too large.
    """
    import numpy as np  # late, for `--help`

    with open_regular(path, MAX_ARRAYS) as file:
        at_most = os.fstat(file.fileno()).st_size if at_most is None else at_most
        try:
            with zipfile.ZipFile(file) as archive:
                parts = archive.infolist()
            total = sum(part.file_size for part in parts)
            if total > at_most + HEADERS * (len(parts) + 1):
                raise ValueError(f"its arrays take {total} bytes, more than {at_most}")
            file.seek(0)
            with np.load(file, allow_pickle=False) as stored:
                return dict(stored)
        except ValueError:
            raise
        except Exception as error:  # a damaged archive can raise anything from zlib to system errors
            pass_on_interrupt(error)
            raise ValueError(f"{type(error).__name__}: {error}"[:200]) from None
