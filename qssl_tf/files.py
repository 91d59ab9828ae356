"""Writing files so that a crash, a kill or a full disk never leaves half of one behind."""

import errno
import io
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qssl_tf.reading import open_handle

if TYPE_CHECKING:
    import numpy as np


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes `path`'s place in one step, else it is removed.

    The temporary name keeps the suffix of `path`, since some writers choose their format by it.
    """
    temporary = _beside(path)
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is not None and (error.filename is None or str(temporary) in str(error.filename)):
            error.filename = str(path)  # the user knows this name
        raise
    finally:
        with suppress(OSError):  # gone already, or the disk became read-only: the first error is the one to tell
            temporary.unlink()


def _beside(path: Path) -> Path:
    return path.with_name(f".{uuid.uuid4().hex[:8]}-{path.name}")


def sweep(*folders: Path) -> None:
    """Remove what a killed process left half-written in some folders; whoever calls holds them."""
    for folder in folders:
        for path in folder.glob(".*"):
            if re.fullmatch(r"\.[0-9a-f]{8}-.+", path.name) and path.is_file() and not path.is_symlink():
                path.unlink()


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """Yield a new temporary folder beside `folder`; on success it becomes `folder` in one step, else it is removed.

    Raises:
        FileExistsError: There is such a folder, with something in it.
    """
    temporary = _beside(folder)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        os.rename(temporary, folder)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder)) from None
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in one step."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def append_text(path: Path, text: str) -> None:
    """Write `text` to the end of `path`, made if it is not there.

    Raises:
        ValueError: It is a link, or no file.
    """
    with open(open_handle(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "a", encoding="utf-8") as file:
        file.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON to `path` in one step."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def npz(arrays: "Mapping[str, np.ndarray]", compressed: bool = False) -> memoryview:
    """Return arrays as an `.npz` file in memory: where the disk is full, numpy's writer would complain once more."""
    import numpy as np  # late, for `--help`

    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getbuffer()
