"""Writing files so that a crash, a kill or a full disk never leaves half of one behind."""

import errno
import fcntl
import io
import itertools
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from qssl_tf.files.read import open_handle

if TYPE_CHECKING:
    import numpy as np

UNFINISHED = "unfinished"  # in the name of a new folder until it is whole
Made = TypeVar("Made")


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
        FileExistsError: There is such a folder, with something in it, or a file of that name.
        NotADirectoryError: A file has the name of the folder that it should be in.
    """
    taken = FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise taken
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # a file, whose name another folder's cannot replace
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder.parent)) from None
    sweep_unfinished(folder.parent)
    with _held_temporary(folder) as temporary:
        try:
            yield temporary
            try:
                os.rename(temporary, folder)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):  # another process was faster
                    raise taken from None
                error.filename, error.filename2 = str(folder), None
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def first_free(folder: Path, make: Callable[[Path], Made]) -> Made:
    """Return what `make` makes of `folder`, or of the first of `folder-2`, `folder-3` and so on that nobody has.

    Args:
        folder: The name that is wanted.
        make: Makes a folder, by `making`.
    """
    for number in itertools.count(1):
        with suppress(FileExistsError):
            return make(folder if number == 1 else folder.with_name(f"{folder.name}-{number}"))
    raise AssertionError("numbers do not end")


@contextmanager
def _held_temporary(folder: Path) -> Iterator[Path]:
    """Make a temporary folder and hold it, so that others can tell it from one whose process was killed."""
    handle = None
    while handle is None:
        temporary = folder.with_name(f".{uuid.uuid4().hex[:8]}-{UNFINISHED}")
        try:
            temporary.mkdir()
        except OSError as error:
            error.filename = str(folder)  # the user knows this name
            raise
        handle = _hold(temporary, wait=True)
        if not temporary.exists():  # somebody swept it before it was held, or even before it was opened
            if handle is not None:
                os.close(handle)
            handle = None
        elif handle is None:  # a file system without locks
            break
    try:
        yield temporary
    finally:
        if handle is not None:
            os.close(handle)


def _hold(folder: Path, wait: bool) -> int | None:
    """Return a handle that holds a folder until it is closed, or None where that cannot be."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def sweep_unfinished(parent: Path) -> None:
    """Remove what killed processes left in a folder of folders: new ones they had not finished, and their links.

    An unfinished folder is locked by its process, and a link has the process's number in its name.
    """
    with suppress(OSError):
        for path in parent.glob(".*"):
            if re.fullmatch(rf"\.[0-9a-f]{{8}}-{UNFINISHED}", path.name):
                handle = _hold(path, wait=False)
                if handle is not None:
                    shutil.rmtree(path, ignore_errors=True)
                    os.close(handle)
            link = re.fullmatch(r"\.latest-(\d{1,9})", path.name)
            if link and path.is_symlink() and not _is_alive(int(link[1])):
                path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        pass
    return True


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
