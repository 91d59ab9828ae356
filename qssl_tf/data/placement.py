"""Where the images of a run are kept while it trains: in memory, or in a store on disk."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.data.splits import MEMORY_LIMIT_GB
from qssl_tf.environment import has_home
from qssl_tf.errors import UserError
from qssl_tf.memory import available

SMALL_GB = 0.5  # fits whatever else this machine is doing
COPIES = 3  # of all images, that reading them into memory and training take at a time


def is_too_large(gigabytes: float, largest_split: float) -> bool:
    """Return whether memory cannot hold images, as it is used at the moment; the largest split alone is limited."""
    fits = COPIES * gigabytes * 1e9 <= available() and largest_split <= MEMORY_LIMIT_GB
    return gigabytes > SMALL_GB and not fits


# Where images are kept -> function (gigabytes of all, of the largest split) -> whether that is on disk.
PLACES: dict[str, Callable[[float, float], bool]] = {
    "auto": is_too_large,
    "memory": lambda gigabytes, largest_split: False,
    "disk": lambda gigabytes, largest_split: True,
}


def goes_to_disk(config: Config, gigabytes: float, largest_split: float | None = None) -> bool:
    """Return whether images are kept in a store.

    Args:
        config: Settings with `store`.
        gigabytes: What all of them take as pixels.
        largest_split: What the largest split takes; None is all of them.
    """
    return PLACES[config.store](gigabytes, gigabytes if largest_split is None else largest_split)


def store_folder(config: Config, name: str, identity: dict[str, Any]) -> Path:
    """Return where the store of a source lies: its own folder in `store_dir`, whatever it holds by now.

    Args:
        config: Settings with `store_dir`.
        name: Name of the data set.
        identity: Of the source; its `stamp`, which changes with the content, is passed over.

    Raises:
        UserError: No folder is named, and this user has no home.
    """
    same = {key: value for key, value in identity.items() if key != "stamp"}
    key = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:8]
    word = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:64] or "images"
    return _stores(config) / f"{word}-{key}"


def _stores(config: Config) -> Path:
    if config.store_dir is not None:
        return Path(config.store_dir)
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):
        cache = ""  # as the XDG base directory specification asks: a relative path is passed over
    if not cache and not has_home():
        raise UserError(
            "a store of images must lie somewhere, and there is neither HOME nor a home folder of this user; name a "
            f"folder with {argument('store_dir')}."
        )
    return (Path(cache) if cache else Path.home() / ".cache") / "qssl_tf" / "stores"


def say(name: str, count: int, gigabytes: float, folder: Path, manifest: dict[str, Any] | None) -> None:
    """Print in one line that images are kept on disk, and where.

    Args:
        name: Name of the data set.
        count: Number of its images.
        gigabytes: What they take as pixels.
        folder: The store.
        manifest: Its manifest; None where it is to be made.
    """
    if manifest and manifest["finished"]:
        what = "are read from the store"
    else:
        what = "go on into the half-made store" if manifest and manifest["shards"] else "go to a new store on disk,"
    print(f"{name}: {count} images, {gigabytes:.3g} GB as pixels, {what} {folder}", flush=True)


def refuse_store(config: Config) -> None:
    """Refuse `store` disk for a data set whose images are in memory anyway.

    Raises:
        UserError: It names the data set.
    """
    if config.store == "disk":
        raise UserError(
            f"`store` must be auto or memory for `dataset` '{config.dataset}', whose images come as arrays; got "
            "'disk'. For images of your own there is qssl_tf.make_store."
        )
