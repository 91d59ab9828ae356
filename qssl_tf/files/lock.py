"""A lock on a folder or file that ends with its owner, however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qssl_tf.errors import UserError
from qssl_tf.files.read import open_handle


@contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold a folder or file, which need not exist yet, against other processes.

    Args:
        folder: What is held; an empty file `.NAME.lock` stays beside it.
        wait: Wait for another owner to end, rather than refuse.

    Raises:
        UserError: Another process holds it, or something else lies in the place of the lock's file.
    """
    path = folder.parent / f".{folder.name}.lock"
    try:
        handle = open_handle(path, os.O_RDWR | os.O_CREAT)
    except ValueError as error:
        raise UserError(f"{path} must be an empty file, and {error}; remove it.") from None
    with open(handle, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{folder} is in use by another process; wait for it to end, or stop it first.") from None
        yield
