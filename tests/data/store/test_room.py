"""The look at a disk and at memory before a store is made, against the sizes of what is stored."""

import shutil
import threading
from collections import namedtuple

import numpy as np
import pytest
from judges.stores import ARRAYS, encoded, photo, shards

import qssl_tf as q
from qssl_tf.data.listing import list_folder
from qssl_tf.data.sources import read_images
from qssl_tf.data.store import shard
from qssl_tf.data.store.folder_source import least_bytes

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize("image_size", [None, 16, 8])
def test_the_bytes_of_a_store_are_known_beforehand(image_size, photos, tmp_path):
    """Every file is looked at here; of larger folders a few, from all over."""
    path = photos / "dog" / "21.jpeg"
    path.write_bytes(encoded(photo(21), quality=90))
    store = q.make_store(photos, tmp_path / "store", image_size=image_size).train.images.store
    records = sum(map(len, store.records(np.arange(len(store)))))
    assert least_bytes(list_folder(photos), image_size) == pytest.approx(records, rel=0.05)


def test_a_disk_without_room_is_told_before_anything_is_made(photos, tmp_path, monkeypatch):
    """Python's own count of the disk, made smaller."""
    config = q.Config(
        dataset="folder", data_dir=str(photos), image_size=8, store="disk", store_dir=str(tmp_path / "stores")
    )
    needed = 41 * 8 * 8 * 3
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(10**9, 0, needed - 1))
    with pytest.raises(q.UserError) as error:
        read_images(config)
    (place,) = {path.name.strip(".").removesuffix(".lock") for path in (tmp_path / "stores").iterdir()}
    assert str(error.value) == (
        f"{tmp_path / 'stores' / place} needs 7.87e-06 GB, and its disk has 7.87e-06 GB left; make room there, or name "
        "a folder on another disk with `store_dir`."
    )
    assert not (tmp_path / "stores" / place).exists()
    with pytest.raises(q.UserError, match="name a folder on another disk with `folder`."):
        q.make_store(photos, tmp_path / "mine", image_size=8)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(10**9, 0, needed))
    read_images(config)
    shards(tmp_path / "stores" / place)[0].unlink()
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(10**9, 0, 21 * 8 * 8 * 3))
    read_images(config)  # the shard of 21 images alone needs room


def test_large_images_wait_in_small_numbers(tmp_path, monkeypatch):
    """Of images that take much of the memory that is meant for them, only so many are read ahead as there are cores."""
    monkeypatch.setattr(shard, "usable_cores", lambda: 2)
    monkeypatch.setattr(shard, "AHEAD_BYTES", 10 * ARRAYS[0].nbytes)
    read, lock, most = [0], threading.Lock(), [0]

    class Counted(list):
        def __iter__(self):
            for number in range(60):
                with lock:
                    read[0] += 1
                yield photo(number)

    add = shard.ShardWriter.add

    def counted(self, image):
        with lock:
            read[0] -= 1
            most[0] = max(most[0], read[0])
        add(self, image)

    monkeypatch.setattr(shard.ShardWriter, "add", counted)
    q.make_store(Counted(ARRAYS[:1].repeat(60, axis=0)), tmp_path / "store")
    assert 2 <= most[0] <= 11
