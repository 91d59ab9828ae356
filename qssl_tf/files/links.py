"""Links and pipes in folders that others may have made: a folder holds its own files, or is not opened."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from qssl_tf.errors import UserError

LATEST = "latest"
OWN_LINKS = "ibmq"  # the folder in a run folder that holds a link of ours, to the newest of the folders beside it
MAX_DEPTH = 32  # folders within folders; a search has five


def point_latest(folder: Path) -> None:
    """Let `latest` beside `folder` point to it, in one step."""
    temporary = folder.parent / f".{LATEST}-{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.name)
    os.replace(temporary, folder.parent / LATEST)


def pointed(folder: Path) -> Path:
    """Return what `latest` in a folder stands for: the folder beside it that it points to, or itself if it is one.

    Raises:
        UserError: It points to another place.
    """
    link = folder / LATEST
    if not link.is_symlink():
        return link
    target = folder / os.readlink(link)
    if not _is_beside(os.readlink(link)):
        raise UserError(f"{link} points out of its folder, to {target}; name the folder itself.")
    return target


def check_own_files(folder: Path) -> None:
    """Refuse a folder in which anything is a link, pipe, socket or device, however deep within it.

    Whatever is read or written there afterwards lies there. The one link that this package makes in a run folder,
    `ibmq/latest`, may point to a folder beside it.

    Raises:
        UserError: It names the first.
    """
    for path, what in _strange(folder):
        raise UserError(f"{path} is {what}; such a folder must hold its own files: put the file itself there.")


def _strange(folder: Path) -> Iterator[tuple[Path, str]]:
    left = [(folder, 0)]
    while left:
        inside, depth = left.pop()
        if depth > MAX_DEPTH:
            yield inside, f"nested deeper than {MAX_DEPTH} folders"
        with suppress(FileNotFoundError), os.scandir(inside) as entries:  # another process may remove its own
            for entry in entries:
                if entry.is_symlink():
                    if not _is_ours(Path(entry.path)):
                        yield Path(entry.path), "a link to another place"
                elif entry.is_dir(follow_symlinks=False):
                    left.append((Path(entry.path), depth + 1))
                elif not entry.is_file(follow_symlinks=False):
                    yield Path(entry.path), "a pipe or device"


def _is_ours(link: Path) -> bool:
    own = link.parent.name == OWN_LINKS and re.fullmatch(rf"{LATEST}|\.{LATEST}-\d+", link.name)
    return bool(own) and _is_beside(os.readlink(link))


def _is_beside(target: str) -> bool:
    """Return whether the text of a link is the plain name of another entry of its folder."""
    return target == Path(target).name and target not in ("", ".", "..", LATEST)
