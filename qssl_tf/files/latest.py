"""The link `latest` to the newest of some folders, and what else may lie in its place."""

from pathlib import Path

from qssl_tf.errors import UserError, shell
from qssl_tf.files.links import LATEST, point_latest
from qssl_tf.files.write import sweep_unfinished


def check_latest(parent: Path) -> None:
    """Refuse to begin anything in a folder whose `latest` is no link: it cannot be pointed to what is new.

    Raises:
        UserError: It is a folder or file, such as a copy makes of the link.
    """
    latest = parent / LATEST
    if latest.exists() and not latest.is_symlink():
        raise UserError(
            f"{latest} is no link, and the link to the newest belongs there; give it another name: "
            f"mv {shell(latest, latest.with_name('old-' + LATEST))}."
        )


def point_newest(folder: Path) -> None:
    """Let `latest` beside `folder` point to it, in one step.

    Raises:
        UserError: Something other than a link has the name.
    """
    if folder.name != LATEST:  # a copied one that is continued
        check_latest(folder.parent)
        sweep_unfinished(folder.parent)
        point_latest(folder)
