"""Making a store: shard after shard, each whole under its name or not there, so that a killed making goes on."""

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from qssl_tf.data.bar import bar
from qssl_tf.data.store.manifest import MANIFEST, VERSION, Manifest, damage, read_manifest, shard_name
from qssl_tf.data.store.reading import Store, array_record, open_store, read_details
from qssl_tf.data.store.room import check_room
from qssl_tf.data.store.shapes import check_shape
from qssl_tf.data.store.shard import NAMED, Encoded, ShardWriter, encoded
from qssl_tf.data.store.source import Source
from qssl_tf.errors import UserError, pass_on_interrupt, shown
from qssl_tf.files.lock import locked
from qssl_tf.files.schema import check
from qssl_tf.files.write import sweep, write_json
from qssl_tf.markup import printable

SHARD_BYTES = 1 << 28  # of records; what a kill costs at most


def make(folder: Path, source: Source, elsewhere: str = "`folder`") -> Store:
    """Return the store of a source: make it, go on where a making was stopped, mend it, or open it if it is whole.

    Args:
        folder: Where it lies.
        source: The images.
        elsewhere: How another folder is named, for messages.

    Raises:
        UserError: The folder holds something else, or a store of another source or of one that has changed since; its
            disk has no room; or an image cannot be read or has another shape than the first.
        OSError: The disk is full, or must not be written to.
    """
    array_record()  # refused before anything is made
    found = read_manifest(folder)
    # A whole store may lie where nothing can be written; any other is looked at by whoever holds it.
    if not (found and found["finished"] and _Making(folder, source, elsewhere).is_whole()):
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:  # a file, whose name another folder's cannot replace
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder.parent)) from None
        with _alone(folder):
            making = _Making(folder, source, elsewhere)  # as whoever held the folder left it
            if not making.is_whole():
                making.run()
    return open_store(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder; where another process makes this store, wait for it."""
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder))
        except UserError:
            print(f"waiting for another process that makes {folder}", flush=True)
            held.enter_context(locked(folder, wait=True))
        yield


class _Making:
    """A store that is being made: its manifest, rewritten after each shard."""

    def __init__(self, folder: Path, source: Source, elsewhere: str):
        self.folder, self.source, self.elsewhere = folder, source, elsewhere
        self.problems: list[str] = []
        self.problem_count = 0
        self.refusal: Exception | None = None
        found = read_manifest(folder)
        if found is None and os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
            what = "holds something else" if folder.is_dir() else "is no folder"
            raise UserError(f"{folder} must be a new folder or a store of images; it {what}. Name another.")
        if found is None or not found["shards"]:  # of another source, it may be: nothing of it is kept
            self.manifest = self._new_manifest()
        else:
            self._check_source(found)
            self.manifest = found

    def _new_manifest(self) -> dict[str, Any]:
        source = self.source
        manifest = {
            "version": VERSION,
            "name": printable(source.name),
            "source": source.identity,
            "parts": list(source.parts),
            "image_shape": None,
            "dct_method": source.dct_method,
            "class_names": None if source.class_names is None else [printable(str(n)) for n in source.class_names],
            "indexed": source.indexed,
            "test_fraction": source.test_fraction,
            "finished": False,
            "shards": [],
        }
        try:
            return check(Manifest, manifest)
        except ValueError as error:
            raise UserError(f"a store of {shown(source.name)} cannot be read again: {error}; shorten that.") from None

    def _check_source(self, found: dict[str, Any]) -> None:
        """Refuse a store of another source; of a half-made one, keep the shards whose part of the source is the same.

        Raises:
            UserError: It says what differs.
        """
        old, new = found["source"], self.source.identity
        differing = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        if differing and differing != ["stamp"]:
            raise UserError(
                f"{self.folder} is the store of other images: their {differing[0]} is {old.get(differing[0])!r}, and "
                f"{new.get(differing[0])!r} was asked for; name another folder."
            )
        made = found["shards"][-1]["next"]
        if found["finished"] and self.source.count not in (None, made) and not differing:
            raise UserError(
                f"{self.folder} was made from {made} images of {found['name']}, and there are {self.source.count} now; "
                "name another folder, or remove this one."
            )
        if differing and found["finished"]:
            raise UserError(
                f"{self.folder} was made from {found['name']} as it was then, and its files are others now; remove the "
                "store, and it is made again, or restore the files."
            )
        if differing:
            stamp = self.source.stamp
            same = itertools.takewhile(
                lambda entry: stamp and stamp(entry["first"], entry["next"]) == entry["stamp"], found["shards"]
            )
            found["shards"], found["source"] = list(same), new
            channels = self.source.channels() if self.source.channels else None
            if found["shards"] and channels not in (None, found["image_shape"][2]):
                found["shards"] = []
            found["image_shape"] = found["image_shape"] if found["shards"] else None

    def is_whole(self) -> bool:
        """Return whether there is nothing left to make."""
        return self.manifest["finished"] and not any(damage(self.folder, entry) for entry in self.manifest["shards"])

    def run(self) -> None:
        """Make what is missing, and show how far it is.

        Raises:
            UserError: The images do not fit each other or the disk, or some cannot be used.
        """
        if self.source.channels:
            self.source.channels()  # looks at them, and refuses some
        self._check_room()
        self.folder.mkdir(exist_ok=True)
        sweep(self.folder)
        self._save()
        with bar(self.source.count, self.folder.name) as advance:
            for number, entry in enumerate(self.manifest["shards"]):
                if wrong := damage(self.folder, entry):
                    print(f"{wrong}; it is made again", flush=True)
                    self.manifest["shards"][number] = self._again(entry)
                    self._save()
                advance(entry["next"] - entry["first"])
            if not self.manifest["finished"]:
                self._go_on(advance)

    def _check_room(self) -> None:
        """Refuse what the disk cannot hold, as far as a look at the source tells.

        Raises:
            UserError: It says how much is needed.
        """
        if self.source.size and self.source.count:
            whole = [entry for entry in self.manifest["shards"] if not damage(self.folder, entry)]
            kept = sum(entry["next"] - entry["first"] for entry in whole) / self.source.count
            check_room(self.folder, (1 - kept) * self.source.size(), self.elsewhere)

    def _save(self) -> None:
        write_json(self.folder / MANIFEST, self.manifest)

    def _again(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Make one shard again; its neighbours stay as they are.

        Raises:
            UserError: The source gives other images now.
        """
        items = self.source.items(entry["first"], entry["next"])
        with encoded(items, self.source.dct_method) as images:
            made = self._write(self.folder / entry["file"], entry["first"], self._usable(images), lambda count: None)
        self._raise_refusal()
        made_entry = made.entry(entry["stamp"])
        if made_entry is None or made_entry["sha256"] != entry["sha256"]:
            raise UserError(
                f"{self.folder / entry['file']} cannot be made again, as {self.manifest['name']} gives other images "
                "now; remove the store, and it is made anew."
            )
        return made_entry

    def _go_on(self, advance: Callable[[int], None]) -> None:
        """Make all shards behind the last one.

        Raises:
            UserError: An image cannot be used, or there is none.
        """
        shards = self.manifest["shards"]
        first = shards[-1]["next"] if shards else 0
        compared = first if self.source.stamp is None else 0  # such a source is read from its start
        with encoded(self.source.items(first - compared, None), self.source.dct_method) as images:
            if compared:
                self._compare(itertools.islice(images, compared))
            usable = self._usable(images)
            while True:
                made = self._write(self.folder / shard_name(len(shards)), first, usable, advance)
                entry = made.entry(self._stamp(made.first, made.next))
                if entry is None:
                    break
                shards.append(entry)
                self._save()
                first = made.next
        self._raise_refusal()
        if not shards:
            raise (self.source.none_left or self._no_images)()
        if made.next > made.first:  # the last images of all were left out
            self._append_left_out(shards[-1], made)
        self.manifest["finished"] = True
        self._save()

    def _append_left_out(self, last: dict[str, Any], made: ShardWriter) -> None:
        more = made.left_out
        last["left_out"] = (last["left_out"] + more["left_out"])[:NAMED]
        last["left_out_count"] += more["left_out_count"]
        last["next"], last["stamp"] = more["next"], self._stamp(last["first"], more["next"])

    def _stamp(self, first: int, stop: int) -> str | None:
        return self.source.stamp(first, stop) if self.source.stamp else None

    def _write(self, path: Path, first: int, images: Iterator[Encoded], advance: Callable[[int], None]) -> ShardWriter:
        """Write a shard of the next images, as many as it takes."""
        with ShardWriter(path, first) as shard:
            for image in images:
                shard.add(image)
                advance(1)
                if shard.size >= SHARD_BYTES:
                    break
        return shard

    def _usable(self, images: Iterator[Encoded]) -> Iterator[Encoded]:
        """Yield images until one must be refused, so that those before it are kept; the rest are looked through."""
        try:
            for image in images:
                if image.item.pixels is None and self.source.refuse is not None:
                    self.problem_count += 1
                    self.problems += [image.item.problem] if len(self.problems) < NAMED else []
                elif not self.problem_count:
                    check_shape(self.manifest, image.item)
                    yield image
        except Exception as error:
            pass_on_interrupt(error)
            self.refusal = error

    def _raise_refusal(self) -> None:
        if self.problem_count and self.source.refuse is not None:
            raise self.source.refuse(self.problems, self.problem_count)
        if self.refusal is not None:
            raise self.refusal

    def _no_images(self) -> UserError:
        return UserError(f"{self.manifest['name']} must hold images; it has none.")

    def _compare(self, images: Iterator[Encoded]) -> None:
        """Hold the images of a source that says nothing about itself against those that are stored already.

        Raises:
            UserError: It is another source.
        """
        stored = itertools.chain.from_iterable(
            read_details(self.folder, entry)["digests"] for entry in self.manifest["shards"]
        )
        for digest, image in itertools.zip_longest(stored, images):
            if digest is None or image is None or image.digest != digest.tobytes():
                raise UserError(
                    f"{self.folder} is half made, and {self.manifest['name']} gives other images than those in it; "
                    "name another folder, or remove this one."
                )
