"""Whether a disk has room for a store, asked before it is made."""

import shutil
from pathlib import Path

from qssl_tf.errors import UserError


def check_room(folder: Path, needed: float, elsewhere: str) -> None:
    """Refuse a store that its disk cannot hold.

    Args:
        folder: The store, whose parent is there.
        needed: Bytes that are still to be written, at least.
        elsewhere: How another folder is named.

    Raises:
        UserError: It says how much is needed and how much is free.
    """
    free = shutil.disk_usage(folder.parent).free
    if needed > free:
        raise UserError(
            f"{folder} needs {needed / 1e9:.3g} GB, and its disk has {free / 1e9:.3g} GB left; make room there, or "
            f"name a folder on another disk with {elsewhere}."
        )
