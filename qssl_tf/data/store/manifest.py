"""`manifest.json`: what a store holds, its shards, and the source that they were made from."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from qssl_tf.data.listing import TEST, TRAIN, UNLABELLED_PART
from qssl_tf.errors import UserError, reason
from qssl_tf.files.schema import Count, Names, Positive, Schema, Sha256, Word, read_as

MANIFEST = "manifest.json"
VERSION = 1  # of the layout
MAX_SIDE = 4096  # pixels of an image
SPLITS = ["train", "test"]  # parts where labels are indices already


def shard_name(number: int) -> str:
    """Return the name of a shard's file."""
    return f"images-{number:05d}.array_record"


class ShardEntry(Schema):
    """A shard: its files, and which part of the source it covers."""

    file: Annotated[str, Field(pattern=r"^images-[0-9]{5,}\.array_record$")]
    images: Positive
    first: Count  # place in the source of the first image
    next: Count  # and of the first one behind it; what lies between and has no record was left out
    bytes: Count
    sha256: Sha256
    details_sha256: Sha256
    jpegs: Count
    cropped: Count  # images whose middle square was taken
    left_out: list[Word]  # the first few that could not be read
    left_out_count: Count
    stamp: str | None  # checksum of what the source says of this part without being read


class Manifest(Schema):
    """Schema of `manifest.json`."""

    version: Count
    name: Word
    source: dict[str, Any]
    parts: Annotated[list[Word], Field(min_length=1, max_length=3)]
    image_shape: Annotated[list[Positive], Field(min_length=3, max_length=3)] | None  # unknown until there is an image
    dct_method: Annotated[str, Field(pattern="^(|INTEGER_ACCURATE|INTEGER_FAST)$")]
    class_names: Names | None
    indexed: bool  # labels are indices into the class names, and the parts are splits
    test_fraction: Annotated[float, Field(ge=0, le=1)] | None
    finished: bool
    shards: list[ShardEntry]

    @model_validator(mode="after")
    def _fits_together(self) -> "Manifest":
        """Refuse what contradicts itself.

        Raises:
            ValueError: It says where.
        """
        for is_right, rule in self._rules():
            if not is_right:
                raise ValueError(rule)
        for number, entry in enumerate(self.shards):
            first = self.shards[number - 1].next if number else 0
            covered = entry.images + entry.left_out_count
            if (entry.file, entry.first, entry.next) != (shard_name(number), first, first + covered):
                raise ValueError(f"its shard {number} must be {shard_name(number)} with what follows the one before it")
            if max(entry.jpegs, entry.cropped) > entry.images:
                raise ValueError(f"its shard {number} must have no more JPEGs or crops than images")
        return self

    def _rules(self) -> list[tuple[bool, str]]:
        """Return whether each rule holds, and the rule."""
        own = [TRAIN, *(part for part in (TEST, UNLABELLED_PART) if part in self.parts)]
        height, width, channels = self.image_shape or (1, 1, 1)
        return [
            (self.image_shape is not None or not (self.finished or self.shards), "it must say the shape of its images"),
            (
                height == width <= MAX_SIDE and channels in (1, 3),
                f"its images must be squares of at most {MAX_SIDE} pixels a side with 1 or 3 channels",
            ),
            (bool(self.shards) or not self.finished, "it must list shards where it is finished"),
            (self.parts == (SPLITS if self.indexed else own), "its parts must be those of its kind"),
            (not self.indexed or bool(self.class_names), "it must name the classes"),
        ]


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the content of a store's `manifest.json`, or None where there is none.

    Raises:
        UserError: It is damaged, or of a later version.
    """
    path = folder / MANIFEST
    try:
        manifest = read_as(path, Manifest)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({reason(error)}); restore it, or remove the store.") from None
    if manifest["version"] != VERSION:
        raise UserError(f"{path} is of version {manifest['version']} and must be of {VERSION}; make the store again.")
    return manifest


def details_path(shard: Path) -> Path:
    """Return the file with labels and checksums of a shard."""
    return shard.with_suffix(".npz")


def damage(folder: Path, entry: dict[str, Any]) -> str | None:
    """Return what is wrong with a shard as far as its files' sizes say, as a clause; None if nothing is."""
    path = folder / entry["file"]
    for file in (path, details_path(path)):
        if not file.is_file():
            return f"{file} is {'no file' if os.path.lexists(file) else 'missing'}"
    size = path.stat().st_size
    return None if size == entry["bytes"] else f"{path} has {size} bytes and must have {entry['bytes']}"
