"""Stores whose making was stopped: by a kill, a full disk, another process or a source that changed."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from judges.stores import ARRAYS, assert_same, encoded, photo, shards

import qssl_tf as q
from qssl_tf.data.store import writing
from qssl_tf.data.store.manifest import read_manifest
from qssl_tf.files.lock import locked

MANY = 300  # so that some are written while others are still to come
SLOW = """
import sys, time, numpy as np, qssl_tf as q
from qssl_tf.data.store import writing
sys.path.insert(0, sys.argv[3])
from judges.stores import photo
writing.SHARD_BYTES = 4000
def images():
    for number in range(int(sys.argv[4])):
        time.sleep(float(sys.argv[2]))
        yield photo(number), number % 2
data = q.make_store(images(), sys.argv[1], name="slow")
print(len(data.train))
"""


def test_a_killed_making_goes_on(tmp_path):
    command = [sys.executable, "-c", SLOW, str(tmp_path / "store"), "0.01", str(Path(__file__).parents[2]), str(MANY)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while process.poll() is None and len(shards(tmp_path / "store")) < 3:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = {path: path.stat().st_mtime_ns for path in shards(tmp_path / "store")}
    assert process.returncode == -signal.SIGKILL and len(kept) >= 3
    with pytest.raises(q.UserError, match="is half made, with .* images so far; go on by making it from the same"):
        q.ImageData.from_store(tmp_path / "store")
    listed = {tmp_path / "store" / entry["file"] for entry in read_manifest(tmp_path / "store")["shards"]}
    made = q.make_store(((photo(n), n % 2) for n in range(MANY)), tmp_path / "store", name="slow")
    assert_same(made, q.ImageData.from_arrays(np.stack([photo(n) for n in range(MANY)]), np.arange(MANY) % 2))
    assert all(path.stat().st_mtime_ns == kept[path] for path in listed)
    assert not list((tmp_path / "store").glob(".*"))
    at_once = tmp_path / "at once"
    q.make_store(((photo(n), n % 2) for n in range(MANY)), at_once, name="slow")
    assert {path.name: path.read_bytes() for path in shards(at_once)} == {
        path.name: path.read_bytes() for path in shards(tmp_path / "store")
    }


def test_another_source_does_not_go_on_with_a_half_made_store(tmp_path):
    def until(count):
        yield from ((photo(n), 0) for n in range(count))
        raise OSError("the cable is out")

    with pytest.raises(OSError):
        q.make_store(until(30), tmp_path / "store", name="mine")
    with pytest.raises(q.UserError) as error:
        q.make_store(((photo(n + 1), 0) for n in range(40)), tmp_path / "store", name="mine")
    assert str(error.value) == (
        f"{tmp_path / 'store'} is half made, and mine gives other images than those in it; name another folder, or "
        "remove this one."
    )
    with pytest.raises(q.UserError) as error:
        q.make_store(ARRAYS, tmp_path / "store", name="yours")
    assert str(error.value) == (
        f"{tmp_path / 'store'} is the store of other images: their name is 'mine', and 'yours' was asked for; name "
        "another folder."
    )


def test_a_changed_folder_is_refused_and_a_half_made_store_keeps_what_is_the_same(photos, tmp_path):
    store = tmp_path / "store"
    q.make_store(photos, store)
    first, last = photos / "cat" / "00.png", photos / "dog" / "39.png"
    os.utime(last, ns=(5, 5))
    with pytest.raises(q.UserError) as error:
        q.make_store(photos, store)
    assert str(error.value) == (
        f"{store} was made from photos as it was then, and its files are others now; remove the store, and it is made "
        "again, or restore the files."
    )
    manifest = read_manifest(store)
    (store / "manifest.json").write_text(json.dumps(manifest | {"finished": False}))
    before = {path: path.stat().st_mtime_ns for path in shards(store)}
    assert_same(q.make_store(photos, store), q.ImageData.from_folder(photos))
    same = [path for path in before if path.stat().st_mtime_ns == before[path]]
    assert 0 < len(same) < len(before) and same == sorted(before)[: len(same)]
    (store / "manifest.json").write_text(json.dumps(read_manifest(store) | {"finished": False}))
    first.write_bytes(encoded(photo(77), "PNG"))
    assert_same(q.make_store(photos, store), q.ImageData.from_folder(photos))


@contextmanager
def files_up_to(size):
    """Let this process write no larger file, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_ends_in_the_systems_words_and_nothing_is_lost(tmp_path, monkeypatch):
    """Shards that are larger from some image on meet a limit of files."""
    monkeypatch.setattr(writing, "SHARD_BYTES", 80_000)

    def images():
        yield from (photo(number) for number in range(400))
        monkeypatch.setattr(writing, "SHARD_BYTES", 400_000)
        yield from (photo(number) for number in range(600))

    with files_up_to(300_000), pytest.raises(OSError) as error:
        q.make_store(images(), tmp_path / "store", name="many")
    assert error.value.strerror == "File too large" and error.value.filename.startswith(str(tmp_path / "store"))
    assert len(shards(tmp_path / "store")) == len(read_manifest(tmp_path / "store")["shards"]) >= 1
    assert not list((tmp_path / "store").glob(".*-images*"))
    data = q.make_store(images(), tmp_path / "store", name="many")
    assert len(data.train) + len(data.test) == 1000


def test_a_second_process_waits_for_the_first(tmp_path, capsys):
    made = []
    with locked(tmp_path / "store"):
        thread = threading.Thread(target=lambda: made.append(q.make_store(ARRAYS, tmp_path / "store")))
        thread.start()
        while "waiting" not in capsys.readouterr().out:
            time.sleep(0.05)
        assert not (tmp_path / "store").exists()
    thread.join()
    assert_same(made[0], q.ImageData.from_arrays(ARRAYS))


def test_a_whole_store_is_opened_where_nothing_can_be_written(photos, tmp_path, monkeypatch):
    """As on a volume that is mounted for reading: no lock can be taken there."""
    memory, store = q.make_store(photos, tmp_path / "store"), tmp_path / "store"

    def read_only(*given, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(store))

    monkeypatch.setattr(writing, "locked", read_only)
    stored = q.make_store(photos, store)
    assert stored.train.fingerprint() == memory.train.fingerprint()
    shards(store)[0].unlink()
    with pytest.raises(OSError, match="Read-only file system"):
        q.make_store(photos, store)
